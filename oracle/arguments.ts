/** Single arguments for the generator: addresses, lengths, descriptors and offsets, mostly sensible, some at a border, some wrong. */
import * as mman from "../src/mm/uapi/mman.ts";
import type { Mapping } from "./maps.ts";
import type { Random } from "./random.ts";
import { SPECIAL_FD, SPECIAL_FDS } from "./subject.ts";

/** What the generator may know of the processes. */
export interface MemoryView {
  isAlive(slot: number): boolean;
  isFree(slot: number): boolean;
  maps(slot: number): readonly Mapping[];
  /** Ids that shmget has answered, the last ones. */
  segments(): readonly number[];
  /** Descriptors that pidfd_open has answered the process, the last ones. */
  pidfds(slot: number): readonly number[];
}

const PAGE_SIZE = 4096;
/** Addresses that are chosen freely lie here: few enough pages that mappings meet and overlap. */
const ARENA_START = 0x4000_0000;
const ARENA_PAGES = 96;
/** A mapping that grows down may do so from the arena's end into this much below it. */
const BELOW_ARENA_PAGES = 700;
/** Files grow to about this many pages. */
export const FILE_PAGES = 18;
/** At these sizes the kernel begins to look for aligned places. */
const HUGE_PAGE_SIZE = 2 ** 21;
/** More than any memory has, and less than the address space. */
const BEYOND_MEMORY: readonly number[] = [2 ** 39, 2 ** 39, 2 ** 40];
/** Some of the lowest addresses, which are kept free for one or the other reason, and some behind them. */
const LOW_PAGES = 24;
/** The longest part of a mapping that one call treats. */
const MAX_LENGTH = 2 ** 20;

const WRONG_ADDRESSES: readonly number[] = [
  0,
  2 ** 47 - 2 * PAGE_SIZE,
  2 ** 47 - PAGE_SIZE,
  2 ** 47,
  2 ** 63,
  2 ** 64 - PAGE_SIZE,
];

export class ArgumentSource {
  private readonly random: Random;
  private readonly mappings: readonly Mapping[];

  constructor(random: Random, mappings: readonly Mapping[]) {
    this.random = random;
    this.mappings = mappings;
  }

  /** An address for a mapping: in the arena, at the edge of something, now and then wrong. */
  address(): number {
    const { random } = this;
    const addr = random.weighted([
      [60, ARENA_START + random.below(ARENA_PAGES) * PAGE_SIZE],
      [30, this.edge()],
      [4, random.pick(WRONG_ADDRESSES)],
      [2, random.below(LOW_PAGES) * PAGE_SIZE],
    ]);
    if (random.chance(96)) return addr;
    // Near 2^64 only multiples of 2048 are numbers.
    return addr + (addr < 2 ** 48 ? random.below(PAGE_SIZE) : PAGE_SIZE / 2);
  }

  /** A range that mostly covers something: part of a mapping, all of it, several, holes between them. */
  range(): [addr: number, length: number] {
    const { random, mappings } = this;
    if (mappings.length === 0 || random.chance(20)) return [this.address(), this.length()];
    const mapping = random.pick(mappings);
    if (mapping.name.startsWith("/anon_hugepage") && random.chance(70)) return this.hugeRange(mapping);
    const pages = (mapping.end - mapping.start) / PAGE_SIZE;
    const skipped = random.chance(50) ? 0 : random.below(Math.min(pages, MAX_LENGTH / PAGE_SIZE));
    const addr = mapping.start + skipped * PAGE_SIZE + (random.chance(97) ? 0 : random.below(PAGE_SIZE));
    return [addr, random.chance(50) ? Math.min(mapping.end - addr, MAX_LENGTH) : this.length()];
  }

  /** A range that leaves something of a mapping on both sides, where there is a mapping of three pages. */
  innerRange(): [addr: number, length: number] {
    const large = this.mappings.filter(({ start, end }) => end - start >= 3 * PAGE_SIZE);
    if (large.length === 0) return this.range();
    const { start, end } = this.random.pick(large);
    const inside = Math.min(end - start, MAX_LENGTH) / PAGE_SIZE - 2;
    const first = this.random.below(inside);
    const pages = 1 + this.random.below(inside - first);
    return [start + (1 + first) * PAGE_SIZE, pages * PAGE_SIZE];
  }

  /** Whole huge pages of the mapping, or a page less. */
  private hugeRange({ start, end }: Mapping): [addr: number, length: number] {
    const { random } = this;
    const first = random.below((end - start) / HUGE_PAGE_SIZE);
    const addr = start + first * HUGE_PAGE_SIZE;
    const length = (1 + random.below((end - addr) / HUGE_PAGE_SIZE)) * HUGE_PAGE_SIZE;
    return [addr, length - (random.chance(30) ? PAGE_SIZE : 0)];
  }

