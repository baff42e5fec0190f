/** Arguments for transfers past the page cache, for the generator: whole sectors, at multiples of them. */
import type { ArgumentSource } from "./arguments.ts";
import type { CallName } from "./operation.ts";
import type { Random } from "./random.ts";
import { DIRECT_FD } from "./subject.ts";

const PAGE_SIZE = 4096;
const SECTOR = 512;

const DIRECT_TRANSFERS = ["read", "write", "pread64", "pwrite64", "peek", "preadv2", "pwritev2"] as const;

export type DirectTransfer = (typeof DIRECT_TRANSFERS)[number];

export function canBeDirect(call: CallName): call is DirectTransfer {
  return DIRECT_TRANSFERS.some((name) => name === call);
}

export function directArguments(call: DirectTransfer, random: Random, from: ArgumentSource): number[] {
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
