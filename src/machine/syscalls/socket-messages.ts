/**
 * sendmsg, recvmsg and their plurals: bytes in several pieces, an address, and control messages with files and credentials
 * (net/socket.c, net/core/scm.c).
 *
 * ```
 *   struct msghdr    0 name   8 its length (int)   16 iovec   24 how many   32 control   40 its length   48 flags   (56 bytes)
 *   struct cmsghdr   0 length with this head (u64)   8 level   12 type   16 … data, the next one at a multiple of 8
 * ```
 */

import type { UserSegment } from "../../mm/fault/user-iter.ts";
import { fdGetRaw } from "../../mm/syscalls/fd.ts";
import { CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN } from "../../mm/uapi/capability.ts";
import { EAGAIN, EBADF, EFAULT, EINVAL, EMSGSIZE, EPERM } from "../../mm/uapi/errno.ts";
import { MAX_RW_COUNT } from "../../mm/uapi/fcntl.ts";
import { RLIMIT_NOFILE } from "../../mm/uapi/mman.ts";
import { capable } from "../../mm/vfs/capability.ts";
import type { File } from "../../mm/vfs/file.ts";
import { isOneOf } from "../../mm/vfs/ids.ts";
import { StructView } from "../abi/bytes.ts";
import {
  getTimespec,
  IOVEC_BYTES,
  isValidTimespec,
  nsOf,
  putTimespec,
  TIMESPEC_BYTES,
  timespecOf,
  UIO_MAXIOV,
} from "../abi/structs.ts";
import {
  AF_UNIX,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_WAITFORONE,
  SCM_CREDENTIALS,
  SCM_MAX_FD,
  SCM_RIGHTS,
  SOL_SOCKET,
} from "../net/constants.ts";
import type { ControlMessage, PeerCredentials, Socket } from "../net/socket.ts";
import { BLOCKED, type Call, type SyscallGroup } from "./call.ts";
import { ERESTARTSYS } from "./restart.ts";
import { type Enclosed, type Received, receiveOn, sendOn } from "./socket-transfer.ts";
import { getAddress, withSocket } from "./sockets.ts";

const MSGHDR_BYTES = 56;
/** struct mmsghdr: a msghdr and what was sent or received. */
const MMSGHDR_BYTES = 64;
const CMSGHDR_BYTES = 16;
const CREDENTIALS_BYTES = 12;
/** What sock_kmalloc gives for control messages (net.core.optmem_max). */
const CONTROL_MAX = 131072;
const OVERFLOW_ID = 65534;

export const socketMessageCalls: SyscallGroup = [
  [
    211,
    "sendmsg",
    3,
    (call) => withSocket(call, (file, it) => sendmsg(call, file, it, call.u64(1), call.s32(2))),
  ],
  [
    212,
    "recvmsg",
    3,
    (call) => withSocket(call, (file, it) => recvmsg(call, file, it, call.u64(1), call.s32(2))),
  ],
  [243, "recvmmsg", 5, recvmmsg],
  [269, "sendmmsg", 4, sendmmsg],
];

interface Header {
  readonly view: StructView;
  readonly segments: UserSegment[];
}

/** The header at `at` with its pieces (copy_msghdr_from_user); or negative errno. */
function getHeader(call: Call, at: number): Header | number {
  const view = call.get(at, MSGHDR_BYTES);
  if (view === undefined) return -EFAULT;
  if (view.s32(8) < 0) return -EINVAL;
  const count = view.u64(24);
  if (count > UIO_MAXIOV) return -EMSGSIZE;
  const raw = call.get(view.u64(16), count * IOVEC_BYTES);
  if (raw === undefined) return -EFAULT;
  const { taskSize } = call.process.mm.arch;
  const segments: UserSegment[] = [];
  let room = MAX_RW_COUNT;
  for (let i = 0; i < count; i++) {
    const base = raw.u64(i * IOVEC_BYTES);
    const len = raw.s64(i * IOVEC_BYTES + 8);
    if (len < 0) return -EINVAL;
    if (base + len > taskSize) return -EFAULT;
    const part = Math.min(len, room);
    segments.push({ base, len: part });
    room -= part;
  }
  return { view, segments };
}

