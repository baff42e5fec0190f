/**
 * A machine with far too little RAM, random programs on it, and a shadow copy of all that they and its files hold.
 *
 * A step is a number: the seed of all its choices. So a run is a list of numbers, any of which may be left out to find
 * the fewest that still fail (shrink.ts). After each step the validator has proven the kernel's state, the layout of the
 * acting program has been compared, and the bytes of some pages; now and then those of all.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Prng } from "../../src/lib/prng.ts";
import { XA_DIRTY } from "../../src/lib/xarray.ts";
import { PG_ANON } from "../../src/mm/frames/page-flags.ts";
import {
  faultInjection,
  Kernel,
  LinuxError,
  type MemoryCgroup,
  MemoryFault,
  mkswap,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE as P,
  PROT_READ,
  PROT_WRITE,
  type Process,
  tmpFs,
  validate,
} from "../../src/mm/index.ts";
import { isSwapPte, PTE_POISONED, PTE_PRESENT, PTE_SPECIAL } from "../../src/mm/pagetable/pte.ts";
import { swapSpace } from "../../src/mm/swap/swap-space.ts";
import { fdGet } from "../../src/mm/syscalls/fd.ts";
import { ALLOCSTALL, PAGEOUTRUN, PGSCAN_ANON, PGSCAN_FILE } from "../../src/mm/trace/vmstat.ts";
import type { Inode } from "../../src/mm/vfs/inode.ts";
import { VM_LOCKED, VM_MAYSHARE, VM_READ, VM_WRITE } from "../../src/mm/vma/vm-flags.ts";
import { Disk, diskFs } from "../mm/writeback/disk-fs.ts";
import {
  accessTo,
  contentOf,
  forkPages,
  isZero,
  type Program,
  ShadowFile,
  type ShadowPage,
} from "./model.ts";
import { type BreakableDevice, newSwapDevice, type Setup, type SwapArea } from "./setup.ts";

const MAX_PROGRAMS = 4;
/** Pages that are read after each step; and steps between reading all. */
const CHECKED_PAGES = 10;
const STEPS_BETWEEN_CHECKS = 100;
const DISK_FILE_PAGES = 24;
/** Pages of a file that passes by, a few in each step, so that memory is short in every one. */
const STREAM_PAGES_A_STEP = 5;

/** An area, whether it is in use now, and the device that stands for it then. */
interface Area extends SwapArea {
  readonly name: string;
  isOn: boolean;
  device: BreakableDevice | null;
}

/** "ok", or the name of what a call threw. */
export function outcome(call: () => void): string {
  try {
    call();
    return "ok";
  } catch (error) {
    return codeOf(error);
  }
}

/** The answer of a call, or the name of what it threw. */
export function answer(call: () => number): number | string {
  try {
    return call();
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof LinuxError) return error.code;
  if (error instanceof MemoryFault && "code" in error) return String(error.code);
  throw error;
}

export class World {
  readonly kernel: Kernel;
  readonly setup: Setup;
  readonly disk: Disk = new Disk();
  readonly files: ShadowFile[] = [];
  readonly areas: Area[] = [];
  readonly groups: MemoryCgroup[];
  programs: Program[] = [];
  /** The kernel's clock. */
  ns = 0;
  /** A page that had not reached storage was dropped in this step. */
  hasLost = false;
  /** Steps in which reclaim ran. */
  stepsUnderPressure = 0;
  steps = 0;
  readonly #folder: string;
  #swapReadsFailed = false;
  #values = 0;
  /** The page at which the file that passes by was read last. */
  #streamAt = 0;
  readonly #stream: Process;
  readonly #streamFd: number;
  readonly #streamed: Uint8Array = new Uint8Array(STREAM_PAGES_A_STEP * P);
  /** Of the files, in their order. */
  #inodes: (Inode | undefined)[] = [];

