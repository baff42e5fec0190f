/** From a system call's arguments to the objects of the VFS: descriptors to files, a dirfd to where a path starts. */
import { EBADF, ENFILE, ENOTDIR } from "../uapi/errno.ts";
import { AT_FDCWD } from "../uapi/fcntl.ts";
import { RLIMIT_NOFILE } from "../uapi/mman.ts";
import type { Dentry } from "../vfs/dentry.ts";
import { type File, FMODE_PATH } from "../vfs/file.ts";
import { isDir } from "../vfs/inode.ts";
import type { WalkContext } from "../vfs/namei.ts";
import type { Task } from "./task.ts";

/** The file of a descriptor; undefined when it is not open, or opened with O_PATH (fdget). */
export function fdGet(task: Task, fd: number): File | undefined {
  const file = task.files.get(fd);
  return file !== undefined && (file.mode & FMODE_PATH) === 0 ? file : undefined;
}

/** The file of a descriptor, O_PATH or not (fdget_raw). */
export function fdGetRaw(task: Task, fd: number): File | undefined {
  return task.files.get(fd);
}

/** Gives a file its descriptor; without a free one, or where too many files are open, the file is put back. @param min lowest number wanted */
export function fdInstall(task: Task, file: File, cloexec: boolean, min = 0): number {
  const fd = task.files.alloc(file, cloexec, task.rlimits[RLIMIT_NOFILE].soft, min);
  if (fd < 0) {
    file.put();
    return fd;
  }
  if (file.openFiles !== undefined) return fd;
  const { openFiles } = task.fs.mounts;
  if (!openFiles.mayOpen(task)) {
    task.files.takeBack(fd);
    file.put();
    return -ENFILE;
  }
  task.files.count(fd, openFiles);
  return fd;
}

/** Who walks a path on behalf of the task, and from where. */
export function walkContext(task: Task): WalkContext {
  const { root, cwd, umask } = task.fs;
  const { uid, gid, groups, pid, capabilities } = task;
  return { root, cwd, umask, uid, gid, groups, pid, capabilities };
}

/** Where `path` of an *at call starts: an absolute one does not look at `dirfd` at all. */
export function startAt(task: Task, dirfd: number, path: string): Dentry | number {
  if (path.startsWith("/")) return task.fs.root;
  if (dirfd === AT_FDCWD) return task.fs.cwd;
  const file = fdGetRaw(task, dirfd);
  if (file === undefined) return -EBADF;
  if (path !== "" && !isDir(file.inode)) return -ENOTDIR;
  return file.dentry;
}
