/** The same endless program for who writes and for who checks: batches of changes, each to be made durable as a whole. */
import { Prng } from "../../../src/lib/prng.ts";

export const FILE_BYTES: number = 200 * 4096;

export interface Change {
  readonly kind: "store" | "pwrite";
  /** Bytes `at` … `at + length` become `value`. */
  readonly at: number;
  readonly length: number;
  readonly value: number;
}

export interface Batch {
  readonly changes: readonly Change[];
  readonly sync: "msync" | "fsync" | "fdatasync";
}

const SYNCS = ["msync", "fsync", "fdatasync"] as const;

export function* batches(seed: number): Generator<Batch> {
  const random = new Prng(seed);
  for (;;) {
    const changes: Change[] = [];
    for (let left = 1 + random.below(20); left > 0; left--) {
      const at = random.below(FILE_BYTES);
      const most = random.below(4) === 0 ? 20_000 : 300;
      const length = Math.min(1 + random.below(most), FILE_BYTES - at);
      changes.push({
        kind: random.below(2) === 0 ? "store" : "pwrite",
        at,
        length,
        value: random.below(256),
      });
    }
    yield { changes, sync: SYNCS[random.below(3)] };
  }
}
