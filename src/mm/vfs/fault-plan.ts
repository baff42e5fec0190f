/**
 * Faults on purpose, in words: what a storage is to do wrong, and when.
 *
 * ```
 *   write:eio@5            the 5th page that is written fails with EIO
 *   read:eio%0.01,seed=7   each page that is read fails with a probability of 1 %, decided by seed 7
 *   disk:full@1M           no room beyond 1 MiB: ENOSPC
 *   swap:dies@100          after 100 pages the swap device answers nothing but EIO
 *   write:torn@20-30       of these pages only some sectors reach the storage, then EIO
 *   write:crash@40         the same for one page, and the machine is gone (StorageCrash)
 *   disk:delay=2ms         each page takes 2 ms of virtual time
 *
 *   plan   = item { "," item }
 *   item   = "seed=" number | target ":" action [ when ]
 *   target = "read" | "write" | "flush" | "disk" (all three) | "swap-read" | "swap-write" | "swap" (both)
 *   action = "eio" | "enospc" | "edquot" | "torn" | "crash" | "full" | "dies" | "delay=" number ("ns"|"us"|"ms"|"s")
 *   when   = "@" n | "@" n "+" | "@" n "-" m | "%" probability     (absent: always)
 * ```
 *
 * Operations are counted in pages, from 1, by each rule for itself; a flush (fsync, sync) counts as one. "full" takes a
 * size after the @ (K, M, G of 1024), "dies" the number of operations that still succeed.
 */

export type FaultTarget = "read" | "write" | "flush" | "disk" | "swap-read" | "swap-write" | "swap";
export type FaultAction = "eio" | "enospc" | "edquot" | "torn" | "crash" | "full" | "dies" | "delay";

/** One thing that goes wrong. */
export interface FaultRule {
  readonly target: FaultTarget;
  readonly action: FaultAction;
  /** The operations that it strikes, by their number from 1 on; Infinity for no end. */
  readonly first: number;
  readonly last: number;
  /** 0 … 1 for each operation, in place of numbers; −1: by number. */
  readonly probability: number;
  /** Nanoseconds (delay), 0 for the others. */
  readonly delayNs: number;
  /** Bytes that fit (full), 0 for the others. */
  readonly bytes: number;
}

export interface FaultPlan {
  readonly rules: readonly FaultRule[];
  /** Decides what probabilities leave open, and where pages tear. */
  readonly seed: number;
}

/** A plan that is not one. */
export class FaultPlanError extends Error {
  override readonly name = "FaultPlanError";
}

const TARGETS: readonly FaultTarget[] = ["read", "write", "flush", "disk", "swap-read", "swap-write", "swap"];
const WRITES: readonly FaultTarget[] = ["write", "disk", "swap-write", "swap"];
/** Which actions there are, and what they can be done to. */
const ACTIONS: Readonly<Record<FaultAction, readonly FaultTarget[]>> = {
  eio: TARGETS,
  enospc: ["write", "disk"],
  edquot: ["write", "disk"],
  torn: WRITES,
  crash: WRITES,
  full: ["write", "disk"],
  dies: ["disk", "swap"],
  delay: TARGETS,
};
const TIME_NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
const SIZE_BYTES: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Reads a plan. Throws FaultPlanError, which says what is wrong with which item. */
export function parseFaultPlan(text: string): FaultPlan {
  const rules: FaultRule[] = [];
  let seed = 0;
  for (const item of text.split(",").map((part) => part.trim())) {
    const given = /^seed=(\d+)$/.exec(item);
    if (given !== null) seed = Number(given[1]);
    else rules.push(parseRule(item));
  }
  if (rules.length === 0) throw new FaultPlanError(`"${text}" has no fault in it`);
  return { rules, seed };
}

function parseRule(item: string): FaultRule {
  const wrong = (why: string): FaultPlanError => new FaultPlanError(`"${item}": ${why}`);
  const parts = /^([^:]*):([a-z]*)(?:=([^@%]*))?(?:([@%])(.*))?$/.exec(item);
  if (parts === null) throw wrong("a fault is written target:action, as in write:eio@5");
  const [, where, what, amount, sign, when] = parts;
  const target = TARGETS.find((one) => one === where);
  if (target === undefined) throw wrong(`no target "${where}"; there are ${TARGETS.join(", ")}`);
  if (!Object.hasOwn(ACTIONS, what))
    throw wrong(`no action "${what}"; there are ${Object.keys(ACTIONS).join(", ")}`);
  const action = what as FaultAction;
  if (!ACTIONS[action].includes(target))
    throw wrong(`"${action}" can't happen to "${target}", only to ${ACTIONS[action].join(", ")}`);
  if (amount !== undefined && action !== "delay") throw wrong(`"${action}" takes no "="`);
  const rule = { target, action, first: 1, last: Number.POSITIVE_INFINITY, probability: -1, bytes: 0 };
  const delayNs = action === "delay" ? parseTime(amount ?? "", wrong) : 0;
  if (action === "full" || action === "dies") {
    if (sign !== "@")
      throw wrong(`"${action}" needs to know after how much: ${action}@${action === "full" ? "1M" : "100"}`);
    if (action === "full") return { ...rule, delayNs, bytes: parseSize(when, wrong) };
    return { ...rule, delayNs, first: parseCount(when, wrong) + 1 };
  }
  if (sign === "%") return { ...rule, delayNs, probability: parseProbability(when, wrong) };
  return sign === undefined ? { ...rule, delayNs } : { ...rule, delayNs, ...parseRange(when, wrong) };
}

type Wrong = (why: string) => FaultPlanError;

function parseTime(text: string, wrong: Wrong): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/.exec(text) ?? [];
  if (digits === undefined) throw wrong(`"${text}" is no time; write delay=2ms`);
  return Math.round(Number(digits) * TIME_NS[unit]);
}

function parseSize(text: string, wrong: Wrong): number {
  const [, digits, unit] = /^(\d+)([KMG]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw wrong(`"${text}" is no size; write full@1M`);
  return Number(digits) * SIZE_BYTES[unit.toUpperCase()];
}

function parseCount(text: string, wrong: Wrong): number {
  if (!/^\d+$/.test(text)) throw wrong(`"${text}" is no number of operations`);
  return Number(text);
}

function parseProbability(text: string, wrong: Wrong): number {
  const value = /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= 1)) throw wrong(`"${text}" is no probability between 0 and 1`);
  return value;
}

function parseRange(text: string, wrong: Wrong): { readonly first: number; readonly last: number } {
  const [, from, plus, to] = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text) ?? [];
  if (from === undefined) throw wrong(`"${text}" is no operation; write @5, @5+ or @5-9`);
  const first = Number(from);
  const last = plus === "+" ? Number.POSITIVE_INFINITY : to === undefined ? first : Number(to);
  if (first < 1 || last < first) throw wrong(`@${text}: operations count from 1 upwards`);
  return { first, last };
}
