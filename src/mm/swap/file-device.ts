/**
 * Swap in a file of one of the mounted file systems. Its pages go straight between frames and the file's storage, past
 * the page cache (swap_activate and swap_rw of a file system). What that storage does wrong on purpose, it does to these
 * pages, too.
 */
import type { Ram } from "../frames/ram.ts";
import { PAGE_SIZE } from "../page.ts";
import type { AddressSpace } from "../vfs/address-space.ts";
import type { File } from "../vfs/file.ts";
import { DISK_TIMING, type SwapDevice, type SwapTiming } from "./swap-device.ts";

export class FileSwapDevice implements SwapDevice {
  readonly pages: number;
  readonly kind = "file";
  readonly timing: SwapTiming = DISK_TIMING;
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
    const { mapping } = this;
    const injected = mapping.host.sb.bdi?.faults?.beforeRead(mapping, slot, 1) ?? 0;
    if (injected < 0) return injected;
    this.#pfns[0] = ramOffset / PAGE_SIZE;
    return Math.min(mapping.ops.readPages(mapping, slot, this.#pfns, 1), 0);
  }

  writePage(slot: number, _ram: Ram, ramOffset: number): number {
    const { mapping } = this;
    const faults = mapping.host.sb.bdi?.faults;
    if (faults !== undefined && faults.admitWrites(mapping, slot, 1) < 1)
      return faults.failWrite(mapping, slot, ramOffset / PAGE_SIZE);
    this.#pfns[0] = ramOffset / PAGE_SIZE;
    return Math.min(mapping.ops.writePages(mapping, slot, this.#pfns, 1), 0);
  }

  close(): void {
    this.file.put();
  }
}
