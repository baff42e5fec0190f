/**
 * A binary heap: the least of a crowd at once, in and out in O(log n).
 *
 * An array in which the element at i is not greater than those at 2i + 1 and 2i + 2. So the least is the first; one that
 * is added at the end rises past greater ones above it, and the last, put in the place of the first, sinks.
 */
export class Heap<T> {
  readonly #isBefore: (a: T, b: T) => boolean;
  #elements: T[] = [];

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#elements.length;
  }

  /** The least, or undefined where there is none. */
  get first(): T | undefined {
    return this.#elements[0];
  }

  add(element: T): void {
    const elements = this.#elements;
    let at = elements.length;
    elements.push(element);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(element, elements[above])) break;
      elements[at] = elements[above];
      at = above;
    }
    elements[at] = element;
  }

  /** Takes the least out. */
  take(): T | undefined {
    const elements = this.#elements;
    const first = elements[0];
    const last = elements.pop();
    if (last !== undefined && elements.length > 0) this.#sink(last, 0);
    return first;
  }

  /** Puts the element at `from` or, past lesser ones, below it. */
  #sink(element: T, from: number): void {
    const elements = this.#elements;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= elements.length) break;
      if (below + 1 < elements.length && this.#isBefore(elements[below + 1], elements[below])) below++;
      if (!this.#isBefore(elements[below], element)) break;
      elements[at] = elements[below];
      at = below;
    }
    elements[at] = element;
  }

  /** Keeps only what `isKept` says. */
  keep(isKept: (element: T) => boolean): void {
    this.#elements = this.#elements.filter(isKept);
    for (let at = (this.#elements.length >> 1) - 1; at >= 0; at--) this.#sink(this.#elements[at], at);
  }
}
