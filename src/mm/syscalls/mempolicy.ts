/**
 * set_mempolicy(2) and get_mempolicy(2): the memory policy of who calls, and what holds for an address (mm/mempolicy.c).
 */
import type { Mmu } from "../fault/mmu.ts";
import { getUserPagesFast } from "../fault/pin-user-pages.ts";
import { pageAlignDown, type Vaddr } from "../page.ts";
import { EFAULT, EINVAL } from "../uapi/errno.ts";
import {
  MPOL_DEFAULT,
  MPOL_F_ADDR,
  MPOL_F_MEMS_ALLOWED,
  MPOL_F_NODE,
  MPOL_INTERLEAVE,
  MPOL_WEIGHTED_INTERLEAVE,
} from "../uapi/mempolicy.ts";
import {
  isValidMode,
  mpolNew,
  NODES_WITH_MEMORY,
  type NodeMask,
  type PolicyHolder,
} from "../vma/mempolicy.ts";
import type { Task } from "./task.ts";

/** Where the nodes of a call come from: looked at only once its mode is known to be one. A negative errno where they can't be had. */
export type NodeSource = () => NodeMask | number;

/** 0; EINVAL no such mode, or nodes that don't go with it; or what `nodes` answers. */
export function sysSetMempolicy(holder: PolicyHolder, mode: number, nodes: NodeSource): number {
  if (!isValidMode(mode)) return -EINVAL;
  const mask = nodes();
  if (typeof mask === "number") return mask;
  const policy = mpolNew(mode, mask);
  if (typeof policy === "number") return policy;
  holder.mempolicy = policy;
  return 0;
}

/** What get_mempolicy answers: MPOL_… with its flags, or a node; and nodes. */
export interface PolicyAnswer {
  readonly mode: number;
  readonly nodes: NodeMask;
}

/**
 * The policy of who calls; with MPOL_F_ADDR that of an address, which may be in a mapping that has none; with MPOL_F_NODE
 * the node that the page there lies on, or the next one of those that the caller's policy takes in turn; with
 * MPOL_F_MEMS_ALLOWED all nodes that he may use. -EFAULT: nothing is mapped there, or its page can't be had.
 */
export function sysGetMempolicy(
  mmu: Mmu,
  task: Task,
  { mempolicy }: PolicyHolder,
  addr: Vaddr,
  flags: number,
): PolicyAnswer | number {
  if ((flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) !== 0) return -EINVAL;
  const ofAddress = (flags & MPOL_F_ADDR) !== 0;
  const wantsNode = (flags & MPOL_F_NODE) !== 0;
  if ((flags & MPOL_F_MEMS_ALLOWED) !== 0)
    return ofAddress || wantsNode ? -EINVAL : { mode: MPOL_DEFAULT, nodes: NODES_WITH_MEMORY };
  const vma = ofAddress ? task.mm.vmas.lookup(addr) : null;
  if (ofAddress && vma === null) return -EFAULT;
  if (!ofAddress && addr !== 0) return -EINVAL;
  const policy = vma === null ? mempolicy : vma.policyAt(addr);
  const nodes = policy?.toldNodes ?? 0n;
  if (!wantsNode) return { mode: policy === null ? MPOL_DEFAULT : policy.mode | policy.flags, nodes };
  if (ofAddress) {
    const [pfn] = getUserPagesFast(mmu, task, pageAlignDown(addr), 1);
    if (pfn === undefined) return -EFAULT;
    mmu.phys.putPage(pfn);
    return { mode: 0, nodes };
  }
  const takesTurns = policy?.mode === MPOL_INTERLEAVE || policy?.mode === MPOL_WEIGHTED_INTERLEAVE;
  return takesTurns ? { mode: 0, nodes } : -EINVAL;
}
