import { describe, expect, it } from "vitest";
import { OutOfMemoryError, validate } from "../../../src/mm/index.ts";
import { P } from "../core/rig.ts";
import { bootFrames, fill, firstWrong, residentPages } from "./rig.ts";

describe("memory cgroups", () => {
  it("charge who touches a page first, page tables included, and the groups above", () => {
    const kernel = bootFrames(1024);
    const outer = kernel.memcg.create("outer");
    const inner = outer.create("inner");
    const task = kernel.spawn({ cgroup: inner });
    const before = inner.current;
    fill(task, 20);
    // 20 pages, and the three tables above them; the top one was there before.
    expect([before, inner.current, outer.current]).toEqual([P, 24 * P, 24 * P]);
    expect(inner.stat()).toMatchObject({
      anon: 20 * P,
      pagetables: 4 * P,
      inactive_anon: 20 * P,
      pgfault: 20,
    });
    const child = task.fork();
    expect([child.memcg, child.mm.memcg]).toEqual([inner.id, inner.id]);
    expect(inner.stat()).toMatchObject({ anon: 20 * P, pagetables: 8 * P });
    child.exit();
    task.exit();
    expect([inner.current, inner.peak, outer.peak]).toEqual([0, 28 * P, 28 * P]);
  });

  it("at its limit a group reclaims its own pages and nobody else's", () => {
    const kernel = bootFrames(1024, 4096);
    const group = kernel.memcg.create("a");
    group.max = 100 * P;
    const other = kernel.spawn();
    const theirs = fill(other, 300);
    const task = kernel.spawn({ cgroup: group });
    const mine = fill(task, 400);
    expect(group.current).toBeLessThanOrEqual(100 * P);
    expect(residentPages(other, theirs, 300)).toBe(300);
    expect(firstWrong(task, mine, 400)).toBe(-1);
    expect(group.swapCurrent).toBeGreaterThan(300 * P);
    expect(group.events()).toMatchObject({ oom: 0, oom_kill: 0 });
    expect(group.events().max).toBeGreaterThan(5);
    const { pgscan_direct: scanned, pgsteal_direct: stolen } = group.stat();
    expect(stolen).toBeGreaterThan(300);
    expect(scanned).toBeGreaterThanOrEqual(stolen);
    // What a limit causes is no shortage of the whole.
    expect(kernel.vmstat()).toMatchObject({ pgscan_direct: 0, pgscan_kswapd: 0, allocstall_normal: 0 });
    expect(validate(kernel)).toEqual([]);
  });

  it("the limit of a group binds the groups in it", () => {
    const kernel = bootFrames(1024, 4096);
    const outer = kernel.memcg.create("outer");
    const inner = outer.create("inner");
    outer.max = 100 * P;
    const task = kernel.spawn({ cgroup: inner });
    const at = fill(task, 300);
    expect(outer.current).toBeLessThanOrEqual(100 * P);
    expect(firstWrong(task, at, 300)).toBe(-1);
    expect([inner.events().max, outer.events().max > 5]).toEqual([0, true]);
  });

  it("without swap the limit kills, inside the group only", () => {
    const kernel = bootFrames(1024);
    const group = kernel.memcg.create("a");
    group.max = 100 * P;
    const large = kernel.spawn();
    fill(large, 500);
    const first = kernel.spawn({ cgroup: group });
    fill(first, 60);
    const second = kernel.spawn({ cgroup: group, comm: "second" });
    fill(second, 50);
    expect([large.exitStatus, first.exitStatus, second.exitStatus]).toEqual([null, 9, null]);
    expect(() => fill(second, 100)).toThrow(OutOfMemoryError);
    expect(group.events()).toMatchObject({ oom_kill: 2 });
    expect(group.current).toBe(0);
    expect(kernel.dmesg.at(-1)).toMatch(/Memory cgroup out of memory: Killed process 3 \(second\)/);
    expect(kernel.dmesg.at(-2)).toContain("CONSTRAINT_MEMCG");
    expect(kernel.dmesg.at(-2)).toContain("oom_memcg=/a,task_memcg=/a");
  });

  it("memory.swap.max bounds what goes to swap", () => {
    const kernel = bootFrames(1024, 4096);
    const group = kernel.memcg.create("a");
    group.max = 100 * P;
    group.swapMax = 50 * P;
    const task = kernel.spawn({ cgroup: group });
    expect(() => fill(task, 400)).toThrow(OutOfMemoryError);
    expect(group.swapPeak).toBe(50 * P);
    expect(group.swapCurrent).toBe(0);
    expect(group.events().oom_kill).toBe(1);
  });

  it("memory.high reclaims without ever refusing", () => {
    const kernel = bootFrames(1024, 4096);
    const group = kernel.memcg.create("a");
    group.high = 100 * P;
    const task = kernel.spawn({ cgroup: group });
    fill(task, 400);
    expect(group.events()).toMatchObject({ max: 0, oom: 0 });
    expect(group.events().high).toBeGreaterThan(0);
    expect(group.current).toBeLessThanOrEqual(101 * P);
  });

  it("lowering memory.max reclaims, and kills when that is not enough", () => {
    const kernel = bootFrames(1024, 4096);
    const group = kernel.memcg.create("a");
    const task = kernel.spawn({ cgroup: group });
    const at = fill(task, 300);
    group.max = 50 * P;
    expect(group.current).toBeLessThanOrEqual(50 * P);
    expect(firstWrong(task, at, 300)).toBe(-1);
    group.swapMax = 0;
    group.max = 2 * P;
    expect(task.exitStatus).toBe(9);
    expect(group.current).toBe(0);
  });

  it("what a group that is removed leaves behind is its parent's", () => {
    const kernel = bootFrames(1024);
    const outer = kernel.memcg.create("outer");
    const inner = outer.create("inner");
    const task = kernel.spawn({ cgroup: inner });
    fill(task, 30);
    expect(() => inner.remove()).toThrow("EBUSY");
    outer.add(task);
    const { current } = outer;
    inner.remove();
    expect(outer.current).toBe(current);
    expect(outer.stat().anon).toBe(30 * P);
    expect(validate(kernel)).toEqual([]);
    task.exit();
    expect(outer.current).toBe(0);
    outer.remove();
    expect(() => outer.add(task)).toThrow("ENOENT");
    expect(() => outer.remove()).toThrow("ENOENT");
    expect(() => kernel.memcg.create("x").create("")).toThrow("EINVAL");
  });

  it("memory.reclaim frees on request", () => {
    const kernel = bootFrames(1024, 4096);
    const group = kernel.memcg.create("a");
    const task = kernel.spawn({ cgroup: group });
    fill(task, 200);
    expect(group.reclaim(64 * P)).toBeGreaterThanOrEqual(64 * P);
    expect(group.current).toBeLessThanOrEqual(140 * P);
  });
});
