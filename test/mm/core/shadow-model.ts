/**
 * What memory must hold, kept the plain way: every process has a map from page to what it shows, every file its bytes.
 * Nothing here knows of frames, page tables or copy-on-write: fork copies, a private page that is written is copied at
 * once, and sharing is naming the same file.
 */
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../../src/mm/index.ts";

export class ShadowFile {
  size = 0;
  /** Pages that were ever written; any other is zeros. */
  readonly pages: Map<number, Uint8Array> = new Map();

  page(index: number): Uint8Array | undefined {
    return this.pages.get(index);
  }

  ownPage(index: number): Uint8Array {
    let page = this.pages.get(index);
    if (page === undefined) {
      page = new Uint8Array(PAGE_SIZE);
      this.pages.set(index, page);
    }
    return page;
  }

  /** tmpfs: shrinking zeroes the tail of the last page, growing shows whatever lies there. */
  truncate(size: number): void {
    if (size < this.size) {
      for (const index of this.pages.keys()) if (index * PAGE_SIZE >= size) this.pages.delete(index);
      if (size % PAGE_SIZE !== 0) this.pages.get(Math.floor(size / PAGE_SIZE))?.fill(0, size % PAGE_SIZE);
    }
    this.size = size;
  }
}

/** What one page of a process shows. */
export interface ShadowPage {
  prot: number;
  readonly isShared: boolean;
  /** null: private anonymous */
  readonly file: ShadowFile | null;
  /** page of the file */
  readonly index: number;
  /** The process's own bytes; null while it shows zeros, or the file. */
  own: Uint8Array | null;
  dontFork: boolean;
  wipeOnFork: boolean;
  locked: boolean;
}

export type Access = "ok" | "SEGV_MAPERR" | "SEGV_ACCERR" | "BUS_ADRERR";

export class ShadowProcess {
  readonly pages: Map<number, ShadowPage> = new Map();
  /** Pages of heap. */
  heap = 0;

  fork(): ShadowProcess {
    const child = new ShadowProcess();
    child.heap = this.heap;
    for (const [at, page] of this.pages) {
      if (page.dontFork) continue;
      const own = page.wipeOnFork || page.own === null ? null : page.own.slice();
      child.pages.set(at, { ...page, own, locked: false });
    }
    return child;
  }

  /** What an access to page `at` meets; a write that succeeds makes the page the process's own where it is private. */
  access(at: number, write: boolean): Access {
    const page = this.pages.get(at);
    if (page === undefined) return "SEGV_MAPERR";
    const needed = write ? PROT_WRITE : PROT_READ | PROT_WRITE;
    if ((page.prot & needed) === 0) return "SEGV_ACCERR";
    if (page.file !== null && page.own === null && page.index * PAGE_SIZE >= page.file.size)
      return "BUS_ADRERR";
    if (write && !page.isShared) page.own ??= bytesOf(page)?.slice() ?? new Uint8Array(PAGE_SIZE);
    return "ok";
  }

  /** The `n` bytes at `offset` of page `at`, within the page. */
  read(at: number, offset: number, n: number): Uint8Array {
    const page = this.pages.get(at);
    const bytes = page === undefined ? undefined : bytesOf(page);
    return bytes?.slice(offset, offset + n) ?? new Uint8Array(n);
  }

  /** Precondition: access(at, true) was "ok". */
  write(at: number, offset: number, bytes: Uint8Array): void {
    const page = this.pages.get(at);
    const target = page?.own ?? (page?.isShared === true ? page.file?.ownPage(page.index) : undefined);
    if (target === undefined) throw new Error(`shadow page ${at} can't be written`);
    target.set(bytes, offset);
  }

  unmap(from: number, to: number): void {
    for (let at = from; at < to; at++) this.pages.delete(at);
  }

  isFree(from: number, to: number): boolean {
    for (let at = from; at < to; at++) if (this.pages.has(at)) return false;
    return true;
  }
}

/** What a page shows; undefined for zeros. */
export function bytesOf(page: ShadowPage): Uint8Array | undefined {
  return page.own ?? page.file?.page(page.index);
}

/** ftruncate: private copies of what lies past the end go, too (fact 6). */
export function truncateFile(file: ShadowFile, size: number, processes: Iterable<ShadowProcess>): void {
  if (size < file.size) {
    for (const process of processes) {
      for (const page of process.pages.values()) {
        if (page.file === file && page.index >= Math.ceil(size / PAGE_SIZE)) page.own = null;
      }
    }
  }
  file.truncate(size);
}