function sendmsg(call: Call, file: File, socket: Socket, at: number, flags: number): number {
  const header = getHeader(call, at);
  if (typeof header === "number") return header;
  const { view, segments } = header;
  const nameLength = view.u64(0) === 0 ? 0 : Math.min(view.s32(8), 128);
  const to = nameLength === 0 ? undefined : getAddress(call, view.u64(0), nameLength);
  if (typeof to === "number") return to;
  const enclosed = getControl(call, socket, view, to);
  return typeof enclosed === "number" ? enclosed : sendOn(call, file, socket, segments, flags, enclosed);
}

/** What the control messages enclose (__scm_send); or negative errno. */
function getControl(
  call: Call,
  socket: Socket,
  view: StructView,
  to: Uint8Array | undefined,
): Enclosed | number {
  const length = view.u64(40);
  const rights: File[] = [];
  const controls: ControlMessage[] = [];
  let credentials: PeerCredentials | undefined;
  if (length > CONTROL_MAX) return -EINVAL;
  const control = call.get(view.u64(32), length);
  if (control === undefined) return -EFAULT;
  for (let at = 0; at + CMSGHDR_BYTES <= length; ) {
    const size = control.u64(at);
    if (size < CMSGHDR_BYTES || at + size > length) return -EINVAL;
    const [level, type] = [control.s32(at + 8), control.s32(at + 12)];
    const data = new StructView(control.bytes.subarray(at + CMSGHDR_BYTES, at + size));
    at += Math.ceil(size / 8) * 8;
    // Of other levels: to the protocol.
    if (level !== SOL_SOCKET) {
      controls.push({ level, type, data: data.bytes });
      continue;
    }
    if (type === SCM_RIGHTS && socket.family === AF_UNIX) {
      const failed = getRights(call, data, rights);
      if (failed !== 0) return failed;
    } else if (type === SCM_CREDENTIALS && socket.family === AF_UNIX) {
      if (size !== CMSGHDR_BYTES + CREDENTIALS_BYTES) return -EINVAL;
      credentials = { pid: data.s32(0), uid: data.u32(4), gid: data.u32(8) };
      const { process } = call;
      const isAllowed =
        (credentials.pid === process.pid || capable(process, CAP_SYS_ADMIN)) &&
        (isOneOf(credentials.uid, process.userIds) || capable(process, CAP_SETUID)) &&
        (isOneOf(credentials.gid, process.groupIds) || capable(process, CAP_SETGID));
      if (!isAllowed) return -EPERM;
    } else return -EINVAL;
  }
  return { to, rights, credentials, controls };
}

function getRights(call: Call, data: StructView, rights: File[]): number {
  const count = Math.floor(data.bytes.length / 4);
  if (rights.length + count > SCM_MAX_FD) return -EINVAL;
  for (let i = 0; i < count; i++) {
    const fd = data.s32(4 * i);
    const file = fd < 0 ? undefined : fdGetRaw(call.process, fd);
    if (file === undefined) return -EBADF;
    rights.push(file);
  }
  return 0;
}

function recvmsg(call: Call, file: File, socket: Socket, at: number, flags: number): number {
  const header = getHeader(call, at);
  if (typeof header === "number") return header;
  const { view, segments } = header;
  let failed = 0;
  const got = receiveOn(call, file, socket, segments, flags, (received) => {
    failed = putReceived(call, at, view, received, flags);
  });
  return failed < 0 ? failed : got;
}

/** Tells the sender's name, what came along, and MSG_… (____sys_recvmsg). */
function putReceived(call: Call, at: number, view: StructView, received: Received, flags: number): number {
  const control = new ControlOut(call, view.u64(32), view.u64(40));
  for (const { level, type, data } of received.controls ?? []) control.put(level, type, data);
  if (received.credentials !== undefined) {
    const { pid, uid, gid } = received.credentials;
    const bytes = new StructView(CREDENTIALS_BYTES).put32(0, pid);
    control.put(SOL_SOCKET, SCM_CREDENTIALS, bytes.put32(4, munged(uid)).put32(8, munged(gid)).bytes);
  }
  if (received.rights !== undefined) putRights(call, control, received.rights, flags);
  const at48 = received.outFlags | control.flags | (flags & MSG_CMSG_CLOEXEC);
  if (view.u64(0) !== 0) {
    const name = received.name ?? new Uint8Array(0);
    if (call.put(view.u64(0), name.subarray(0, view.s32(8))) < 0) return -EFAULT;
    if (call.put(at + 8, new StructView(4).put32(0, name.length).bytes) < 0) return -EFAULT;
  }
  if (call.put(at + 48, new StructView(4).put32(0, at48).bytes) < 0) return -EFAULT;
  return call.put(at + 40, new StructView(8).put64(0, control.used).bytes);
}

