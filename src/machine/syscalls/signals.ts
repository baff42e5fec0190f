/** The signal calls (kernel/signal.c): dispositions, masks, sending, waiting, alternate stacks. */

import type { Process } from "../../mm/kernel/process.ts";
import { CAP_KILL } from "../../mm/uapi/capability.ts";
import { EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM, EPERM, ESRCH } from "../../mm/uapi/errno.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { StructView } from "../abi/bytes.ts";
import {
  getTimespec,
  isValidTimespec,
  nsOf,
  SIGACTION_BYTES,
  STACK_T_BYTES,
  TIMESPEC_BYTES,
} from "../abi/structs.ts";
import { dequeueSignal, hasSignal } from "../signals/dequeue-signal.ts";
import { flushPending, forceSignal, isIgnoredAction, sendSignal } from "../signals/send-signal.ts";
import { kernelInfo, SIGINFO_BYTES, SigInfo, userInfo } from "../signals/siginfo.ts";
import { getAltStack, putAltStack, restoreSignalFrame } from "../signals/signal-frame.ts";
import {
  NSIG,
  SA_KNOWN_FLAGS,
  SI_KERNEL,
  SI_TKILL,
  SI_USER,
  SIG_IGN,
  SIGCONT,
  SIGSEGV,
  UNBLOCKABLE,
} from "../signals/signal-numbers.ts";
import { type AlternateStack, SS_DISABLE, SS_ONSTACK } from "../signals/signal-state.ts";
import { SigSet } from "../signals/sigset.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import { type Call, REGISTERS_SET, type SyscallGroup } from "./call.ts";
import { ERESTARTNOHAND } from "./restart.ts";

const SP = 2;
const SIGSET_BYTES = 8;
const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SIG_SETMASK = 2;
/** SS_AUTODISARM, the one bit beside the mode in ss_flags. */
const SS_FLAG_BITS = 0x80000000;
const MINSIGSTKSZ = 2048;

export const signalCalls: SyscallGroup = [
  [129, "kill", 2, kill],
  [130, "tkill", 2, (call) => sendToThread(call, -1, call.s32(0), call.s32(1))],
  [
    131,
    "tgkill",
    3,
    (call) => (call.s32(0) <= 0 ? -EINVAL : sendToThread(call, call.s32(0), call.s32(1), call.s32(2))),
  ],
  [132, "sigaltstack", 2, sigaltstack],
  [133, "rt_sigsuspend", 2, rtSigsuspend],
  [134, "rt_sigaction", 4, rtSigaction],
  [135, "rt_sigprocmask", 4, rtSigprocmask],
  [136, "rt_sigpending", 2, rtSigpending],
  [137, "rt_sigtimedwait", 4, rtSigtimedwait],
  [138, "rt_sigqueueinfo", 3, rtSigqueueinfo],
  [139, "rt_sigreturn", 0, rtSigreturn],
  [240, "rt_tgsigqueueinfo", 4, rtTgsigqueueinfo],
];

const isSignal = (signal: number): boolean => signal >= 1 && signal <= NSIG;

/** pid > 0: that process; 0: the caller's group; −1: all others; less: that group. */
function kill(call: Call): number {
  const pid = call.s32(0);
  const signal = call.s32(1);
  const { system, process, thread } = call;
  const info = (): SigInfo => userInfo(signal, SI_USER, process.pid, process.userIds.real);
  if (pid > 0) {
    const first = system.thread(pid);
    return first === undefined ? -ESRCH : sendChecked(call, first.group, signal, info, undefined, first);
  }
  if (pid === -(2 ** 31)) return -ESRCH;
  const wanted = pid === 0 ? thread.group.processGroup : -pid;
  const isTarget = (group: ThreadGroup): boolean =>
    pid === -1 ? group !== thread.group && group.pid > 1 : group.processGroup === wanted;
  const targets = [...system.groups.values()].filter(isTarget);
  if (targets.length === 0) return -ESRCH;
  let result = -EPERM;
  for (const target of targets) {
    const sent = sendChecked(call, target, signal, info);
    if (sent !== -EPERM || result === -EPERM) result = result === 0 ? 0 : sent;
  }
  return result;
}

/**
 * Signal 0 only checks that the process is there, and that the caller may send to it (check_kill_permission): to its own
 * user's processes, root to all, and SIGCONT within a session. A zombie takes no notice.
 */
export function sendChecked(
  call: Call,
  target: ThreadGroup,
  signal: number,
  info: () => SigInfo,
  thread?: Thread,
  first?: Thread,
): number {
  if (signal < 0 || signal > NSIG) return -EINVAL;
  const { group } = call.thread;
  const isOwn = target === group || capable(call.process, CAP_KILL) || mayKill(call.process, target.process);
  if (!isOwn && !(signal === SIGCONT && target.session === group.session)) return -EPERM;
  return signal === 0 ? 0 : sendSignal(target, info(), thread, first);
}

