/**
 * What happens at a time without anybody waiting for it: timers of timer_create and timerfds that run (hrtimers).
 *
 * Looked at between turns, as Linux looks at CPU-time timers with its tick. Those that are due expire in the order of their
 * times, equal ones in the order in which they were started.
 *
 * Each clock has a heap of its timers: that of the wall, and the CPU time of each process or thread that one goes by. A timer
 * that is stopped stays in its heap as a dead entry, until it comes up or until half of the heap is dead.
 */
import { Heap } from "../lib/heap.ts";

export interface Timer {
  /** When it expires, on its own clock (nanoseconds). It does not change while the timer is in the queue. */
  readonly expiresNs: number;
  /** Whose CPU time its clock is, which stands still while all sleep; undefined: the monotonic clock. */
  readonly cpuOf: object | undefined;
  /** What its clock shows. */
  nowNs(): number;
  /** It has expired, and is not in the queue any more. */
  expire(): void;
}

/** A timer that was started. */
interface Entry {
  readonly timer: Timer;
  readonly expiresNs: number;
  readonly clock: object;
  /** How many were started before. */
  readonly order: number;
  /** Stopped, and still in its heap. */
  isDead: boolean;
  /** Out of its heap, about to expire. */
  isDue: boolean;
}

const WALL = {};

function isBefore(a: Entry, b: Entry): boolean {
  return a.expiresNs < b.expiresNs || (a.expiresNs === b.expiresNs && a.order < b.order);
}

export class TimerQueue {
  readonly #running: Map<Timer, Entry> = new Map();
  readonly #clocks: Map<object, Heap<Entry>> = new Map();
  #started = 0;
  #dead = 0;

  /** Starts a timer, or starts it anew. */
  start(timer: Timer): void {
    this.stop(timer);
    const clock = timer.cpuOf ?? WALL;
    const entry: Entry = {
      timer,
      expiresNs: timer.expiresNs,
      clock,
      isDead: false,
      isDue: false,
      order: this.#started++,
    };
    this.#running.set(timer, entry);
    const heap = this.#clocks.get(clock) ?? new Heap<Entry>(isBefore);
    heap.add(entry);
    this.#clocks.set(clock, heap);
  }

  stop(timer: Timer): void {
    const entry = this.#running.get(timer);
    if (entry === undefined) return;
    this.#running.delete(timer);
    entry.isDead = true;
    if (!entry.isDue) this.#dead++;
    if (this.#dead > this.#running.size + 16) this.#bury();
  }

  /** Drops the dead of all heaps. */
  #bury(): void {
    for (const [clock, heap] of this.#clocks) {
      heap.keep(({ isDead }) => !isDead);
      if (heap.size === 0) this.#clocks.delete(clock);
    }
    this.#dead = 0;
  }

  /** The first of a heap that is alive. */
  #first(heap: Heap<Entry>): Entry | undefined {
    for (;;) {
      const { first } = heap;
      if (first?.isDead !== true) return first;
      heap.take();
      this.#dead--;
    }
  }

  /** When the first one expires, on the monotonic clock; Infinity when none runs. */
  get nextNs(): number {
    const wall = this.#clocks.get(WALL);
    return (wall === undefined ? undefined : this.#first(wall)?.expiresNs) ?? Number.POSITIVE_INFINITY;
  }

  /** Lets those expire that are due. One that starts anew meanwhile has to wait for the next look. */
  run(): void {
    if (this.#running.size === 0) return;
    const due: Entry[] = [];
    for (const [clock, heap] of this.#clocks) {
      this.#takeDue(heap, due);
      if (heap.size === 0) this.#clocks.delete(clock);
    }
    if (due.length > 1) due.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    for (const entry of due) {
      if (entry.isDead) continue;
      this.#running.delete(entry.timer);
      entry.timer.expire();
    }
  }

  #takeDue(heap: Heap<Entry>, due: Entry[]): void {
    let entry = this.#first(heap);
    if (entry === undefined) return;
    const now = entry.timer.nowNs();
    for (; entry !== undefined && now >= entry.expiresNs; entry = this.#first(heap)) {
      heap.take();
      entry.isDue = true;
      due.push(entry);
    }
  }
}
