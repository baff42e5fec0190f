/**
 * What the end of a task takes back of its operations with SEM_UNDO (struct sem_undo, sem_undo_list).
 *
 * ```
 *   task ── SemUndoList ──┬── SemUndo ── SemaphoreSet A
 *   task ──────┘          └── SemUndo ── SemaphoreSet B          (tasks share a list by CLONE_SYSVSEM)
 * ```
 *
 * Invariant: each SemUndo stands in one list and among the `undos` of its set; one that has left either has left both.
 */
import type { SemaphoreSet } from "./semaphore-set.ts";

/** The adjustments of a list for one set. */
export class SemUndo {
  readonly list: SemUndoList;
  readonly set: SemaphoreSet;
  /** What is added to each semaphore. */
  readonly adjustments: Int16Array;

  constructor(list: SemUndoList, set: SemaphoreSet) {
    this.list = list;
    this.set = set;
    this.adjustments = new Int16Array(set.nsems);
    list.undos.set(set, this);
    set.undos.add(this);
  }

  unlink(): void {
    this.list.undos.delete(this.set);
    this.set.undos.delete(this);
  }
}

export class SemUndoList {
  /** Tasks whose list it is. */
  users = 1;
  /** Those used last come last. */
  readonly undos: Map<SemaphoreSet, SemUndo> = new Map();

  /** What there is for a set, which is from now on the one used last (lookup_undo). */
  find(set: SemaphoreSet): SemUndo | undefined {
    const undo = this.undos.get(set);
    if (undo === undefined) return undefined;
    this.undos.delete(set);
    this.undos.set(set, undo);
    return undo;
  }

  /** All of them, the one used last first. */
  get latestFirst(): SemUndo[] {
    return [...this.undos.values()].reverse();
  }
}

/** A task as its semaphores see it (task_struct.sysvsem). */
export interface SemUndoHolder {
  /** Absent until it asks for SEM_UNDO. */
  undoList: SemUndoList | undefined;
}

/** CLONE_SYSVSEM: the child's operations are taken back with the parent's, when the last of both has ended (copy_semundo). */
export function shareUndoList(parent: SemUndoHolder, child: SemUndoHolder): void {
  parent.undoList ??= new SemUndoList();
  parent.undoList.users++;
  child.undoList = parent.undoList;
}
