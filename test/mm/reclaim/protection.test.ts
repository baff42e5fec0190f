/** memory.min and memory.low: what reclaim leaves to a group. */
import { describe, expect, it } from "vitest";
import type { KernelOptions } from "../../../src/mm/index.ts";
import { outcome, P } from "../core/rig.ts";
import { bootFrames, fill, firstWrong, residentPages } from "./rig.ts";

describe.each([
  ["lru", {}],
  ["mglru", { lruPolicy: "mglru" }],
] as const)("protection from reclaim (%s)", (_name, options: KernelOptions) => {
  it("low: a group keeps its pages as long as another has some", () => {
    const kernel = bootFrames(1024, 4096, options);
    const quiet = kernel.memcg.create("quiet");
    quiet.low = 400 * P;
    const task = kernel.spawn({ cgroup: quiet });
    const kept = fill(task, 300);
    const hog = kernel.spawn({ cgroup: kernel.memcg.create("hog") });
    const at = fill(hog, 2000);
    expect(residentPages(task, kept, 300)).toBe(300);
    expect(quiet.events().low).toBe(0);
    expect(quiet.swapCurrent).toBe(0);
    expect(firstWrong(hog, at, 2000)).toBe(-1);
    expect(residentPages(task, kept, 300)).toBe(300);
    quiet.low = 0;
    fill(hog, 2000);
    expect(residentPages(task, kept, 300)).toBeLessThan(100);
    expect(firstWrong(task, kept, 300)).toBe(-1);
  });

  it("low: it loses them when there is nothing else, and counts that", () => {
    const kernel = bootFrames(1024, 4096, options);
    const outer = kernel.memcg.create("outer");
    outer.max = 200 * P;
    const inner = outer.create("inner");
    inner.low = 400 * P;
    outer.low = 400 * P;
    const task = kernel.spawn({ cgroup: inner });
    const at = fill(task, 600);
    expect(firstWrong(task, at, 600)).toBe(-1);
    expect(inner.events().low).toBeGreaterThan(0);
    expect(outer.events().low).toBe(inner.events().low);
    expect(inner.events().oom_kill).toBe(0);
  });

  it("min: holds though it costs a life", () => {
    const kernel = bootFrames(1024, 4096, options);
    const outer = kernel.memcg.create("outer");
    outer.max = 200 * P;
    outer.min = 400 * P;
    const inner = outer.create("inner");
    inner.min = 400 * P;
    const task = kernel.spawn({ cgroup: inner });
    expect(() => fill(task, 600)).toThrow();
    expect([task.exitStatus, inner.swapCurrent]).toEqual([9, 0]);
    expect(outer.events()).toMatchObject({ low: 0, oom_kill: 1 });
  });

  it("at its own limit a group is not protected", () => {
    const kernel = bootFrames(1024, 4096, options);
    const group = kernel.memcg.create("group");
    group.max = 100 * P;
    group.min = 100 * P;
    const task = kernel.spawn({ cgroup: group });
    const at = fill(task, 300);
    expect(firstWrong(task, at, 300)).toBe(-1);
  });
});

describe("what a group grants the groups in it", () => {
  it("is shared in proportion to what they claim and use", () => {
    const kernel = bootFrames(2048, 4096);
    const { memcg } = kernel.phys;
    const outer = kernel.memcg.create("outer");
    const [a, b, c] = ["a", "b", "c"].map((name) => outer.create(name));
    if (a === undefined || b === undefined || c === undefined) throw new Error("no groups");
    outer.low = 300 * P;
    for (const [group, pages] of [
      [a, 196],
      [b, 96],
      [c, 46],
    ] as const) {
      fill(kernel.spawn({ cgroup: group }), pages);
      expect(group.current).toBe((pages + 4) * P);
    }
    const effective = (): number[] =>
      [a, b, c].map(({ id }) => {
        memcg.calculateProtection(0, id);
        return memcg.protectedLow(0, id);
      });
    a.low = 150 * P;
    b.low = 150 * P;
    // 150 and 100 of 300 granted: each has what it claims and uses.
    expect(effective()).toEqual([150, 100, 0]);
    outer.low = 100 * P;
    expect(effective()).toEqual([60, 40, 0]);
    outer.low = 0;
    expect(effective()).toEqual([0, 0, 0]);
    // Not from reclaim for its own sake.
    expect(memcg.protectedLow(a.id, a.id)).toBe(0);
    expect(outcome(() => (kernel.memcg.low = P))).toBe("EINVAL");
    a.min = Number.POSITIVE_INFINITY;
    expect(a.min).toBe(Number.POSITIVE_INFINITY);
  });

  it("protects in part: the more of it, the less is scanned", () => {
    const lost = (low: number): number => {
      const kernel = bootFrames(1024, 4096);
      const half = kernel.memcg.create("half");
      half.low = low * P;
      const task = kernel.spawn({ cgroup: half });
      const at = fill(task, 400);
      const hog = kernel.spawn({ cgroup: kernel.memcg.create("hog") });
      fill(hog, 3000);
      return 400 - residentPages(task, at, 400);
    };
    const [none, some, most] = [lost(0), lost(200), lost(380)];
    expect(none).toBeGreaterThan(some ?? 0);
    expect(some).toBeGreaterThan(most ?? 0);
  });
});
