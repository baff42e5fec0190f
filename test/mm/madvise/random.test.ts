/**
 * Random advice, accesses, forks, moves and memory pressure on a parent and its children, against a model of what each
 * page may hold. A page that was given up holds what it held or zero, until it is written.
 */
import { describe, expect, it } from "vitest";
import { Prng } from "../../../src/lib/prng.ts";
import {
  MADV_COLD,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_PAGEOUT,
  MAP_FIXED,
  MAP_NORESERVE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
  type Process,
  validate,
} from "../../../src/mm/index.ts";
import { ANON, BASE, boot, outcome, P, RW } from "../core/rig.ts";

const PAGES = 24;
const AWAY = BASE + 4096 * P;

interface Page {
  value: number;
  /** Given up, and not written since: may read as zero. */
  lazy: boolean;
  guard: boolean;
}

interface Actor {
  readonly task: Process;
  readonly pages: Page[];
}

function fresh(): Page {
  return { value: 0, lazy: false, guard: false };
}

function run(seed: number, steps: number): void {
  const random = new Prng(seed);
  const pick = (n: number): number => random.below(n);
  const kernel = boot({ ram: 220 * P });
  const first = kernel.spawn({ oomScoreAdj: -1000 });
  first.mmap(BASE, PAGES * P, RW, ANON | MAP_FIXED);
  const actors: Actor[] = [{ task: first, pages: Array.from({ length: PAGES }, fresh) }];
  for (let step = 0; step < steps; step++) {
    const actor = actors[pick(actors.length)];
    const { task, pages } = actor;
    const from = pick(PAGES);
    const count = 1 + pick(Math.min(6, PAGES - from));
    const at = BASE + from * P;
    const range = pages.slice(from, from + count);
    switch (pick(13)) {
      case 0:
      case 1:
      case 2: {
        const page = pages[from];
        const value = 1 + pick(255);
        expect(outcome(() => task.storeU8(at, value))).toBe(page.guard ? "SEGV_MAPERR" : "ok");
        if (!page.guard) Object.assign(page, { value, lazy: false });
        break;
      }
      case 3:
        task.madvise(at, count * P, MADV_FREE);
        for (const page of range) page.lazy = !page.guard;
        break;
      case 4:
        task.madvise(at, count * P, pick(2) === 0 ? MADV_DONTNEED : MADV_DONTNEED_LOCKED);
        for (const page of range) Object.assign(page, { value: 0, lazy: false });
        break;
      case 5:
        task.madvise(at, count * P, MADV_GUARD_INSTALL);
        for (const page of range) Object.assign(page, { value: 0, lazy: false, guard: true });
        break;
      case 6:
        task.madvise(at, count * P, MADV_GUARD_REMOVE);
        for (const page of range) page.guard = false;
        break;
      case 7:
        task.madvise(at, count * P, pick(2) === 0 ? MADV_COLD : MADV_PAGEOUT);
        break;
      case 8:
        if (actors.length < 3) {
          actors.push({ task: task.fork(), pages: pages.map((page) => ({ ...page })) });
        } else {
          task.exit();
          actors.splice(actors.indexOf(actor), 1);
        }
        break;
      case 9:
        task.mremap(BASE, PAGES * P, PAGES * P, MREMAP_MAYMOVE | MREMAP_FIXED, AWAY);
        task.mremap(AWAY, PAGES * P, PAGES * P, MREMAP_MAYMOVE | MREMAP_FIXED, BASE);
        break;
      case 10:
        task.mprotect(at, count * P, PROT_READ);
        task.mprotect(at, count * P, RW);
        break;
      case 11:
        task.mmap(at, count * P, RW, ANON | MAP_FIXED);
        for (const page of range) Object.assign(page, fresh());
        break;
      default: {
        const all = kernel.phys.buddy.freeFrames + 30;
        const scratch = task.mmap(0, all * P, RW, ANON | MAP_NORESERVE);
        for (let page = 0; page < all; page++) {
          if (outcome(() => task.storeU8(scratch + page * P, 1)) !== "ok") break;
        }
        task.munmap(scratch, all * P);
      }
    }
    const findings = validate(kernel);
    if (findings.length > 0) throw new Error(`seed ${seed}, step ${step}: ${findings.join("; ")}`);
    for (const one of actors) check(one, `seed ${seed}, step ${step}`);
  }
}

/** Looks at a few pages: what was read is there to stay only if it was not given up. */
function check({ task, pages }: Actor, when: string): void {
  for (const [index, page] of pages.entries()) {
    let value = -1;
    const seen = outcome(() => {
      value = task.loadU8(BASE + index * P);
    });
    if (page.guard) {
      if (seen !== "SEGV_MAPERR") throw new Error(`${when}: guard ${index} of ${task.pid} is ${seen}`);
      continue;
    }
    const isRight = seen === "ok" && (value === page.value || (page.lazy && value === 0));
    if (!isRight)
      throw new Error(`${when}: page ${index} of ${task.pid} is ${value} (${seen}), not ${page.value}`);
    page.value = value;
  }
}

describe("random advice", () => {
  for (let seed = 1; seed <= 6; seed++) it(`seed ${seed}`, () => run(seed, 250));
});