  constructor(setup: Setup) {
    this.setup = setup;
    this.#folder = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-stress-"));
    this.kernel = new Kernel({
      ram: setup.frames * P,
      poison: true,
      root: tmpFs({ sizeBytes: setup.tmpfsPages * P }),
      lruPolicy: setup.policy,
      swappiness: setup.swappiness,
      overcommitMemory: setup.overcommit,
      legacyMemcg: setup.legacyMemcg ?? false,
      now: () => this.ns,
      sleep: (ns) => {
        this.ns += ns;
      },
    });
    for (const [index, area] of setup.swap.entries()) {
      const name = area.kind === "guest" ? `/disk/swap${index}` : `/dev/swap${index}`;
      this.areas.push({ ...area, name, isOn: false, device: null });
      if (area.kind === "guest") this.#newSwapFile(`swap${index}`, area.pages);
    }
    const disk = diskFs(this.disk);
    this.kernel.mount("/disk", setup.diskFaults === "" ? disk : faultInjection(disk, setup.diskFaults));
    const { memcg } = this.kernel;
    const outer = memcg.create("outer");
    this.groups = [memcg, outer, outer.create("inner")];
    this.files.push(new ShadowFile("/a"), new ShadowFile("/b"));
    for (const name of ["c", "d"]) {
      const file = new ShadowFile(`/disk/${name}`, DISK_FILE_PAGES * P);
      this.disk.files.set(name, new Uint8Array(file.size));
      this.files.push(file);
    }
    // On a disk of its own, which never fails.
    const streamed = new Disk();
    streamed.files.set("stream", new Uint8Array(setup.frames * 2 * P));
    this.kernel.mount("/stream", diskFs(streamed));
    this.#stream = this.kernel.spawn({ oomScoreAdj: -1000 });
    this.#streamFd = this.#stream.open("/stream/stream", O_RDWR);
    if (this.diskMayFail) this.#watchStorage();
    this.spawn(0, /* oomScoreAdj */ 0);
    for (const area of this.areas) this.swapOn(area);
  }

  // What steps are made of.

  /** A byte pattern of its own; of zeros now and then, which swap does not write. */
  bytes(random: Prng, length: number): Uint8Array {
    const value = ++this.#values;
    const bytes = new Uint8Array(length);
    if (random.below(12) === 0) return bytes;
    for (let at = 0; at < length; at++) bytes[at] = value + (at >> 4) * 7 + (value >> 8) * (at & 1);
    return bytes;
  }

  spawn(group: number, oomScoreAdj: number): void {
    if (this.programs.length >= MAX_PROGRAMS) return;
    const code = outcome(() => {
      const process = this.kernel.spawn({ cgroup: this.groups[group] as MemoryCgroup, oomScoreAdj });
      const fds = this.files.map(({ path: name }) => process.open(name, O_RDWR | O_CREAT, 0o600));
      this.#inodes = fds.map((fd) => fdGet(process, fd)?.inode);
      this.programs.push({ process, pages: new Map(), fds });
    });
    if (code !== "ok" && code !== "ENOMEM") throw new Error(`spawn: ${code}`);
  }

  fork({ process, pages, fds }: Program): void {
    if (this.programs.length >= MAX_PROGRAMS) return;
    const code = outcome(() => {
      const child = process.fork();
      this.programs.push({ process: child, pages: forkPages(pages), fds });
    });
    if (code !== "ok") this.expect(process, code, "ENOMEM");
  }

  exit(program: Program): void {
    program.process.exit();
    this.programs = this.programs.filter((other) => other !== program);
  }

