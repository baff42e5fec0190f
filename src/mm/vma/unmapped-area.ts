/**
 * Where does a new mapping go? (vm_unmapped_area and get_unmapped_area in mm/vma.c, mm/mmap.c)
 *
 * A program names an address that it must have (MAP_FIXED), an address that it would like (a hint), or none. Without
 * one, or with a hint that is taken, Linux looks for a hole from the top down: the highest hole below mmap_base, and in
 * it the highest place, so that the heap can grow up from below and mappings grow down towards it. With an unlimited
 * stack it looks from the bottom up. The tree of mappings answers with the nearest hole that is large enough; what the
 * tree does not know, alignment and the guard gap below growing stacks, is checked here and the search goes on behind.
 */
import { offsetInPage, PAGE_SIZE, type PgOff, pageAlign, pageAlignDown, type Vaddr } from "../page.ts";
import { EINVAL, ENOMEM, EPERM } from "../uapi/errno.ts";
import { MAP_FIXED, MAP_SHARED } from "../uapi/mman.ts";
import type { MmStruct } from "./mm-struct.ts";
import type { VmArea } from "./vm-area.ts";
import { VM_GROWSDOWN } from "./vm-flags.ts";
import type { MappedFile } from "./vm-operations.ts";
import { NO_GAP } from "./vma-tree.ts";

/** What is looked for (struct vm_unmapped_area_info). All bytes. */
export interface UnmappedAreaInfo {
  /** highest place rather than lowest */
  readonly topDown: boolean;
  readonly length: number;
  /** the place lies in lowLimit … highLimit */
  readonly lowLimit: Vaddr;
  readonly highLimit: Vaddr;
  /** power of two minus 1: these bits of the address equal those of alignOffset */
  readonly alignMask: number;
  readonly alignOffset: number;
}

/** Lowest address that a mapping keeps for itself: its start, less the guard gap of a growing stack (vm_start_gap). */
export function vmStartGap(vma: VmArea): Vaddr {
  if ((vma.flags & VM_GROWSDOWN) === 0) return vma.start;
  return Math.max(0, vma.start - vma.mm.stackGuardGap);
}

/** A place for a mapping, or −ENOMEM (vm_unmapped_area). */
export function unmappedArea(mm: MmStruct, info: UnmappedAreaInfo): Vaddr {
  const { length, lowLimit, highLimit, alignMask, alignOffset } = info;
  return info.topDown
    ? highestPlace(mm, length, lowLimit, highLimit, alignMask, alignOffset)
    : lowestPlace(mm, length, lowLimit, highLimit, alignMask, alignOffset);
}

/** The hint that mmap works with: page-aligned, and not below the least address (round_hint_to_min). */
export function roundHintToMin(mm: MmStruct, hint: Vaddr): Vaddr {
  const addr = pageAlignDown(hint);
  return addr !== 0 && addr < mm.mmapMinAddr ? pageAlign(mm.mmapMinAddr) : addr;
}

/**
 * The address of a new mapping of `len` bytes (whole pages), or −ENOMEM, −EINVAL, −EPERM (__get_unmapped_area).
 * `flags` are MAP_… bits; `addr` is the address itself with MAP_FIXED, else a hint, 0 for none. Whether something is
 * mapped at a fixed address is not asked here.
 */
export function getUnmappedArea(
  mm: MmStruct,
  addr: Vaddr,
  len: number,
  pgoff: PgOff,
  flags: number,
  file: MappedFile | null = null,
): Vaddr {
  const { taskSize } = mm.arch;
  if (len > taskSize) return -ENOMEM;
  const found = chooseArea(mm, addr, len, pgoff, flags, file);
  if (found < 0) return found;
  if (found > taskSize - len) return -ENOMEM;
  if (offsetInPage(found) !== 0) return -EINVAL;
  // cap_mmap_addr: page 0 and its neighbours stay unmapped, so that a null pointer of the kernel's own hits nothing.
  return found < mm.dacMmapMinAddr && !mm.capSysRawio ? -EPERM : found;
}

/** Aligns what profits from huge pages (thp_get_unmapped_area): a whole number of them, or a file that asks for it. */
function chooseArea(
  mm: MmStruct,
  addr: Vaddr,
  len: number,
  pgoff: PgOff,
  flags: number,
  file: MappedFile | null,
): Vaddr {
  const hugePageSize = file?.mapping.hugePageSize ?? 0;
  if (hugePageSize > 0) return hugetlbArea(mm, addr, len, flags, hugePageSize);
  const size = mm.thpSize;
  const isPrivate = (flags & MAP_SHARED) === 0;
  const anonymous = file === null && isPrivate && addr === 0 && len % size === 0;
  const aligns =
    file?.mapping.hugeAligned === true || (isPrivate && file?.mapping.hugeAlignedPrivate === true);
  if (size > 0 && (anonymous || aligns)) {
    const aligned = hugeAlignedArea(mm, addr, len, file === null ? 0 : pgoff * PAGE_SIZE, flags);
    if (aligned > 0) return aligned;
  }
  return areaOf(mm, addr, len, flags, /* alignMask */ 0);
}

