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
  readonly stackRndPages: number;
  readonly brkRndPages: number;
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
  stackRndPages: 2 ** 18,
  brkRndPages: 2 ** 18,
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
  stackRndPages: 2 ** 22,
  brkRndPages: 2 ** 13,
  unmappedBase: Math.ceil((2 ** 47 - 4096) / 3 / 4096) * 4096,
};
