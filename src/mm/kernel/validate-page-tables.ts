/**
 * The validator on page tables: every PTE lies in a mapping, grants no more than that allows, and names what counts it and
 * leads back to it; and a TLB grants nothing that its page table does not.
 */
import { PG_ANON, PG_ANON_EXCLUSIVE, PG_DIRTY, PG_LRU, PG_TABLE } from "../frames/page-flags.ts";
import { ZERO_PFN } from "../frames/ram.ts";
import { TLB_ENTRIES, TLB_ENTRY_BYTES } from "../frames/tlb-layout.ts";
import { PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
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
import { pteToSwpEntry, swpType } from "../swap/swap-entry.ts";
import { swapOf } from "../swap/swap-space.ts";
import { NR_PAGETABLE } from "../trace/vmstat.ts";
import { fileOf } from "../vfs/file.ts";
import { AnonVma } from "../vma/anon-vma.ts";
import { MM_SWAPENTS, type MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_ACCOUNT, VM_LOCKED, VM_MAYBE_GUARD, VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { checkVmaTree } from "../vma/vma-validate.ts";
import type { Recount } from "./validate-recount.ts";

export function checkMm(to: Recount, mm: MmStruct): void {
  for (const finding of checkVmaTree(mm)) to.found(finding);
  for (const { start, end, flags } of mm.vmas) {
    if ((flags & VM_ACCOUNT) !== 0) to.committed += (end - start) / PAGE_SIZE;
  }
  const { frames } = mm.phys;
  const rss = new Int32Array(mm.rss.length);
  let tables = 0;
  mm.pageTable.forEachTable((table, level, addr) => {
    tables++;
    to.refs[table]++;
    to.stat[NR_PAGETABLE]++;
    if ((frames.flags[table] & PG_TABLE) === 0) to.found(`table in frame ${table} is not marked as one`);
    const span = PAGE_SIZE * PTRS_PER_TABLE ** (level + 1);
    if (table !== mm.pageTable.pgd && mm.vmas.findIntersection(addr, addr + span) === null)
      to.found(`table ${table} of 0x${addr.toString(16)}, level ${level}, serves no mapping`);
    if (level === 0) checkTable(to, mm, table, addr, rss);
  });
  if (tables !== mm.pageTable.tables) to.found(`${mm.pageTable.tables} tables counted, ${tables} found`);
  for (const [kind, count] of rss.entries()) {
    if (count !== mm.rss[kind]) to.found(`rss[${kind}] is ${mm.rss[kind]}, the page table has ${count}`);
  }
  checkTlb(to, mm);
}

function checkTable(to: Recount, mm: MmStruct, table: Pfn, base: Vaddr, rss: Int32Array): void {
  const { u32 } = mm.phys.ram;
  for (let index = 0; index < PTRS_PER_TABLE; index++) {
    const pte = (table * PAGE_SIZE) / 4 + index * PTE_WORDS;
    const word = u32[pte];
    if (word === 0) continue;
    const addr = base + index * PAGE_SIZE;
    const vma = mm.vmas.lookup(addr);
    if (vma === null) to.found(`PTE of 0x${addr.toString(16)} lies in no mapping`);
    else if (word === PTE_GUARD) checkGuard(to, vma, addr, u32[pte + 1]);
    else if ((word & PTE_PRESENT) === 0) checkSwapPte(to, vma, addr, word, u32[pte + 1], rss);
    else checkPte(to, vma, addr, word, u32[pte + 1], rss);
  }
}

function checkGuard(to: Recount, vma: VmArea, addr: Vaddr, second: number): void {
  const at = `guard marker at 0x${addr.toString(16)}`;
  if (second !== 0) to.found(`${at} names frame ${second}`);
  if ((vma.flags & VM_MAYBE_GUARD) === 0)
    to.found(`${at}: its mapping has no VM_MAYBE_GUARD, so fork would lose it`);
}

function checkSwapPte(
  to: Recount,
  vma: VmArea,
  addr: Vaddr,
  word: number,
  offset: number,
  rss: Int32Array,
): void {
  if (word === PTE_POISONED) return;
  const at = `PTE of 0x${addr.toString(16)}`;
  const type = swpType(pteToSwpEntry(word, 0));
  const swap = swapOf(to.kernel.phys);
  const info = swap?.areas[type];
  if (!isSwapPte(word) || swap == null || info === undefined || offset >= info.max) {
    to.found(`${at} is no swap entry, but ${word}, ${offset}`);
    return;
  }
  rss[MM_SWAPENTS]++;
  to.nameSlot(pteToSwpEntry(word, offset));
  if (vma.anonVma === null) to.found(`${at} is in swap, but its mapping has no anon_vma`);
  if ((word & PTE_SWP_EXCLUSIVE) !== 0 && info.map[offset] !== 1)
    to.found(`${at} is exclusive, but its slot is named ${info.map[offset]} times`);
}

function checkPte(to: Recount, vma: VmArea, addr: Vaddr, word: number, pfn: Pfn, rss: Int32Array): void {
  const { phys } = to.kernel;
  const at = `PTE of 0x${addr.toString(16)}`;
  const allowed = vma.pageProt | ((vma.flags & VM_WRITE) !== 0 ? PTE_WRITE : 0);
  if ((word & PTE_PROT & ~allowed) !== 0) to.found(`${at} grants more than its mapping`);
  if ((word & PTE_SPECIAL) !== 0) {
    if (pfn !== ZERO_PFN || (word & PTE_WRITE) !== 0) to.found(`${at} is special, but frame ${pfn}`);
    return;
  }
  const flags = phys.frames.flags[pfn];
  to.maps[pfn]++;
  to.refs[pfn]++;
  if ((vma.flags & VM_LOCKED) !== 0) to.locks[pfn]++;
  rss[mmCounter(flags)]++;
  const page = vma.pgoff + (addr - vma.start) / PAGE_SIZE;
  if (phys.frames.index[pfn] !== page)
    to.found(`${at}: frame ${pfn} has index ${phys.frames.index[pfn]}, not ${page}`);
  const owner = phys.owners.get(phys.frames.mapping[pfn]);
  if ((flags & PG_ANON) !== 0) {
    if ((flags & PG_LRU) === 0) to.found(`${at}: anonymous frame ${pfn} is on no list`);
    if (!(owner instanceof AnonVma)) to.found(`${at}: anonymous frame ${pfn} has no anon_vma`);
    else if (!leadsTo(owner, vma, page)) to.found(`${at}: the anon_vma of frame ${pfn} does not lead back`);
    const writable = (word & PTE_WRITE) !== 0;
    if (writable && (flags & PG_ANON_EXCLUSIVE) === 0)
      to.found(`${at}: writable, but frame ${pfn} is shared`);
    if ((flags & PG_ANON_EXCLUSIVE) !== 0 && phys.frames.mapCount[pfn] !== 1) {
      to.found(`${at}: frame ${pfn} is exclusive and mapped ${phys.frames.mapCount[pfn]} times`);
    }
  } else {
    if (vma.file === null || owner !== fileOf(vma).mapping)
      to.found(`${at}: frame ${pfn} is not of the mapped file`);
    if ((word & PTE_WRITE) !== 0 && (vma.flags & VM_SHARED) === 0)
      to.found(`${at}: page cache writable through a private mapping`);
    const noticed = (vma.pageProt & PTE_WRITE) === 0;
    if (noticed && (word & PTE_WRITE) !== 0 && (flags & PG_DIRTY) === 0)
      to.found(`${at}: writable, but frame ${pfn} is clean`);
  }
}

/** Everything a TLB grants, the page table grants, too. */
function checkTlb(to: Recount, mm: MmStruct): void {
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
        to.found(`TLB entry ${index} grants 0x${addr.toString(16)} what its PTE does not`);
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
