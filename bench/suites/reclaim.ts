/**
 * reclaim PAGES ROUNDS: what Faultline takes to swap, for the things that host-reclaim.c measures of the host's kernel, in
 * the same order and with the same names. The swap area is memory (MemorySwapDevice).
 */
import {
  Kernel,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySwapDevice,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Process,
} from "../../src/mm/index.ts";
import { type Figure, figureOf, nowNs } from "../figure.ts";

const WORDS = PAGE_SIZE / 4;
const [pages, rounds] = process.argv.slice(2, 4).map(Number);
/** Rounds until the optimizing compiler is through with it. */
const WARMUP = 5;

const samples: Record<string, number[]> = {
  swapOutPage: [],
  swapInPage: [],
  touchAtLimit: [],
  scannedPage: [],
};

/** As in host-reclaim.c. */
function fill(task: Process, at: number, seed: number): void {
  const page = new Uint32Array(WORDS);
  let state = seed;
  for (let i = 0; i < WORDS; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    page[i] = state ^ (state >>> 16);
  }
  task.writeBytes(at, new Uint8Array(page.buffer));
}

function filled(task: Process): number {
  const at = task.mmap(0, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  for (let page = 0; page < pages; page++) fill(task, at + page * PAGE_SIZE, page + 1);
  return at;
}

function touch(task: Process, at: number): void {
  for (let page = 0; page < pages; page++) {
    const addr = at + page * PAGE_SIZE;
    task.storeU32(addr, (task.loadU32(addr) + 1) >>> 0);
  }
}

const kernel = new Kernel({ ram: 4 * pages * PAGE_SIZE });
kernel.swapOn(new MemorySwapDevice(new Uint8Array(4 * pages * PAGE_SIZE)), { mkswap: {} });

function swapOutAndIn(task: Process, at: number): void {
  touch(task, at);
  const { pswpout } = kernel.vmstat();
  let start = nowNs();
  task.madvise(at, pages * PAGE_SIZE, MADV_PAGEOUT);
  const out = nowNs() - start;
  const between = kernel.vmstat();
  start = nowNs();
  for (let page = 0; page < pages; page++) task.loadU32(at + page * PAGE_SIZE);
  const into = nowNs() - start;
  samples.swapOutPage.push(out / (between.pswpout - pswpout));
  samples.swapInPage.push(into / (kernel.vmstat().pswpin - between.pswpin));
}

function scanned(): number {
  const { pgscan_anon, pgscan_file } = kernel.vmstat();
  return pgscan_anon + pgscan_file;
}

const first = kernel.spawn();
const at = filled(first);
for (let round = 0; round < WARMUP + rounds; round++) swapOutAndIn(first, at);
first.exit();

const cgroup = kernel.memcg.create("reclaim");
cgroup.max = (pages * PAGE_SIZE) / 2;
const second = kernel.spawn({ cgroup });
const there = filled(second);
for (let round = 0; round < WARMUP + rounds; round++) {
  const before = scanned();
  const start = nowNs();
  touch(second, there);
  const ns = nowNs() - start;
  samples.touchAtLimit.push(ns / pages);
  samples.scannedPage.push(ns / (scanned() - before));
}

const figures: Record<string, Figure> = {};
for (const [name, all] of Object.entries(samples)) figures[name] = figureOf(all.slice(-rounds));
console.log(JSON.stringify({ figures }));
