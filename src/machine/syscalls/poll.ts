/** ppoll: waiting for several descriptors, for a time, or (as pause() does) for a signal alone. */
import { NR_OPEN } from "../../mm/syscalls/rlimit.ts";
import { EFAULT, EINTR, EINVAL } from "../../mm/uapi/errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../mm/uapi/fs.ts";
import { RLIMIT_NOFILE } from "../../mm/uapi/mman.ts";
import type { StructView } from "../abi/bytes.ts";
import { getTimespec, isValidTimespec, nsOf, POLLFD_BYTES, TIMESPEC_BYTES } from "../abi/structs.ts";
import { UNBLOCKABLE } from "../signals/signal-numbers.ts";
import { SigSet } from "../signals/sigset.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { ERESTARTNOHAND } from "./restart.ts";

const POLLNVAL = 0x20;

export const pollCalls: SyscallGroup = [[73, "ppoll", 5, ppoll]];

/** Arguments: pollfds, their number, timeout or null, signal mask for the time of waiting or null, its size. */
function ppoll(call: Call): number {
  const { thread, system } = call;
  const { signals } = thread;
  const deadlineNs = typeof thread.callState === "number" ? thread.callState : deadline(call);
  if (deadlineNs < 0) return deadlineNs;
  if (call.u64(3) !== 0 && typeof thread.callState !== "number") {
    if (call.u64(4) !== 8) return -EINVAL;
    const raw = call.get(call.u64(3), 8);
    if (raw === undefined) return -EFAULT;
    signals.saved = signals.blocked.clone();
    signals.blocked.assign(SigSet.fromBytes(raw.bytes).deleteAll(UNBLOCKABLE));
  }
  const count = call.u32(1);
  if (count > Math.min(call.process.rlimits[RLIMIT_NOFILE].soft, NR_OPEN)) return finish(call, -EINVAL);
  const fds = call.get(call.u64(0), count * POLLFD_BYTES);
  if (fds === undefined) return finish(call, -EFAULT);
  const ready = poll(call, fds, count, /* store */ true);
  if (ready > 0 || system.clock.monotonicNs() >= deadlineNs) {
    return finish(call, call.put(call.u64(0), fds.bytes) < 0 ? -EFAULT : ready);
  }
  const isReady = (): boolean => poll(call, fds, count, /* store */ false) > 0;
  const isForInput = [...call.process.files.entries()].some(([, file]) => system.streams.has(file.inode));
  return call.block({ isReady, deadlineNs, interrupted: -ERESTARTNOHAND, isForInput }, deadlineNs);
}

/** Puts the mask back; not after a signal, whose frame does it. */
function finish(call: Call, result: number): number {
  const { signals } = call.thread;
  if (signals.saved !== undefined && result !== -EINTR) {
    signals.blocked.assign(signals.saved);
    signals.saved = undefined;
  }
  return result;
}

/** When the call gives up, on the monotonic clock; or negative errno. */
function deadline(call: Call): number {
  const at = call.u64(2);
  if (at === 0) return Number.POSITIVE_INFINITY;
  const raw = call.get(at, TIMESPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const time = getTimespec(raw);
  return isValidTimespec(time) ? call.system.clock.monotonicNs() + nsOf(time) : -EINVAL;
}

/** How many of the descriptors are ready; with `store`, in which ways goes to their revents. */
function poll(call: Call, fds: StructView, count: number, store: boolean): number {
  let ready = 0;
  for (let at = 0; at < count * POLLFD_BYTES; at += POLLFD_BYTES) {
    const fd = fds.s32(at);
    const file = fd < 0 ? undefined : call.process.files.get(fd);
    let events = 0;
    if (file !== undefined) {
      const wanted = fds.u16(at + 4) | POLLERR | POLLHUP;
      events = (file.ops.poll?.(file) ?? POLLIN | POLLOUT) & wanted;
    } else if (fd >= 0) {
      events = POLLNVAL;
    }
    if (store) fds.put16(at + 6, events);
    if (events !== 0) ready++;
  }
  return ready;
}
