/** The signal mask that ppoll, pselect6 and epoll_pwait take for the time of their waiting (set_user_sigmask). */
import { EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { UNBLOCKABLE } from "../signals/signal-numbers.ts";
import { SigSet } from "../signals/sigset.ts";
import type { Call } from "./call.ts";

const SIGSET_BYTES = 8;

/** Sets the mask at `addr`, unless that is null. 0 or negative errno. Precondition: the call's first try. */
export function setTemporaryMask(call: Call, addr: number, size: number): number {
  if (addr === 0) return 0;
  if (size !== SIGSET_BYTES) return -EINVAL;
  const raw = call.get(addr, SIGSET_BYTES);
  if (raw === undefined) return -EFAULT;
  const { signals } = call.thread;
  signals.saved = signals.blocked.clone();
  signals.blocked.assign(SigSet.fromBytes(raw.bytes).deleteAll(UNBLOCKABLE));
  return 0;
}

/** The call ends without a signal: the mask comes back. After a signal, its frame does that. */
export function endTemporaryMask(call: Call, result: number): number {
  const { signals } = call.thread;
  if (signals.saved !== undefined) {
    signals.blocked.assign(signals.saved);
    signals.saved = undefined;
  }
  return result;
}
