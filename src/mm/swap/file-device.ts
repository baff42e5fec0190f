/**
 * Swap in a file of one of the mounted file systems. Its pages go straight between frames and the file's storage, past
 * the page cache (swap_activate and swap_rw of a file system).
 */
import type { Ram } from "../frames/ram.ts";
import { PAGE_SIZE } from "../page.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { File } from "../vfs/file.ts";
import type { SwapDevice } from "./swap-device.ts";

export class FileSwapDevice implements SwapDevice {
  readonly pages: number;
  readonly kind = "file";
  /** Open for as long as the area is used. */
  readonly file: File;
  readonly #pfns: number[] = [0];

  /** Takes over the caller's reference of `file`, which can be read and written. */
  constructor(file: File) {
    this.file = file;
    this.pages = Math.floor(file.inode.size / PAGE_SIZE);
  }

  get mapping(): AddressSpace {
    return this.file.mapping;
  }

  readPage(slot: number, _ram: Ram, ramOffset: number): number {
    this.#pfns[0] = ramOffset / PAGE_SIZE;
    return Math.min(this.mapping.ops.readPages(this.mapping, slot, this.#pfns, 1), 0);
  }

  writePage(slot: number, _ram: Ram, ramOffset: number): number {
    this.#pfns[0] = ramOffset / PAGE_SIZE;
    return Math.min(this.mapping.ops.writePages(this.mapping, slot, this.#pfns, 1), 0);
  }

  close(): void {
    this.file.put();
  }
}
