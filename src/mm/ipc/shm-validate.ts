/** Proves the invariants of shm-namespace.ts by recomputing all that is kept. Part of the whole-kernel validator. */
import { PAGE_SIZE, pageAlign } from "../page.ts";
import { IPC_PRIVATE, SHM_DEST, SHM_LOCKED } from "../uapi/ipc.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { isAttachment, segmentIdOf } from "./shm-attachment.ts";
import type { ShmNamespace } from "./shm-namespace.ts";

/** What is wrong with the segments, empty when nothing is. @param mms every address space */
export function checkShm(namespace: ShmNamespace, mms: Iterable<MmStruct>): string[] {
  const findings: string[] = [];
  const attached = new Map<number, number>();
  for (const mm of mms) {
    for (const vma of mm.vmas) {
      if (isAttachment(vma)) attached.set(segmentIdOf(vma), (attached.get(segmentIdOf(vma)) ?? 0) + 1);
    }
  }
  const locked = new Map<number, number>();
  let totalPages = 0;
  let inUse = 0;
  for (const segment of namespace.segments) {
    const { id, key, mode, nattch, lockUser } = segment;
    const pages = pageAlign(segment.segsz) / PAGE_SIZE;
    inUse++;
    totalPages += pages;
    const found = attached.get(id) ?? 0;
    attached.delete(id);
    if (nattch !== found) findings.push(`segment ${id} counts ${nattch} attachments, ${found} found`);
    if ((mode & SHM_DEST) !== 0 && nattch === 0)
      findings.push(`segment ${id} is removed, unused and still there`);
    if (key !== IPC_PRIVATE && namespace.segments.withKey(key) !== segment) {
      findings.push(`segment ${id} is not found by its key ${key}`);
    }
    if ((lockUser !== null) !== ((mode & SHM_LOCKED) !== 0)) findings.push(`segment ${id} is half locked`);
    if (lockUser !== null) locked.set(lockUser, (locked.get(lockUser) ?? 0) + pages);
  }
  for (const id of attached.keys()) findings.push(`segment ${id} is attached, but gone`);
  if (inUse !== namespace.segments.inUse) {
    findings.push(`${namespace.segments.inUse} segments are counted, ${inUse} found`);
  }
  if (totalPages !== namespace.totalPages) {
    findings.push(`segments of ${namespace.totalPages} pages are counted, ${totalPages} found`);
  }
  for (const uid of new Set([...locked.keys(), ...namespace.lockedPages.keys()])) {
    const [kept, found] = [namespace.lockedPages.get(uid) ?? 0, locked.get(uid) ?? 0];
    if (kept !== found) findings.push(`user ${uid} has locked ${kept} pages of segments, ${found} found`);
  }
  return findings;
}
