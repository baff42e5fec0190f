/**
 * What a frame knows of the PTEs that map it (mm/rmap.c, folio_add_…_rmap).
 *
 * A PTE names a frame; the reverse map answers the opposite question, which mappings show this frame, without a list
 * of them for each frame. A page-cache page names its address_space, an anonymous page an anon_vma: both keep the
 * mappings that may show it in an interval tree by page offset, and the frame's `index` says where in each of them.
 * What the frame itself counts is only how many PTEs there are.
 *
 * Invariant: `mapCount` is the number of present, not special PTEs that name the frame; NR_ANON_MAPPED and
 * NR_FILE_MAPPED count the frames for which it is not 0. References and Rss are the caller's, and so is the lock that a
 * page of a locked mapping has (mlock.ts), except in pageAddAnonRmap.
 */
import { BugError } from "../bug.ts";
import { lruAdd } from "../frames/lru.ts";
import { mlockPage } from "../frames/mlock.ts";
import { PG_ACTIVE, PG_ANON, PG_ANON_EXCLUSIVE, PG_SWAPBACKED, PG_UPTODATE } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from "../trace/vmstat.ts";
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_DROPPABLE, VM_LOCKED } from "../vma/vm-flags.ts";
import type { VmFault } from "../vma/vm-operations.ts";

/**
 * A fresh frame becomes the anonymous page of the fault, which nobody shares yet, and enters the LRU lists: the inactive
 * one, since being touched once says little (folio_add_new_anon_rmap, folio_add_lru_vma).
 *
 * Where the page is stands in `vmf`: an address that goes from function to function is a number on the heap each time.
 * Precondition: the mapping's anonVma is set.
 */
export function pageAddAnonRmap(phys: PhysicalMemory, pfn: Pfn, vmf: VmFault): void {
  const { vma } = vmf;
  const { anonVma } = vma;
  if (anonVma === null) throw new BugError("pageAddAnonRmap", `frame ${pfn}: no anon_vma`);
  const { frames } = phys;
  frames.flags[pfn] |= PG_ANON | PG_SWAPBACKED | PG_UPTODATE | PG_ANON_EXCLUSIVE;
  frames.mapping[pfn] = anonVma.id;
  frames.index[pfn] = vmf.pgoff;
  if (frames.mapCount[pfn]++ === 0) phys.stat[NR_ANON_MAPPED]++;
  // Given up from the start: it is with the pages of files that reclaim looks for it.
  if ((vma.flags & VM_DROPPABLE) !== 0) frames.flags[pfn] &= ~PG_SWAPBACKED;
  if ((vma.flags & VM_LOCKED) !== 0) mlockPage(phys, pfn);
  else if (phys.lruvecs.genEnabled) lruGenAddFaulted(phys, pfn);
  else lruAdd(phys, pfn);
}

/** A page that a fault just made is in use: it starts in the youngest generation (folio_add_lru, lru_gen_in_fault). */
function lruGenAddFaulted(phys: PhysicalMemory, pfn: Pfn): void {
  phys.frames.flags[pfn] |= PG_ACTIVE;
  lruAdd(phys, pfn);
}

/**
 * One more PTE, of `vma`, maps a page that came from swap: anonymous already, or fresh from the device, and on a list
 * (folio_add_anon_rmap_pte). @param exclusive nobody else can reach the page
 */
export function pageAddSwappedRmap(
  phys: PhysicalMemory,
  pfn: Pfn,
  vma: VmArea,
  addr: Vaddr,
  exclusive: boolean,
): void {
  const { frames, stat } = phys;
  if ((frames.flags[pfn] & PG_ANON) === 0) {
    const { anonVma } = vma;
    if (anonVma === null) throw new BugError("pageAddSwappedRmap", `no anon_vma at 0x${addr.toString(16)}`);
    frames.flags[pfn] |= PG_ANON;
    frames.mapping[pfn] = exclusive ? anonVma.id : anonVma.root.id;
    frames.index[pfn] = vma.pgoff + (addr - vma.start) / PAGE_SIZE;
  }
  if (exclusive) frames.flags[pfn] |= PG_ANON_EXCLUSIVE;
  if (frames.mapCount[pfn]++ === 0) stat[NR_ANON_MAPPED]++;
  if ((vma.flags & VM_LOCKED) !== 0) mlockPage(phys, pfn);
}

/** One more process maps an anonymous page: it is nobody's alone any more (fork). */
export function pageDupAnonRmap(phys: PhysicalMemory, pfn: Pfn): void {
  phys.frames.flags[pfn] &= ~PG_ANON_EXCLUSIVE;
  phys.frames.mapCount[pfn]++;
}

/** The page is reachable through `vma` alone from now on: it needs to be looked for nowhere else (folio_move_anon_rmap). */
export function pageMoveAnonRmap(phys: PhysicalMemory, pfn: Pfn, vma: VmArea): void {
  const { anonVma } = vma;
  if (anonVma === null) throw new BugError("pageMoveAnonRmap", `frame ${pfn}: no anon_vma`);
  phys.frames.mapping[pfn] = anonVma.id;
}

/** One more PTE maps a page-cache page. */
export function pageAddFileRmap(phys: PhysicalMemory, pfn: Pfn): void {
  if (phys.frames.mapCount[pfn]++ === 0) phys.stat[NR_FILE_MAPPED]++;
}

/** One PTE less maps the page. */
export function pageRemoveRmap(phys: PhysicalMemory, pfn: Pfn): void {
  const { flags, mapCount } = phys.frames;
  const left = --mapCount[pfn];
  if (left > 0) return;
  if (left < 0) throw new BugError("pageRemoveRmap", `frame ${pfn} was not mapped`);
  phys.stat[(flags[pfn] & PG_ANON) !== 0 ? NR_ANON_MAPPED : NR_FILE_MAPPED]--;
}

/** The kind of Rss that a mapped page counts as, by its PG_… flags (mm_counter). */
export function mmCounter(flags: number): number {
  if ((flags & PG_ANON) !== 0) return MM_ANONPAGES;
  return (flags & PG_SWAPBACKED) !== 0 ? MM_SHMEMPAGES : MM_FILEPAGES;
}
