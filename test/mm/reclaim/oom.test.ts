import { describe, expect, it } from "vitest";
import { KernelPanic, OutOfMemoryError, type TraceEvent, validate } from "../../../src/mm/index.ts";
import { P } from "../core/rig.ts";
import { bootFrames, fill, firstWrong, mapPages } from "./rig.ts";

describe("out of memory", () => {
  it("kills the largest process, whose memory is free at once, and goes on", () => {
    const kernel = bootFrames(512);
    const small = kernel.spawn({ comm: "small" });
    const large = kernel.spawn({ comm: "large", uid: 7 });
    const asker = kernel.spawn({ comm: "asker" });
    const mine = fill(small, 50, 9);
    fill(large, 250);
    fill(asker, 240);
    expect([small.exitStatus, large.exitStatus, asker.exitStatus]).toEqual([null, 9, null]);
    expect(firstWrong(small, mine, 50, 9)).toBe(-1);
    expect(kernel.vmstat().oom_kill).toBe(1);
    expect(validate(kernel)).toEqual([]);
    expect(() => large.loadU8(0)).toThrow(OutOfMemoryError);
    expect(() => large.brk()).toThrow("ESRCH");
  });

  it("kills at once also whose pages the kernel has faulted in for a pipe", () => {
    const kernel = bootFrames(512);
    const large = kernel.spawn();
    const asker = kernel.spawn();
    fill(large, 280);
    expect(large.vmsplice(large.pipe2()[1], [[mapPages(large, 1), 1]])).toBe(1);
    // No fault comes in between.
    const fd = asker.memfd_create("file");
    expect(asker.pwrite(fd, new Uint8Array(240 * P), undefined, 0)).toBe(240 * P);
    expect([large.exitStatus, asker.exitStatus]).toEqual([9, null]);
    expect(validate(kernel)).toEqual([]);
  });

  it("reports in the form of dmesg", () => {
    const kernel = bootFrames(512);
    const events: TraceEvent[] = [];
    kernel.tracer.subscribe((event) => event.type === "oom-kill" && events.push(event));
    const large = kernel.spawn({ comm: "large", uid: 7 });
    const asker = kernel.spawn({ comm: "asker" });
    fill(large, 280);
    fill(asker, 250);
    const report = kernel.dmesg.map((line) => line.replace(/^\[ +\d+\.\d{6}\] /, ""));
    expect(report[0]).toBe(
      "asker invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0",
    );
    expect(report).toContain("Mem-Info:");
    const table = report.indexOf("Tasks state (memory values in pages):");
    expect(report[table + 2]).toBe(
      "[      1]     7     1      280      280      280        0         0    16384        0             0 large",
    );
    expect(report.slice(-2)).toEqual([
      "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=large,pid=1,uid=7",
      "Out of memory: Killed process 1 (large) total-vm:1120kB, anon-rss:1120kB, file-rss:0kB, shmem-rss:0kB, UID:7 pgtables:16kB oom_score_adj:0",
    ]);
    expect(events).toEqual([{ type: "oom-kill", pid: 1, name: "large", group: "/" }]);
  });

  it("takes all of a group along that is one thing (memory.oom.group), but for the exempted", () => {
    const kernel = bootFrames(1024);
    const outer = kernel.memcg.create("outer");
    const inner = outer.create("inner");
    outer.max = 200 * P;
    outer.oomGroup = true;
    const outside = kernel.spawn();
    const neighbour = kernel.spawn({ cgroup: outer });
    const exempted = kernel.spawn({ cgroup: outer, oomScoreAdj: -1000 });
    const large = kernel.spawn({ cgroup: inner });
    for (const task of [outside, neighbour, exempted]) fill(task, 5);
    expect(() => fill(large, 300)).toThrow(OutOfMemoryError);
    expect([outside, neighbour, exempted, large].map((task) => task.exitStatus)).toEqual([null, 9, null, 9]);
    expect(outer.events()).toMatchObject({ oom_kill: 2, oom_group_kill: 1 });
    expect(inner.events()).toMatchObject({ oom_kill: 1, oom_group_kill: 0 });
    expect(kernel.dmesg.join("\n")).toContain(
      "Tasks in /outer are going to be killed due to memory.oom.group set",
    );
    // What they had is free: only what the exempted one holds is still charged.
    exempted.exit();
    expect(outer.current).toBe(0);
    expect(validate(kernel)).toEqual([]);
    expect(() => {
      kernel.memcg.oomGroup = true;
    }).toThrow("EINVAL");
  });

  it("spares whom oom_score_adj exempts, and weighs by it", () => {
    const kernel = bootFrames(2048);
    const immune = kernel.spawn({ oomScoreAdj: -1000 });
    const wanted = kernel.spawn({ oomScoreAdj: 900 });
    const asker = kernel.spawn();
    fill(immune, 1200);
    fill(wanted, 10);
    fill(asker, 600);
    const statuses = (): (number | null)[] => [immune.exitStatus, wanted.exitStatus, asker.exitStatus];
    expect(statuses()).toEqual([null, null, null]);
    expect(() => fill(asker, 300)).toThrow(OutOfMemoryError);
    expect(statuses()).toEqual([null, 9, 9]);
  });

  it("kills who asks when he is the largest: his access throws, and he is gone", () => {
    const kernel = bootFrames(256);
    const task = kernel.spawn();
    expect(() => fill(task, 300)).toThrow(OutOfMemoryError);
    expect(task.exitStatus).toBe(9);
    expect(kernel.vmstat().nr_anon_pages).toBe(0);
    expect(validate(kernel)).toEqual([]);
  });

  it("kills who asks by a system call when that is over", () => {
    const kernel = bootFrames(256);
    const task = kernel.spawn();
    const at = mapPages(task, 300);
    expect(() => task.madvise(at, 300 * P, 23)).toThrow();
    expect(() => task.brk()).toThrow("ESRCH");
    expect(task.exitStatus).toBe(9);
    expect(kernel.phys.usedFrames).toBe(0);
  });

  it("throws where nobody can be killed, and the process lives on", () => {
    const kernel = bootFrames(256);
    const task = kernel.spawn({ oomScoreAdj: -1000 });
    expect(() => fill(task, 300)).toThrow(OutOfMemoryError);
    expect(task.exitStatus).toBeNull();
    expect(kernel.dmesg.at(-1)).toContain("Out of memory and no killable processes...");
  });

  it("stops the machine instead where vm.panic_on_oom says so, and nothing of it can be used any more", () => {
    const kernel = bootFrames(256);
    kernel.vmscan.panicOnOom = 1;
    const task = kernel.spawn();
    expect(() => fill(task, 300)).toThrow(KernelPanic);
    expect(task.exitStatus).toBeNull();
    expect(kernel.dmesg.slice(-2).map((line) => line.slice(line.indexOf("]") + 2))).toEqual([
      "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled",
      "---[ end Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled ]---",
    ]);
    expect(kernel.dmesg.join("\n")).toContain("invoked oom-killer");
    expect(() => task.brk()).toThrow(KernelPanic);
    expect(() => kernel.sync()).toThrow(KernelPanic);
    kernel.shutdown();
  });

  it("stops the machine for the end of a cgroup's memory only with 2", () => {
    const [one, two] = [1, 2].map((setting) => {
      const kernel = bootFrames(1024);
      kernel.vmscan.panicOnOom = setting;
      const cgroup = kernel.memcg.create("small");
      cgroup.max = 100 * P;
      const task = kernel.spawn({ cgroup });
      try {
        fill(task, 200);
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    });
    expect(one).toContain("out of memory");
    expect(two).toBe("Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled");
  });

  it("kills everybody who shares the memory of the one that was chosen, and kills who allocates if so set", () => {
    const kernel = bootFrames(512);
    kernel.vmscan.oomKillAllocatingTask = true;
    const large = kernel.spawn();
    const asker = kernel.spawn();
    fill(large, 300);
    expect(() => fill(asker, 300)).toThrow(OutOfMemoryError);
    expect([large.exitStatus, asker.exitStatus]).toEqual([null, 9]);
  });

  it("does not come to that while swap has room", () => {
    const kernel = bootFrames(128, 1024);
    const task = kernel.spawn();
    const at = fill(task, 1000);
    expect(firstWrong(task, at, 1000)).toBe(-1);
    expect(kernel.vmstat().oom_kill).toBe(0);
  });
});
