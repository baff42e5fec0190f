/**
 * The numbers of System V IPC objects (ipc/util.c).
 *
 * An object sits in a slot, and its id is the slot's number with a sequence number above it:
 *
 * ```
 *   31 30                15 14             0
 *   0 │ sequence number    │ slot           │
 * ```
 *
 * Slots are taken in turn and not again at once, and the sequence number goes up each time that the turn begins anew: so
 * an id that was removed stays wrong for long, although slots are few. Invariant: `byKey` has each object whose key is
 * not IPC_PRIVATE, and no other.
 */
import { ENOSPC } from "../uapi/errno.ts";
import { IPC_PRIVATE } from "../uapi/ipc.ts";
import type { KernIpcPerm } from "./ipc-permission.ts";

const SEQ_SHIFT = 15;
/** Slots at most (IPCMNI). */
export const IPC_MNI: number = 1 << SEQ_SHIFT;
const SLOT_MASK: number = IPC_MNI - 1;
/** Sequence numbers begin anew here, so that ids stay positive. */
const SEQ_MAX: number = 0x7fffffff >> SEQ_SHIFT;
/** A turn has at least this many slots, and half as many more as there are objects. */
const MIN_CYCLE = 64;

export class IpcIds<T extends KernIpcPerm> implements Iterable<T> {
  readonly #slots: (T | undefined)[] = [];
  readonly #byKey: Map<number, T> = new Map();
  /** Objects that there are. */
  inUse = 0;
  #seq = 0;
  /** The slot taken last, and the one to try next. */
  #lastSlot = -1;
  #nextSlot = 0;

  /** Gives the object its id, key included; or answers -ENOSPC where there are `limit` already (ipc_addid). */
  add(object: T, limit: number): number {
    if (this.inUse >= Math.min(limit, IPC_MNI)) return -ENOSPC;
    const cycle = Math.min(Math.max(Math.floor((this.inUse * 3) / 2), MIN_CYCLE), IPC_MNI);
    const slot = this.#freeSlot(cycle);
    if (slot < 0) return -ENOSPC;
    this.#nextSlot = slot + 1;
    if (slot <= this.#lastSlot) this.#seq = (this.#seq + 1) % SEQ_MAX;
    this.#lastSlot = slot;
    object.seq = this.#seq;
    object.id = (this.#seq << SEQ_SHIFT) + slot;
    this.#slots[slot] = object;
    if (object.key !== IPC_PRIVATE) this.#byKey.set(object.key, object);
    this.inUse++;
    return object.id;
  }

  /** The first free slot below `end` from the turn's place on, or else from the start (idr_alloc_cyclic). */
  #freeSlot(end: number): number {
    for (let slot = this.#nextSlot; slot < end; slot++) if (this.#slots[slot] === undefined) return slot;
    for (let slot = 0; slot < end; slot++) if (this.#slots[slot] === undefined) return slot;
    return -1;
  }

  remove(object: T): void {
    this.#slots[object.id & SLOT_MASK] = undefined;
    this.setPrivate(object);
    this.inUse--;
  }

  /** From now on the object is found by its id alone (ipc_set_key_private). */
  setPrivate(object: T): void {
    if (object.key !== IPC_PRIVATE) this.#byKey.delete(object.key);
    object.key = IPC_PRIVATE;
  }

  /** The object in the slot that an id names, whatever its sequence number says (ipc_obtain_object_idr). */
  inSlotOf(id: number): T | undefined {
    return this.#slots[id & SLOT_MASK];
  }

  /** The object with this very id (ipc_obtain_object_check). */
  withId(id: number): T | undefined {
    const object = this.inSlotOf(id);
    return object !== undefined && object.id === id ? object : undefined;
  }

  withKey(key: number): T | undefined {
    return this.#byKey.get(key);
  }

  /** The highest slot in use, −1 for none (ipc_get_maxidx). */
  get maxSlot(): number {
    return this.#slots.findLastIndex((object) => object !== undefined);
  }

  /** The objects by slot. */
  *[Symbol.iterator](): Generator<T> {
    for (const object of this.#slots) if (object !== undefined) yield object;
  }
}
