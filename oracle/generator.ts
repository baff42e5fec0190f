/**
 * Makes up the next step of a sequence: from a seed, and from what is mapped at that moment, so that most calls meet
 * something. Valid, borderline and wrong arguments are all wanted; the weights below are set so that each call ends
 * in each of its ways often enough (see the statistics that a run prints).
 */

import * as fcntl from "../src/mm/uapi/fcntl.ts";
import * as fs from "../src/mm/uapi/fs.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import {
  ADDR_COMPAT_LAYOUT,
  ADDR_NO_RANDOMIZE,
  MMAP_PAGE_ZERO,
  READ_IMPLIES_EXEC,
} from "../src/mm/uapi/personality.ts";
import * as pidfd from "../src/mm/uapi/pidfd.ts";
import { ArgumentSource, type MemoryView } from "./arguments.ts";
import { CALL_WEIGHTS, CUTTING_CALLS } from "./call-weights.ts";
import { START_BREAK } from "./executor-image.ts";
import { isHarmless } from "./harmless.ts";
import type { CallName, Operation } from "./operation.ts";
import type { Random } from "./random.ts";
import { SegmentArguments } from "./segment-arguments.ts";
import {
  DIRECT_FD,
  INITIAL_LIMITS,
  MEMFD_NAMES,
  MEMLOCK_LIMIT,
  PID_FD,
  PIPE_FDS,
  SLOTS,
  SPECIAL_FD,
} from "./subject.ts";
import { FILE_NAMES } from "./test-files.ts";

const PAGE_SIZE = 4096;

/** One sequence of so many comes to the limit of mappings, after some steps, and goes on for some. */
const CROWDED_SEQUENCES = 250;
const CALM_STEPS = 40;
const CROWDED_STEPS = 30;
/** A personality that has nothing to do with memory, and the number that only asks for the one there is. */
const WHOLE_SECONDS = 0x200_0000;
const PERSONALITY_QUERY = 0xffff_ffff;
const MAP_32BIT = 0x40;
const MAP_ABOVE4G = 0x80;
const HUGE_PAGE_SIZE = 2 ** 21;
/** Where huge pages are asked for: apart from everything else, so that they meet each other. */
const HUGE_PLACES = 0x8000_0000;
const CROWD_START = 0x10_0000_0000;
const CROWD_END = 0x11_0000_0000;
/** vm.max_map_count */
const MAX_MAPPINGS = 65530;

/** Room for so many regions that a scan asks for. */
const SCAN_ROOM = 60;

type CallAboutSegments = "shmget" | "shmat" | "shmdt" | "shmctl";

function isAboutSegments(call: CallName): call is CallAboutSegments {
  return call.startsWith("shm");
}

type CallAboutOthers =
  | "process_vm_readv"
  | "process_vm_writev"
  | "process_madvise"
  | "mem_read"
  | "mem_write";

function isAboutOthers(call: CallName): call is CallAboutOthers {
  return call.startsWith("process_") || call.startsWith("mem_");
}

/** Calls that can move bytes past the page cache. */
const DIRECT_TRANSFERS: ReadonlySet<CallName> = new Set([
  "read",
  "write",
  "pread64",
  "pwrite64",
  "peek",
  "preadv2",
  "pwritev2",
]);
const SECTOR = 512;

/** Forks need a free slot, and the first process stays. */
function isPossible({ process, call, args }: Operation, view: MemoryView): boolean {
  if (call === "fork" || call === "vfork" || call === "clone") return view.isFree(args[0]);
  return call !== "exit" || process !== 0;
}

/** Whether pages may be locked by it. */
export function locksMemory({ call, args }: Operation): boolean {
  return call.startsWith("mlock") || (call === "mmap" && (args[3] & mman.MAP_LOCKED) !== 0);
}

/** Whether it maps one of the descriptors that a sequence begins with, or opens, for files on disk, mostly. */
function mapsDisk({ call, args }: Operation): boolean {
  return call === "mmap" && (args[3] & mman.MAP_ANONYMOUS) === 0 && args[4] >= 0 && args[4] < SPECIAL_FD;
}

export class SequenceGenerator {
  private readonly random: Random;
  private hasLocks = true;
  private hasDisk = true;
  /** Steps until one process has as many mappings as it may. */
  private untilCrowd = Number.POSITIVE_INFINITY;
  private readonly hasCrowds: boolean;

