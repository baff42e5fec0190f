/** Arguments of the calls about a process as a whole, for the generator: its limits, its children, what stands for it. */
import * as mman from "../src/mm/uapi/mman.ts";
import {
  ADDR_COMPAT_LAYOUT,
  ADDR_NO_RANDOMIZE,
  MMAP_PAGE_ZERO,
  READ_IMPLIES_EXEC,
} from "../src/mm/uapi/personality.ts";
import * as pidfd from "../src/mm/uapi/pidfd.ts";
import { type ArgumentSource, FILE_PAGES } from "./arguments.ts";
import { cloneArguments } from "./clone-arguments.ts";
import { execArguments } from "./exec-arguments.ts";
import type { CallName } from "./operation.ts";
import { someAdvice } from "./page-arguments.ts";
import type { Random } from "./random.ts";
import { INITIAL_LIMITS, PID_FD, SLOTS, STRANGERS } from "./subject.ts";

const PAGE_SIZE = 4096;
/** A personality that has nothing to do with memory, and the number that only asks for the one there is. */
const WHOLE_SECONDS = 0x200_0000;
const PERSONALITY_QUERY = 0xffff_ffff;

const PROCESS_CALLS = [
  "fork",
  "vfork",
  "clone",
  "exec",
  "exit",
  "personality",
  "dumpable",
  "setrlimit",
  "pidfd_open",
  "pidfd_madvise",
] as const;

export type ProcessCall = (typeof PROCESS_CALLS)[number];

export function isAboutProcesses(call: CallName): call is ProcessCall {
  return PROCESS_CALLS.some((name) => name === call);
}

export class ProcessArguments {
  private readonly random: Random;
  private readonly from: ArgumentSource;
  private readonly living: readonly number[];
  private readonly pidfds: readonly number[];

  /**
   * @param living slots with a process
   * @param pidfds descriptors that stand, or stood, for processes
   */
  constructor(random: Random, from: ArgumentSource, living: readonly number[], pidfds: readonly number[]) {
    this.random = random;
    this.from = from;
    this.living = living;
    this.pidfds = pidfds;
  }

  of(call: ProcessCall): number[] {
    const { random, from } = this;
    switch (call) {
      case "fork":
      case "vfork":
        return [1 + random.below(SLOTS - 1)];
      case "clone":
        return [1 + random.below(SLOTS - 1), ...cloneArguments(random, from)];
      case "exec":
        return execArguments(random, from);
      case "exit":
        return [];
      case "personality":
        return [this.personality()];
      case "dumpable":
        return [
          random.weighted([
            [8, 1],
            [4, 0],
            [1, 2],
          ]),
        ];
      case "setrlimit":
        return this.limitArguments();
      case "pidfd_open":
        return [
          random.weighted([
            [20, random.pick(this.living)],
            [1, random.below(SLOTS)],
            [1, random.pick(STRANGERS)],
          ]),
          random.weighted([
            [6, 0],
            [2, pidfd.PIDFD_NONBLOCK],
            [1, pidfd.PIDFD_THREAD],
            [1, 1],
          ]),
        ];
      case "pidfd_madvise":
        return [
          this.pidfd(),
          ...from.range(),
          random.chance(50) ? someAdvice(random) : random.pick([mman.MADV_COLD, mman.MADV_WILLNEED]),
          random.chance(92) ? 0 : random.pick([1, 2 ** 31]),
        ];
    }
  }

  /** Addresses are never random: the two sides would not draw the same ones. */
  private personality(): number {
    const { random } = this;
    let flags = ADDR_NO_RANDOMIZE;
    for (const flag of [READ_IMPLIES_EXEC, ADDR_COMPAT_LAYOUT, MMAP_PAGE_ZERO, WHOLE_SECONDS]) {
      if (random.chance(30)) flags |= flag;
    }
    return random.weighted([
      [2, PERSONALITY_QUERY],
      [3, ADDR_NO_RANDOMIZE],
      [5, flags],
    ]);
  }

  /** Mostly a limit that some calls meet, every other time the one from before; hard limits hardly ever change. */
  private limitArguments(): number[] {
    const { random } = this;
    const resource = random.weighted([
      [6, mman.RLIMIT_MEMLOCK],
      [4, mman.RLIMIT_AS],
      [4, mman.RLIMIT_DATA],
      [2, mman.RLIMIT_STACK],
      [2, mman.RLIMIT_NOFILE],
      [3, mman.RLIMIT_FSIZE],
      [1, random.pick([16, 99, -1])],
    ]);
    if (resource === mman.RLIMIT_NOFILE) return this.fileLimit();
    if (resource === mman.RLIMIT_FSIZE) return [resource, this.sizeLimit(), -1];
    const initial = INITIAL_LIMITS.find(([name]) => name === resource)?.[1] ?? -1;
    // A few pages are less than one segment or one mapping has; without any, locking takes a privilege.
    const isOfLocks = resource === mman.RLIMIT_MEMLOCK;
    const soft = random.weighted([
      [10, initial],
      [8, random.below(400) * PAGE_SIZE],
      [isOfLocks ? 4 : 0, random.below(6) * PAGE_SIZE],
      [2, random.below(2 ** 21)],
      [isOfLocks ? 3 : 1, 0],
    ]);
    return [
      resource,
      soft,
      random.weighted([
        [30, initial],
        [1, -1],
        [1, 300 * PAGE_SIZE],
      ]),
    ];
  }

  /** Few descriptors more than a sequence begins with, or less. */
  private fileLimit(): number[] {
    const { random } = this;
    const initial = INITIAL_LIMITS.find(([name]) => name === mman.RLIMIT_NOFILE)?.[1] ?? 0;
    const soft = random.weighted([
      [5, initial],
      [4, 9 + random.below(6)],
      [1, random.below(40)],
      [1, -1],
    ]);
    return [mman.RLIMIT_NOFILE, soft, initial];
  }

  /** None, or what files come to. */
  private sizeLimit(): number {
    const { random } = this;
    return random.weighted([
      [4, -1],
      [3, random.below(FILE_PAGES * PAGE_SIZE)],
      [3, random.below(FILE_PAGES + 4) * PAGE_SIZE],
      [1, 0],
    ]);
  }

  /** Something that stands for a process, perhaps: the caller itself, the first process, a number that a pidfd may have got, any other descriptor. */
  private pidfd(): number {
    const { random, from } = this;
    return random.weighted([
      [3, random.pick([pidfd.PIDFD_SELF_THREAD, pidfd.PIDFD_SELF_THREAD_GROUP])],
      [4, PID_FD],
      [this.pidfds.length === 0 ? 0 : 9, this.pidfds.at(random.below(this.pidfds.length)) ?? 0],
      [1, 9 + random.below(6)],
      [2, from.descriptor()],
    ]);
  }
}
