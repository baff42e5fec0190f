/**
 * The kernel's access to user memory (copy_to_user, copy_from_user): through the same MMU, with the same faults, but a
 * bad page ends the copy instead of the program. All of them answer how many bytes were done; less than asked means
 * that the next page was bad.
 */
import { PAGE_OFFSET_MASK, PAGE_SIZE, type Vaddr } from "../page.ts";
import { ACCESS_READ, ACCESS_WRITE, type Access } from "../pagetable/access.ts";
import { EFAULT, ENAMETOOLONG } from "../uapi/errno.ts";
import { decodeName } from "../vfs/name-bytes.ts";
import type { FaultingTask } from "./faulting-task.ts";
import type { KernelMode, Mmu } from "./mmu.ts";

/** Calls `each(ram, done, n)` for the pieces, one a page, of addr … addr + len that are accessible; bytes covered. */
function forEachPiece(
  mmu: Mmu,
  task: FaultingTask,
  addr: Vaddr,
  len: number,
  access: Access,
  each: (ram: number, done: number, n: number) => void,
  mode: KernelMode = "kernel",
): number {
  let done = 0;
  while (done < len) {
    const at = addr + done;
    const offset = at & PAGE_OFFSET_MASK;
    const n = Math.min(PAGE_SIZE - offset, len - done);
    const frame = mmu.translate(task, at, access, mode);
    if (frame < 0) break;
    each(frame + offset, done, n);
    done += n;
  }
  return done;
}

/** Copies bytes[from … from + len) to `addr`. */
export function copyToUser(
  mmu: Mmu,
  task: FaultingTask,
  addr: Vaddr,
  bytes: Uint8Array,
  from = 0,
  len: number = bytes.length - from,
): number {
  const { u8 } = mmu.phys.ram;
  return forEachPiece(mmu, task, addr, len, ACCESS_WRITE, (ram, done, n) => {
    u8.set(bytes.subarray(from + done, from + done + n), ram);
  });
}

/** Copies `len` bytes at `addr` to bytes[from …). */
export function copyFromUser(
  mmu: Mmu,
  task: FaultingTask,
  addr: Vaddr,
  bytes: Uint8Array,
  from = 0,
  len: number = bytes.length - from,
): number {
  const { u8 } = mmu.phys.ram;
  return forEachPiece(mmu, task, addr, len, ACCESS_READ, (ram, done, n) => {
    bytes.set(u8.subarray(ram, ram + n), from + done);
  });
}

/** Zeroes `len` bytes at `addr`. */
export function clearUser(mmu: Mmu, task: FaultingTask, addr: Vaddr, len: number): number {
  const { u8 } = mmu.phys.ram;
  return forEachPiece(mmu, task, addr, len, ACCESS_WRITE, (ram, _done, n) => {
    u8.fill(0, ram, ram + n);
  });
}

/** Copies `len` bytes at `addr` to RAM at byte address `to` (a page-cache frame, say). */
export function copyUserToRam(
  mmu: Mmu,
  task: FaultingTask,
  addr: Vaddr,
  to: number,
  len: number,
  mode: KernelMode = "kernel",
): number {
  const { u8 } = mmu.phys.ram;
  return forEachPiece(
    mmu,
    task,
    addr,
    len,
    ACCESS_READ,
    (ram, done, n) => {
      copyForward(u8, to + done, ram, n);
    },
    mode,
  );
}

/** Makes the pages of `len` bytes at `addr` readable (fault_in_readable). */
export function faultInReadable(mmu: Mmu, task: FaultingTask, addr: Vaddr, len: number): number {
  return forEachPiece(mmu, task, addr, len, ACCESS_READ, () => {});
}

