/** Arguments of the calls about the pages of mappings, which touch, write back, give up, lock and look at them, for the generator. */
import * as mman from "../src/mm/uapi/mman.ts";
import type { ArgumentSource } from "./arguments.ts";
import type { CallName } from "./operation.ts";
import type { Random } from "./random.ts";

const PAGE_SIZE = 4096;
/** Room for so many regions that a scan asks for. */
const SCAN_ROOM = 60;

const PAGE_CALLS = [
  "load",
  "store",
  "msync",
  "madvise",
  "mincore",
  "mlock",
  "mlock2",
  "munlock",
  "mlockall",
  "munlockall",
  "clear_refs",
  "procmap_query",
  "pagemap_scan",
] as const;

export type PageCall = (typeof PAGE_CALLS)[number];

export function isAboutPages(call: CallName): call is PageCall {
  return PAGE_CALLS.some((name) => name === call);
}

export class PageArguments {
  private readonly random: Random;
  private readonly from: ArgumentSource;

  constructor(random: Random, from: ArgumentSource) {
    this.random = random;
    this.from = from;
  }

  of(call: PageCall): number[] {
    const { random, from } = this;
    switch (call) {
      case "load":
        return [from.mappedAddress(), from.accessLength()];
      case "store":
        return [from.mappedAddress(), from.accessLength(), 1 + random.below(255)];
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
        return [...from.range(), someAdvice(random)];
      case "mincore":
        return [...from.range(), random.chance(92) ? 0 : from.address()];
      case "mlock":
      case "munlock":
        return this.lockRange();
      case "mlock2":
        return [
          ...this.lockRange(),
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
      case "clear_refs":
        return [random.below(7)];
      case "procmap_query":
        return [
          random.chance(50) ? from.address() : from.mappedAddress(),
          random.weighted([
            [4, 0],
            [4, 0x10],
            [4, random.below(0x40)],
            [1, 0x40],
          ]),
          ...this.queryExtras(),
        ];
      case "pagemap_scan":
        return this.scanArguments();
    }
  }

  /** Now and then one that ends past the end of all addresses. */
  private lockRange(): [addr: number, length: number] {
    const [addr, length] = this.from.range();
    return this.random.chance(97) ? [addr, length] : [addr, 2 ** 64 - PAGE_SIZE];
  }

  /** Size, room for a name and its address, address of the structure: none of them, mostly. */
  private queryExtras(): number[] {
    const { random } = this;
    if (random.chance(50)) return [];
    const size = random.weighted([
      [12, 104],
      [2, random.pick([0, 16, 23, 24, 40, 80])],
      [2, random.pick([105, 112, 4095, 4096])],
      [1, random.pick([4097, 2 ** 32, 2 ** 63])],
    ]);
    const nameSize = random.weighted([
      [8, 256],
      [4, random.below(40)],
      [2, 2 ** 32 - 1],
      [2, 0],
    ]);
    const nameAt = random.weighted([
      [12, 0],
      [1, -1],
      [2, 2 ** 47],
    ]);
    return [size, nameSize, nameAt, random.chance(93) ? 0 : random.pick([8, 2 ** 47, 2 ** 63])];
  }

  /** Mostly a short range of memory, few regions, and masks that say something. */
  private scanArguments(): number[] {
    const { random, from } = this;
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
}

/** What madvise and its relatives are given. */
export function someAdvice(random: Random): number {
  return random.weighted([
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
    [1, random.pick([5, 6, 7, 26, 77, 104, 2 ** 31, -1])],
    [2, mman.MADV_HWPOISON],
    [2, mman.MADV_SOFT_OFFLINE],
  ]);
}
