/**
 * Locks on files (fs/locks.c): advice between programs, which no read or write heeds.
 *
 * ```
 *   POSIX   fcntl          bytes start … end     owned by a table of descriptors: gone when it closes any of the file's
 *   OFD     fcntl          bytes start … end     owned by an open file description: gone with its last descriptor
 *   FLOCK   flock          the whole file        owned by an open file description
 * ```
 *
 * Invariant: the locks of one owner do not overlap, stand in the order of their bytes, and neighbours of one type are one lock:
 * so what is in the way of a range is found by halves. POSIX and OFD locks are in each other's way, flocks only in each
 * other's. Bytes are counted to 2^63 − 1, where programs like to put locks. Nothing waits here: whoever can asks again until nobody is in the way.
 */
import { EAGAIN, EDEADLK, ENOLCK } from "../uapi/errno.ts";
import type { File } from "./file.ts";
import type { Inode } from "./inode.ts";

export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;

export type LockKind = "posix" | "ofd" | "flock";

/** The last byte of any file: to the end is to here. */
export const OFFSET_MAX: bigint = 2n ** 63n - 1n;

/** A lock that is held or wanted. */
export interface FileLock {
  readonly kind: LockKind;
  /** A table of descriptors or a file. */
  readonly owner: object;
  readonly file: File;
  readonly pid: number;
  /** F_RDLCK, F_WRLCK; or F_UNLCK, to let go. */
  readonly type: number;
  /** First and last byte. */
  readonly start: bigint;
  readonly end: bigint;
}

/** A lock that is held. */
export interface HeldLock extends FileLock {
  /** How many were taken before it. */
  readonly order: number;
}

/** How far a chain of waiting owners is followed (MAX_DEADLK_ITERATIONS). */
const MAX_CHAIN = 10;
/** Locks in all, whoever holds them: beyond that, ENOLCK. */
const MAX_LOCKS = 2 ** 16;

/** The locks on one file. */
interface InodeLocks {
  /** Of fcntl, by owner; the owners in the order of their first locks. */
  readonly ranges: Map<object, HeldLock[]>;
  /** By open file description. */
  readonly flocks: Map<object, HeldLock>;
}

/** Where locks on a file stand, while there are any. */
const tables: WeakMap<Inode, LockTable> = new WeakMap();

/** All locks of a machine. */
export class LockTable {
  readonly #held: Map<Inode, InodeLocks> = new Map();
  /** What owners of locks wait for, by owner, the oldest first. */
  readonly #wanted: Map<object, Set<FileLock>> = new Map();
  #count = 0;
  #taken = 0;

  /** The first lock in the way of this one, if any (posix_locks_conflict, flock_locks_conflict). */
  blockerOf(lock: FileLock): HeldLock | undefined {
    const locks = this.#held.get(lock.file.inode);
    if (locks === undefined) return undefined;
    if (lock.kind === "flock") {
      for (const [owner, other] of locks.flocks)
        if (owner !== lock.owner && excludes(other, lock)) return other;
      return undefined;
    }
    for (const [owner, ranges] of locks.ranges) {
      if (owner === lock.owner) continue;
      for (let i = firstEndingFrom(ranges, lock.start); i < ranges.length; i++) {
        if (ranges[i].start > lock.end) break;
        if (excludes(ranges[i], lock)) return ranges[i];
      }
    }
    return undefined;
  }

  /** Takes, changes or gives back a lock: 0, -EAGAIN where another one is in the way, -ENOLCK where there are too many. */
  set(lock: FileLock): number {
    if (lock.kind === "flock") return this.#setFlock(lock);
    if (lock.type !== F_UNLCK && this.blockerOf(lock) !== undefined) return -EAGAIN;
    return this.#replaceRange(lock);
  }

  /** A lock of another type is given back first, and lost if the new one can't be had (flock_lock_inode). */
  #setFlock(lock: FileLock): number {
    const { inode } = lock.file;
    const { flocks } = this.#of(inode);
    const own = flocks.get(lock.owner);
    if (own?.type === lock.type) return 0;
    if (own !== undefined) {
      flocks.delete(lock.owner);
      this.#count--;
    }
    let result = 0;
    if (lock.type !== F_UNLCK) {
      if (this.blockerOf(lock) !== undefined) result = -EAGAIN;
      else if (this.#count >= MAX_LOCKS) result = -ENOLCK;
      else {
        flocks.set(lock.owner, this.#newLock(lock));
        this.#count++;
      }
    }
    this.#forgetIfEmpty(inode);
    return result;
  }

  #of(inode: Inode): InodeLocks {
    const locks = this.#held.get(inode) ?? { ranges: new Map(), flocks: new Map() };
    this.#held.set(inode, locks);
    tables.set(inode, this);
    return locks;
  }

