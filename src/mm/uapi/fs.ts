/** Constants of file calls beyond open: seals, fallocate, rename, poll, device numbers (include/uapi/linux/*.h). */

export const F_SETPIPE_SZ = 1031;
export const F_GETPIPE_SZ = 1032;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;

export const F_SEAL_SEAL = 0x0001;
export const F_SEAL_SHRINK = 0x0002;
export const F_SEAL_GROW = 0x0004;
export const F_SEAL_WRITE = 0x0008;
export const F_SEAL_FUTURE_WRITE = 0x0010;
export const F_SEAL_EXEC = 0x0020;
export const F_ALL_SEALS = 0x003f;

export const FALLOC_FL_ALLOCATE_RANGE = 0x00;
export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_COLLAPSE_RANGE = 0x08;
export const FALLOC_FL_ZERO_RANGE = 0x10;
export const FALLOC_FL_INSERT_RANGE = 0x20;
export const FALLOC_FL_UNSHARE_RANGE = 0x40;
export const FALLOC_FL_WRITE_ZEROES = 0x80;

/** Flags of preadv2 and pwritev2 for one transfer. */
export const RWF_HIPRI = 0x001;
export const RWF_DSYNC = 0x002;
export const RWF_SYNC = 0x004;
export const RWF_NOWAIT = 0x008;
export const RWF_APPEND = 0x010;
export const RWF_NOAPPEND = 0x020;
export const RWF_ATOMIC = 0x040;
export const RWF_DONTCACHE = 0x080;
export const RWF_NOSIGNAL = 0x100;

export const SPLICE_F_MOVE = 0x01;
export const SPLICE_F_NONBLOCK = 0x02;
export const SPLICE_F_MORE = 0x04;
export const SPLICE_F_GIFT = 0x08;

export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;
export const RENAME_WHITEOUT = 4;

export const AT_EACCESS = 0x200;

export const R_OK = 4;
export const W_OK = 2;
export const X_OK = 1;
export const F_OK = 0;

/** tv_nsec of utimensat: the present time, and leave it alone. */
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

export const POLLIN = 0x0001;
export const POLLPRI = 0x0002;
export const POLLOUT = 0x0004;
export const POLLERR = 0x0008;
export const POLLHUP = 0x0010;
export const POLLNVAL = 0x0020;
export const POLLRDNORM = 0x0040;
export const POLLRDBAND = 0x0080;
export const POLLWRNORM = 0x0100;
export const POLLWRBAND = 0x0200;
export const POLLRDHUP = 0x2000;
/** What a file that can't be polled is always ready for. */
export const DEFAULT_POLLMASK: number = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

export const FIONREAD = 0x541b;
export const FIONBIO = 0x5421;
export const FIONCLEX = 0x5450;
export const FIOCLEX = 0x5451;

/** st_mode bits that chmod and open may set (S_IALLUGO). */
export const S_IALLUGO = 0o7777;

export const TMPFS_MAGIC = 0x01021994;
export const HUGETLBFS_MAGIC = 0x958458f6;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const PROC_SUPER_MAGIC = 0x9fa0;
export const PIPEFS_MAGIC = 0x50495045;
export const SOCKFS_MAGIC = 0x534f434b;
export const SYSFS_MAGIC = 0x62656572;
export const PID_FS_MAGIC = 0x50494446;
export const ANON_INODE_FS_MAGIC = 0x09041934;

/** A device number as stat reports it (new_encode_dev). */
export function makedev(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}

export function majorOf(dev: number): number {
  return (dev >> 8) & 0xfff;
}

export function minorOf(dev: number): number {
  return (dev & 0xff) | ((dev >> 12) & 0xfff00);
}
