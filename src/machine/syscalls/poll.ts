/**
 * ppoll and pselect6: waiting for several descriptors, for a time, or (as pause() does) for a signal alone (fs/select.c).
 *
 * Both ask every file each time; whoever watches many for long uses epoll. The time that was left goes back to the
 * caller's timeout, whatever ended the wait.
 */
import { fdGet } from "../../mm/syscalls/fd.ts";
import { NR_OPEN } from "../../mm/syscalls/rlimit.ts";
import { EBADF, EFAULT, EINTR, EINVAL } from "../../mm/uapi/errno.ts";
import {
  DEFAULT_POLLMASK,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "../../mm/uapi/fs.ts";
import { RLIMIT_NOFILE } from "../../mm/uapi/mman.ts";
import { STICKY_TIMEOUTS } from "../../mm/uapi/personality.ts";
import type { File } from "../../mm/vfs/file.ts";
import { StructView } from "../abi/bytes.ts";
import {
  getTimespec,
  isValidTimespec,
  nsOf,
  POLLFD_BYTES,
  putTimespec,
  TIMESPEC_BYTES,
  timespecOf,
} from "../abi/structs.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { comesFromOutside } from "./from-outside.ts";
import { ERESTARTNOHAND } from "./restart.ts";
import { endTemporaryMask, setTemporaryMask } from "./temporary-mask.ts";

export const pollCalls: SyscallGroup = [
  [72, "pselect6", 6, pselect6],
  [73, "ppoll", 5, ppoll],
];

/** What select calls readable, writable, and exceptional (POLLIN_SET and so on). */
const SELECT_EVENTS: readonly number[] = [
  POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR | POLLNVAL,
  POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR | POLLNVAL,
  POLLPRI | POLLNVAL,
];
const WORD_BITS = 64;
const WORD_BYTES = 8;
/** Size of a new process's table of descriptors (NR_OPEN_DEFAULT), and of the steps in which it grows. */
const NR_OPEN_DEFAULT = 64;
const FDTABLE_STEP = 128;

/** What a call that waits keeps between its tries. */
class Waiting {
  readonly deadlineNs: number;
  /** Where the caller's timeout lies, 0 for none that is told back. */
  readonly timeoutAt: number;
  /** What the call answers that a signal ends. Where the caller isn't told how much time is left, it can't begin anew. */
  readonly interrupted: number;

  constructor(deadlineNs: number, timeoutAt: number, interrupted: number = -ERESTARTNOHAND) {
    this.deadlineNs = deadlineNs;
    this.timeoutAt = timeoutAt;
    this.interrupted = interrupted;
  }

  /** Tells the caller how much time is left (poll_select_finish). A timeout that can't be written stays. */
  tellRest(call: Call): void {
    if (this.timeoutAt === 0) return;
    const out = new StructView(TIMESPEC_BYTES);
    const restNs = Math.max(0, this.deadlineNs - call.system.clock.monotonicNs());
    putTimespec(out, 0, timespecOf(restNs));
    call.put(this.timeoutAt, out.bytes);
  }
}

/** The deadline of the timespec at `at`, null for never; or negative errno. */
function begin(call: Call, at: number): Waiting | number {
  if (at === 0) return new Waiting(Number.POSITIVE_INFINITY, 0);
  const raw = call.get(at, TIMESPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const time = getTimespec(raw);
  if (!isValidTimespec(time)) return -EINVAL;
  const ns = nsOf(time);
  const deadlineNs = call.system.clock.monotonicNs() + ns;
  if ((call.thread.group.personality & STICKY_TIMEOUTS) !== 0) return new Waiting(deadlineNs, 0, -EINTR);
  return new Waiting(deadlineNs, ns === 0 ? 0 : at);
}

function finish(call: Call, waiting: Waiting, result: number): number {
  waiting.tellRest(call);
  return endTemporaryMask(call, result);
}

/** Puts the caller to wait until one of the files is ready; or, where that is not to be: undefined. */
function waitOn(
  call: Call,
  waiting: Waiting,
  files: readonly File[],
  isReady: () => boolean,
): number | undefined {
  const { thread, system } = call;
  const { deadlineNs, interrupted } = waiting;
  // A signal that has come is found before the time is up (do_poll, do_select).
  if (system.clock.monotonicNs() >= deadlineNs && !thread.hasDeliverable) return undefined;
  const isForInput = files.some((file) => comesFromOutside(system, file));
  const onInterrupt = (): void => waiting.tellRest(call);
  return call.block({ isReady, deadlineNs, interrupted, isForInput, onInterrupt }, waiting);
}

function eventsOf(file: File): number {
  return file.ops.poll?.(file) ?? DEFAULT_POLLMASK;
}

/** Arguments: pollfds, their number, timeout or null, signal mask for the time of waiting or null, its size. */
function ppoll(call: Call): number {
  const { callState } = call.thread;
  const isRetry = callState instanceof Waiting;
  const waiting = isRetry ? callState : begin(call, call.u64(2));
  if (typeof waiting === "number") return waiting;
  if (!isRetry) {
    const refused = setTemporaryMask(call, call.u64(3), call.u64(4));
    if (refused !== 0) return refused;
  }
  const count = call.u32(1);
  if (count > Math.min(call.process.rlimits[RLIMIT_NOFILE].soft, NR_OPEN))
    return finish(call, waiting, -EINVAL);
  const fds = call.get(call.u64(0), count * POLLFD_BYTES);
  if (fds === undefined) return finish(call, waiting, -EFAULT);
  const ready = poll(call, fds, count, /* store */ true);
  if (ready === 0) {
    const files: File[] = [];
    for (let at = 0; at < count * POLLFD_BYTES; at += POLLFD_BYTES) {
      const file = fdGet(call.process, fds.s32(at));
      if (file !== undefined) files.push(file);
    }
    const isReady = (): boolean => poll(call, fds, count, /* store */ false) > 0;
    const blocked = waitOn(call, waiting, files, isReady);
    if (blocked !== undefined) return blocked;
  }
  for (let at = 0; at < count * POLLFD_BYTES; at += POLLFD_BYTES) {
    if (call.put(call.u64(0) + at + 6, fds.bytes.subarray(at + 6, at + 8)) < 0)
      return finish(call, waiting, -EFAULT);
  }
  return finish(call, waiting, ready);
}

/** How many of the descriptors are ready; with `store`, in which ways goes to their revents. */
function poll(call: Call, fds: StructView, count: number, store: boolean): number {
  let ready = 0;
  for (let at = 0; at < count * POLLFD_BYTES; at += POLLFD_BYTES) {
    const fd = fds.s32(at);
    const file = fd < 0 ? undefined : fdGet(call.process, fd);
    let events = 0;
    if (file !== undefined) events = eventsOf(file) & (fds.u16(at + 4) | POLLERR | POLLHUP);
    else if (fd >= 0) events = POLLNVAL;
    if (store) fds.put16(at + 6, events);
    if (events !== 0) ready++;
  }
  return ready;
}

/** The sets of one select: as they came, and what is in them that is ready. Null for a null pointer. */
type Sets = readonly (StructView | null)[];

/** Arguments: how many descriptors, the three sets or null, timeout or null, pointer to signal mask and its size or null. */
function pselect6(call: Call): number {
  const { callState } = call.thread;
  const isRetry = callState instanceof Waiting;
  let mask = 0;
  let maskSize = 0;
  if (call.u64(5) !== 0 && !isRetry) {
    const pack = call.get(call.u64(5), 2 * WORD_BYTES);
    if (pack === undefined) return -EFAULT;
    mask = pack.u64(0);
    maskSize = pack.u64(8);
  }
  const waiting = isRetry ? callState : begin(call, call.u64(4));
  if (typeof waiting === "number") return waiting;
  if (!isRetry) {
    const refused = setTemporaryMask(call, mask, maskSize);
    if (refused !== 0) return refused;
  }
  const asked = call.s32(0);
  if (asked < 0) return finish(call, waiting, -EINVAL);
  const count = Math.min(asked, tableSize(call));
  const bytes = Math.ceil(count / WORD_BITS) * WORD_BYTES;
  const wanted: (StructView | null)[] = [];
  for (const i of [1, 2, 3]) {
    const set = call.u64(i) === 0 ? null : call.get(call.u64(i), bytes);
    if (set === undefined) return finish(call, waiting, -EFAULT);
    wanted.push(set);
  }
  const files = selected(call, wanted, count);
  if (typeof files === "number") return finish(call, waiting, files);
  const found: Sets = wanted.map((set) => (set === null ? null : new StructView(bytes)));
  const ready = select(call, wanted, found, count);
  if (ready === 0) {
    const isReady = (): boolean => select(call, wanted, undefined, count) > 0;
    const blocked = waitOn(call, waiting, files, isReady);
    if (blocked !== undefined) return blocked;
  }
  for (const i of [1, 2, 3]) {
    const set = found[i - 1];
    if (set !== null && call.put(call.u64(i), set.bytes) < 0) return finish(call, waiting, -EFAULT);
  }
  return finish(call, waiting, ready);
}

/** How many descriptors the table has room for: what lies behind is not looked at (files_fdtable()->max_fds). */
function tableSize({ process }: Call): number {
  let last = 0;
  for (const [fd] of process.files.entries()) last = fd;
  if (last < NR_OPEN_DEFAULT) return NR_OPEN_DEFAULT;
  let size = FDTABLE_STEP;
  while (size <= last) size *= 2;
  return size;
}

function isIn(set: StructView | null, fd: number): boolean {
  return set !== null && (set.bytes[fd >> 3] & (1 << (fd & 7))) !== 0;
}

/** The files of all descriptors in the sets, or -EBADF where one is not open (max_select_fd). */
function selected(call: Call, sets: Sets, count: number): File[] | number {
  const files: File[] = [];
  for (let fd = 0; fd < count; fd++) {
    if (!sets.some((set) => isIn(set, fd))) continue;
    const file = fdGet(call.process, fd);
    if (file === undefined) return -EBADF;
    files.push(file);
  }
  return files;
}

/** How many members of the sets are ready; those are put into `found`. */
function select(call: Call, sets: Sets, found: Sets | undefined, count: number): number {
  let ready = 0;
  for (let fd = 0; fd < count; fd++) {
    if (!sets.some((set) => isIn(set, fd))) continue;
    const file = fdGet(call.process, fd);
    const events = file === undefined ? POLLNVAL : eventsOf(file);
    for (let i = 0; i < sets.length; i++) {
      if (!isIn(sets[i], fd) || (events & SELECT_EVENTS[i]) === 0) continue;
      ready++;
      const set = found?.[i];
      if (set) set.bytes[fd >> 3] |= 1 << (fd & 7);
    }
  }
  return ready;
}
