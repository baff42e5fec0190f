/**
 * mappings COUNT...: what Faultline takes to map, fault and unmap in a process of COUNT mappings, for each COUNT, through
 * the public API. The same steps as host-mappings.c. Prints JSON: nanoseconds by count and operation, and the bytes of
 * heap that a mapping takes.
 *
 * To be run with --expose-gc.
 */
import {
  Kernel,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../src/mm/index.ts";
import { type Figure, figureOf, nowNs } from "../figure.ts";

const OPERATIONS = 2000;
const ROUNDS = 7;
/** Rounds before, for the compiler, on the smallest count. */
const WARMUP = 20;
const ANYWHERE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

const counts = process.argv.slice(2).map(Number);
/** Mappings are bound by RAM, too: one for every 512 bytes. */
const RAM = 2 ** 30;
const kernel = new Kernel({ ram: RAM, maxMapCount: Math.max(...counts) + 1000 });
const subject = kernel.spawn();
let state = 0;

/** Neighbours differ in protection, so that they don't merge. */
function map(base: number, index: number): void {
  const prot = index % 2 === 1 ? PROT_READ | PROT_WRITE : PROT_READ;
  subject.mmap(base + index * PAGE_SIZE, PAGE_SIZE, prot, ANYWHERE | MAP_FIXED);
}

/** Any writable mapping. */
function pick(count: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * Math.floor(count / 2)) * 2 + 1;
}

function heapUsed(): number {
  if (gc === undefined) throw new Error("run with --expose-gc");
  gc();
  return process.memoryUsage().heapUsed;
}

interface CountFigures {
  readonly map: Figure;
  readonly fault: Figure;
  readonly replace: Figure;
  readonly search: Figure;
  /** Bytes of heap. */
  readonly perMapping: number;
}

function measure(count: number): CountFigures {
  const heapBefore = heapUsed();
  const base = subject.mmap(0, count * PAGE_SIZE, PROT_NONE, ANYWHERE);
  let start = nowNs();
  for (let i = 0; i < count; i++) map(base, i);
  const mapNs = (nowNs() - start) / count;
  const perMapping = (heapUsed() - heapBefore) / count;
  const samples: { fault: number[]; replace: number[]; search: number[] } = {
    fault: [],
    replace: [],
    search: [],
  };
  for (let round = 0; round < ROUNDS; round++) {
    state = round;
    start = nowNs();
    for (let i = 0; i < OPERATIONS; i++) subject.storeU8(base + pick(count) * PAGE_SIZE, 1);
    samples.fault.push((nowNs() - start) / OPERATIONS);
    subject.madvise(base, count * PAGE_SIZE, MADV_DONTNEED);
    start = nowNs();
    for (let i = 0; i < OPERATIONS; i++) {
      const index = pick(count);
      subject.munmap(base + index * PAGE_SIZE, PAGE_SIZE);
      map(base, index);
    }
    samples.replace.push((nowNs() - start) / OPERATIONS);
    start = nowNs();
    for (let i = 0; i < OPERATIONS; i++) {
      subject.munmap(subject.mmap(0, 3 * PAGE_SIZE, PROT_NONE, ANYWHERE), 3 * PAGE_SIZE);
    }
    samples.search.push((nowNs() - start) / OPERATIONS);
  }
  subject.munmap(base, count * PAGE_SIZE);
  return {
    map: { median: mapNs, min: mapNs },
    fault: figureOf(samples.fault),
    replace: figureOf(samples.replace),
    search: figureOf(samples.search),
    perMapping,
  };
}

for (let round = 0; round < WARMUP; round++) measure(counts[0]);
console.log(JSON.stringify(Object.fromEntries(counts.map((count) => [count, measure(count)]))));
