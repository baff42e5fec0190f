/**
 * The policies of an object that many may map (struct shared_policy): tmpfs files, memfds, shared anonymous memory and
 * segments of System V keep a policy for each range of pages, which holds for whoever maps them, and stays when nobody does.
 *
 * Owner: the inode. Invariant: the ranges are sorted, not empty, and don't overlap. All objects together have at most
 * MAX_POLICY_RANGES ranges, which are objects of the host's that no RAM is charged for.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { PgOff } from "../page.ts";
import { ENOMEM } from "../uapi/errno.ts";
import type { Mempolicy } from "./mempolicy.ts";

/** Of all objects together. */
export const MAX_POLICY_RANGES: number = 2 ** 17;

/** Pages start … end − 1 of the object (struct sp_node). */
interface PolicyRange {
  readonly start: PgOff;
  readonly end: PgOff;
  readonly policy: Mempolicy;
}

export class SharedPolicy {
  readonly #phys: PhysicalMemory;
  readonly #ranges: PolicyRange[] = [];

  constructor(phys: PhysicalMemory) {
    this.#phys = phys;
  }

  /** The policy of a page, null for none (mpol_shared_policy_lookup). */
  lookup(index: PgOff): Mempolicy | null {
    const range = this.#ranges[this.#firstEndingAfter(index)];
    return range !== undefined && range.start <= index ? range.policy : null;
  }

  /** Gives pages start … end − 1 a policy, or takes theirs away (shared_policy_replace). 0 or -ENOMEM, nothing changed. */
  replace(start: PgOff, end: PgOff, policy: Mempolicy | null): number {
    const phys = this.#phys;
    const first = this.#firstEndingAfter(start);
    let past = first;
    const added: PolicyRange[] = [];
    const before = this.#ranges[first];
    if (before !== undefined && before.start < start)
      added.push({ ...before, end: Math.min(before.end, start) });
    while (past < this.#ranges.length && this.#ranges[past].start < end) past++;
    if (policy !== null) added.push({ start, end, policy });
    const last = this.#ranges[past - 1];
    if (past > first && last.end > end) added.push({ ...last, start: end });
    const more = added.length - (past - first);
    if (more > 0 && phys.nrPolicyRanges + more > MAX_POLICY_RANGES) return -ENOMEM;
    this.#ranges.splice(first, past - first, ...added);
    phys.nrPolicyRanges += more;
    return 0;
  }

  /** The end of the object (mpol_free_shared_policy). */
  free(): void {
    this.#phys.nrPolicyRanges -= this.#ranges.length;
    this.#ranges.length = 0;
  }

  #firstEndingAfter(index: PgOff): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle].end > index) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
