/** How a process ends, and how its parent is told (kernel/exit.c, do_notify_parent). */
import { exitProcess, reapChild, releaseChild } from "../../mm/kernel/task-lifecycle.ts";
import { USER_HZ } from "../abi/auxv.ts";
import { sendSignal } from "../signals/send-signal.ts";
import { childInfo, userInfo } from "../signals/siginfo.ts";
import {
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  NSIG,
  SA_NOCLDSTOP,
  SA_NOCLDWAIT,
  SI_USER,
  SIG_IGN,
  SIGCHLD,
} from "../signals/signal-numbers.ts";
import type { System } from "../system.ts";
import type { ThreadGroup } from "../thread.ts";
import { mmRelease } from "./mm-release.ts";
import { bothUsage, ownUsage } from "./usage.ts";

const MAX_EXIT_CODE_SHIFT = 8;
const SIGNAL_MASK = 0x7f;

/** do_group_exit. @param status wait status: exit code << 8, or a signal's number */
export function exitGroup(system: System, group: ThreadGroup, status: number): void {
  if (group.hasExited) return;
  const { process, leader } = group;
  // Who is killed inside somebody else's fault can't take one of his own.
  if (!process.isOomVictim) mmRelease(system, leader);
  settleInstructions(system, group);
  group.hasExited = true;
  leader.wait = undefined;
  system.threads.splice(system.threads.indexOf(leader), 1);
  const parent = system.parentOf(group);
  const orphans = system.childrenOf(group);
  exitProcess(process, status);
  system.onExit?.(group, status);
  for (const orphan of orphans) reparent(system, group, orphan);
  if (parent === undefined || parent.hasExited) system.groups.delete(group.pid);
  else notifyParent(system, group, parent, status);
}

/** Counts the instructions of a turn that has not ended yet. */
function settleInstructions(system: System, group: ThreadGroup): void {
  if (system.current?.group !== group) return;
  group.instructions += system.hart.instret - system.turnStart;
  system.turnStart = system.hart.instret;
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
  if (orphan.parentDeathSignal !== 0) {
    const { pid, uid } = father.process;
    sendSignal(orphan, userInfo(orphan.parentDeathSignal, SI_USER, pid, uid));
  }
  const reaper = system.parentOf(orphan);
  orphan.exitSignal = SIGCHLD;
  if (!orphan.hasExited) return;
  // Nobody will ask for what is dead already and has no parent any more.
  if (reaper === undefined) system.groups.delete(orphan.pid);
  else notifyParent(system, orphan, reaper, orphan.process.exitStatus ?? 0);
}

/** Takes the zombie away and adds what it used to its parent's account. */
export function reap(system: System, parent: ThreadGroup, group: ThreadGroup): void {
  parent.childInstructions += group.instructions + group.childInstructions;
  reapChild(parent.process, group.pid);
  system.groups.delete(group.pid);
}

/** A stop signal's default action: the process stands still until SIGCONT, and its parent hears of it. */
export function stopGroup(system: System, group: ThreadGroup, signal: number): void {
  group.stopSignal = signal;
  group.stopNews = "stopped";
  const parent = system.parentOf(group);
  if (parent === undefined) return;
  const { handler, flags } = parent.handlers.of(SIGCHLD);
  if (handler === SIG_IGN || (flags & SA_NOCLDSTOP) !== 0) return;
  sendSignal(parent, news(system, group, SIGCHLD, CLD_STOPPED, signal));
}

function news(
  system: System,
  group: ThreadGroup,
  signal: number,
  code: number,
  status: number,
): ReturnType<typeof childInfo> {
  const { process } = group;
  const { userNs } = group.hasExited ? bothUsage(system, group) : ownUsage(system, group);
  const userTicks = Math.floor((userNs / 1e9) * USER_HZ);
  return childInfo(signal, { pid: process.pid, uid: process.uid, code, status, userTicks, systemTicks: 0 });
}
