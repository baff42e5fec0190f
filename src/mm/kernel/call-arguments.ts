/** What callers in TypeScript pass, as the registers that Linux would see. */
import type { UserSegment } from "../fault/user-iter.ts";
import type { Vaddr } from "../page.ts";
import { EINVAL } from "../uapi/errno.ts";
import { LinuxError } from "./errors.ts";

/** An integer as the 64-bit register that Linux would see: a negative one wraps around. Anything else is EINVAL. */
export function u64(call: string, value: number): number {
  return integer(call, value) < 0 ? value + 2 ** 64 : value;
}

export function integer(call: string, value: number): number {
  if (!Number.isInteger(value)) throw new LinuxError(call, EINVAL, `${value} is not an integer`);
  return value;
}

/** Ranges of the process's memory. */
export function segmentsOf(call: string, ranges: readonly (readonly [Vaddr, number])[]): UserSegment[] {
  return ranges.map(([addr, length]) => ({ base: u64(call, addr), len: u64(call, length) }));
}
