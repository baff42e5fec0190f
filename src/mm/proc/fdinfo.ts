/** /proc/PID/fdinfo: position, flags and mount of each descriptor's file, and what its kind adds (fs/proc/fd.c seq_show). */
import { EACCES } from "../uapi/errno.ts";
import { O_CLOEXEC, S_IFREG } from "../uapi/fcntl.ts";
import type { File } from "../vfs/file.ts";
import type { MountNamespace } from "../vfs/mount.ts";
import { showFileLocks } from "./locks.ts";
import { hasExited, mayInspect, type ProcTask, type ThreadActivity } from "./proc-task.ts";
import { directoryNode, type ProcNode } from "./proc-tree.ts";
import { openSingle, seqOps } from "./seq-file.ts";

/** A file for each descriptor that is open at the time. */
export function fdinfoDirectory(
  task: ProcTask,
  thread: ThreadActivity | undefined,
  mounts: MountNamespace,
): ProcNode {
  const fileOf = (name: string): File | undefined =>
    !hasExited(task, thread) && /^(0|[1-9][0-9]*)$/.test(name) ? task.files.get(Number(name)) : undefined;
  return directoryNode(
    {
      find: (name) => {
        const file = fileOf(name);
        if (file === undefined) return undefined;
        return { key: file, node: () => fdinfoNode(task, name, mounts) };
      },
      names: () => (hasExited(task, thread) ? [] : [...task.files.entries()].map(([fd]) => String(fd))),
    },
    0o555,
    task,
  );
}

function fdinfoNode(task: ProcTask, name: string, mounts: MountNamespace): ProcNode {
  return {
    mode: S_IFREG | 0o444,
    owner: task,
    ops: {
      open: (_inode, file) =>
        mayInspect(file.opener, task) ? openSingle(file, () => fdinfo(task, name, mounts)) : -EACCES,
    },
    fops: seqOps,
  };
}

function fdinfo(task: ProcTask, name: string, mounts: MountNamespace): string {
  const fd = Number(name);
  const file = task.files.get(fd);
  if (file === undefined) return "";
  const flags = file.flags | (task.files.isCloexec(fd) ? O_CLOEXEC : 0);
  return (
    `pos:\t${file.pos}\nflags:\t0${flags.toString(8)}\n` +
    `mnt_id:\t${mounts.idOf(file.inode.sb)}\nino:\t${file.inode.ino}\n` +
    showFileLocks(mounts.locks, file, task.files) +
    (file.ops.showFdinfo?.(file) ?? "")
  );
}
