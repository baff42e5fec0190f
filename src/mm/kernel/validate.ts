/**
 * The validator: walks the whole state and proves the invariants, by recomputing everything that is kept.
 *
 * - Every present PTE lies in a mapping, grants no more than that allows, and names a frame which counts that mapping
 *   and whose reverse map leads back to it.
 * - Every frame is free once, or has exactly the references that PTEs, page cache, page tables and pipes hold.
 * - A guard marker names no frame; an anonymous page is on a list iff MADV_FREE gave it up or it is locked.
 * - Every locked page is off the lists, and memory promised equals what mappings and files were promised.
 * - Mappings, their trees and gaps, page-cache indexes, dirty tags, LRU lists, Rss and every state counter equal a recount.
 * - Every segment of System V shared memory counts the mappings that show it.
 * - A TLB holds nothing that its page table does not grant.
 *
 * Between calls no reference is in passing; while one is (a fault), the validator would complain rightly.
 */
import { MAX_PAGE_ORDER } from "../frames/buddy.ts";
import { forEachLru } from "../frames/lru.ts";
import {
  PG_ANON,
  PG_ANON_EXCLUSIVE,
  PG_BUDDY,
  PG_DIRTY,
  PG_LRU,
  PG_MLOCKED,
  PG_SHM_LOCKED,
  PG_SWAPBACKED,
  PG_TABLE,
  PG_UNEVICTABLE,
} from "../frames/page-flags.ts";
import { ZERO_PFN } from "../frames/ram.ts";
import { TLB_ENTRIES, TLB_ENTRY_BYTES } from "../frames/tlb-layout.ts";
import { checkShm } from "../ipc/shm-validate.ts";
import { PAGE_SIZE, type Pfn, pageAlign, type Vaddr } from "../page.ts";
import {
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_EXEC,
  PTE_GUARD,
  PTE_PRESENT,
  PTE_PROT,
  PTE_READ,
  PTE_SPECIAL,
  PTE_WORDS,
  PTE_WRITE,
  PTRS_PER_TABLE,
} from "../pagetable/pte.ts";
import { isLazyFree } from "../rmap/lazy-free.ts";
import { mmCounter } from "../rmap/page-mapping.ts";
import { ShmemInode } from "../shmem/shmem-inode.ts";
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
  NR_UNEVICTABLE,
  VMSTAT_NAMES,
} from "../trace/vmstat.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import { fileOf } from "../vfs/file.ts";
import { type Pipe, pipeOf } from "../vfs/pipe.ts";
import { AnonVma } from "../vma/anon-vma.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
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
    for (const owner of this.#kernel.phys.owners.values()) {
      if (owner instanceof AddressSpace) this.#checkMapping(owner);
    }
    this.#countPipes();
    this.#checkLru();
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
      else if ((word & PTE_PRESENT) === 0) this.#found(`PTE of 0x${addr.toString(16)} is a swap entry`);
      else this.#checkPte(vma, addr, word, u32[pte + 1], rss);
    }
  }

  #checkGuard(vma: VmArea, addr: Vaddr, second: number): void {
    const at = `guard marker at 0x${addr.toString(16)}`;
    if (second !== 0) this.#found(`${at} names frame ${second}`);
    if ((vma.flags & VM_MAYBE_GUARD) === 0)
      this.#found(`${at}: its mapping has no VM_MAYBE_GUARD, so fork would lose it`);
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
      const isListed = (flags & PG_LRU) !== 0;
      if (isLazyFree(flags) && !isListed) this.#found(`${at}: frame ${pfn} was given up, but is on no list`);
      if (!isLazyFree(flags) && isListed && (flags & PG_UNEVICTABLE) === 0)
        this.#found(`${at}: anonymous frame ${pfn} is on a list without being given up`);
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
        if (mapping.pages.getTag(index, 0) !== dirty) this.#found(`${at}: dirty flag and tag differ`);
      }
      pfn = mapping.pages.next(index + 1);
    }
    const { host } = mapping;
    if (host instanceof ShmemInode) {
      this.#committed += host.isReserved ? pageAlign(host.size) / PAGE_SIZE : host.chargedPages;
    }
    if (count !== mapping.pages.size)
      this.#found(`mapping ${mapping.id} counts ${mapping.pages.size} pages, has ${count}`);
  }

  /** Frames that pipes show: spliced pages of files and programs. */
  #countPipes(): void {
    const pipes = new Set<Pipe>();
    for (const { files } of this.#kernel.processes.values()) {
      for (const [, file] of files.entries()) {
        const pipe = pipeOf(file);
        if (pipe !== undefined) pipes.add(pipe);
      }
    }
    for (const pipe of pipes) for (const { pfn } of pipe.buffers) this.#refs[pfn]++;
  }

  #checkLru(): void {
    const { phys } = this.#kernel;
    for (const list of [NR_INACTIVE_ANON, NR_ACTIVE_ANON, NR_INACTIVE_FILE, NR_ACTIVE_FILE]) {
      forEachLru(phys, list, (pfn) => {
        this.#stat[list]++;
        if ((phys.frames.flags[pfn] & PG_LRU) === 0)
          this.#found(`frame ${pfn} is on an LRU list without PG_LRU`);
        const isFileList = list === NR_INACTIVE_FILE || list === NR_ACTIVE_FILE;
        if (isFileList === ((phys.frames.flags[pfn] & PG_SWAPBACKED) !== 0))
          this.#found(`frame ${pfn} is on ${VMSTAT_NAMES[list]}, which is not of its kind`);
      });
    }
  }

  #checkFrames(): void {
    const { phys } = this.#kernel;
    const { flags, refCount, mapCount } = phys.frames;
    const free = new Uint8Array(phys.ram.endPfn);
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
      if (this.#maps[pfn] > 0) this.#stat[(flags[pfn] & PG_ANON) !== 0 ? NR_ANON_MAPPED : NR_FILE_MAPPED]++;
    }
  }

  /** A frame is locked in memory, off the lists, as often as PTEs of locked mappings name it. */
  #checkLocks(pfn: Pfn): void {
    const { flags, lruPrev } = this.#kernel.phys.frames;
    const locks = this.#locks[pfn];
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
      NR_SHMEM,
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
