/**
 * The validator on frames: each is free once or has the references and mappings that were counted, stands on the list that
 * its flags say, and is charged to a cgroup that is there.
 */
import { MAX_PAGE_ORDER } from "../frames/buddy.ts";
import { forEachLru } from "../frames/lru.ts";
import { isActiveGen, lruGenOf } from "../frames/lru-gen.ts";
import {
  LISTS_PER_LRUVEC,
  LRU_ACTIVE,
  LRU_GEN_LISTS,
  LRU_INACTIVE_FILE,
  LRU_UNEVICTABLE,
  MAX_MEM_CGROUPS,
  ROOT_MEM_CGROUP,
} from "../frames/lruvec.ts";
import {
  PG_ACTIVE,
  PG_ANON,
  PG_BUDDY,
  PG_DIRTY,
  PG_LRU,
  PG_MLOCKED,
  PG_RECLAIM,
  PG_SHM_LOCKED,
  PG_SWAPBACKED,
  PG_UNEVICTABLE,
  PG_WRITEBACK,
} from "../frames/page-flags.ts";
import type { Pfn } from "../page.ts";
import {
  NR_ANON_MAPPED,
  NR_FILE_MAPPED,
  NR_FREE_PAGES,
  NR_INACTIVE_ANON,
  NR_INACTIVE_FILE,
  NR_MLOCK,
  NR_UNEVICTABLE,
  NR_WRITEBACK,
  WORKINGSET_NODES,
} from "../trace/vmstat.ts";
import type { Recount } from "./validate-recount.ts";

export function checkLru(to: Recount): void {
  const { phys } = to.kernel;
  for (const group of phys.memcg.subtree(ROOT_MEM_CGROUP)) {
    for (let list = 0; list < LISTS_PER_LRUVEC; list++) {
      if (list !== LRU_UNEVICTABLE) checkList(to, group, list);
    }
  }
}

function checkList(to: Recount, group: number, list: number): void {
  const { phys } = to.kernel;
  const { flags, memcg } = phys.frames;
  const isGeneration = list >= LRU_GEN_LISTS;
  const gen = (list - LRU_GEN_LISTS) >> 1;
  const isFile = isGeneration ? (list & 1) === 1 : list >= LRU_INACTIVE_FILE;
  const isActive = isGeneration ? isActiveGen(phys.lruvecs.maxSeq[group], gen) : (list & 1) === LRU_ACTIVE;
  const item = (isFile ? NR_INACTIVE_FILE : NR_INACTIVE_ANON) + (isActive ? 1 : 0);
  const at = `list ${list} of cgroup ${group}`;
  let count = 0;
  forEachLru(phys, group, list, (pfn) => {
    count++;
    const now = flags[pfn];
    if ((now & (PG_LRU | PG_UNEVICTABLE)) !== PG_LRU) to.found(`${at}: frame ${pfn} has flags ${now}`);
    if (memcg[pfn] !== group) to.found(`${at}: frame ${pfn} is of cgroup ${memcg[pfn]}`);
    if (isFile === ((now & PG_SWAPBACKED) !== 0)) to.found(`${at}: frame ${pfn} is not of its kind`);
    if (isGeneration ? lruGenOf(now) !== gen : isActive !== ((now & PG_ACTIVE) !== 0))
      to.found(`${at}: frame ${pfn} belongs on another list`);
  });
  to.stat[item] += count;
  const kept = phys.lruvecs.lruSize(group, list);
  if (kept !== count) to.found(`${at} counts ${kept} pages, has ${count}`);
}

export function checkShadows(to: Recount): void {
  const { shadowNodes, stat } = to.kernel.phys;
  const kept = stat[WORKINGSET_NODES];
  if (kept !== shadowNodes.size) to.found(`workingset_nodes is ${kept}, there are ${shadowNodes.size}`);
}

