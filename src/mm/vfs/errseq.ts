/**
 * errseq_t: an error that each observer is told of once (lib/errseq.c).
 *
 * A number that packs the last errno and a count that rises with each new error. Whoever holds an older number has not
 * seen the error yet; taking the current number is seeing it.
 */
export type Errseq = number;

const ERRNO_SPAN = 4096;

/** The state after `errno` (positive) happened. */
export function errseqSet(current: Errseq, errno: number): Errseq {
  return (Math.floor(current / ERRNO_SPAN) + 1) * ERRNO_SPAN + errno;
}

/** 0 when `since` has seen all; else the negative errno of the newest error. */
export function errseqCheck(current: Errseq, since: Errseq): number {
  return current === since ? 0 : -(current % ERRNO_SPAN);
}
