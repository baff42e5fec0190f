/** PAGEMAP_SCAN against a scan that looks at every page for itself; and how far it walks. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  Kernel,
  MADV_DONTNEED,
  MADV_GUARD_INSTALL,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  O_RDONLY,
  type Process,
  procFs,
  X86_64,
} from "../../../src/mm/index.ts";
import { pagemapEntries } from "../../../src/mm/proc/pagemap.ts";
import { PAGEMAP_SCAN } from "../../../src/mm/proc/pagemap-scan.ts";
import { sysIoctl } from "../../../src/mm/syscalls/open.ts";

const PAGE = 4096;
const RW = 3;
/** The pages that are scanned lie around the border of two page tables. */
const START = 0x4000_0000 - 24 * PAGE;
const PAGES = 48;
const ARG = 0x1000_0000;
const REGIONS = ARG + PAGE;

interface Scan {
  readonly start: number;
  readonly end: number;
  readonly vecLen: number;
  readonly maxPages: number;
  readonly inverted: number;
  readonly mask: number;
  readonly anyOf: number;
  readonly returned: number;
}

interface Answer {
  readonly walkEnd: number;
  readonly regions: (readonly [start: number, end: number, categories: number])[];
}

function newProcess(): Process {
  const kernel = new Kernel({ arch: X86_64, ram: 8 * 2 ** 20 });
  kernel.mount("/proc", procFs(kernel));
  const process = kernel.spawn();
  process.mmap(ARG, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
  return process;
}

function ask(process: Process, scan: Scan): Answer {
  const { start, end, vecLen, maxPages, inverted, mask, anyOf, returned } = scan;
  const fields = [96, 0, start, end, 0, REGIONS, vecLen, maxPages, inverted, mask, anyOf, returned];
  process.writeBytes(ARG, new Uint8Array(new BigUint64Array(fields.map(BigInt)).buffer));
  const fd = process.open("/proc/self/pagemap", O_RDONLY);
  const found = sysIoctl(process, fd, PAGEMAP_SCAN, ARG);
  process.close(fd);
  expect(found).toBeGreaterThanOrEqual(0);
  const words = new BigUint64Array(process.readBytes(REGIONS, found * 24).slice().buffer);
  const regions: Answer["regions"] = [];
  for (let at = 0; at < words.length; at += 3) {
    regions.push([Number(words[at]), Number(words[at + 1]), Number(words[at + 2])]);
  }
  return { walkEnd: Number(new BigUint64Array(process.readBytes(ARG + 32, 8).slice().buffer)[0]), regions };
}

/** The categories of one page, from its entry in pagemap and whether a page table is there; undefined: not mapped. */
function categories({ mm }: Process, addr: number): number | undefined {
  if (mm.vmas.lookup(addr) === null) return undefined;
  if (mm.pageTable.walk(addr) === 0) return 0;
  const bytes = pagemapEntries(mm, addr, addr + PAGE, /* showPfn */ true);
  const entry = new DataView(bytes.buffer).getBigUint64(0, true);
  const bit = (n: bigint): boolean => ((entry >> n) & 1n) !== 0n;
  if (bit(63n)) {
    const isZeroPage = !bit(61n) && !bit(56n);
    return 2 | 8 | (bit(61n) ? 4 : 0) | (isZeroPage ? 32 : 0);
  }
  return 2 | (bit(62n) ? 16 : 0) | (bit(58n) ? 0x100 : 0);
}

function scanPageByPage(process: Process, scan: Scan): Answer {
  const regions: [number, number, number][] = [];
  let found = 0;
  for (let addr = scan.start; addr < scan.end; addr += PAGE) {
    const own = categories(process, addr);
    if (own === undefined) continue;
    const turned = own ^ scan.inverted;
    if ((turned & scan.mask) !== scan.mask || (scan.anyOf !== 0 && (turned & scan.anyOf) === 0)) continue;
    if (found === scan.maxPages) return { walkEnd: addr, regions };
    const last = regions.at(-1);
    const shown = own & scan.returned;
    if (last !== undefined && last[1] === addr && last[2] === shown) last[1] += PAGE;
    else if (regions.length === scan.vecLen) return { walkEnd: addr, regions };
    else regions.push([addr, addr + PAGE, shown]);
    found++;
  }
  return { walkEnd: scan.end, regions };
}

const page = fc.nat(PAGES - 1);
const step = fc.oneof(
  fc.record({
    kind: fc.constantFrom("map", "share", "write", "read", "drop", "guard", "unmap"),
    page,
    pages: fc.integer({ min: 1, max: 16 }),
  }),
);
/** Categories without WPALLOWED, which no mapping has. */
const some = fc.constantFrom(0, 0, 2, 4, 8, 16, 32, 0x100, 10, 12, 0x110, 0x13e);
const query = fc.record({
  from: page,
  to: page,
  vecLen: fc.integer({ min: 1, max: 12 }),
  maxPages: fc.integer({ min: 1, max: PAGES + 4 }),
  inverted: some,
  mask: some,
  anyOf: some,
  returned: some,
});

function take(
  process: Process,
  { kind, page: first, pages }: { kind: string; page: number; pages: number },
): void {
  const addr = START + first * PAGE;
  const length = Math.min(pages, PAGES - first) * PAGE;
  const each = (use: (at: number) => void): void => {
    for (let at = addr; at < addr + length; at += PAGE) if (process.mm.vmas.lookup(at) !== null) use(at);
  };
  try {
    if (kind === "map") process.mmap(addr, length, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
    if (kind === "share") process.mmap(addr, length, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
    if (kind === "write") each((at) => process.storeU8(at, 1));
    if (kind === "read") each((at) => process.loadU8(at));
    if (kind === "drop") each((at) => process.madvise(at, PAGE, MADV_DONTNEED));
    if (kind === "guard") each((at) => process.madvise(at, PAGE, MADV_GUARD_INSTALL));
    if (kind === "unmap") process.munmap(addr, length);
  } catch {
    // A guard page that is touched.
  }
}

describe("PAGEMAP_SCAN", () => {
  it("finds what looking at every page finds", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 14 }),
        fc.array(query, { minLength: 1, maxLength: 6 }),
        (steps, queries) => {
          const process = newProcess();
          process.mmap(START, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
          for (const one of steps) take(process, one);
          for (const { from, to, ...rest } of queries) {
            const scan = {
              ...rest,
              start: START + Math.min(from, to) * PAGE,
              end: START + (Math.max(from, to) + 1) * PAGE,
            };
            expect(ask(process, scan)).toEqual(scanPageByPage(process, scan));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("walks what is there, however much is mapped", () => {
    const process = newProcess();
    const size = 2 ** 44;
    const base = process.mmap(0, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    const touched = [0, 2 ** 30, 2 ** 43].map((offset) => base + offset);
    for (const addr of touched) process.storeU8(addr, 1);
    const walk = vi.spyOn(process.mm.pageTable, "walk");
    const all = { vecLen: 8, maxPages: 1000, inverted: 0, mask: 8, anyOf: 0, returned: 8 };
    const { regions } = ask(process, { ...all, start: base, end: base + size });
    expect(regions).toEqual(touched.map((addr) => [addr, addr + PAGE, 8]));
    // Three tables of 512 entries, and a few hundred holes of a gigabyte or half a terabyte each.
    expect(walk.mock.calls.length).toBeLessThan(5000);
    walk.mockRestore();
  });
});
