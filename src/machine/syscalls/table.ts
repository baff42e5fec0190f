/**
 * The riscv64 system-call table (include/uapi/asm-generic/unistd.h): which number does what.
 *
 * A number that is not here answers ENOSYS, as a kernel built without it would; programs are written for that.
 */
import type { SyscallEntry, SyscallGroup } from "./call.ts";
import { capabilityCalls } from "./capabilities.ts";
import { cloneCalls } from "./clone.ts";
import { directoryCalls } from "./directories.ts";
import { epollCalls } from "./epoll.ts";
import { eventFileCalls } from "./event-files.ts";
import { execveCalls } from "./execve.ts";
import { fileLockCalls } from "./file-locks.ts";
import { fileCalls } from "./files.ts";
import { futexCalls } from "./futex.ts";
import { futex2Calls } from "./futex2.ts";
import { hwprobeCalls } from "./hwprobe.ts";
import { identityCalls } from "./identity.ts";
import { intervalTimerCalls } from "./interval-timers.ts";
import { ioPriorityCalls } from "./io-priority.ts";
import { ipcCalls } from "./ipc.ts";
import { memoryCalls } from "./memory.ts";
import { mempolicyCalls } from "./mempolicy.ts";
import { messageQueueCalls } from "./message-queues.ts";
import { pidfdCalls } from "./pidfd.ts";
import { pollCalls } from "./poll.ts";
import { posixTimerCalls } from "./posix-timers.ts";
import { priorityCalls } from "./priority.ts";
import { processCalls } from "./process.ts";
import { schedCalls } from "./sched.ts";
import { semaphoreCalls } from "./semaphores.ts";
import { setTimeCalls } from "./set-time.ts";
import { signalCalls } from "./signals.ts";
import { socketMessageCalls } from "./socket-messages.ts";
import { socketCalls } from "./sockets.ts";
import { spliceCalls } from "./splice.ts";
import { systemInfoCalls } from "./system-info.ts";
import { terminalCalls } from "./terminal.ts";
import { timeCalls } from "./time.ts";
import { transferCalls } from "./transfer.ts";
import { unshareCalls } from "./unshare.ts";
import { xattrCalls } from "./xattrs.ts";

const GROUPS: readonly SyscallGroup[] = [
  capabilityCalls,
  cloneCalls,
  directoryCalls,
  epollCalls,
  eventFileCalls,
  execveCalls,
  fileCalls,
  fileLockCalls,
  futexCalls,
  futex2Calls,
  hwprobeCalls,
  identityCalls,
  intervalTimerCalls,
  ipcCalls,
  memoryCalls,
  mempolicyCalls,
  messageQueueCalls,
  pidfdCalls,
  pollCalls,
  posixTimerCalls,
  priorityCalls,
  ioPriorityCalls,
  processCalls,
  schedCalls,
  semaphoreCalls,
  setTimeCalls,
  signalCalls,
  socketCalls,
  socketMessageCalls,
  spliceCalls,
  systemInfoCalls,
  terminalCalls,
  timeCalls,
  transferCalls,
  unshareCalls,
  xattrCalls,
];

/** By number; a hole is a call that is not there. */
export const SYSCALLS: readonly (SyscallEntry | undefined)[] = buildTable();

function buildTable(): (SyscallEntry | undefined)[] {
  const table: (SyscallEntry | undefined)[] = [];
  for (const group of GROUPS) {
    for (const [nr, name, args, handler] of group) table[nr] = { name, args, handler };
  }
  return table;
}
