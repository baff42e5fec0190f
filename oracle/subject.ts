/** What is compared: anything that carries out the oracle's operations. The host is one subject, Faultline the other. */
import { ARGUMENT_LENGTH } from "./executor-image.ts";
import type { Mapping } from "./maps.ts";
import type { Operation } from "./operation.ts";

/** How many processes live at most; slot 0 always does. */
export const SLOTS = 4;
/** The longest `load`, `store` and `peek`: what the oracle's own buffers hold. */
export const MAX_ACCESS: number = ARGUMENT_LENGTH;
/** RLIMIT_STACK of the processes, on which the top of mmap's area depends. */
export const STACK_LIMIT: number = 8 * 2 ** 20;

/** Who the processes run as: nobody with a privilege. */
export const NOBODY = 65534;

export interface Outcome {
  /** What the call returned, a negative errno included; undefined where the step was skipped. */
  readonly result: number | undefined;
  /** What a `load` or `peek` read, what `mincore` said. */
  readonly bytes?: Uint8Array;
}

export interface Subject {
  isAlive(slot: number): boolean;
  perform(operation: Operation): Outcome;
  /** The mappings that the process has made. */
  maps(slot: number): readonly Mapping[];
  /** What the test files hold once all processes are gone: ends the subject. */
  finish(): readonly Uint8Array[];
}

export const SKIPPED: Outcome = { result: undefined };

export const MEMFD_NAMES: readonly string[] = ["one", "two", ""];

/** The bytes that `store(addr, length, first)` stores. */
export function storedBytes(length: number, first: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (first + at * 5) & 0xff);
}

/** Each sequence starts with these in process 0: descriptors of each kind of access, from 0 on. */
export const PREAMBLE: readonly Operation[] = [
  open(3, 2),
  open(3, 0),
  open(4, 2),
  open(4, 1),
  open(1, 2),
  open(0, 2),
  open(2, 0),
  open(5, 2),
  open(6, 0),
];

function open(file: number, flags: number): Operation {
  return { process: 0, call: "open", args: [file, flags] };
}
