/** Arguments of the calls that make, change and remove mappings, for the generator. */
import * as mman from "../src/mm/uapi/mman.ts";
import type { ArgumentSource } from "./arguments.ts";
import { START_BREAK } from "./executor-image.ts";
import type { CallName } from "./operation.ts";
import type { Random } from "./random.ts";
import { MEMLOCK_LIMIT } from "./subject.ts";

const PAGE_SIZE = 4096;
const MAP_32BIT = 0x40;
const MAP_ABOVE4G = 0x80;
const HUGE_PAGE_SIZE = 2 ** 21;
/** Where huge pages are asked for: apart from everything else, so that they meet each other. */
const HUGE_PLACES = 0x8000_0000;

const MAPPING_CALLS = ["mmap", "munmap", "mprotect", "mremap", "brk", "mseal", "remap_file_pages"] as const;

export type MappingCall = (typeof MAPPING_CALLS)[number];

export function isAboutMappings(call: CallName): call is MappingCall {
  return MAPPING_CALLS.some((name) => name === call);
}

export class MappingArguments {
  private readonly random: Random;
  private readonly from: ArgumentSource;
  private readonly isCrowded: boolean;

  /** @param isCrowded whether there are about as many mappings as there may be */
  constructor(random: Random, from: ArgumentSource, isCrowded: boolean) {
    this.random = random;
    this.from = from;
    this.isCrowded = isCrowded;
  }

  of(call: MappingCall): number[] {
    const { random, from } = this;
    switch (call) {
      case "mmap":
        return this.mmapArguments();
      case "munmap":
        // What cuts a mapping in two needs one mapping more.
        return [...(this.isCrowded && random.chance(60) ? from.innerRange() : from.range())];
      case "mprotect":
        return [...from.range(), from.protection() + (random.chance(2) ? mman.PROT_GROWSDOWN : 0)];
      case "mremap":
        return this.mremapArguments();
      case "brk":
        return [this.newBreak()];
      case "mseal":
        return this.sealArguments();
      case "remap_file_pages":
        return [
          ...from.sharedRange(),
          random.chance(95) ? 0 : mman.PROT_READ,
          random.chance(96) ? random.below(20) : random.pick([2 ** 52, 2 ** 64 - 4096]),
          random.chance(80) ? 0 : random.pick([mman.MAP_NONBLOCK, mman.MAP_PRIVATE, mman.MAP_LOCKED]),
        ];
    }
  }

  private mmapArguments(): number[] {
    const { random, from } = this;
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

  private mremapArguments(): number[] {
    const { random, from } = this;
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
  private sealArguments(): number[] {
    const { random, from } = this;
    const [addr, length] = from.range();
    return [
      addr,
      random.chance(70) ? Math.min(length, (1 + random.below(3)) * PAGE_SIZE) : length,
      random.chance(95) ? 0 : 1,
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
}
