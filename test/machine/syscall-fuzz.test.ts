/** Random system calls of random registers break nothing: FAULTLINE_FUZZ=N makes N of them, FAULTLINE_SEED=S others. */
import { expect, it } from "vitest";
import { fuzzSyscalls } from "./syscall-fuzz.ts";

const calls = Number(process.env.FAULTLINE_FUZZ ?? 6000);
const seed = Number(process.env.FAULTLINE_SEED ?? 1);

it(`${calls} random system calls break neither the host nor an invariant`, {
  timeout: 20_000 + calls * 10,
}, () => {
  const { refused, reached } = fuzzSyscalls(seed, calls);
  // Else the fuzz would not get past the first check of anything.
  expect(refused).toBeGreaterThan(calls / 4);
  expect(refused).toBeLessThan(calls * 0.95);
  expect(reached.size).toBeGreaterThan(100);
});