  /** @param hasCrowds a few sequences reach the number of mappings that a process may have, and take half a minute each */
  constructor(random: Random, hasCrowds = true) {
    this.random = random;
    this.hasCrowds = hasCrowds;
  }

  /**
   * To be called before the first step of each sequence: every other one does without locked memory, every fourth without
   * mappings of files on disk, of whose pages less is certain, and a few are about the
   * number of mappings, and end soon. Answers how many of `length` steps to take.
   */
  start(length: number): number {
    const { random } = this;
    this.hasLocks = random.chance(50);
    this.hasDisk = random.chance(75);
    const isCrowded = random.below(CROWDED_SEQUENCES) === 0 && this.hasCrowds;
    this.untilCrowd = isCrowded ? random.below(CALM_STEPS) : Number.POSITIVE_INFINITY;
    return isCrowded ? Math.min(length, this.untilCrowd + CROWDED_STEPS) : length;
  }

  next(view: MemoryView): Operation {
    if (this.untilCrowd-- === 0) {
      const missing = this.random.weighted([
        [6, this.random.below(3)],
        [3, this.random.below(CALM_STEPS)],
        [2, -1],
      ]);
      return { process: 0, call: "crowd", args: [CROWD_START, MAX_MAPPINGS - missing] };
    }
    for (;;) {
      const operation = this.propose(view);
      const isWanted = (this.hasLocks || !locksMemory(operation)) && (this.hasDisk || !mapsDisk(operation));
      if (isWanted && isHarmless(operation) && isPossible(operation, view)) return operation;
    }
  }

