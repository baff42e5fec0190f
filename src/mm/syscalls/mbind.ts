/**
 * mbind(2) and set_mempolicy_home_node(2): the memory policy of a range of mappings (do_mbind, mm/mempolicy.c).
 *
 * The nodes are given twice over: as the policy, and as where pages must lie already. A page that lies elsewhere is an error
 * with MPOL_MF_STRICT, and moves with MPOL_MF_MOVE, to where the policy says. With one node that can only be because the
 * nodes that were given don't name it: a policy that needs none (MPOL_LOCAL), or one of relative nodes.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { isPageAligned, type Pfn, pageAlign, type Vaddr } from "../page.ts";
import { PTE_PRESENT, PTE_SPECIAL } from "../pagetable/pte.ts";
import { walkPtes } from "../proc/walk-ptes.ts";
import { MigrationList } from "../rmap/migrate.ts";
import { CAP_SYS_NICE } from "../uapi/capability.ts";
import { EFAULT, EINVAL, EIO, ENOENT, EOPNOTSUPP, EPERM } from "../uapi/errno.ts";
import {
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_MF_MOVE,
  MPOL_MF_MOVE_ALL,
  MPOL_MF_STRICT,
  MPOL_MODE_FLAGS,
  MPOL_PREFERRED_MANY,
} from "../uapi/mempolicy.ts";
import { capable } from "../vfs/capability.ts";
import { isValidMode, type Mempolicy, mpolEqual, mpolNew, NODES_WITH_MEMORY } from "../vma/mempolicy.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { vmaModify } from "../vma/vma-modify.ts";
import type { NodeSource } from "./mempolicy.ts";
import type { Task } from "./task.ts";

/**
 * 0; EINVAL mode, nodes, flags, or a range that is not aligned or wraps around; EPERM MPOL_MF_MOVE_ALL without the privilege;
 * EFAULT a hole (with MPOL_DEFAULT only where all is one); EIO pages that lie elsewhere and did not move; ENOMEM too many
 * mappings, those before the one that failed being changed.
 */
