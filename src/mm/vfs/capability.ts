/**
 * Root's powers, cut in 41 pieces (capabilities(7), kernel/capability.c, security/commoncap.c).
 *
 * A process has five sets of them: what counts now (effective), what it may let count (permitted), what could pass through
 * an exec (inheritable), what does without root's help (ambient), and what an exec may bring at most (bounding). As long as
 * nobody changes them they follow from the effective user: all for user 0, none for others. So they are kept only where they
 * are something else; null stands for what follows from the user.
 */
import { CAP_LAST_CAP } from "../uapi/capability.ts";
import { SECBIT_KEEP_CAPS, SECBIT_NO_SETUID_FIXUP, SECBIT_NOROOT } from "../uapi/securebits.ts";
import { type Ids, isOneOf } from "./ids.ts";

/** A set: bit n of `low` is capability n, of `high` 32 + n. */
export interface CapabilitySet {
  readonly low: number;
  readonly high: number;
}

/** Never changed: who opened a file keeps those that it had then. */
export interface Capabilities {
  readonly effective: CapabilitySet;
  readonly permitted: CapabilitySet;
  readonly inheritable: CapabilitySet;
  readonly bounding: CapabilitySet;
  /** Invariant: each is permitted and inheritable. */
  readonly ambient: CapabilitySet;
}

/** Who asks. */
export interface Holder {
  readonly uid: number;
  /** Absent: real and saved user are the same. */
  readonly userIds?: Ids;
  readonly capabilities?: Capabilities | null;
}

export const ALL_CAPABILITIES: CapabilitySet = { low: 0xffffffff, high: 2 ** (CAP_LAST_CAP - 31) - 1 };
export const NO_CAPABILITIES: CapabilitySet = { low: 0, high: 0 };

/** Whether `who` may do what the capability is for (capable). */
export function capable(who: Holder, capability: number): boolean {
  const { capabilities } = who;
  if (capabilities === undefined || capabilities === null) return who.uid === 0;
  return has(capabilities.effective, capability);
}

export function has({ low, high }: CapabilitySet, capability: number): boolean {
  return (((capability < 32 ? low : high) >>> (capability & 31)) & 1) === 1;
}

/** The set of this one alone. */
export function only(capability: number): CapabilitySet {
  const bit = 2 ** (capability & 31);
  return capability < 32 ? { low: bit, high: 0 } : { low: 0, high: bit };
}

export function capabilitiesOf({ uid, capabilities }: Holder): Capabilities {
  if (capabilities !== undefined && capabilities !== null) return capabilities;
  const set = uid === 0 ? ALL_CAPABILITIES : NO_CAPABILITIES;
  return {
    effective: set,
    permitted: set,
    inheritable: NO_CAPABILITIES,
    bounding: ALL_CAPABILITIES,
    ambient: NO_CAPABILITIES,
  };
}

/** How a process whose effective user is `uid` keeps these. */
export function kept(uid: number, wanted: Capabilities): Capabilities | null {
  const usual = capabilitiesOf({ uid });
  const isUsual =
    isSame(wanted.effective, usual.effective) &&
    isSame(wanted.permitted, usual.permitted) &&
    isSame(wanted.inheritable, usual.inheritable) &&
    isSame(wanted.bounding, usual.bounding) &&
    isSame(wanted.ambient, usual.ambient);
  return isUsual ? null : wanted;
}

/**
 * Those after another user id was set (cap_emulate_setxuid): who was user 0 in any way and is so no longer loses all, unless
 * it asked to keep what is permitted; and what counts follows the effective user.
 */
export function afterSetuid(before: Capabilities, from: Ids, to: Ids, securebits: number): Capabilities {
  if ((securebits & SECBIT_NO_SETUID_FIXUP) !== 0) return before;
  let { permitted, effective, ambient } = before;
  if (isOneOf(0, from) && !isOneOf(0, to)) {
    if ((securebits & SECBIT_KEEP_CAPS) === 0) {
      permitted = NO_CAPABILITIES;
      effective = NO_CAPABILITIES;
    }
    ambient = NO_CAPABILITIES;
  }
  if (from.effective === 0 && to.effective !== 0) effective = NO_CAPABILITIES;
  if (from.effective !== 0 && to.effective === 0) effective = permitted;
  return { ...before, permitted, effective, ambient };
}

/** What exec makes of user 0 (handle_privileged_root): all that may be had; and whether that counts at once. */
export interface RootPrivilege {
  readonly permitted: CapabilitySet;
  readonly counts: boolean;
}

/** No file here brings capabilities, so that user 0 alone has any from an exec, but for ambient ones. */
export function rootPrivilege(
  { bounding, inheritable }: Capabilities,
  { real, effective }: Ids,
  securebits: number,
): RootPrivilege {
  const isRoot = (securebits & SECBIT_NOROOT) === 0 && (real === 0 || effective === 0);
  if (!isRoot) return { permitted: NO_CAPABILITIES, counts: false };
  return { permitted: union(bounding, inheritable), counts: effective === 0 };
}

export function isSubset(part: CapabilitySet, of: CapabilitySet): boolean {
  return (part.low & ~of.low) === 0 && (part.high & ~of.high) === 0;
}

export function union(one: CapabilitySet, other: CapabilitySet): CapabilitySet {
  return { low: (one.low | other.low) >>> 0, high: (one.high | other.high) >>> 0 };
}

export function without(one: CapabilitySet, other: CapabilitySet): CapabilitySet {
  return { low: (one.low & ~other.low) >>> 0, high: (one.high & ~other.high) >>> 0 };
}

export function both(one: CapabilitySet, other: CapabilitySet): CapabilitySet {
  return { low: (one.low & other.low) >>> 0, high: (one.high & other.high) >>> 0 };
}

function isSame(one: CapabilitySet, other: CapabilitySet): boolean {
  return one.low === other.low && one.high === other.high;
}
