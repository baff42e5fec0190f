/** Swap in a file of the host, which no guest sees: read and written page by page, and to the guest as a disk takes for it. */
import fs from "node:fs";
import type { Ram } from "../../mm/frames/ram.ts";
import { PAGE_SIZE } from "../../mm/page.ts";
import { DISK_TIMING, type SwapDevice, type SwapTiming } from "../../mm/swap/swap-device.ts";
import { type MkswapOptions, mkswap } from "../../mm/swap/swap-header.ts";
import { EIO } from "../../mm/uapi/errno.ts";
import { hostErrno } from "./host-error.ts";

export class HostSwapFile implements SwapDevice {
  readonly pages: number;
  readonly kind = "file";
  readonly timing: SwapTiming = DISK_TIMING;
  readonly path: string;
  /** −1 once it is closed. */
  #fd: number;

  /**
   * A file that has a swap header: one that mkswap(8) made, or createSwapFile. Throws what Node's fs throws.
   * @param fd the file, open to read and write, and the device's from now on: whatever has come to stand at `path` since
   */
  constructor(path: string, fd: number = fs.openSync(path, "r+")) {
    this.path = path;
    this.#fd = fd;
    this.pages = Math.floor(fs.fstatSync(this.#fd).size / PAGE_SIZE);
  }

  readPage(slot: number, ram: Ram, ramOffset: number): number {
    return transfer((done) =>
      fs.readSync(this.#fd, ram.u8, ramOffset + done, PAGE_SIZE - done, slot * PAGE_SIZE + done),
    );
  }

  writePage(slot: number, ram: Ram, ramOffset: number): number {
    return transfer((done) =>
      fs.writeSync(this.#fd, ram.u8, ramOffset + done, PAGE_SIZE - done, slot * PAGE_SIZE + done),
    );
  }

  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Moves a page with `move`, which answers how many bytes it moved. 0 or negative errno: EIO where the file ends early. */
function transfer(move: (done: number) => number): number {
  try {
    for (let done = 0; done < PAGE_SIZE; ) {
      const moved = move(done);
      if (moved === 0) return -EIO;
      done += moved;
    }
    return 0;
  } catch (error) {
    return hostErrno(error);
  }
}

/** Makes a swap file of `sizeBytes` bytes, all of them allocated, with a header; mode 600. Throws what Node's fs throws. */
export function createSwapFile(path: string, sizeBytes: number, options: MkswapOptions = {}): void {
  const fd = fs.openSync(path, "w", 0o600);
  try {
    fillSwapFile(fd, sizeBytes, options);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes an open file a swap file, as createSwapFile. Precondition: it is empty. */
export function fillSwapFile(fd: number, sizeBytes: number, options: MkswapOptions = {}): void {
  const pages = Math.floor(sizeBytes / PAGE_SIZE);
  const header = mkswap(pages, options);
  const zeros = new Uint8Array(Math.min(pages, 256) * PAGE_SIZE);
  for (let page = 0; page < pages; page += 256) {
    writeAll(fd, zeros.subarray(0, Math.min(256, pages - page) * PAGE_SIZE), page * PAGE_SIZE);
  }
  writeAll(fd, header, 0);
}

/** A disk that gets full takes a part first, and refuses only the next one. */
function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