  #forgetIfEmpty(inode: Inode): void {
    const locks = this.#held.get(inode);
    if (locks?.ranges.size === 0 && locks.flocks.size === 0) {
      this.#held.delete(inode);
      tables.delete(inode);
    }
  }

  #newLock(lock: FileLock): HeldLock {
    return { ...lock, order: this.#taken++ };
  }

  /** The owner's locks give way to the new one, which swallows neighbours of its type (posix_lock_inode). */
  #replaceRange(lock: FileLock): number {
    const { inode } = lock.file;
    const { ranges } = this.#of(inode);
    const own = ranges.get(lock.owner) ?? [];
    // Those that it overlaps or touches lie together.
    const from = firstEndingFrom(own, lock.start - 1n);
    let to = from;
    while (to < own.length && own[to].start <= lock.end + 1n) to++;
    const instead = this.#merged(lock, own.slice(from, to));
    const more = instead.length - (to - from);
    const isRefused = more > 0 && this.#count + more > MAX_LOCKS;
    if (!isRefused) {
      own.splice(from, to - from, ...instead);
      this.#count += more;
      if (own.length === 0) ranges.delete(lock.owner);
      else ranges.set(lock.owner, own);
    }
    this.#forgetIfEmpty(inode);
    return isRefused ? -ENOLCK : 0;
  }

  /** What stands in place of these after it. */
  #merged(lock: FileLock, touched: readonly HeldLock[]): HeldLock[] {
    let { start, end } = lock;
    let swallowed: HeldLock | undefined;
    const before: HeldLock[] = [];
    const after: HeldLock[] = [];
    for (const other of touched) {
      if (other.type === lock.type) {
        if (other.start < start) start = other.start;
        if (other.end > end) end = other.end;
        swallowed ??= other;
        continue;
      }
      const isCut = other.start < lock.start;
      if (isCut) {
        const left = { ...other, end: other.end < lock.start ? other.end : lock.start - 1n };
        before.push(other.end > lock.end ? this.#newLock(left) : left);
      }
      if (other.end > lock.end)
        after.push({ ...other, start: other.start > lock.end ? other.start : lock.end + 1n });
    }
    if (lock.type === F_UNLCK) return [...before, ...after];
    const grown = swallowed === undefined ? this.#newLock(lock) : { ...lock, order: swallowed.order };
    return [...before, { ...grown, start, end }, ...after];
  }

  /**
   * Notes that the owner waits for this lock, until `stopWaiting`. -EDEADLK where whoever is in the way waits for the same
   * owner, directly or through others (posix_locks_deadlock).
   */
  startWaiting(lock: FileLock): number {
    if (lock.kind === "posix" && this.#isDeadlock(lock)) return -EDEADLK;
    const waits = this.#wanted.get(lock.owner) ?? new Set<FileLock>();
    waits.add(lock);
    this.#wanted.set(lock.owner, waits);
    return 0;
  }

  stopWaiting(lock: FileLock): void {
    const waits = this.#wanted.get(lock.owner);
    waits?.delete(lock);
    if (waits?.size === 0) this.#wanted.delete(lock.owner);
  }

  #isDeadlock(lock: FileLock): boolean {
    let blocker: FileLock | undefined = this.blockerOf(lock);
    for (let i = 0; blocker !== undefined && i < MAX_CHAIN; i++) {
      if (blocker.kind !== "posix") return false;
      if (blocker.owner === lock.owner) return true;
      const waits: FileLock[] = [...(this.#wanted.get(blocker.owner) ?? [])];
      blocker = waits.map((wanted) => this.blockerOf(wanted)).find((other) => other !== undefined);
    }
    return false;
  }

  /** The owner's locks of bytes go. */
  removeRanges(inode: Inode, owner: object): void {
    const locks = this.#held.get(inode);
    const own = locks?.ranges.get(owner);
    if (locks === undefined || own === undefined) return;
    locks.ranges.delete(owner);
    this.#count -= own.length;
    this.#forgetIfEmpty(inode);
  }

  /** All go that the file owns. */
  removeAllOf(file: File): void {
    this.removeRanges(file.inode, file);
    if (this.#held.get(file.inode)?.flocks.delete(file) !== true) return;
    this.#count--;
    this.#forgetIfEmpty(file.inode);
  }

  /** The locks on a file, flocks first. */
  locksOn(inode: Inode): HeldLock[] {
    const locks = this.#held.get(inode);
    if (locks === undefined) return [];
    return [...locks.flocks.values(), ...[...locks.ranges.values()].flat()];
  }

  /** All that are held, the newest first. */
  all(): HeldLock[] {
    return [...this.#held.keys()].flatMap((inode) => this.locksOn(inode)).sort((a, b) => b.order - a.order);
  }

  /** All that somebody waits for. */
  waits(): FileLock[] {
    return [...this.#wanted.values()].flatMap((waits) => [...waits]);
  }
}

/** A table of descriptors closes one of the file's: its POSIX locks go, however many descriptors are left. */
export function removePosixLocks(inode: Inode, owner: object): void {
  tables.get(inode)?.removeRanges(inode, owner);
}

/** The last reference to an open file description is gone, and with it what it owns. */
export function removeFileLocks(file: File): void {
  tables.get(file.inode)?.removeAllOf(file);
}

/** Whether they can't be held both. */
export function excludes(a: FileLock, b: FileLock): boolean {
  return (a.type === F_WRLCK || b.type === F_WRLCK) && a.start <= b.end && b.start <= a.end;
}

/** The first of an owner's locks that does not end before byte `at`. */
function firstEndingFrom(locks: readonly HeldLock[], at: bigint): number {
  let low = 0;
  let high = locks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (locks[middle].end < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
