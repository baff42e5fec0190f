/**
 * The pages of shmem files and their faults (mm/shmem.c: shmem_get_folio, shmem_fault).
 *
 * There is no storage below. A page that is not in the cache is a hole: reading it gives zeros and allocates nothing,
 * writing or mapping it puts a zeroed frame there. A page that is there is the only copy, so it is never dropped for
 * being clean (PG_SWAPBACKED: swap is where it can go, see shmem-swap.ts). A page that fallocate put there, and nobody has
 * used since, is zeros and counts as a hole to lseek and mincore: it has no PG_UPTODATE.
 */
import { BugError } from "../bug.ts";
import { addToPageCache } from "../filemap/page-cache.ts";
import type { CommitAsker } from "../frames/commit.ts";
import { PG_SWAPBACKED, PG_UPTODATE } from "../frames/page-flags.ts";
import { PAGE_SIZE, type Pfn, type PgOff, type Vaddr } from "../page.ts";
import { ENOMEM, ENOSPC } from "../uapi/errno.ts";
import { AddressSpace, type AddressSpaceOperations } from "../vfs/address-space.ts";
import { fileOf } from "../vfs/file.ts";
import type { Inode } from "../vfs/inode.ts";
import type { Mempolicy } from "../vma/mempolicy.ts";
import { SharedPolicy } from "../vma/shared-policy.ts";
import type { VmArea } from "../vma/vm-area.ts";
import {
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  type VmFault,
  type VmOperations,
} from "../vma/vm-operations.ts";
import { ShmemInode } from "./shmem-inode.ts";
import { isShmemSwapped, shmemSwapin } from "./shmem-swap.ts";

export function shmemOf(inode: Inode): ShmemInode {
  if (!(inode instanceof ShmemInode)) throw new BugError("shmemOf", `inode ${inode.ino} is none of shmem's`);
  return inode;
}

export function cacheOf(inode: Inode): AddressSpace {
  if (inode.mapping === null) throw new BugError("shmem", `inode ${inode.ino} has no page cache`);
  return inode.mapping;
}

/** A hole is all that storage could hold. */
const shmemAops: AddressSpaceOperations = {
  writesBack: false,
  readPages(mapping, _index, pfns, count) {
    for (let i = 0; i < count; i++) mapping.phys.clearPage(pfns[i]);
    return 0;
  },
  writePages: () => 0,
};

/** Gives a new inode of a regular file its page cache. */
export function initShmemMapping(inode: ShmemInode): void {
  inode.mapping = new AddressSpace(inode.sb.context.phys, inode, shmemAops);
}

/**
 * The page at `index`, made where it is a hole (shmem_get_folio, SGP_CACHE): a frame with a reference for the caller,
 * or -ENOSPC, -ENOMEM, -EIO. `asker` is whose address space wants it, where that is known.
 */
export function shmemGetPage(
  inode: ShmemInode,
  index: PgOff,
  asker: CommitAsker | null = null,
): Pfn | number {
  const mapping = cacheOf(inode);
  const { phys } = mapping;
  const cached = mapping.pages.load(index);
  if (cached !== 0) {
    // What fallocate put there becomes data with its first use.
    phys.frames.flags[cached] |= PG_UPTODATE;
    phys.getPage(cached);
    return cached;
  }
  if (isShmemSwapped(inode, index)) return shmemSwapin(inode, index);
  if (!inode.sb.chargePage(inode, asker)) {
    // The file may still be charged for pages that reclaim has dropped unwritten.
    inode.sb.recalc(inode);
    if (!inode.sb.chargePage(inode, asker)) return -ENOSPC;
  }
  const pfn = phys.allocZeroedPage();
  if (pfn === 0) {
    inode.sb.recalc(inode);
    return -ENOMEM;
  }
  phys.frames.flags[pfn] |= PG_UPTODATE | PG_SWAPBACKED;
  // The cache keeps the frame's first reference; the caller gets one of its own.
  addToPageCache(mapping, index, pfn);
  phys.getPage(pfn);
  return pfn;
}

/** A page within the file's size is found or made; one wholly past it is SIGBUS. */
function shmemFault(vmf: VmFault): number {
  const inode = shmemOf(fileOf(vmf.vma).inode);
  if (vmf.pgoff * PAGE_SIZE >= inode.size) return VM_FAULT_SIGBUS;
  inode.sb.wasMajor = false;
  const pfn = shmemGetPage(inode, vmf.pgoff, vmf.vma.mm);
  if (pfn < 0) return pfn === -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
  vmf.page = pfn;
  return inode.sb.wasMajor ? VM_FAULT_LOCKED | VM_FAULT_MAJOR : VM_FAULT_LOCKED;
}

/** A policy is the file's, even if a private mapping of it is what got it. */
function shmemSetPolicy(vma: VmArea, policy: Mempolicy | null): number {
  const inode = shmemOf(fileOf(vma).inode);
  if (inode.policy === undefined && policy === null) return 0;
  inode.policy ??= new SharedPolicy(vma.mm.phys);
  return inode.policy.replace(vma.pgoff, vma.pgoff + (vma.end - vma.start) / PAGE_SIZE, policy);
}

function shmemGetPolicy(vma: VmArea, addr: Vaddr): Mempolicy | null {
  const index = vma.pgoff + Math.floor((addr - vma.start) / PAGE_SIZE);
  return shmemOf(fileOf(vma).inode).policy?.lookup(index) ?? null;
}

/** No pageMkwrite: a shared page may be written as soon as it is mapped, for nothing has to be written back. */
export const shmemVmOps: VmOperations & Required<Pick<VmOperations, "setPolicy" | "getPolicy">> = {
  fault: shmemFault,
  mapsAround: true,
  setPolicy: shmemSetPolicy,
  getPolicy: shmemGetPolicy,
};
