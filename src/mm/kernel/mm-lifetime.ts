/**
 * How an address space comes to be, is copied by fork, and ends (kernel/fork.c dup_mmap, mm/mmap.c exit_mmap).
 */
import { copyPageRange } from "../fault/copy-page-range.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import { PageTable } from "../pagetable/page-table.ts";
import type { TlbPool } from "../pagetable/tlb.ts";
import { zapRange } from "../rmap/zap.ts";
import { ENOMEM } from "../uapi/errno.ts";
import { vmStatAccount } from "../vma/accounting.ts";
import { anonVmaFork } from "../vma/anon-vma.ts";
import type { Arch } from "../vma/arch.ts";
import { inheritedMdwe } from "../vma/deny-write-exec.ts";
import { MmStruct } from "../vma/mm-struct.ts";
import { vmEnoughMemory } from "../vma/overcommit.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_ACCOUNT, VM_DONTCOPY, VM_LOCKED_MASK, VM_WIPEONFORK } from "../vma/vm-flags.ts";
import { detachVma, dupVma, freeVma, removeVma, setVmaFlags, vmaLink } from "../vma/vma-lifetime.ts";
import { dupMmExeFile, putMmExeFile } from "./exe-file.ts";

/** An empty address space, or -ENOMEM. */
export function mmAlloc(phys: PhysicalMemory, arch: Arch): MmStruct | number {
  const pageTable = PageTable.create(phys);
  return pageTable === undefined ? -ENOMEM : new MmStruct(phys, arch, pageTable);
}

/**
 * A copy of `parent` for a child (dup_mm): every mapping but those marked DONTFORK, private pages shared until somebody
 * writes. -ENOMEM with nothing left behind.
 */
export function dupMm(parent: MmStruct, tlbs: TlbPool): MmStruct | number {
  const child = mmAlloc(parent.phys, parent.arch);
  if (typeof child === "number") return child;
  copyLayout(child, parent);
  dupMmExeFile(child, parent);
  for (const vma of parent.vmas) {
    if ((vma.flags & VM_DONTCOPY) !== 0) continue;
    const failed = dupVmaInto(child, vma);
    if (failed !== 0) {
      exitMmap(child, tlbs);
      return failed;
    }
  }
  return child;
}

/** The address space ends: pages, mappings and tables all go. */
export function exitMmap(mm: MmStruct, tlbs: TlbPool): void {
  for (const vma of mm.vmas) zapRange(mm, vma, vma.start, vma.end);
  mm.pageTable.destroy();
  for (let vma = mm.vmas.first; vma !== null; ) {
    const next: VmArea | null = vma.next;
    const pages = (vma.end - vma.start) / PAGE_SIZE;
    vmStatAccount(mm, vma.flags, -pages);
    if ((vma.flags & VM_ACCOUNT) !== 0) mm.phys.commit.uncharge(pages);
    detachVma(vma);
    removeVma(vma);
    vma = next;
  }
  tlbs.release(mm.tlb);
  putMmExeFile(mm);
}

function dupVmaInto(child: MmStruct, vma: VmArea): number {
  const pages = (vma.end - vma.start) / PAGE_SIZE;
  const charged = (vma.flags & VM_ACCOUNT) !== 0 ? pages : 0;
  if (charged > 0 && !vmEnoughMemory(vma.mm, charged)) return -ENOMEM;
  const copy = dupVma(child, vma);
  if (copy === null) {
    child.phys.commit.uncharge(charged);
    return -ENOMEM;
  }
  // What the child must not see it does not inherit: no anon_vma, no pages.
  const wiped = (vma.flags & VM_WIPEONFORK) !== 0;
  if (!wiped && anonVmaFork(copy, vma) !== 0) {
    freeVma(copy);
    child.phys.commit.uncharge(charged);
    return -ENOMEM;
  }
  setVmaFlags(copy, vma.flags & ~VM_LOCKED_MASK);
  copy.ops?.open?.(copy);
  vmaLink(child, copy);
  vmStatAccount(child, copy.flags, pages);
  return wiped ? 0 : copyPageRange(copy, vma);
}

function copyLayout(child: MmStruct, parent: MmStruct): void {
  child.mmapBase = parent.mmapBase;
  child.mmapLegacyBase = parent.mmapLegacyBase;
  child.bottomUp = parent.bottomUp;
  child.random = parent.random;
  child.memcg = parent.memcg;
  child.maxMapCount = parent.maxMapCount;
  child.mmapMinAddr = parent.mmapMinAddr;
  child.dacMmapMinAddr = parent.dacMmapMinAddr;
  child.stackGuardGap = parent.stackGuardGap;
  child.thpSize = parent.thpSize;
  child.failVmaAfter = parent.failVmaAfter;
  child.startCode = parent.startCode;
  child.endCode = parent.endCode;
  child.startData = parent.startData;
  child.endData = parent.endData;
  child.startBrk = parent.startBrk;
  child.brk = parent.brk;
  child.startStack = parent.startStack;
  child.argStart = parent.argStart;
  child.argEnd = parent.argEnd;
  child.envStart = parent.envStart;
  child.envEnd = parent.envEnd;
  child.savedAuxv = parent.savedAuxv;
  child.dumpable = parent.dumpable;
  child.thpDisable = parent.thpDisable;
  child.mdwe = inheritedMdwe(parent);
  child.vdso = parent.vdso;
}
