/**
 * Root's powers, cut in 41 pieces (capabilities(7), kernel/capability.c, security/commoncap.c).
 *
 * A process has three sets of them: what counts now (effective), what it may let count (permitted), and what could pass
 * through an exec. As long as nobody changes them they follow from the user: all for user 0, none for others. So they are
 * kept only where they are something else, after capset(2); null stands for what follows from the user.
 */
import { CAP_LAST_CAP } from "../uapi/capability.ts";

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
}

/** Who asks. */
export interface Holder {
  readonly uid: number;
  readonly capabilities?: Capabilities | null;
}

export const ALL_CAPABILITIES: CapabilitySet = { low: 0xffffffff, high: 2 ** (CAP_LAST_CAP - 31) - 1 };
export const NO_CAPABILITIES: CapabilitySet = { low: 0, high: 0 };

/** Whether `who` may do what the capability is for (capable). */
export function capable(who: Holder, capability: number): boolean {
  const { capabilities } = who;
  if (capabilities === undefined || capabilities === null) return who.uid === 0;
  const { low, high } = capabilities.effective;
  return (((capability < 32 ? low : high) >>> (capability & 31)) & 1) === 1;
}

export function capabilitiesOf({ uid, capabilities }: Holder): Capabilities {
  if (capabilities !== undefined && capabilities !== null) return capabilities;
  const set = uid === 0 ? ALL_CAPABILITIES : NO_CAPABILITIES;
  return { effective: set, permitted: set, inheritable: NO_CAPABILITIES };
}

/** How a process of user `uid` keeps these. */
export function kept(uid: number, wanted: Capabilities): Capabilities | null {
  const usual = capabilitiesOf({ uid });
  const isUsual =
    isSame(wanted.effective, usual.effective) &&
    isSame(wanted.permitted, usual.permitted) &&
    isSame(wanted.inheritable, usual.inheritable);
  return isUsual ? null : wanted;
}

/** Those after another user id was set (cap_emulate_setxuid): leaving user 0 loses all, becoming it brings what is permitted. */
export function afterSetuid(before: Capabilities, from: number, to: number): Capabilities {
  const { permitted, inheritable } = before;
  if (from === 0 && to !== 0) return { effective: NO_CAPABILITIES, permitted: NO_CAPABILITIES, inheritable };
  return from !== 0 && to === 0 ? { ...before, effective: permitted } : before;
}

/**
 * Those after an exec (cap_bprm_creds_from_file): user 0 has all again, others have none, since no file here brings any.
 *
 * @param mayGain PR_SET_NO_NEW_PRIVS keeps it from having more than was permitted before
 */
export function afterExec(before: Capabilities, uid: number, mayGain: boolean): Capabilities {
  const { inheritable } = before;
  const gained = uid === 0 ? ALL_CAPABILITIES : NO_CAPABILITIES;
  const permitted = mayGain ? gained : both(gained, before.permitted);
  return { effective: permitted, permitted, inheritable };
}

export function isSubset(part: CapabilitySet, of: CapabilitySet): boolean {
  return (part.low & ~of.low) === 0 && (part.high & ~of.high) === 0;
}

export function union(one: CapabilitySet, other: CapabilitySet): CapabilitySet {
  return { low: (one.low | other.low) >>> 0, high: (one.high | other.high) >>> 0 };
}

function both(one: CapabilitySet, other: CapabilitySet): CapabilitySet {
  return { low: (one.low & other.low) >>> 0, high: (one.high & other.high) >>> 0 };
}

function isSame(one: CapabilitySet, other: CapabilitySet): boolean {
  return one.low === other.low && one.high === other.high;
}
