/**
 * Connections that wait to be accepted at a listening socket (sk_ack_backlog, sk_max_ack_backlog): whole ones, each already
 * connected to who asked for it, oldest first. One more fits than listen was told, as in Linux, where the queue is full
 * once it is longer than that.
 */
import { SOMAXCONN } from "./constants.ts";

export class AcceptQueue<T> {
  readonly #connections: T[] = [];
  #maxBacklog = 0;

  /** @param backlog as listen(2) has it: what is negative means the most there is */
  setBacklog(backlog: number): void {
    this.#maxBacklog = backlog >>> 0 > SOMAXCONN ? SOMAXCONN : backlog;
  }

  /** So many wait to be accepted that nobody else can connect. */
  get isFull(): boolean {
    return this.#connections.length > this.#maxBacklog;
  }
  get isEmpty(): boolean {
    return this.#connections.length === 0;
  }

  push(connection: T): void {
    this.#connections.push(connection);
  }
  shift(): T | undefined {
    return this.#connections.shift();
  }

  /** Takes all: nobody will accept them. */
  takeAll(): T[] {
    return this.#connections.splice(0);
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#connections.values();
  }
}
