/**
 * Scheduling policies, priorities and processors (kernel/sched/syscalls.c): checked as Linux checks them, kept for each
 * thread, told back and passed on to what it clones. Turns are the same for all, see docs/deviations.md, and there is one
 * processor.
 */

import { PAGE_SIZE } from "../../mm/page.ts";
import { CAP_SYS_NICE } from "../../mm/uapi/capability.ts";
import { E2BIG, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ESRCH } from "../../mm/uapi/errno.ts";
import { RLIMIT_RTPRIO } from "../../mm/uapi/mman.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { StructView } from "../abi/bytes.ts";
import { TIMESPEC_BYTES } from "../abi/structs.ts";
import type { Thread } from "../thread.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { isUserOf, mayRenice } from "./priority.ts";

const SCHED_NORMAL = 0;
const SCHED_FIFO = 1;
const SCHED_RR = 2;
const SCHED_BATCH = 3;
export const SCHED_IDLE = 5;
const SCHED_DEADLINE = 6;
const SCHED_EXT = 7;
/** Beside the policy: what the thread clones starts with none of this (also bit 0 of sched_flags). */
const SCHED_RESET_ON_FORK = 0x40000000;
/** The policy stays what it is (SETPARAM_POLICY). */
const KEEP_POLICY = -1;
const MAX_PRIORITY = 99;
const MIN_NICE = -20;
const MAX_NICE = 19;
const RR_TIMESLICE_NS = 100_000_000;
const SCHED_PARAM_BYTES = 4;
/** Bytes of a cpumask: one word. */
const CPUMASK_BYTES = 8;

/**
 * struct sched_attr: 0 size, 4 policy, 8 flags (u64), 16 nice, 20 priority, 24 runtime, 32 deadline, 40 period, 48 util_min,
 * 52 util_max. Its first version ended before util_min.
 */
const SCHED_ATTR_BYTES = 56;
const SCHED_ATTR_SIZE_VER0 = 48;
const SCHED_FLAG_RESET_ON_FORK = 0x01;
const SCHED_FLAG_KEEP_POLICY = 0x08;
const SCHED_FLAG_KEEP_PARAMS = 0x10;
const SCHED_FLAG_UTIL_CLAMP = 0x60;
const SCHED_FLAG_ALL = 0x7f;
/** What a runtime given to a thread without a deadline is cut to: its slice. */
const BASE_SLICE_NS = 700_000;
const MIN_SLICE_NS = 100_000;
const MAX_SLICE_NS = 100_000_000;

export const schedCalls: SyscallGroup = [
  [118, "sched_setparam", 2, (call) => setScheduler(call, KEEP_POLICY, call.u64(1))],
  [119, "sched_setscheduler", 3, setSchedulerCall],
  [120, "sched_getscheduler", 1, getScheduler],
  [121, "sched_getparam", 2, getParam],
  [122, "sched_setaffinity", 3, setAffinity],
  [123, "sched_getaffinity", 3, getAffinity],
  [124, "sched_yield", 0, schedYield],
  [125, "sched_get_priority_max", 1, (call) => priorityLimit(call.s32(0), MAX_PRIORITY)],
  [126, "sched_get_priority_min", 1, (call) => priorityLimit(call.s32(0), 1)],
  [127, "sched_rr_get_interval", 2, rrGetInterval],
  [168, "getcpu", 3, getcpu],
  [274, "sched_setattr", 3, setAttr],
  [275, "sched_getattr", 4, getAttr],
];

export function isRealTime(policy: number): boolean {
  return policy === SCHED_FIFO || policy === SCHED_RR;
}

/** Whether there is such a policy. Classes of one's own (EXT) take a program of BPF. */
function isValidPolicy(policy: number): boolean {
  return isRealTime(policy) || policy === SCHED_NORMAL || policy === SCHED_BATCH || policy === SCHED_IDLE;
}

/** find_process_by_pid: any thread, 0 for the caller. */
function target({ system, thread }: Call, pid: number): Thread | undefined {
  return pid === 0 ? thread : system.thread(pid);
}

/** The target of a call that refuses a negative number, or its errno. */
function targetOf(call: Call): Thread | number {
  const pid = call.s32(0);
  return pid < 0 ? -EINVAL : (target(call, pid) ?? -ESRCH);
}

function setSchedulerCall(call: Call): number {
  const policy = call.s32(1);
  return policy < 0 ? -EINVAL : setScheduler(call, policy, call.u64(2));
}

