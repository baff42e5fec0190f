/** The time stamps that using a file leaves on its inode (fs/inode.c: touch_atime with relatime, file_update_time). */
import { O_NOATIME } from "../uapi/fcntl.ts";
import { I_DIRTY_SYNC, markInodeDirty } from "../vfs/backing-dev.ts";
import type { File } from "../vfs/file.ts";
import type { Inode } from "../vfs/inode.ts";

const DAY_NS: number = 24 * 3600 * 1e9;

/**
 * The file was read or mapped. As mounts do by default (relatime), the access time follows only when it is not newer
 * than the last change, or a day old.
 */
export function fileAccessed(file: File): void {
  if ((file.flags & O_NOATIME) !== 0) return;
  const { inode } = file;
  const now = inode.sb.now();
  const { atimeNs } = inode;
  if (atimeNs <= inode.mtimeNs || atimeNs <= inode.ctimeNs || now - atimeNs >= DAY_NS) inode.atimeNs = now;
}

/** The file's content is about to change. */
export function fileUpdateTime(inode: Inode): void {
  const now = inode.sb.now();
  inode.mtimeNs = now;
  inode.ctimeNs = now;
  if (inode.sb.writeInode !== undefined) markInodeDirty(inode, I_DIRTY_SYNC);
}