/** kill_ok_by_cred: whose rights the sender has, or who started it, started the target or may be it again. */
function mayKill({ userIds: sender }: Process, { userIds: { real, saved } }: Process): boolean {
  return [sender.effective, sender.real].some((id) => id === saved || id === real);
}

/** @param tgid the process that the thread must belong to; −1 for any */
function sendToThread(call: Call, tgid: number, tid: number, signal: number): number {
  if (tid <= 0) return -EINVAL;
  const { process } = call;
  return sendSpecific(call, tgid, tid, signal, () =>
    userInfo(signal, SI_TKILL, process.pid, process.userIds.real),
  );
}

/** do_send_specific. @param tgid as for sendToThread */
function sendSpecific(call: Call, tgid: number, tid: number, signal: number, info: () => SigInfo): number {
  const thread = call.system.thread(tid);
  if (thread === undefined || (tgid !== -1 && thread.group.pid !== tgid)) return -ESRCH;
  return sendChecked(call, thread.group, signal, info, thread);
}

/** sigqueue(3): the caller brings the siginfo, and may only pretend to be the kernel to itself. */
function rtSigqueueinfo(call: Call): number {
  const pid = call.s32(0);
  const signal = call.s32(1);
  const raw = queuedInfo(call, pid, 2);
  if (typeof raw === "number") return raw;
  const first = call.system.thread(pid);
  if (first === undefined) return -ESRCH;
  const info = (): SigInfo => new SigInfo(raw.put32(0, signal).bytes);
  return sendChecked(call, first.group, signal, info, undefined, first);
}

/** The siginfo at argument i, for whom `tid` is the number: a pretence only to itself. */
function queuedInfo(call: Call, tid: number, i: number): StructView | number {
  const raw = call.get(call.u64(i), SIGINFO_BYTES);
  if (raw === undefined) return -EFAULT;
  const code = raw.s32(8);
  return (code >= 0 || code === SI_TKILL) && tid !== call.thread.tid ? -EPERM : raw;
}

/** pthread_sigqueue(3): as rt_sigqueueinfo, to one thread. */
function rtTgsigqueueinfo(call: Call): number {
  const tgid = call.s32(0);
  const tid = call.s32(1);
  const signal = call.s32(2);
  const raw = queuedInfo(call, tid, 3);
  if (tgid <= 0 || tid <= 0) return typeof raw === "number" && raw === -EFAULT ? raw : -EINVAL;
  if (typeof raw === "number") return raw;
  return sendSpecific(call, tgid, tid, signal, () => new SigInfo(raw.put32(0, signal).bytes));
}

function rtSigaction(call: Call): number {
  const signal = call.s32(0);
  if (call.u64(3) !== SIGSET_BYTES) return -EINVAL;
  const { group } = call.thread;
  let wanted: StructView | undefined;
  if (call.u64(1) !== 0) {
    wanted = call.get(call.u64(1), SIGACTION_BYTES);
    if (wanted === undefined) return -EFAULT;
  }
  if (!isSignal(signal) || (wanted !== undefined && UNBLOCKABLE.has(signal))) return -EINVAL;
  const action = group.handlers.of(signal);
  const old = new StructView(SIGACTION_BYTES).put64(0, action.handler).put64(8, action.flags >>> 0);
  old.bytes.set(action.mask.toBytes(), 16);
  if (wanted !== undefined) {
    const wasIgnored = action.handler === SIG_IGN;
    action.handler = wanted.u64(0);
    action.flags = (wanted.u32(8) & SA_KNOWN_FLAGS) >>> 0;
    action.mask = SigSet.fromBytes(wanted.bytes, 16).deleteAll(UNBLOCKABLE);
    // What is pending when a signal becomes ignored is forgotten (POSIX 3.3.1.3).
    if (isIgnoredAction(group, signal)) flushPending(group, SigSet.of(signal));
    else if (wasIgnored) unignoreTimers(group, signal);
  }
  return call.putIfWanted(call.u64(2), () => old.bytes);
}

/** What timers would have sent is queued now, the last that was put aside in front. */
function unignoreTimers({ ignoredTimers }: ThreadGroup, signal: number): void {
  for (const timer of [...ignoredTimers].reverse()) if (timer.notice.signal === signal) timer.unignore();
}

/** The set at an address; undefined stands for EFAULT. */
function readSet(call: Call, addr: number): SigSet | undefined {
  const raw = call.get(addr, SIGSET_BYTES);
  return raw === undefined ? undefined : SigSet.fromBytes(raw.bytes);
}

