/**
 * Job control (drivers/tty/tty_jobctrl.c): which process group may use the terminal of its session, and what becomes of
 * sessions and groups that lose their terminal or the process that looked after them.
 *
 * A session has at most one terminal, a terminal at most one session. One of the session's process groups is in the
 * foreground: it may read, and is who ^C is for. A process of another group that reads is stopped until the shell puts
 * its group in front. A group is orphaned when no process of it has a parent in another group of the session: nobody
 * could continue it then, so it is not stopped.
 */
import { EIO } from "../../mm/uapi/errno.ts";
import { O_NOCTTY } from "../../mm/uapi/fcntl.ts";
import { type File, FMODE_READ } from "../../mm/vfs/file.ts";
import { sendSignal } from "../signals/send-signal.ts";
import { kernelInfo } from "../signals/siginfo.ts";
import { SI_KERNEL, SIG_IGN, SIGCONT, SIGHUP, SIGTTIN } from "../signals/signal-numbers.ts";
import type { System } from "../system.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import { signalProcessGroup, type Tty } from "./tty.ts";

/**
 * Whether the thread may use its terminal in a way that the background may not (__tty_check_change): 0; -EIO where nobody
 * could bring it to the front; or "wait": its group was sent `signal`, and it has to try again.
 */
export function checkChange(system: System, thread: Thread, tty: Tty, signal: number): number | "wait" {
  const { group } = thread;
  if (group.terminal !== tty || tty.foreground === 0 || tty.foreground === group.processGroup) return 0;
  const isIgnored = thread.signals.blocked.has(signal) || group.handlers.of(signal).handler === SIG_IGN;
  if (isIgnored) return signal === SIGTTIN ? -EIO : 0;
  if (isOrphaned(system, group.processGroup)) return -EIO;
  signalProcessGroup(system, group.processGroup, signal);
  return "wait";
}

/** will_become_orphaned_pgrp. @param ignored one that is about to end */
export function isOrphaned(system: System, processGroup: number, ignored?: ThreadGroup): boolean {
  for (const group of system.groups.values()) {
    if (group.processGroup !== processGroup || group === ignored || group.hasExited) continue;
    const parent = system.parentOf(group);
    if (parent === undefined) continue;
    if (parent.processGroup !== processGroup && parent.session === group.session) return false;
  }
  return true;
}

/**
 * The end of `group`, or of its parent `father`, may leave its process group orphaned. If some of that are stopped, nobody will
 * continue them: they are told of it, and continued (kill_orphaned_pgrp).
 */
export function killOrphaned(system: System, group: ThreadGroup, father?: ThreadGroup): void {
  const parent = father ?? system.parentOf(group);
  if (parent === undefined) return;
  const { processGroup, session } = group;
  if (parent.processGroup === processGroup || parent.session !== session) return;
  if (!isOrphaned(system, processGroup, father === undefined ? group : undefined)) return;
  const hasStopped = [...system.groups.values()].some(
    (one) => one.processGroup === processGroup && one.stopSignal !== 0 && !one.hasExited,
  );
  if (!hasStopped) return;
  signalProcessGroup(system, processGroup, SIGHUP);
  signalProcessGroup(system, processGroup, SIGCONT);
}

/** A session leader without a terminal takes the one that it opens for its own, unless it says otherwise. */
export function takeOnOpen(group: ThreadGroup, tty: Tty, file: File, flags: number): void {
  const isLeader = group.session === group.pid;
  if ((flags & O_NOCTTY) !== 0 || tty.isMaster || !isLeader) return;
  if (group.terminal !== undefined || tty.session !== 0 || (file.mode & FMODE_READ) === 0) return;
  setTerminal(group, tty);
}

/** __proc_set_tty. */
export function setTerminal(group: ThreadGroup, tty: Tty): void {
  tty.session = group.session;
  tty.foreground = group.processGroup;
  group.terminal = tty;
  group.oldForeground = 0;
}

/** Nobody of the session has a terminal any more (session_clear_tty). */
export function clearSession(system: System, session: number): void {
  for (const group of system.groups.values()) if (group.session === session) group.terminal = undefined;
}

/** A session leader ends or gives its terminal up: the foreground loses it, too (disassociate_ctty). */
export function disassociate(system: System, group: ThreadGroup, isExit: boolean): void {
  const { terminal } = group;
  if (group.session !== group.pid) {
    if (!isExit) group.terminal = undefined;
    return;
  }
  if (terminal !== undefined) {
    if (terminal.foreground !== 0) {
      signalProcessGroup(system, terminal.foreground, SIGHUP);
      if (!isExit) signalProcessGroup(system, terminal.foreground, SIGCONT);
    }
    terminal.session = 0;
    terminal.foreground = 0;
  } else if (isExit) signalLeft(system, group);
  group.oldForeground = 0;
  clearSession(system, group.session);
  group.terminal = undefined;
}

/** The group that was in front when the terminal went away learns of it once the leader has ended. */
function signalLeft(system: System, { oldForeground }: ThreadGroup): void {
  if (oldForeground === 0) return;
  signalProcessGroup(system, oldForeground, SIGHUP);
  signalProcessGroup(system, oldForeground, SIGCONT);
}

/** The terminal goes away under its session (tty_signal_session_leader). */
export function hangUpSession(system: System, tty: Tty): void {
  for (const group of [...system.groups.values()]) {
    if (group.session !== tty.session || tty.session === 0) continue;
    if (group.terminal === tty) group.terminal = undefined;
    if (group.pid !== group.session) continue;
    sendSignal(group, kernelInfo(SIGHUP, SI_KERNEL));
    sendSignal(group, kernelInfo(SIGCONT, SI_KERNEL));
    if (tty.foreground !== 0) group.oldForeground = tty.foreground;
  }
  tty.session = 0;
  tty.foreground = 0;
}
