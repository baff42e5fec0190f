/**
 * A plan of faults at work: asked about each operation, it says what is to go wrong with it. The same plan, the same
 * operations: the same faults, always.
 */
import { Prng } from "../../lib/prng.ts";
import { PAGE_SIZE } from "../page.ts";
import { EDQUOT, EIO, ENOSPC } from "../uapi/errno.ts";
import { type FaultPlan, type FaultRule, type FaultTarget, parseFaultPlan } from "./fault-plan.ts";

/** The kinds of operations. */
export type FaultOperation = "read" | "write" | "flush" | "swap-read" | "swap-write";

/** Verdicts beside 0 (nothing happens) and a negative errno (the operation does nothing and fails). */
export const VERDICT_TORN = 1;
export const VERDICT_CRASH = 2;

/** The unit in which a disk writes, and in which pages tear. */
export const SECTOR_BYTES = 512;

/** The machine lost its power in the middle of a write, on purpose. Its kernel is of no use any more. */
export class StorageCrash extends Error {
  override readonly name = "StorageCrash";
  constructor() {
    super("the storage stopped in the middle of a write, as its plan of faults says");
  }
}

class RuleState {
  readonly rule: FaultRule;
  /** Operations that it has been asked about; bytes that it let pass (full). */
  count = 0;
  bytes = 0;
  readonly #random: Prng;

  constructor(rule: FaultRule, seed: number) {
    this.rule = rule;
    this.#random = new Prng(seed);
  }

  /** Counts an operation and says whether it is one that goes wrong. */
  strikes(newBytes: number): boolean {
    const { action, first, last, probability, bytes } = this.rule;
    this.count++;
    if (action === "full") {
      if (this.bytes + newBytes > bytes) return newBytes > 0;
      this.bytes += newBytes;
      return false;
    }
    if (probability >= 0) return this.#random.u32() / 2 ** 32 < probability;
    return this.count >= first && this.count <= last;
  }
}

export class FaultEngine {
  /** Nanoseconds that the operations asked about since the last takeDelay have taken. */
  #delayNs = 0;
  #hasCrashed = false;
  /** Faults so far: delays aside. */
  injected = 0;
  /** Whether a rule asks which bytes are new to the disk. */
  readonly needsNewBytes: boolean;
  readonly #rules: readonly RuleState[];
  readonly #random: Prng;

  constructor(plan: FaultPlan) {
    // Each rule has its own numbers, so that one more rule leaves the others as they were.
    this.#rules = plan.rules.map((rule, index) => new RuleState(rule, plan.seed + index * 0x9e3779b9));
    this.needsNewBytes = plan.rules.some((rule) => rule.action === "full");
    this.#random = new Prng(plan.seed ^ 0x7ea25ec7);
  }

  /** A plan's engine, or the engine itself, which several storages of one machine may share: a crash then stops them all. */
  static of(plan: string | FaultPlan | FaultEngine): FaultEngine {
    if (plan instanceof FaultEngine) return plan;
    return new FaultEngine(typeof plan === "string" ? parseFaultPlan(plan) : plan);
  }

  /** What becomes of one operation on a page. @param newBytes what the page takes of a disk that has not stored it yet */
  verdict(operation: FaultOperation, newBytes: number = PAGE_SIZE): number {
    if (this.#hasCrashed) throw new StorageCrash();
    let verdict = 0;
    for (const state of this.#rules) {
      const { action, target, delayNs } = state.rule;
      if (!concerns(target, operation) || !canDo(state.rule, operation) || !state.strikes(newBytes)) continue;
      if (action === "delay") this.#delayNs += delayNs;
      else if (verdict === 0) verdict = verdictOf(state.rule);
    }
    if (verdict !== 0) this.injected++;
    return verdict;
  }

  /** What the operations so far have taken (nanoseconds), once. */
  takeDelay(): number {
    const delay = this.#delayNs;
    this.#delayNs = 0;
    return delay;
  }

  /** How many bytes of a page that tears reach the storage: whole sectors, at least one and not all. */
  tornBytes(): number {
    return (1 + this.#random.below(PAGE_SIZE / SECTOR_BYTES - 1)) * SECTOR_BYTES;
  }

  /** The power is gone: from now on nothing reaches the storage. */
  crash(): never {
    this.#hasCrashed = true;
    throw new StorageCrash();
  }
}

function concerns(target: FaultTarget, operation: FaultOperation): boolean {
  if (target === operation) return true;
  const isSwap = operation === "swap-read" || operation === "swap-write";
  return isSwap ? target === "swap" : target === "disk";
}

/** Of "disk" and "swap" only writes can tear or lack room. */
function canDo({ action }: FaultRule, operation: FaultOperation): boolean {
  if (action === "eio" || action === "dies" || action === "delay") return true;
  return operation === "write" || operation === "swap-write";
}

function verdictOf({ action }: FaultRule): number {
  switch (action) {
    case "enospc":
    case "full":
      return -ENOSPC;
    case "edquot":
      return -EDQUOT;
    case "torn":
      return VERDICT_TORN;
    case "crash":
      return VERDICT_CRASH;
    default:
      return -EIO;
  }
}