function rtSigprocmask(call: Call): number {
  if (call.u64(3) !== SIGSET_BYTES) return -EINVAL;
  const { blocked } = call.thread.signals;
  const old = blocked.clone();
  if (call.u64(1) !== 0) {
    const set = readSet(call, call.u64(1));
    if (set === undefined) return -EFAULT;
    set.deleteAll(UNBLOCKABLE);
    const how = call.s32(0);
    if (how === SIG_BLOCK) blocked.addAll(set);
    else if (how === SIG_UNBLOCK) blocked.deleteAll(set);
    else if (how === SIG_SETMASK) blocked.assign(set);
    else return -EINVAL;
  }
  return call.putIfWanted(call.u64(2), () => old.toBytes());
}

function rtSigpending(call: Call): number {
  const size = call.u64(1);
  if (size > SIGSET_BYTES) return -EINVAL;
  const { signals, group } = call.thread;
  const set = signals.pending.set.clone().addAll(group.pending.set).keepOnly(signals.blocked);
  return call.put(call.u64(0), set.toBytes().subarray(0, size));
}

/** Sets the mask aside and waits for a signal with a handler, which finds and restores the old mask. */
function rtSigsuspend(call: Call): number {
  if (call.u64(1) !== SIGSET_BYTES) return -EINVAL;
  const { signals } = call.thread;
  if (signals.saved === undefined) {
    const set = readSet(call, call.u64(0));
    if (set === undefined) return -EFAULT;
    signals.saved = signals.blocked.clone();
    signals.blocked.assign(set.deleteAll(UNBLOCKABLE));
  }
  return call.block({
    isReady: () => false,
    deadlineNs: Number.POSITIVE_INFINITY,
    interrupted: -ERESTARTNOHAND,
  });
}

/** Takes a pending signal of the set without running its handler, or waits for one. */
function rtSigtimedwait(call: Call): number {
  if (call.u64(3) !== SIGSET_BYTES) return -EINVAL;
  const { thread, system } = call;
  const set = readSet(call, call.u64(0));
  if (set === undefined) return -EFAULT;
  set.deleteAll(UNBLOCKABLE);
  let deadlineNs = Number.POSITIVE_INFINITY;
  if (call.u64(2) !== 0) {
    const raw = call.get(call.u64(2), TIMESPEC_BYTES);
    if (raw === undefined) return -EFAULT;
    const time = getTimespec(raw);
    if (!isValidTimespec(time)) return -EINVAL;
    const kept = thread.callState;
    deadlineNs = typeof kept === "number" ? kept : system.clock.monotonicNs() + nsOf(time);
  }
  const info = dequeueSignal(system, thread, set);
  if (info !== undefined) {
    const failed = call.putIfWanted(call.u64(1), () => info.bytes);
    return failed < 0 ? failed : info.signal;
  }
  if (system.clock.monotonicNs() >= deadlineNs) return -EAGAIN;
  const isReady = (): boolean => hasSignal(thread, set);
  return call.block({ isReady, deadlineNs, interrupted: -EINTR }, deadlineNs);
}

function rtSigreturn(call: Call): number {
  const { system, thread, process } = call;
  const owner = {
    mmu: system.mmu,
    task: process,
    registers: system.hart,
    signals: thread.signals,
    sigreturn: process.mm.vdso,
  };
  const setStack = (stack: AlternateStack): void => {
    changeAltStack(call, stack);
  };
  if (restoreSignalFrame(owner, setStack) < 0) forceSignal(thread, kernelInfo(SIGSEGV, SI_KERNEL));
  return REGISTERS_SET;
}

function sigaltstack(call: Call): number {
  const { signals } = call.thread;
  const sp = call.system.hart.getXU(SP);
  const old = new StructView(STACK_T_BYTES);
  const { base, size, flags } = signals.altStack;
  putAltStack(old, 0, { base, size, flags: signals.altStackState(sp) | (flags & SS_FLAG_BITS) });
  if (call.u64(0) !== 0) {
    const raw = call.get(call.u64(0), STACK_T_BYTES);
    if (raw === undefined) return -EFAULT;
    const failed = changeAltStack(call, getAltStack(raw, 0));
    if (failed !== 0) return failed;
  }
  return call.putIfWanted(call.u64(1), () => old.bytes);
}

/** do_sigaltstack: 0, EPERM on it, EINVAL for an unknown mode, ENOMEM when it is too small. */
function changeAltStack(call: Call, stack: AlternateStack): number {
  const { signals } = call.thread;
  const { altStack } = signals;
  if (signals.isOnAltStack(call.system.hart.getXU(SP))) return -EPERM;
  const mode = (stack.flags & ~SS_FLAG_BITS) | 0;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  const isSame =
    altStack.base === stack.base && altStack.size === stack.size && altStack.flags === stack.flags;
  if (isSame) return 0;
  if (mode !== SS_DISABLE && stack.size < MINSIGSTKSZ) return -ENOMEM;
  Object.assign(altStack, mode === SS_DISABLE ? { base: 0, size: 0, flags: stack.flags } : stack);
  return 0;
}
