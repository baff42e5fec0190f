/**
 * Regular files of the host: opening and closing, size and attributes, fsync.
 *
 * Bytes go through the page cache and reach the host by write-back: at fsync and msync, when memory runs short, and at
 * the latest when the last open file of the inode goes. So the host descriptor lives exactly as long as files are open,
 * and a closed file is complete on the host. Sizes that ftruncate sets go through at once.
 */
import fs from "node:fs";
import { filemapDirectRead, filemapDirectWrite } from "../../mm/filemap/direct-io.ts";
import { genericFileRead, genericSpliceRead } from "../../mm/filemap/filemap.ts";
import { genericFileMmap } from "../../mm/filemap/filemap-fault.ts";
import { writebackSingleInode } from "../../mm/filemap/flusher.ts";
import { genericFileWrite } from "../../mm/filemap/generic-write.ts";
import { truncateInodePages, truncateSetsize } from "../../mm/filemap/truncate.ts";
import { fileWriteAndWaitRange } from "../../mm/filemap/writeback.ts";
import { EOPNOTSUPP } from "../../mm/uapi/errno.ts";
import { O_DIRECT } from "../../mm/uapi/fcntl.ts";
import { RWF_NOWAIT } from "../../mm/uapi/fs.ts";
import { errseqUntold } from "../../mm/vfs/errseq.ts";
import { type File, type FileOperations, FMODE_WRITE } from "../../mm/vfs/file.ts";
import type { AttributeChange, Inode, InodeOperations } from "../../mm/vfs/inode.ts";
import { isLnk, isReg } from "../../mm/vfs/inode.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import { hostDo } from "./host-error.ts";
import { isFdPath, nodeInode } from "./host-tree.ts";
import { nodeFallocate } from "./node-fallocate.ts";
import type { NodeInode } from "./node-inode.ts";

/** In File.data: this file counts in `openFiles`. */
const OPENED = Symbol("opened");

function openRegular(opened: Inode, file: File): number {
  const inode = nodeInode(opened);
  const failed = acquireFd(inode, (file.mode & FMODE_WRITE) !== 0);
  if (failed !== 0) return failed;
  inode.openFiles++;
  file.data = OPENED;
  return getattr(inode);
}

/** Makes sure that the inode has a host descriptor, one that can write where that is wanted. 0 or negative errno. */
function acquireFd(inode: NodeInode, wantsWrite: boolean): number {
  if (inode.fd >= 0 && (inode.fdWritable || !wantsWrite)) return 0;
  const fd = inode.sb.tree.open(inode, wantsWrite ? fs.constants.O_RDWR : fs.constants.O_RDONLY);
  if (fd < 0) return fd;
  holdFd(inode, fd, wantsWrite);
  return 0;
}

/** Inodes that may have changes which the host has not: those with a descriptor for writing. */
const writableInodes = new Set<NodeInode>();

/** Makes `fd` the inode's host descriptor, in place of the one that it has. */
export function holdFd(inode: NodeInode, fd: number, isWritable: boolean): void {
  closeFd(inode);
  inode.fd = fd;
  inode.fdWritable = isWritable;
  if (!isWritable) return;
  if (writableInodes.size === 0) process.once("exit", writeBackAtExit);
  writableInodes.add(inode);
}

/** A program of the host's that ends without closing its mappings loses nothing, as it would not on Linux. */
function writeBackAtExit(): void {
  for (const inode of writableInodes) {
    try {
      writeBack(inode);
    } catch {
      // The others still can be written; there is nobody left to tell.
    }
  }
}

/** Closes the host descriptor, if there is one. */
export function closeFd(inode: NodeInode): void {
  if (inode.fd >= 0) fs.closeSync(inode.fd);
  inode.fd = -1;
  inode.fdWritable = false;
  if (writableInodes.delete(inode) && writableInodes.size === 0) process.off("exit", writeBackAtExit);
}

function releaseRegular(file: File): void {
  if (file.data !== OPENED) return;
  const inode = nodeInode(file.inode);
  if (--inode.openFiles > 0) return;
  // What has no name any more ends here, and need not be written.
  if (inode.nlink > 0) {
    writeBack(inode);
    // The next who opens the file hears of an error, and if there is none, the next sync of everything.
    inode.sb.noteUntoldError(errseqUntold(inode.mapping?.wbErr ?? 0));
  }
  closeFd(inode);
}

