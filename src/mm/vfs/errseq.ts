/**
 * errseq_t: an error that each observer is told of once (lib/errseq.c).
 *
 * One number packs the last errno, whether anybody has been told of it, and a count that rises with each new error that
 * follows one that was told. Whoever holds another number than the current one has not been told yet. An error that
 * nobody has been told of is told to those who open the file later, too: it must reach somebody.
 *
 * ```
 *   count × 8192 │ seen: 4096 │ errno: 12 bits
 * ```
 */
export type Errseq = number;

const SEEN = 4096;
const COUNT = 8192;

/** The state after `errno` (positive) happened. */
export function errseqSet(current: Errseq, errno: number): Errseq {
  const count = Math.floor(current / COUNT) + (isSeen(current) ? 1 : 0);
  return count * COUNT + errno;
}

/** The number that a new observer starts from: an error still untold is ahead of it. */
export function errseqSample(current: Errseq): Errseq {
  return isSeen(current) ? current : 0;
}

/** The state once somebody has been told what there is. */
export function errseqMarkSeen(current: Errseq): Errseq {
  return current === 0 || isSeen(current) ? current : current + SEEN;
}

/** 0 when `since` has been told all; else the negative errno of the newest error. */
export function errseqCheck(current: Errseq, since: Errseq): number {
  return current === since ? 0 : -(current % SEEN);
}

/** The negative errno of an error that nobody has been told of yet, else 0. */
export function errseqUntold(current: Errseq): number {
  return isSeen(current) ? 0 : -(current % SEEN);
}

function isSeen(current: Errseq): boolean {
  return Math.floor(current / SEEN) % 2 === 1;
}
