/** How a process ends, and how its parent is told (kernel/exit.c, do_notify_parent). */
import { exitProcess, reapChild, releaseChild } from "../../mm/kernel/task-lifecycle.ts";
import { EINTR } from "../../mm/uapi/errno.ts";
import { USER_HZ } from "../abi/auxv.ts";
import { sendSignal } from "../signals/send-signal.ts";
import { childInfo, userInfo } from "../signals/siginfo.ts";
import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  NSIG,
  SA_NOCLDSTOP,
  SA_NOCLDWAIT,
  SI_USER,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
} from "../signals/signal-numbers.ts";
import type { System } from "../system.ts";
import type { Thread, ThreadGroup } from "../thread.ts";
import { disassociate, killOrphaned } from "../tty/job-control.ts";
import { mmRelease } from "./mm-release.ts";
import { bothUsage, ownUsage } from "./usage.ts";

const MAX_EXIT_CODE_SHIFT = 8;
const SIGNAL_MASK = 0x7f;

/** do_group_exit. @param status wait status: exit code << 8, or a signal's number */
export function exitGroup(system: System, group: ThreadGroup, status: number): void {
  const { process } = group;
  const { current } = system;
  // The one that asks for it goes first, as the others only find out later.
  if (current?.group === group && !current.hasExited) exitThread(system, current);
  while (group.threads.length > 0) exitThread(system, group.threads[0]);
  // It was over before; or the last words of a thread, written to its memory, have cost the whole process its life.
  if (group.hasExited) return;
  deleteTimers(group);
  group.hasExited = true;
  const parent = system.parentOf(group);
  const orphans = system.childrenOf(group);
  exitProcess(process, status);
  disassociate(system, group, true);
  system.onExit?.(group, status);
  for (const orphan of orphans) reparent(system, group, orphan);
  killOrphaned(system, group);
  if (parent === undefined || parent.hasExited) system.groups.delete(group.pid);
  else notifyParent(system, group, parent, status);
}

/** The end of one thread. Of the last one: the caller ends the process. */
export function exitThread(system: System, thread: Thread): void {
  const { group } = thread;
  const { process, threads } = group;
  if (system.current === thread) system.settleTurn();
  // Who is killed inside somebody else's fault can't take one of his own.
  if (!process.isOomVictim) mmRelease(system, thread);
  // That may have been the end of the whole process; then all of this has happened, and happens to nobody.
  thread.hasExited = true;
  thread.wait?.abandon?.();
  thread.wait = undefined;
  thread.callState = undefined;
  thread.heldFiles.release();
  system.kernel.semaphores.exit(process, thread);
  threads.splice(threads.indexOf(thread), 1);
  const turn = system.threads.indexOf(thread);
  if (turn >= 0) system.threads.splice(turn, 1);
  if (thread !== group.leader) {
    system.tids.delete(thread.tid);
    thread.releaseTid();
  }
  // A leader that waits for the others as a zombie has none any more.
  thread.mempolicy = null;
  passChildren(system, thread);
}

/** Children that the thread made belong to another one of its process now, if there is one (find_alive_thread). */
function passChildren(system: System, thread: Thread): void {
  const { group } = thread;
  const heir = group.threads.at(0);
  if (heir === undefined) return;
  for (const child of system.childrenOf(group)) {
    if (child.maker !== thread) continue;
    child.maker = heir;
    tellParentDeath(group, child);
  }
}

/**
 * exec by a thread: all others end, and it has the process's number from now on (de_thread).
 */
export function killOtherThreads(system: System, thread: Thread): void {
  const { group } = thread;
  for (const other of [...group.threads]) if (other !== thread) exitThread(system, other);
  deleteTimers(group);
  if (group.leader === thread) return;
  system.tids.delete(thread.tid);
  thread.releaseTid();
  const { mempolicy } = thread;
  thread.tid = group.pid;
  group.leader = thread;
  thread.mempolicy = mempolicy;
}

function deleteTimers({ posixTimers }: ThreadGroup): void {
  for (const timer of posixTimers.values()) timer.stop();
  posixTimers.clear();
}

