/** What a random world is made of: sizes, policy, swap areas, and what goes wrong in storage; all from one seed. */
import type { Prng } from "../../src/lib/prng.ts";
import type { Ram } from "../../src/mm/frames/ram.ts";
import {
  MemorySwapDevice,
  PAGE_SIZE,
  type SwapDevice,
  type SwapTiming,
  ZramSwapDevice,
} from "../../src/mm/index.ts";
import { createSwapFile, HostSwapFile, zlibCompressor } from "../../src/storage/node/index.ts";

/** "guest": a file of the guest's, on its disk; "disk": read and written like one, through the swap cache. */
export const SWAP_KINDS = ["memory", "zram", "host", "guest", "disk", "rotational"] as const;
export type SwapKind = (typeof SWAP_KINDS)[number];

export interface SwapArea {
  readonly kind: SwapKind;
  readonly pages: number;
  readonly priority: number;
  /** How long the device takes, where it is none that answers at once; undefined: it does, too. */
  readonly timing?: SwapTiming | undefined;
}

export interface Setup {
  readonly frames: number;
  readonly policy: "lru" | "mglru";
  readonly swappiness: number;
  readonly swap: readonly SwapArea[];
  readonly overcommit: 0 | 1;
  /** Who reclaims at a limit waits for its writes. */
  readonly legacyMemcg?: boolean | undefined;
  /** Size of the tmpfs at /, in pages. */
  readonly tmpfsPages: number;
  /** A plan for the disk (vfs/fault-plan.ts), "" for none. */
  readonly diskFaults: string;
  /** Swap devices may fail to read, too: then pages are lost, each with a SIGBUS. */
  readonly swapReadsFail: boolean;
}

const DISK_FAULTS = [
  "write:eio%0.05",
  "write:torn%0.05",
  "read:eio%0.02",
  "disk:full@48K",
  "write:eio@20+",
  "write:edquot%0.1,read:eio%0.01,flush:eio%0.1",
];

/** From a device that is done when it is asked the next time to one that is never done in time: a step takes a millisecond. */
const TIMINGS: readonly (SwapTiming | undefined)[] = [
  undefined,
  { latencyNs: 40_000, bytesPerSecond: 2.4e9 },
  { latencyNs: 1e6, bytesPerSecond: 1e8 },
  { latencyNs: 2e7, bytesPerSecond: 1e6 },
  { latencyNs: 1e9, bytesPerSecond: 1e5 },
];

/** What a caller may fix instead of leaving it to the seed. */
export interface Wishes {
  readonly frames?: number | undefined;
  readonly policy?: "lru" | "mglru" | undefined;
  readonly swap?: readonly SwapKind[] | undefined;
  /** Storage never fails. */
  readonly isSound?: boolean | undefined;
}

export function randomSetup(random: Prng, wishes: Wishes = {}): Setup {
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T;
  const kinds = wishes.swap ?? SWAP_KINDS;
  const areas = random.below(10) === 0 ? 0 : 1 + random.below(3);
  const isSound = wishes.isSound ?? random.below(3) !== 0;
  return {
    frames: wishes.frames ?? pick([64, 72, 80, 96, 112, 128, 160, 256]),
    policy: wishes.policy ?? pick(["lru", "mglru"] as const),
    swappiness: random.below(201),
    swap: Array.from({ length: areas }, () => ({
      kind: pick(kinds),
      pages: 40 + random.below(400),
      priority: random.below(3) - 1,
      timing: pick(TIMINGS),
    })),
    legacyMemcg: random.below(2) === 0,
    overcommit: random.below(4) === 0 ? 0 : 1,
    tmpfsPages: random.below(3) === 0 ? 10 + random.below(60) : Number.POSITIVE_INFINITY,
    diskFaults: isSound ? "" : `${pick(DISK_FAULTS)},seed=${random.below(1000)}`,
    swapReadsFail: !isSound && random.below(3) === 0,
  };
}

/** Any device, which answers with errors from now on, if it is told to. */
export class BreakableDevice implements SwapDevice {
  readError = 0;
  writeError = 0;
  readonly isSynchronous: boolean;
  readonly isRotational: boolean;
  readonly kind: "partition" | "file";
  readonly pages: number;
  readonly timing: SwapTiming | undefined;
  readonly slotFreeNotify?: (slot: number) => void;
  readonly discard?: (first: number, count: number) => void;
  readonly #device: SwapDevice;

  constructor(device: SwapDevice, { kind, timing }: SwapArea) {
    this.#device = device;
    this.pages = device.pages;
    this.kind = device.kind ?? "file";
    this.isSynchronous = device.isSynchronous === true && kind !== "disk" && kind !== "rotational";
    this.timing = timing;
    this.isRotational = kind === "rotational";
    if (device.slotFreeNotify !== undefined) this.slotFreeNotify = (slot) => device.slotFreeNotify?.(slot);
    if (device.discard !== undefined) this.discard = (first, count) => device.discard?.(first, count);
  }

  readPage(slot: number, ram: Ram, ramOffset: number): number {
    return this.readError || this.#device.readPage(slot, ram, ramOffset);
  }

  writePage(slot: number, ram: Ram, ramOffset: number): number {
    return this.writeError || this.#device.writePage(slot, ram, ramOffset);
  }

  close(): void {
    this.#device.close?.();
  }
}

/** A new device of any kind but "guest". @param file where one of kind "host" lies */
export function newSwapDevice(area: SwapArea, file: string): BreakableDevice {
  return new BreakableDevice(bareDevice(area.kind, area.pages, file), area);
}

function bareDevice(kind: SwapKind, pages: number, file: string): SwapDevice {
  if (kind === "zram") return new ZramSwapDevice(pages, zlibCompressor);
  if (kind === "host") {
    createSwapFile(file, pages * PAGE_SIZE);
    return new HostSwapFile(file);
  }
  return new MemorySwapDevice(new Uint8Array(pages * PAGE_SIZE));
}
