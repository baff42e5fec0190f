/** Setting the time of day: clock_settime, settimeofday, adjtimex, clock_adjtime (kernel/time/time.c, posix-timers.c, ntp.c). */
import { CAP_SYS_TIME } from "../../mm/uapi/capability.ts";
import { EFAULT, EINVAL, EOPNOTSUPP, EPERM } from "../../mm/uapi/errno.ts";
import { capable } from "../../mm/vfs/capability.ts";
import type { StructView } from "../abi/bytes.ts";
import {
  getTimespec,
  isValidTimespec,
  TIMESPEC_BYTES,
  TIMEVAL_BYTES,
  type Timespec,
} from "../abi/structs.ts";
import { NTP_PHASE_LIMIT, STA_NANO, STA_PLL, STA_UNSYNC, type TimeOfDay } from "../time-of-day.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { CLOCK_REALTIME, clockExists, isClockId } from "./time.ts";

export const setTimeCalls: SyscallGroup = [
  [112, "clock_settime", 2, clockSettime],
  [170, "settimeofday", 2, settimeofday],
  [171, "adjtimex", 1, (call) => adjtimex(call, call.u64(0))],
  [266, "clock_adjtime", 2, clockAdjtime],
];

const TIMEZONE_BYTES = 8;
/** 2^63 ns, less 30 years that the machine may go on (TIME_SETTOD_SEC_MAX). */
const TIME_SETTOD_SEC_MAX: number = 9_223_372_036 - 30 * 365 * 24 * 3600;