/** Whoever has no number here is shown as the overflow user. */
function munged(id: number): number {
  return id === -1 ? OVERFLOW_ID : id;
}

/**
 * Gives the files their descriptors, as many as there is room for; the others are lost (scm_detach_fds). Each one's number
 * is told before the descriptor is there: where it can't be told, there is none.
 */
function putRights(call: Call, control: ControlOut, rights: readonly File[], flags: number): void {
  const { files, rlimits } = call.process;
  const fits = Math.max(0, Math.floor((control.room - CMSGHDR_BYTES) / 4));
  let told = 0;
  for (const file of rights) {
    if (told >= fits) break;
    const fd = files.alloc(file, (flags & MSG_CMSG_CLOEXEC) !== 0, rlimits[RLIMIT_NOFILE].soft);
    if (fd < 0) break;
    if (control.putNumber(CMSGHDR_BYTES + 4 * told, fd) < 0) {
      files.takeBack(fd);
      break;
    }
    told++;
  }
  for (const file of rights.slice(told)) file.put();
  if (told > 0) control.putHead(SCM_RIGHTS, 4 * told);
  if (told < rights.length) control.flags |= MSG_CTRUNC;
}

/** The caller's room for control messages, filled from its begin (put_cmsg). */
class ControlOut {
  readonly #call: Call;
  readonly #at: number;
  readonly #length: number;
  used = 0;
  flags = 0;

  constructor(call: Call, at: number, length: number) {
    this.#call = call;
    this.#at = at;
    this.#length = at === 0 ? 0 : length;
  }

  get room(): number {
    return this.#length - this.used;
  }

  put(level: number, type: number, data: Uint8Array): void {
    if (this.room < CMSGHDR_BYTES) {
      this.flags |= MSG_CTRUNC;
      return;
    }
    let size = CMSGHDR_BYTES + data.length;
    if (this.room < size) {
      this.flags |= MSG_CTRUNC;
      size = this.room;
    }
    const out = new StructView(CMSGHDR_BYTES + data.length);
    out.put64(0, size).put32(8, level).put32(12, type).bytes.set(data, CMSGHDR_BYTES);
    // What can't be told is as if it had not come.
    if (this.#call.put(this.#at + this.used, out.bytes.subarray(0, size)) < 0) return;
    this.#advance(size);
  }

  /** A number of the message that is put next. 0 or -EFAULT. */
  putNumber(offset: number, value: number): number {
    return this.#call.put(this.#at + this.used + offset, new StructView(4).put32(0, value).bytes);
  }

  /** The head of a message whose `length` bytes stand there already. */
  putHead(type: number, length: number): void {
    const size = CMSGHDR_BYTES + length;
    const head = new StructView(CMSGHDR_BYTES).put64(0, size).put32(8, SOL_SOCKET).put32(12, type);
    if (this.#call.put(this.#at + this.used, head.bytes) === 0) this.#advance(size);
  }

  #advance(size: number): void {
    this.used += Math.min(Math.ceil(size / 8) * 8, this.room);
  }
}

/** What a call for several messages keeps while one of them waits. */
class Batch {
  /** Messages that were done before. */
  readonly done: number;
  /** When no more are waited for (recvmmsg). */
  readonly deadlineNs: number;
  /** What the one that waits keeps. */
  readonly inner: unknown;

