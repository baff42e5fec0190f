/**
 * Random sequences of memory and file operations against the shadow model, all invariants proved after each step.
 *
 * FAULTLINE_RUNS multiplies the number of runs, FAULTLINE_SEED starts elsewhere. A sequence that fails is shrunk and
 * printed as JSON: it goes into regressions/, where it is run from then on.
 */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Step, sequence } from "./random-steps.ts";
import { World } from "./shadowed-world.ts";

const RUNS = Number(process.env.FAULTLINE_RUNS ?? 1);
const SEED = Number(process.env.FAULTLINE_SEED ?? 20250611);
const REGRESSIONS = new URL("regressions/", import.meta.url);
const SIZES = {
  "2 MiB of RAM": { frames: 512, isTiny: false, runs: 60 },
  "96 frames of RAM, where pages are reclaimed": { frames: 96, isTiny: true, runs: 50 },
  "48 frames of RAM, where everything fails at times": { frames: 48, isTiny: true, runs: 40 },
} as const;

function runAll(frames: number, isTiny: boolean, steps: readonly Step[]): void {
  const world = new World(frames, isTiny);
  try {
    for (const [at, one] of steps.entries()) {
      try {
        world.run(one);
      } catch (error) {
        throw new Error(`step ${at} (${one.op}): ${String(error)}`, { cause: error });
      }
    }
    world.finish();
  } finally {
    world.dispose();
  }
}

describe.each(Object.entries(SIZES))("random operations in %s", (_name, { frames, isTiny, runs }) => {
  it("show every byte where it belongs and keep every invariant", { timeout: 120_000 * RUNS }, () => {
    fc.assert(
      fc.property(sequence, (steps) => runAll(frames, isTiny, steps)),
      {
        numRuns: runs * RUNS,
        seed: SEED,
        // A slow machine does fewer runs; and shrinking ends with what it has by then.
        interruptAfterTimeLimit: 60_000 * RUNS,
        reporter: (details) => {
          if (!details.failed) return;
          const [steps] = details.counterexample ?? [[]];
          throw new Error(
            `seed ${details.seed}: ${String(details.errorInstance)}\nkeep it in regressions/:\n${JSON.stringify({ frames, isTiny, steps })}`,
          );
        },
      },
    );
  });
});

describe("sequences that failed once", () => {
  const names = readdirSync(REGRESSIONS).filter((name) => name.endsWith(".json"));
  it.each(names)("%s", (name) => {
    const { frames, isTiny, steps } = JSON.parse(readFileSync(new URL(name, REGRESSIONS), "utf8")) as {
      frames: number;
      isTiny: boolean;
      steps: Step[];
    };
    expect(() => runAll(frames, isTiny, steps)).not.toThrow();
  });
});
