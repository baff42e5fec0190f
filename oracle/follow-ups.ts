/**
 * What the generator has coming behind some of its steps, so that an ending is met that would take several steps in a
 * row by chance: a process is gone for which there is a descriptor, a limit is less than what one call asks for.
 */
import { F_SEAL_WRITE } from "../src/mm/uapi/fs.ts";
import * as ipc from "../src/mm/uapi/ipc.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { PROGRAMS } from "./exec-programs.ts";
import type { CallName, Operation } from "./operation.ts";
import type { Random } from "./random.ts";
import { isSlot, SEALABLE_FD } from "./subject.ts";
import { EXECUTABLE_NAME, FILE_NAMES } from "./test-files.ts";

/** A step to come; without arguments those that fit when it is its turn. */
export interface FollowUp {
  readonly process: number;
  readonly call: CallName;
  readonly args?: readonly number[];
  /** The first argument, where the others are those that fit. */
  readonly first?: number;
}

const PAGE_SIZE = 4096;
/** A mapping beside the crowd, of which every second page is taken: each time it takes one mapping more, mostly one too many. */
const CUT_START = 0x11_0000_0000;
const CUTS = 4;
/** Calls that answer to the limit of locked memory. */
const LOCKING: readonly CallName[] = ["mlock", "mlock2", "mlockall"];
/** Calls that seals forbid. */
const SEALED: readonly CallName[] = ["write", "pwrite64", "ftruncate", "fallocate", "pwritev2"];

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
      if (args[0] !== mman.RLIMIT_MEMLOCK || !random.chance(90)) return [];
      return [
        { process, call: random.pick(LOCKING) },
        ...segments
          .slice(-2)
          .map((id) => ({ process, call: "shmctl", args: [id, ipc.SHM_LOCK, 0] }) as const),
      ];
    case "seals":
      if (args[1] === 0 || !random.chance(50)) return [];
      return [1, 2].map(() => ({ process, call: random.pick(SEALED), first: args[0] }));
    case "mmap": {
      const [, , prot, flags, fd] = args;
      const mayWrite = (prot & mman.PROT_WRITE) !== 0 && (flags & mman.MAP_TYPE) === mman.MAP_SHARED;
      if (fd !== SEALABLE_FD || !mayWrite || !random.chance(30)) return [];
      return [{ process, call: "seals", args: [fd, F_SEAL_WRITE] }];
    }
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
  const limits: readonly (readonly [resource: number, limit: number])[] = [
    [mman.RLIMIT_AS, -1],
    [mman.RLIMIT_DATA, -1],
    [mman.RLIMIT_NOFILE, 1024],
  ];
  const unlimited = limits.map(([resource, limit]) => ({
    process,
    call: "setrlimit" as const,
    args: [resource, limit, limit],
  }));
  const flags = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED;
  const cut = [CUT_START, (2 * CUTS + 1) * PAGE_SIZE, mman.PROT_READ, flags, -1, 0];
  return [{ process, call: "munlockall", args: [] }, ...unlimited, { process, call: "mmap", args: cut }];
}
