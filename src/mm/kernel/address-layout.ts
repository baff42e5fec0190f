/**
 * Where things lie in a new address space (arch_pick_mmap_layout, mm/util.c).
 *
 * ```
 *   0 … mmapMinAddr    never mapped
 *   executable, heap   brk grows up
 *   …
 *   mmapBase           mappings are placed from here downwards
 *   gap                the stack's limit and its guard, at least 128 MiB
 *   stack              grows down from the top
 *   taskSize
 * ```
 *
 * With randomisation each of stack, mmapBase and heap moves by its own random number of pages; without, every run has
 * the same addresses.
 */
import type { Prng } from "../../lib/prng.ts";
import { PAGE_SIZE, pageAlign, pageAlignDown, type Vaddr } from "../page.ts";
import { ADDR_COMPAT_LAYOUT } from "../uapi/personality.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** Settings of the kernel that decide the layout. */
export interface LayoutSettings {
  /** vm.mmap_rnd_bits */
  readonly mmapRndBits: number;
  /** vm.legacy_va_layout: not 0 for mappings from the bottom up */
  readonly legacyVaLayout: number;
}

/** Chooses `mmapBase` and the search direction. `random` undefined: no randomisation. */
export function pickMmapLayout(mm: MmStruct, random: Prng | undefined, settings: LayoutSettings): void {
  const { arch } = mm;
  const shift = random === undefined ? 0 : random.below(2 ** settings.mmapRndBits) * PAGE_SIZE;
  const stackShift = random === undefined ? 0 : (arch.stackRndPages - 1) * PAGE_SIZE;
  // An unlimited stack could meet mappings anywhere below it, so mappings go upwards from a third of the space.
  mm.random = random;
  mm.bottomUp =
    (mm.actor.personality & ADDR_COMPAT_LAYOUT) !== 0 ||
    (mm.rlimitStack === Number.POSITIVE_INFINITY && arch.unlimitedStackIsLegacy) ||
    settings.legacyVaLayout !== 0;
  const wanted = mm.rlimitStack + stackShift + mm.stackGuardGap;
  const gap = Math.min(Math.max(wanted, arch.mmapMinGap), arch.mmapMaxGap);
  mm.mmapLegacyBase = arch.unmappedBase + (mm.bottomUp || arch.fallbackIsRandom ? shift : 0);
  mm.mmapBase = mm.bottomUp ? mm.mmapLegacyBase : pageAlign(arch.taskSize - gap - shift);
}

/** Top of the stack: the end of user space, less a random number of pages. */
export function pickStackTop(mm: MmStruct, random: Prng | undefined): Vaddr {
  const shift = random === undefined ? 0 : random.below(mm.arch.stackRndPages) * PAGE_SIZE;
  return pageAlignDown(mm.arch.taskSize) - shift;
}

/** Where the heap starts: behind the executable, plus a random number of pages (arch_randomize_brk). */
export function pickBrk(mm: MmStruct, after: Vaddr, random: Prng | undefined): Vaddr {
  if (random === undefined) return after;
  return pageAlign(after + random.below(mm.arch.brkRndPages) * PAGE_SIZE);
}