/** Brings everything that the guest changed to the host. 0 or the first negative errno. */
export function writeBack(inode: NodeInode): number {
  if (inode.fd < 0 || inode.mapping?.phys.hasPanicked === true) return 0;
  return writebackSingleInode(inode);
}

/** Brings size and times to the host, the pages being there already. A host that refuses them keeps its own. */
export function writeInode(inode: NodeInode): void {
  if (inode.fd < 0) return;
  if (inode.fdWritable && inode.size !== inode.hostSize) extendHost(inode);
  flushTimes(inode);
}

/** A file can have grown without a page to write: by a write beyond its end whose source was bad. */
function extendHost(inode: NodeInode): void {
  hostDo(() => {
    if (fs.fstatSync(inode.fd).size < inode.size) fs.ftruncateSync(inode.fd, inode.size);
  });
}

/** Write-back moved the host's mtime: puts the guest's there, which is when the bytes really changed. */
function flushTimes(inode: NodeInode): void {
  if (!inode.fdWritable || !inode.isNewerThanHost) return;
  // A file of somebody else's keeps the host's time.
  hostDo(() => fs.futimesSync(inode.fd, hostSeconds(inode.atimeNs), hostSeconds(inode.mtimeNs)));
  const stats = inode.sb.tree.stat(inode);
  if (typeof stats !== "number") inode.agree(stats);
}

/**
 * Seconds for Node, which cuts what is behind the point to whole microseconds, or leaves it as exact as a double is (Node 24):
 * the smallest number that gives the right microsecond, and so nothing on top that would show. As a text, since it takes
 * a number below 0 for the present.
 */
function hostSeconds(timeNs: number): string {
  const microseconds = Math.round(timeNs / 1000);
  const whole = Math.floor(microseconds / 1e6);
  const part = microseconds - whole * 1e6;
  let seconds = whole + part / 1e6;
  while (Math.trunc((seconds - whole) * 1e9) < part * 1000) seconds += Math.abs(seconds) * Number.EPSILON;
  return `${seconds}`;
}

function fsyncRegular(file: File, start: number, end: number, datasync: boolean): number {
  const inode = nodeInode(file.inode);
  const failed = fileWriteAndWaitRange(file, start, end);
  flushTimes(inode);
  if (inode.fd < 0) return failed;
  const stuck = hostDo(() => (datasync ? fs.fdatasyncSync(inode.fd) : fs.fsyncSync(inode.fd)));
  return failed !== 0 ? failed : stuck;
}

/** Attributes as the host has them now, where the guest has nothing newer. */
function getattr(at: Inode): number {
  const inode = nodeInode(at);
  const stats = inode.sb.tree.stat(inode);
  // Where another process removed it, what was last known has to do.
  if (typeof stats !== "number") inode.refresh(stats);
  return 0;
}

function setattr(at: Inode, change: AttributeChange): number {
  const inode = nodeInode(at);
  if (change.size !== undefined) {
    const failed = resize(inode, change.size);
    if (failed !== 0) return failed;
  }
  const failed = setOwnerAndMode(inode, change);
  if (failed !== 0) return failed;
  return setTimes(inode, change);
}

/** The host's file first: if it refuses, nothing has happened. @param zeroTo see truncateSetsize */
function resize(inode: NodeInode, size: number, zeroTo: number = Number.POSITIVE_INFINITY): number {
  const hadFd = inode.fd >= 0;
  let failed = acquireFd(inode, /* wantsWrite */ true);
  if (failed !== 0) return failed;
  failed = hostDo(() => fs.ftruncateSync(inode.fd, size));
  if (failed === 0) {
    inode.hostTimesStale = true;
    truncateSetsize(inode, size, zeroTo);
    inode.hostSize = size;
    // Also where the size stays as it was (ext4_truncate).
    inode.mtimeNs = inode.sb.now();
    inode.ctimeNs = inode.mtimeNs;
    flushTimes(inode);
  }
  if (!hadFd) closeFd(inode);
  return failed;
}

