/**
 * PAGEMAP_SCAN: which pages of a range are of which kinds, as regions instead of an entry a page (do_pagemap_scan in
 * fs/proc/task_mmu.c, struct pm_scan_arg in include/uapi/linux/fs.h).
 *
 * ```
 *   0 size       8 flags    16 start      24 end       32 walk_end (answered)   40 vec   48 vec_len   56 max_pages
 *   64 category_inverted    72 category_mask    80 category_anyof_mask    88 return_mask
 *
 *   a page is wanted when, with the inverted categories turned round, it has all of category_mask and, if that is not
 *   empty, one of category_anyof_mask. Wanted pages side by side whose return_mask categories are equal are one region:
 *   { start, end, categories }, 24 bytes.
 * ```
 *
 * Collectors of garbage and savers of processes ask this way which pages were written since. Nothing is write-protected
 * for them here, as in a kernel built without userfaultfd: what is there counts as written, and so does, as in Linux, an
 * empty entry of a page table that exists. The walk skips what no page table translates.
 */
import type { FaultingTask } from "../fault/faulting-task.ts";
import type { Mmu } from "../fault/mmu.ts";
import { copyFromUser, copyToUser } from "../fault/uaccess.ts";
import { PG_ANON } from "../frames/page-flags.ts";
import { PAGE_OFFSET_MASK, PAGE_SIZE, pageAlign, type Vaddr } from "../page.ts";
import { PTE_GUARD, PTE_PRESENT, PTE_SPECIAL } from "../pagetable/pte.ts";
import { EFAULT, EINVAL, EPERM, ESRCH } from "../uapi/errno.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { vmaKernelPagesize } from "../vma/vma-page-size.ts";

/** _IOWR('f', 16, struct pm_scan_arg) */
export const PAGEMAP_SCAN = 0xc0606610;

const PAGE_IS_WPALLOWED = 1 << 0;
const PAGE_IS_WRITTEN = 1 << 1;
const PAGE_IS_FILE = 1 << 2;
const PAGE_IS_PRESENT = 1 << 3;
const PAGE_IS_SWAPPED = 1 << 4;
const PAGE_IS_PFNZERO = 1 << 5;
const PAGE_IS_HUGE = 1 << 6;
const PAGE_IS_GUARD = 1 << 8;
/** Up to and with PAGE_IS_GUARD. */
const CATEGORIES = 0x1ff;

const PM_SCAN_WP_MATCHING = 1;
const PM_SCAN_CHECK_WPASYNC = 2;

const ARG_BYTES = 96;
const WALK_END_AT = 32;
const REGION_BYTES = 24;
const HALF = 2 ** 32;

interface ScanArg {
  readonly flags: number;
  readonly start: Vaddr;
  /** Rounded up to a page. */
  readonly end: Vaddr;
  /** Where the regions go; 0: nowhere. */
  readonly vec: Vaddr;
  readonly vecLen: number;
  readonly maxPages: number;
  readonly inverted: number;
  readonly mask: number;
  readonly anyOf: number;
  readonly returned: number;
}

interface Region {
  readonly start: Vaddr;
  end: Vaddr;
  readonly categories: number;
}

/** Answers the scan that the caller's memory at `at` asks for: the number of regions, or negative errno. */
export function pagemapScan(mmu: Mmu, caller: FaultingTask, mm: MmStruct, at: Vaddr): number {
  if (mm.users === 0) return -ESRCH;
  const arg = getArg(mmu, caller, at);
  if (typeof arg === "number") return arg;
  const scan = new Scan(mm, arg);
  const failed = scan.walk();
  const put = putRegions(mmu, caller, arg.vec, scan.regions);
  const walkEnd = new Uint8Array(8);
  setU64(new DataView(walkEnd.buffer), 0, scan.walkEnd);
  if (copyToUser(mmu, caller, at + WALK_END_AT, walkEnd) < walkEnd.length) return -EFAULT;
  return put < 0 ? put : failed < 0 ? failed : scan.regions.length;
}

/** pagemap_scan_get_args */
function getArg(mmu: Mmu, caller: FaultingTask, at: Vaddr): ScanArg | number {
  const bytes = new Uint8Array(ARG_BYTES);
  if (copyFromUser(mmu, caller, at, bytes) < ARG_BYTES) return -EFAULT;
  const view = new DataView(bytes.buffer);
  if (getU64(view, 0) !== ARG_BYTES) return -EINVAL;
  if (hasOtherBits(view, 8, PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC)) return -EINVAL;
  for (const field of [64, 72, 80, 88]) if (hasOtherBits(view, field, CATEGORIES)) return -EINVAL;
  if ((view.getUint32(16, true) & PAGE_OFFSET_MASK) !== 0) return -EINVAL;
  const { taskSize } = caller.mm.arch;
  const start = getU64(view, 16);
  const end = getU64(view, 24);
  if (end < start || end > taskSize) return -EFAULT;
  const vec = getU64(view, 40);
  const vecLen = getU64(view, 48);
  if (vec === 0 && vecLen !== 0) return -EINVAL;
  if (vec + vecLen * REGION_BYTES > taskSize) return -EFAULT;
  return {
    flags: view.getUint32(8, true),
    start,
    end: pageAlign(end),
    vec,
    vecLen,
    maxPages: getU64(view, 56) || Number.POSITIVE_INFINITY,
    inverted: view.getUint32(64, true),
    mask: view.getUint32(72, true),
    anyOf: view.getUint32(80, true),
    returned: view.getUint32(88, true),
  };
}

