/** Random steps (random-steps.ts) on a kernel and on the shadow model side by side: after each, the two must agree. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { PG_ANON } from "../../../src/mm/frames/page-flags.ts";
import {
  Kernel,
  LinuxError,
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_KEEPONFORK,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_WIPEONFORK,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_LOCKED,
  MAP_PRIVATE,
  MAP_SHARED,
  MemoryFault,
  MPOL_DEFAULT,
  MPOL_MF_MOVE_ALL,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MS_ASYNC,
  MS_SYNC,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE as P,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  type Process,
  validate,
} from "../../../src/mm/index.ts";
import { PTE_PRESENT, PTE_SPECIAL } from "../../../src/mm/pagetable/pte.ts";
import { VM_EXEC, VM_LOCKED, VM_MAYSHARE, VM_READ, VM_WRITE } from "../../../src/mm/vma/vm-flags.ts";
import { nodeFs } from "../../../src/storage/node/index.ts";
import { HEAP, MAX_PROCESSES, PRELUDE, type Step, TMPFS_PAGES, WINDOW } from "./random-steps.ts";
import { ShadowFile, type ShadowPage, ShadowProcess, truncateFile } from "./shadow-model.ts";

interface Pair {
  readonly process: Process;
  readonly shadow: ShadowProcess;
}

interface OpenFile {
  readonly fd: number;
  readonly shadow: ShadowFile;
  /** On the real file system, where sizes stay whole pages: what lies past the end there is not ours to predict. */
  readonly realPath: string | null;
}

/** A failed call by the name of its error; the answer of one that did not fail. */
function attempt<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    if (error instanceof LinuxError) return error.code;
    if (error instanceof MemoryFault && "code" in error) return String(error.code);
    throw error;
  }
}

export class World {
  readonly kernel: Kernel;
  /** RAM is so small that anything may run out of it: then a call may fail with ENOMEM, and must have changed nothing. */
  readonly isTiny: boolean;
  readonly base: number;
  #pairs: Pair[];
  readonly #files: OpenFile[];
  readonly #directory: string;

  constructor(frames: number, isTiny: boolean) {
    this.isTiny = isTiny;
    this.#directory = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-random-"));
    this.kernel = new Kernel({ ram: frames * P, poison: true });
    this.kernel.mount("/disk", nodeFs(this.#directory));
    // Where everything fails at times, nobody is to die for it.
    const process = this.kernel.spawn({ oomScoreAdj: -1000 });
    const { mm } = process;
    mm.mmapBase = 0x20_0000_0000 + (WINDOW / 2) * P;
    this.base = mm.mmapBase - WINDOW * P;
    mm.startBrk = this.base - HEAP * P;
    mm.brk = mm.startBrk;
    this.#pairs = [{ process, shadow: new ShadowProcess() }];
    this.#files = ["/a", "/b", "/disk/c", "/disk/d"].map((name) => ({
      fd: process.open(name, O_RDWR | O_CREAT, 0o644),
      shadow: new ShadowFile(),
      realPath: name.startsWith("/disk/") ? path.join(this.#directory, name.slice(6)) : null,
    }));
    for (const step of PRELUDE) this.run(step);
  }

  /** Runs one step on both. Throws with what differs. */
  run(step: Step): void {
    this.#perform(step);
    this.#checkLayout();
    const findings = validate(this.kernel);
    if (findings.length > 0) throw new Error(findings.join("\n"));
  }

  /** Compares every byte of every process and every file, then ends all processes, and finds no frame in use. */
  finish(): void {
    for (const pair of this.#pairs) {
      for (const at of pair.shadow.pages.keys()) this.#comparePage(pair, at);
    }
    this.#checkFiles();
    for (const { process } of this.#pairs) process.exit();
    const findings = validate(this.kernel);
    const { stat } = this.kernel.phys;
    if (this.kernel.phys.owners.size > 8) findings.push(`${this.kernel.phys.owners.size} owners are left`);
    if (stat.some((count) => count < 0)) findings.push("a counter is negative");
    if (findings.length > 0) throw new Error(findings.join("\n"));
  }

  /** Gives the files back. */
  dispose(): void {
    for (const { process } of this.#pairs) process.exit();
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }

  #pair(who: number): Pair {
    return this.#pairs[who % this.#pairs.length];
  }

  #addr(at: number): number {
    return this.base + at * P;
  }

