/**
 * RLIMIT_CPU: seconds of CPU time that a process may take (check_process_timers in kernel/time/posix-cpu-timers.c). At the soft
 * limit it is sent SIGXCPU, which raises that limit by a second, so that the signal comes again each second; at the hard one it is
 * killed. Looked at between turns.
 */
import { RLIM_INFINITY, RLIMIT_CPU } from "../../mm/uapi/mman.ts";
import { cpuNs, ownUsage } from "../life/usage.ts";
import type { System } from "../system.ts";
import type { ThreadGroup } from "../thread.ts";
import { sendSignal } from "./send-signal.ts";
import { kernelInfo } from "./siginfo.ts";
import { SI_KERNEL, SIGKILL, SIGXCPU } from "./signal-numbers.ts";

const NS_PER_SECOND = 1e9;

export function checkCpuLimit(system: System, group: ThreadGroup): void {
  const limit = group.process.rlimits[RLIMIT_CPU];
  if (limit.soft === RLIM_INFINITY) return;
  const usedNs = cpuNs(ownUsage(system, group));
  if (usedNs >= limit.hard * NS_PER_SECOND) {
    sendSignal(group, kernelInfo(SIGKILL, SI_KERNEL));
  } else if (usedNs >= limit.soft * NS_PER_SECOND) {
    sendSignal(group, kernelInfo(SIGXCPU, SI_KERNEL));
    limit.soft++;
  }
}
