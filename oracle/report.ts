/** A mismatch for the reader's eye, and as a file that can be run again. */
import { formatOutcome } from "./comparison.ts";
import { formatOperation, type Operation } from "./operation.ts";
import { type Failure, replay, type SubjectPair } from "./sequence.ts";

/** The steps with what the kernel says of each (found out by running them again), then what differs. */
export function formatFailure(pair: SubjectPair, { operations, mismatch }: Failure): string {
  const lines: string[] = [];
  replay(pair, operations, (operation, outcome) =>
    lines.push(`  ${formatOperation(operation)} = ${formatOutcome(outcome)}`),
  );
  return [
    ...lines,
    `${mismatch.what} differs:`,
    `  Linux:     ${mismatch.expected}`,
    `  Faultline: ${mismatch.actual}`,
  ].join("\n");
}

/** JSON with one step in each line. */
export function formatSteps(operations: readonly Operation[]): string {
  return `[\n${operations.map((operation) => `  ${JSON.stringify(operation)}`).join(",\n")}\n]`;
}
