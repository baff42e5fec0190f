/**
 * Who pays for the buffers of pipes (user_struct.pipe_bufs): whoever made the pipe. A user may have 16,384 pages of them. Beyond
 * that his pipes are small, and nobody can make them grow but who has the capabilities for it. What the list of a pipe's buffers takes is no RAM
 * here; instead pipes of all users can grow by so many buffers only.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE } from "../page.ts";
import { CAP_SYS_ADMIN, CAP_SYS_RESOURCE } from "../uapi/capability.ts";
import { capable, type Holder } from "./capability.ts";

/** Buffers of a pipe whose user has too many already (PIPE_MIN_DEF_BUFFERS). */
const FEW_BUFFERS = 2;
const MAX_SIZE = 2 ** 31;
/** Buffers of all pipes, beyond which none can grow. */
const MAX_BUFFERS_IN_ALL = 2 ** 18;

/** fs.pipe-max-size and its like, and what users have. One per machine. */
export class PipeLimits {
  maxSize: number = 2 ** 20;
  /** Pages; 0 for no limit. */
  userPagesSoft = 16384;
  userPagesHard = 0;
  readonly byUser: Map<number, number> = new Map();
  buffersInAll = 0;
}

const limits: WeakMap<PhysicalMemory, PipeLimits> = new WeakMap();

export function pipeLimits(phys: PhysicalMemory): PipeLimits {
  const found = limits.get(phys) ?? new PipeLimits();
  limits.set(phys, found);
  return found;
}

/** A capacity as pipes have it: pages, a power of two of them; 0 where it is too large. */
export function roundPipeSize(size: number): number {
  if (size < 0 || size > MAX_SIZE) return 0;
  return 2 ** Math.ceil(Math.log2(Math.max(size, PAGE_SIZE)));
}

export class PipePayer {
  readonly #limits: PipeLimits;
  readonly #uid: number;

  constructor(phys: PhysicalMemory, uid: number) {
    this.#limits = pipeLimits(phys);
    this.#uid = uid;
  }

  get #buffers(): number {
    return this.#limits.byUser.get(this.#uid) ?? 0;
  }

  add(buffers: number): void {
    const sum = this.#buffers + buffers;
    this.#limits.buffersInAll += buffers;
    if (sum === 0) this.#limits.byUser.delete(this.#uid);
    else this.#limits.byUser.set(this.#uid, sum);
  }

  /** How many a new pipe of `maker` gets that should have so many; 0: it can't be made (alloc_pipe_info). */
  buffersOfNew(maker: Holder, usual: number): number {
    const { maxSize, userPagesSoft, userPagesHard } = this.#limits;
    const isBound = usual * PAGE_SIZE > maxSize && !capable(maker, CAP_SYS_RESOURCE);
    let buffers = isBound ? Math.floor(maxSize / PAGE_SIZE) : usual;
    if (isUnprivileged(maker) && this.#isOver(buffers, userPagesSoft)) buffers = FEW_BUFFERS;
    return isUnprivileged(maker) && this.#isOver(buffers, userPagesHard) ? 0 : buffers;
  }

  /** Whether `who` may make a pipe this large (bytes), which takes so many more buffers (pipe_set_size). */
  mayGrow(who: Holder, size: number, more: number): boolean {
    const { maxSize, userPagesSoft, userPagesHard } = this.#limits;
    if (size > maxSize && !capable(who, CAP_SYS_RESOURCE)) return false;
    return !isUnprivileged(who) || !(this.#isOver(more, userPagesSoft) || this.#isOver(more, userPagesHard));
  }

  isRoomFor(more: number): boolean {
    return more <= 0 || this.#limits.buffersInAll + more <= MAX_BUFFERS_IN_ALL;
  }

  #isOver(more: number, limit: number): boolean {
    return limit > 0 && this.#buffers + more > limit;
  }
}

/** pipe_is_unprivileged_user */
function isUnprivileged(who: Holder): boolean {
  return !capable(who, CAP_SYS_RESOURCE) && !capable(who, CAP_SYS_ADMIN);
}
