/** Arguments of the calls of System V shared memory, for the generator. */
import * as ipc from "../src/mm/uapi/ipc.ts";
import type { ArgumentSource } from "./arguments.ts";
import type { Mapping } from "./maps.ts";
import type { Random } from "./random.ts";

const PAGE_SIZE = 4096;
/** Few enough that keys meet. */
const KEYS = 4;
/** Between the id of a segment and that of another in the same place. */
const SEQUENCE = 2 ** 15;

export class SegmentArguments {
  private readonly random: Random;
  private readonly from: ArgumentSource;
  private readonly segments: readonly number[];

  /** @param segments ids that are, or were */
  constructor(random: Random, from: ArgumentSource, segments: readonly number[]) {
    this.random = random;
    this.from = from;
    this.segments = segments;
  }

  of(call: "shmget" | "shmat" | "shmdt" | "shmctl", mappings: readonly Mapping[]): number[] {
    switch (call) {
      case "shmget":
        return [this.random.below(KEYS), this.size(), this.makingFlags()];
      case "shmat":
        return [this.id(), this.random.chance(35) ? 0 : this.from.address(), this.attachingFlags()];
      case "shmdt":
        return [this.detached(mappings)];
      case "shmctl":
        return [
          this.id(),
          this.command(),
          this.mode(),
          ...(this.random.chance(95) ? [] : [this.random.pick([2 ** 47, 2 ** 63])]),
        ];
    }
  }

  private id(): number {
    const { random, segments } = this;
    if (segments.length > 0 && random.chance(93)) return random.pick(segments);
    return random.weighted([
      [4, random.below(10)],
      [2, SEQUENCE + random.below(4)],
      [1, -1],
    ]);
  }

  private size(): number {
    const { random } = this;
    return random.weighted([
      [30, (1 + random.below(8)) * PAGE_SIZE],
      [12, 1 + random.below(6 * PAGE_SIZE)],
      [3, 0],
      [3, 2 ** 47],
      [1, 2 ** 63],
      [1, 2 ** 64 - PAGE_SIZE],
    ]);
  }

  private makingFlags(): number {
    const { random } = this;
    const special = random.weighted([
      [30, ipc.IPC_CREAT],
      [6, ipc.IPC_CREAT | ipc.IPC_EXCL],
      [6, ipc.IPC_CREAT | ipc.SHM_NORESERVE],
      [6, 0],
      [1, ipc.IPC_CREAT | ipc.SHM_HUGETLB],
      [2, ipc.IPC_CREAT | ipc.SHM_HUGETLB | ipc.SHM_NORESERVE],
      [1, ipc.IPC_CREAT | ipc.SHM_HUGETLB | (13 << ipc.SHM_HUGE_SHIFT)],
    ]);
    return special | this.mode();
  }

  private mode(): number {
    const { random } = this;
    return random.weighted([
      [12, 0o600],
      [8, 0o777],
      [3, 0o400],
      [1, 0o077],
      [1, random.below(0o1000)],
    ]);
  }

  private attachingFlags(): number {
    const { random } = this;
    let flags = 0;
    if (random.chance(20)) flags |= ipc.SHM_RDONLY;
    if (random.chance(10)) flags |= ipc.SHM_EXEC;
    if (random.chance(25)) flags |= ipc.SHM_RND;
    if (random.chance(45)) flags |= ipc.SHM_REMAP;
    return flags;
  }

  /** Where an attachment began, mostly. */
  private detached(mappings: readonly Mapping[]): number {
    const { random } = this;
    const attached = mappings.filter(({ name }) => name.startsWith("/SYSV"));
    if (attached.length === 0 || random.chance(10)) return this.from.address();
    const { start, offset } = random.pick(attached);
    const began = start - offset;
    return began >= 0 && random.chance(85) ? began : start;
  }

  private command(): number {
    return this.random.weighted([
      [10, ipc.IPC_STAT],
      [8, ipc.IPC_RMID],
      [3, ipc.IPC_SET],
      [2, ipc.SHM_STAT],
      [2, ipc.SHM_STAT_ANY],
      [2, ipc.SHM_INFO],
      [1, ipc.IPC_INFO],
      [3, ipc.SHM_LOCK],
      [3, ipc.SHM_UNLOCK],
      [1, 77],
    ]);
  }
}
