/** Wait statuses (wait(2)): exit code << 8, or the number of the signal that ended the process. */
import { signalName } from "../machine/signals/signal-numbers.ts";

const SIGNAL_MASK = 0x7f;
/** What a shell adds to the number of a signal. */
const SIGNAL_BASE = 128;

export interface EndOfProgram {
  /** As a shell tells it: the exit code, or 128+n. Null while the process runs. */
  readonly exitStatus: number | null;
  /** "SIGSEGV" */
  readonly signal: string | null;
}

export function endOf(status: number | null): EndOfProgram {
  if (status === null) return { exitStatus: null, signal: null };
  const signal = status & SIGNAL_MASK;
  if (signal === 0) return { exitStatus: (status >> 8) & 0xff, signal: null };
  return { exitStatus: SIGNAL_BASE + signal, signal: signalName(signal) };
}
