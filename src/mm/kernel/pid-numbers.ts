/**
 * Numbers of processes and threads (kernel/pid.c: alloc_pid).
 *
 * They are given out in turn, so that a number that was somebody's is not somebody else's a moment later. Behind the highest one they
 * begin again, but not with the first 300: those are left to what a system starts with. One is passed over while anybody bears
 * it: a process, until it was waited for; a thread; a process group or a session, which may outlive whom they were named for.
 */

/** Numbers given out only in the first turn. */
const RESERVED_PIDS = 300;
const DEFAULT_PID_MAX = 32768;

export class PidNumbers {
  /** kernel.pid_max: those given out are smaller. And its bounds. */
  max: number = DEFAULT_PID_MAX;
  readonly maxBounds: { readonly min: number; readonly max: number } = {
    min: RESERVED_PIDS + 1,
    max: 4 * 1024 * 1024,
  };
  /** Whether anybody bears a number. */
  readonly isTaken: (pid: number) => boolean;
  #next = 1;

  constructor(isTaken: (pid: number) => boolean) {
    this.isTaken = isTaken;
  }

  /** The one given out last. */
  get last(): number {
    return this.#next - 1;
  }

  /** The next free one; undefined where none is. */
  peek(): number | undefined {
    const start = this.#next > RESERVED_PIDS ? RESERVED_PIDS : 1;
    return this.#firstFree(Math.max(this.#next, start), this.max) ?? this.#firstFree(start, this.#next);
  }

  /** Gives it out. Somebody has looked before that there is one. */
  alloc(): number {
    const pid = this.peek();
    if (pid === undefined) throw new Error(`no number below ${this.max} is free`);
    this.#next = pid + 1;
    return pid;
  }

  #firstFree(from: number, end: number): number | undefined {
    for (let pid = from; pid < Math.min(end, this.max); pid++) if (!this.isTaken(pid)) return pid;
    return undefined;
  }
}
