/**
 * What the generator has coming behind some of its steps, so that an ending is met that would take several steps in a
 * row by chance: a process is gone for which there is a descriptor, a limit is less than what one call asks for.
 */
import * as ipc from "../src/mm/uapi/ipc.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { PROGRAMS } from "./exec-programs.ts";
import type { CallName, Operation } from "./operation.ts";
import type { Random } from "./random.ts";
import { isSlot } from "./subject.ts";
import { EXECUTABLE_NAME, FILE_NAMES } from "./test-files.ts";

/** A step to come; without arguments those that fit when it is its turn. */
export interface FollowUp {
  readonly process: number;
  readonly call: CallName;
  readonly args?: readonly number[];
}

const PAGE_SIZE = 4096;
/** A mapping beside the crowd, of which every second page is taken: each time it takes one mapping more, mostly one too many. */
const CUT_START = 0x11_0000_0000;
const CUTS = 4;
/** Calls that answer to the limit of locked memory. */
const LOCKING: readonly CallName[] = ["mlock", "mlock2", "mlockall"];

/** @param segments ids that are, or were */
export function followUps(
  { process, call, args }: Operation,
  random: Random,
  segments: readonly number[],
): readonly FollowUp[] {
  switch (call) {
    case "pidfd_open": {
      const [other] = args;
      if (!isSlot(other) || other === process || !random.chance(40)) return [];
      return [
        { process: other, call: "exit", args: [] },
        { process, call: "pidfd_madvise" },
      ];
    }
    case "setrlimit":
      if (args[0] !== mman.RLIMIT_MEMLOCK || !random.chance(70)) return [];
      if (segments.length === 0 || random.chance(30)) return [{ process, call: random.pick(LOCKING) }];
      return [{ process, call: "shmctl", args: [random.pick(segments), ipc.SHM_LOCK, 0] }];
    case "open":
      if (FILE_NAMES[args[0]] !== EXECUTABLE_NAME || !random.chance(60)) return [];
      return [{ process, call: "exec", args: [PROGRAMS.indexOf(EXECUTABLE_NAME)] }];
    case "crowd":
      return Array.from({ length: CUTS }, (_, at) => ({
        process,
        call: "munmap",
        args: [CUT_START + (2 * at + 1) * PAGE_SIZE, PAGE_SIZE],
      }));
    default:
      return [];
  }
}

/** Takes away limits and locks that would keep a process from having as many mappings as there may be. */
export function beforeCrowd(process: number): readonly FollowUp[] {
  const unlimited = [mman.RLIMIT_AS, mman.RLIMIT_DATA].map((resource) => ({
    process,
    call: "setrlimit" as const,
    args: [resource, -1, -1],
  }));
  const flags = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED;
  const cut = [CUT_START, (2 * CUTS + 1) * PAGE_SIZE, mman.PROT_READ, flags, -1, 0];
  return [{ process, call: "munlockall", args: [] }, ...unlimited, { process, call: "mmap", args: cut }];
}
