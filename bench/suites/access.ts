/** access: nanoseconds of a load or store through the API whose page the TLB holds. Prints JSON. */
import { Kernel, MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../src/mm/index.ts";
import { type Figure, figureOf, nowNs } from "../figure.ts";

const WARMUP = 5;
const REPEATS = 25;
const PAGES = 64;
const ACCESSES = 1_000_000;
/** Jumps to another page each time, and round the pages to every word. */
const STRIDE = PAGE_SIZE + 8;
const MASK = PAGES * PAGE_SIZE - 1;

const process = new Kernel({ ram: 2 ** 26 }).spawn();
const at = process.mmap(0, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
for (let page = 0; page < PAGES; page++) process.storeU8(at + page * PAGE_SIZE, 1);

/** Each answers the sum of what it loaded, so that no compiler leaves the loads out. */
const accesses: Record<string, () => number> = {
  loadU8() {
    let sum = 0;
    for (let i = 0; i < ACCESSES; i++) sum += process.loadU8(at + ((i * STRIDE) & MASK));
    return sum;
  },
  storeU8() {
    for (let i = 0; i < ACCESSES; i++) process.storeU8(at + ((i * STRIDE) & MASK), i);
    return 0;
  },
  loadU32() {
    let sum = 0;
    for (let i = 0; i < ACCESSES; i++) sum += process.loadU32(at + ((i * STRIDE) & MASK));
    return sum;
  },
  storeU32() {
    for (let i = 0; i < ACCESSES; i++) process.storeU32(at + ((i * STRIDE) & MASK), i);
    return 0;
  },
  loadF64() {
    let sum = 0;
    for (let i = 0; i < ACCESSES; i++) sum += process.loadF64(at + ((i * STRIDE) & MASK));
    return sum;
  },
  storeF64() {
    for (let i = 0; i < ACCESSES; i++) process.storeF64(at + ((i * STRIDE) & MASK), i);
    return 0;
  },
};

const samples: Record<string, number[]> = {};
for (let repeat = 0; repeat < WARMUP + REPEATS; repeat++) {
  for (const [name, access] of Object.entries(accesses)) {
    samples[name] ??= [];
    const start = nowNs();
    const sum = access();
    samples[name].push((nowNs() - start) / ACCESSES);
    if (Number.isNaN(sum)) throw new Error(`${name}: the sum of what was loaded is no number`);
  }
}

const figures: Record<string, Figure> = {};
for (const [name, all] of Object.entries(samples)) figures[name] = figureOf(all.slice(WARMUP));
console.log(JSON.stringify({ figures }));
