/** From a long failing sequence to a short one that still fails (delta debugging: Zeller and Hildebrandt, 2002). */
import { isHarmless } from "./harmless.ts";
import type { Operation } from "./operation.ts";
import { type Failure, replay, type SubjectPair } from "./sequence.ts";

/** Enough for any sequence of the oracle's; a limit against an endless search on a failure that comes and goes. */
const MAX_RUNS = 3000;

/**
 * The shortest failing sequence that leaving out steps leads to. The kind of mismatch must stay (a result that
 * differs doesn't turn into an exception on the way), its place and its values may change. Which kind that is, the sequence says
 * when it is looked at after every step: that may show earlier, and otherwise, what was found.
 */
export function shrink(pair: SubjectPair, found: Failure): Failure {
  const failure = replay(pair, found.operations) ?? found;
  let best = failure;
  let runs = 0;
  const attempt = (operations: readonly Operation[]): boolean => {
    if (++runs > MAX_RUNS) return false;
    const shorter = replay(pair, operations);
    if (shorter?.mismatch.what !== failure.mismatch.what) return false;
    best = shorter;
    return true;
  };

  let chunk = Math.ceil(best.operations.length / 2);
  while (chunk >= 1) {
    let removed = false;
    for (let end = best.operations.length; end > 0; end -= chunk) {
      const kept = best.operations.toSpliced(Math.max(0, end - chunk), Math.min(chunk, end));
      // Steps after the mismatch fall away as well, so that `end` may lie past what is left.
      if (attempt(kept)) removed = true;
    }
    if (chunk > 1) chunk = Math.ceil(chunk / 2);
    else if (!removed) break;
  }
  // A simpler step may make the sequence end earlier: its length is asked anew each time.
  for (let at = 0; at < best.operations.length; at++) {
    for (const simpler of simplerForms(best.operations[at])) {
      if (at < best.operations.length && isHarmless(simpler)) attempt(best.operations.with(at, simpler));
    }
  }
  return best;
}

/** The same call with a simple number in place of an argument. */
function* simplerForms(operation: Operation): Generator<Operation> {
  for (const [at, arg] of operation.args.entries()) {
    for (const simple of [0, 4096]) {
      if (Math.abs(arg) > simple) yield { ...operation, args: operation.args.with(at, simple) };
    }
  }
}