  #perform(step: Step): void {
    switch (step.op) {
      case "mmap":
        this.#mmap(step);
        return;
      case "munmap": {
        const { process, shadow } = this.#pair(step.who);
        this.#expect(
          attempt(() => process.munmap(this.#addr(step.at), step.len * P)),
          undefined,
        );
        shadow.unmap(step.at, step.at + step.len);
        return;
      }
      case "mprotect":
        this.#mprotect(step);
        return;
      case "mremap":
        this.#mremap(step);
        return;
      case "brk":
        this.#brk(step);
        return;
      case "madvise":
        this.#madvise(step);
        return;
      case "migrate": {
        const { process, shadow } = this.#pair(step.who);
        const [from, bytes] = [this.#addr(step.at), step.len * P];
        const result = attempt(() => process.mbind(from, bytes, MPOL_DEFAULT, [], MPOL_MF_MOVE_ALL));
        const isHole = pagesOf(shadow, step.at, step.at + step.len).every((page) => page === undefined);
        this.#expect(result, isHole ? "EFAULT" : undefined);
        return;
      }
      case "msync": {
        const { process, shadow } = this.#pair(step.who);
        const flags = step.isAsync ? MS_ASYNC : MS_SYNC;
        const result = attempt(() => process.msync(this.#addr(step.at), step.len * P, flags));
        this.#expect(result, allMapped(shadow, step.at, step.at + step.len) ? undefined : "ENOMEM");
        return;
      }
      case "fork": {
        if (this.#pairs.length === MAX_PROCESSES) return;
        const { process, shadow } = this.#pair(step.who);
        const child = attempt(() => process.fork());
        if (typeof child === "string") {
          this.#expectOom(child);
          return;
        }
        this.#pairs.push({ process: child, shadow: shadow.fork() });
        return;
      }
      case "exit": {
        if (this.#pairs.length === 1) return;
        const pair = this.#pair(step.who);
        pair.process.exit();
        this.#pairs = this.#pairs.filter((other) => other !== pair);
        return;
      }
      case "load":
        this.#load(step);
        return;
      case "store":
        this.#store(step);
        return;
      case "touch":
        this.#touch(step);
        return;
      case "pread":
      case "pwrite":
        this.#transfer(step);
        return;
      case "ftruncate": {
        const { fd, shadow, realPath } = this.#files[step.file];
        const size = realPath === null ? step.size % (TMPFS_PAGES * P) : step.size - (step.size % P);
        const result = attempt(() => this.#pairs[0]?.process.ftruncate(fd, size));
        if (result === "ENOMEM") {
          this.#expectOom(result);
          return;
        }
        this.#expect(result, undefined);
        truncateFile(
          shadow,
          size,
          this.#pairs.map((pair) => pair.shadow),
        );
        return;
      }
      case "fsync":
        this.#expect(
          attempt(() => this.#pairs[0]?.process.fsync(this.#files[step.file].fd)),
          undefined,
        );
        return;
    }
  }

  #mmap(step: Extract<Step, { op: "mmap" }>): void {
    const { process, shadow } = this.#pair(step.who);
    const isFile = step.type.endsWith("-file");
    const isShared = step.type.startsWith("shared");
    const mapped = this.#files[step.file];
    const place = { fixed: MAP_FIXED, noreplace: MAP_FIXED_NOREPLACE, hint: 0, any: 0 }[step.place];
    const flags = (isShared ? MAP_SHARED : MAP_PRIVATE) | (isFile ? 0 : MAP_ANONYMOUS) | place | step.extra;
    const hint = step.place === "any" ? 0 : this.#addr(step.at);
    const free = shadow.isFree(step.at, step.at + step.len);
    const result = attempt(() =>
      process.mmap(
        hint,
        step.len * P,
        step.prot,
        flags,
        isFile ? mapped.fd : -1,
        isFile ? step.fileAt * P : 0,
      ),
    );
    if (step.place === "noreplace" && !free) {
      this.#expect(result, "EEXIST");
      return;
    }
    if (typeof result === "string") {
      this.#expectOom(result);
      return;
    }
    const at = (result - this.base) / P;
    if (place !== 0 && at !== step.at) throw new Error(`mmap at ${step.at} answered ${at}`);
    if (step.place === "hint" && free && at !== step.at)
      throw new Error(`the hint ${step.at} was free, not ${at}`);
    if (step.place !== "fixed" && !shadow.isFree(at, at + step.len))
      throw new Error(`mmap chose ${at}, in use`);
    let file: ShadowFile | null = isFile ? mapped.shadow : null;
    if (!isFile && isShared) {
      file = new ShadowFile();
      file.size = step.len * P;
    }
    for (let page = 0; page < step.len; page++) {
      shadow.pages.set(at + page, {
        prot: step.prot,
        isShared,
        file,
        index: isFile ? step.fileAt + page : page,
        own: null,
        dontFork: false,
        wipeOnFork: false,
        locked: step.extra === MAP_LOCKED,
      });
    }
    this.#noteCopies();
  }

  #mprotect(step: Extract<Step, { op: "mprotect" }>): void {
    const { process, shadow } = this.#pair(step.who);
    const result = attempt(() => process.mprotect(this.#addr(step.at), step.len * P, step.prot));
    let at = step.at;
    // Up to the first hole all is changed, from there on nothing (fact 1).
    for (; at < step.at + step.len; at++) {
      const page = shadow.pages.get(at);
      if (page === undefined) break;
      page.prot = step.prot;
    }
    this.#expect(result, at < step.at + step.len ? "ENOMEM" : undefined);
    this.#noteCopies();
  }

  #mremap(step: Extract<Step, { op: "mremap" }>): void {
    const { process, shadow } = this.#pair(step.who);
    const newLen = step.newLen ?? step.len;
    const isFixed = (step.mode & MREMAP_FIXED) !== 0;
    const dontUnmap = (step.mode & MREMAP_DONTUNMAP) !== 0;
    const source = pagesOf(shadow, step.at, step.at + step.len);
    // All of a mapping is unlocked then, and where it ends only the kernel knows.
    if (dontUnmap && source.some((page) => page?.locked === true)) return;
    // Half of such a move may be done when memory runs out.
    if (this.isTiny && isFixed && countVmas(process, this.#addr(step.at), this.#addr(step.at + step.len)) > 1)
      return;
    const result = attempt(() =>
      process.mremap(this.#addr(step.at), step.len * P, newLen * P, step.mode, this.#addr(step.to)),
    );
    if (typeof result === "string") {
      // A failed move has unmapped its destination, and the tail that it was to lose (fact 4).
      if (result === "EINVAL" || !isFixed) return;
      this.#noteUnmapped(process, shadow, step.to, step.to + newLen);
      this.#noteUnmapped(process, shadow, step.at + newLen, step.at + step.len);
      return;
    }
    const to = (result - this.base) / P;
    if (isFixed && to !== step.to) throw new Error(`mremap to ${step.to} answered ${to}`);
    // What lies in the way goes; but a move of several mappings leaves alone what its gaps would cover (seen on 6.18).
    for (let page = 0; isFixed && page < newLen; page++) {
      if (newLen !== step.len || source[page] !== undefined) shadow.pages.delete(to + page);
    }
    if (step.len === 0) {
      const [first] = pagesOf(shadow, step.at, step.at + 1);
      if (first?.isShared !== true) throw new Error("mremap of length 0 of a private mapping");
      for (let page = 0; page < newLen; page++)
        shadow.pages.set(to + page, { ...first, index: first.index + page });
      return;
    }
    const moved = source.map((page) => page && { ...page });
    if (dontUnmap) for (const page of source) if (page !== undefined) page.own = null;
    if (!dontUnmap) shadow.unmap(step.at, step.at + step.len);
    let last: ShadowPage | undefined;
    for (let page = 0; page < newLen; page++) {
      const one: ShadowPage | undefined =
        page < moved.length ? moved[page] : last && { ...last, index: last.index + 1, own: null };
      if (one !== undefined && shadow.pages.has(to + page))
        throw new Error(`mremap moved over page ${to + page}`);
      if (one !== undefined) shadow.pages.set(to + page, one);
      last = one;
    }
    this.#noteCopies();
  }

  #brk(step: Extract<Step, { op: "brk" }>): void {
    const { process, shadow } = this.#pair(step.who);
    const wanted = this.#addr(step.pages - HEAP);
    const before = shadow.heap;
    const result = process.brk(wanted);
    if (result !== wanted) {
      if (result !== this.#addr(before - HEAP)) throw new Error("brk failed, and moved");
      const room = shadow.isFree(before - HEAP, step.pages - HEAP + 1);
      if (step.pages > before && room && !this.isTiny) throw new Error("brk failed with room above");
      return;
    }
    shadow.heap = step.pages;
    if (step.pages < before) {
      shadow.unmap(step.pages - HEAP, before - HEAP);
      return;
    }
    for (let page = before; page < step.pages; page++) {
      if (shadow.pages.has(page - HEAP)) throw new Error(`brk grew over page ${page - HEAP}`);
      shadow.pages.set(page - HEAP, {
        prot: PROT_READ | PROT_WRITE,
        isShared: false,
        file: null,
        index: 0,
        own: null,
        dontFork: false,
        wipeOnFork: false,
        locked: false,
      });
    }
  }

  #madvise(step: Extract<Step, { op: "madvise" }>): void {
    const { process, shadow } = this.#pair(step.who);
    const result = attempt(() => process.madvise(this.#addr(step.at), step.len * P, step.advice));
    const { advice } = step;
    if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE) {
      this.#noteCopies();
      this.#expect(result, this.#populated(shadow, step));
      return;
    }
    let expected: string | undefined;
    for (const page of pagesOf(shadow, step.at, step.at + step.len)) {
      if (page === undefined) {
        expected = "ENOMEM";
        continue;
      }
      if (advice === MADV_DONTNEED && page.locked) expected = "EINVAL";
      if (advice === MADV_WIPEONFORK && page.file !== null) expected = "EINVAL";
      if (expected === "EINVAL") break;
      if (advice === MADV_DONTNEED) page.own = null;
      if (advice === MADV_DONTFORK) page.dontFork = true;
      if (advice === MADV_DOFORK) page.dontFork = false;
      if (advice === MADV_WIPEONFORK) page.wipeOnFork = true;
      if (advice === MADV_KEEPONFORK) page.wipeOnFork = false;
    }
    this.#expect(result, expected);
  }

  /** What populating answers: the first page that stands in its way decides. */
  #populated(shadow: ShadowProcess, step: Extract<Step, { op: "madvise" }>): string | undefined {
    const needed = step.advice === MADV_POPULATE_WRITE ? PROT_WRITE : PROT_READ;
    for (const page of pagesOf(shadow, step.at, step.at + step.len)) {
      if (page === undefined) return "ENOMEM";
      if ((page.prot & needed) === 0) return "EINVAL";
      if (page.file !== null && page.own === null && page.index * P >= page.file.size) return "EFAULT";
    }
    return undefined;
  }

  #load(step: Extract<Step, { op: "load" }>): void {
    const { process, shadow } = this.#pair(step.who);
    const result = attempt(() => process.loadU32(this.#addr(step.at) + step.offset));
    const head = Math.min(4, P - step.offset);
    let expected: string | number = shadow.access(step.at, false);
    if (expected === "ok" && head < 4) expected = shadow.access(step.at + 1, false);
    if (expected === "ok") {
      const bytes = new Uint8Array(4);
      bytes.set(shadow.read(step.at, step.offset, head));
      bytes.set(shadow.read(step.at + 1, 0, 4 - head), head);
      expected = new DataView(bytes.buffer).getUint32(0, true);
    }
    this.#expect(result, expected);
  }

  #store(step: Extract<Step, { op: "store" }>): void {
    const { process, shadow } = this.#pair(step.who);
    const head = Math.min(4, P - step.offset);
    const result = attempt(() => process.storeU32(this.#addr(step.at) + step.offset, step.value));
    if (this.isTiny && result === "ENOMEM") {
      this.#noteCopies();
      return;
    }
    let expected: string | undefined = shadow.access(step.at, true);
    if (expected === "ok" && head < 4) expected = shadow.access(step.at + 1, true);
    if (expected !== "ok") {
      this.#expect(result, expected);
      return;
    }
    this.#expect(result, undefined);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, step.value, true);
    shadow.write(step.at, step.offset, bytes.subarray(0, head));
    if (head < 4) shadow.write(step.at + 1, 0, bytes.subarray(head));
  }

  #touch(step: Extract<Step, { op: "touch" }>): void {
    const { process, shadow } = this.#pair(step.who);
    for (let at = step.at; at < step.at + step.len; at++) {
      const addr = this.#addr(at) + step.value;
      if (step.write) {
        const result = attempt(() => process.storeU8(addr, step.value));
        if (this.isTiny && result === "ENOMEM") continue;
        const expected = shadow.access(at, true);
        this.#expect(result, expected === "ok" ? undefined : expected);
        if (expected === "ok") shadow.write(at, step.value, new Uint8Array([step.value]));
      } else {
        const expected = shadow.access(at, false);
        const byte = shadow.read(at, step.value, 1)[0];
        this.#expect(
          attempt(() => process.loadU8(addr)),
          expected === "ok" ? byte : expected,
        );
      }
    }
  }

  /** pread into memory, or pwrite from it: piece by piece, since memory may be a mapping of the very file. */
  #transfer(step: Extract<Step, { op: "pread" | "pwrite" }>): void {
    const { process, shadow } = this.#pair(step.who);
    const { fd, shadow: file, realPath } = this.#files[step.file];
    const isRead = step.op === "pread";
    const pos = realPath === null ? step.pos % (TMPFS_PAGES * P) : Math.min(step.pos, file.size);
    let count = step.count;
    if (isRead || realPath !== null) count = Math.max(0, Math.min(count, file.size - pos));
    const start = this.#addr(step.at) + step.offset;
    const result = attempt(() =>
      isRead ? process.pread(fd, start, count, pos) : process.pwrite(fd, start, count, pos),
    );
    const limit = this.isTiny ? (typeof result === "number" ? result : 0) : count;
    let done = 0;
    while (done < limit) {
      const at = step.at + Math.floor((step.offset + done) / P);
      const offset = (step.offset + done) % P;
      const index = Math.floor((pos + done) / P);
      const within = (pos + done) % P;
      const n = Math.min(P - offset, P - within, limit - done);
      if (shadow.access(at, isRead) !== "ok") break;
      if (isRead) {
        shadow.write(at, offset, file.page(index)?.slice(within, within + n) ?? new Uint8Array(n));
      } else {
        const bytes = shadow.read(at, offset, n);
        file.ownPage(index).set(bytes, within);
      }
      done += n;
    }
    // A write whose source is bad at once makes the file longer, up to where it would have begun (seen on 6.18).
    if (!isRead && count > 0 && result !== "ENOMEM") file.size = Math.max(file.size, pos + done);
    if (this.isTiny && (typeof result === "string" || result === done)) {
      this.#noteCopies();
      return;
    }
    this.#expect(result, done === 0 && count > 0 ? "EFAULT" : done);
  }

  /** Compares all bytes of a page; one that can't be had for want of memory proves nothing. */
  #comparePage({ process, shadow }: Pair, at: number): void {
    if (shadow.access(at, false) !== "ok") return;
    const bytes = attempt(() => process.readBytes(this.#addr(at), P));
    if (typeof bytes === "string") {
      this.#expectOom(bytes);
      return;
    }
    const expected = shadow.read(at, 0, P);
    const differs = bytes.findIndex((byte, offset) => byte !== expected[offset]);
    if (differs >= 0) {
      throw new Error(`page ${at} byte ${differs}: ${bytes[differs]} instead of ${expected[differs]}`);
    }
  }

  #checkFiles(): void {
    const { process } = this.#pairs[0];
    for (const { fd, shadow, realPath } of this.#files) {
      if (process.fstat(fd).size !== shadow.size)
        throw new Error(`size ${process.fstat(fd).size}, not ${shadow.size}`);
      const expected = new Uint8Array(shadow.size);
      for (const [index, page] of shadow.pages) {
        if (index * P < shadow.size) expected.set(page.subarray(0, shadow.size - index * P), index * P);
      }
      const bytes = new Uint8Array(shadow.size);
      const got = attempt(() => process.pread(fd, bytes, shadow.size, 0));
      if (got === "ENOMEM" || (this.isTiny && got !== shadow.size)) this.#expectOom("ENOMEM");
      else if (Buffer.compare(bytes, expected) !== 0) throw new Error(`the bytes of file ${fd} differ`);
      if (realPath === null) continue;
      process.fsync(fd);
      if (Buffer.compare(fs.readFileSync(realPath), expected) !== 0)
        throw new Error(`${realPath} on disk differs`);
    }
  }

  /** Mappings: the same pages, with the same rights. */
  #checkLayout(): void {
    for (const [number, { process, shadow }] of this.#pairs.entries()) {
      let pages = 0;
      for (const vma of process.mm.vmas) {
        for (let addr = vma.start; addr < vma.end; addr += P, pages++) {
          const at = (addr - this.base) / P;
          const page = shadow.pages.get(at);
          const name = `process ${number} page ${at}`;
          if (page === undefined) throw new Error(`${name} is mapped`);
          const prot =
            ((vma.flags & VM_READ) !== 0 ? PROT_READ : 0) |
            ((vma.flags & VM_WRITE) !== 0 ? PROT_WRITE : 0) |
            ((vma.flags & VM_EXEC) !== 0 ? PROT_EXEC : 0);
          if (prot !== page.prot) throw new Error(`${name} has protection ${prot}, not ${page.prot}`);
          if (((vma.flags & VM_MAYSHARE) !== 0) !== page.isShared)
            throw new Error(`${name} is of another type`);
          if (((vma.flags & VM_LOCKED) !== 0) !== page.locked) throw new Error(`${name} is locked otherwise`);
        }
      }
      if (pages !== shadow.pages.size)
        throw new Error(`process ${number} maps ${pages}, not ${shadow.pages.size}`);
    }
  }

  /**
   * Populating makes copies of private file pages: which, depends on the room. Where the kernel has made one, it must
   * hold what the file held.
   */
  #noteCopies(): void {
    for (const { process, shadow } of this.#pairs) {
      for (const [at, page] of shadow.pages) {
        if (page.file === null || page.isShared || page.own !== null) continue;
        if (hasAnonPage(process, this.#addr(at)))
          page.own = page.file.page(page.index)?.slice() ?? new Uint8Array(P);
      }
    }
  }

  #noteUnmapped(process: Process, shadow: ShadowProcess, from: number, to: number): void {
    for (let at = from; at < to; at++)
      if (process.mm.vmas.lookup(this.#addr(at)) === null) shadow.pages.delete(at);
  }

  #expect(result: unknown, expected: unknown): void {
    if (result === expected) return;
    if (result === "ENOMEM" && this.isTiny) return;
    throw new Error(`${String(result)} instead of ${String(expected)}`);
  }

  #expectOom(error: string): void {
    if (!this.isTiny || error !== "ENOMEM") throw new Error(error);
  }
}

function pagesOf(shadow: ShadowProcess, from: number, to: number): (ShadowPage | undefined)[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, page) => shadow.pages.get(from + page));
}

function allMapped(shadow: ShadowProcess, from: number, to: number): boolean {
  return !pagesOf(shadow, from, to).includes(undefined);
}

function countVmas({ mm }: Process, start: number, end: number): number {
  let count = 0;
  for (let vma = mm.vmas.find(start); vma !== null && vma.start < end; vma = vma.next) count++;
  return count;
}

function hasAnonPage({ mm }: Process, addr: number): boolean {
  const { u32 } = mm.phys.ram;
  const pte = mm.pageTable.walk(addr);
  if (pte === 0 || (u32[pte] & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) return false;
  return (mm.phys.frames.flags[u32[pte + 1]] & PG_ANON) !== 0;
}
