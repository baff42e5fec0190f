/**
 * Random programs in far too little memory: several processes in several cgroups write, read, fork, lock, give up and
 * free pages while limits change and groups come and go. After each step every byte is as the shadow copy says, and the
 * validator recounts lists, charges and counters.
 */
import { describe, expect, it } from "vitest";
import { Prng } from "../../../src/lib/prng.ts";
import {
  type Kernel,
  MADV_COLD,
  MADV_DONTNEED_LOCKED,
  MADV_PAGEOUT,
  type MemoryCgroup,
  MemoryFault,
  type Process,
  validate,
} from "../../../src/mm/index.ts";
import { P } from "../core/rig.ts";
import { bootFrames, mapPages } from "./rig.ts";

const PAGES = 48;

interface Actor {
  readonly task: Process;
  readonly at: number;
  /** What each page holds. */
  readonly values: Uint32Array;
}

class World {
  readonly kernel: Kernel;
  readonly groups: MemoryCgroup[];
  actors: Actor[] = [];
  readonly #random: Prng;
  #value = 1;

  constructor(seed: number, policy: "lru" | "mglru") {
    this.#random = new Prng(seed);
    this.kernel = bootFrames(112, 512, { lruPolicy: policy, swappiness: this.pick(201) });
    const { memcg } = this.kernel;
    const outer = memcg.create("outer");
    this.groups = [memcg, outer, outer.create("inner")];
    outer.max = 64 * P;
    this.start(0);
  }

  pick(below: number): number {
    return this.#random.below(below);
  }

  start(group: number): void {
    const task = this.kernel.spawn({ cgroup: this.groups[group] });
    this.actors.push({ task, at: mapPages(task, PAGES), values: new Uint32Array(PAGES) });
  }

  step(): void {
    const actor = this.actors[this.pick(this.actors.length)];
    const { task, at, values } = actor;
    const first = this.pick(PAGES);
    const count = 1 + this.pick(PAGES - first);
    const from = at + first * P;
    switch (this.pick(13)) {
      case 0:
      case 1:
      case 2:
      case 3:
        for (let page = first; page < first + count; page++) {
          task.storeU32(at + page * P, this.#value);
          values[page] = this.#value++;
        }
        break;
      case 4:
        task.madvise(from, count * P, MADV_DONTNEED_LOCKED);
        values.fill(0, first, first + count);
        break;
      case 5:
        task.madvise(from, count * P, this.pick(2) === 0 ? MADV_COLD : MADV_PAGEOUT);
        break;
      case 6:
        if (this.pick(2) === 0) task.munlock(from, count * P);
        else task.mlock(from, Math.min(count, 6) * P);
        break;
      case 7:
        if (this.actors.length < 4) this.actors.push({ task: task.fork(), at, values: values.slice() });
        break;
      case 8:
        if (this.actors.length < 4) this.start(this.pick(3));
        break;
      case 9:
        if (this.actors.length > 1) {
          task.exit();
          this.actors.splice(this.actors.indexOf(actor), 1);
        }
        break;
      case 10:
        this.groups[this.pick(3)].add(task);
        break;
      case 11:
        this.groups[1 + this.pick(2)].max = (40 + this.pick(60)) * P;
        break;
      default:
        this.kernel.vmscan.swappiness = this.pick(201);
        this.groups[this.pick(3)].reclaim(this.pick(20) * P);
    }
  }

  /** Reads everything: what is not as it was written is a finding, unless its process was killed meanwhile. */
  check(): void {
    this.actors = this.actors.filter(({ task }) => task.exitStatus === null);
    for (const { task, at, values } of this.actors) {
      for (let page = 0; page < PAGES; page++) {
        const found = tryLoad(task, at + page * P);
        if (found === undefined) break;
        if (found !== values[page])
          throw new Error(`page ${page} of ${task.pid} is ${found}, not ${values[page]}`);
      }
    }
    this.actors = this.actors.filter(({ task }) => task.exitStatus === null);
    if (this.actors.length === 0) this.start(this.pick(3));
  }
}

/** Undefined when the process was killed for it. */
function tryLoad(task: Process, addr: number): number | undefined {
  try {
    return task.loadU32(addr);
  } catch (error) {
    if (error instanceof MemoryFault && task.exitStatus === 9) return undefined;
    throw error;
  }
}

function run(policy: "lru" | "mglru", seed: number, steps: number): Record<string, number> {
  const world = new World(seed, policy);
  for (let step = 0; step < steps; step++) {
    try {
      world.step();
    } catch (error) {
      // Memory may be out: then a call fails, or a process is gone. Advice is refused where pages are locked.
      if (
        !(error instanceof MemoryFault) &&
        !/ENOMEM|ESRCH|EAGAIN|EINVAL: Invalid argument, madvise/.test(String(error))
      )
        throw error;
    }
    world.check();
    const findings = validate(world.kernel);
    if (findings.length > 0) throw new Error(`seed ${seed}, step ${step}: ${findings.join("; ")}`);
  }
  return world.kernel.vmstat();
}

describe("random programs in too little memory", () => {
  for (const policy of ["lru", "mglru"] as const) {
    it(`lose nothing, and every count is right (${policy})`, () => {
      let stolen = 0;
      for (let seed = 1; seed <= 6; seed++) stolen += run(policy, seed, 120).pgsteal_anon;
      expect(stolen).toBeGreaterThan(5000);
    });

    it(`run the same way twice (${policy})`, () => {
      expect(run(policy, 99, 60)).toEqual(run(policy, 99, 60));
    });
  }
});