  swapOn(area: Area): void {
    if (area.isOn) return;
    if (area.kind === "guest") {
      const root = this.programs[0]?.process;
      area.isOn = outcome(() => root?.swapon(area.name)) === "ok";
      return;
    }
    const device = newSwapDevice(area, path.join(this.#folder, path.basename(area.name)));
    const priority = area.priority < 0 ? {} : { priority: area.priority };
    const code = outcome(() => this.kernel.swapOn(device, { name: area.name, mkswap: {}, ...priority }));
    area.isOn = code === "ok";
    area.device = area.isOn ? device : null;
    if (!area.isOn) device.close();
  }

  swapOff(area: Area): void {
    if (!area.isOn) return;
    const code =
      area.kind === "guest"
        ? outcome(() => this.programs[0]?.process.swapoff(area.name))
        : outcome(() => this.kernel.swapOff(area.name));
    if (code !== "ok" && code !== "ENOMEM" && !(code === "ESRCH" && area.kind === "guest"))
      throw new Error(`swapoff: ${code}`);
    area.isOn = code !== "ok";
  }

  /** What devices answer from now on: 0 or a negative errno. */
  breakSwap(readError: number, writeError: number): void {
    if (readError !== 0) this.#swapReadsFailed = true;
    for (const { device } of this.areas) {
      if (device === null) continue;
      device.readError = readError;
      device.writeError = writeError;
    }
  }

  /** Finds out whether an access ended as it had to. Answers whether it took place. */
  judge(program: Program, page: ShadowPage | undefined, write: boolean, code: string): boolean {
    const expected = accessTo(page, write);
    if (code === "ok" && expected === "ok") return true;
    if (code.startsWith(expected)) return false;
    if (code === "ENOMEM" || program.process.exitStatus !== null) return false;
    if (code.startsWith("BUS") && page !== undefined && expected === "ok" && this.#mayBeLost(page))
      return false;
    throw new Error(`an access ends in ${code}, not ${expected}`);
  }

  /** Stores bytes within one page. Answers whether that went. */
  store(program: Program, vpn: number, offset: number, bytes: Uint8Array): boolean {
    const page = program.pages.get(vpn);
    const code = outcome(() => program.process.writeBytes(vpn * P + offset, bytes));
    if (!this.judge(program, page, true, code) || page === undefined) return false;
    this.applyStore(program, vpn, offset, bytes);
    return true;
  }

  /** The bytes were stored. */
  applyStore(program: Program, vpn: number, offset: number, bytes: Uint8Array): void {
    const page = program.pages.get(vpn);
    if (page === undefined) throw new Error("a store to what is not mapped went well");
    if (page.isShared && page.file !== null) {
      page.file.ownPage(page.index).set(bytes, offset);
      return;
    }
    page.own ??= contentOf(page).slice();
    page.own.set(bytes, offset);
    if (!page.mayBeZero) return;
    // Whether the rest is still there shows now, and stays.
    page.mayBeZero = false;
    const found = this.#tryRead(program, vpn);
    if (found === null || page.isUnknown) {
      page.isUnknown = true;
      return;
    }
    if (Buffer.compare(found, page.own) === 0) return;
    page.own.fill(0).set(bytes, offset);
    if (Buffer.compare(found, page.own) !== 0) throw new Error(`page ${vpn.toString(16)} is half given up`);
  }

  /** Reads a page, and compares it. */
  check(program: Program, vpn: number): void {
    const page = program.pages.get(vpn);
    let bytes: Uint8Array = this.#streamed;
    const code = outcome(() => {
      bytes = program.process.view(vpn * P, P);
    });
    if (!this.judge(program, page, false, code) || page === undefined) return;
    this.compare(page, bytes, `page ${vpn.toString(16)} of ${program.process.pid}`);
  }

  /** Bytes that were read from a page, as a whole. */
  compare(page: ShadowPage, bytes: Uint8Array, name: string): void {
    const expected = contentOf(page);
    if (page.isUnknown) {
      page.own = bytes.slice();
      page.isUnknown = false;
      page.mayBeZero = false;
    } else if (Buffer.compare(bytes, expected) !== 0) {
      if (page.mayBeZero && isZero(bytes)) {
        page.own = null;
        page.mayBeZero = false;
        return;
      }
      const at = bytes.findIndex((byte, offset) => byte !== expected[offset]);
      throw new Error(`byte ${at} of ${name} is ${bytes[at]}, not ${expected[at]}`);
    }
  }

  /** A call did not do what it was asked for: only want of memory explains that, or one of the reasons given. */
  expect(process: Process, code: string, ...allowed: readonly string[]): void {
    if (code === "ok" || code === "ENOMEM" || allowed.includes(code)) return;
    if (process.exitStatus !== null) return;
    throw new Error(`a call answers ${code}`);
  }

  /** The first word of a page's PTE, 0 for none. */
  pteOf({ mm }: Process, vpn: number): number {
    const pte = mm.pageTable.walk(vpn * P);
    return pte === 0 ? 0 : (mm.phys.ram.u32[pte] as number);
  }

  /** fsync or msync said that all of the file's pages first … last are in storage. */
  checkAcknowledged(file: ShadowFile, first: number, last: number): void {
    if (!this.isOnDisk(file)) return;
    const bytes = this.disk.bytes(path.basename(file.path));
    for (let index = first; index <= last && index * P < file.size; index++) {
      if (file.failed.has(index)) continue;
      const stored = bytes.subarray(index * P, (index + 1) * P);
      const isThere =
        stored.length === 0 ? isZero(file.page(index)) : Buffer.compare(stored, file.page(index)) === 0;
      if (!isThere) throw new Error(`page ${index} of ${file.path} was acknowledged, and is not in storage`);
    }
  }

  isOnDisk(file: ShadowFile | null): boolean {
    return file?.path.startsWith("/disk/") === true;
  }

  get diskMayFail(): boolean {
    return this.setup.diskFaults !== "";
  }

  /** Takes over the size that the file has: a write that copied nothing may have made it longer all the same. */
  noteSize(file: ShadowFile): void {
    file.size = Math.max(file.size, this.#inodes[this.files.indexOf(file)]?.size ?? 0);
  }

  // What is proven after each step.

  /** Runs one step. */
  run(step: number, perform: (world: World, program: Program, random: Prng) => void): void {
    const random = new Prng(step);
    const { stat } = this.kernel.phys;
    const before = this.#reclaims();
    this.hasLost = false;
    this.ns += 1e6;
    this.#passBy();
    this.#bury();
    const program = this.programs[random.below(this.programs.length)];
    // Not even a process finds memory now: whoever locks it has to go first.
    if (program === undefined) return;
    try {
      perform(this, program, random);
    } catch (error) {
      // Chosen to go for want of memory, it ends at its next call, whichever that is.
      const isGone =
        error instanceof LinuxError && error.code === "ESRCH" && program.process.exitStatus !== null;
      if (!isGone) throw error;
    }
    this.#noteCopies();
    this.#noteRewritten();
    this.#bury();
    if (this.programs.includes(program)) this.#checkLayout(program);
    this.#validate();
    this.steps++;
    if (this.steps % STEPS_BETWEEN_CHECKS === 0) this.checkAll();
    else for (let n = 0; n < CHECKED_PAGES; n++) this.#checkSome(random);
    this.#noteCopies();
    this.#bury();
    if (this.#reclaims() !== before) this.stepsUnderPressure++;
    if (stat.some((count) => count < 0)) throw new Error("a counter is negative");
  }

  checkAll(): void {
    for (const program of this.programs) {
      for (const vpn of program.pages.keys()) this.check(program, vpn);
      this.#noteCopies();
      if (program.process.exitStatus === null) this.#checkLayout(program);
    }
    this.#validate();
  }

  /** Compares all, writes all to storage, ends all, and finds nothing left in use. */
  finish(): void {
    this.breakSwap(0, 0);
    this.checkAll();
    this.#bury();
    const [program] = this.programs;
    for (const [i, file] of this.files.entries()) {
      const code = outcome(() => program?.process.fsync(program.fds[i] as number));
      if (code === "ok") this.checkAcknowledged(file, 0, Number.POSITIVE_INFINITY);
      else if (!this.diskMayFail) this.expect(program?.process as Process, code);
    }
    for (const { process } of this.programs) process.exit();
    this.#stream.exit();
    this.programs = [];
    // What comes back from swap is charged to whose it was: a group that is full would keep it there.
    for (const group of this.groups.slice(1)) group.max = Number.POSITIVE_INFINITY;
    for (const area of this.areas) if (area.isOn && area.kind !== "guest") this.kernel.swapOff(area.name);
    this.#validate();
  }

  dispose(): void {
    for (const { device } of swapSpace(this.kernel.phys).list()) device.close?.();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Grows whenever reclaim runs, whether there is anything for it to look at or not. */
  #reclaims(): number {
    const { stat } = this.kernel.phys;
    return stat[PGSCAN_ANON] + stat[PGSCAN_FILE] + stat[PAGEOUTRUN] + stat[ALLOCSTALL];
  }

  /** Reads some more of the file that nobody needs, until memory is short. */
  #passBy(): void {
    const { setup } = this;
    const before = this.#reclaims();
    for (let read = 0; read < setup.frames && this.#reclaims() === before; read += STREAM_PAGES_A_STEP) {
      this.#streamAt += STREAM_PAGES_A_STEP;
      const at = this.#streamAt % (setup.frames * 2 - STREAM_PAGES_A_STEP);
      const code = outcome(() => this.#stream.pread(this.#streamFd, this.#streamed, undefined, at * P));
      if (code === "ENOMEM") return;
      if (code !== "ok") throw new Error(`a read answers ${code}`);
      if (!isZero(this.#streamed)) throw new Error("the file that passes by is not zeros");
    }
  }

  #validate(): void {
    const findings = validate(this.kernel);
    if (findings.length > 0) throw new Error(findings.join("\n"));
  }

  #checkSome(random: Prng): void {
    const program = this.programs[random.below(this.programs.length)];
    if (program === undefined || program.pages.size === 0) return;
    let left = random.below(program.pages.size);
    for (const vpn of program.pages.keys()) {
      if (left-- === 0) {
        this.check(program, vpn);
        return;
      }
    }
  }

  /** Who was killed because memory was out is gone; somebody has to be there. */
  #bury(): void {
    this.programs = this.programs.filter(({ process }) => process.exitStatus === null);
    if (this.programs.length === 0) this.spawn(0, 0);
  }

  /** The mappings are the same pages, with the same rights; what is locked, only the kernel knows. */
  #checkLayout({ process, pages }: Program): void {
    let mapped = 0;
    for (const vma of process.mm.vmas) {
      const prot =
        ((vma.flags & VM_READ) !== 0 ? PROT_READ : 0) | ((vma.flags & VM_WRITE) !== 0 ? PROT_WRITE : 0);
      const isShared = (vma.flags & VM_MAYSHARE) !== 0;
      const isLocked = (vma.flags & VM_LOCKED) !== 0;
      for (let vpn = vma.start / P; vpn < vma.end / P; vpn++, mapped++) {
        const page = pages.get(vpn);
        if (page === undefined) throw new Error(`page ${vpn.toString(16)} of ${process.pid} is mapped`);
        if (page.prot !== prot || page.isShared !== isShared)
          throw new Error(
            `page ${vpn.toString(16)} of ${process.pid} has protection ${prot}, not ${page.prot}`,
          );
        page.isLocked = isLocked;
      }
    }
    if (mapped !== pages.size) throw new Error(`${process.pid} maps ${mapped} pages, not ${pages.size}`);
  }

  /** A call failed half-way: what it has unmapped and protected until then, the kernel knows. */
  syncLayout({ process, pages }: Program): void {
    for (const [vpn, page] of pages) {
      const vma = process.mm.vmas.lookup(vpn * P);
      if (vma === null) pages.delete(vpn);
      else
        page.prot =
          ((vma.flags & VM_READ) !== 0 ? PROT_READ : 0) | ((vma.flags & VM_WRITE) !== 0 ? PROT_WRITE : 0);
    }
  }

  /** Who populates, locks or copies makes private copies of pages of files: as many as there is room for. */
  #noteCopies(): void {
    for (const { process, pages } of this.programs) {
      for (const [vpn, page] of pages) {
        if (page.isShared || page.file === null || page.own !== null) continue;
        if (!hasAnonPage(process, vpn * P)) continue;
        page.own = page.file.page(page.index).slice();
        page.isUnknown = this.hasLost;
      }
    }
  }

  /** A page that is dirty again has all of its content yet to write, also what failed before. */
  #noteRewritten(): void {
    for (const file of this.files) {
      const pages = this.disk.mappings.get(path.basename(file.path))?.pages;
      for (const index of file.failed) if (pages?.getTag(index, XA_DIRTY) === true) file.failed.delete(index);
    }
  }

  /** Null where that can't be had now. */
  #tryRead({ process }: Program, vpn: number): Uint8Array | null {
    let bytes: Uint8Array | null = null;
    const code = outcome(() => {
      bytes = process.readBytes(vpn * P, P);
    });
    return code === "ok" ? bytes : null;
  }

