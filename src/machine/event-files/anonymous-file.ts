/** Files that only descriptors lead to: the event files, each a kind of its own of one pseudo file system (anon_inodefs). */
import { ENXIO } from "../../mm/uapi/errno.ts";
import { O_RDWR } from "../../mm/uapi/fcntl.ts";
import { ANON_INODE_FS_MAGIC } from "../../mm/uapi/fs.ts";
import { anonInodeSetattr } from "../../mm/vfs/attributes.ts";
import { newPseudoDentry } from "../../mm/vfs/dentry.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "../../mm/vfs/file.ts";
import { Inode, type InodeOperations } from "../../mm/vfs/inode.ts";
import type { MountNamespace } from "../../mm/vfs/mount.ts";
import { type PseudoSuperBlock, pseudoFs } from "../../mm/vfs/pseudo-fs.ts";

const anonInodeFs = pseudoFs("anon_inodefs", ANON_INODE_FS_MAGIC, 0, {});

/** Nothing about them can be set (anon_inode_setattr), and by their names in /proc/PID/fd they can't be opened (no_open). */
const inodeOps: InodeOperations = { setattr: anonInodeSetattr, open: () => -ENXIO };

/** A new file with one reference. @param flags O_NONBLOCK, or nothing */
export function newAnonymousFile(
  mounts: MountNamespace,
  name: string,
  ops: FileOperations,
  flags: number,
  data: unknown,
): File {
  const sb = mounts.kernMount(anonInodeFs) as PseudoSuperBlock;
  const inode = new Inode(sb, sb.nextIno++, 0o600, inodeOps, {});
  const dentry = newPseudoDentry("", inode, `anon_inode:[${name}]`);
  const file = new File(dentry, inode, FMODE_READ | FMODE_WRITE, O_RDWR | flags, 0, ops);
  file.data = data;
  return file;
}
