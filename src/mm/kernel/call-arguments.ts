/** What callers in TypeScript pass, as the registers that Linux would see. */
import type { UserSegment } from "../fault/user-iter.ts";
import type { Vaddr } from "../page.ts";
import { EINVAL } from "../uapi/errno.ts";
import { MAX_NUMNODES } from "../uapi/mempolicy.ts";
import type { NodeMask } from "../vma/mempolicy.ts";
import { LinuxError } from "./errors.ts";

/** An integer as the 64-bit register that Linux would see: a negative one wraps around. Anything else is EINVAL. */
export function u64(call: string, value: number): number {
  return integer(call, value) < 0 ? value + 2 ** 64 : value;
}

export function integer(call: string, value: number): number {
  if (!Number.isInteger(value)) throw new LinuxError(call, EINVAL, `${value} is not an integer`);
  return value;
}

/** Ranges of the process's memory. */
export function segmentsOf(call: string, ranges: readonly (readonly [Vaddr, number])[]): UserSegment[] {
  return ranges.map(([addr, length]) => ({ base: u64(call, addr), len: u64(call, length) }));
}

/** Numbers of memory nodes as a mask. EINVAL beyond MAX_NUMNODES. */
export function nodeMask(call: string, nodes: readonly number[]): NodeMask {
  let mask = 0n;
  for (const node of nodes) {
    if (integer(call, node) < 0 || node >= MAX_NUMNODES)
      throw new LinuxError(call, EINVAL, `no node ${node}`);
    mask |= 1n << BigInt(node);
  }
  return mask;
}

export function nodeList(mask: NodeMask): number[] {
  return [...mask.toString(2)].reverse().flatMap((bit, node) => (bit === "1" ? [node] : []));
}
