/**
 * Attachments: mappings of a segment, and the open file that stands between the two (ipc/shm.c).
 *
 * Each shmat opens the segment's file anew, so that every attachment has rights of its own, and so that shmdt can tell
 * the pieces of one attachment from those of another. The file does what the segment's own would do, and its mappings
 * are counted.
 */
import { BugError } from "../bug.ts";
import { PAGE_SIZE } from "../page.ts";
import { shmemVmOps } from "../shmem/shmem-page.ts";
import { EINVAL, ENODEV, EOPNOTSUPP } from "../uapi/errno.ts";
import { O_LARGEFILE, O_RDONLY, O_RDWR } from "../uapi/fcntl.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE, fileOf } from "../vfs/file.ts";
import type { VmArea } from "../vma/vm-area.ts";
import type { VmOperations } from "../vma/vm-operations.ts";
import type { ShmNamespace } from "./shm-namespace.ts";
import type { ShmSegment } from "./shm-segment.ts";

/** What an attachment's file is about (struct shm_file_data). */
class ShmFileData {
  readonly namespace: ShmNamespace;
  readonly id: number;
  /** The segment's own file, with a reference held: the segment may end, and its id be taken by another. */
  readonly base: File;

  constructor(namespace: ShmNamespace, id: number, base: File) {
    this.namespace = namespace;
    this.id = id;
    this.base = base;
  }
}

const RA_PAGES = (128 * 1024) / PAGE_SIZE;

/** The file for a new attachment, with one reference for the caller. */
export function openAttachment(namespace: ShmNamespace, segment: ShmSegment, mayWrite: boolean): File {
  const { id, file: base } = segment;
  base.get();
  const file = new File(
    base.dentry,
    base.inode,
    mayWrite ? FMODE_READ | FMODE_WRITE : FMODE_READ,
    (mayWrite ? O_RDWR : O_RDONLY) | O_LARGEFILE,
    RA_PAGES,
    shmFileOps,
  );
  file.data = new ShmFileData(namespace, id, base);
  return file;
}

/** Whether the mapping is an attachment, or a piece of one. */
export function isAttachment(vma: VmArea): boolean {
  return vma.ops === shmVmOps;
}

/** The id of the segment that an attachment shows. */
export function segmentIdOf(vma: VmArea): number {
  return dataOf(fileOf(vma)).id;
}

function dataOf(file: File): ShmFileData {
  if (!(file.data instanceof ShmFileData))
    throw new BugError("shm", `"${file.dentry.name}" is no attachment`);
  return file.data;
}

const shmFileOps: FileOperations = {
  mmap: shmMmap,
  placesMappings: true,
  fsync: (file, start, end, datasync) => dataOf(file).base.ops.fsync?.(file, start, end, datasync) ?? -EINVAL,
  fallocate: (file, mode, offset, len) =>
    dataOf(file).base.ops.fallocate?.(file, mode, offset, len) ?? -EOPNOTSUPP,
  llseek: (file) => file.pos,
  release: (file) => dataOf(file).base.put(),
};

/** By remap_file_pages a mapping may be asked for that shows a segment which has just ended with the one it replaces. */
function shmMmap(file: File, vma: VmArea): number {
  const { namespace, id, base } = dataOf(file);
  const failed = namespace.open(id, base);
  if (failed !== 0) return failed;
  const refused = base.ops.mmap?.(base, vma) ?? -ENODEV;
  if (refused !== 0) {
    namespace.close(id);
    return refused;
  }
  vma.ops = shmVmOps;
  return 0;
}

/** As shmem's, with the policies of the segment, and counted. No pages around the faulting one are mapped: shm has no map_pages. */
const shmVmOps: VmOperations = {
  fault: shmemVmOps.fault,
  mapsAround: false,
  setPolicy: shmemVmOps.setPolicy,
  getPolicy: shmemVmOps.getPolicy,
  open: (vma) => {
    const { namespace, id, base } = dataOf(fileOf(vma));
    if (namespace.open(id, base) !== 0)
      throw new BugError("shm_open", `segment ${id} ended before its mappings`);
  },
  close: (vma) => {
    const { namespace, id } = dataOf(fileOf(vma));
    namespace.close(id);
  },
};
