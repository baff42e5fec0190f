/** What processes used, as getrusage, times and wait4 tell it. One instruction counts as a nanosecond of user time, system calls by their rule. */
import { PAGE_SIZE } from "../../mm/page.ts";
import type { ResourceUsage } from "../abi/structs.ts";
import type { System } from "../system.ts";
import type { Thread, ThreadGroup } from "../thread.ts";

const NS_PER_INSTRUCTION = 1;
const KIB_PER_PAGE = PAGE_SIZE / 1024;

/** CPU time, of the program and of its system calls. */
export function cpuNs({ userNs, systemNs }: Pick<ResourceUsage, "userNs" | "systemNs">): number {
  return userNs + systemNs;
}

/** RUSAGE_SELF. */
export function ownUsage(system: System, group: ThreadGroup): ResourceUsage {
  const { process } = group;
  const isRunning = system.current?.group === group;
  const running = isRunning ? system.hart.instret - system.turnStart : 0;
  return {
    userNs: (group.instructions + running) * NS_PER_INSTRUCTION,
    systemNs: group.systemNs + (isRunning ? system.systemNs - system.turnSystemNs : 0),
    maxRssKib: Math.max(process.maxRss, process.mm.hiwaterRss) * KIB_PER_PAGE,
    minFlt: process.minFlt,
    majFlt: process.majFlt,
    voluntarySwitches: group.voluntarySwitches,
    involuntarySwitches: group.involuntarySwitches,
  };
}

/** RUSAGE_THREAD: memory is the process's. */
export function threadUsage(system: System, thread: Thread): ResourceUsage {
  const isCurrent = system.current === thread;
  if (isCurrent) system.settleTurn();
  const { systemNs, minFlt, majFlt, voluntarySwitches, involuntarySwitches } = thread;
  const { maxRssKib } = ownUsage(system, thread.group);
  const userNs = thread.instructions * NS_PER_INSTRUCTION;
  return { userNs, systemNs, maxRssKib, minFlt, majFlt, voluntarySwitches, involuntarySwitches };
}

/** RUSAGE_CHILDREN: those that were waited for, and their children in turn. */
export function childUsage(group: ThreadGroup): ResourceUsage {
  const { process } = group;
  return {
    userNs: group.childInstructions * NS_PER_INSTRUCTION,
    systemNs: group.childSystemNs,
    maxRssKib: process.childMaxRss * KIB_PER_PAGE,
    minFlt: process.childMinFlt,
    majFlt: process.childMajFlt,
    voluntarySwitches: 0,
    involuntarySwitches: 0,
  };
}

/** RUSAGE_BOTH, which wait4 tells of a child. */
export function bothUsage(system: System, group: ThreadGroup): ResourceUsage {
  const own = ownUsage(system, group);
  const children = childUsage(group);
  return {
    ...own,
    userNs: own.userNs + children.userNs,
    systemNs: own.systemNs + children.systemNs,
    maxRssKib: Math.max(own.maxRssKib, children.maxRssKib),
    minFlt: own.minFlt + children.minFlt,
    majFlt: own.majFlt + children.majFlt,
  };
}
