/** What is compared: anything that carries out the oracle's operations. The host is one subject, Faultline the other. */
import { O_DIRECT, O_NONBLOCK, O_PATH, O_RDWR } from "../src/mm/uapi/fcntl.ts";
import { MFD_ALLOW_SEALING, RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_STACK } from "../src/mm/uapi/mman.ts";
import { ARGUMENT_LENGTH } from "./executor-image.ts";
import type { Mapping } from "./maps.ts";
import type { CallName, Operation } from "./operation.ts";

/** How many processes live at most; slot 0 always does. */
export const SLOTS = 4;

/** Whether a step means the process of a slot; any other number is one that no process has. */
export function isSlot(value: number): boolean {
  return value >= 0 && value < SLOTS;
}

/** Numbers that no process has (past any pid_max), or can have. */
export const STRANGERS: readonly number[] = [2 ** 22 + 1, -1];

/** The lowest descriptor that the real files at the beginning of PREAMBLE leave free. */
const FIRST_FREE_FD = 9;
/** The longest `load`, `store` and `peek`: what the oracle's own buffers hold. */
export const MAX_ACCESS: number = ARGUMENT_LENGTH;
/** RLIMIT_STACK of the processes, on which the top of mmap's area depends. */
export const STACK_LIMIT: number = 8 * 2 ** 20;
/** RLIMIT_MEMLOCK: few enough pages that a sequence gets there. */
export const MEMLOCK_LIMIT: number = 2 ** 20;

/** RLIMIT_NOFILE: more than the oracle's own. */
const FILE_LIMIT = 1024;

/** Soft and hard limits that all processes start with. */
export const INITIAL_LIMITS: readonly (readonly [resource: number, bytes: number])[] = [
  [RLIMIT_STACK, STACK_LIMIT],
  [RLIMIT_MEMLOCK, MEMLOCK_LIMIT],
  [RLIMIT_NOFILE, FILE_LIMIT],
];

/** All processes hold a file on a file system mounted noexec under this number, where the oracle is run by root. */
export const NOEXEC_FD = 603;
export const NOEXEC_NAME = "noexec0";

/** Who the processes run as, and who owns their segments: nobody with a privilege. */
export const NOBODY = 65534;

export interface Outcome {
  /** What the call returned, a negative errno included; undefined where the step was skipped. */
  readonly result: number | undefined;
  /** What a `load` or `peek` read, what `mincore` or a query said. */
  readonly bytes?: Uint8Array;
  /** How many faults without storage the call took. */
  readonly faults?: number;
}

export interface Subject {
  /** Whether a process lives in the slot that can make a call: the parent of a vfork can't until its child lets go. */
  isAlive(slot: number): boolean;
  isFree(slot: number): boolean;
  perform(operation: Operation): Outcome;
  /** The mappings that the process has made. */
  maps(slot: number): readonly Mapping[];
  /** What /proc/PID/status says of the size of the process's mappings (FIGURES), in KiB. */
  figures(slot: number): readonly number[];
  /** The lines of /proc/PID/smaps. */
  smaps(slot: number): string;
  /** The lines of /proc/PID/smaps_rollup. */
  smapsRollup(slot: number): string;
  /** /proc/PID/statm. */
  statm(slot: number): string;
  /** A line for each link of /proc/PID/map_files (maps.ts), the executor's own left out; empty where we may not follow them. */
  mapFiles(slot: number): readonly string[];
  /** The lines of /proc/PID/numa_maps. */
  numaMaps(slot: number): string;
  /** Entries of /proc/PID/pagemap from the page of `addr` on, as the reader without privilege sees them. */
  pagemap(slot: number, addr: number, pages: number): Uint8Array;
  /** The name that mappings of the descriptor's file have; undefined where none is open. */
  fileName(slot: number, fd: number): string | undefined;
  /** The size of a test file, by the name that its mappings have; undefined for other files. */
  fileSize(name: string): number | undefined;
  /** The position of a descriptor that reads and writes a test file on disk past the page cache; undefined for others. */
  directPosition(slot: number, fd: number): number | undefined;
  /** Bytes that wait in a pipe which the descriptor reads; undefined for other descriptors. */
  unread(slot: number, fd: number): number | undefined;
  /** Whether parts of a test file on disk are not stored, by the name that its mappings have. */
  hasHoles(name: string): boolean;
  /** What the test files hold once all processes are gone, those on disk first: ends the subject. */
  finish(): readonly Uint8Array[];
}

