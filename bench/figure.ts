/** A measured quantity: what came out in the middle, and at best, of several repeats. */
export interface Figure {
  readonly median: number;
  readonly min: number;
}

export function figureOf(samples: readonly number[]): Figure {
  const sorted = samples.toSorted((a, b) => a - b);
  return { median: median(sorted), min: sorted[0] ?? Number.NaN };
}

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The figure of several rounds: the median of their medians, the best of their best. */
export function figureOfRounds(rounds: readonly Figure[]): Figure {
  return { median: median(rounds.map((one) => one.median)), min: Math.min(...rounds.map((one) => one.min)) };
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** A monotonic clock in nanoseconds, as a number. */
export function nowNs(): number {
  return Math.round(performance.now() * 1e6);
}
