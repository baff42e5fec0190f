/** Who may use an object of System V IPC, and how (ipc/util.c): owner, group and others, as with files, but with two owners. */

import { CAP_IPC_OWNER, CAP_SYS_ADMIN } from "../uapi/capability.ts";
import { EINVAL } from "../uapi/errno.ts";
import { capable } from "../vfs/capability.ts";
import { type Credentials, isInGroup } from "../vfs/inode.ts";

/** Read, write and execute for owner, group and others (S_IRWXUGO): what of a mode can be set. */
export const PERMISSION_BITS = 0o777;
export const S_IRUGO = 0o444;
export const S_IWUGO = 0o222;
export const S_IXUGO = 0o111;

/** What every object has (struct kern_ipc_perm). */
export abstract class KernIpcPerm {
  /** What programs call it by: the number of its slot with `seq` above it. IpcIds gives both. */
  id = -1;
  seq = 0;
  /** What the objects are found by; IPC_PRIVATE: by their id alone. */
  key: number;
  uid: number;
  gid: number;
  /** Who made it: an owner for ever. */
  readonly cuid: number;
  readonly cgid: number;
  /** Permission bits, and flags above them (SHM_DEST, SHM_LOCKED). */
  mode: number;

  constructor(key: number, mode: number, maker: Credentials) {
    this.key = key;
    this.mode = mode;
    this.uid = maker.uid;
    this.gid = maker.gid;
    this.cuid = maker.uid;
    this.cgid = maker.gid;
  }
}

/** What IPC_SET changes. */
export interface IpcChange {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** (uid_t) −1: nobody. */
const INVALID_ID = 0xffffffff;

/** Whether `who` may do what the bits of `flags` ask for, be they given for owner, group or others (ipcperms). */
export function ipcPermits(who: Credentials, object: KernIpcPerm, flags: number): boolean {
  const requested = (flags >> 6) | (flags >> 3) | flags;
  let granted = object.mode;
  if (who.uid === object.cuid || who.uid === object.uid) granted >>= 6;
  else if (isInGroup(who, object.cgid) || isInGroup(who, object.gid)) granted >>= 3;
  // CAP_IPC_OWNER comes last, for it should not count as used where it was not needed.
  return (requested & ~granted & 7) === 0 || capable(who, CAP_IPC_OWNER);
}

/** Whether `who` owns the object, or may act as if (ipcctl_obtain_check, CAP_SYS_ADMIN): for IPC_SET and IPC_RMID. */
export function isIpcOwner(who: Credentials, object: KernIpcPerm): boolean {
  return who.uid === object.cuid || who.uid === object.uid || capable(who, CAP_SYS_ADMIN);
}

/** IPC_SET: another owner and other permissions. 0 or -EINVAL (ipc_update_perm). */
export function updateIpcPerm(object: KernIpcPerm, { uid, gid, mode }: IpcChange): number {
  if (uid >>> 0 === INVALID_ID || gid >>> 0 === INVALID_ID) return -EINVAL;
  object.uid = uid >>> 0;
  object.gid = gid >>> 0;
  object.mode = (object.mode & ~PERMISSION_BITS) | (mode & PERMISSION_BITS);
  return 0;
}