/** Copies `len` bytes of RAM at byte address `from` to `addr`. */
export function copyRamToUser(
  mmu: Mmu,
  task: FaultingTask,
  addr: Vaddr,
  from: number,
  len: number,
  mode: KernelMode = "kernel",
): number {
  const { u8 } = mmu.phys.ram;
  return forEachPiece(
    mmu,
    task,
    addr,
    len,
    ACCESS_WRITE,
    (ram, done, n) => {
      copyForward(u8, ram, from + done, n);
    },
    mode,
  );
}

/**
 * From the first byte to the last, as a processor copies: what is written over before its turn comes again (a page in a pipe
 * that is read back into itself).
 */
function copyForward(u8: Uint8Array, to: number, from: number, n: number): void {
  const distance = to - from;
  if (distance <= 0 || distance >= n) {
    u8.copyWithin(to, from, from + n);
    return;
  }
  for (let done = 0; done < n; done += distance) {
    u8.copyWithin(to + done, from + done, from + Math.min(done + distance, n));
  }
}

/**
 * The bytes of a NUL-terminated string at `addr`, without the NUL: at most `max` bytes, NUL included
 * (strncpy_from_user). -EFAULT when it runs into a bad page, -ENAMETOOLONG when there is no NUL in `max` bytes.
 */
export function readUserBytesZ(mmu: Mmu, task: FaultingTask, addr: Vaddr, max: number): Uint8Array | number {
  const { u8 } = mmu.phys.ram;
  const pieces: Uint8Array[] = [];
  for (let done = 0; done < max; ) {
    const offset = (addr + done) & PAGE_OFFSET_MASK;
    const n = Math.min(PAGE_SIZE - offset, max - done);
    const frame = mmu.translate(task, addr + done, ACCESS_READ, "kernel");
    if (frame < 0) return -EFAULT;
    const piece = u8.subarray(frame + offset, frame + offset + n);
    const nul = piece.indexOf(0);
    pieces.push(piece.slice(0, nul < 0 ? n : nul));
    if (nul >= 0) return concat(pieces);
    done += n;
  }
  return -ENAMETOOLONG;
}

/** As readUserBytesZ, as a name: for paths and names. */
export function readUserString(mmu: Mmu, task: FaultingTask, addr: Vaddr, max: number): string | number {
  const bytes = readUserBytesZ(mmu, task, addr, max);
  return typeof bytes === "number" ? bytes : decodeName(bytes);
}

const WORD = new Uint8Array(8);
const WORD_VIEW = new DataView(WORD.buffer);

/** The 32-bit unsigned number at `addr`, or -EFAULT. */
export function getUserU32(mmu: Mmu, task: FaultingTask, addr: Vaddr): number {
  return copyFromUser(mmu, task, addr, WORD, 0, 4) < 4 ? -EFAULT : WORD_VIEW.getUint32(0, true);
}

/** Stores a 32-bit number; 0 or -EFAULT. */
export function putUserU32(mmu: Mmu, task: FaultingTask, addr: Vaddr, value: number): number {
  WORD_VIEW.setUint32(0, value >>> 0, true);
  return copyToUser(mmu, task, addr, WORD, 0, 4) < 4 ? -EFAULT : 0;
}

/** The 64-bit unsigned number at `addr`, rounded above 2^53, or -EFAULT. */
export function getUserU64(mmu: Mmu, task: FaultingTask, addr: Vaddr): number {
  if (copyFromUser(mmu, task, addr, WORD, 0, 8) < 8) return -EFAULT;
  return WORD_VIEW.getUint32(4, true) * 2 ** 32 + WORD_VIEW.getUint32(0, true);
}

/** Stores a non-negative integer below 2^53 as 64 bits; 0 or -EFAULT. */
export function putUserU64(mmu: Mmu, task: FaultingTask, addr: Vaddr, value: number): number {
  WORD_VIEW.setUint32(0, value % 2 ** 32, true);
  WORD_VIEW.setUint32(4, Math.floor(value / 2 ** 32), true);
  return copyToUser(mmu, task, addr, WORD, 0, 8) < 8 ? -EFAULT : 0;
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
