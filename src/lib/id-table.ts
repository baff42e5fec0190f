/**
 * Small integers for objects, so that a typed column can refer to an object.
 *
 * Ids start at 1 (0 means "none" in every column), and a freed id is given out again, last freed first.
 * Invariant: `get(id)` is the object for exactly the ids that were added and not yet removed.
 */
export class IdTable<T> {
  readonly #objects: (T | undefined)[] = [undefined];
  readonly #free: number[] = [];

  add(object: T): number {
    const id = this.#free.pop() ?? this.#objects.length;
    this.#objects[id] = object;
    return id;
  }

  get(id: number): T | undefined {
    return this.#objects[id];
  }

  /** Precondition: the id is in use. Freeing one twice would give it to two objects. */
  remove(id: number): void {
    if (this.#objects[id] === undefined) throw new Error(`IdTable.remove: id ${id} names nothing`);
    this.#objects[id] = undefined;
    this.#free.push(id);
  }

  /** How many ids are in use. */
  get size(): number {
    return this.#objects.length - 1 - this.#free.length;
  }

  *values(): IterableIterator<T> {
    for (const object of this.#objects) if (object !== undefined) yield object;
  }
}
