/** Files that only descriptors lead to: the event files, each a kind of its own of one pseudo file system (anon_inodefs). */
import { O_RDWR } from "../../mm/uapi/fcntl.ts";
import { ANON_INODE_FS_MAGIC } from "../../mm/uapi/fs.ts";
import { newPseudoDentry } from "../../mm/vfs/dentry.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "../../mm/vfs/file.ts";
import { Inode } from "../../mm/vfs/inode.ts";
import type { MountNamespace } from "../../mm/vfs/mount.ts";
import { type PseudoSuperBlock, pseudoFs } from "../../mm/vfs/pseudo-fs.ts";

const anonInodeFs = pseudoFs("anon_inodefs", ANON_INODE_FS_MAGIC, 0, {});

/** A new file with one reference. @param flags O_NONBLOCK, or nothing */
export function newAnonymousFile(
  mounts: MountNamespace,
  name: string,
  ops: FileOperations,
  flags: number,
  data: unknown,
): File {
  const sb = mounts.kernMount(anonInodeFs) as PseudoSuperBlock;
  const inode = new Inode(sb, sb.nextIno++, 0o600, {}, ops);
  const dentry = newPseudoDentry("", inode, `anon_inode:[${name}]`);
  const file = new File(dentry, inode, FMODE_READ | FMODE_WRITE, O_RDWR | flags, 0);
  file.data = data;
  return file;
}
