/** Which steps may be tried at all: not those that reach the executor itself, or ask how the host is configured. */

import {
  MADV_GUARD_INSTALL,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_WILLNEED,
  MAP_LOCKED,
  MAP_POPULATE,
  RLIMIT_FSIZE,
} from "../src/mm/uapi/mman.ts";
import { DATA_ADDRESS, START_BREAK } from "./executor-image.ts";
import type { Operation } from "./operation.ts";
import { RANGES } from "./ranges.ts";

const PAGE_SIZE = 4096;

/** No segment that can be attached is longer. */
const LONGEST_SEGMENT = 2 ** 20;

/** As far as execve may read from an address on, mostly. */
const LONGEST_STRINGS = 2 ** 17;

/** Nothing that is longer may be filled with pages: the host has only so much memory. */
const LONGEST_FILLED: number = 2 ** 24;
/** Guards fill page tables, of which half a tebibyte takes one gibibyte. */
const FILLING_ADVICE: ReadonlySet<number> = new Set([
  MADV_WILLNEED,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_GUARD_INSTALL,
]);

/** Whether it would ask for the pages of all that is mapped in a long range. */
function fillsMuch({ call, args }: Operation): boolean {
  switch (call) {
    case "mmap":
      return args[1] > LONGEST_FILLED && (args[3] & (MAP_POPULATE | MAP_LOCKED)) !== 0;
    case "madvise":
      return args[1] > LONGEST_FILLED && FILLING_ADVICE.has(args[2]);
    case "pidfd_madvise":
      return FILLING_ADVICE.has(args[3]) && args[2] > LONGEST_FILLED;
    case "process_madvise":
      return FILLING_ADVICE.has(args[3]) && [2, 5, 7].some((at) => args[at] > LONGEST_FILLED);
    default:
      return false;
  }
}

export function isHarmless(operation: Operation): boolean {
  const { call, args } = operation;
  if (fillsMuch(operation)) return false;
  // A hard limit would hold for the executor's own files, too.
  if (call === "setrlimit" && args[0] === RLIMIT_FSIZE && args[2] !== -1) return false;
  if (call === "pagemap_scan" && args[0] < START_BREAK) return false;
  if (call === "procmap_query" && args[0] < START_BREAK) return false;
  const target = call === "mmap" ? args[0] : call === "mremap" ? args[4] : call === "shmat" ? args[1] : 0;
  // Path, argv and envp: lists and strings end where zeros are.
  if (call === "exec" && args.slice(1, 4).some((addr) => addr > 0 && reachesExecutor(addr, LONGEST_STRINGS)))
    return false;
  if (call === "shmat" && reachesExecutor(target, LONGEST_SEGMENT)) return false;
  return !(RANGES[call] ?? []).some(
    ([address, length]) => length < args.length && reachesExecutor(args[address], args[length]),
  );
}

/** Whether the pages of the range are the executor's. One with an end past 2^64 is wrong, or begins anew at 0. */
function reachesExecutor(addr: number, length: number): boolean {
  const end = addr + length + PAGE_SIZE;
  return (addr < START_BREAK && end > DATA_ADDRESS) || end - 2 ** 64 > DATA_ADDRESS;
}
