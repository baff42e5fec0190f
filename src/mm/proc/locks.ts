/** How /proc tells locks: /proc/locks, and the lines of /proc/PID/fdinfo (locks_show, lock_get_status in fs/locks.c). */
import { majorOf, minorOf } from "../uapi/fs.ts";
import type { File } from "../vfs/file.ts";
import {
  excludes,
  F_WRLCK,
  type FileLock,
  type LockKind,
  type LockTable,
  OFFSET_MAX,
} from "../vfs/file-lock.ts";

const NAMES: Readonly<Record<LockKind, string>> = { posix: "POSIX ", ofd: "OFDLCK", flock: "FLOCK " };

function describe({ kind, type, pid, start, end, file }: FileLock): string {
  const { ino, sb } = file.inode;
  const hex = (value: number): string => value.toString(16).padStart(2, "0");
  const device = `${hex(majorOf(sb.dev))}:${hex(minorOf(sb.dev))}:${ino}`;
  const last = end === OFFSET_MAX ? "EOF" : end;
  return `${NAMES[kind]} ADVISORY  ${type === F_WRLCK ? "WRITE" : "READ"} ${kind === "ofd" ? -1 : pid} ${device} ${start} ${last}\n`;
}

/** The locks taken through this file by these descriptors or by itself, flocks first. */
export function showFileLocks(table: LockTable, file: File, owner: object): string {
  return table
    .locksOn(file.inode)
    .filter((lock) => lock.file === file && (lock.owner === owner || lock.owner === file))
    .map((lock, i) => `lock:\t${i + 1}: ${describe(lock)}`)
    .join("");
}

/** /proc/locks: each with those who wait for it, and for whom these would be in the way (flc_blocked_requests). */
export function procLocks(table: LockTable): string {
  const blocked: Map<FileLock, FileLock[]> = new Map();
  const below = (lock: FileLock): FileLock[] => blocked.get(lock) ?? [];
  for (const wait of table.waits()) {
    let blocker: FileLock | undefined = table.blockerOf(wait);
    for (let next = blocker; next !== undefined; next = below(next).find((other) => excludes(other, wait)))
      blocker = next;
    if (blocker !== undefined) blocked.set(blocker, [...below(blocker), wait]);
  }
  const lines = (lock: FileLock, number: number, depth: number): string => {
    const arrow = depth === 0 ? "" : `${" ".repeat(depth - 1)}-> `;
    return `${number}: ${arrow}${describe(lock)}${below(lock)
      .map((other) => lines(other, number, depth + 1))
      .join("")}`;
  };
  return table
    .all()
    .map((lock, i) => lines(lock, i + 1, 0))
    .join("");
}