  /** Whether an access to a page may be a SIGBUS, though it is mapped. */
  #mayBeLost(page: ShadowPage): boolean {
    if (this.#swapReadsFailed) return true;
    // A swap file on a disk that fails is one that fails.
    if (this.diskMayFail && this.areas.some(({ kind }) => kind === "guest")) return true;
    if (page.file === null) return false;
    if (this.isOnDisk(page.file)) return page.own === null && this.diskMayFail;
    // A full tmpfs.
    return page.own === null && !page.file.pages.has(page.index) && page.file.path !== "";
  }

  #watchStorage(): void {
    this.kernel.tracer.subscribe((event) => {
      if (event.type !== "io-error" && event.type !== "drop") return;
      const file = this.files.find(({ path: name }) => name === event.path);
      if (file === undefined || !this.isOnDisk(file)) return;
      if (event.type === "io-error") {
        if (event.op === "write") file.failed.add(event.index);
      } else if (file.failed.delete(event.index)) {
        // It was told of, and it is clean: who reads it gets what storage has.
        this.hasLost = true;
        const bytes = this.disk.bytes(path.basename(file.path));
        const page = file.ownPage(event.index).fill(0);
        page.set(bytes.subarray(event.index * P, (event.index + 1) * P));
      }
    });
  }

  #newSwapFile(name: string, pages: number): void {
    const bytes = new Uint8Array(pages * P);
    bytes.set(mkswap(pages));
    this.disk.files.set(name, bytes);
  }
}

function hasAnonPage({ mm }: Process, addr: number): boolean {
  const { u32 } = mm.phys.ram;
  const pte = mm.pageTable.walk(addr);
  if (pte === 0 || u32[pte] === 0) return false;
  const word = u32[pte] as number;
  if ((word & PTE_PRESENT) === 0) return isSwapPte(word) || word === PTE_POISONED;
  if ((word & PTE_SPECIAL) !== 0) return false;
  return ((mm.phys.frames.flags[u32[pte + 1] as number] as number) & PG_ANON) !== 0;
}