function setScheduler(call: Call, asked: number, at: number): number {
  if (at === 0 || call.s32(0) < 0) return -EINVAL;
  const raw = call.get(at, SCHED_PARAM_BYTES);
  if (raw === undefined) return -EFAULT;
  const thread = targetOf(call);
  if (typeof thread === "number") return thread;
  const resets = asked !== KEEP_POLICY && (asked & SCHED_RESET_ON_FORK) !== 0;
  const policy = asked === KEEP_POLICY ? KEEP_POLICY : asked & ~SCHED_RESET_ON_FORK;
  return change(call, thread, { policy, priority: raw.s32(0), nice: thread.nice, resets, sliceNs: 0 });
}

interface Wanted {
  /** Or KEEP_POLICY. */
  readonly policy: number;
  readonly priority: number;
  readonly nice: number;
  readonly resets: boolean;
  /** 0 for the usual one. */
  readonly sliceNs: number;
}

/** __sched_setscheduler */
function change(call: Call, thread: Thread, wanted: Wanted): number {
  const { sched } = thread;
  const keeps = wanted.policy === KEEP_POLICY;
  const policy = keeps ? sched.policy : wanted.policy;
  const resets = keeps ? sched.resetOnFork : wanted.resets;
  if (!isValidPolicy(policy)) return -EINVAL;
  if (wanted.priority < 0 || wanted.priority > MAX_PRIORITY) return -EINVAL;
  if (isRealTime(policy) !== (wanted.priority !== 0)) return -EINVAL;
  const refused = mayChange(call, thread, policy, wanted, resets);
  if (refused !== 0) return refused;
  sched.policy = policy;
  sched.priority = wanted.priority;
  sched.resetOnFork = resets;
  if (!isRealTime(policy)) {
    thread.nice = wanted.nice;
    if (wanted.sliceNs > 0) sched.sliceNs = Math.min(MAX_SLICE_NS, Math.max(MIN_SLICE_NS, wanted.sliceNs));
  }
  return 0;
}

/** user_check_sched_setscheduler: what takes CAP_SYS_NICE, which root has. */
function mayChange(call: Call, thread: Thread, policy: number, wanted: Wanted, resets: boolean): number {
  if (capable(call.process, CAP_SYS_NICE)) return 0;
  const { sched } = thread;
  const { process } = thread.group;
  if (isRealTime(policy)) {
    const limit = process.rlimits[RLIMIT_RTPRIO].soft;
    if (policy !== sched.policy && limit === 0) return -EPERM;
    if (wanted.priority > sched.priority && wanted.priority > limit) return -EPERM;
  } else if (wanted.nice < thread.nice && mayRenice(call, thread, wanted.nice) !== 0) return -EPERM;
  if (sched.policy === SCHED_IDLE && policy !== SCHED_IDLE && mayRenice(call, thread, thread.nice) !== 0)
    return -EPERM;
  if (!isUserOf(call, process)) return -EPERM;
  return sched.resetOnFork && !resets ? -EPERM : 0;
}

function getScheduler(call: Call): number {
  const thread = targetOf(call);
  if (typeof thread === "number") return thread;
  return thread.sched.policy | (thread.sched.resetOnFork ? SCHED_RESET_ON_FORK : 0);
}

function getParam(call: Call): number {
  if (call.u64(1) === 0) return -EINVAL;
  const thread = targetOf(call);
  if (typeof thread === "number") return thread;
  return call.put(call.u64(1), new StructView(SCHED_PARAM_BYTES).put32(0, thread.sched.priority).bytes);
}

function priorityLimit(policy: number, ofRealTime: number): number {
  if (isRealTime(policy)) return ofRealTime;
  return isValidPolicy(policy) || policy === SCHED_DEADLINE || policy === SCHED_EXT ? 0 : -EINVAL;
}

/** How long a turn of SCHED_RR is; others have none that whole ticks of 4 ms could tell. */
function rrGetInterval(call: Call): number {
  const thread = targetOf(call);
  if (typeof thread === "number") return thread;
  const isRoundRobin = thread.sched.policy === SCHED_RR;
  const out = new StructView(TIMESPEC_BYTES).put64(8, isRoundRobin ? RR_TIMESLICE_NS : 0);
  return call.put(call.u64(1), out.bytes);
}

/** One processor: a set without it is empty. */
function setAffinity(call: Call): number {
  const length = Math.min(call.u32(1), CPUMASK_BYTES);
  const raw = call.get(call.u64(2), length);
  if (raw === undefined) return -EFAULT;
  const thread = target(call, call.s32(0));
  if (thread === undefined) return -ESRCH;
  if (!isUserOf(call, thread.group.process) && !capable(call.process, CAP_SYS_NICE)) return -EPERM;
  return length > 0 && (raw.bytes[0] & 1) === 1 ? 0 : -EINVAL;
}

