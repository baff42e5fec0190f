/** Runs whole sequences on fresh pairs of subjects: one that is made up on the way, or one that is given. */
import { Comparison, formatOutcome, type Mismatch } from "./comparison.ts";
import type { SequenceGenerator } from "./generator.ts";
import { formatOperation, type Operation } from "./operation.ts";
import type { Statistics } from "./statistics.ts";
import { type Outcome, PREAMBLE, type Subject } from "./subject.ts";

/**
 * Makes a fresh pair: the one that is right by definition, and the one under test. A thorough one checks itself after
 * every step.
 */
export type SubjectPair = (isThorough: boolean) => readonly [reference: Subject, candidate: Subject];

export interface Failure {
  /** All steps up to and including the one that differs, without the preamble. */
  readonly operations: readonly Operation[];
  readonly mismatch: Mismatch;
}

/** A sequence of `length` made-up steps and, at its end, a read through all that is mapped. */
export function explore(
  pair: SubjectPair,
  generator: SequenceGenerator,
  length: number,
  statistics: Statistics,
  log?: (line: string) => void,
): Failure | undefined {
  const operations: Operation[] = [];
  const steps = generator.start(length);
  return withComparison(pair, /* isThorough */ false, operations, (comparison) => {
    for (let made = 0; made < steps; made++) {
      const operation = generator.next(comparison);
      operations.push(operation);
      const mismatch = comparison.step(operation, (outcome) => {
        statistics.count(operation, outcome);
        log?.(`${formatOperation(operation)} = ${formatOutcome(outcome)}`);
      });
      if (mismatch !== undefined) return mismatch;
    }
    for (const operation of comparison.finalSteps()) {
      operations.push(operation);
      const mismatch = comparison.step(operation);
      if (mismatch !== undefined) return mismatch;
      operations.pop();
    }
    return undefined;
  });
}

/** A given sequence; stops at the first difference. */
export function replay(
  pair: SubjectPair,
  operations: readonly Operation[],
  seen?: (operation: Operation, outcome: Outcome) => void,
): Failure | undefined {
  const done: Operation[] = [];
  return withComparison(pair, /* isThorough */ true, done, (comparison) => {
    for (const operation of operations) {
      done.push(operation);
      const mismatch = comparison.step(operation, (outcome) => seen?.(operation, outcome));
      if (mismatch !== undefined) return mismatch;
    }
    return undefined;
  });
}

/** Ends both subjects in any case; what they leave is compared where nothing has differed before. */
function withComparison(
  pair: SubjectPair,
  isThorough: boolean,
  operations: readonly Operation[],
  run: (comparison: Comparison) => Mismatch | undefined,
): Failure | undefined {
  const [reference, candidate] = pair(isThorough);
  const comparison = new Comparison(reference, candidate, isThorough);
  let mismatch: Mismatch | undefined;
  let left: Mismatch | undefined;
  try {
    for (const operation of PREAMBLE) mismatch ??= comparison.step(operation);
    mismatch ??= run(comparison);
  } finally {
    left = comparison.finish();
  }
  mismatch ??= left;
  return mismatch && { operations, mismatch };
}