  /** A range in or at a shared mapping, mostly. */
  sharedRange(): [addr: number, length: number] {
    const shared = this.mappings.filter(({ perms }) => perms.endsWith("s"));
    if (shared.length === 0 || this.random.chance(15)) return this.range();
    return new ArgumentSource(this.random, shared).range();
  }

  /** An address for an access. */
  mappedAddress(): number {
    const { random, mappings } = this;
    if (mappings.length === 0 || random.chance(6)) {
      return random.chance(70)
        ? ARENA_START + (random.below(BELOW_ARENA_PAGES + ARENA_PAGES) - BELOW_ARENA_PAGES) * PAGE_SIZE
        : this.address();
    }
    const mapping = random.pick(mappings);
    const page = mapping.start + random.below((mapping.end - mapping.start) / PAGE_SIZE) * PAGE_SIZE;
    return (
      page +
      random.weighted([
        [3, 0],
        [3, random.below(PAGE_SIZE)],
        [1, PAGE_SIZE - 1 - random.below(8)],
      ])
    );
  }

  /** The length of a range of existing memory. */
  length(): number {
    const { random } = this;
    return random.weighted([
      [50, (1 + random.below(6)) * PAGE_SIZE],
      [15, (1 + random.below(40)) * PAGE_SIZE],
      [10, 1 + random.below(5 * PAGE_SIZE)],
      [4, 0],
      [1, 2 ** 47],
      [1, 2 ** 64 - PAGE_SIZE],
    ]);
  }

  /** The length of a new mapping: sometimes one that is aligned to huge pages where its address is left open. */
  newLength(mayBeHuge: boolean): number {
    const { random } = this;
    return random.weighted([
      [50, (1 + random.below(5)) * PAGE_SIZE],
      [12, (1 + random.below(24)) * PAGE_SIZE],
      [12, 1 + random.below(4 * PAGE_SIZE)],
      [mayBeHuge ? 1 : 0, HUGE_PAGE_SIZE],
      [mayBeHuge ? 1 : 0, HUGE_PAGE_SIZE + random.below(HUGE_PAGE_SIZE)],
      [2, 0],
      [mayBeHuge ? 2 : 0, random.pick(BEYOND_MEMORY)],
      [1, 2 ** 47],
      [1, 2 ** 64 - PAGE_SIZE],
    ]);
  }

  /** How many bytes an access touches: few, a page or so, or several pages with whatever lies behind. */
  accessLength(): number {
    const { random } = this;
    return random.weighted([
      [8, 1 + random.below(16)],
      [4, PAGE_SIZE],
      [4, 1 + random.below(2 * PAGE_SIZE)],
      [2, 1 + random.below(12 * PAGE_SIZE)],
      [1, 0],
    ]);
  }

  protection(): number {
    const { random } = this;
    const readWrite = mman.PROT_READ | mman.PROT_WRITE;
    return random.weighted([
      [50, readWrite],
      [20, mman.PROT_READ],
      [8, mman.PROT_NONE],
      [4, mman.PROT_WRITE],
      [5, mman.PROT_READ | mman.PROT_EXEC],
      [3, readWrite | mman.PROT_EXEC],
    ]);
  }

  /** Most numbers below ten are open descriptors (PREAMBLE), some above are memfds, those from SPECIAL_FD on of all kinds. */
  descriptor(): number {
    const { random } = this;
    return random.weighted([
      [40, random.below(8)],
      [20, random.below(13)],
      [16, SPECIAL_FD + random.pick([0, 1, 2, 8])],
      [8, SPECIAL_FD + random.below(SPECIAL_FDS)],
      [1, -1],
      [1, 499],
    ]);
  }

  /** An offset that mmap is given. */
  mapOffset(): number {
    const { random } = this;
    return random.weighted([
      [40, random.below(FILE_PAGES + 4) * PAGE_SIZE],
      [3, random.below(FILE_PAGES * PAGE_SIZE)],
      [1, 2 ** 63 - 2 ** 22],
      [1, 2 ** 64 - PAGE_SIZE],
      [1, 2 ** 44],
    ]);
  }

  /** A place in a file, or a size for it. */
  fileOffset(): number {
    const { random } = this;
    return random.weighted([
      [6, random.below(FILE_PAGES * PAGE_SIZE)],
      [4, random.below(FILE_PAGES) * PAGE_SIZE],
      [2, random.below(PAGE_SIZE)],
      [1, 0],
    ]);
  }

  private edge(): number {
    const { random, mappings } = this;
    if (mappings.length === 0) return ARENA_START;
    const { start, end } = random.pick(mappings);
    const addr = (random.chance(50) ? start : end) + (random.below(5) - 2) * PAGE_SIZE;
    // Below the first page lies the last one, as the kernel has it; numbers are not negative here.
    return addr < 0 ? addr + 2 ** 64 : addr;
  }
}
