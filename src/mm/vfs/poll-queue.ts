/**
 * Who wants to be told that a file may have become ready (wait_queue_head_t, as f_op->poll hands it out).
 *
 * What waits for a call to be possible is asked again and needs none of this. epoll does: its edges are these wakings,
 * and the order in which files became ready is their order.
 */

export interface PollWaiter {
  /** Comes behind all others, of which only one is woken (WQ_FLAG_EXCLUSIVE). */
  readonly isExclusive: boolean;
  /** @param events POLL… that happened; 0: any may have. Answers whether somebody took it, so that the next need not. */
  wake(events: number): boolean;
}

export class PollQueue {
  readonly #shared: Set<PollWaiter> = new Set();
  readonly #exclusive: Set<PollWaiter> = new Set();

  add(waiter: PollWaiter): void {
    (waiter.isExclusive ? this.#exclusive : this.#shared).add(waiter);
  }

  remove(waiter: PollWaiter): void {
    this.#shared.delete(waiter);
    this.#exclusive.delete(waiter);
  }

  /** Something happened: tells everybody, and the exclusive ones in their order up to the first who takes it. */
  wake(events: number): void {
    for (const waiter of this.#shared) waiter.wake(events);
    for (const waiter of this.#exclusive) if (waiter.wake(events)) return;
  }
}