/** A place for huge pages that can lie at their multiples only (hugetlb_get_unmapped_area). */
function hugetlbArea(mm: MmStruct, addr: Vaddr, len: number, flags: number, size: number): Vaddr {
  if (len % size !== 0) return -EINVAL;
  if ((flags & MAP_FIXED) !== 0 && addr % size !== 0) return -EINVAL;
  return areaOf(mm, Math.ceil(addr / size) * size, len, flags, size - 1);
}

/**
 * A place at which offsets that are multiples of the huge page size fall on addresses that are, or 0 when none is
 * (__thp_get_unmapped_area): found in a hole that is larger by a huge page, as Linux does.
 */
function hugeAlignedArea(mm: MmStruct, addr: Vaddr, len: number, offset: number, flags: number): Vaddr {
  const size = mm.thpSize;
  const firstHuge = Math.ceil(offset / size) * size;
  if (offset + len <= firstHuge || offset + len - firstHuge < size) return 0;
  const found = areaOf(mm, addr, len + size, flags, /* alignMask */ 0);
  if (found < 0) return 0;
  // The hint was free: it wins over alignment.
  if (found === addr) return addr;
  const pad = (((offset - found) % size) + size) % size;
  return !mm.bottomUp && pad === 0 ? found + size : found + pad;
}

/** Where x86-64 puts MAP_32BIT: code of the small model has to lie below 2 GiB; the first is left to the program. */
const LOW_BEGIN = 0x40000000;
const LOW_END = 0x80000000;
const LOW_RND_PAGES = 0x2000;
const ABOVE_4G: number = 2 ** 32;

/** The fixed address, the hint where that is free, or a hole (arch_get_unmapped_area, …_topdown). */
function areaOf(mm: MmStruct, addr: Vaddr, len: number, flags: number, alignMask: number): Vaddr {
  const { taskSize, map32bit, mapAbove4g } = mm.arch;
  const least = mm.arch.searchKnowsMinAddr ? mm.mmapMinAddr : 0;
  if (len > taskSize - least) return -ENOMEM;
  if ((flags & MAP_FIXED) !== 0) return addr;
  const isLow = (flags & map32bit) !== 0;
  const end = isLow ? LOW_END : taskSize;
  if (addr !== 0) {
    const hint = pageAlign(addr);
    const next = mm.vmas.find(hint);
    const fits = hint >= least && end - len >= hint;
    if (fits && (next === null || hint + len <= vmStartGap(next))) return hint;
  }
  if (isLow) {
    const shift = mm.random === undefined ? 0 : mm.random.below(LOW_RND_PAGES) * PAGE_SIZE;
    return lowestPlace(mm, len, LOW_BEGIN + shift, LOW_END, alignMask, 0);
  }
  if (!mm.bottomUp) {
    const low = (flags & mapAbove4g) !== 0 ? ABOVE_4G : PAGE_SIZE;
    const place = highestPlace(mm, len, low, mm.mmapBase, alignMask, 0);
    if (place >= 0) return place;
    // The room below mmap_base is used up, as with a huge stack limit: what lies above it is better than nothing.
  }
  return lowestPlace(mm, len, mm.mmapLegacyBase, taskSize, alignMask, 0);
}

/** unmapped_area: from the bottom up. */
function lowestPlace(
  mm: MmStruct,
  length: number,
  lowLimit: Vaddr,
  highLimit: Vaddr,
  alignMask: number,
  alignOffset: number,
): Vaddr {
  // Room for the worst alignment, as Linux asks for, though the hole found may need less.
  const size = length + alignMask;
  let low = Math.max(lowLimit, mm.mmapMinAddr);
  for (;;) {
    const hole = mm.vmas.lowestGap(low, highLimit, size);
    if (hole === NO_GAP) return -ENOMEM;
    const place = hole + misalignment(alignOffset - hole, alignMask);
    const above = mm.vmas.find(hole);
    if (above === null || vmStartGap(above) >= place + size - 1) return place;
    low = above.end;
  }
}

/** unmapped_area_topdown. */
function highestPlace(
  mm: MmStruct,
  length: number,
  lowLimit: Vaddr,
  highLimit: Vaddr,
  alignMask: number,
  alignOffset: number,
): Vaddr {
  const size = length + alignMask;
  const low = Math.max(lowLimit, mm.mmapMinAddr);
  let high = highLimit;
  for (;;) {
    const end = mm.vmas.highestGap(low, high, size);
    if (end === NO_GAP) return -ENOMEM;
    const above = mm.vmas.find(end);
    const gapEnd = above === null ? end : vmStartGap(above);
    if (gapEnd >= end) {
      const place = end - length;
      return place - misalignment(place - alignOffset, alignMask);
    }
    high = gapEnd;
  }
}

/** `difference & alignMask` for numbers past 32 bits, of either sign. */
function misalignment(difference: number, alignMask: number): number {
  const align = alignMask + 1;
  return ((difference % align) + align) % align;
}
