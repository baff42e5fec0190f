/**
 * Memory policy: from which memory nodes a thread or a mapping wants its memory (struct mempolicy, mm/mempolicy.c).
 *
 * On a machine with several nodes a policy decides where a page lies. Here there is one node, so it decides nothing about
 * pages; it is still a property of what has it. Mappings with different policies are different mappings, children inherit
 * them, shared memory keeps them for all who map it (shared-policy.ts), and numa_maps shows them.
 *
 * A thread's policy holds for all its memory, a mapping's for the mapping; null is none, the default. Policies never
 * change: a new one takes the old one's place.
 */
import { EINVAL } from "../uapi/errno.ts";
import {
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_NUMA_BALANCING,
  MPOL_F_RELATIVE_NODES,
  MPOL_F_STATIC_NODES,
  MPOL_LOCAL,
  MPOL_MAX,
  MPOL_MODE_FLAGS,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
} from "../uapi/mempolicy.ts";

/** Node n is bit n. */
export type NodeMask = bigint;

/** The nodes with memory (node_states[N_MEMORY]): the one that there is. */
export const NODES_WITH_MEMORY: NodeMask = 1n;
/** No node is where to begin looking (NUMA_NO_NODE). */
const NUMA_NO_NODE = -1;

export class Mempolicy {
  /** MPOL_…, not MPOL_DEFAULT, of which there is no object. */
  readonly mode: number;
  /** MPOL_F_… of MPOL_MODE_FLAGS. */
  readonly flags: number;
  /** The nodes as they were given; they are told back where a flag says that they are meant so. */
  readonly userNodes: NodeMask;
  /** The node that is nearest, of those allowed (set_mempolicy_home_node). */
  readonly homeNode: number;

  constructor(mode: number, flags: number, userNodes: NodeMask, homeNode: number = NUMA_NO_NODE) {
    this.mode = mode;
    this.flags = flags;
    this.userNodes = userNodes;
    this.homeNode = homeNode;
  }

  /** The nodes that it comes down to. */
  get nodes(): NodeMask {
    return this.mode === MPOL_LOCAL ? 0n : NODES_WITH_MEMORY;
  }

  /** What get_mempolicy answers as its nodes. */
  get toldNodes(): NodeMask {
    return this.flags !== 0 ? this.userNodes : this.nodes;
  }

  withHomeNode(node: number): Mempolicy {
    return new Mempolicy(this.mode, this.flags, this.userNodes, node);
  }
}

/** Whether `mode` is an MPOL_… with flags that go with it (sanitize_mpol_flags). */
export function isValidMode(modeAndFlags: number): boolean {
  const flags = modeAndFlags & MPOL_MODE_FLAGS;
  const mode = modeAndFlags & ~MPOL_MODE_FLAGS;
  if (mode < 0 || mode >= MPOL_MAX) return false;
  const both = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;
  if ((flags & both) === both) return false;
  return (flags & MPOL_F_NUMA_BALANCING) === 0 || mode === MPOL_BIND || mode === MPOL_PREFERRED_MANY;
}

/**
 * The policy of a valid mode with its flags and of nodes, of which at least one must have memory; null for the default
 * (mpol_new, mpol_set_nodemask). -EINVAL: nodes where none belong, none where some do, or none of those has memory.
 */
export function mpolNew(modeAndFlags: number, nodes: NodeMask): Mempolicy | null | number {
  const flags = modeAndFlags & MPOL_MODE_FLAGS;
  const mode = modeAndFlags & ~MPOL_MODE_FLAGS;
  if (mode === MPOL_DEFAULT) return nodes === 0n ? null : -EINVAL;
  if (mode === MPOL_LOCAL || (mode === MPOL_PREFERRED && nodes === 0n))
    return nodes === 0n && flags === 0 ? new Mempolicy(MPOL_LOCAL, 0, 0n) : -EINVAL;
  const isPresent = (flags & MPOL_F_RELATIVE_NODES) !== 0 ? nodes !== 0n : (nodes & NODES_WITH_MEMORY) !== 0n;
  return isPresent ? new Mempolicy(mode, flags, nodes) : -EINVAL;
}

/** Whether two policies are the same one (mpol_equal): nodes that were given count only where they are meant as given. */
export function mpolEqual(a: Mempolicy | null, b: Mempolicy | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  return (
    a.mode === b.mode &&
    a.flags === b.flags &&
    a.homeNode === b.homeNode &&
    (a.flags === 0 || a.userNodes === b.userNodes)
  );
}

const MODE_NAMES: readonly string[] = [
  "default",
  "prefer",
  "bind",
  "interleave",
  "local",
  "prefer (many)",
  "weighted interleave",
];

/** A policy as numa_maps shows it (mpol_to_str): "bind=static:0". */
export function mpolToStr(policy: Mempolicy | null): string {
  if (policy === null) return MODE_NAMES[MPOL_DEFAULT];
  const { mode, flags } = policy;
  const words: string[] = [];
  if ((flags & MPOL_F_STATIC_NODES) !== 0) words.push("static");
  if ((flags & MPOL_F_RELATIVE_NODES) !== 0) words.push("relative");
  if ((flags & MPOL_F_NUMA_BALANCING) !== 0) words.push("balancing");
  const shownFlags = words.length === 0 ? "" : `=${words.join("|")}`;
  return `${MODE_NAMES[mode]}${shownFlags}${policy.nodes === 0n ? "" : ":0"}`;
}

/** Who has a policy for all its memory: a thread, or a process that nobody runs. */
export interface PolicyHolder {
  mempolicy: Mempolicy | null;
}