function clockSettime(call: Call): number {
  const id = call.s32(0);
  if (id > CLOCK_REALTIME) return -EINVAL;
  const raw = call.get(call.u64(1), TIMESPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  if (id === CLOCK_REALTIME) return setTimeOfDay(call, getTimespec(raw));
  // CPU time, which nobody can set.
  return clockExists(call, id) ? -EPERM : -EINVAL;
}

/** Arguments: struct timeval, struct timezone; both may be null. */
function settimeofday(call: Call): number {
  let time: Timespec | undefined;
  if (call.u64(0) !== 0) {
    const raw = call.get(call.u64(0), TIMEVAL_BYTES);
    if (raw === undefined) return -EFAULT;
    const microseconds = raw.s64(8);
    if (microseconds > 1e6 || microseconds < 0) return -EINVAL;
    time = { seconds: raw.s64(0), nanoseconds: microseconds * 1000 };
  }
  const zone = call.u64(1) === 0 ? undefined : call.get(call.u64(1), TIMEZONE_BYTES);
  if (call.u64(1) !== 0 && zone === undefined) return -EFAULT;
  if (time !== undefined && !canBeSet(time)) return -EINVAL;
  if (!capable(call.process, CAP_SYS_TIME)) return -EPERM;
  if (zone !== undefined) {
    const { timeOfDay } = call.system;
    if (Math.abs(zone.s32(0)) > 15 * 60) return -EINVAL;
    timeOfDay.minutesWest = zone.s32(0);
    timeOfDay.dstTime = zone.s32(4);
  }
  return time === undefined ? 0 : setTimeOfDay(call, time);
}

function canBeSet(time: Timespec): boolean {
  return isValidTimespec(time) && time.seconds < TIME_SETTOD_SEC_MAX;
}

/** do_settimeofday64 */
function setTimeOfDay(call: Call, time: Timespec): number {
  if (!canBeSet(time)) return -EINVAL;
  if (!capable(call.process, CAP_SYS_TIME)) return -EPERM;
  const { timeOfDay } = call.system;
  const now = timeOfDay.now();
  return step(call, {
    seconds: time.seconds - now.seconds,
    nanoseconds: time.nanoseconds - now.nanoseconds,
  });
}

/** Not to before the machine was switched on: the time of day is never behind the monotonic clock. */
function step({ system }: Call, by: Timespec): number {
  const { timeOfDay, clock } = system;
  const now = timeOfDay.now();
  const seconds = now.seconds + by.seconds + (now.nanoseconds + by.nanoseconds) / 1e9;
  if (seconds < clock.monotonicNs() / 1e9 || seconds >= TIME_SETTOD_SEC_MAX) return -EINVAL;
  timeOfDay.step(
    by,
    system.threads.map(({ wait }) => wait),
  );
  return 0;
}

const ADJ_OFFSET = 0x1;
const ADJ_FREQUENCY = 0x2;
const ADJ_MAXERROR = 0x4;
const ADJ_ESTERROR = 0x8;
const ADJ_STATUS = 0x10;
const ADJ_TIMECONST = 0x20;
const ADJ_TAI = 0x80;
const ADJ_SETOFFSET = 0x100;
const ADJ_MICRO = 0x1000;
const ADJ_NANO = 0x2000;
const ADJ_TICK = 0x4000;
/** adjtime(3); with it the bits of OFFSET and NANO mean SINGLESHOT and READONLY. */
const ADJ_ADJTIME = 0x8000;
const STA_RONLY = 0xff00;
const STA_CLOCKERR = 0x1000;
const TIME_ERROR = 5;
const MAXTC = 10;
const MAX_TAI_OFFSET = 100_000;
/** 500 ppm, in 2^-16 ppm. */
const MAXFREQ = 32_768_000;
const MAXPHASE_NS = 500_000_000;
const PPM_SCALE = 65_536_000;
/**
 * struct timex: 0 modes (u32), 8 offset, 16 freq, 24 maxerror, 32 esterror, 40 status (int), 48 constant, 56 precision,
 * 64 tolerance, 72 time (two longs), 88 tick, 96 … 159 of a pulse per second, which there is none, 160 tai (int), … 208.
 */
const TIMEX_BYTES = 208;

function clockAdjtime(call: Call): number {
  const id = call.s32(0);
  if (call.get(call.u64(1), TIMEX_BYTES) === undefined) return -EFAULT;
  if (id === CLOCK_REALTIME) return adjtimex(call, call.u64(1));
  return isClockId(id) ? -EOPNOTSUPP : -EINVAL;
}

/** Answers TIME_OK or TIME_ERROR: whether anybody vouches for the time. */
function adjtimex(call: Call, at: number): number {
  const timex = call.get(at, TIMEX_BYTES);
  if (timex === undefined) return -EFAULT;
  const { timeOfDay } = call.system;
  const modes = timex.u32(0) >>> 0;
  const refused = checkModes(call, timex, modes);
  if (refused !== 0) return refused;
  if ((modes & ADJ_SETOFFSET) !== 0) {
    const failed = step(call, {
      seconds: timex.s64(72),
      nanoseconds: timex.s64(80) * ((modes & ADJ_NANO) === 0 ? 1000 : 1),
    });
    if (failed !== 0) return failed;
  }
  if ((modes & ADJ_ADJTIME) !== 0) {
    const before = timeOfDay.singleShot;
    if ((modes & ADJ_NANO) === 0) timeOfDay.singleShot = timex.s64(8);
    timex.put64(8, before);
  } else {
    adjust(timeOfDay, timex, modes);
    const isNano = (timeOfDay.status & STA_NANO) !== 0;
    timex.put64(8, isNano ? timeOfDay.offset : Math.trunc(timeOfDay.offset / 1000));
  }
  putState(timeOfDay, timex);
  if (call.put(at, timex.bytes) < 0) return -EFAULT;
  return (timeOfDay.status & (STA_UNSYNC | STA_CLOCKERR)) !== 0 ? TIME_ERROR : 0;
}

/** timekeeping_validate_timex */
function checkModes(call: Call, timex: StructView, modes: number): number {
  const mayAdjust = capable(call.process, CAP_SYS_TIME);
  if ((modes & ADJ_ADJTIME) !== 0) {
    if ((modes & ADJ_OFFSET) === 0) return -EINVAL;
    if ((modes & ADJ_NANO) === 0 && !mayAdjust) return -EPERM;
  } else {
    if (modes !== 0 && !mayAdjust) return -EPERM;
    const tick = timex.s64(88);
    if ((modes & ADJ_TICK) !== 0 && (tick < 9_000 || tick > 11_000)) return -EINVAL;
  }
  if ((modes & ADJ_SETOFFSET) !== 0) {
    if (!mayAdjust) return -EPERM;
    const part = timex.s64(80);
    if (part < 0 || part >= ((modes & ADJ_NANO) === 0 ? 1e6 : 1e9)) return -EINVAL;
  }
  const isHuge = Math.abs(timex.s64(16)) > 2 ** 63 / PPM_SCALE;
  return (modes & ADJ_FREQUENCY) !== 0 && isHuge ? -EINVAL : 0;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}

/** process_adjtimex_modes */
function adjust(timeOfDay: TimeOfDay, timex: StructView, modes: number): void {
  if ((modes & ADJ_STATUS) !== 0) {
    const status = timex.s32(40);
    if ((timeOfDay.status & STA_PLL) !== 0 && (status & STA_PLL) === 0) timeOfDay.status = STA_UNSYNC;
    timeOfDay.status = (timeOfDay.status & STA_RONLY) | (status & ~STA_RONLY);
  }
  if ((modes & ADJ_NANO) !== 0) timeOfDay.status |= STA_NANO;
  if ((modes & ADJ_MICRO) !== 0) timeOfDay.status &= ~STA_NANO;
  const isNano = (timeOfDay.status & STA_NANO) !== 0;
  if ((modes & ADJ_FREQUENCY) !== 0) timeOfDay.frequency = clamp(timex.s64(16), -MAXFREQ, MAXFREQ);
  if ((modes & ADJ_MAXERROR) !== 0) timeOfDay.maximumError = clamp(timex.s64(24), 0, NTP_PHASE_LIMIT);
  if ((modes & ADJ_ESTERROR) !== 0) timeOfDay.estimatedError = clamp(timex.s64(32), 0, NTP_PHASE_LIMIT);
  const constant = timex.s64(48);
  if ((modes & ADJ_TIMECONST) !== 0)
    timeOfDay.constant = clamp(clamp(constant, 0, MAXTC) + (isNano ? 0 : 4), 0, MAXTC);
  if ((modes & ADJ_TAI) !== 0 && constant >= 0 && constant <= MAX_TAI_OFFSET) timeOfDay.tai = constant;
  if ((modes & ADJ_OFFSET) !== 0 && (timeOfDay.status & STA_PLL) !== 0)
    timeOfDay.offset = clamp(timex.s64(8) * (isNano ? 1 : 1000), -MAXPHASE_NS, MAXPHASE_NS);
  if ((modes & ADJ_TICK) !== 0) timeOfDay.tick = timex.s64(88);
}

/** All but the modes and the offset. */
function putState(timeOfDay: TimeOfDay, timex: StructView): void {
  // Asked first: that may be the moment from which nobody vouches for the time.
  const { maximumError } = timeOfDay;
  const { seconds, nanoseconds } = timeOfDay.now();
  const isNano = (timeOfDay.status & STA_NANO) !== 0;
  timex.put64(16, timeOfDay.frequency).put64(24, maximumError).put64(32, timeOfDay.estimatedError);
  timex.put32(40, timeOfDay.status).put64(48, timeOfDay.constant).put64(56, 1).put64(64, MAXFREQ);
  timex.put64(72, seconds).put64(80, isNano ? nanoseconds : Math.floor(nanoseconds / 1000));
  timex.put64(88, timeOfDay.tick);
  for (let at = 96; at < 160; at += 8) timex.put64(at, 0);
  timex.put32(160, timeOfDay.tai);
}