  constructor(done: number, deadlineNs: number, inner: unknown) {
    this.done = done;
    this.deadlineNs = deadlineNs;
    this.inner = inner;
  }
}

/** Goes on with a call for several messages: where it was, with the state of the message that waited. */
function resume({ thread }: Call): Batch | undefined {
  const { callState } = thread;
  if (!(callState instanceof Batch)) return undefined;
  thread.callState = callState.inner;
  return callState;
}

/** A message waits. @param ended what a signal ends the call with, where others were done before */
function suspend({ thread }: Call, done: number, deadlineNs: number, ended: () => void): number {
  thread.callState = new Batch(done, deadlineNs, thread.callState);
  const { wait } = thread;
  if (done === 0 || wait === undefined) return BLOCKED;
  const { isReady, deadlineNs: wakesNs } = wait;
  thread.wait = {
    isReady,
    deadlineNs: wakesNs,
    interrupted: done,
    get isForInput() {
      return wait.isForInput === true;
    },
    onInterrupt: ended,
    abandon: () => wait.abandon?.(),
  };
  return BLOCKED;
}

/** One message after the other, each of which may wait; what was sent is sent. */
function sendmmsg(call: Call): number {
  return withSocket(call, (file, socket) => {
    const count = Math.min(call.u32(2), UIO_MAXIOV);
    for (let i = resume(call)?.done ?? 0; i < count; i++) {
      const at = call.u64(1) + i * MMSGHDR_BYTES;
      const sent = sendmsg(call, file, socket, at, call.s32(3));
      if (sent === BLOCKED) return suspend(call, i, Number.POSITIVE_INFINITY, () => {});
      if (sent < 0) return i > 0 ? i : sent;
      if (call.put(at + MSGHDR_BYTES, new StructView(4).put32(0, sent).bytes) < 0) return i > 0 ? i : -EFAULT;
      call.thread.callState = undefined;
    }
    return count;
  });
}

/**
 * All that are asked for, or with MSG_WAITFORONE what is there after the first (do_recvmmsg). The time-out is looked at after
 * each message only: one that never comes is waited for all the same.
 */
function recvmmsg(call: Call): number {
  const before = resume(call);
  const now = (): number => call.system.clock.monotonicNs();
  let deadlineNs = before?.deadlineNs ?? Number.POSITIVE_INFINITY;
  const timeoutAt = call.u64(4);
  if (before === undefined && timeoutAt !== 0) {
    const raw = call.get(timeoutAt, TIMESPEC_BYTES);
    if (raw === undefined) return -EFAULT;
    const time = getTimespec(raw);
    if (!isValidTimespec(time)) return -EINVAL;
    deadlineNs = now() + nsOf(time);
  }
  return withSocket(call, (file, socket) => {
    if (before === undefined && socket.error !== 0) return socket.takeError();
    const count = Math.min(call.u32(2), UIO_MAXIOV);
    let done = before?.done ?? 0;
    let leftNs = Math.max(0, deadlineNs - now());
    while (done < count) {
      const isEnough = done > 0 && (call.s32(3) & MSG_WAITFORONE) !== 0;
      const flags = (call.s32(3) & ~MSG_WAITFORONE) | (isEnough ? MSG_DONTWAIT : 0);
      const got = receiveOne(call, file, socket, done, flags);
      if (got === BLOCKED) {
        // The next call is told of it, by a number that programs should not see.
        return suspend(call, done, deadlineNs, () => {
          socket.error = ERESTARTSYS;
        });
      }
      if (got < 0) {
        if (done === 0) return got;
        if (got !== -EAGAIN) socket.error = -got;
        break;
      }
      done++;
      leftNs = Math.max(0, deadlineNs - now());
      if (leftNs === 0) break;
    }
    if (timeoutAt === 0 || done === 0) return done;
    const rest = new StructView(TIMESPEC_BYTES);
    putTimespec(rest, 0, timespecOf(leftNs));
    return call.put(timeoutAt, rest.bytes) < 0 ? -EFAULT : done;
  });
}

/** The message with this number: what recvmsg answers, told in its place. */
function receiveOne(call: Call, file: File, socket: Socket, index: number, flags: number): number {
  const at = call.u64(1) + index * MMSGHDR_BYTES;
  const got = recvmsg(call, file, socket, at, flags);
  if (got < 0) return got;
  call.thread.callState = undefined;
  return call.put(at + MSGHDR_BYTES, new StructView(4).put32(0, got).bytes) < 0 ? -EFAULT : got;
}
