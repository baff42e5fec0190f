/**
 * The end of memory: when reclaim finds nothing more, a process has to die for the others (mm/oom_kill.c).
 *
 * The one whose end frees the most is chosen, unless it was exempted (oom_score_adj). Its memory is free before the
 * allocation that needed it goes on, but where it is the very one that allocates: then that allocation fails, and the
 * process ends as soon as it is back from what it was doing.
 */
import { MEMCG_OOM_GROUP_KILL, MEMCG_OOM_KILL } from "../frames/mem-cgroup.ts";
import type { AllocatingTask, PhysicalMemory } from "../frames/physical-memory.ts";
import { OOM_KILL } from "../trace/vmstat.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { OOM_SCORE_ADJ_MIN, oomBadness } from "./oom-badness.ts";
import { dumpHeader, killedLine, type OomConstraint, oomKillLine } from "./oom-report.ts";

/** A process, as far as its killer knows it. */
export interface OomTask extends AllocatingTask {
  readonly pid: number;
  readonly userIds: { readonly real: number };
  readonly comm: string;
  readonly mm: MmStruct;
  /** −1000 … 1000. */
  readonly oomScoreAdj: number;
  /** Wait status once it has ended, null while it lives. */
  readonly exitStatus: number | null;
  /** It was chosen to die, and has not ended yet. */
  readonly isOomVictim: boolean;
  /** It takes all memory that there is, with good reason or not, and is chosen before all others. */
  readonly isOomOrigin: boolean;
}

/** What the killer needs of the kernel. Filled in by the room above, which has the processes. */
export interface OomHost {
  readonly processes: ReadonlyMap<number, OomTask>;
  /** The process that allocates, null for none. */
  readonly currentTask: OomTask | null;
  /** The path of a cgroup, "/" for the root. */
  memCgroupPath(group: number): string;
  /** SIGKILL that nothing can hold off: the process ends now, or, where it is running, before it runs on. */
  killForMemory(task: OomTask): void;
  /** The end of everything: does not return. */
  panic(reason: string): never;
  /** A line for the kernel's log. */
  printk(line: string): void;
}

export class OomKiller {
  /** vm.panic_on_oom: 1 stops the machine when memory is out for all, 2 also when it is in a cgroup. */
  panicOnOom = 0;
  /** vm.oom_kill_allocating_task, vm.oom_dump_tasks. */
  killAllocatingTask = false;
  dumpTasks = true;
  readonly #phys: PhysicalMemory;
  readonly #host: OomHost;

  constructor(phys: PhysicalMemory, host: OomHost) {
    this.#phys = phys;
    this.#host = host;
  }

  get isCurrentDying(): boolean {
    const current = this.#host.currentTask;
    return current !== null && current.exitStatus === null && current.isOomVictim;
  }

  /** Memory is out, for all (group 0) or in a cgroup. False when nobody can be killed. */
  outOfMemory(group: number): boolean {
    const host = this.#host;
    // Who is to die already will free memory as soon as he gets on with it (task_will_free_mem).
    if (this.isCurrentDying) return true;
    this.#checkPanicOnOom(group);
    const { currentTask } = host;
    if (
      this.killAllocatingTask &&
      group === 0 &&
      currentTask !== null &&
      this.#isKillable(currentTask, group) &&
      currentTask.oomScoreAdj !== OOM_SCORE_ADJ_MIN
    ) {
      this.#kill(currentTask, group, "Out of memory (oom_kill_allocating_task)");
      return true;
    }
    const victim = this.#selectBadProcess(group);
    if (victim === null) {
      dumpHeader(this.#phys, host, this.#tasksOf(group), group);
      host.printk("Out of memory and no killable processes...");
      return false;
    }
    this.#kill(victim, group, group === 0 ? "Out of memory" : "Memory cgroup out of memory");
    return true;
  }

  /** check_panic_on_oom */
  #checkPanicOnOom(group: number): void {
    if (this.panicOnOom === 0 || (this.panicOnOom !== 2 && group !== 0)) return;
    dumpHeader(this.#phys, this.#host, this.dumpTasks ? this.#tasksOf(group) : [], group);
    const why = this.panicOnOom === 2 ? "compulsory" : "system-wide";
    this.#host.panic(`Out of memory: ${why} panic_on_oom is enabled`);
  }

  /** The process that frees the most; of equals the one that was started last (select_bad_process). */
  #selectBadProcess(group: number): OomTask | null {
    const totalPages = this.#totalPages(group);
    let chosen: OomTask | null = null;
    let most = Number.NEGATIVE_INFINITY;
    for (const task of this.#host.processes.values()) {
      if (!this.#isKillable(task, group)) continue;
      if (task.isOomOrigin) return task;
      const points = oomBadness(task.mm, task.oomScoreAdj, totalPages);
      if (points === null || points < most) continue;
      chosen = task;
      most = points;
    }
    return chosen;
  }

  #isKillable(task: OomTask, group: number): boolean {
    return (
      task.exitStatus === null && !task.isOomVictim && this.#phys.lruvecs.isDescendant(task.mm.memcg, group)
    );
  }

