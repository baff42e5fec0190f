/** The check against the host's kernel, for a fixed number of steps: `npm run oracle` goes on from here. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findHost, type Host } from "../../oracle/availability.ts";
import { FaultlineSubject } from "../../oracle/faultline-subject.ts";
import { SequenceGenerator } from "../../oracle/generator.ts";
import { HostSubject } from "../../oracle/host-subject.ts";
import { type Operation, parseOperations } from "../../oracle/operation.ts";
import { Random } from "../../oracle/random.ts";
import { formatFailure } from "../../oracle/report.ts";
import { explore, type Failure, replay, type SubjectPair } from "../../oracle/sequence.ts";
import { shrink } from "../../oracle/shrink.ts";
import { Statistics } from "../../oracle/statistics.ts";
import type { Outcome } from "../../oracle/subject.ts";
import { MADV_DONTNEED } from "../../src/mm/uapi/mman.ts";

const REGRESSIONS = new URL("regressions/", import.meta.url);
const SEQUENCE_LENGTH = 200;

const found = findHost();
const isSkipped = "reason" in found;
const title = isSkipped ? `the oracle (skipped: ${found.reason})` : "the oracle";

function host(): Host {
  if ("reason" in found) throw new Error(found.reason);
  return found;
}

/** Runs sequences until `steps` are done; the first mismatch, shrunk. */
function search(pair: SubjectPair, seed: number, steps: number): Failure | undefined {
  const generator = new SequenceGenerator(new Random(seed), /* hasCrowds */ false);
  const statistics = new Statistics();
  while (statistics.steps < steps) {
    const failure = explore(pair, generator, SEQUENCE_LENGTH, statistics);
    if (failure !== undefined) return shrink(pair, failure);
  }
  return undefined;
}

/** A kernel with a planted bug: MADV_DONTNEED keeps the pages. */
class ForgetfulHost extends HostSubject {
  override perform(operation: Operation): Outcome {
    if (operation.call !== "madvise" || operation.args[2] !== MADV_DONTNEED) return super.perform(operation);
    return super.perform({ ...operation, args: operation.args.with(2, 0) });
  }
}

describe.skipIf(isSkipped)(title, () => {
  const pair: SubjectPair = (isThorough) => [
    new HostSubject(host()),
    new FaultlineSubject(host().directory, isThorough),
  ];

  it("finds no difference between Faultline and the host's kernel", { timeout: 120_000 }, () => {
    for (const seed of [1, 2, 3]) {
      const failure = search(pair, seed, 2000);
      expect(failure && formatFailure(pair, failure)).toBeUndefined();
    }
  });

  const files = readdirSync(REGRESSIONS).filter((name) => name.endsWith(".json"));
  // One of them makes as many mappings as there may be.
  it.each(files)("still agrees on %s", { timeout: 120_000 }, (name) => {
    const operations = parseOperations(JSON.parse(readFileSync(new URL(name, REGRESSIONS), "utf8")));
    const failure = replay(pair, operations);
    expect(failure && formatFailure(pair, failure)).toBeUndefined();
  });

  it("says the same each time: the host agrees with itself", () => {
    const twice: SubjectPair = () => [new HostSubject(host()), new HostSubject(host())];
    const failure = search(twice, 4, 1000);
    expect(failure && formatFailure(twice, failure)).toBeUndefined();
  });

  it("finds a planted bug and shrinks it to the steps that show it", { timeout: 60_000 }, () => {
    const planted: SubjectPair = () => [new HostSubject(host()), new ForgetfulHost(host())];
    const failure = search(planted, 5, 20_000);
    expect(failure?.operations.some(({ args }) => args[2] === MADV_DONTNEED)).toBe(true);
    expect(failure?.operations.length).toBeLessThanOrEqual(6);
  });
});
