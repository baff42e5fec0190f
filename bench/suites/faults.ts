/**
 * faults DIRECTORY: what Faultline takes for the things that host-faults.c measures of the host's kernel, through the
 * public API. The same patterns, names and numbers of pages, in the same order; prints JSON of the same form.
 *
 * The file lies in DIRECTORY, on a real file system as the host's does: a shared mapping of it is written back.
 */
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  type Process,
} from "../../src/mm/index.ts";
import { nodeFs } from "../../src/storage/node/index.ts";
import { type Figure, figureOf, nowNs } from "../figure.ts";

const WARMUP = 5;
const REPEATS = 15;
/** More for what a repeat has little of, so that the optimizing compiler is through with it: splits, file faults. */
const SPLIT_WARMUP = 15;
const FILE_WARMUP = 60;

/** As in host-faults.c: pages of one measurement, of a fork; mappings, and splits beside them. */
const PAGES = 4096;
const FORK_PAGES = 16384;
const PAIRS = 20000;
const VMAS = 60000;
const STRIPE = 4;
const SPLITS = 1000;

const RAM_BYTES = 512 * 2 ** 20;

type Samples = Record<string, number[]>;

const samples: Samples = {};

function note(name: string, ns: number): void {
  samples[name] ??= [];
  samples[name].push(ns);
}

/** Nanoseconds per page. */
function writeAll(process: Process, at: number, pages: number): number {
  const start = nowNs();
  for (let i = 0; i < pages; i++) process.storeU8(at + i * PAGE_SIZE, 1);
  return (nowNs() - start) / pages;
}

function readAll(process: Process, at: number, pages: number): number {
  const start = nowNs();
  for (let i = 0; i < pages; i++) process.loadU8(at + i * PAGE_SIZE);
  return (nowNs() - start) / pages;
}

function mapAnonymous(process: Process, pages: number): number {
  return process.mmap(0, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
}

function unmap(process: Process, at: number, pages: number): void {
  process.munmap(at, pages * PAGE_SIZE);
}

function anonymousFaults(process: Process): void {
  let at = mapAnonymous(process, PAGES);
  note("anonWriteFault", writeAll(process, at, PAGES));
  const start = nowNs();
  unmap(process, at, PAGES);
  note("munmapPerPage", (nowNs() - start) / PAGES);

  at = mapAnonymous(process, PAGES);
  note("zeroReadFault", readAll(process, at, PAGES));
  note("zeroUpgradeFault", writeAll(process, at, PAGES));
  unmap(process, at, PAGES);
}

function copyOnWrite(process: Process): void {
  const at = mapAnonymous(process, PAGES);
  writeAll(process, at, PAGES);
  const child = process.fork();
  note("cowFault", writeAll(child, at, PAGES));
  child.exit();
  process.wait();
  note("reuseFault", writeAll(process, at, PAGES));
  unmap(process, at, PAGES);
}

function fileReads(process: Process, fd: number): void {
  const at = process.mmap(0, PAGES * PAGE_SIZE, PROT_READ, MAP_PRIVATE, fd);
  const before = process.minFlt;
  const ns = readAll(process, at, PAGES);
  note("cachedFilePage", ns);
  note("cachedFileFault", (ns * PAGES) / (process.minFlt - before));
  unmap(process, at, PAGES);
}

function fileWrites(process: Process, fd: number): void {
  // Clean pages: the first write to each is told to the file system.
  process.fsync(fd);
  const at = process.mmap(0, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  const before = process.minFlt;
  const ns = writeAll(process, at, PAGES);
  note("sharedFileWriteFault", (ns * PAGES) / (process.minFlt - before));
  unmap(process, at, PAGES);
}

function pairs(process: Process): void {
  const start = nowNs();
  for (let i = 0; i < PAIRS; i++) unmap(process, mapAnonymous(process, 1), 1);
  note("mmapMunmapPair", (nowNs() - start) / PAIRS);
}

function timeOfFork(process: Process): number {
  const start = nowNs();
  const child = process.fork();
  const ns = nowNs() - start;
  child.exit();
  process.wait();
  return ns;
}

function forks(process: Process): void {
  const base = timeOfFork(process);
  const at = mapAnonymous(process, FORK_PAGES);
  writeAll(process, at, FORK_PAGES);
  const full = timeOfFork(process);
  unmap(process, at, FORK_PAGES);
  note("fork", base);
  note("forkPerPage", (full - base) / FORK_PAGES);
}

/** VMAS stripes that cannot merge, since each second one has another protection. */
function stripes(process: Process): number {
  const stripeBytes = STRIPE * PAGE_SIZE;
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const at = process.mmap(0, VMAS * stripeBytes, PROT_NONE, flags);
  for (let i = 0; i < VMAS; i += 2) {
    process.mprotect(at + i * stripeBytes, stripeBytes, PROT_READ | PROT_WRITE);
  }
  return at;
}

function splits(process: Process, at: number): void {
  // Far apart, in no order.
  const middle = Array.from(
    { length: SPLITS },
    (_, i) => at + (((i * 7919) % SPLITS) * (VMAS / SPLITS) * STRIPE + 1) * PAGE_SIZE,
  );
  let start = nowNs();
  for (const addr of middle) process.mprotect(addr, PAGE_SIZE, PROT_READ);
  note("mprotectSplit", (nowNs() - start) / SPLITS);
  start = nowNs();
  for (const addr of middle) process.mprotect(addr, PAGE_SIZE, PROT_READ | PROT_WRITE);
  note("mprotectMerge", (nowNs() - start) / SPLITS);
}

const [, , directory] = process.argv;
const kernel = new Kernel({ ram: RAM_BYTES });
kernel.mount("/disk", nodeFs(directory));
const subject = kernel.spawn();
const fd = subject.open("/disk/faults", O_RDWR | O_CREAT, 0o600);
const bytes = new Uint8Array(PAGE_SIZE).fill("f".charCodeAt(0));
for (let i = 0; i < PAGES; i++) subject.write(fd, bytes);

for (let repeat = 0; repeat < FILE_WARMUP; repeat++) fileReads(subject, fd);
for (let repeat = 0; repeat < WARMUP + REPEATS; repeat++) {
  anonymousFaults(subject);
  copyOnWrite(subject);
  fileReads(subject, fd);
  fileWrites(subject, fd);
  pairs(subject);
  forks(subject);
}
// Last, as on the host: so many mappings would weigh on every fork.
const at = stripes(subject);
for (let repeat = 0; repeat < SPLIT_WARMUP + WARMUP + REPEATS; repeat++) splits(subject, at);

const figures: Record<string, Figure> = {};
for (const [name, all] of Object.entries(samples)) figures[name] = figureOf(all.slice(-REPEATS));
console.log(JSON.stringify({ figures }));