  private propose(view: MemoryView): Operation {
    const living = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => view.isAlive(slot));
    const isCrowded = this.untilCrowd < 0;
    const process = isCrowded && this.random.chance(70) ? 0 : this.random.pick(living);
    const call = this.random.weighted(isCrowded && this.random.chance(60) ? CUTTING_CALLS : CALL_WEIGHTS);
    const from =
      isCrowded && this.random.chance(80) ? this.besideCrowd(view, process) : this.sourceOf(view, process);
    if (isAboutSegments(call)) {
      const segments = new SegmentArguments(this.random, from, view.segments());
      return { process, call, args: segments.of(call, view.maps(process)) };
    }
    if (!isAboutOthers(call)) return { process, call, args: this.argumentsOf(call, from) };
    const other = this.random.chance(95) ? this.random.pick(living) : this.random.below(SLOTS);
    const args = this.argumentsAbout(call, from, this.sourceOf(view, other));
    return { process, call, args: [other, ...args] };
  }

  private sourceOf(view: MemoryView, slot: number): ArgumentSource {
    return new ArgumentSource(this.random, view.maps(slot));
  }

  /** Of the mappings only those that are not of the crowd: larger ones, which can be cut. */
  private besideCrowd(view: MemoryView, slot: number): ArgumentSource {
    const others = view.maps(slot).filter(({ start }) => start < CROWD_START || start >= CROWD_END);
    return new ArgumentSource(this.random, others);
  }

  /** What comes behind the other process in the arguments. */
  private argumentsAbout(call: CallAboutOthers, from: ArgumentSource, other: ArgumentSource): number[] {
    if (call === "mem_read") return [other.mappedAddress(), other.accessLength()];
    if (call === "mem_write") {
      return [other.mappedAddress(), other.accessLength(), 1 + this.random.below(255)];
    }
    const more = this.random.chance(75) ? 0 : 1 + this.random.below(3);
    if (call === "process_madvise") {
      const ranges = Array.from({ length: Math.min(more, 2) }, () => other.range());
      return [...other.range(), this.advice(), ...ranges.flat()];
    }
    return Array.from({ length: 1 + more }, () => [
      from.mappedAddress(),
      from.accessLength(),
      other.mappedAddress(),
      from.accessLength(),
    ]).flat();
  }

  private argumentsOf(
    call: Exclude<CallName, CallAboutOthers | CallAboutSegments>,
    from: ArgumentSource,
  ): number[] {
    const { random } = this;
    if (DIRECT_TRANSFERS.has(call) && random.chance(6)) return this.directArguments(call, from);
    switch (call) {
      case "mmap":
        return this.mmapArguments(from);
      case "munmap":
        // What cuts a mapping in two needs one mapping more.
        return [...(this.untilCrowd < 0 && random.chance(60) ? from.innerRange() : from.range())];
      case "mprotect":
        return [...from.range(), from.protection() + (random.chance(2) ? mman.PROT_GROWSDOWN : 0)];
      case "mremap":
        return this.mremapArguments(from);
      case "brk":
        return [this.newBreak()];
      case "msync":
        return [
          ...from.range(),
          random.weighted([
            [5, 4],
            [4, 1],
            [2, 0],
            [2, 2],
            [1, 6],
            [1, 5],
            [1, 8],
            [1, 3],
          ]),
        ];
      case "madvise":
        return [...from.range(), this.advice()];
      case "mlock":
      case "munlock":
        return [...from.range()];
      case "mlock2":
        return [
          ...from.range(),
          random.weighted([
            [8, mman.MLOCK_ONFAULT],
            [3, 0],
            [1, 2],
          ]),
        ];
      case "mlockall":
        return [
          random.weighted([
            [4, mman.MCL_CURRENT],
            [2, mman.MCL_FUTURE],
            [2, mman.MCL_CURRENT | mman.MCL_FUTURE],
            [2, mman.MCL_CURRENT | mman.MCL_ONFAULT],
            [1, mman.MCL_FUTURE | mman.MCL_ONFAULT],
            [1, mman.MCL_CURRENT | mman.MCL_FUTURE | mman.MCL_ONFAULT],
            [1, mman.MCL_ONFAULT],
            [1, 0],
            [1, 8],
          ]),
        ];
      case "munlockall":
        return [];
      case "mseal":
        return this.sealArguments(from);
      case "remap_file_pages":
        return [
          ...from.sharedRange(),
          random.chance(95) ? 0 : mman.PROT_READ,
          random.chance(96) ? random.below(20) : random.pick([2 ** 52, 2 ** 64 - 4096]),
          random.chance(80) ? 0 : random.pick([mman.MAP_NONBLOCK, mman.MAP_PRIVATE, mman.MAP_LOCKED]),
        ];
      case "setrlimit":
        return this.limitArguments();
      case "pidfd_open":
        return [
          random.below(SLOTS),
          random.weighted([
            [6, 0],
            [2, pidfd.PIDFD_NONBLOCK],
            [1, pidfd.PIDFD_THREAD],
            [1, 1],
          ]),
        ];
      case "pidfd_madvise":
        return [
          this.pidfd(from),
          ...from.range(),
          random.chance(50) ? this.advice() : random.pick([mman.MADV_COLD, mman.MADV_WILLNEED]),
          random.chance(92) ? 0 : random.pick([1, 2 ** 31]),
        ];
      case "mincore":
        return [...from.range(), random.chance(92) ? 0 : from.address()];
      case "memfd_create":
        return [
          random.below(MEMFD_NAMES.length),
          random.weighted([
            [6, 0],
            [3, mman.MFD_CLOEXEC],
            [2, mman.MFD_ALLOW_SEALING],
            [1, mman.MFD_NOEXEC_SEAL],
            [1, mman.MFD_HUGETLB],
            [1, mman.MFD_HUGETLB | mman.MFD_ALLOW_SEALING],
            [1, mman.MFD_HUGETLB | (random.pick([16, 21, 30]) << 26)],
            [1, 0x80],
          ]),
        ];
      case "load":
        return [from.mappedAddress(), from.accessLength()];
      case "store":
        return [from.mappedAddress(), from.accessLength(), 1 + random.below(255)];
      case "open":
        return [
          random.below(FILE_NAMES.length),
          random.weighted([
            [4, fcntl.O_RDWR],
            [2, fcntl.O_RDONLY],
            [1, fcntl.O_WRONLY],
            [1, fcntl.O_RDWR | fcntl.O_TRUNC],
            [1, fcntl.O_RDWR | fcntl.O_APPEND],
            [1, fcntl.O_RDWR | fcntl.O_DIRECT],
            [1, fcntl.O_PATH],
            [1, fcntl.O_RDONLY | fcntl.O_DIRECTORY],
            [1, fcntl.O_RDWR | fcntl.O_CLOEXEC],
          ]),
        ];
      case "dup2":
        return [from.descriptor(), random.chance(90) ? 9 + random.below(6) : from.descriptor()];
      case "pipe2":
        return [
          random.weighted([
            [4, fcntl.O_NONBLOCK],
            [2, fcntl.O_NONBLOCK | fcntl.O_CLOEXEC],
            [1, fcntl.O_NONBLOCK | fcntl.O_APPEND],
          ]),
        ];
      case "lseek":
        return [
          from.descriptor(),
          random.chance(90) ? from.fileOffset() : random.pick([-1, -4096, 2 ** 20]),
          random.weighted([
            [3, fcntl.SEEK_SET],
            [1, fcntl.SEEK_CUR],
            [1, fcntl.SEEK_END],
            [3, fcntl.SEEK_DATA],
            [3, fcntl.SEEK_HOLE],
            [1, 5],
          ]),
        ];
      case "seals":
        return [
          random.chance(70) ? random.pick([SPECIAL_FD + 8, 9 + random.below(4)]) : from.descriptor(),
          random.weighted([
            [4, 0],
            [3, fs.F_SEAL_SHRINK],
            [3, fs.F_SEAL_GROW],
            [2, fs.F_SEAL_WRITE],
            [3, fs.F_SEAL_FUTURE_WRITE],
            [1, fs.F_SEAL_EXEC],
            [1, fs.F_SEAL_SEAL],
            [1, fs.F_SEAL_SHRINK | fs.F_SEAL_GROW],
            [1, 0x40],
          ]),
        ];
      case "fadvise64":
        return [
          from.descriptor(),
          from.fileOffset(),
          random.chance(90) ? from.fileOffset() : -1,
          random.below(7),
        ];
      case "readahead":
        return [from.descriptor(), from.fileOffset(), from.fileOffset()];
      case "procmap_query":
        return [
          from.address(),
          random.weighted([
            [4, 0],
            [4, 0x10],
            [4, random.below(0x40)],
            [1, 0x40],
          ]),
        ];
      case "pagemap_scan":
        return this.scanArguments(from);
      case "dumpable":
        return [
          random.weighted([
            [8, 1],
            [4, 0],
            [1, 2],
          ]),
        ];
      case "crowd":
        return [CROWD_START, 1 + random.below(CALM_STEPS)];
      case "dup":
      case "close":
      case "fsync":
        return [from.descriptor()];
      case "read":
      case "write":
        return [from.descriptor(), from.mappedAddress(), from.accessLength()];
      case "pread64":
      case "pwrite64":
        return [from.descriptor(), from.mappedAddress(), from.accessLength(), from.fileOffset()];
      case "peek":
        return [from.descriptor(), from.accessLength(), from.fileOffset()];
      case "fallocate":
        return this.fallocateArguments(from);
      case "sendfile":
        return [this.targetDescriptor(from), from.descriptor(), this.offsetOrNone(from), from.accessLength()];
      case "splice":
        return this.spliceArguments(from);
      case "tee":
        return [this.pipeEnd(0, from), this.pipeEnd(1, from), from.accessLength(), this.spliceFlags()];
      case "vmsplice":
        return [
          this.pipeEnd(random.chance(75) ? 1 : 0, from),
          from.mappedAddress(),
          from.accessLength(),
          this.spliceFlags(),
          ...this.furtherSegments(from),
        ];
      case "clear_refs":
        return [random.below(7)];
      case "personality":
        return [this.personality()];
      case "copy_file_range":
        return [
          from.descriptor(),
          this.offsetOrNone(from),
          from.descriptor(),
          this.offsetOrNone(from),
          from.accessLength(),
          random.chance(97) ? 0 : 1,
        ];
      case "preadv2":
      case "pwritev2":
        return [
          from.descriptor(),
          from.mappedAddress(),
          from.accessLength(),
          random.chance(97) ? this.offsetOrNone(from) : -2,
          this.transferFlags(),
          ...this.furtherSegments(from),
        ];
      case "ftruncate":
        return [from.descriptor(), random.chance(96) ? from.fileOffset() : random.pick([-1, -4096, 2 ** 45])];
      case "fork":
      case "vfork":
      case "clone":
        return [1 + random.below(SLOTS - 1)];
      case "exec":
      case "exit":
        return [];
    }
  }

  /** Mostly a short range of memory, few regions, and masks that say something. */
  private scanArguments(from: ArgumentSource): number[] {
    const { random } = this;
    const [addr, length] = from.range();
    const mask = (): number => (random.chance(60) ? 0 : random.below(random.chance(97) ? 0x200 : 0x400));
    const room = random.weighted([
      [8, SCAN_ROOM],
      [3, 1 + random.below(3)],
      [1, 0],
    ]);
    return [
      addr,
      random.chance(97) ? addr + length : random.pick([addr - PAGE_SIZE, 2 ** 48]),
      room,
      random.chance(70) ? 0 : 1 + random.below(8),
      mask(),
      mask(),
      mask(),
      random.chance(80) ? 0x1ff : mask(),
      random.weighted([
        [20, 0],
        [2, 1],
        [2, 2],
        [1, 3],
        [1, 4],
      ]),
    ];
  }

  /** Whole sectors, at multiples of them. */
  private directArguments(call: CallName, from: ArgumentSource): number[] {
    const { random } = this;
    const sectors = (most: number): number => random.below(most + 1) * SECTOR;
    const place = (): number => {
      const addr = from.mappedAddress();
      return addr < 2 ** 48 ? addr - (addr % SECTOR) + (random.chance(80) ? 0 : sectors(7)) : addr;
    };
    const length = random.chance(60) ? (1 + random.below(4)) * PAGE_SIZE : sectors(40);
    const offset = random.chance(60) ? random.below(20) * PAGE_SIZE : sectors(160);
    switch (call) {
      case "read":
      case "write":
        return [DIRECT_FD, place(), length];
      case "peek":
        return [DIRECT_FD, length, offset];
      case "pread64":
      case "pwrite64":
        return [DIRECT_FD, place(), length, offset];
      default:
        return [DIRECT_FD, place(), length, offset, 0, ...(random.chance(60) ? [] : [place(), sectors(12)])];
    }
  }

  private fallocateArguments(from: ArgumentSource): number[] {
    const { random } = this;
    const mode = random.weighted([
      [4, 0],
      [3, fs.FALLOC_FL_KEEP_SIZE],
      [8, fs.FALLOC_FL_PUNCH_HOLE | fs.FALLOC_FL_KEEP_SIZE],
      [3, fs.FALLOC_FL_ZERO_RANGE],
      [2, fs.FALLOC_FL_ZERO_RANGE | fs.FALLOC_FL_KEEP_SIZE],
      [2, fs.FALLOC_FL_COLLAPSE_RANGE],
      [2, fs.FALLOC_FL_INSERT_RANGE],
      [1, fs.FALLOC_FL_UNSHARE_RANGE],
      [1, random.pick([fs.FALLOC_FL_PUNCH_HOLE, 4, 0x100, 0x18])],
    ]);
    return [
      from.descriptor(),
      mode,
      random.chance(96) ? from.fileOffset() : random.pick([-1, -4096]),
      random.chance(60) ? (1 + random.below(6)) * PAGE_SIZE : from.accessLength(),
    ];
  }

  /** A place in a file, or -1 for its own position. */
  private offsetOrNone(from: ArgumentSource): number {
    return this.random.chance(70) ? from.fileOffset() : -1;
  }

  /** One end of the pipes that every sequence begins with (0 for reading, 1 for writing), mostly of the first. */
  private pipeEnd(end: number, from: ArgumentSource): number {
    const [often, seldom] = PIPE_FDS;
    return this.random.weighted([
      [60, often + end],
      [20, seldom + end],
      [20, from.descriptor()],
    ]);
  }

  /** Something that stands for a process, perhaps: the caller itself, the first process, a number that a pidfd may have got, any other descriptor. */
  private pidfd(from: ArgumentSource): number {
    const { random } = this;
    return random.weighted([
      [3, random.pick([pidfd.PIDFD_SELF_THREAD, pidfd.PIDFD_SELF_THREAD_GROUP])],
      [4, PID_FD],
      [4, 9 + random.below(6)],
      [2, from.descriptor()],
    ]);
  }

  private furtherSegments(from: ArgumentSource): number[] {
    const { random } = this;
    if (random.chance(60)) return [];
    // None of a length between: two gibibytes of a mapping larger than memory would be moved.
    const lengthOf = (): number => (random.chance(97) ? from.accessLength() : 2 ** 63);
    return Array.from({ length: 1 + random.below(3) }, () => [from.mappedAddress(), lengthOf()]).flat();
  }

  private targetDescriptor(from: ArgumentSource): number {
    return this.random.chance(30) ? this.pipeEnd(1, from) : from.descriptor();
  }

  private spliceArguments(from: ArgumentSource): number[] {
    const { random } = this;
    const intoPipe = random.chance(50);
    const fd = from.descriptor();
    const offset = this.offsetOrNone(from);
    const none = random.chance(96) ? -1 : 0;
    const rest = [from.accessLength(), this.spliceFlags()];
    return intoPipe
      ? [fd, offset, this.pipeEnd(1, from), none, ...rest]
      : [this.pipeEnd(0, from), none, fd, offset, ...rest];
  }

  private spliceFlags(): number {
    return this.random.weighted([
      [8, fs.SPLICE_F_NONBLOCK],
      [2, fs.SPLICE_F_NONBLOCK | fs.SPLICE_F_MOVE],
      [1, fs.SPLICE_F_NONBLOCK | 0x10],
    ]);
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

  /** No RWF_NOWAIT: whether a page of a disk is cached is the host's own affair. */
  private transferFlags(): number {
    return this.random.weighted([
      [6, 0],
      [2, fs.RWF_HIPRI],
      [2, fs.RWF_APPEND],
      [2, fs.RWF_NOAPPEND],
      [1, fs.RWF_DSYNC],
      [1, fs.RWF_NOSIGNAL],
      [1, fs.RWF_APPEND | fs.RWF_NOAPPEND],
      [1, fs.RWF_ATOMIC],
      [1, 0x200],
    ]);
  }

  private mmapArguments(from: ArgumentSource): number[] {
    const { random } = this;
    const isAnonymous = random.chance(50);
    let flags = random.weighted([
      [50, mman.MAP_PRIVATE],
      [40, mman.MAP_SHARED],
      [5, mman.MAP_SHARED_VALIDATE],
      [4, mman.MAP_DROPPABLE],
      [1, 0],
      [1, 4],
    ]);
    if (isAnonymous) flags |= mman.MAP_ANONYMOUS;
    const place = random.weighted([
      [35, "anywhere"],
      [20, "hint"],
      [40, "fixed"],
      [6, "noreplace"],
      [1, "both"],
    ]);
    if (place === "fixed" || place === "both") flags |= mman.MAP_FIXED;
    if (place === "noreplace" || place === "both") flags |= mman.MAP_FIXED_NOREPLACE;
    for (const [percent, flag] of [
      [8, mman.MAP_POPULATE],
      [5, mman.MAP_NORESERVE],
      [isAnonymous ? 6 : 1, mman.MAP_GROWSDOWN],
      [2, mman.MAP_LOCKED],
      [3, mman.MAP_STACK],
      [2, mman.MAP_DENYWRITE],
      [2, mman.MAP_EXECUTABLE],
      [2, mman.MAP_NONBLOCK],
      [1, mman.MAP_HUGETLB],
      [2, MAP_32BIT],
      [2, MAP_ABOVE4G],
      [1, mman.MAP_SYNC],
      [1, 0x4000_0000],
    ]) {
      if (random.chance(percent)) flags |= flag;
    }
    if (random.chance(3)) return this.hugeArguments(flags);
    return [
      place === "anywhere" ? 0 : from.address(),
      from.newLength(/* mayBeHuge */ true),
      from.protection() | (random.chance(2) ? random.pick([0x8, 0x10, 0x100]) : 0),
      flags,
      isAnonymous && random.chance(90) ? -1 : from.descriptor(),
      random.chance(isAnonymous ? 80 : 50) ? 0 : from.mapOffset(),
    ];
  }

  /** Huge pages that nobody reserves, mostly: at their own multiples beside the arena, or not quite. */
  private hugeArguments(flags: number): number[] {
    const { random } = this;
    const skewed = (): number => (random.chance(15) ? PAGE_SIZE : 0);
    return [
      HUGE_PLACES + random.below(8) * HUGE_PAGE_SIZE + skewed(),
      (1 + random.below(3)) * HUGE_PAGE_SIZE - (random.chance(40) ? PAGE_SIZE : 0),
      random.weighted([
        [6, mman.PROT_READ | mman.PROT_WRITE],
        [2, mman.PROT_READ],
        [1, 0],
      ]),
      flags |
        mman.MAP_ANONYMOUS |
        mman.MAP_HUGETLB |
        (random.chance(90) ? mman.MAP_NORESERVE : 0) |
        (random.chance(5) ? random.pick([16, 21, 30]) << 26 : 0),
      -1,
      random.weighted([
        [8, 0],
        [2, HUGE_PAGE_SIZE],
        [1, PAGE_SIZE],
      ]),
    ];
  }

  private mremapArguments(from: ArgumentSource): number[] {
    const { random } = this;
    const [addr, oldLength] = from.range();
    const newLength = random.weighted([
      [4, oldLength],
      [5, from.newLength(/* mayBeHuge */ false)],
      [2, Math.min(oldLength + PAGE_SIZE * random.below(4), 2 ** 64 - PAGE_SIZE)],
      [1, Math.min(oldLength + MEMLOCK_LIMIT, 2 ** 64 - PAGE_SIZE)],
    ]);
    const flags = random.weighted([
      [3, 0],
      [8, mman.MREMAP_MAYMOVE],
      [7, mman.MREMAP_MAYMOVE | mman.MREMAP_FIXED],
      [2, mman.MREMAP_MAYMOVE | mman.MREMAP_DONTUNMAP],
      [1, mman.MREMAP_MAYMOVE | mman.MREMAP_FIXED | mman.MREMAP_DONTUNMAP],
      [1, mman.MREMAP_FIXED],
      [1, 8],
    ]);
    return [addr, random.chance(95) ? oldLength : 0, newLength, flags, from.address()];
  }

  /** Few pages, as they stay in the way from then on. */
  private sealArguments(from: ArgumentSource): number[] {
    const { random } = this;
    const [addr, length] = from.range();
    return [
      addr,
      random.chance(70) ? Math.min(length, (1 + random.below(3)) * PAGE_SIZE) : length,
      random.chance(95) ? 0 : 1,
    ];
  }

  /** Mostly a limit that some calls meet, every other time the one from before; hard limits hardly ever change. */
  private limitArguments(): number[] {
    const { random } = this;
    const resource = random.weighted([
      [6, mman.RLIMIT_MEMLOCK],
      [4, mman.RLIMIT_AS],
      [4, mman.RLIMIT_DATA],
      [2, mman.RLIMIT_STACK],
      [1, random.pick([16, 99, -1])],
    ]);
    const initial = INITIAL_LIMITS.find(([name]) => name === resource)?.[1] ?? -1;
    const soft = random.weighted([
      [10, initial],
      [8, random.below(400) * PAGE_SIZE],
      [2, random.below(2 ** 21)],
      [1, 0],
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

  private newBreak(): number {
    const { random } = this;
    return random.weighted([
      [8, START_BREAK + random.below(24) * PAGE_SIZE],
      [4, START_BREAK + random.below(24 * PAGE_SIZE)],
      [2, 0],
      [1, START_BREAK - PAGE_SIZE],
      [1, 2 ** 47],
    ]);
  }

  private advice(): number {
    return this.random.weighted([
      [2, mman.MADV_NORMAL],
      [2, mman.MADV_RANDOM],
      [2, mman.MADV_SEQUENTIAL],
      [2, mman.MADV_WILLNEED],
      [10, mman.MADV_DONTNEED],
      [4, mman.MADV_POPULATE_READ],
      [5, mman.MADV_POPULATE_WRITE],
      [3, mman.MADV_DONTFORK],
      [3, mman.MADV_DOFORK],
      [4, mman.MADV_WIPEONFORK],
      [3, mman.MADV_KEEPONFORK],
      [6, mman.MADV_FREE],
      [4, mman.MADV_REMOVE],
      [2, mman.MADV_COLD],
      [2, mman.MADV_PAGEOUT],
      [2, mman.MADV_DONTDUMP],
      [2, mman.MADV_DODUMP],
      [4, mman.MADV_DONTNEED_LOCKED],
      [7, mman.MADV_GUARD_INSTALL],
      [4, mman.MADV_GUARD_REMOVE],
      [1, this.random.pick([5, 6, 7, 26, 77, 104, 2 ** 31, -1])],
      [1, mman.MADV_HWPOISON],
      [1, mman.MADV_SOFT_OFFLINE],
    ]);
  }
}
