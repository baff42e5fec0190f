/**
 * The validator: walks the whole state and proves the invariants, by recomputing everything that is kept.
 *
 * - Every present PTE lies in a mapping, grants no more than that allows, and names a frame which counts that mapping
 *   and whose reverse map leads back to it.
 * - Every frame is free once, or has exactly the references that PTEs, page cache, page tables and pipes hold.
 * - Every slot in swap counts the PTEs and files that name it, and each page of the swap cache knows its slot.
 * - A guard marker names no frame; every mapped anonymous page and every cached one is on an LRU list of its cgroup.
 * - A cgroup's charge is the number of frames that name it or a group in it.
 * - Every locked page is off the lists, and memory promised equals what mappings and files were promised.
 * - A page has its write-back flags iff it has the tags; an inode with dirty pages is on its device's list.
 * - Mappings, their trees and gaps, page-cache indexes, dirty tags, LRU lists, Rss and every state counter equal a recount.
 * - Every segment of System V shared memory counts the mappings that show it.
 * - Sets of semaphores count who waits for them, and know the undos that name them.
 * - A TLB holds nothing that its page table does not grant.
 *
 * Between calls no reference is in passing; while one is (a fault), the validator would complain rightly.
 */
import { checkSemaphores } from "../ipc/sem-validate.ts";
import { checkShm } from "../ipc/shm-validate.ts";
import {
  NR_ACTIVE_ANON,
  NR_ACTIVE_FILE,
  NR_ANON_MAPPED,
  NR_FILE_DIRTY,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_FREE_PAGES,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  NR_MLOCK,
  NR_PAGETABLE,
  NR_SHMEM,
  NR_SWAPCACHE,
  NR_UNEVICTABLE,
  NR_WRITEBACK,
  VMSTAT_NAMES,
} from "../trace/vmstat.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { Kernel } from "./kernel.ts";
import { checkDirtyLists, checkMapping, checkSwap } from "./validate-cache.ts";
import { checkCgroups, checkFrames, checkLru, checkShadows } from "./validate-frames.ts";
import { checkMm } from "./validate-page-tables.ts";
import { Recount } from "./validate-recount.ts";

/** The state counters that are recounted. */
const RECOUNTED: readonly number[] = [
  NR_FREE_PAGES,
  NR_INACTIVE_ANON,
  NR_ACTIVE_ANON,
  NR_INACTIVE_FILE,
  NR_ACTIVE_FILE,
  NR_UNEVICTABLE,
  NR_MLOCK,
  NR_ANON_MAPPED,
  NR_FILE_MAPPED,
  NR_FILE_PAGES,
  NR_FILE_DIRTY,
  NR_WRITEBACK,
  NR_SHMEM,
  NR_SWAPCACHE,
  NR_PAGETABLE,
];

/** Everything that is wrong, as sentences; empty when all invariants hold. */
export function validate(kernel: Kernel): string[] {
  const to = new Recount(kernel);
  const mms = new Set<MmStruct>();
  for (const process of kernel.processes.values()) {
    if (process.exitStatus === null) mms.add(process.mm);
  }
  for (const mm of mms) checkMm(to, mm);
  for (const finding of checkShm(kernel.ipc, mms)) to.found(finding);
  for (const finding of checkSemaphores(kernel.semaphores)) to.found(finding);
  for (const owner of kernel.phys.owners.values()) {
    if (owner instanceof AddressSpace) checkMapping(to, owner);
  }
  countPipes(to);
  checkDescriptors(to);
  checkDirtyLists(to);
  checkSwap(to);
  checkLru(to);
  checkCgroups(to);
  checkShadows(to);
  checkFrames(to);
  checkStat(to);
  checkCommit(to);
  return to.findings;
}

/** Frames that pipes have or show: what was written to them, and spliced pages of files and programs. */
function countPipes(to: Recount): void {
  for (const pipe of to.kernel.phys.holders) for (const pfn of pipe.frames()) to.refs[pfn]++;
}

/** Descriptors of all tables, as the bound on them counts them. */
function checkDescriptors(to: Recount): void {
  const { processes, mounts } = to.kernel;
  let descriptors = 0;
  for (const files of new Set([...processes.values()].map((process) => process.files))) {
    for (const [, file] of files.entries()) if (file.openFiles !== undefined) descriptors++;
  }
  const counted = mounts.openFiles.descriptors;
  if (counted !== descriptors) to.found(`${counted} descriptors are counted, ${descriptors} are there`);
}

function checkCommit(to: Recount): void {
  const { committed, lost } = to.kernel.phys.commit;
  const found = to.committed + lost;
  if (committed !== found) to.found(`${committed} pages are promised, ${found} found`);
}

function checkStat(to: Recount): void {
  for (const counter of RECOUNTED) {
    const kept = to.kernel.phys.stat[counter];
    if (kept !== to.stat[counter]) to.found(`${VMSTAT_NAMES[counter]} is ${kept}, ${to.stat[counter]} found`);
  }
}
