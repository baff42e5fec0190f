/**
 * Locks on files (fs/locks.c): advice between programs, which no read or write heeds.
 *
 * ```
 *   POSIX   fcntl          bytes start … end     owned by a table of descriptors: gone when it closes any of the file's
 *   OFD     fcntl          bytes start … end     owned by an open file description: gone with its last descriptor
 *   FLOCK   flock          the whole file        owned by an open file description
 * ```
 *
 * Invariant: the locks of one owner do not overlap, and neighbours of one type are one lock. POSIX and OFD locks are in each
 * other's way, flocks only in each other's. Nothing waits here: whoever can asks again until nobody is in the way.
 */
import { EAGAIN, EDEADLK } from "../uapi/errno.ts";
import { majorOf, minorOf } from "../uapi/fs.ts";
import type { File } from "./file.ts";
import type { Inode } from "./inode.ts";

export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;

export type LockKind = "posix" | "ofd" | "flock";

/** A lock that is held or wanted. */
export interface FileLock {
  readonly kind: LockKind;
  /** A table of descriptors or a file. */
  readonly owner: object;
  readonly file: File;
  readonly pid: number;
  /** F_RDLCK, F_WRLCK; or F_UNLCK, to let go. */
  readonly type: number;
  /** First and last byte; Infinity for the end of any file. */
  readonly start: number;
  readonly end: number;
}

/** How far a chain of waiting owners is followed (MAX_DEADLK_ITERATIONS). */
const MAX_CHAIN = 10;

const held: WeakMap<Inode, FileLock[]> = new WeakMap();
/** What owners of POSIX locks wait for. */
const wanted: WeakMap<object, Set<FileLock>> = new WeakMap();

function locksOf(inode: Inode): readonly FileLock[] {
  return held.get(inode) ?? [];
}

function isRange(lock: FileLock): boolean {
  return lock.kind !== "flock";
}

function isSameOwner(a: FileLock, b: FileLock): boolean {
  return a.owner === b.owner && a.kind === b.kind;
}

/** The first lock in the way of this one, if any (posix_locks_conflict, flock_locks_conflict). */
export function blockerOf(lock: FileLock): FileLock | undefined {
  return locksOf(lock.file.inode).find(
    (other) =>
      isRange(other) === isRange(lock) &&
      !isSameOwner(other, lock) &&
      (other.type === F_WRLCK || lock.type === F_WRLCK) &&
      other.start <= lock.end &&
      lock.start <= other.end,
  );
}

/** Takes, changes or gives back a lock: 0, or -EAGAIN where another one is in the way. */
export function setLock(lock: FileLock): number {
  if (lock.kind === "flock") return setFlock(lock);
  if (lock.type !== F_UNLCK && blockerOf(lock) !== undefined) return -EAGAIN;
  replaceRange(lock);
  return 0;
}

/** A lock of another type is given back first, and lost if the new one can't be had (flock_lock_inode). */
function setFlock(lock: FileLock): number {
  const { inode } = lock.file;
  const own = locksOf(inode).find((other) => isSameOwner(other, lock));
  if (own?.type === lock.type) return 0;
  if (own !== undefined)
    store(
      inode,
      locksOf(inode).filter((other) => other !== own),
    );
  if (lock.type === F_UNLCK) return 0;
  if (blockerOf(lock) !== undefined) return -EAGAIN;
  store(inode, [...locksOf(inode), lock]);
  return 0;
}

function store(inode: Inode, locks: FileLock[]): void {
  if (locks.length === 0) held.delete(inode);
  else held.set(inode, locks);
}

/** The owner's locks give way to the new one, which swallows neighbours of its type (posix_lock_inode). */
function replaceRange(lock: FileLock): void {
  const { inode } = lock.file;
  let { start, end } = lock;
  const kept: FileLock[] = [];
  for (const other of locksOf(inode)) {
    const touches = other.start <= end + 1 && start <= other.end + 1;
    if (!isSameOwner(other, lock) || !touches) {
      kept.push(other);
    } else if (other.type === lock.type) {
      start = Math.min(start, other.start);
      end = Math.max(end, other.end);
    } else {
      if (other.start < lock.start) kept.push({ ...other, end: Math.min(other.end, lock.start - 1) });
      if (other.end > lock.end) kept.push({ ...other, start: Math.max(other.start, lock.end + 1) });
    }
  }
  if (lock.type !== F_UNLCK) {
    // In the order of their owners' first locks, and of their bytes.
    const before = kept.findIndex((other) => isSameOwner(other, lock) && other.start > start);
    kept.splice(before < 0 ? kept.length : before, 0, { ...lock, start, end });
  }
  store(inode, kept);
}

/**
 * Notes that the owner waits for this lock, until `stopWaiting`. -EDEADLK where whoever is in the way waits for the same
 * owner, directly or through others (posix_locks_deadlock).
 */
export function startWaiting(lock: FileLock): number {
  if (lock.kind === "posix" && isDeadlock(lock)) return -EDEADLK;
  const waits = wanted.get(lock.owner) ?? new Set<FileLock>();
  waits.add(lock);
  wanted.set(lock.owner, waits);
  return 0;
}

export function stopWaiting(lock: FileLock): void {
  wanted.get(lock.owner)?.delete(lock);
}

function isDeadlock(lock: FileLock): boolean {
  let blocker = blockerOf(lock);
  for (let i = 0; blocker !== undefined && i < MAX_CHAIN; i++) {
    if (blocker.kind !== "posix") return false;
    if (blocker.owner === lock.owner) return true;
    const waits: FileLock[] = [...(wanted.get(blocker.owner) ?? [])];
    blocker = waits.map(blockerOf).find((other) => other !== undefined);
  }
  return false;
}

/** A table of descriptors closes one of the file's: its POSIX locks go, however many descriptors are left. */
export function removePosixLocks(inode: Inode, owner: object): void {
  if (!held.has(inode)) return;
  store(
    inode,
    locksOf(inode).filter((lock) => lock.kind !== "posix" || lock.owner !== owner),
  );
}

/** The last reference to an open file description is gone, and with it what it owns. */
export function removeFileLocks(file: File): void {
  if (!held.has(file.inode)) return;
  store(
    file.inode,
    locksOf(file.inode).filter((lock) => lock.owner !== file),
  );
}

const NAMES: Readonly<Record<LockKind, string>> = { posix: "POSIX ", ofd: "OFDLCK", flock: "FLOCK " };

/** A lock as /proc tells it (lock_get_status). */
function describe({ kind, type, pid, start, end, file }: FileLock): string {
  const { ino, sb } = file.inode;
  const hex = (value: number): string => value.toString(16).padStart(2, "0");
  const device = `${hex(majorOf(sb.dev))}:${hex(minorOf(sb.dev))}:${ino}`;
  const last = Number.isFinite(end) ? end : "EOF";
  return `${NAMES[kind]} ADVISORY  ${type === F_WRLCK ? "WRITE" : "READ"} ${kind === "ofd" ? -1 : pid} ${device} ${start} ${last}`;
}

/** Lines of /proc/PID/fdinfo/FD: the locks taken through this file by these descriptors or by itself, flocks first. */
export function showFileLocks(file: File, owner: object): string {
  return locksOf(file.inode)
    .filter((lock) => lock.file === file && (lock.owner === owner || lock.owner === file))
    .sort((a, b) => Number(isRange(a)) - Number(isRange(b)))
    .map((lock, i) => `lock:\t${i + 1}: ${describe(lock)}\n`)
    .join("");
}
