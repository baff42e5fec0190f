/** epoll_create1, epoll_ctl, epoll_pwait, epoll_pwait2 (fs/eventpoll.c). */
import { fdGet, fdInstall } from "../../mm/syscalls/fd.ts";
import { EBADF, EEXIST, EFAULT, EINTR, EINVAL, ENOENT, EPERM } from "../../mm/uapi/errno.ts";
import { O_CLOEXEC } from "../../mm/uapi/fcntl.ts";
import { StructView } from "../abi/bytes.ts";
import { getTimespec, isValidTimespec, nsOf, TIMESPEC_BYTES } from "../abi/structs.ts";
import {
  checkLoop,
  EPOLLEXCLUSIVE,
  type EpollEvent,
  type EventPoll,
  eventPollOf,
  mayBeExclusive,
  newEventPollFile,
  withAlways,
} from "../event-files/event-poll.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { comesFromOutside } from "./from-outside.ts";
import { endTemporaryMask, setTemporaryMask } from "./temporary-mask.ts";

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
/** struct epoll_event, 16 bytes: 0 events (u32), 8 data (u64). Only x86-64 packs it. */
const EVENT_BYTES = 16;
const MAX_EVENTS = Math.floor(0x7fffffff / EVENT_BYTES);

export const epollCalls: SyscallGroup = [
  [20, "epoll_create1", 1, epollCreate1],
  [21, "epoll_ctl", 4, epollCtl],
  [22, "epoll_pwait", 6, epollPwait],
  [441, "epoll_pwait2", 6, epollPwait2],
];

function epollCreate1(call: Call): number {
  const flags = call.s32(0);
  if ((flags & ~O_CLOEXEC) !== 0) return -EINVAL;
  const { process, system } = call;
  const file = newEventPollFile(system.kernel.mounts, system.watches, process.userIds.real);
  return fdInstall(process, file, (flags & O_CLOEXEC) !== 0);
}

/** Arguments: the epoll descriptor, EPOLL_CTL_…, the descriptor to be watched, what to tell of it. */
function epollCtl(call: Call): number {
  const { process } = call;
  const op = call.s32(1);
  const fd = call.s32(2);
  const raw = op === EPOLL_CTL_DEL ? new StructView(EVENT_BYTES) : call.get(call.u64(3), EVENT_BYTES);
  if (raw === undefined) return -EFAULT;
  const file = fdGet(process, call.s32(0));
  const target = file === undefined ? undefined : fdGet(process, fd);
  if (file === undefined || target === undefined) return -EBADF;
  if (target.ops.poll === undefined) return -EPERM;
  const poll = eventPollOf(file);
  if (poll === undefined || file === target) return -EINVAL;
  const event: EpollEvent = { events: raw.u32(0), dataLow: raw.s32(8), dataHigh: raw.s32(12) };
  const isExclusive = op !== EPOLL_CTL_DEL && (event.events & EPOLLEXCLUSIVE) !== 0;
  if (isExclusive && (op === EPOLL_CTL_MOD || !mayBeExclusive(event.events, target))) return -EINVAL;
  if (op === EPOLL_CTL_ADD) {
    const failed = checkLoop(poll, target);
    if (failed !== 0) return failed;
  }
  const item = poll.find(target, fd);
  switch (op) {
    case EPOLL_CTL_ADD:
      if (item !== undefined) return -EEXIST;
      return poll.add(target, fd, withAlways(event));
    case EPOLL_CTL_DEL:
      if (item === undefined) return -ENOENT;
      poll.remove(item);
      return 0;
    case EPOLL_CTL_MOD:
      if (item === undefined) return -ENOENT;
      if (item.isExclusive) return -EINVAL;
      poll.modify(item, withAlways(event));
      return 0;
    default:
      return -EINVAL;
  }
}

/** Arguments: descriptor, events, how many fit, milliseconds (below 0: for ever), signal mask or null, its size. */
function epollPwait(call: Call): number {
  const ms = call.s32(3);
  const now = call.system.clock.monotonicNs();
  return start(call, ms < 0 ? Number.POSITIVE_INFINITY : now + ms * 1e6);
}

/** The same with a timespec or null. */
function epollPwait2(call: Call): number {
  if (call.u64(3) === 0) return start(call, Number.POSITIVE_INFINITY);
  const raw = call.get(call.u64(3), TIMESPEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const time = getTimespec(raw);
  return isValidTimespec(time) ? start(call, call.system.clock.monotonicNs() + nsOf(time)) : -EINVAL;
}

/** A thread that waits in epoll_wait, between its tries. */
class Waiting {
  readonly poll: EventPoll;
  readonly deadlineNs: number;

  constructor(poll: EventPoll, deadlineNs: number) {
    this.poll = poll;
    this.deadlineNs = deadlineNs;
    poll.waiters++;
  }
}

function start(call: Call, deadlineNs: number): number {
  const { callState } = call.thread;
  if (callState instanceof Waiting) {
    callState.poll.waiters--;
    return wait(call, callState.poll, callState.deadlineNs);
  }
  const refused = setTemporaryMask(call, call.u64(4), call.u64(5));
  if (refused !== 0) return refused;
  const poll = pollAt(call);
  return typeof poll === "number" ? endTemporaryMask(call, poll) : wait(call, poll, deadlineNs);
}

function pollAt(call: Call): EventPoll | number {
  const file = fdGet(call.process, call.s32(0));
  if (file === undefined) return -EBADF;
  const max = call.s32(2);
  if (max <= 0 || max > MAX_EVENTS) return -EINVAL;
  if (call.u64(1) + max * EVENT_BYTES > call.process.mm.arch.taskSize) return -EFAULT;
  return eventPollOf(file) ?? -EINVAL;
}

function wait(call: Call, poll: EventPoll, deadlineNs: number): number {
  const result = harvest(call, poll);
  if (result !== 0 || call.system.clock.monotonicNs() >= deadlineNs) return endTemporaryMask(call, result);
  const waiting = new Waiting(poll, deadlineNs);
  return call.block(
    {
      isReady: () => poll.isReady,
      deadlineNs,
      interrupted: -EINTR,
      get isForInput() {
        return poll.items().some(({ file }) => comesFromOutside(call.system, file));
      },
      abandon: () => {
        poll.waiters--;
      },
    },
    waiting,
  );
}

/** Gives the caller what is ready: how many, or -EFAULT where not even the first could be told. */
function harvest(call: Call, poll: EventPoll): number {
  let at = call.u64(1);
  let failed = 0;
  const count = poll.harvest(call.s32(2), (events, { dataLow, dataHigh }) => {
    const bytes = new StructView(EVENT_BYTES).put32(0, events | 0).putHalves(8, dataLow, dataHigh).bytes;
    failed = call.put(at, bytes);
    at += EVENT_BYTES;
    return failed === 0;
  });
  return count > 0 ? count : failed;
}
