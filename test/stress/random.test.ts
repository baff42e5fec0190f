/**
 * The random world under memory pressure for a while, and what it once found. `npm run stress` goes on from here.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Episode, newEpisode, runEpisode } from "./episode.ts";
import type { Setup } from "./setup.ts";

/** An endless tmpfs is null in JSON. */
interface Finding {
  readonly what: string;
  readonly setup: Omit<Setup, "tmpfsPages"> & { readonly tmpfsPages: number | null };
  readonly steps: readonly number[];
}

const findings = JSON.parse(
  readFileSync(new URL("regressions.json", import.meta.url), "utf8"),
) as readonly Finding[];

/** FAULTLINE_SEED moves it, as it does the properties. */
const seed = Number(process.env.FAULTLINE_SEED ?? 1);

describe("random programs on far too little RAM", () => {
  it.each(findings)("$what", ({ setup, steps }) => {
    const episode: Episode = {
      setup: { ...setup, tmpfsPages: setup.tmpfsPages ?? Number.POSITIVE_INFINITY },
      steps,
    };
    expect(runEpisode(episode).failure).toBeNull();
  });

  it("read back every byte, and leave every invariant true after each step", () => {
    let stepsUnderPressure = 0;
    for (let number = 0; number < 6; number++) {
      const result = runEpisode(newEpisode(Math.imul(seed, 1_000_003) + number, 250));
      expect(result.failure).toBeNull();
      stepsUnderPressure += result.stepsUnderPressure;
    }
    expect(stepsUnderPressure).toBeGreaterThan(300);
  });
});
