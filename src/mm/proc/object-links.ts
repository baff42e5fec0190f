/** Links that lead to an open file or directory itself, whatever its name: fd, map_files, cwd, root, exe (fs/proc/fd.c). */

import { CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN } from "../uapi/capability.ts";
import { EACCES, ENOENT, EPERM } from "../uapi/errno.ts";
import { S_IFLNK } from "../uapi/fcntl.ts";
import { capable } from "../vfs/capability.ts";
import type { Dentry } from "../vfs/dentry.ts";
import { type File, FMODE_READ, FMODE_WRITE, fileOf } from "../vfs/file.ts";
import type { Actor, Inode } from "../vfs/inode.ts";
import { dPath } from "../vfs/path.ts";
import { hasExited, mayInspect, mmOf, type ProcTask, type ThreadActivity } from "./proc-task.ts";
import { directoryNode, type ProcDirectory, type ProcNode } from "./proc-tree.ts";
import { hex } from "./text.ts";

/** Size that stat tells of such links. */
const LINK_SIZE = 64;

/** A link of the process to whatever `target` finds at the time; null: nothing there. */
export function objectLink(task: ProcTask, target: () => Dentry | null, permissions = 0o777): ProcNode {
  const resolve = (actor: Actor): Dentry | number => {
    if (!mayInspect(actor, task)) return -EACCES;
    return target() ?? -ENOENT;
  };
  return {
    mode: S_IFLNK | permissions,
    owner: task,
    size: permissions === 0o777 ? 0 : LINK_SIZE,
    ops: {
      jump: (_inode, actor) => resolve(actor),
      readlink: (_inode, actor) => {
        const dentry = resolve(actor);
        return typeof dentry === "number" ? dentry : dPath(dentry);
      },
    },
  };
}

/**
 * fd: a link for each descriptor; what it may be used for shows in its permissions. Its size is how many there are. The process
 * itself gets in, also where it belongs to root because nobody may look into the process (proc_fd_permission).
 */
export function fdDirectory(task: ProcTask, thread: ThreadActivity | undefined): ProcNode {
  const filesOf = (): Map<string, File> =>
    hasExited(task, thread)
      ? new Map()
      : new Map([...task.files.entries()].map(([fd, file]) => [String(fd), file]));
  const directory: ProcDirectory = {
    find: (name) => {
      const file = filesOf().get(name);
      return file === undefined ? undefined : { key: file, node: () => fdLink(task, file) };
    },
    names: () => [...filesOf().keys()],
  };
  const permits = (_inode: Inode, { pid }: Actor): boolean => pid === task.pid;
  return { ...directoryNode(directory, 0o500, task), size: () => filesOf().size, ops: { permits } };
}

function fdLink(task: ProcTask, file: File): ProcNode {
  return objectLink(task, () => file.dentry, 0o100 | modeBits(file));
}

/** map_files: a link for each mapping of a file, called by its addresses. Only root may follow them. */
export function mapFilesDirectory(task: ProcTask, thread: ThreadActivity | undefined): ProcNode {
  const find = (name: string): File | null => {
    const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+)$/.exec(name) ?? [];
    if (start === undefined || end === undefined) return null;
    const vma = mmOf(task, thread)?.vmas.lookup(Number.parseInt(start, 16)) ?? null;
    if (vma === null || vma.file === null || `${hex(vma.start)}-${hex(vma.end)}` !== name) return null;
    return fileOf(vma);
  };
  return directoryNode(
    {
      find: (name) => {
        const file = find(name);
        return file === null ? undefined : { key: file, node: () => mapFileLink(task, file) };
      },
      names: () => {
        const names: string[] = [];
        for (const vma of mmOf(task, thread)?.vmas ?? []) {
          if (vma.file !== null) names.push(`${hex(vma.start)}-${hex(vma.end)}`);
        }
        return names;
      },
    },
    0o500,
    task,
  );
}

function mapFileLink(task: ProcTask, file: File): ProcNode {
  const link = objectLink(task, () => file.dentry, modeBits(file));
  return {
    ...link,
    ops: {
      ...link.ops,
      jump: (_inode, actor) =>
        capable(actor, CAP_SYS_ADMIN) || capable(actor, CAP_CHECKPOINT_RESTORE) ? file.dentry : -EPERM,
    },
  };
}

/** Permission bits of a link's owner for what the file was opened for. */
function modeBits(file: File): number {
  return ((file.mode & FMODE_READ) !== 0 ? 0o400 : 0) | ((file.mode & FMODE_WRITE) !== 0 ? 0o200 : 0);
}
