/**
 * What pidfds stand for that were opened for a thread that does not lead its process (struct pid). Nobody waits for such a thread:
 * when it ends, nothing of it is left, and who polls is told so.
 */
import type { PidfdTarget } from "../mm/vfs/pidfd.ts";
import { PollQueue } from "../mm/vfs/poll-queue.ts";

export class ThreadPidfdTarget implements PidfdTarget {
  readonly pid: number;
  readonly threadOf: PidfdTarget;
  readonly exitStatus = null;
  readonly exitQueue: PollQueue = new PollQueue();
  #hasEnded = false;

  constructor(tid: number, threadOf: PidfdTarget) {
    this.pid = tid;
    this.threadOf = threadOf;
  }

  get isReaped(): boolean {
    return this.#hasEnded;
  }

  /** The thread has ended, or has the number of its process from now on. */
  end(): void {
    this.#hasEnded = true;
    this.exitQueue.wake(0);
  }
}
