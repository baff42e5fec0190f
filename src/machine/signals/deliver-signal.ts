/**
 * Delivering signals, on the way back from the kernel to the program (exit_to_user_mode_loop, arch_do_signal_or_restart,
 * get_signal).
 *
 * ```
 *   pending and not blocked ─▶ take one: those of instructions first, then by number
 *        ignored            nothing
 *        default            nothing, stop the process, or end it
 *        handler            build a frame, enter the handler; the next one, if any, goes on top of it
 * ```
 *
 * A system call that the signal interrupted comes to an end with EINTR or, where its kind and SA_RESTART allow, is
 * executed again after the handler; without a handler it goes on as if nothing had happened.
 */
import { EINTR } from "../../mm/uapi/errno.ts";
import type { Registers } from "../cpu/hart.ts";
import { ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from "../syscalls/restart.ts";
import type { Thread, ThreadGroup, Wait } from "../thread.ts";
import { forceFatalSignal, forceSignal } from "./send-signal.ts";
import { kernelInfo, type SigInfo } from "./siginfo.ts";
import { type FrameOwner, setupSignalFrame } from "./signal-frame.ts";
import {
  IGNORED_BY_DEFAULT,
  SA_NODEFER,
  SA_RESETHAND,
  SA_RESTART,
  SI_KERNEL,
  SIG_DFL,
  SIG_IGN,
  SIGKILL,
  SIGSEGV,
  STOPPING,
  SYNCHRONOUS,
  UNBLOCKABLE,
} from "./signal-numbers.ts";
import type { SigAction } from "./signal-state.ts";

const A0 = 10;
const ECALL_BYTES = 4;

/** What delivery does to processes. */
export interface SignalEffects {
  /** The default action of a signal ends the process. */
  terminate(group: ThreadGroup, signal: number): void;
  stop(group: ThreadGroup, signal: number): void;
  onDeliver(thread: Thread, info: SigInfo): void;
}

/**
 * Delivers what is pending to the thread whose registers the hart holds.
 *
 * @param restart what the system call that the thread is in the middle of would answer if a signal ends it (a wait's
 *   `interrupted`); undefined when it is in none. Its pc is then still at the call.
 */
export function deliverSignals(
  thread: Thread,
  owner: FrameOwner,
  effects: SignalEffects,
  restart: number | undefined,
): void {
  let interrupted = restart;
  while (thread.hasDeliverable && !thread.hasExited && thread.group.stopSignal === 0) {
    const taken = takeSignal(thread, effects);
    if (taken === undefined) continue;
    if (interrupted !== undefined) {
      endCall(thread, owner.registers, interrupted, taken.action);
      interrupted = undefined;
    }
    enterHandler(thread, owner, taken.info, taken.action);
  }
  // Nothing (more) to deliver: the mask that sigsuspend or ppoll set aside comes back, unless the wait goes on.
  if (interrupted === undefined) restoreSavedMask(thread);
}

function restoreSavedMask({ signals }: Thread): void {
  if (signals.saved === undefined) return;
  signals.blocked.assign(signals.saved);
  signals.saved = undefined;
}

/** A call that always ends with EINTR does so after a stop, too, in whichever thread. */
export function endByStop(thread: Thread, registers: Registers): void {
  thread.wasStopped = false;
  if (thread.wait === undefined || thread.hasExited) return;
  const wait = leaveWait(thread);
  wait?.onInterrupt?.();
  registers.setX(A0, wait?.failed ?? -EINTR);
  registers.pc += ECALL_BYTES;
  restoreSavedMask(thread);
}

/** The next signal that has a handler, or undefined after a signal that had none. */
function takeSignal(
  thread: Thread,
  effects: SignalEffects,
): { info: SigInfo; action: SigAction } | undefined {
  const { group } = thread;
  const info = dequeue(thread);
  const { signal } = info;
  const action = group.handlers.of(signal);
  effects.onDeliver(thread, info);
  if (action.handler === SIG_IGN) return undefined;
  if (action.handler !== SIG_DFL) {
    const taken = { info, action: { ...action } };
    if ((action.flags & SA_RESETHAND) !== 0) action.handler = SIG_DFL;
    return taken;
  }
  if (IGNORED_BY_DEFAULT.has(signal)) return undefined;
  if (STOPPING.has(signal)) effects.stop(group, signal);
  else effects.terminate(group, signal);
  return undefined;
}

/** dequeue_synchronous_signal, next_signal: the thread's own before the process's of the same rank. */
function dequeue(thread: Thread): SigInfo {
  const { pending, blocked } = thread.signals;
  const shared = thread.group.pending;
  for (const queue of [pending, shared]) {
    const ready = queue.set.clone().deleteAll(blocked);
    if (ready.isEmpty) continue;
    if (ready.has(SIGKILL)) return queue.take(SIGKILL);
    const urgent = ready.clone().keepOnly(SYNCHRONOUS);
    return queue.take(urgent.isEmpty ? ready.first : urgent.first);
  }
  throw new TypeError("dequeue: no signal is deliverable");
}

/** The thread waits no longer, and what it waited for is told. */
function leaveWait(thread: Thread): Wait | undefined {
  const { wait } = thread;
  thread.wait = undefined;
  thread.callState = undefined;
  thread.waitingIn = undefined;
  wait?.abandon?.();
  thread.heldFiles.release();
  return wait;
}

/** Decides how the interrupted call looks to the handler and after it. */
function endCall(thread: Thread, registers: Registers, interrupted: number, action: SigAction): void {
  const wait = leaveWait(thread);
  if (interrupted === -ERESTARTNOINTR) return;
  if (interrupted === -ERESTARTSYS && (action.flags & SA_RESTART) !== 0) return;
  const isInterruption =
    interrupted === -ERESTARTSYS || interrupted === -ERESTARTNOHAND || interrupted === -ERESTART_RESTARTBLOCK;
  wait?.onInterrupt?.();
  registers.setX(A0, wait?.failed ?? (isInterruption ? -EINTR : interrupted));
  registers.pc += ECALL_BYTES;
}

/** handle_signal, signal_setup_done: the frame, and the mask while the handler runs. */
function enterHandler(thread: Thread, owner: FrameOwner, info: SigInfo, action: SigAction): void {
  const { signals } = thread;
  if (setupSignalFrame(owner, action, info) < 0) {
    // No room for the frame: SIGSEGV, which a handler on another stack may still take; a second time it is the end.
    const segv = kernelInfo(SIGSEGV, SI_KERNEL);
    if (info.signal === SIGSEGV) forceFatalSignal(thread, segv);
    else forceSignal(thread, segv);
    return;
  }
  signals.saved = undefined;
  signals.blocked.addAll(action.mask);
  if ((action.flags & SA_NODEFER) === 0) signals.blocked.add(info.signal);
  signals.blocked.deleteAll(UNBLOCKABLE);
}
