/** Runs of the random world: one episode, and the fewest of its steps that still fail. */
import { Prng } from "../../src/lib/prng.ts";
import { randomSetup, type Setup, type Wishes } from "./setup.ts";
import { perform } from "./steps.ts";
import { World } from "./world.ts";

export interface Episode {
  readonly setup: Setup;
  readonly steps: readonly number[];
}

export interface EpisodeResult {
  /** What went wrong, and in which step (the number of steps: at the end). */
  readonly failure: string | null;
  readonly failedAt: number;
  readonly stepsUnderPressure: number;
  readonly vmstat: Record<string, number>;
}

/** The episode of a seed: always the same for the same wishes. */
export function newEpisode(seed: number, length: number, wishes: Wishes = {}): Episode {
  const random = new Prng(seed);
  const setup = randomSetup(random, wishes);
  return { setup, steps: Array.from({ length }, () => random.u32()) };
}

export function runEpisode({ setup, steps }: Episode): EpisodeResult {
  const world = new World(setup);
  let failure: string | null = null;
  let at = 0;
  try {
    for (; at < steps.length; at++) world.run(steps[at] as number, perform);
    world.finish();
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const { stepsUnderPressure } = world;
  const vmstat = world.kernel.vmstat();
  try {
    world.dispose();
  } catch (error) {
    failure ??= String(error);
  }
  return { failure, failedAt: at, stepsUnderPressure, vmstat };
}

/**
 * Leaves out steps as long as what is left still fails in some way: halves first, single ones at last. @param budget most
 * episodes to run for it
 */
export function shrink(episode: Episode, failedAt: number, budget = 600): Episode {
  let steps = episode.steps.slice(0, failedAt + 1);
  let left = budget;
  const wanted = kindOf(runEpisode({ ...episode, steps }).failure ?? "");
  for (let size = Math.ceil(steps.length / 2); size >= 1 && left > 0; ) {
    let removed = false;
    for (let from = 0; from < steps.length && left > 0; left--) {
      const fewer = [...steps.slice(0, from), ...steps.slice(from + size)];
      const { failure, failedAt: at } = runEpisode({ ...episode, steps: fewer });
      // Another failure than the one that is looked for would be another finding.
      if (failure === null || kindOf(failure) !== wanted) from += size;
      else {
        steps = fewer.slice(0, at + 1);
        removed = true;
      }
    }
    if (size > 1) size = Math.ceil(size / 2);
    else if (!removed) break;
  }
  return { ...episode, steps };
}

/** The first line, without numbers. */
function kindOf(failure: string): string {
  return (failure.split("\n")[0] ?? "").replace(/[0-9a-f]*[0-9][0-9a-f]*/g, "N");
}
