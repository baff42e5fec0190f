/** Options of prctl(2) about capabilities: the bounding and the ambient set, and the securebits (cap_task_prctl). */
import { setCapabilities } from "../../mm/kernel/task-lifecycle.ts";
import { CAP_LAST_CAP, CAP_SETPCAP } from "../../mm/uapi/capability.ts";
import { EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import {
  SECBIT_KEEP_CAPS,
  SECBIT_NO_CAP_AMBIENT_RAISE,
  SECURE_ALL_BITS,
  SECURE_ALL_LOCKS,
  SECURE_ALL_UNPRIVILEGED,
} from "../../mm/uapi/securebits.ts";
import {
  capabilitiesOf,
  capable,
  has,
  NO_CAPABILITIES,
  only,
  union,
  without,
} from "../../mm/vfs/capability.ts";
import type { Call } from "./call.ts";

const PR_GET_KEEPCAPS = 7;
const PR_SET_KEEPCAPS = 8;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_GET_SECUREBITS = 27;
const PR_SET_SECUREBITS = 28;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_IS_SET = 1;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_LOWER = 3;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** What the option answers, undefined where it is none of these. */
export function prctlCredentials(call: Call): number | undefined {
  const { process } = call;
  const argument = call.u64(1);
  switch (call.s32(0)) {
    case PR_CAPBSET_READ:
      return argument > CAP_LAST_CAP ? -EINVAL : Number(has(capabilitiesOf(process).bounding, argument));
    case PR_CAPBSET_DROP:
      return dropFromBounding(call);
    case PR_GET_SECUREBITS:
      return process.securebits;
    case PR_SET_SECUREBITS:
      return setSecurebits(call);
    case PR_GET_KEEPCAPS:
      return Number((process.securebits & SECBIT_KEEP_CAPS) !== 0);
    case PR_SET_KEEPCAPS:
      if (argument > 1) return -EINVAL;
      if ((process.securebits & (SECBIT_KEEP_CAPS << 1)) !== 0) return -EPERM;
      process.securebits = (process.securebits & ~SECBIT_KEEP_CAPS) | (argument * SECBIT_KEEP_CAPS);
      return 0;
    case PR_CAP_AMBIENT:
      return ambient(call);
    default:
      return undefined;
  }
}

/** What is gone from there no exec brings back; what the process has already stays. */
function dropFromBounding(call: Call): number {
  const { process } = call;
  if (!capable(process, CAP_SETPCAP)) return -EPERM;
  const capability = call.u64(1);
  if (capability > CAP_LAST_CAP) return -EINVAL;
  const old = capabilitiesOf(process);
  setCapabilities(process, { ...old, bounding: without(old.bounding, only(capability)) });
  return 0;
}

/** What is locked stays, locks too; and all but what scripts' interpreters ask about takes CAP_SETPCAP. */
function setSecurebits(call: Call): number {
  const { process } = call;
  const wanted = call.u64(1);
  const bits = wanted | 0;
  const old = process.securebits;
  const locks = old & SECURE_ALL_LOCKS;
  const changed = old ^ bits;
  if (((locks >> 1) & changed) !== 0 || (locks & ~bits) !== 0) return -EPERM;
  if (wanted > (SECURE_ALL_BITS | SECURE_ALL_LOCKS) || (bits & ~(SECURE_ALL_BITS | SECURE_ALL_LOCKS)) !== 0)
    return -EPERM;
  if (!capable(process, CAP_SETPCAP)) {
    const free = SECURE_ALL_UNPRIVILEGED | (SECURE_ALL_UNPRIVILEGED << 1);
    // For no change, too: as it was before any of them was free.
    if (changed === 0 || (changed & ~free) !== 0) return -EPERM;
  }
  process.securebits = bits;
  return 0;
}

function ambient(call: Call): number {
  const { process } = call;
  const what = call.u64(1);
  const capability = call.u64(2);
  const old = capabilitiesOf(process);
  const areOthersSet = call.u64(3) !== 0 || call.u64(4) !== 0;
  if (what === PR_CAP_AMBIENT_CLEAR_ALL) {
    if (capability !== 0 || areOthersSet) return -EINVAL;
    setCapabilities(process, { ...old, ambient: NO_CAPABILITIES });
    return 0;
  }
  if (capability > CAP_LAST_CAP || areOthersSet) return -EINVAL;
  switch (what) {
    case PR_CAP_AMBIENT_IS_SET:
      return Number(has(old.ambient, capability));
    case PR_CAP_AMBIENT_RAISE: {
      const mayBe = has(old.permitted, capability) && has(old.inheritable, capability);
      if (!mayBe || (process.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) !== 0) return -EPERM;
      setCapabilities(process, { ...old, ambient: union(old.ambient, only(capability)) });
      return 0;
    }
    case PR_CAP_AMBIENT_LOWER:
      setCapabilities(process, { ...old, ambient: without(old.ambient, only(capability)) });
      return 0;
    default:
      return -EINVAL;
  }
}
