/** The architecture that the host's kernel shows: x86-64, but for what the kernel was told at its start and what its processor has. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type Arch, X86_64 } from "../src/mm/vma/arch.ts";
import { loadLibc } from "./libc.ts";

/** More than malloc ever takes from its heap, so that it is a mapping that nobody has touched (mallopt(3), M_MMAP_THRESHOLD). */
const PROBE_BYTES: number = 64 * 2 ** 20;
const PAGE = 4096;
const POOLS = "/sys/kernel/mm/hugepages";

let known: Arch | undefined;
let minPlace: number | undefined;

/** Whoever compares Faultline with the host boots it with this one. */
export function hostArch(): Arch {
  known ??= { ...X86_64, forbidsZeroPage: forbidsZeroPage(), hugePageSizeLogs: hugePageSizeLogs() };
  return known;
}

/** The least addresses of the host: what users may map, and what a security module lets nothing be placed below unasked. */
export function hostMinAddr(): { readonly mmapMinAddr: number; readonly lsmMmapMinAddr: number } {
  const mmapMinAddr = Number(readFileSync("/proc/sys/vm/mmap_min_addr", "utf8"));
  minPlace ??= loadLibc().placeFor(PAGE);
  return { mmapMinAddr, lsmMmapMinAddr: minPlace };
}

/**
 * Reading untouched memory costs no memory on Linux, which shows the zero page everywhere. There are kernels of virtual
 * machines that give each page a frame instead.
 */
function forbidsZeroPage(): boolean {
  const untouched = new Uint8Array(PROBE_BYTES);
  const before = residentPages();
  let sum = 0;
  for (let at = 0; at < PROBE_BYTES; at += PAGE) sum += untouched[at];
  return sum === 0 && residentPages() - before > PROBE_BYTES / PAGE / 2;
}

function residentPages(): number {
  return Number(readFileSync("/proc/self/statm", "utf8").split(" ")[1]);
}

/** Of the sizes that the architecture has (processors may lack the largest): what the kernel made pools for, the usual one first. */
function hugePageSizeLogs(): readonly number[] {
  const usual = /^Hugepagesize: +(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return (existsSync(POOLS) ? readdirSync(POOLS) : [])
    .map((name) => Number(/^hugepages-(\d+)kB$/.exec(name)?.[1]))
    .sort((a, b) => Number(b === Number(usual)) - Number(a === Number(usual)) || a - b)
    .map((kilobytes) => Math.log2(kilobytes * 1024));
}
