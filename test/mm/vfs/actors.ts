/**
 * The same file operations on a guest and on the host kernel: each answers "ok" (or what it read), or the name of the
 * error. Paths are relative to the actor's own directory.
 */
import fs from "node:fs";
import { sysFaccessat, sysFchmodat, sysFchownat } from "../../../src/mm/syscalls/attributes.ts";
import {
  sysLinkat,
  sysMkdirat,
  sysReadlinkat,
  sysRenameat2,
  sysSymlinkat,
  sysUnlinkat,
} from "../../../src/mm/syscalls/directory.ts";
import { sysTruncate } from "../../../src/mm/syscalls/file-size.ts";
import { sysNewfstatat } from "../../../src/mm/syscalls/stat.ts";
import type { Task } from "../../../src/mm/syscalls/task.ts";
import { errnoName } from "../../../src/mm/uapi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, S_IFMT } from "../../../src/mm/uapi/fcntl.ts";
import { allOf } from "../../../src/mm/vfs/ids.ts";
import { type Guest, outcome } from "./guest.ts";

export interface FileActor {
  open(path: string, flags: number, mode: number): string;
  mkdir(path: string, mode: number): string;
  unlink(path: string): string;
  rmdir(path: string): string;
  rename(from: string, to: string): string;
  link(from: string, to: string): string;
  symlink(target: string, path: string): string;
  readlink(path: string): string;
  truncate(path: string, size: number): string;
  access(path: string, mode: number): string;
  chmod(path: string, mode: number): string;
  chown(path: string, uid: number, gid: number): string;
  /** Type bits, links and permission bits, following a link or not. */
  stat(path: string): string;
  lstat(path: string): string;
  /** Acts as this user from now on. */
  become(uid: number): void;
}

interface Described {
  readonly mode: number;
  readonly nlink: number;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
}

function describe({ mode, nlink, size, uid, gid }: Described): string {
  const isRegular = (mode & S_IFMT) === 0o100000;
  return `${mode.toString(8)} ${nlink} ${uid}:${gid}${isRegular ? ` ${size}` : ""}`;
}

/** An actor on a guest, in its working directory. */
export function guestActor(guest: Guest): FileActor {
  const root = guest.task;
  let task: Task = root;
  const stat = (path: string, flags: number): string => {
    const found = sysNewfstatat(task, AT_FDCWD, path, flags);
    return typeof found === "number" ? errnoName(-found) : describe(found);
  };
  return {
    open: (path, flags, mode) => {
      const swapped = guest as { task: Task };
      swapped.task = task;
      const fd = guest.open(path, flags, mode);
      if (fd >= 0) guest.close(fd);
      swapped.task = root;
      return outcome(fd);
    },
    mkdir: (path, mode) => outcome(sysMkdirat(task, AT_FDCWD, path, mode)),
    unlink: (path) => outcome(sysUnlinkat(task, AT_FDCWD, path, 0)),
    rmdir: (path) => outcome(sysUnlinkat(task, AT_FDCWD, path, AT_REMOVEDIR)),
    rename: (from, to) => outcome(sysRenameat2(task, AT_FDCWD, from, AT_FDCWD, to, 0)),
    link: (from, to) => outcome(sysLinkat(task, AT_FDCWD, from, AT_FDCWD, to, 0)),
    symlink: (target, path) => outcome(sysSymlinkat(task, target, AT_FDCWD, path)),
    readlink: (path) => {
      const target = sysReadlinkat(task, AT_FDCWD, path);
      return typeof target === "number" ? errnoName(-target) : target;
    },
    truncate: (path, size) => outcome(sysTruncate(task, path, size)),
    access: (path, mode) => outcome(sysFaccessat(task, AT_FDCWD, path, mode, 0)),
    chmod: (path, mode) => outcome(sysFchmodat(task, AT_FDCWD, path, mode, 0)),
    chown: (path, uid, gid) => outcome(sysFchownat(task, AT_FDCWD, path, uid, gid, 0)),
    stat: (path) => stat(path, 0),
    lstat: (path) => stat(path, AT_SYMLINK_NOFOLLOW),
    become: (uid) => {
      const ids = allOf(uid);
      task = uid === 0 ? root : { ...root, uid, gid: uid, userIds: ids, groupIds: ids, fs: root.fs };
    },
  };
}

function attempt(act: () => unknown): string {
  try {
    const result = act();
    return typeof result === "string" ? result : "ok";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** An actor on the host kernel. Precondition: the process stands in the directory that the paths start from. */
export function hostActor(): FileActor {
  return {
    open: (path, flags, mode) => attempt(() => fs.closeSync(fs.openSync(path, flags, mode))),
    mkdir: (path, mode) => attempt(() => fs.mkdirSync(path, mode)),
    unlink: (path) => attempt(() => fs.unlinkSync(path)),
    rmdir: (path) => attempt(() => fs.rmdirSync(path)),
    rename: (from, to) => attempt(() => fs.renameSync(from, to)),
    link: (from, to) => attempt(() => fs.linkSync(from, to)),
    symlink: (target, path) => attempt(() => fs.symlinkSync(target, path)),
    readlink: (path) => attempt(() => fs.readlinkSync(path)),
    truncate: (path, size) => attempt(() => truncateHost(path, size)),
    // access(2) asks for the real user, who stays root here.
    access: (path, mode) => attempt(() => fs.accessSync(path, mode)),
    chmod: (path, mode) => attempt(() => fs.chmodSync(path, mode)),
    chown: (path, uid, gid) => attempt(() => fs.chownSync(path, uid, gid)),
    stat: (path) => attempt(() => describe(fs.statSync(path))),
    lstat: (path) => attempt(() => describe(fs.lstatSync(path))),
    become: (uid) => {
      // Back to root first: only root may take any user.
      process.seteuid?.(0);
      process.setegid?.(uid);
      process.setgroups?.([uid]);
      process.seteuid?.(uid);
    },
  };
}

/** Node has no truncate(2): it opens and calls ftruncate, so a directory is EISDIR by way of open. */
function truncateHost(path: string, size: number): void {
  const fd = fs.openSync(path, fs.constants.O_WRONLY);
  try {
    fs.ftruncateSync(fd, size);
  } finally {
    fs.closeSync(fd);
  }
}
