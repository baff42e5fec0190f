/** Options of prctl(2) that a program tunes itself with: how late its timers may be, and whether it wants huge pages. */
import { EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import { PR_MDWE_NO_INHERIT, PR_MDWE_REFUSE_EXEC_GAIN } from "../../mm/vma/deny-write-exec.ts";
import type { Call } from "./call.ts";

const PR_SET_TIMERSLACK = 29;
const PR_GET_TIMERSLACK = 30;
const PR_SET_THP_DISABLE = 41;
const PR_GET_THP_DISABLE = 42;
const PR_SET_MDWE = 65;
const PR_GET_MDWE = 66;
/** But for memory that asked for them (MADV_HUGEPAGE). */
const PR_THP_DISABLE_EXCEPT_ADVISED = 2;

/** What the option answers, undefined where it is none of these. */
export function prctlTuning(call: Call): number | undefined {
  const { activity } = call.process;
  switch (call.s32(0)) {
    case PR_SET_TIMERSLACK:
      // Timers here are never late: any slack is kept to.
      if (activity !== null) activity.timerSlackNs = Math.max(0, call.s64(1));
      return 0;
    case PR_GET_TIMERSLACK:
      return activity?.timerSlackNs ?? 0;
    case PR_SET_THP_DISABLE:
      return setThpDisable(call);
    case PR_GET_THP_DISABLE:
      return areSet(call, 1) ? -EINVAL : call.process.mm.thpDisable;
    case PR_SET_MDWE:
      return setMdwe(call);
    case PR_GET_MDWE:
      return areSet(call, 1) ? -EINVAL : call.process.mm.mdwe;
    default:
      return undefined;
  }
}

/** prctl_set_thp_disable: kept by the memory, which fork copies and exec hands on. */
function setThpDisable(call: Call): number {
  const isDisabled = call.u64(1) !== 0;
  const flags = call.u64(2);
  if (areSet(call, 3)) return -EINVAL;
  if (flags !== 0 && (!isDisabled || flags !== PR_THP_DISABLE_EXCEPT_ADVISED)) return -EINVAL;
  call.process.mm.thpDisable = isDisabled ? 1 | flags : 0;
  return 0;
}

/** prctl_set_mdwe: once set it stays as it is. */
function setMdwe(call: Call): number {
  const { mm } = call.process;
  const bits = call.u64(1);
  if (areSet(call, 2)) return -EINVAL;
  if (
    bits !== 0 &&
    bits !== PR_MDWE_REFUSE_EXEC_GAIN &&
    bits !== (PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT)
  ) {
    return -EINVAL;
  }
  if (mm.mdwe !== 0 && mm.mdwe !== bits) return -EPERM;
  mm.mdwe = bits;
  return 0;
}

/** Whether an argument from `first` on, which has to be 0, is not. */
function areSet(call: Call, first: number): boolean {
  for (let i = first; i <= 4; i++) if (call.u64(i) !== 0) return true;
  return false;
}
