/** This machine's time. */
import { HostClock } from "../machine/index.ts";

/** Longest sleep without a look at input, signals and timeout (milliseconds). */
const LOOK_MS = 5;

/** As performance.now, without what it loads. */
export function nowMs(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * 1000 + ns / 1e6;
}

/** Ends the pause that is being made; undefined: there is none that could be ended. */
let endPause: (() => void) | undefined;

/** Lets the host do what it has to do: signals, timers. */
export function pause(ms: number): Promise<void> {
  return new Promise((done) => {
    if (ms <= 0) {
      setImmediate(done);
      return;
    }
    const timer = setTimeout(done, ms);
    endPause = () => {
      clearTimeout(timer);
      endPause = undefined;
      done();
    };
  });
}

/** What the machine may be waiting for has happened. */
export function wakeUp(): void {
  endPause?.();
}

export function hostClock(): HostClock {
  return new HostClock({
    nowMs,
    epochMs: () => Date.now(),
    // Short sleeps only: the machine asks again, and between two of them input and signals get their turn.
    sleepAsync: (ms) => pause(Math.min(ms, LOOK_MS)),
  });
}