function tellParentDeath({ process: { pid, uid } }: ThreadGroup, child: ThreadGroup): void {
  if (child.parentDeathSignal === 0) return;
  sendSignal(child, userInfo(child.parentDeathSignal, SI_USER, pid, uid));
}

function notifyParent(system: System, group: ThreadGroup, parent: ThreadGroup, status: number): void {
  // A parent that executes another program since does not know what it once asked for.
  const exitSignal = group.parentExecId === parent.selfExecId ? group.exitSignal : SIGCHLD;
  const action = parent.handlers.of(SIGCHLD);
  const isIgnored = exitSignal === SIGCHLD && action.handler === SIG_IGN;
  if (exitSignal > 0 && exitSignal <= NSIG && !isIgnored) {
    const signal = status & SIGNAL_MASK;
    const code = signal === 0 ? CLD_EXITED : CLD_KILLED;
    sendSignal(
      parent,
      news(system, group, exitSignal, code, signal === 0 ? status >> MAX_EXIT_CODE_SHIFT : signal),
    );
  }
  if (isIgnored || (exitSignal === SIGCHLD && (action.flags & SA_NOCLDWAIT) !== 0)) {
    releaseChild(group.process);
    system.groups.delete(group.pid);
  }
}

/** A child of `father`, which has ended, has another parent or none (reparent_leader). */
function reparent(system: System, father: ThreadGroup, orphan: ThreadGroup): void {
  tellParentDeath(father, orphan);
  const reaper = system.parentOf(orphan);
  orphan.maker = reaper?.leader;
  orphan.exitSignal = SIGCHLD;
  killOrphaned(system, orphan, father);
  if (!orphan.hasExited) return;
  // Nobody will ask for what is dead already and has no parent any more.
  if (reaper === undefined) system.groups.delete(orphan.pid);
  else notifyParent(system, orphan, reaper, orphan.process.exitStatus ?? 0);
}

/** Takes the zombie away and adds what it used to its parent's account. */
export function reap(system: System, parent: ThreadGroup, group: ThreadGroup): void {
  parent.childInstructions += group.instructions + group.childInstructions;
  parent.childSystemNs += group.systemNs + group.childSystemNs;
  reapChild(parent.process, group.pid);
  system.groups.delete(group.pid);
}

/** A stop signal's default action: the process stands still until SIGCONT, and its parent hears of it. */
export function stopGroup(system: System, group: ThreadGroup, signal: number): void {
  group.stopSignal = signal;
  group.stopNews = "stopped";
  for (const thread of group.threads) {
    thread.wait?.onStop?.();
    if (thread.wait?.interrupted === -EINTR && thread.wait.killableOnly !== true) thread.wasStopped = true;
  }
  const parent = system.parentOf(group);
  if (parent === undefined) return;
  const { handler, flags } = parent.handlers.of(SIGCHLD);
  if (handler === SIG_IGN || (flags & SA_NOCLDSTOP) !== 0) return;
  sendSignal(parent, news(system, group, SIGCHLD, CLD_STOPPED, signal));
}

/** SIGCONT ended a stop: the parent hears of that, too. */
export function tellContinued(system: System, group: ThreadGroup): void {
  group.tellsContinued = false;
  const parent = system.parentOf(group);
  if (parent === undefined) return;
  const { handler, flags } = parent.handlers.of(SIGCHLD);
  if (handler === SIG_IGN || (flags & SA_NOCLDSTOP) !== 0) return;
  sendSignal(parent, news(system, group, SIGCHLD, CLD_CONTINUED, SIGCONT));
}

function news(
  system: System,
  group: ThreadGroup,
  signal: number,
  code: number,
  status: number,
): ReturnType<typeof childInfo> {
  const { process } = group;
  const { userNs, systemNs } = group.hasExited ? bothUsage(system, group) : ownUsage(system, group);
  const [userTicks, systemTicks] = [userNs, systemNs].map((ns) => Math.floor((ns / 1e9) * USER_HZ));
  return childInfo(signal, {
    pid: process.pid,
    uid: process.userIds.real,
    code,
    status,
    userTicks,
    systemTicks,
  });
}
