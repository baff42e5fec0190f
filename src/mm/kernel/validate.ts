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
import { XA_DIRTY, XA_TOWRITE, XA_WRITEBACK } from "../../lib/xarray.ts";
import { dirtyStateFinding } from "../filemap/flusher.ts";
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
  PG_ANON_EXCLUSIVE,
  PG_BUDDY,
  PG_DIRTY,
  PG_LRU,
  PG_MLOCKED,
  PG_RECLAIM,
  PG_SHM_LOCKED,
  PG_SWAPBACKED,
  PG_SWAPCACHE,
  PG_TABLE,
  PG_UNEVICTABLE,
  PG_WRITEBACK,
} from "../frames/page-flags.ts";
import { ZERO_PFN } from "../frames/ram.ts";
import { TLB_ENTRIES, TLB_ENTRY_BYTES } from "../frames/tlb-layout.ts";
import { checkSemaphores } from "../ipc/sem-validate.ts";
import { checkShm } from "../ipc/shm-validate.ts";
import { PAGE_SIZE, type Pfn, pageAlign, type Vaddr } from "../page.ts";
import {
  isSwapPte,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_EXEC,
  PTE_GUARD,
  PTE_POISONED,
  PTE_PRESENT,
  PTE_PROT,
  PTE_READ,
  PTE_SPECIAL,
  PTE_SWP_EXCLUSIVE,
  PTE_WORDS,
  PTE_WRITE,
  PTRS_PER_TABLE,
} from "../pagetable/pte.ts";
import { mmCounter } from "../rmap/page-mapping.ts";
import { ShmemInode } from "../shmem/shmem-inode.ts";
import { pteToSwpEntry, type SwpEntry, swpEntry, swpType } from "../swap/swap-entry.ts";
import { swapOf } from "../swap/swap-space.ts";
import { swapWritebackFindings } from "../swap/swap-writeback.ts";
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
  WORKINGSET_NODES,
} from "../trace/vmstat.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import { fileOf } from "../vfs/file.ts";
import { AnonVma } from "../vma/anon-vma.ts";
import { MM_SWAPENTS, type MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_ACCOUNT, VM_LOCKED, VM_MAYBE_GUARD, VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { checkVmaTree } from "../vma/vma-validate.ts";
import type { Kernel } from "./kernel.ts";

/** Everything that is wrong, as sentences; empty when all invariants hold. */
export function validate(kernel: Kernel): string[] {
  return new Validation(kernel).run();
}

class Validation {
  readonly #kernel: Kernel;
  readonly #findings: string[] = [];
  /** What the walk counted for each frame. */
  readonly #maps: Int32Array;
  readonly #refs: Int32Array;
  /** How many PTEs and files name each slot in swap. */
  readonly #slots: Map<SwpEntry, number> = new Map();
  /** PTEs of locked mappings. */
  readonly #locks: Int32Array;
  /** Pages that mappings and files have been promised. */
  #committed = 0;
  /** What the walk counted for each state counter. */
  readonly #stat: Float64Array;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#maps = new Int32Array(kernel.phys.ram.endPfn);
    this.#refs = new Int32Array(kernel.phys.ram.endPfn);
    this.#locks = new Int32Array(kernel.phys.ram.endPfn);
    this.#stat = new Float64Array(VMSTAT_NAMES.length);
  }

  run(): string[] {
    const mms = new Set<MmStruct>();
    for (const process of this.#kernel.processes.values()) {
      if (process.exitStatus === null) mms.add(process.mm);
    }
    for (const mm of mms) this.#checkMm(mm);
    for (const finding of checkShm(this.#kernel.ipc, mms)) this.#found(finding);
    for (const finding of checkSemaphores(this.#kernel.semaphores)) this.#found(finding);
    for (const owner of this.#kernel.phys.owners.values()) {
      if (owner instanceof AddressSpace) this.#checkMapping(owner);
    }
    this.#countPipes();
    this.#countDescriptors();
    this.#checkDirtyLists();
    this.#checkSwap();
    this.#checkLru();
    this.#checkCgroups();
    this.#checkShadows();
    this.#checkFrames();
    this.#checkStat();
    this.#checkCommit();
    return this.#findings;
  }

  #found(finding: string): void {
    // The first few say what is wrong; thousands would only bury them.
    if (this.#findings.length < 50) this.#findings.push(finding);
  }

  #checkMm(mm: MmStruct): void {
    for (const finding of checkVmaTree(mm)) this.#found(finding);
    for (const { start, end, flags } of mm.vmas) {
      if ((flags & VM_ACCOUNT) !== 0) this.#committed += (end - start) / PAGE_SIZE;
    }
    const { frames } = mm.phys;
    const rss = new Int32Array(mm.rss.length);
    let tables = 0;
    mm.pageTable.forEachTable((table, level, addr) => {
      tables++;
      this.#refs[table]++;
      this.#stat[NR_PAGETABLE]++;
      if ((frames.flags[table] & PG_TABLE) === 0) this.#found(`table in frame ${table} is not marked as one`);
      const span = PAGE_SIZE * PTRS_PER_TABLE ** (level + 1);
      if (table !== mm.pageTable.pgd && mm.vmas.findIntersection(addr, addr + span) === null)
        this.#found(`table ${table} of 0x${addr.toString(16)}, level ${level}, serves no mapping`);
      if (level === 0) this.#checkTable(mm, table, addr, rss);
    });
    if (tables !== mm.pageTable.tables) this.#found(`${mm.pageTable.tables} tables counted, ${tables} found`);
    for (const [kind, count] of rss.entries()) {
      if (count !== mm.rss[kind]) this.#found(`rss[${kind}] is ${mm.rss[kind]}, the page table has ${count}`);
    }
    this.#checkTlb(mm);
  }

  #checkTable(mm: MmStruct, table: Pfn, base: Vaddr, rss: Int32Array): void {
    const { u32 } = mm.phys.ram;
    for (let index = 0; index < PTRS_PER_TABLE; index++) {
      const pte = (table * PAGE_SIZE) / 4 + index * PTE_WORDS;
      const word = u32[pte];
      if (word === 0) continue;
      const addr = base + index * PAGE_SIZE;
      const vma = mm.vmas.lookup(addr);
      if (vma === null) this.#found(`PTE of 0x${addr.toString(16)} lies in no mapping`);
      else if (word === PTE_GUARD) this.#checkGuard(vma, addr, u32[pte + 1]);
      else if ((word & PTE_PRESENT) === 0) this.#checkSwapPte(vma, addr, word, u32[pte + 1], rss);
      else this.#checkPte(vma, addr, word, u32[pte + 1], rss);
    }
  }

  #checkGuard(vma: VmArea, addr: Vaddr, second: number): void {
    const at = `guard marker at 0x${addr.toString(16)}`;
    if (second !== 0) this.#found(`${at} names frame ${second}`);
    if ((vma.flags & VM_MAYBE_GUARD) === 0)
      this.#found(`${at}: its mapping has no VM_MAYBE_GUARD, so fork would lose it`);
  }

  #checkSwapPte(vma: VmArea, addr: Vaddr, word: number, offset: number, rss: Int32Array): void {
    if (word === PTE_POISONED) return;
    const at = `PTE of 0x${addr.toString(16)}`;
    const type = swpType(pteToSwpEntry(word, 0));
    const swap = swapOf(this.#kernel.phys);
    const info = swap?.areas[type];
    if (!isSwapPte(word) || swap == null || info === undefined || offset >= info.max) {
      this.#found(`${at} is no swap entry, but ${word}, ${offset}`);
      return;
    }
    rss[MM_SWAPENTS]++;
    this.#nameSlot(pteToSwpEntry(word, offset));
    if (vma.anonVma === null) this.#found(`${at} is in swap, but its mapping has no anon_vma`);
    if ((word & PTE_SWP_EXCLUSIVE) !== 0 && info.map[offset] !== 1)
      this.#found(`${at} is exclusive, but its slot is named ${info.map[offset]} times`);
  }

  #nameSlot(entry: SwpEntry): void {
    this.#slots.set(entry, (this.#slots.get(entry) ?? 0) + 1);
  }

  /** Every slot is named as often as it counts, and each cached page says which slot it has. */
  #checkSwap(): void {
    const { phys } = this.#kernel;
    const swap = swapOf(phys);
    if (swap === null) return;
    for (const finding of swap.findings()) this.#found(finding);
    let writing = 0;
    for (const info of swap.list()) {
      for (let slot = 1; slot < info.max; slot++) {
        if (info.map[slot] < 0) continue;
        const entry = swpEntry(info.type, slot);
        const named = this.#slots.get(entry) ?? 0;
        if (named !== info.map[slot])
          this.#found(`slot ${slot} of ${info.name} counts ${info.map[slot]} names, ${named} found`);
        const pfn = info.cache[slot];
        if (pfn === 0) continue;
        this.#refs[pfn]++;
        this.#stat[NR_SWAPCACHE]++;
        this.#stat[NR_FILE_PAGES]++;
        const { flags, priv } = phys.frames;
        if ((flags[pfn] & PG_WRITEBACK) !== 0) writing++;
        if (
          (flags[pfn] & (PG_SWAPCACHE | PG_SWAPBACKED)) !== (PG_SWAPCACHE | PG_SWAPBACKED) ||
          priv[pfn] !== entry
        )
          this.#found(
            `frame ${pfn} in the swap cache at ${entry} has flags ${flags[pfn]}, entry ${priv[pfn]}`,
          );
        if ((flags[pfn] & PG_LRU) === 0) this.#found(`frame ${pfn} in the swap cache is on no LRU list`);
      }
    }
    this.#stat[NR_WRITEBACK] += writing;
    for (const finding of swapWritebackFindings(swap, writing)) this.#found(finding);
  }

  #checkPte(vma: VmArea, addr: Vaddr, word: number, pfn: Pfn, rss: Int32Array): void {
    const { phys } = this.#kernel;
    const at = `PTE of 0x${addr.toString(16)}`;
    const allowed = vma.pageProt | ((vma.flags & VM_WRITE) !== 0 ? PTE_WRITE : 0);
    if ((word & PTE_PROT & ~allowed) !== 0) this.#found(`${at} grants more than its mapping`);
    if ((word & PTE_SPECIAL) !== 0) {
      if (pfn !== ZERO_PFN || (word & PTE_WRITE) !== 0) this.#found(`${at} is special, but frame ${pfn}`);
      return;
    }
    const flags = phys.frames.flags[pfn];
    this.#maps[pfn]++;
    this.#refs[pfn]++;
    if ((vma.flags & VM_LOCKED) !== 0) this.#locks[pfn]++;
    rss[mmCounter(flags)]++;
    const page = vma.pgoff + (addr - vma.start) / PAGE_SIZE;
    if (phys.frames.index[pfn] !== page)
      this.#found(`${at}: frame ${pfn} has index ${phys.frames.index[pfn]}, not ${page}`);
    const owner = phys.owners.get(phys.frames.mapping[pfn]);
    if ((flags & PG_ANON) !== 0) {
      if ((flags & PG_LRU) === 0) this.#found(`${at}: anonymous frame ${pfn} is on no list`);
      if (!(owner instanceof AnonVma)) this.#found(`${at}: anonymous frame ${pfn} has no anon_vma`);
      else if (!leadsTo(owner, vma, page))
        this.#found(`${at}: the anon_vma of frame ${pfn} does not lead back`);
      const writable = (word & PTE_WRITE) !== 0;
      if (writable && (flags & PG_ANON_EXCLUSIVE) === 0)
        this.#found(`${at}: writable, but frame ${pfn} is shared`);
      if ((flags & PG_ANON_EXCLUSIVE) !== 0 && phys.frames.mapCount[pfn] !== 1) {
        this.#found(`${at}: frame ${pfn} is exclusive and mapped ${phys.frames.mapCount[pfn]} times`);
      }
    } else {
      if (vma.file === null || owner !== fileOf(vma).mapping)
        this.#found(`${at}: frame ${pfn} is not of the mapped file`);
      if ((word & PTE_WRITE) !== 0 && (vma.flags & VM_SHARED) === 0)
        this.#found(`${at}: page cache writable through a private mapping`);
      const noticed = (vma.pageProt & PTE_WRITE) === 0;
      if (noticed && (word & PTE_WRITE) !== 0 && (flags & PG_DIRTY) === 0)
        this.#found(`${at}: writable, but frame ${pfn} is clean`);
    }
  }

  #checkMapping(mapping: AddressSpace): void {
    const { frames } = mapping.phys;
    let count = 0;
    for (let pfn = mapping.pages.next(0); pfn !== 0; ) {
      const { index } = mapping.pages;
      const at = `page ${index} of mapping ${mapping.id}`;
      count++;
      this.#refs[pfn]++;
      this.#stat[NR_FILE_PAGES]++;
      if (!mapping.ops.writesBack) this.#stat[NR_SHMEM]++;
      if (frames.mapping[pfn] !== mapping.id || frames.index[pfn] !== index)
        this.#found(`${at}: frame ${pfn} says otherwise`);
      if ((frames.flags[pfn] & PG_LRU) === 0) this.#found(`${at}: on no LRU list`);
      if (((frames.flags[pfn] & PG_SHM_LOCKED) !== 0) !== mapping.isUnevictable)
        this.#found(`${at}: the frame does not know whether its file stays in memory`);
      const dirty = (frames.flags[pfn] & PG_DIRTY) !== 0;
      if (mapping.ops.writesBack) {
        if (dirty) this.#stat[NR_FILE_DIRTY]++;
        if (mapping.pages.getTag(index, XA_DIRTY) !== dirty) this.#found(`${at}: dirty flag and tag differ`);
      }
      const isWriteback = (frames.flags[pfn] & PG_WRITEBACK) !== 0;
      if (isWriteback) this.#stat[NR_WRITEBACK]++;
      if (mapping.pages.getTag(index, XA_WRITEBACK) !== isWriteback)
        this.#found(`${at}: writeback flag and tag differ`);
      pfn = mapping.pages.next(index + 1);
    }
    const { host } = mapping;
    if (host instanceof ShmemInode) {
      this.#checkShmemSwap(host);
      this.#committed += host.isReserved ? pageAlign(host.size) / PAGE_SIZE : host.chargedPages;
    }
    if (mapping.pages.isTagged(XA_TOWRITE))
      this.#found(`mapping ${mapping.id}: a page waits for a sync that is over`);
    const wrong = dirtyStateFinding(host);
    if (wrong !== "") this.#found(`inode ${host.ino} of ${host.sb.fsName} ${wrong}`);
    if (count !== mapping.pages.size)
      this.#found(`mapping ${mapping.id} counts ${mapping.pages.size} pages, has ${count}`);
  }

  /** Frames that pipes have or show: what was written to them, and spliced pages of files and programs. */
  #countPipes(): void {
    for (const pipe of this.#kernel.phys.holders) for (const pfn of pipe.frames()) this.#refs[pfn]++;
  }

  /** Descriptors of all tables, as the bound on them counts them. */
  #countDescriptors(): void {
    let descriptors = 0;
    for (const files of new Set([...this.#kernel.processes.values()].map((process) => process.files))) {
      for (const [, file] of files.entries()) if (file.openFiles !== undefined) descriptors++;
    }
    const counted = this.#kernel.mounts.openFiles.descriptors;
    if (counted !== descriptors) this.#found(`${counted} descriptors are counted, ${descriptors} are there`);
  }

  /** What waits for the flusher knows it, and the flusher knows of the device. */
  #checkDirtyLists(): void {
    const { writeback } = this.#kernel.mounts;
    for (const { bdi, fsName } of this.#kernel.mounts.superBlocks()) {
      if (bdi?.hasDirtyIo !== true) continue;
      if (!writeback.devices.has(bdi)) this.#found(`the flusher does not know that ${fsName} is dirty`);
      for (const list of [bdi.bDirty, bdi.bIo, bdi.bMoreIo]) {
        for (const inode of list) {
          if (inode.ioList !== list || inode.dirtyState === 0)
            this.#found(`an inode of ${fsName} is on a list of dirty ones and does not know`);
        }
      }
      if (writeback.intervalNs < Number.POSITIVE_INFINITY && writeback.nextWakeNs > bdi.wakeAtNs)
        this.#found(`the flusher comes to ${fsName} too late`);
    }
  }

  #checkShmemSwap(inode: ShmemInode): void {
    const { swapped, swappedPages } = inode;
    let inSwap = 0;
    for (let entry = swapped.next(0); entry !== 0; entry = swapped.next(swapped.index + 1)) {
      if (inode.mapping?.pages.load(swapped.index) !== 0)
        this.#found(`page ${swapped.index} of shmem inode ${inode.ino} is in memory and in swap`);
      // The rest are lost pages.
      if (entry < 0) continue;
      inSwap++;
      this.#nameSlot(entry);
    }
    if (inSwap !== swappedPages)
      this.#found(`shmem inode ${inode.ino} counts ${swappedPages} swapped, has ${inSwap}`);
    const pages = (inode.mapping?.pages.size ?? 0) + inSwap;
    // More, where reclaim has dropped pages that nobody had written: the next change of the file makes that good.
    if (inode.chargedPages < pages)
      this.#found(`shmem inode ${inode.ino} is charged ${inode.chargedPages} pages, has ${pages}`);
  }

  #checkLru(): void {
    const { phys } = this.#kernel;
    for (const group of phys.memcg.subtree(ROOT_MEM_CGROUP)) {
      for (let list = 0; list < LISTS_PER_LRUVEC; list++) {
        if (list !== LRU_UNEVICTABLE) this.#checkList(group, list);
      }
    }
  }

  #checkList(group: number, list: number): void {
    const { phys } = this.#kernel;
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
      if ((now & (PG_LRU | PG_UNEVICTABLE)) !== PG_LRU) this.#found(`${at}: frame ${pfn} has flags ${now}`);
      if (memcg[pfn] !== group) this.#found(`${at}: frame ${pfn} is of cgroup ${memcg[pfn]}`);
      if (isFile === ((now & PG_SWAPBACKED) !== 0)) this.#found(`${at}: frame ${pfn} is not of its kind`);
      if (isGeneration ? lruGenOf(now) !== gen : isActive !== ((now & PG_ACTIVE) !== 0))
        this.#found(`${at}: frame ${pfn} belongs on another list`);
    });
    this.#stat[item] += count;
    const kept = phys.lruvecs.lruSize(group, list);
    if (kept !== count) this.#found(`${at} counts ${kept} pages, has ${count}`);
  }

  #checkShadows(): void {
    const { shadowNodes, stat } = this.#kernel.phys;
    const kept = stat[WORKINGSET_NODES];
    if (kept !== shadowNodes.size) this.#found(`workingset_nodes is ${kept}, there are ${shadowNodes.size}`);
  }

  /** Every group is charged for the frames that name it or a group in it. */
  #checkCgroups(): void {
    const { phys } = this.#kernel;
    const { memcg: owners } = phys.frames;
    const own = new Float64Array(MAX_MEM_CGROUPS);
    for (let pfn: number = phys.ram.firstPfn; pfn < phys.ram.endPfn; pfn++) own[owners[pfn]]++;
    for (const group of phys.memcg.subtree(ROOT_MEM_CGROUP)) {
      if (group === ROOT_MEM_CGROUP) continue;
      let found = 0;
      for (const at of phys.memcg.subtree(group)) found += own[at];
      const { usage } = phys.memcg;
      if (usage[group] !== found)
        this.#found(`cgroup ${group} is charged ${usage[group]} frames, ${found} found`);
    }
    for (const [group, count] of own.entries()) {
      if (count > 0 && !phys.memcg.isOnline(group))
        this.#found(`${count} frames name cgroup ${group}, which is gone`);
    }
  }

  #checkFrames(): void {
    const { phys } = this.#kernel;
    const { flags, refCount, mapCount } = phys.frames;
    const free = new Uint8Array(phys.ram.endPfn);
    let writing = 0;
    phys.buddy.forEachFree((first, order) => {
      if (order > MAX_PAGE_ORDER || first % 2 ** order !== 0)
        this.#found(`free block ${first} of order ${order}`);
      for (let pfn: number = first; pfn < first + 2 ** order; pfn++) free[pfn]++;
      this.#stat[NR_FREE_PAGES] += 2 ** order;
    });
    for (let pfn: number = phys.ram.firstPfn; pfn < phys.ram.endPfn; pfn++) {
      if (free[pfn] > 1) this.#found(`frame ${pfn} is free ${free[pfn]} times`);
      if (free[pfn] === 1 && (flags[pfn] & ~PG_BUDDY) !== 0) this.#found(`free frame ${pfn} has flags`);
      if (free[pfn] === 0 && refCount[pfn] === 0) this.#found(`frame ${pfn} is lost: neither free nor held`);
      if (refCount[pfn] !== this.#refs[pfn])
        this.#found(`frame ${pfn} has ${refCount[pfn]} references, ${this.#refs[pfn]} found`);
      if (mapCount[pfn] !== this.#maps[pfn])
        this.#found(`frame ${pfn} is mapped ${mapCount[pfn]} times, ${this.#maps[pfn]} found`);
      this.#checkLocks(pfn);
      if ((flags[pfn] & PG_WRITEBACK) !== 0) writing++;
      // A dirty page of a file waits for one that is still to come.
      else if ((flags[pfn] & (PG_RECLAIM | PG_DIRTY)) === PG_RECLAIM)
        this.#found(`frame ${pfn} waits for a write that is over`);
      if (this.#maps[pfn] > 0) this.#stat[(flags[pfn] & PG_ANON) !== 0 ? NR_ANON_MAPPED : NR_FILE_MAPPED]++;
    }
    if (writing !== this.#stat[NR_WRITEBACK])
      this.#found(`${writing} frames are being written, ${this.#stat[NR_WRITEBACK]} of them in a cache`);
  }

  /** A frame is locked in memory, off the lists, as often as PTEs of locked mappings name it. */
  #checkLocks(pfn: Pfn): void {
    const { flags, lruPrev } = this.#kernel.phys.frames;
    let locks = this.#locks[pfn];
    // Some were left behind, and nobody knows where.
    if (this.#kernel.phys.lostLocks && (flags[pfn] & PG_MLOCKED) !== 0 && lruPrev[pfn] > locks)
      locks = lruPrev[pfn];
    // A page of a file that SHM_LOCK keeps is unevictable with locks and without.
    const held = flags[pfn] & PG_SHM_LOCKED ? flags[pfn] & PG_UNEVICTABLE : 0;
    const wanted = locks > 0 ? PG_MLOCKED | PG_UNEVICTABLE | PG_LRU : held;
    const found = flags[pfn] & (PG_MLOCKED | PG_UNEVICTABLE | (locks > 0 ? PG_LRU : 0));
    if (found !== wanted) this.#found(`frame ${pfn} is locked ${locks} times and has flags ${flags[pfn]}`);
    if (locks === 0) {
      if (held !== 0) this.#stat[NR_UNEVICTABLE]++;
      return;
    }
    if (lruPrev[pfn] !== locks) this.#found(`frame ${pfn} counts ${lruPrev[pfn]} locks, ${locks} found`);
    this.#stat[NR_MLOCK]++;
    this.#stat[NR_UNEVICTABLE]++;
  }

  #checkCommit(): void {
    const { committed, lost } = this.#kernel.phys.commit;
    const found = this.#committed + lost;
    if (committed !== found) this.#found(`${committed} pages are promised, ${found} found`);
  }

  #checkStat(): void {
    const recounted = [
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
    for (const counter of recounted) {
      const kept = this.#kernel.phys.stat[counter];
      if (kept !== this.#stat[counter])
        this.#found(`${VMSTAT_NAMES[counter]} is ${kept}, ${this.#stat[counter]} found`);
    }
  }

  /** Everything a TLB grants, the page table grants, too. */
  #checkTlb(mm: MmStruct): void {
    if (!mm.tlb.hasSlot) return;
    const { u32 } = mm.phys.ram;
    for (let index = 0; index < TLB_ENTRIES; index++) {
      const entry = (mm.tlb.base + index * TLB_ENTRY_BYTES) / 4;
      for (const [word, needed] of TLB_GRANTS) {
        const low = u32[entry + word];
        if (low === 0xffffffff) continue;
        const addr = u32[entry + word + 1] * 2 ** 32 + low;
        const pte = mm.pageTable.walk(addr);
        const granted = pte === 0 ? 0 : u32[pte];
        if ((granted & needed) !== needed || u32[pte + 1] * PAGE_SIZE !== u32[entry + 6]) {
          this.#found(`TLB entry ${index} grants 0x${addr.toString(16)} what its PTE does not`);
        }
      }
    }
  }
}

/** Word of each tag in a TLB entry, and what the PTE must have for it. */
const TLB_GRANTS: readonly (readonly [number, number])[] = [
  [0, PTE_PRESENT | PTE_READ | PTE_ACCESSED],
  [2, PTE_PRESENT | PTE_WRITE | PTE_DIRTY | PTE_ACCESSED],
  [4, PTE_PRESENT | PTE_EXEC | PTE_ACCESSED],
];

function leadsTo(anonVma: AnonVma, vma: VmArea, page: number): boolean {
  for (
    let node = anonVma.tree.firstOverlap(page, page);
    node !== null;
    node = anonVma.tree.nextOverlap(node, page, page)
  ) {
    if (node.owner === vma) return true;
  }
  return false;
}
