/** setitimer and getitimer (kernel/time/itimer.c). */
import { EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import { getTimeval, isValidTimeval, nsOfTimeval, putTimeval, TIMEVAL_BYTES } from "../abi/structs.ts";
import { type IntervalTimer, ITIMER_PROF, ITIMER_REAL, timerClockNs } from "../signals/interval-timer.ts";
import type { Call, SyscallGroup } from "./call.ts";

/** struct __kernel_old_itimerval, 32 bytes: 0 it_interval, 16 it_value. */
const ITIMERVAL_BYTES = 2 * TIMEVAL_BYTES;
const IT_VALUE = TIMEVAL_BYTES;
const NS_PER_MICROSECOND = 1000;

export const intervalTimerCalls: SyscallGroup = [
  [102, "getitimer", 2, getitimer],
  [103, "setitimer", 3, setitimer],
];

function getitimer(call: Call): number {
  const timer = timerOf(call);
  return timer === undefined ? -EINVAL : call.put(call.u64(1), encode(call, timer));
}

/** A null pointer to the new value stands for zeros, which stop the timer. */
function setitimer(call: Call): number {
  let raw = new StructView(ITIMERVAL_BYTES);
  if (call.u64(1) !== 0) {
    const given = call.get(call.u64(1), ITIMERVAL_BYTES);
    if (given === undefined) return -EFAULT;
    raw = given;
  }
  const interval = getTimeval(raw, 0);
  const value = getTimeval(raw, IT_VALUE);
  if (!isValidTimeval(interval) || !isValidTimeval(value)) return -EINVAL;
  const timer = timerOf(call);
  if (timer === undefined) return -EINVAL;
  const old = encode(call, timer);
  const valueNs = nsOfTimeval(value);
  timer.isRunning = valueNs > 0;
  timer.intervalNs = timer.isRunning ? nsOfTimeval(interval) : 0;
  timer.expiresNs = timerClockNs(call.system, call.thread.group, call.s32(0)) + valueNs;
  return call.putIfWanted(call.u64(2), () => old);
}

function timerOf(call: Call): IntervalTimer | undefined {
  const which = call.s32(0);
  return which < ITIMER_REAL || which > ITIMER_PROF ? undefined : call.thread.group.timers[which];
}

/** Interval and time left, which is never 0 while it runs: that would say that it does not. */
function encode(call: Call, timer: IntervalTimer): Uint8Array {
  const leftNs = timer.expiresNs - timerClockNs(call.system, call.thread.group, call.s32(0));
  const out = new StructView(ITIMERVAL_BYTES);
  putTimeval(out, 0, timer.intervalNs);
  putTimeval(out, IT_VALUE, timer.isRunning ? Math.max(leftNs, NS_PER_MICROSECOND) : 0);
  return out.bytes;
}