/** What page tables take, as /proc/PID/status calls it. */
export const TABLES = "VmPTE";

/** The lines of /proc/PID/status that follow from the mappings alone, and what page tables take. */
export const FIGURES: readonly string[] = ["VmSize", "VmLck", "VmData", "VmStk", TABLES];

export const SKIPPED: Outcome = { result: undefined };

/** The last but one is the longest that there may be. */
export const MEMFD_NAMES: readonly string[] = ["one", "two", "", "l".repeat(249), "l".repeat(250)];

/** The bytes that `store(addr, length, first)` stores. */
export function storedBytes(length: number, first: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = first + at * 5;
  return bytes;
}

/** Descriptors that the preamble puts at numbers of their own begin here, and there are so many. */
export const SPECIAL_FD = 20;
export const SPECIAL_FDS = 15;
/** The reading ends of two pipes; behind each is its writing end. */
export const PIPE_FDS: readonly number[] = [SPECIAL_FD + 6, SPECIAL_FD + 12];
/** The one that stands for process 0, also in its children. */
export const PID_FD: number = SPECIAL_FD + 14;
/** The one that takes seals. */
export const SEALABLE_FD: number = SPECIAL_FD + 8;
/** The one that goes past the page cache. */
export const DIRECT_FD: number = SPECIAL_FD + 11;

/**
 * Each sequence starts with these in process 0: descriptors of real files of each kind of access from 0 on, of tmpfs, of
 * devices, of a mere path, of a pipe, of a file that takes seals, of one that must not be executed, of one that only root may
 * write, of one that goes past the page cache, of a second pipe and of process 0 itself from SPECIAL_FD on.
 */
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
  ...moved(open(7, 2), 0),
  ...moved(open(8, 2), 1),
  ...moved(open(9, 0), 2),
  ...moved(open(10, 2), 3),
  ...moved(open(11, 2), 4),
  ...moved(open(3, O_PATH), 5),
  first("pipe2", O_NONBLOCK),
  first("dup2", FIRST_FREE_FD, SPECIAL_FD + 6),
  first("dup2", FIRST_FREE_FD + 1, SPECIAL_FD + 7),
  first("close", FIRST_FREE_FD),
  first("close", FIRST_FREE_FD + 1),
  ...moved(first("memfd_create", 0, MFD_ALLOW_SEALING), 8),
  first("dup2", NOEXEC_FD, SPECIAL_FD + 9),
  ...moved(open(13, 0), 10),
  ...moved(open(5, O_RDWR | O_DIRECT), 11),
  first("pipe2", O_NONBLOCK),
  first("dup2", FIRST_FREE_FD, SPECIAL_FD + 12),
  first("dup2", FIRST_FREE_FD + 1, SPECIAL_FD + 13),
  first("close", FIRST_FREE_FD),
  first("close", FIRST_FREE_FD + 1),
  ...moved(first("pidfd_open", 0, 0), 14),
];

function first(call: CallName, ...args: readonly number[]): Operation {
  return { process: 0, call, args };
}

function open(file: number, flags: number): Operation {
  return first("open", file, flags);
}

/** The descriptor that the step makes, at a special place instead of the lowest free one. */
function moved(step: Operation, place: number): Operation[] {
  return [step, first("dup2", FIRST_FREE_FD, SPECIAL_FD + place), first("close", FIRST_FREE_FD)];
}

/** An answer to PROCMAP_QUERY without inode and device, which are the host's. */
export function withoutDevice(answer: Uint8Array): Uint8Array {
  return answer.fill(0, 64, 80);
}
