/** One segment of System V shared memory (struct shmid_kernel): a file of shmem without a name, and who has it. */
import type { File } from "../vfs/file.ts";
import type { Credentials } from "../vfs/inode.ts";
import { KernIpcPerm } from "./ipc-permission.ts";

/** What IPC_STAT tells (struct shmid64_ds). Times are in seconds since the epoch. */
export interface ShmidDs extends Readonly<KernIpcPerm> {
  /** Bytes, as shmget was asked for. */
  readonly segsz: number;
  /** The last attachment, the last detachment, the last change of owner or permissions; 0: never. */
  readonly atime: number;
  readonly dtime: number;
  readonly ctime: number;
  /** Who made it; who attached or detached it last. */
  readonly cpid: number;
  readonly lpid: number;
  /** Mappings that show it: as many as the pieces that an attachment was split into. */
  readonly nattch: number;
}

export class ShmSegment extends KernIpcPerm implements ShmidDs {
  readonly segsz: number;
  atime = 0;
  dtime = 0;
  ctime: number;
  readonly cpid: number;
  lpid = 0;
  nattch = 0;
  /** The memory, with a reference held until the segment ends; attachments have files of their own (shm-attachment.ts). */
  readonly file: File;
  /** The process that made it, as long as that lives. */
  creator: object | null;
  /** The user whose RLIMIT_MEMLOCK is charged while SHM_LOCKED is set. */
  lockUser: number | null = null;

  /** Its memory consists of huge pages. */
  get isHuge(): boolean {
    return this.file.inode.sb.hugePageSize !== undefined;
  }

  constructor(
    key: number,
    mode: number,
    size: number,
    file: File,
    creator: Credentials & { readonly pid: number },
    seconds: number,
  ) {
    super(key, mode, creator);
    this.segsz = size;
    this.file = file;
    this.cpid = creator.pid;
    this.creator = creator;
    this.ctime = seconds;
  }
}

/** What IPC_STAT tells of the segment now. */
export function shmidDs(segment: ShmSegment): ShmidDs {
  const { id, key, seq, uid, gid, cuid, cgid, mode, segsz } = segment;
  const { atime, dtime, ctime, cpid, lpid, nattch } = segment;
  return { id, key, seq, uid, gid, cuid, cgid, mode, segsz, atime, dtime, ctime, cpid, lpid, nattch };
}