function setOwnerAndMode(inode: NodeInode, change: AttributeChange): number {
  const { mode, uid, gid } = change;
  if (mode === undefined && uid === undefined && gid === undefined) return 0;
  const failed = inode.sb.tree.withNode(inode, (path) => {
    const owner = [uid ?? inode.uid, gid ?? inode.gid] as const;
    if (uid !== undefined || gid !== undefined) {
      // A held descriptor of a link is the link; a path has to say that it means it.
      if (isLnk(inode) && !isFdPath(path)) fs.lchownSync(path, ...owner);
      else fs.chownSync(path, ...owner);
    }
    if (mode !== undefined) fs.chmodSync(path, mode);
  });
  return failed !== 0 ? failed : getattr(inode);
}

function setTimes(inode: NodeInode, change: AttributeChange): number {
  const { atimeNs, mtimeNs } = change;
  if ((atimeNs === undefined && mtimeNs === undefined) || change.size !== undefined) {
    if (mtimeNs !== undefined) inode.mtimeNs = mtimeNs;
    return 0;
  }
  const atime = hostSeconds(atimeNs ?? inode.atimeNs);
  const mtime = hostSeconds(mtimeNs ?? inode.mtimeNs);
  const failed = inode.sb.tree.withNode(inode, (path) => {
    if (isLnk(inode) && !isFdPath(path)) fs.lutimesSync(path, atime, mtime);
    else fs.utimesSync(path, atime, mtime);
  });
  if (failed !== 0) return failed;
  const stats = inode.sb.tree.stat(inode);
  if (typeof stats === "number") return stats;
  // The host's resolution is what stays.
  inode.atimeNs = Number(stats.atimeNs);
  inode.mtimeNs = Number(stats.mtimeNs);
  inode.ctimeNs = Number(stats.ctimeNs);
  inode.agree(stats);
  return 0;
}

/** Nobody names or holds the inode any more: forget it. */
function evict(at: Inode): void {
  const inode = nodeInode(at);
  closeFd(inode);
  // A directory stays held for a while: it may be somebody's working directory, under whatever name the host has for it.
  inode.sb.forget(inode);
  if (inode.mapping === null) return;
  truncateInodePages(inode.mapping, 0);
  inode.mapping.destroy();
  inode.mapping = null;
}

/** Unit of transfers with O_DIRECT, as disks have it. */
const SECTOR_BYTES = 512;

function readRegular(file: File, to: IovIter, pos: number, rwf = 0): number {
  if ((file.flags & O_DIRECT) !== 0) return filemapDirectRead(file, to, pos, SECTOR_BYTES);
  return genericFileRead(file, to, pos, rwf);
}

/** As ext4's: RWF_NOWAIT is for O_DIRECT only. What is appended goes behind what others have appended on the host. */
function writeRegular(file: File, from: IovIter, pos: number, rwf = 0): number {
  if ((file.flags & O_DIRECT) !== 0) {
    const bytes = filemapDirectWrite(file, from, pos, SECTOR_BYTES);
    if (bytes !== undefined) return bytes;
  }
  return (rwf & RWF_NOWAIT) !== 0 ? -EOPNOTSUPP : genericFileWrite(file, from, pos, rwf);
}

function fallocateRegular(
  file: File,
  mode: number,
  offset: number,
  len: number,
  limit = Number.POSITIVE_INFINITY,
): number {
  const inode = nodeInode(file.inode);
  return nodeFallocate(inode, mode, offset, len, limit, (size) => resize(inode, size, /* zeroTo */ size));
}

/** What every inode can do. */
export const nodeInodeOps: InodeOperations = { getattr, setattr, evict };

export const regularInodeOps: InodeOperations = { ...nodeInodeOps, open: openRegular };

export const regularFileOps: FileOperations = {
  takesRwf: true,
  canNowait: true,
  canDirect: true,
  dropsBehind: true,
  read: readRegular,
  write: writeRegular,
  spliceRead: genericSpliceRead,
  spliceWrite: "write",
  fallocate: fallocateRegular,
  mmap: genericFileMmap,
  fsync: fsyncRegular,
  release: releaseRegular,
};

/** Whether write-back may find anything to do. */
export function isOpenRegular(inode: NodeInode): boolean {
  return isReg(inode) && inode.fd >= 0;
}