/** Every group is charged for the frames that name it or a group in it. */
export function checkCgroups(to: Recount): void {
  const { phys } = to.kernel;
  const { memcg: owners } = phys.frames;
  const own = new Float64Array(MAX_MEM_CGROUPS);
  for (let pfn: number = phys.ram.firstPfn; pfn < phys.ram.endPfn; pfn++) own[owners[pfn]]++;
  for (const group of phys.memcg.subtree(ROOT_MEM_CGROUP)) {
    if (group === ROOT_MEM_CGROUP) continue;
    let found = 0;
    for (const at of phys.memcg.subtree(group)) found += own[at];
    const { usage } = phys.memcg;
    if (usage[group] !== found) to.found(`cgroup ${group} is charged ${usage[group]} frames, ${found} found`);
  }
  for (const [group, count] of own.entries()) {
    if (count > 0 && !phys.memcg.isOnline(group))
      to.found(`${count} frames name cgroup ${group}, which is gone`);
  }
}

export function checkFrames(to: Recount): void {
  const { phys } = to.kernel;
  const { flags, refCount, mapCount } = phys.frames;
  const free = new Uint8Array(phys.ram.endPfn);
  let writing = 0;
  phys.buddy.forEachFree((first, order) => {
    if (order > MAX_PAGE_ORDER || first % 2 ** order !== 0) to.found(`free block ${first} of order ${order}`);
    for (let pfn: number = first; pfn < first + 2 ** order; pfn++) free[pfn]++;
    to.stat[NR_FREE_PAGES] += 2 ** order;
  });
  for (let pfn: number = phys.ram.firstPfn; pfn < phys.ram.endPfn; pfn++) {
    if (free[pfn] > 1) to.found(`frame ${pfn} is free ${free[pfn]} times`);
    if (free[pfn] === 1 && (flags[pfn] & ~PG_BUDDY) !== 0) to.found(`free frame ${pfn} has flags`);
    if (free[pfn] === 0 && refCount[pfn] === 0) to.found(`frame ${pfn} is lost: neither free nor held`);
    if (refCount[pfn] !== to.refs[pfn])
      to.found(`frame ${pfn} has ${refCount[pfn]} references, ${to.refs[pfn]} found`);
    if (mapCount[pfn] !== to.maps[pfn])
      to.found(`frame ${pfn} is mapped ${mapCount[pfn]} times, ${to.maps[pfn]} found`);
    checkLocks(to, pfn);
    if ((flags[pfn] & PG_WRITEBACK) !== 0) writing++;
    // A dirty page of a file waits for one that is still to come.
    else if ((flags[pfn] & (PG_RECLAIM | PG_DIRTY)) === PG_RECLAIM)
      to.found(`frame ${pfn} waits for a write that is over`);
    if (to.maps[pfn] > 0) to.stat[(flags[pfn] & PG_ANON) !== 0 ? NR_ANON_MAPPED : NR_FILE_MAPPED]++;
  }
  if (writing !== to.stat[NR_WRITEBACK])
    to.found(`${writing} frames are being written, ${to.stat[NR_WRITEBACK]} of them in a cache`);
}

/** A frame is locked in memory, off the lists, as often as PTEs of locked mappings name it. */
function checkLocks(to: Recount, pfn: Pfn): void {
  const { flags, lruPrev } = to.kernel.phys.frames;
  let locks = to.locks[pfn];
  // Some were left behind, and nobody knows where.
  if (to.kernel.phys.lostLocks && (flags[pfn] & PG_MLOCKED) !== 0 && lruPrev[pfn] > locks)
    locks = lruPrev[pfn];
  // A page of a file that SHM_LOCK keeps is unevictable with locks and without.
  const held = flags[pfn] & PG_SHM_LOCKED ? flags[pfn] & PG_UNEVICTABLE : 0;
  const wanted = locks > 0 ? PG_MLOCKED | PG_UNEVICTABLE | PG_LRU : held;
  const found = flags[pfn] & (PG_MLOCKED | PG_UNEVICTABLE | (locks > 0 ? PG_LRU : 0));
  if (found !== wanted) to.found(`frame ${pfn} is locked ${locks} times and has flags ${flags[pfn]}`);
  if (locks === 0) {
    if (held !== 0) to.stat[NR_UNEVICTABLE]++;
    return;
  }
  if (lruPrev[pfn] !== locks) to.found(`frame ${pfn} counts ${lruPrev[pfn]} locks, ${locks} found`);
  to.stat[NR_MLOCK]++;
  to.stat[NR_UNEVICTABLE]++;
}
