/** The four levels of page tables, and the translations that the TLBs hold of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PhysicalMemory } from "../../../src/mm/frames/physical-memory.ts";
import { TLB_SLOTS } from "../../../src/mm/frames/ram.ts";
import { TLB_ENTRIES } from "../../../src/mm/frames/tlb-layout.ts";
import { PageTable, PMD_SIZE } from "../../../src/mm/pagetable/page-table.ts";
import {
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_EXEC,
  PTE_PRESENT,
  PTE_READ,
  PTE_WORDS,
  PTE_WRITE,
  PTRS_PER_TABLE,
} from "../../../src/mm/pagetable/pte.ts";
import { TlbContext, TlbPool } from "../../../src/mm/pagetable/tlb.ts";
import {
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
} from "../../../src/mm/uapi/mman.ts";
import { RISCV64, X86_64 } from "../../../src/mm/vma/arch.ts";
import { BASE, boot, mapAt, outcome, P, RW } from "./rig.ts";

const PUD_SIZE = PMD_SIZE * 512;
const PGD_SIZE = PUD_SIZE * 512;

function newTable(frames = 4096): { phys: PhysicalMemory; table: PageTable } {
  const phys = new PhysicalMemory({ ramBytes: frames * P });
  const table = PageTable.create(phys);
  if (table === undefined) throw new Error("no frame for a page table");
  return { phys, table };
}

describe("page table", () => {
  it("walkAlloc makes the missing levels, walk finds what it made, neighbours lie side by side", () => {
    const { table } = newTable();
    const addr = 3 * PGD_SIZE + 5 * PUD_SIZE + 7 * PMD_SIZE + 9 * P;
    expect(table.walk(addr)).toBe(0);
    const pte = table.walkAlloc(addr + 123);
    expect(table.tables).toBe(4);
    expect(table.walk(addr)).toBe(pte);
    expect(table.walk(addr + P)).toBe(pte + PTE_WORDS);
    expect(table.walkAlloc(addr + PMD_SIZE - 9 * P)).not.toBe(0);
    expect(table.tables).toBe(5);
  });

  it("holeEnd is the first address that another table could translate", () => {
    const { table } = newTable();
    const addr = 3 * PGD_SIZE + 5 * PUD_SIZE + 7 * PMD_SIZE;
    table.walkAlloc(addr);
    const holeAt = (at: number): number => (table.walk(at) === 0 ? table.holeEnd : -1);
    expect(holeAt(0)).toBe(PGD_SIZE);
    expect(holeAt(3 * PGD_SIZE)).toBe(3 * PGD_SIZE + PUD_SIZE);
    expect(holeAt(3 * PGD_SIZE + 5 * PUD_SIZE + P)).toBe(3 * PGD_SIZE + 5 * PUD_SIZE + PMD_SIZE);
    expect(holeAt(addr)).toBe(-1);
    expect(holeAt(addr + PMD_SIZE)).toBe(addr + 2 * PMD_SIZE);
    expect(holeAt(addr + PUD_SIZE)).toBe(3 * PGD_SIZE + 7 * PUD_SIZE);
    expect(holeAt(2 ** 47 - P)).toBe(2 ** 47);
  });

  it("a child has the tables of its parent, also those that lead to nothing", () => {
    const task = boot().spawn();
    const fd = task.memfd_create("empty", 0);
    task.mmap(BASE, P, RW, MAP_PRIVATE | MAP_FIXED, fd);
    expect(outcome(() => task.storeU8(BASE, 1))).toBe("BUS_ADRERR");
    // The top one, and two of the three on the way to the page that is not there.
    expect(task.mm.pageTable.tables).toBe(3);
    expect(task.fork().mm.pageTable.tables).toBe(3);
  });

  it("MADV_DONTNEED gives back tables that it empties as a whole, on x86-64", () => {
    const left = [X86_64, RISCV64].map((arch) => {
      const task = boot({ arch }).spawn();
      mapAt(task, BASE, 3 * PTRS_PER_TABLE);
      for (let table = 0; table < 3; table++) task.storeU8(BASE + table * PMD_SIZE, 1);
      task.madvise(BASE + P, 2 * PMD_SIZE - P, MADV_DONTNEED);
      task.madvise(BASE + 2 * PMD_SIZE, PMD_SIZE - P, MADV_DONTNEED);
      return task.mm.pageTable.tables;
    });
    expect(left).toEqual([3 + 2, 3 + 3]);
  });

  it("mremap makes the first table of the new place where only the last one of the old place is missing", () => {
    const task = boot().spawn();
    const there = 2 ** 46;
    mapAt(task, BASE + PMD_SIZE, 1);
    task.mremap(BASE + PMD_SIZE, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, there);
    expect(task.mm.pageTable.tables).toBe(1);
    mapAt(task, BASE, 1);
    task.storeU8(BASE, 1);
    mapAt(task, BASE + PMD_SIZE, 1);
    task.mremap(BASE + PMD_SIZE, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, there);
    expect(task.mm.pageTable.tables).toBe(4 + 1);
  });

  it.each([
    ["whole tables", 0, PMD_SIZE, 2 * PMD_SIZE],
    ["whole tables, from the first one on that is only used in part", 3 * P, PMD_SIZE, 2 * PMD_SIZE - 3 * P],
    ["tables of tables", 0, PUD_SIZE, 2 * PUD_SIZE],
  ])("mremap moves %s, and what stays mapped at the old place has none left", (_what, skew, step, len) => {
    const task = boot().spawn();
    const [from, to] = [BASE + skew, 2 * BASE + skew];
    task.mmap(from, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE);
    task.storeU8(from, 1);
    task.storeU8(from + step, 2);
    const { tables } = task.mm.pageTable;
    const flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    // The new place has a table of PMD entries of its own, or the old one's.
    task.mremap(from, len, len, flags, to);
    expect(task.mm.pageTable.tables - tables).toBe(step === PMD_SIZE ? 1 : 0);
    expect([task.loadU8(to), task.loadU8(to + step), task.loadU8(from)]).toEqual([1, 2, 0]);
  });

  it("the ends of user space have their PTEs", () => {
    const { table } = newTable();
    const ends = [0, P, PMD_SIZE - P, PUD_SIZE - P, PGD_SIZE - P, 2 ** 47 - PGD_SIZE, 2 ** 47 - P];
    const ptes = ends.map((addr) => table.walkAlloc(addr));
    expect(new Set(ptes).size).toBe(ends.length);
    expect(ends.map((addr) => table.walk(addr))).toEqual(ptes);
  });

  it("freeRange leaves tables that reach over floor or ceiling, frees what lies between", () => {
    const { table } = newTable();
    const before = table.tables;
    const addr = 3 * PGD_SIZE + 5 * PUD_SIZE + 7 * PMD_SIZE;
    table.walkAlloc(addr);
    // A neighbour below in the same table of PTEs, then one above.
    table.freeRange(addr + 4 * P, addr + 8 * P, addr + 4 * P, 2 ** 47);
    expect(table.tables).toBe(before + 3);
    table.freeRange(addr + 4 * P, addr + 8 * P, 0, addr + 100 * P);
    expect(table.tables).toBe(before + 3);
    // A neighbour in the next table of PTEs keeps the upper levels alone.
    table.freeRange(addr + 4 * P, addr + 8 * P, 0, addr + PMD_SIZE);
    expect(table.tables).toBe(before + 2);
    table.freeRange(addr + 4 * P, addr + 8 * P, 0, 2 ** 47);
    expect(table.tables).toBe(before);
  });

  it("frees in a range of several top entries only what was allocated, and forgets it", () => {
    const { phys, table } = newTable();
    const used = phys.usedFrames;
    const addrs = [0, PMD_SIZE, PUD_SIZE, PGD_SIZE, PGD_SIZE + PUD_SIZE, 200 * PGD_SIZE];
    for (const addr of addrs) table.walkAlloc(addr);
    table.freeRange(0, 2 ** 47, 0, Number.POSITIVE_INFINITY);
    expect(phys.usedFrames).toBe(used);
    expect(addrs.map((addr) => table.walk(addr))).toEqual(addrs.map(() => 0));
    table.destroy();
    expect([phys.usedFrames, table.tables, table.walk(0)]).toEqual([0, 0, 0]);
  });

  it("walkAlloc without memory answers 0 at every level, and succeeds later where it stopped", () => {
    const { phys, table } = newTable();
    for (let left = 0; left < 3; left++) {
      phys.failAfter = left;
      expect(table.walkAlloc(left * PGD_SIZE)).toBe(0);
      phys.failAfter = -1;
      expect(table.walkAlloc(left * PGD_SIZE)).not.toBe(0);
    }
    expect(table.tables).toBe(1 + 3 * 3);
  });

  it("agrees with a map from addresses to PTEs under random allocation", () => {
    const address = fc
      .tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(511))
      .map(([pgd, pud, pmd, pte]) => pgd * PGD_SIZE + pud * PUD_SIZE + pmd * PMD_SIZE + pte * P);
    fc.assert(
      fc.property(fc.array(address, { maxLength: 40 }), (addrs) => {
        const { phys, table } = newTable(256);
        const ptes = new Map(addrs.map((addr) => [addr, table.walkAlloc(addr)]));
        const { u32 } = phys.ram;
        let value = 0;
        for (const [addr, pte] of ptes) {
          expect(table.walk(addr)).toBe(pte);
          u32[pte] = ++value;
        }
        expect(new Set(ptes.values()).size).toBe(ptes.size);
        let found = 0;
        table.forEachTable((frame, level, base) => {
          if (level > 0) return;
          for (let index = 0; index < 512; index++) {
            if (u32[frame * 1024 + index * PTE_WORDS] === 0) continue;
            expect(ptes.has(base + index * P)).toBe(true);
            found++;
          }
        });
        expect(found).toBe(ptes.size);
        table.destroy();
        expect(phys.usedFrames).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});

describe("TLB", () => {
  const phys = new PhysicalMemory({ ramBytes: 16 * P });
  const pool = new TlbPool(phys.ram);
  const GRANTS = { read: PTE_READ, write: PTE_WRITE, exec: PTE_EXEC } as const;
  const TAGS = { read: 0, write: 2, exec: 4 } as const;

  /** Whether the TLB holds a translation of `addr` for this access, and to which frame. */
  function lookup(tlb: TlbContext, addr: number, access: keyof typeof TAGS): number | null {
    const { u32 } = phys.ram;
    const entry = tlb.base / 4 + ((addr / P) % TLB_ENTRIES) * 8;
    const tag = u32[entry + TAGS[access] + 1] * 2 ** 32 + u32[entry + TAGS[access]];
    return tag === addr ? u32[entry + 6] : null;
  }

  it("grants what the PTE grants, and write only while the page is dirty already", () => {
    const tlb = new TlbContext(phys.ram);
    pool.activate(tlb);
    const high = 2 ** 46 + 5 * P;
    for (const [access, bit] of Object.entries(GRANTS)) {
      tlb.fill(high, PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | bit, 7 * P);
      for (const other of ["read", "write", "exec"] as const) {
        expect(lookup(tlb, high, other)).toBe(other === access ? 7 * P : null);
      }
      tlb.fill(high, PTE_PRESENT | PTE_DIRTY | bit, 7 * P);
      expect(lookup(tlb, high, "read")).toBeNull();
    }
    tlb.fill(high, PTE_PRESENT | PTE_ACCESSED | PTE_READ | PTE_WRITE, 7 * P);
    expect([lookup(tlb, high, "read"), lookup(tlb, high, "write")]).toEqual([7 * P, null]);
    pool.release(tlb);
  });

  it("flushPage and flushRange drop what they name, and only that", () => {
    const tlb = new TlbContext(phys.ram);
    pool.activate(tlb);
    const fill = (): void => {
      for (let page = 0; page < 8; page++) tlb.fill(BASE + page * P, PTE_ACCESSED | PTE_READ, page * P);
    };
    const held = (): number[] =>
      Array.from({ length: 8 }, (_, page) => page).filter(
        (page) => lookup(tlb, BASE + page * P, "read") !== null,
      );
    fill();
    tlb.flushPage(BASE + 3 * P);
    expect(held()).toEqual([0, 1, 2, 4, 5, 6, 7]);
    tlb.flushRange(BASE + 4 * P, BASE + 6 * P);
    expect(held()).toEqual([0, 1, 2, 6, 7]);
    tlb.flushRange(BASE, BASE + 2 ** 40);
    expect(held()).toEqual([]);
    fill();
    tlb.flushAll();
    expect(held()).toEqual([]);
    pool.release(tlb);
  });

  it("without a slot nothing is held, and nothing harmed", () => {
    const tlb = new TlbContext(phys.ram);
    tlb.fill(BASE, PTE_ACCESSED | PTE_READ, P);
    expect(lookup(tlb, BASE, "read")).toBeNull();
    tlb.flushAll();
    tlb.flushPage(BASE);
    pool.release(tlb);
    expect(tlb.hasSlot).toBe(false);
  });

  it("a newcomer takes the slot that was activated longest ago, empty", () => {
    const contexts = Array.from({ length: TLB_SLOTS + 1 }, () => new TlbContext(phys.ram));
    for (const [at, tlb] of contexts.slice(0, TLB_SLOTS).entries()) {
      pool.activate(tlb);
      tlb.fill(BASE, PTE_ACCESSED | PTE_READ, at * P);
    }
    const [first, second] = contexts;
    const last = contexts[TLB_SLOTS];
    if (first === undefined || second === undefined || last === undefined) throw new Error("too few");
    pool.activate(first);
    pool.activate(last);
    expect(contexts.filter((tlb) => !tlb.hasSlot)).toEqual([second]);
    expect(lookup(last, BASE, "read")).toBeNull();
    expect(lookup(first, BASE, "read")).toBe(0);
    expect(new Set(contexts.map((tlb) => tlb.base)).size).toBe(TLB_SLOTS + 1);
    for (const tlb of contexts) pool.release(tlb);
    pool.activate(second);
    expect(second.hasSlot).toBe(true);
    pool.release(second);
  });

  it("forty processes in turn: each loads its own bytes, whoever's slot it gets", () => {
    const kernel = boot();
    const first = kernel.spawn();
    mapAt(first, BASE, 2);
    const processes = [first, ...Array.from({ length: 39 }, () => first.fork())];
    for (const [at, process] of processes.entries()) process.storeU32(BASE, at);
    for (let round = 0; round < 3; round++) {
      for (const [at, process] of processes.entries()) {
        expect(process.loadU32(BASE)).toBe(at);
        process.storeU32(BASE + P, round);
      }
    }
    for (const process of processes.slice(1)) process.exit();
    expect(first.loadU32(BASE)).toBe(0);
    expect(outcome(() => processes[5]?.loadU32(BASE))).toBe("SEGV_MAPERR");
  });
});
