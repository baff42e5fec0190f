/** What a random world is made of: sizes, policy, swap areas, and what goes wrong in storage; all from one seed. */
import type { Prng } from "../../src/lib/prng.ts";
import type { Ram } from "../../src/mm/frames/ram.ts";
import { MemorySwapDevice, PAGE_SIZE, type SwapDevice, ZramSwapDevice } from "../../src/mm/index.ts";
import { createSwapFile, HostSwapFile, zlibCompressor } from "../../src/storage/node/index.ts";

/** "guest": a file of the guest's, on its disk; "disk": read and written like one, through the swap cache. */
export const SWAP_KINDS = ["memory", "zram", "host", "guest", "disk", "rotational"] as const;
export type SwapKind = (typeof SWAP_KINDS)[number];

export interface SwapArea {
  readonly kind: SwapKind;
  readonly pages: number;
  readonly priority: number;
}

export interface Setup {
  readonly frames: number;
  readonly policy: "lru" | "mglru";
  readonly swappiness: number;
  readonly swap: readonly SwapArea[];
  readonly overcommit: 0 | 1;
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
    })),
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
  readonly slotFreeNotify?: (slot: number) => void;
  readonly discard?: (first: number, count: number) => void;
  readonly #device: SwapDevice;

  constructor(device: SwapDevice, kind: SwapKind) {
    this.#device = device;
    this.pages = device.pages;
    this.kind = device.kind ?? "file";
    this.isSynchronous = device.isSynchronous === true && kind !== "disk" && kind !== "rotational";
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
export function newSwapDevice({ kind, pages }: SwapArea, file: string): BreakableDevice {
  return new BreakableDevice(bareDevice(kind, pages, file), kind);
}

function bareDevice(kind: SwapKind, pages: number, file: string): SwapDevice {
  if (kind === "zram") return new ZramSwapDevice(pages, zlibCompressor);
  if (kind === "host") {
    createSwapFile(file, pages * PAGE_SIZE);
    return new HostSwapFile(file);
  }
  return new MemorySwapDevice(new Uint8Array(pages * PAGE_SIZE));
}
