/** What is compared: anything that carries out the oracle's operations. The host is one subject, Faultline the other. */
import { RLIMIT_MEMLOCK, RLIMIT_STACK } from "../src/mm/uapi/mman.ts";
import { ARGUMENT_LENGTH } from "./executor-image.ts";
import type { Mapping } from "./maps.ts";
import type { Operation } from "./operation.ts";

/** How many processes live at most; slot 0 always does. */
export const SLOTS = 4;
/** The longest `load`, `store` and `peek`: what the oracle's own buffers hold. */
export const MAX_ACCESS: number = ARGUMENT_LENGTH;
/** RLIMIT_STACK of the processes, on which the top of mmap's area depends. */
export const STACK_LIMIT: number = 8 * 2 ** 20;
/** RLIMIT_MEMLOCK: few enough pages that a sequence gets there. */
export const MEMLOCK_LIMIT: number = 2 ** 20;

/** Soft and hard limits that all processes start with. */
export const INITIAL_LIMITS: readonly (readonly [resource: number, bytes: number])[] = [
  [RLIMIT_STACK, STACK_LIMIT],
  [RLIMIT_MEMLOCK, MEMLOCK_LIMIT],
];

/** Who the processes run as: nobody with a privilege. */
export const NOBODY = 65534;

export interface Outcome {
  /** What the call returned, a negative errno included; undefined where the step was skipped. */
  readonly result: number | undefined;
  /** What a `load` or `peek` read, what `mincore` said. */
  readonly bytes?: Uint8Array;
  /** How many faults without storage a `load` or `store` took. */
  readonly faults?: number;
}

export interface Subject {
  isAlive(slot: number): boolean;
  perform(operation: Operation): Outcome;
  /** The mappings that the process has made. */
  maps(slot: number): readonly Mapping[];
  /** What /proc/PID/status says of the size of the process's mappings (FIGURES), in KiB. */
  figures(slot: number): readonly number[];
  /** The entries of /proc/PID/pagemap for the mapping, as the reader without privilege sees them. */
  pagemap(slot: number, mapping: Mapping): Uint8Array;
  /** The name that mappings of the descriptor's file have; undefined where none is open. */
  fileName(slot: number, fd: number): string | undefined;
  /** The size of a test file, by the name that its mappings have; undefined for other files. */
  fileSize(name: string): number | undefined;
  /** What the test files hold once all processes are gone: ends the subject. */
  finish(): readonly Uint8Array[];
}

/** The lines of /proc/PID/status that follow from the mappings alone. */
export const FIGURES: readonly string[] = ["VmSize", "VmLck", "VmData", "VmStk"];

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