  #totalPages(group: number): number {
    const { totalFrames, totalSwapPages, memcg } = this.#phys;
    const all = totalFrames + totalSwapPages;
    return group === 0 ? all : Math.max(Math.min(memcg.max[group], all), 1);
  }

  #tasksOf(group: number): OomTask[] {
    const { lruvecs } = this.#phys;
    return [...this.#host.processes.values()].filter(
      (task) => task.exitStatus === null && lruvecs.isDescendant(task.mm.memcg, group),
    );
  }

  /** Reports, and kills: the victim, or with it all of its group (oom_kill_process). */
  #kill(victim: OomTask, group: number, message: string): void {
    const phys = this.#phys;
    const host = this.#host;
    dumpHeader(phys, host, this.dumpTasks ? this.#tasksOf(group) : [], group);
    const constraint: OomConstraint = group === 0 ? "CONSTRAINT_NONE" : "CONSTRAINT_MEMCG";
    host.printk(oomKillLine(host, victim, group, constraint));
    const whole = this.#oomGroupOf(victim, group);
    this.#killTask(victim, group, message);
    if (whole === 0) return;
    phys.memcg.noteEvent(whole, MEMCG_OOM_GROUP_KILL);
    host.printk(`Tasks in ${host.memCgroupPath(whole)} are going to be killed due to memory.oom.group set`);
    for (const task of this.#tasksOf(whole)) {
      if (task.exitStatus !== null || task.isOomVictim || task.oomScoreAdj === OOM_SCORE_ADJ_MIN) continue;
      this.#killTask(task, group, message);
    }
  }

  /** The highest group with memory.oom.group from the victim's up to `domain`, 0 for none (mem_cgroup_get_oom_group). */
  #oomGroupOf(victim: OomTask, domain: number): number {
    const { memcg, lruvecs } = this.#phys;
    let found = 0;
    for (let group: number = victim.mm.memcg; group > 0; group = lruvecs.parent[group]) {
      if (memcg.oomGroup[group] !== 0) found = group;
      if (group === domain) break;
    }
    return found;
  }

  /** Kills everybody who shares the victim's memory (__oom_kill_process). */
  #killTask(victim: OomTask, group: number, message: string): void {
    const phys = this.#phys;
    const host = this.#host;
    host.printk(`${message}: ${killedLine(victim)}`);
    phys.stat[OOM_KILL]++;
    phys.memcg.noteEvent(victim.mm.memcg, MEMCG_OOM_KILL);
    if (phys.tracer.enabled) {
      const { pid, comm } = victim;
      phys.tracer.emit({ type: "oom-kill", pid, name: comm, group: host.memCgroupPath(group) });
    }
    const { mm } = victim;
    for (const task of [...host.processes.values()]) {
      if (task.mm === mm && task.exitStatus === null) host.killForMemory(task);
    }
  }
}