function getAffinity(call: Call): number {
  const size = call.u32(1);
  if (size < CPUMASK_BYTES || size % CPUMASK_BYTES !== 0) return -EINVAL;
  if (target(call, call.s32(0)) === undefined) return -ESRCH;
  const failed = call.put(call.u64(2), new StructView(CPUMASK_BYTES).put64(0, 1).bytes);
  return failed < 0 ? failed : CPUMASK_BYTES;
}

function schedYield(call: Call): number {
  call.system.yields = true;
  return 0;
}

function getcpu(call: Call): number {
  const zero = (): Uint8Array => new Uint8Array(4);
  const failed = call.putIfWanted(call.u64(0), zero);
  return failed < 0 ? failed : call.putIfWanted(call.u64(1), zero);
}

/** The attributes at argument 1 (sched_copy_attr), or negative errno. A wrong size is answered with the right one. */
function copyAttr(call: Call): StructView | number {
  const at = call.u64(1);
  const head = call.get(at, 4);
  if (head === undefined) return -EFAULT;
  const size = head.u32(0) === 0 ? SCHED_ATTR_SIZE_VER0 : head.u32(0);
  const tellSize = (): number => {
    call.put(at, new StructView(4).put32(0, SCHED_ATTR_BYTES).bytes);
    return -E2BIG;
  };
  if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) return tellSize();
  const raw = call.get(at, size);
  if (raw === undefined) return -EFAULT;
  if (raw.bytes.subarray(SCHED_ATTR_BYTES).some((byte) => byte !== 0)) return tellSize();
  if ((raw.u32(8) & SCHED_FLAG_UTIL_CLAMP) !== 0 && size < SCHED_ATTR_BYTES) return -EINVAL;
  const attr = new StructView(SCHED_ATTR_BYTES);
  attr.bytes.set(raw.bytes.subarray(0, SCHED_ATTR_BYTES));
  return attr;
}

function setAttr(call: Call): number {
  if (call.u64(1) === 0 || call.s32(0) < 0 || call.u32(2) !== 0) return -EINVAL;
  const attr = copyAttr(call);
  if (typeof attr === "number") return attr;
  const flags = attr.u32(8);
  if (attr.s32(4) < 0) return -EINVAL;
  const thread = targetOf(call);
  if (typeof thread === "number") return thread;
  const { sched } = thread;
  const keepsParams = (flags & SCHED_FLAG_KEEP_PARAMS) !== 0;
  const keepsPolicy = (flags & SCHED_FLAG_KEEP_POLICY) !== 0;
  const policy = keepsPolicy ? KEEP_POLICY : attr.s32(4);
  const unknown = attr.u32(12) !== 0 || (flags & ~SCHED_FLAG_ALL) !== 0;
  if (unknown || (!keepsPolicy && !isValidPolicy(policy))) return -EINVAL;
  // Without CONFIG_UCLAMP_TASK.
  if ((flags & SCHED_FLAG_UTIL_CLAMP) !== 0) return -EOPNOTSUPP;
  return change(call, thread, {
    policy,
    priority: keepsParams ? sched.priority : attr.s32(20),
    nice: keepsParams ? thread.nice : Math.min(MAX_NICE, Math.max(MIN_NICE, attr.s32(16))),
    resets: (flags & SCHED_FLAG_RESET_ON_FORK) !== 0,
    sliceNs: keepsParams ? sched.sliceNs : attr.u64(24),
  });
}

function getAttr(call: Call): number {
  const size = call.u32(2);
  if (call.u64(1) === 0 || call.s32(0) < 0 || call.u32(3) !== 0) return -EINVAL;
  if (size > PAGE_SIZE || size < SCHED_ATTR_SIZE_VER0) return -EINVAL;
  const thread = targetOf(call);
  if (typeof thread === "number") return thread;
  const { sched } = thread;
  // What the caller knows and this kernel does not is 0.
  const out = new StructView(Math.max(size, SCHED_ATTR_BYTES));
  out.put32(0, Math.min(size, SCHED_ATTR_BYTES)).put32(4, sched.policy);
  out.put32(8, sched.resetOnFork ? SCHED_FLAG_RESET_ON_FORK : 0);
  if (isRealTime(sched.policy)) out.put32(20, sched.priority);
  else out.put32(16, thread.nice).put64(24, sched.sliceNs === 0 ? BASE_SLICE_NS : sched.sliceNs);
  return call.put(call.u64(1), out.bytes.subarray(0, size));
}