/** One scan under way (pagemap_scan_private). */
class Scan {
  readonly #mm: MmStruct;
  readonly #arg: ScanArg;
  readonly regions: Region[] = [];
  /** Where it ended: the end of the range, or the first page that there was no more room for. */
  walkEnd: Vaddr;
  #found = 0;

  constructor(mm: MmStruct, arg: ScanArg) {
    this.#mm = mm;
    this.#arg = arg;
    this.walkEnd = arg.end;
  }

  /** 0, or -EPERM at a mapping that can't be write-protected, where the caller insists on it. */
  walk(): number {
    const { start, end, flags, vecLen } = this.#arg;
    for (let vma = start < end ? this.#mm.vmas.find(start) : null; vma !== null; vma = vma.next) {
      if (vma.start >= end) break;
      // No mapping is registered with a userfaultfd: none allows write-protection (pagemap_scan_test_walk).
      if ((flags & PM_SCAN_CHECK_WPASYNC) !== 0) return -EPERM;
      if ((flags & PM_SCAN_WP_MATCHING) !== 0) continue;
      if (!this.#hasAll(0, PAGE_IS_WPALLOWED)) continue;
      if (vecLen === 0) continue;
      const from = Math.max(vma.start, start);
      const to = Math.min(vma.end, end);
      const size = vmaKernelPagesize(vma);
      if (!(size > PAGE_SIZE ? this.#walkHuge(from, to, size) : this.#walkMapping(from, to))) break;
    }
    return 0;
  }

  /** Whether a page of these categories has those of category_mask that are in `among`. */
  #hasAll(categories: number, among: number): boolean {
    const required = this.#arg.mask & among;
    return ((categories ^ this.#arg.inverted) & required) === required;
  }

  #isWanted(categories: number): boolean {
    const { inverted, anyOf } = this.#arg;
    return this.#hasAll(categories, CATEGORIES) && (anyOf === 0 || ((categories ^ inverted) & anyOf) !== 0);
  }

  /** The part start … end of a mapping; false when the scan ends in it. */
  #walkMapping(start: Vaddr, end: Vaddr): boolean {
    const { pageTable, phys } = this.#mm;
    for (let addr: number = start; addr < end; ) {
      const pte = pageTable.walk(addr);
      const next = pte === 0 ? Math.min(pageTable.holeEnd, end) : addr + PAGE_SIZE;
      const categories = pte === 0 ? 0 : this.#categoriesOf(phys.ram.u32[pte], phys.ram.u32[pte + 1]);
      if (this.#isWanted(categories) && !this.#output(categories, addr, next)) return false;
      addr = next;
    }
    return true;
  }

  /** The same of huge pages: none is there, but where a table has an entry for one, that is said of it. */
  #walkHuge(start: Vaddr, end: Vaddr, size: number): boolean {
    const { pageTable } = this.#mm;
    for (let addr: number = start; addr < end; ) {
      const above = (Math.floor(addr / size) + 1) * size;
      const categories = pageTable.hasHugePte(addr, size) ? PAGE_IS_HUGE : 0;
      const next = Math.min(above, end);
      if (this.#isWanted(categories) && !this.#output(categories, addr, next)) return false;
      addr = next;
    }
    return true;
  }

  /** pagemap_page_category, of an entry of a page table. */
  #categoriesOf(word: number, frame: number): number {
    if (word === 0) return PAGE_IS_WRITTEN;
    if (word === PTE_GUARD) return PAGE_IS_WRITTEN | PAGE_IS_SWAPPED | PAGE_IS_GUARD;
    if ((word & PTE_PRESENT) === 0) return PAGE_IS_WRITTEN | PAGE_IS_SWAPPED;
    // The zero page is the only frame that is mapped without being counted.
    if ((word & PTE_SPECIAL) !== 0) return PAGE_IS_WRITTEN | PAGE_IS_PRESENT | PAGE_IS_PFNZERO;
    const isFile = (this.#mm.phys.frames.flags[frame] & PG_ANON) === 0;
    return PAGE_IS_WRITTEN | PAGE_IS_PRESENT | (isFile ? PAGE_IS_FILE : 0);
  }

  /** Takes wanted pages into the regions; false when not all of them had room (pagemap_scan_output). */
  #output(categories: number, start: Vaddr, end: Vaddr): boolean {
    const { returned, maxPages, vecLen } = this.#arg;
    const pages = Math.min((end - start) / PAGE_SIZE, maxPages - this.#found);
    const fits = start + pages * PAGE_SIZE;
    const last = this.regions.at(-1);
    const shown = categories & returned;
    this.walkEnd = start;
    if (pages === 0) return false;
    if (last !== undefined && last.end === start && last.categories === shown) last.end = fits;
    else if (this.regions.length < vecLen) this.regions.push({ start, end: fits, categories: shown });
    else return false;
    this.#found += pages;
    this.walkEnd = fits < end ? fits : this.#arg.end;
    return fits === end;
  }
}

/** 0 or -EFAULT. */
function putRegions(mmu: Mmu, caller: FaultingTask, vec: Vaddr, regions: readonly Region[]): number {
  const bytes = new Uint8Array(regions.length * REGION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { start, end, categories }] of regions.entries()) {
    setU64(view, index * REGION_BYTES, start);
    setU64(view, index * REGION_BYTES + 8, end);
    setU64(view, index * REGION_BYTES + 16, categories);
  }
  return copyToUser(mmu, caller, vec, bytes) < bytes.length ? -EFAULT : 0;
}

function hasOtherBits(view: DataView, at: number, known: number): boolean {
  return view.getUint32(at + 4, true) !== 0 || (view.getUint32(at, true) & ~known) !== 0;
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * HALF + view.getUint32(at, true);
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / HALF), true);
}
