/**
 * What differs between architectures, as data handed in at boot: nothing else in the memory subsystem asks which
 * machine it is.
 */
import type { Vaddr } from "../page.ts";
import { PTE_EXEC, PTE_READ, PTE_USER, PTE_WRITE } from "../pagetable/pte.ts";
import { VM_ACCESS_FLAGS, VM_EXEC, VM_READ, VM_WRITE } from "./vm-flags.ts";

export interface Arch {
  readonly name: "riscv64" | "x86-64";
  /** First address past user space (TASK_SIZE). */
  readonly taskSize: Vaddr;
  /** PTE protection bits by VM_READ | VM_WRITE | VM_EXEC (protection_map[], arch/…/mm). */
  readonly protectionMap: readonly number[];
  /** Default gap in bytes between the stack's limit and the first mapping below it (mmap_base). */
  readonly mmapMinGap: number;
  readonly mmapMaxGap: number;
  /** Randomisation: bits of mmapBase in pages, pages of the stack's top, pages of the heap's start. */
  readonly mmapRndBits: number;
  /** What vm.mmap_rnd_bits may be set to. */
  readonly mmapRndBitsMin: number;
  readonly mmapRndBitsMax: number;
  readonly stackRndPages: number;
  readonly brkRndPages: number;
  /** An unlimited stack has mappings placed from the bottom up (mmap_is_legacy). */
  readonly unlimitedStackIsLegacy: boolean;
  /** The search that follows when the one from the top down found nothing starts at a random place, too. */
  readonly fallbackIsRandom: boolean;
  /** The search refuses a hint below vm.mmap_min_addr (generic_get_unmapped_area); mmap has rounded its own up, mremap has not. */
  readonly searchKnowsMinAddr: boolean;
  /** MADV_DONTNEED gives tables back that it has emptied as a whole (PT_RECLAIM, which 6.18 has on x86-64 alone). */
  readonly reclaimsTables: boolean;
  /** READ_IMPLIES_EXEC makes the heap executable (VM_DATA_FLAGS_TSK_EXEC). */
  readonly heapMayBeExecutable: boolean;
  /** Reading untouched anonymous memory takes a frame at once, instead of the shared zero page (mm_forbids_zeropage). */
  readonly forbidsZeroPage: boolean;
  /** Sizes of huge pages as powers of two, the usual one first (hstates). */
  readonly hugePageSizeLogs: readonly number[];
  /** MAP_32BIT and MAP_ABOVE4G; 0 where they do not exist. */
  readonly map32bit: number;
  readonly mapAbove4g: number;
  /** Where a static executable's heap and bottom-up mappings start: TASK_SIZE / 3, page-aligned. */
  readonly unmappedBase: Vaddr;
}

function map(rule: (flags: number) => number): readonly number[] {
  return Array.from({ length: VM_ACCESS_FLAGS + 1 }, (_, flags) =>
    flags === 0 ? 0 : PTE_USER | rule(flags),
  );
}

/** riscv64 with Sv48: execute-only is possible, write implies read (arch/riscv/mm/init.c). */
export const RISCV64: Arch = {
  name: "riscv64",
  taskSize: 2 ** 47,
  protectionMap: map(
    (flags) =>
      ((flags & (VM_READ | VM_WRITE)) !== 0 ? PTE_READ : 0) |
      ((flags & VM_WRITE) !== 0 ? PTE_WRITE : 0) |
      ((flags & VM_EXEC) !== 0 ? PTE_EXEC : 0),
  ),
  mmapMinGap: 128 * 2 ** 20,
  mmapMaxGap: Math.floor((2 ** 47 / 6) * 5),
  mmapRndBits: 18,
  mmapRndBitsMin: 18,
  mmapRndBitsMax: 24,
  stackRndPages: 2 ** 18,
  brkRndPages: 2 ** 18,
  unlimitedStackIsLegacy: true,
  fallbackIsRandom: false,
  searchKnowsMinAddr: true,
  reclaimsTables: false,
  heapMayBeExecutable: false,
  forbidsZeroPage: false,
  hugePageSizeLogs: [21, 30],
  map32bit: 0,
  mapAbove4g: 0,
  unmappedBase: Math.ceil(2 ** 47 / 3 / 4096) * 4096,
};

/** x86-64 with four levels: every accessible page is readable (arch/x86/mm/pgprot.c). */
export const X86_64: Arch = {
  name: "x86-64",
  taskSize: 2 ** 47 - 4096,
  protectionMap: map(
    (flags) =>
      PTE_READ | ((flags & VM_WRITE) !== 0 ? PTE_WRITE : 0) | ((flags & VM_EXEC) !== 0 ? PTE_EXEC : 0),
  ),
  mmapMinGap: 128 * 2 ** 20,
  mmapMaxGap: Math.floor(((2 ** 47 - 4096) / 6) * 5),
  mmapRndBits: 28,
  mmapRndBitsMin: 28,
  mmapRndBitsMax: 32,
  stackRndPages: 2 ** 22,
  brkRndPages: 2 ** 18,
  unlimitedStackIsLegacy: false,
  fallbackIsRandom: true,
  searchKnowsMinAddr: false,
  reclaimsTables: true,
  heapMayBeExecutable: true,
  forbidsZeroPage: false,
  hugePageSizeLogs: [21, 30],
  map32bit: 0x40,
  mapAbove4g: 0x80,
  unmappedBase: Math.ceil((2 ** 47 - 4096) / 3 / 4096) * 4096,
};
