/**
 * move_pages(2) and migrate_pages(2): pages of a process to other memory nodes (mm/migrate.c, mm/mempolicy.c). All pages
 * lie on the one node that there is, so nothing moves; the calls tell where pages are, and whether they could move.
 */
import type { Mmu } from "../fault/mmu.ts";
import { getUserU32, getUserU64, putUserU32 } from "../fault/uaccess.ts";
import { ZERO_PFN } from "../frames/ram.ts";
import { pageAlignDown, type Vaddr } from "../page.ts";
import { PTE_PRESENT, PTE_SPECIAL } from "../pagetable/pte.ts";
import { CAP_SYS_NICE } from "../uapi/capability.ts";
import { EFAULT, EINTR, EINVAL, ENODEV, ENOENT, EPERM, ESRCH } from "../uapi/errno.ts";
import { MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } from "../uapi/mempolicy.ts";
import { capable } from "../vfs/capability.ts";
import { NODES_WITH_MEMORY, type NodeMask } from "../vma/mempolicy.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { ptraceMayAccess } from "./ptrace-access.ts";
import type { Task } from "./task.ts";

/** Pages that are looked at with one copy of their addresses (DO_PAGES_STAT_CHUNK_NR). */
const CHUNK = 16;

/** Where pages are, and where they are to go: arrays in the caller's memory. */
export interface PagesToMove {
  readonly count: number;
  readonly pages: Vaddr;
  /** 0: they stay, and their nodes are asked for. */
  readonly nodes: Vaddr;
  readonly status: Vaddr;
}

/** Whose pages these are. */
export interface MovedTask {
  readonly task: Task;
  /** null: the thread that is meant has ended. */
  readonly mm: MmStruct | null;
}

/**
 * Tells in `status` for each page the node that it is on, or a negative errno: ENOENT no page, EFAULT nothing mapped, or the
 * zero page. 0; EINVAL flags, or a process whose memory is gone; ESRCH none such (`target` undefined); EPERM not the caller's
 * to look into, or MPOL_MF_MOVE_ALL without the privilege; ENODEV no such node; EFAULT an array.
 */
export function sysMovePages(
  mmu: Mmu,
  task: Task,
  target: MovedTask | undefined,
  moved: PagesToMove,
  flags: number,
): number {
  const mm = findMmStruct(task, target, flags);
  if (typeof mm === "number") return mm;
  return moved.nodes === 0 ? statPages(mmu, task, mm, moved) : movePages(mmu, task, mm, moved);
}

/** Where the pages at these addresses are: what sysMovePages without nodes tells, as numbers. */
export function sysStatPages(
  task: Task,
  target: MovedTask | undefined,
  pages: readonly Vaddr[],
  flags: number,
): number[] | number {
  const mm = findMmStruct(task, target, flags);
  return typeof mm === "number" ? mm : pages.map((addr) => nodeOf(mm, addr));
}

/** The memory of a process whose pages the caller may move, or a negative errno (find_mm_struct). */
function findMmStruct(task: Task, target: MovedTask | undefined, flags: number): MmStruct | number {
  if ((flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !capable(task, CAP_SYS_NICE)) return -EPERM;
  if (target === undefined) return -ESRCH;
  if (!ptraceMayAccess(task, target.task)) return -EPERM;
  return target.mm ?? -EINVAL;
}

/** do_pages_move, where every page is where it is to go. */
function movePages(mmu: Mmu, task: Task, mm: MmStruct, { count, pages, nodes, status }: PagesToMove): number {
  for (let i = 0; i < count; i++) {
    if (i % CHUNK === 0 && mmu.phys.fatalSignalPending()) return -EINTR;
    const addr = getUserU64(mmu, task, pages + i * 8);
    if (addr < 0) return addr;
    const node = getUserU32(mmu, task, nodes + i * 4);
    if (node < 0) return node;
    if (node !== 0) return -ENODEV;
    const failed = putUserU32(mmu, task, status + i * 4, nodeOf(mm, addr));
    if (failed < 0) return failed;
  }
  return 0;
}

/** do_pages_stat: in chunks, of which one is told as a whole or not at all. */
function statPages(mmu: Mmu, task: Task, mm: MmStruct, { count, pages, status }: PagesToMove): number {
  for (let done = 0; done < count; done += CHUNK) {
    if (mmu.phys.fatalSignalPending()) return -EINTR;
    const upTo = Math.min(count, done + CHUNK);
    const answers: number[] = [];
    for (let i = done; i < upTo; i++) {
      const addr = getUserU64(mmu, task, pages + i * 8);
      if (addr < 0) return addr;
      answers.push(nodeOf(mm, addr));
    }
    for (const [i, answer] of answers.entries()) {
      const failed = putUserU32(mmu, task, status + (done + i) * 4, answer);
      if (failed < 0) return failed;
    }
  }
  return 0;
}

/** The node of the page at an address, or a negative errno. */
function nodeOf(mm: MmStruct, addr: Vaddr): number {
  if (addr >= mm.arch.taskSize || mm.vmas.lookup(addr) === null) return -EFAULT;
  const pte = mm.pageTable.walk(pageAlignDown(addr));
  const word = pte === 0 ? 0 : mm.phys.ram.u32[pte];
  if ((word & PTE_PRESENT) === 0) return -ENOENT;
  if ((word & PTE_SPECIAL) === 0) return 0;
  return mm.phys.ram.u32[pte + 1] === ZERO_PFN ? -EFAULT : -ENOENT;
}

/**
 * Pages of a process from some nodes to others. 0, for there is one; ESRCH none such (`target` undefined); EPERM not the
 * caller's to look into, or nodes that it may not use; EINVAL none of the new nodes has memory, or its memory is gone.
 */
export function sysMigratePages(
  task: Task,
  target: MovedTask | undefined,
  _from: NodeMask,
  to: NodeMask,
): number {
  if (target === undefined) return -ESRCH;
  if (!ptraceMayAccess(task, target.task)) return -EPERM;
  if ((to & ~NODES_WITH_MEMORY) !== 0n && !capable(task, CAP_SYS_NICE)) return -EPERM;
  if ((to & NODES_WITH_MEMORY) === 0n || target.mm === null) return -EINVAL;
  return 0;
}
