/**
 * A thread leaves its address space, to exit or to execute another program (mm_release, futex_exit_release in
 * kernel/fork.c and kernel/futex/core.c): whoever stays in it is told.
 *
 * ```
 *   robust list       locks that it still holds are marked as left by a dead owner, and their waiters woken
 *   PI futexes        those that others wait for go to the first of them
 *   clear_child_tid   zeroed and woken, if anybody else is in this address space
 *   vfork             the parent goes on
 * ```
 */
import { copyFromUser, copyToUser, getUserU32 } from "../../mm/fault/uaccess.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { StructView } from "../abi/bytes.ts";
import { exitPiStates, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS } from "../futex/pi-futex.ts";
import { wakeOne } from "../futex/wake.ts";
import type { System } from "../system.ts";
import type { Thread } from "../thread.ts";

/** struct robust_list_head: 0 first entry, 8 offset of the lock's word from its entry, 16 the one being taken or left. */
export const ROBUST_LIST_HEAD_BYTES = 24;
/** A list may be longer, or circular by mistake. */
const ROBUST_LIST_LIMIT = 2048;
const POINTER_BYTES = 8;

/** Before the thread leaves its address space. */
export function mmRelease(system: System, thread: Thread): void {
  const { group } = thread;
  const { process } = group;
  if (thread.robustList !== 0) exitRobustList(system, process, thread);
  thread.robustList = 0;
  exitPiStates(system, thread);
  if (thread.clearChildTid !== 0 && (process.mm.users > 1 || group.threads.length > 1)) {
    copyToUser(system.mmu, process, thread.clearChildTid, new Uint8Array(4));
    wakeOne(system, process, thread.clearChildTid);
  }
  thread.clearChildTid = 0;
  thread.vforkParent = undefined;
}

/** Walks the list as far as it can be read; what it says is the program's, and may be anything. */
function exitRobustList(system: System, process: Process, { robustList: head, tid }: Thread): void {
  const first = readPointer(system, process, head);
  const offset = readWords(system, process, head + 8)?.s64(0);
  const pending = readPointer(system, process, head + 16);
  if (first === undefined || offset === undefined || pending === undefined) return;
  let entry: RobustPointer = first;
  for (let count = 0; entry.at !== head && count < ROBUST_LIST_LIMIT; count++) {
    const next = readPointer(system, process, entry.at);
    // The one that is being taken is looked at last.
    if (entry.at !== pending.at) {
      if (!futexDeath(system, process, tid, entry.at + offset, entry.isPi, /* isPending */ false)) return;
    }
    if (next === undefined) return;
    entry = next;
  }
  if (pending.at !== 0) {
    futexDeath(system, process, tid, pending.at + offset, pending.isPi, /* isPending */ true);
  }
}

/** An entry's address; its lowest bit says that the lock is one with priority inheritance. */
interface RobustPointer {
  readonly at: number;
  readonly isPi: boolean;
}

function readWords(system: System, process: Process, at: number): StructView | undefined {
  const bytes = new Uint8Array(POINTER_BYTES);
  return copyFromUser(system.mmu, process, at, bytes) < POINTER_BYTES ? undefined : new StructView(bytes);
}

function readPointer(system: System, process: Process, at: number): RobustPointer | undefined {
  const value = readWords(system, process, at)?.u64(0);
  return value === undefined ? undefined : { at: value - (value % 2), isPi: value % 2 === 1 };
}

/** handle_futex_death: the word of a lock says who holds it. False when it can't be reached. */
function futexDeath(
  system: System,
  process: Process,
  tid: number,
  at: number,
  isPi: boolean,
  isPending: boolean,
): boolean {
  if (at < 0 || at % 4 !== 0) return false;
  const value = getUserU32(system.mmu, process, at);
  if (value < 0) return false;
  const owner = value & FUTEX_TID_MASK;
  // It was let go, and whoever was to be woken may not have been.
  if (isPending && !isPi && owner === 0) {
    wakeOne(system, process, at);
    return true;
  }
  if (owner !== tid) return true;
  const hasWaiters = value >= FUTEX_WAITERS;
  const left = (hasWaiters ? FUTEX_WAITERS : 0) + FUTEX_OWNER_DIED;
  if (copyToUser(system.mmu, process, at, new StructView(4).put32(0, left).bytes) < 4) return false;
  if (!isPi && hasWaiters) wakeOne(system, process, at);
  return true;
}
