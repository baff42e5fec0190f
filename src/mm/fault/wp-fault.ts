/**
 * Write to a present page that is write-protected (do_wp_page): the heart of copy-on-write.
 *
 * - The page of a shared mapping is only protected so that the first write is noticed: the file system agrees
 *   (page_mkwrite), the page becomes dirty, the PTE writable.
 * - An anonymous page that nobody else maps or holds is this process's alone: made writable in place. That is the
 *   common end of a fork whose other side has exited or copied already.
 * - Who wants to hold the page, not to write it, gets the same, but no right to write (FAULT_FLAG_UNSHARE).
 * - Anything else (the zero page, a page-cache page, an anonymous page somebody else uses too) is copied.
 */
import { munlockPage } from "../frames/mlock.ts";
import { PG_ANON, PG_ANON_EXCLUSIVE, PG_SWAPCACHE } from "../frames/page-flags.ts";
import { PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE } from "../pagetable/pte.ts";
import { mmCounter, pageAddAnonRmap, pageMoveAnonRmap, pageRemoveRmap } from "../rmap/page-mapping.ts";
import { freeSwap } from "../swap/swap-cache.ts";
import { anonVmaPrepare } from "../vma/anon-vma.ts";
import { decMmCounter, incMmCounter, MM_ANONPAGES } from "../vma/mm-struct.ts";
import { VM_LOCKED, VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { VM_FAULT_OOM } from "../vma/vm-operations.ts";
import { CAUSE, type FaultContext, readablePte, writablePte } from "./fault-context.ts";
import { faultDirtySharedPage } from "./file-fault.ts";

export function doWpPage(vmf: FaultContext): number {
  const { phys, vma } = vmf;
  const word = phys.ram.u32[vmf.pte];
  const pfn = phys.ram.u32[vmf.pte + 1];
  if ((vma.flags & VM_SHARED) !== 0) return wpPageShared(vmf, pfn);
  if ((word & PTE_SPECIAL) !== 0) {
    vmf.cause = CAUSE["wp-zero"];
    return wpPageCopy(vmf, 0);
  }
  if (wpCanReuseAnonPage(vmf, pfn)) {
    vmf.cause = CAUSE["wp-reuse"];
    if (!vmf.isUnshare) makeWritable(vmf);
    return 0;
  }
  vmf.cause = CAUSE["wp-copy"];
  if (phys.tracer.enabled && (phys.frames.flags[pfn] & PG_ANON) !== 0) vmf.noteSharer(pfn);
  return wpPageCopy(vmf, pfn);
}

function wpPageShared(vmf: FaultContext, pfn: number): number {
  vmf.cause = CAUSE["wp-shared"];
  vmf.page = pfn;
  const refused = vmf.vma.ops?.pageMkwrite?.(vmf) ?? 0;
  if (refused !== 0) return refused;
  makeWritable(vmf);
  faultDirtySharedPage(vmf, pfn);
  return 0;
}

/** Whether this process is the only one that can reach the page (wp_can_reuse_anon_folio); then notes that it is. */
function wpCanReuseAnonPage(vmf: FaultContext, pfn: number): boolean {
  const { frames } = vmf.phys;
  const flags = frames.flags[pfn];
  if ((flags & PG_ANON) === 0) return false;
  if ((flags & PG_ANON_EXCLUSIVE) !== 0) return true;
  const isCached = (flags & PG_SWAPCACHE) !== 0;
  if (frames.refCount[pfn] > (isCached ? 2 : 1)) return false;
  if (isCached && !freeSwap(vmf.phys, pfn)) return false;
  // The page may still name the anon_vma of the ancestor it came from: it is ours now.
  pageMoveAnonRmap(vmf.phys, pfn, vmf.vma);
  frames.flags[pfn] |= PG_ANON_EXCLUSIVE;
  return true;
}

/** Writable where the mapping is (maybe_mkwrite): a debugger writes to pages that their owner may only read. */
function makeWritable(vmf: FaultContext): void {
  const write = (vmf.vma.flags & VM_WRITE) !== 0 ? PTE_WRITE : 0;
  vmf.phys.ram.u32[vmf.pte] |= write | PTE_DIRTY | PTE_ACCESSED;
}

/** Gives the mapping a copy of frame `old` (0: of the zero page) of its own. */
function wpPageCopy(vmf: FaultContext, old: number): number {
  const { phys, vma } = vmf;
  if (anonVmaPrepare(vma) !== 0) return VM_FAULT_OOM;
  // Held, so that reclaim for the new frame can't take the old one away.
  if (old !== 0) phys.getPage(old);
  const copy = old === 0 ? phys.allocZeroedPage() : phys.allocPage();
  if (copy === 0) {
    if (old !== 0) phys.putPage(old);
    return VM_FAULT_OOM;
  }
  const { mm } = vma;
  const { u32 } = phys.ram;
  if (old !== 0) {
    const now = u32[vmf.pte];
    if (now !== 0 && ((now & PTE_PRESENT) === 0 || u32[vmf.pte + 1] !== old)) {
      // Something else is there now: the access is taken again.
      phys.putPage(copy);
      phys.putPage(old);
      return 0;
    }
    phys.copyPage(copy, old);
    // Reclaim may have unmapped the old page while it looked for a frame.
    if (u32[vmf.pte] !== 0) {
      decMmCounter(mm, mmCounter(phys.frames.flags[old]));
      pageRemoveRmap(phys, old);
      if ((vma.flags & VM_LOCKED) !== 0) munlockPage(phys, old);
      phys.putPage(old);
      // It may have been the last who needed the slot that the page has in swap (free_swap_cache).
      if (phys.frames.mapCount[old] === 0) freeSwap(phys, old);
    }
    phys.putPage(old);
  }
  pageAddAnonRmap(phys, copy, vmf);
  incMmCounter(mm, MM_ANONPAGES);
  u32[vmf.pte + 1] = copy;
  u32[vmf.pte] = vmf.isUnshare ? readablePte(vma) : writablePte(vma);
  mm.tlb.flushPage(vmf.address);
  return 0;
}
