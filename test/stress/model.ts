/**
 * What programs must find in memory and files, kept the plain way: a map from page to what it shows for each program, the
 * bytes of each page for each file. Nothing here knows of frames, page tables or swap.
 */
import { PAGE_SIZE, PROT_READ, PROT_WRITE, type Process } from "../../src/mm/index.ts";

const ZEROS = new Uint8Array(PAGE_SIZE);

export class ShadowFile {
  /** As trace events call it; "" for shared anonymous memory. */
  readonly path: string;
  size = 0;
  /** Pages that were ever written; any other is zeros. */
  readonly pages: Map<number, Uint8Array> = new Map();
  /** Pages whose last write to storage failed, and that were not changed since: memory has their bytes, storage not. */
  readonly failed: Set<number> = new Set();

  constructor(path = "", size = 0) {
    this.path = path;
    this.size = size;
  }

  page(index: number): Uint8Array {
    return this.pages.get(index) ?? ZEROS;
  }

  ownPage(index: number): Uint8Array {
    let page = this.pages.get(index);
    if (page === undefined) {
      page = new Uint8Array(PAGE_SIZE);
      this.pages.set(index, page);
    }
    return page;
  }

  truncate(size: number): void {
    for (const index of this.pages.keys()) if (index * PAGE_SIZE >= size) this.pages.delete(index);
    for (const index of this.failed) if (index * PAGE_SIZE >= size) this.failed.delete(index);
    const tail = size % PAGE_SIZE;
    if (size < this.size && tail !== 0) this.pages.get((size - tail) / PAGE_SIZE)?.fill(0, tail);
    this.size = size;
  }
}

/** What one page of a program shows. */
export interface ShadowPage {
  prot: number;
  readonly isShared: boolean;
  /** null: private anonymous */
  readonly file: ShadowFile | null;
  readonly index: number;
  /** The program's own bytes; null while it shows zeros, or the file. */
  own: Uint8Array | null;
  /** Given up by MADV_FREE: its bytes, or zeros. */
  mayBeZero: boolean;
  /** What it holds could not be found out: the next successful read says it. */
  isUnknown: boolean;
  hasGuard: boolean;
  wipeOnFork: boolean;
  dontFork: boolean;
  isLocked: boolean;
}

export interface Program {
  readonly process: Process;
  /** By page number: address / PAGE_SIZE. */
  readonly pages: Map<number, ShadowPage>;
  readonly fds: readonly number[];
}

export function newPage(prot: number, isShared: boolean, file: ShadowFile | null, index: number): ShadowPage {
  return {
    prot,
    isShared,
    file,
    index,
    own: null,
    mayBeZero: false,
    isUnknown: false,
    hasGuard: false,
    wipeOnFork: false,
    dontFork: false,
    isLocked: false,
  };
}

/** What a page shows, as far as that is certain. */
export function contentOf(page: ShadowPage): Uint8Array {
  return page.own ?? page.file?.page(page.index) ?? ZEROS;
}

export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
    const length = Math.min(PAGE_SIZE, bytes.length - at);
    if (Buffer.compare(bytes.subarray(at, at + length), ZEROS.subarray(0, length)) !== 0) return false;
  }
  return true;
}

/** "ok", or the signal that an access must end in. */
export function accessTo(page: ShadowPage | undefined, write: boolean): "ok" | "SEGV" | "BUS" {
  if (page === undefined || page.hasGuard) return "SEGV";
  if ((page.prot & (write ? PROT_WRITE : PROT_READ)) === 0) return "SEGV";
  const isPastEnd = page.file !== null && page.own === null && page.index * PAGE_SIZE >= page.file.size;
  return isPastEnd ? "BUS" : "ok";
}

/** A private page loses its own bytes: it shows zeros, or its file, again. */
export function dropOwn(page: ShadowPage): void {
  if (page.isShared) return;
  page.own = null;
  page.mayBeZero = false;
  page.isUnknown = false;
}

export function forkPages(pages: ReadonlyMap<number, ShadowPage>): Map<number, ShadowPage> {
  const copies = new Map<number, ShadowPage>();
  for (const [vpn, page] of pages) {
    if (page.dontFork) continue;
    const copy = { ...page, own: page.own?.slice() ?? null, isLocked: false };
    if (page.wipeOnFork) {
      // No page table is copied, and so no guard either.
      dropOwn(copy);
      copy.hasGuard = false;
    }
    copies.set(vpn, copy);
  }
  return copies;
}
