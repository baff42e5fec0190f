/**
 * First touch of a page that a file system provides (do_fault; once do_linear_fault): read, copy-on-write, shared.
 *
 * - A read maps the page-cache page itself, and while it is here the cached pages around it: most programs touch the
 *   neighbours next, and filling a PTE costs far less than a fault (fault-around).
 * - A write to a private mapping never maps the cache's page: it copies it into an anonymous frame at once.
 * - A write to a shared mapping maps the cache's page writable, after the file system has agreed (page_mkwrite).
 */

import { setPageDirty } from "../filemap/dirty.ts";
import { fileUpdateTime } from "../filemap/file-times.ts";
import { isLastPage, mmapMissHits, nextMapPage } from "../filemap/filemap-fault.ts";
import { mlockPage } from "../frames/mlock.ts";
import { PAGE_SIZE } from "../page.ts";
import { PTE_WORDS, PTRS_PER_TABLE } from "../pagetable/pte.ts";
import { mmCounter, pageAddAnonRmap, pageAddFileRmap } from "../rmap/page-mapping.ts";
import { fileOf } from "../vfs/file.ts";
import { anonVmaPrepare } from "../vma/anon-vma.ts";
import { incMmCounter, MM_ANONPAGES } from "../vma/mm-struct.ts";
import { VM_LOCKED, VM_SHARED } from "../vma/vm-flags.ts";
import {
  VM_FAULT_ERROR,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
} from "../vma/vm-operations.ts";
import { CAUSE, type FaultContext, readablePte, writablePte } from "./fault-context.ts";

/** Pages of the aligned window that one read fault may map (fault_around_bytes, 64 KiB). */
export const FAULT_AROUND_PAGES = 16;

export function doFault(vmf: FaultContext): number {
  if (vmf.vma.ops === null) return VM_FAULT_SIGBUS;
  if (!vmf.isWrite) return doReadFault(vmf);
  return (vmf.vma.flags & VM_SHARED) === 0 ? doCowFault(vmf) : doSharedFault(vmf);
}

function doReadFault(vmf: FaultContext): number {
  vmf.cause = CAUSE["file-read"];
  if (vmf.vma.ops?.mapsAround === true && doFaultAround(vmf)) return 0;
  const found = callFault(vmf);
  if ((found & (VM_FAULT_ERROR | VM_FAULT_RETRY)) !== 0) return found;
  // Linux lets go of its locks while it reads, and handles the fault anew: what came with the page is mapped with it.
  if ((found & VM_FAULT_MAJOR) !== 0 && vmf.vma.ops?.mapsAround === true && doFaultAround(vmf)) {
    vmf.phys.putPage(vmf.page);
    return VM_FAULT_MAJOR;
  }
  mapFilePage(vmf, vmf.pte, vmf.page, readablePte(vmf.vma));
  return found & VM_FAULT_MAJOR;
}

function doCowFault(vmf: FaultContext): number {
  const { vma, phys } = vmf;
  vmf.cause = CAUSE["file-cow"];
  if (anonVmaPrepare(vma) !== 0) return VM_FAULT_OOM;
  const copy = phys.allocPage();
  if (copy === 0) return VM_FAULT_OOM;
  const found = callFault(vmf);
  if ((found & (VM_FAULT_ERROR | VM_FAULT_RETRY)) !== 0) {
    phys.putPage(copy);
    return found;
  }
  phys.copyPage(copy, vmf.page);
  phys.putPage(vmf.page);
  pageAddAnonRmap(phys, copy, vmf);
  incMmCounter(vma.mm, MM_ANONPAGES);
  phys.ram.u32[vmf.pte + 1] = copy;
  phys.ram.u32[vmf.pte] = writablePte(vma);
  return found & VM_FAULT_MAJOR;
}

function doSharedFault(vmf: FaultContext): number {
  const { phys } = vmf;
  vmf.cause = CAUSE["file-shared"];
  const found = callFault(vmf);
  if ((found & (VM_FAULT_ERROR | VM_FAULT_RETRY)) !== 0) return found;
  const refused = vmf.vma.ops?.pageMkwrite?.(vmf) ?? 0;
  if (refused !== 0) {
    phys.putPage(vmf.page);
    return refused;
  }
  mapFilePage(vmf, vmf.pte, vmf.page, writablePte(vmf.vma));
  faultDirtySharedPage(vmf, vmf.page);
  return found & VM_FAULT_MAJOR;
}

/** A fault has made a page of a shared mapping writable: that counts as a change of the file, where no page_mkwrite has said so. */
export function faultDirtySharedPage({ phys, vma }: FaultContext, pfn: number): void {
  setPageDirty(phys, pfn);
  if (vma.ops?.pageMkwrite === undefined) fileUpdateTime(fileOf(vma).inode);
}

/** Asks the file system for the page; on success `vmf.page` holds it with a reference. */
function callFault(vmf: FaultContext): number {
  return vmf.vma.ops?.fault(vmf) ?? VM_FAULT_SIGBUS;
}

/** Maps a page-cache page, whose reference passes to the PTE. */
function mapFilePage(vmf: FaultContext, pte: number, pfn: number, word: number): void {
  const { phys, vma } = vmf;
  pageAddFileRmap(phys, pfn);
  if ((vma.flags & VM_LOCKED) !== 0) mlockPage(phys, pfn);
  incMmCounter(vma.mm, mmCounter(phys.frames.flags[pfn]));
  phys.ram.u32[pte + 1] = pfn;
  phys.ram.u32[pte] = word;
}

/**
 * Maps the cached pages of the window of FAULT_AROUND_PAGES pages around the fault, as far as mapping and page table
 * reach (do_fault_around). Answers whether the faulting page was among them.
 *
 * Where the first of them is a disk file's last page and there is no page table yet, Linux 6.18 maps none
 * (filemap_map_pages): the check that keeps a huge page from reaching beyond the end stands before what makes the table.
 */
function doFaultAround(vmf: FaultContext): boolean {
  const { vma, phys } = vmf;
  const { u32 } = phys.ram;
  const pteIndex = (vmf.address / PAGE_SIZE) & (PTRS_PER_TABLE - 1);
  const vmaIndex = vmf.pgoff - vma.pgoff;
  const vmaPages = (vma.end - vma.start) / PAGE_SIZE;
  const from = Math.max(pteIndex & ~(FAULT_AROUND_PAGES - 1), pteIndex - Math.min(pteIndex, vmaIndex));
  const to = Math.min(from + FAULT_AROUND_PAGES, PTRS_PER_TABLE, pteIndex + vmaPages - vmaIndex) - 1;
  const word = readablePte(vma);
  const file = fileOf(vma);
  const { mapping } = file;
  const last = vmf.pgoff + to - pteIndex;
  let index = vmf.pgoff + from - pteIndex;
  let mapped = 0;
  for (;;) {
    const pfn = nextMapPage(mapping, index, last);
    if (pfn === 0) break;
    index = phys.frames.index[pfn];
    if (mapped === 0 && vmf.isNewTable && mapping.canWriteback && isLastPage(mapping, index)) break;
    const pte = vmf.pte + (index - vmf.pgoff) * PTE_WORDS;
    if (u32[pte] === 0) {
      phys.getPage(pfn);
      mapFilePage(vmf, pte, pfn, word);
      mapped++;
    }
    if (index === last) break;
    index++;
  }
  mmapMissHits(file, mapped);
  const done = u32[vmf.pte] !== 0;
  vmf.around = done ? mapped - 1 : mapped;
  return done;
}
