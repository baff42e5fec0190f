/**
 * Makes up the next step of a sequence: from a seed, and from what is mapped at that moment, so that most calls meet
 * something. Valid, borderline and wrong arguments are all wanted; the weights below are set so that each call ends
 * in each of its ways often enough (see the statistics that a run prints).
 */

import * as fcntl from "../src/mm/uapi/fcntl.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { ArgumentSource, type MemoryView } from "./arguments.ts";
import { START_BREAK } from "./executor-image.ts";
import { isHarmless } from "./harmless.ts";
import type { CallName, Operation } from "./operation.ts";
import type { Random } from "./random.ts";
import { MEMFD_NAMES, SLOTS } from "./subject.ts";
import { FILE_NAMES } from "./test-files.ts";

const PAGE_SIZE = 4096;

const CALL_WEIGHTS: readonly (readonly [number, CallName])[] = [
  [22, "mmap"],
  [9, "munmap"],
  [10, "mprotect"],
  [9, "mremap"],
  [5, "brk"],
  [5, "msync"],
  [12, "madvise"],
  [5, "mincore"],
  [2, "memfd_create"],
  [14, "load"],
  [24, "store"],
  [2, "open"],
  [2, "close"],
  [3, "read"],
  [3, "write"],
  [6, "pread64"],
  [6, "pwrite64"],
  [4, "peek"],
  [6, "ftruncate"],
  [1, "fsync"],
  [3, "fork"],
  [2, "exit"],
];

export class SequenceGenerator {
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  next(view: MemoryView): Operation {
    for (;;) {
      const operation = this.propose(view);
      if (isHarmless(operation)) return operation;
    }
  }

  private propose(view: MemoryView): Operation {
    const living = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => view.isAlive(slot));
    const process = this.random.pick(living);
    const call = this.random.weighted(CALL_WEIGHTS);
    return {
      process,
      call,
      args: this.argumentsOf(call, new ArgumentSource(this.random, view.maps(process))),
    };
  }

  private argumentsOf(call: CallName, from: ArgumentSource): number[] {
    const { random } = this;
    switch (call) {
      case "mmap":
        return this.mmapArguments(from);
      case "munmap":
        return [...from.range()];
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
          ]),
        ];
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
      case "ftruncate":
        return [from.descriptor(), random.chance(96) ? from.fileOffset() : random.pick([-1, -4096, 2 ** 62])];
      case "fork":
        return [1 + random.below(SLOTS - 1)];
      case "exit":
        return [];
    }
  }

  private mmapArguments(from: ArgumentSource): number[] {
    const { random } = this;
    const isAnonymous = random.chance(50);
    let flags = random.weighted([
      [50, mman.MAP_PRIVATE],
      [40, mman.MAP_SHARED],
      [5, mman.MAP_SHARED_VALIDATE],
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
      [3, mman.MAP_STACK],
      [2, mman.MAP_DENYWRITE],
      [2, mman.MAP_EXECUTABLE],
      [2, mman.MAP_NONBLOCK],
    ]) {
      if (random.chance(percent)) flags |= flag;
    }
    return [
      place === "anywhere" ? 0 : from.address(),
      from.newLength(),
      from.protection() | (random.chance(2) ? random.pick([0x8, 0x10, 0x100]) : 0),
      flags,
      isAnonymous && random.chance(90) ? -1 : from.descriptor(),
      random.chance(isAnonymous ? 80 : 50) ? 0 : from.mapOffset(),
    ];
  }

  private mremapArguments(from: ArgumentSource): number[] {
    const { random } = this;
    const [addr, oldLength] = from.range();
    const newLength = random.weighted([
      [4, oldLength],
      [5, from.newLength()],
      [2, oldLength + PAGE_SIZE * random.below(4)],
    ]);
    const flags = random.weighted([
      [3, 0],
      [8, mman.MREMAP_MAYMOVE],
      [7, mman.MREMAP_MAYMOVE | mman.MREMAP_FIXED],
      [1, mman.MREMAP_FIXED],
      [1, 8],
    ]);
    return [addr, random.chance(95) ? oldLength : 0, newLength, flags, from.address()];
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
      [1, 77],
      [1, -1],
    ]);
  }
}
