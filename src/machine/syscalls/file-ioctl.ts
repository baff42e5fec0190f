/**
 * ioctls that the kernel answers for every file, before what the file is has a say (do_vfs_ioctl in fs/ioctl.c).
 *
 * ```
 *   struct space_resv           0 type (2)   2 whence (2)   8 start   16 length                              48 bytes
 *   struct file_clone_range     0 source's descriptor   8 from   16 length   24 to                           32 bytes
 *   struct file_dedupe_range    0 from   8 length   16 count (2)   18 0 (6)   24 targets, 32 bytes each
 * ```
 *
 * No file system here has blocks that files could share, tells where they lie or can be frozen: these calls are answered as
 * for one that has not.
 */

import { PAGE_SIZE } from "../../mm/page.ts";
import { genericFileRwChecks } from "../../mm/syscalls/copy-file-range.ts";
import { fdGet } from "../../mm/syscalls/fd.ts";
import { sysFallocate } from "../../mm/syscalls/file-size.ts";
import { CAP_SYS_ADMIN, CAP_SYS_RAWIO } from "../../mm/uapi/capability.ts";
import {
  EBADF,
  EFAULT,
  EINVAL,
  EISDIR,
  ENOMEM,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
  EXDEV,
} from "../../mm/uapi/errno.ts";
import { S_IFLNK, S_IFMT, SEEK_CUR, SEEK_END, SEEK_SET } from "../../mm/uapi/fcntl.ts";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  FIONREAD,
} from "../../mm/uapi/fs.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { type File, FMODE_READ } from "../../mm/vfs/file.ts";
import { isDir, isReg } from "../../mm/vfs/inode.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call } from "./call.ts";

const FIBMAP = 0x0001;
const FIGETBSZ = 0x0002;
const FIOQSIZE = 0x5460;
const FIFREEZE = 0xc0045877;
const FITHAW = 0xc0045878;
const FICLONE = 0x40049409;
const FICLONERANGE = 0x4020940d;
const FIDEDUPERANGE = 0xc0189436;
const FS_IOC_FIEMAP = 0xc020660b;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_IOC_FSSETXATTR = 0x401c5820;
const FS_IOC_RESVSP = 0x40305828;
const FS_IOC_UNRESVSP = 0x40305829;
const FS_IOC_RESVSP64 = 0x4030582a;
const FS_IOC_UNRESVSP64 = 0x4030582b;
const FS_IOC_ZERO_RANGE = 0x40305839;

const FSXATTR_BYTES = 28;
const SPACE_RESV_BYTES = 48;
const CLONE_RANGE_BYTES = 32;
const DEDUPE_RANGE_BYTES = 24;
const DEDUPE_TARGET_BYTES = 32;
const BLOCK_BYTES = 512;

/** Modes of fallocate, by the ioctl of XFS that meant it first. */
const ALLOCATIONS: ReadonlyMap<number, number> = new Map([
  [FS_IOC_RESVSP, 0],
  [FS_IOC_RESVSP64, 0],
  [FS_IOC_UNRESVSP, FALLOC_FL_PUNCH_HOLE],
  [FS_IOC_UNRESVSP64, FALLOC_FL_PUNCH_HOLE],
  [FS_IOC_ZERO_RANGE, FALLOC_FL_ZERO_RANGE],
]);

/** What the ioctl answers, undefined where that is the file's to say. */
export function fileIoctl(call: Call, file: File, cmd: number): number | undefined {
  const { inode } = file;
  const isPlain = isReg(inode) && !inode.isAnon;
  const at = call.u64(2);
  switch (cmd) {
    case FIOQSIZE:
      if (!isPlain && !isDir(inode) && (inode.mode & S_IFMT) !== S_IFLNK) return -ENOTTY;
      return call.put(at, new StructView(8).put64(0, inode.blocks * BLOCK_BYTES).bytes);
    case FIFREEZE:
      return capable(call.process, CAP_SYS_ADMIN) ? -EOPNOTSUPP : -EPERM;
    case FITHAW:
      return capable(call.process, CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
    case FS_IOC_FIEMAP:
      return -EOPNOTSUPP;
    case FIGETBSZ:
      return call.put(at, new StructView(4).put32(0, inode.sb.hugePageSize ?? PAGE_SIZE).bytes);
    case FICLONE:
      return cloneFrom(call, call.s32(2), file);
    case FICLONERANGE: {
      const range = call.get(at, CLONE_RANGE_BYTES);
      return range === undefined ? -EFAULT : cloneFrom(call, range.s32(0), file);
    }
    case FIDEDUPERANGE:
      return dedupeRange(call, file, at);
    case FS_IOC_SETFLAGS:
      return call.get(at, 4) === undefined ? -EFAULT : undefined;
    case FS_IOC_FSSETXATTR:
      return call.get(at, FSXATTR_BYTES) === undefined ? -EFAULT : undefined;
    case FIONREAD:
      if (!isPlain) return undefined;
      return call.put(at, new StructView(4).put32(0, inode.size - file.pos).bytes);
    case FIBMAP:
      return isPlain ? blockOf(call, at) : undefined;
    default: {
      const mode = ALLOCATIONS.get(cmd);
      return mode === undefined || !isPlain ? undefined : allocate(call, file, at, mode);
    }
  }
}

/** The target is to share the blocks of the file at `fd` (ioctl_file_clone). */
function cloneFrom(call: Call, fd: number, target: File): number {
  const source = fdGet(call.process, fd);
  if (source === undefined) return -EBADF;
  if (source.inode.sb !== target.inode.sb) return -EXDEV;
  const refused = genericFileRwChecks(source, target);
  return refused === 0 ? -EOPNOTSUPP : refused;
}

/** What is the same in other files is to share the blocks of this one (ioctl_file_dedupe_range, vfs_dedupe_file_range). */
function dedupeRange(call: Call, source: File, at: number): number {
  const count = call.get(at + 16, 2);
  if (count === undefined) return -EFAULT;
  const size = DEDUPE_RANGE_BYTES + count.u16(0) * DEDUPE_TARGET_BYTES;
  if (size > PAGE_SIZE) return -ENOMEM;
  const range = call.get(at, size);
  if (range === undefined) return -EFAULT;
  if ((source.mode & FMODE_READ) === 0 || range.u16(18) !== 0 || range.u32(20) !== 0) return -EINVAL;
  if (isDir(source.inode)) return -EISDIR;
  return isReg(source.inode) ? -EOPNOTSUPP : -EINVAL;
}

/** Where a block of the file lies on its disk (ioctl_fibmap): it is told 0 and an error, there being no disk. */
function blockOf(call: Call, at: number): number {
  if (!capable(call.process, CAP_SYS_RAWIO)) return -EPERM;
  const block = call.get(at, 4);
  if (block === undefined) return -EFAULT;
  if (block.s32(0) < 0) return -EINVAL;
  return call.put(at, new Uint8Array(4)) < 0 ? -EFAULT : -EINVAL;
}

/** fallocate by the older name (ioctl_preallocate). */
function allocate(call: Call, file: File, at: number, mode: number): number {
  const range = call.get(at, SPACE_RESV_BYTES);
  if (range === undefined) return -EFAULT;
  const bases = new Map([
    [SEEK_SET, 0],
    [SEEK_CUR, file.pos],
    [SEEK_END, file.inode.size],
  ]);
  const base = bases.get(range.u16(2));
  if (base === undefined) return -EINVAL;
  const start = base + range.s64(8);
  return sysFallocate(call.process, call.s32(0), mode | FALLOC_FL_KEEP_SIZE, start, range.s64(16));
}
