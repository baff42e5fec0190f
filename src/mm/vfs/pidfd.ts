/**
 * pidfds: descriptors that stand for processes, or for single threads (fs/pidfs.c).
 *
 * A process number may belong to somebody else by the time it is used. A pidfd goes on to mean the process that it was
 * opened for: while that runs, when it is a zombie, and when it was waited for and only its pidfds remember it. Such a
 * file can't be read or written. It becomes readable when the process ends, so that poll can wait for that.
 *
 * All pidfds of a process share one inode, by whose number two of them can be compared. Its first thread has that one, too, and
 * ends when the process does: of it PIDFD_THREAD says only whom signals are for. Other threads have one of their own.
 */
import { O_RDWR, S_IFREG } from "../uapi/fcntl.ts";
import { PID_FS_MAGIC, POLLHUP, POLLIN, POLLRDNORM } from "../uapi/fs.ts";
import { PIDFD_NONBLOCK, PIDFD_THREAD } from "../uapi/pidfd.ts";
import { anonInodeSetattr } from "./attributes.ts";
import { newPseudoDentry } from "./dentry.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "./file.ts";
import { Inode } from "./inode.ts";
import type { MountNamespace } from "./mount.ts";
import { PollQueue } from "./poll-queue.ts";
import { type PseudoSuperBlock, pseudoFs } from "./pseudo-fs.ts";

/** What a pidfd needs to know of its process, or of its thread. */
export interface PidfdTarget {
  /** The process whose thread it is; absent where it is a process. */
  readonly threadOf?: PidfdTarget;
  readonly pid: number;
  /** Wait status once it has ended, null while it lives. */
  readonly exitStatus: number | null;
  /** It was waited for, or is a thread that has ended: nothing of it is left. */
  readonly isReaped: boolean;
  /** Told when it ends. */
  readonly exitQueue: PollQueue;
}

const targets: WeakMap<Inode, PidfdTarget> = new WeakMap();
const inodes: WeakMap<PidfdTarget, Inode> = new WeakMap();

/** The process or thread that a file stands for; undefined: it is no pidfd. */
export function pidfdTarget(file: File): PidfdTarget | undefined {
  return targets.get(file.inode);
}

const directories: WeakMap<Inode, PidfdTarget> = new WeakMap();

/** The inode is the directory in /proc of a process, or of a thread by its number there, which pidfd_send_signal takes for a pidfd, too (tgid_pidfd_to_pid). */
export function setProcessDirectory(inode: Inode, target: PidfdTarget): void {
  directories.set(inode, target);
}

/** The process or thread whose directory in /proc a file is. */
export function processOfDirectory(file: File): PidfdTarget | undefined {
  return directories.get(file.inode);
}

const pidfdOps: FileOperations = {
  llseek: null,
  poll: (file) => {
    const target = targets.get(file.inode);
    if (target === undefined || target.isReaped) return POLLIN | POLLRDNORM | POLLHUP;
    return target.exitStatus === null ? 0 : POLLIN | POLLRDNORM;
  },
  pollQueue: (file) => targets.get(file.inode)?.exitQueue ?? new PollQueue(),
  showFdinfo: (file) => {
    const target = targets.get(file.inode);
    const pid = target === undefined || target.isReaped ? -1 : target.pid;
    return `Pid:\t${pid}\nNSpid:\t${pid}\n`;
  },
};

const pidFs = pseudoFs("pidfs", PID_FS_MAGIC, S_IFREG, pidfdOps);

/** A new description for the process or thread, with one reference. @param flags PIDFD_NONBLOCK, PIDFD_THREAD */
export function newPidfd(mounts: MountNamespace, target: PidfdTarget, flags: number): File {
  const inode = inodes.get(target) ?? newInode(mounts, target);
  const dentry = newPseudoDentry("", inode, "anon_inode:[pidfd]");
  const kept = flags & (PIDFD_NONBLOCK | PIDFD_THREAD);
  return new File(dentry, inode, FMODE_READ | FMODE_WRITE, O_RDWR | kept, 0);
}

function newInode(mounts: MountNamespace, target: PidfdTarget): Inode {
  const sb = mounts.kernMount(pidFs) as PseudoSuperBlock;
  const inode = new Inode(sb, sb.nextIno++, S_IFREG | 0o700, { setattr: anonInodeSetattr }, pidfdOps);
  // Programs that list open files expect no file type.
  inode.isAnon = true;
  inode.atimeNs = sb.now();
  inode.mtimeNs = inode.atimeNs;
  inode.ctimeNs = inode.atimeNs;
  targets.set(inode, target);
  inodes.set(target, inode);
  return inode;
}