export function sysMbind(
  task: Task,
  start: Vaddr,
  len: number,
  mode: number,
  nodes: NodeSource,
  flags: number,
): number {
  if (!isValidMode(mode)) return -EINVAL;
  const mask = nodes();
  if (typeof mask === "number") return mask;
  if ((flags & ~(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !capable(task, CAP_SYS_NICE)) return -EPERM;
  if (!isPageAligned(start)) return -EINVAL;
  const end = endOf(start, len);
  if (end < start) return -EINVAL;
  if (end === start) return 0;
  const policy = mpolNew(mode, mask);
  if (typeof policy === "number") return policy;

  const isDefault = (mode & ~MPOL_MODE_FLAGS) === MPOL_DEFAULT;
  const search = new MisplacedPages(task.mm, {
    flags: isDefault ? flags & ~MPOL_MF_STRICT : flags,
    isHoleOk: isDefault,
    areElsewhere: (mask & NODES_WITH_MEMORY) === 0n,
  });
  const failed =
    search.queueRange(start, end) ||
    forEachPart(task.mm, start, end, (vma, from, upTo) => mbindRange(vma, from, upTo, policy));
  if (failed !== 0) {
    search.list.putBack();
    return failed;
  }
  const stayed = search.failed + search.list.migrate();
  return stayed > 0 && (search.flags & MPOL_MF_STRICT) !== 0 ? -EIO : 0;
}

/**
 * From which node on memory is looked for by policies of several nodes. 0; EINVAL flags, no such node, or a range that is not
 * aligned or wraps around; ENOENT no mapping there has a policy; EOPNOTSUPP one that takes no home node, the mappings before
 * it being changed; ENOMEM as mbind.
 */
export function sysSetMempolicyHomeNode(
  task: Task,
  start: Vaddr,
  len: number,
  node: number,
  flags: number,
): number {
  if (!isPageAligned(start) || flags !== 0 || node !== 0) return -EINVAL;
  const end = endOf(start, len);
  if (end < start) return -EINVAL;
  if (end === start) return 0;
  let result = -ENOENT;
  const failed = forEachPart(task.mm, start, end, (vma, from, upTo) => {
    const { policy } = vma;
    if (policy === null) return 0;
    if (policy.mode !== MPOL_BIND && policy.mode !== MPOL_PREFERRED_MANY) return -EOPNOTSUPP;
    result = 0;
    return mbindRange(vma, from, upTo, policy.withHomeNode(node));
  });
  return failed || result;
}

/** The end of a range whose length is rounded up to pages, as 64 bits have it: below `start` where it wraps around. */
function endOf(start: Vaddr, len: number): number {
  // The last page of 64 bits rounds up to nothing.
  const length = len > 2 ** 64 - 4096 ? 0 : pageAlign(len);
  const end = start + length;
  return end >= 2 ** 64 ? end - 2 ** 64 : end;
}

/** Calls `each` for the part of every mapping that lies in start … end, which it may cut or join to others, until one fails. */
function forEachPart(
  mm: MmStruct,
  start: Vaddr,
  end: Vaddr,
  each: (vma: VmArea, from: Vaddr, upTo: Vaddr) => number,
): number {
  for (let at: number = start; at < end; ) {
    const vma = mm.vmas.find(at);
    if (vma === null || vma.start >= end) break;
    const upTo = Math.min(vma.end, end);
    const failed = each(vma, Math.max(at, vma.start), upTo);
    if (failed !== 0) return failed;
    at = upTo;
  }
  return 0;
}

/** Gives start … end of a mapping the policy, cutting it out or joining it to a neighbour (mbind_range). */
function mbindRange(vma: VmArea, start: Vaddr, end: Vaddr, policy: Mempolicy | null): number {
  if (mpolEqual(vma.policy, policy)) return 0;
  const area = vmaModify(vma.mm, vma, start, end, vma.flags, policy);
  if (typeof area === "number") return area;
  // What the neighbour showed before gets it anew where the object keeps it (vma_replace_policy).
  const failed = area.ops?.setPolicy?.(area, policy) ?? 0;
  if (failed === 0) area.policy = policy;
  return failed;
}

interface Search {
  readonly flags: number;
  readonly isHoleOk: boolean;
  /** The nodes that were given are none where pages lie, so that every page is in the wrong place. */
  readonly areElsewhere: boolean;
}

/** Pages of a range that lie where they should not, on their way to be moved (queue_pages_range). */
class MisplacedPages {
  readonly flags: number;
  readonly list: MigrationList;
  /** Pages that can't be moved. */
  failed = 0;
  readonly #mm: MmStruct;
  readonly #phys: PhysicalMemory;
  readonly #search: Search;

  constructor(mm: MmStruct, search: Search) {
    this.flags = search.flags;
    this.#mm = mm;
    this.#phys = mm.phys;
    this.#search = search;
    this.list = new MigrationList(mm.phys);
  }

  /** 0, EFAULT for a hole, or EIO for the first page in the wrong place where none is to be moved. */
  queueRange(start: Vaddr, end: Vaddr): number {
    const { flags } = this;
    const { isHoleOk, areElsewhere } = this.#search;
    const { vmas } = this.#mm;
    const first = vmas.find(start);
    if (first === null || first.start >= end || (!isHoleOk && first.start > start)) return -EFAULT;
    for (let vma: VmArea | null = first; vma !== null && vma.start < end; vma = vma.next) {
      const { next } = vma;
      if (!isHoleOk && vma.end < end && (next === null || vma.end < next.start)) return -EFAULT;
      if (!areElsewhere || flags === 0) continue;
      const failed = this.#queueMapping(Math.max(start, vma.start), Math.min(end, vma.end));
      if (failed !== 0) return failed;
    }
    return 0;
  }

  #queueMapping(start: Vaddr, end: Vaddr): number {
    const { ram } = this.#phys;
    const moves = (this.flags & (MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0;
    let isStrict = false;
    walkPtes(this.#mm, start, end, (_addr, pte) => {
      if ((ram.u32[pte] & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) return;
      if (!moves) isStrict = true;
      else if (!this.#queuePage(ram.u32[pte + 1])) this.failed++;
    });
    return isStrict ? -EIO : 0;
  }

  /** Pages that others map, too, are left alone without MPOL_MF_MOVE_ALL, which is no failure (migrate_folio_add). */
  #queuePage(pfn: Pfn): boolean {
    const isShared = this.#phys.frames.mapCount[pfn] > 1;
    return (isShared && (this.flags & MPOL_MF_MOVE_ALL) === 0) || this.list.isolate(pfn);
  }
}
