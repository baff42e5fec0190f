/** Sockets: making, naming, connecting them, their options, and bytes without more (net/socket.c). */

import { fdGet, fdInstall } from "../../mm/syscalls/fd.ts";
import { CAP_NET_ADMIN } from "../../mm/uapi/capability.ts";
import {
  EBADF,
  ECONNABORTED,
  EFAULT,
  EINVAL,
  EMFILE,
  ENFILE,
  ENOTSOCK,
  EOPNOTSUPP,
} from "../../mm/uapi/errno.ts";
import { MAX_RW_COUNT, O_CLOEXEC, O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import { RLIMIT_NOFILE } from "../../mm/uapi/mman.ts";
import { capable } from "../../mm/vfs/capability.ts";
import type { File } from "../../mm/vfs/file.ts";
import { StructView } from "../abi/bytes.ts";
import { MSG_DONTWAIT, RCV_SHUTDOWN, SEND_SHUTDOWN, SOCK_TYPE_MASK } from "../net/constants.ts";
import {
  credentialsOf,
  newSocketFile,
  type Request,
  type Socket,
  socketOf,
  WOULD_BLOCK,
} from "../net/socket.ts";
import { getSocketOption, setSocketOption } from "../net/socket-options.ts";
import { UnixSocket } from "../net/unix-socket.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { NOTHING_ENCLOSED, receiveOn, sendOn, waitForSocket } from "./socket-transfer.ts";

const AF_MAX = 46;
/** struct sockaddr_storage */
const SOCKADDR_MAX = 128;
/** The longest value of an option that anything here has. */
const OPTION_MAX = 4096;

export const socketCalls: SyscallGroup = [
  [198, "socket", 3, socket],
  [199, "socketpair", 4, socketpair],
  [
    200,
    "bind",
    3,
    (call) => withSocket(call, (file, it) => withAddress(call, file, it, (task, at) => it.bind(task, at))),
  ],
  [201, "listen", 2, (call) => withSocket(call, (file, it) => listen(call, file, it))],
  [202, "accept", 3, (call) => accept(call, 0)],
  [203, "connect", 3, (call) => withSocket(call, (file, it) => connect(call, file, it))],
  [204, "getsockname", 3, (call) => withSocket(call, (_file, it) => getName(call, it, false))],
  [205, "getpeername", 3, (call) => withSocket(call, (_file, it) => getName(call, it, true))],
  [206, "sendto", 6, sendto],
  [207, "recvfrom", 6, recvfrom],
  [208, "setsockopt", 5, setsockopt],
  [209, "getsockopt", 5, getsockopt],
  [210, "shutdown", 2, shutdown],
  [242, "accept4", 4, (call) => accept(call, call.s32(3))],
];

/** Runs `serve` with the socket of argument 0. */
export function withSocket(call: Call, serve: (file: File, socket: Socket) => number): number {
  const file = fdGet(call.process, call.s32(0));
  if (file === undefined) return -EBADF;
  const found = socketOf(file);
  return found === undefined ? -ENOTSOCK : serve(file, found);
}

/** A socket address of the caller's: -EINVAL too long, -EFAULT (move_addr_to_kernel). */
export function getAddress(call: Call, at: number, length: number): Uint8Array | number {
  if (length < 0 || length > SOCKADDR_MAX) return -EINVAL;
  return call.get(at, length)?.bytes ?? -EFAULT;
}

/** Tells an address and its whole length; of the address as much as fits (move_addr_to_user). */
export function putAddress(call: Call, at: number, lengthAt: number, address: Uint8Array): number {
  const room = call.get(lengthAt, 4);
  if (room === undefined) return -EFAULT;
  const fits = room.s32(0);
  if (fits < 0) return -EINVAL;
  if (call.put(at, address.subarray(0, fits)) < 0) return -EFAULT;
  return call.put(lengthAt, new StructView(4).put32(0, address.length).bytes);
}

function withAddress(
  call: Call,
  _file: File,
  _socket: Socket,
  serve: (task: Call["process"], address: Uint8Array) => number,
): number {
  const address = getAddress(call, call.u64(1), call.s32(2));
  return typeof address === "number" ? address : serve(call.process, address);
}

/** SOCK_NONBLOCK and SOCK_CLOEXEC are O_NONBLOCK and O_CLOEXEC. */
function flagsOf(type: number): number {
  return type & ~SOCK_TYPE_MASK;
}

function areValid(flags: number): boolean {
  return (flags & ~(O_CLOEXEC | O_NONBLOCK)) === 0;
}

function make(call: Call): Socket | number {
  const { process, system } = call;
  const [family, type, protocol] = [call.s32(0), call.s32(1), call.s32(2)];
  if (!areValid(flagsOf(type))) return -EINVAL;
  const known = family < 0 || family >= AF_MAX ? -1 : family;
  return system.network.create(process, known, type & SOCK_TYPE_MASK, protocol);
}

function install(call: Call, made: Socket, flags: number): number {
  const { process, system } = call;
  const file = newSocketFile(system.kernel.mounts, made, flags & O_NONBLOCK, process);
  return fdInstall(process, file, (flags & O_CLOEXEC) !== 0);
}

function socket(call: Call): number {
  const made = make(call);
  return typeof made === "number" ? made : install(call, made, flagsOf(call.s32(1)));
}

function socketpair(call: Call): number {
  const { process } = call;
  const flags = flagsOf(call.s32(1));
  const first = make(call);
  if (typeof first === "number") return first;
  const second = make(call);
  if (!(first instanceof UnixSocket) || !(second instanceof UnixSocket)) {
    first.close();
    if (typeof second === "number") return second;
    second.close();
    return -EOPNOTSUPP;
  }
  UnixSocket.connectPair(first, second, credentialsOf(process));
  const a = install(call, first, flags);
  if (a < 0) {
    second.close();
    return a;
  }
  const b = install(call, second, flags);
  const failed = b < 0 ? b : call.put(call.u64(3), new StructView(8).put32(0, a).put32(4, b).bytes);
  if (failed === 0) return 0;
  process.files.close(a);
  if (b >= 0) process.files.close(b);
  return failed;
}

function listen(call: Call, file: File, it: Socket): number {
  const request: Request = { flags: 0 };
  const result = it.listen(call.process, call.s32(1), request);
  // Only the host takes its time.
  return result === WOULD_BLOCK ? waitForSocket(call, file, request, Number.POSITIVE_INFINITY) : result;
}

function accept(call: Call, flags: number): number {
  if (!areValid(flags)) return -EINVAL;
  return withSocket(call, (file, listener) => {
    const { process } = call;
    // Whoever can't have a descriptor takes nobody out of the queue.
    if (!process.files.hasRoom(process.rlimits[RLIMIT_NOFILE].soft)) return -EMFILE;
    if (!process.fs.mounts.openFiles.mayOpen(process)) return -ENFILE;
    const request: Request = { flags: 0 };
    const made = listener.accept(request);
    if (made === WOULD_BLOCK) {
      const timeout = (file.flags & O_NONBLOCK) !== 0 ? 0 : listener.receiveTimeoutNs;
      return waitForSocket(call, file, request, timeout);
    }
    if (typeof made === "number") return made;
    const fd = install(call, made, flags);
    if (fd < 0 || call.u64(1) === 0) return fd;
    const peer = made.acceptedFrom();
    const failed =
      typeof peer === "number" ? -ECONNABORTED : putAddress(call, call.u64(1), call.u64(2), peer);
    if (failed === 0) return fd;
    process.files.close(fd);
    return failed;
  });
}

function connect(call: Call, file: File, it: Socket): number {
  const address = getAddress(call, call.u64(1), call.s32(2));
  if (typeof address === "number") return address;
  const isNonblock = (file.flags & O_NONBLOCK) !== 0;
  const request: Request = { flags: isNonblock ? MSG_DONTWAIT : 0 };
  const result = it.connect(call.process, address, request);
  return result === WOULD_BLOCK ? waitForSocket(call, file, request, it.sendTimeoutNs) : result;
}

function getName(call: Call, it: Socket, ofPeer: boolean): number {
  const name = it.name(ofPeer);
  return typeof name === "number" ? name : putAddress(call, call.u64(1), call.u64(2), name);
}

/** Arguments: descriptor, bytes and their number, MSG_…, address or null and its length. */
function sendto(call: Call): number {
  return withSocket(call, (file, it) => {
    const len = Math.min(call.u64(2), MAX_RW_COUNT);
    if (call.u64(1) + len > call.process.mm.arch.taskSize) return -EFAULT;
    const to = call.u64(4) === 0 ? undefined : getAddress(call, call.u64(4), call.s32(5));
    if (typeof to === "number") return to;
    return sendOn(call, file, it, [{ base: call.u64(1), len }], call.s32(3), { ...NOTHING_ENCLOSED, to });
  });
}

/** Arguments: descriptor, where to, how much, MSG_…, where the sender's address goes or null, and its length. */
function recvfrom(call: Call): number {
  return withSocket(call, (file, it) => {
    const len = Math.min(call.u64(2), MAX_RW_COUNT);
    if (call.u64(1) + len > call.process.mm.arch.taskSize) return -EFAULT;
    let failed = 0;
    const got = receiveOn(call, file, it, [{ base: call.u64(1), len }], call.s32(3), ({ name, rights }) => {
      for (const right of rights ?? []) right.put();
      if (call.u64(4) === 0) return;
      failed = putAddress(call, call.u64(4), call.u64(5), name ?? new Uint8Array(0));
    });
    return failed < 0 ? failed : got;
  });
}

function setsockopt(call: Call): number {
  return withSocket(call, (_file, it) => {
    const length = call.s32(4);
    if (length < 0) return -EINVAL;
    const value = call.get(call.u64(3), Math.min(length, OPTION_MAX));
    if (value === undefined) return -EFAULT;
    return setSocketOption(it, call.s32(1), call.s32(2), value.bytes, capable(call.process, CAP_NET_ADMIN));
  });
}

function getsockopt(call: Call): number {
  return withSocket(call, (_file, it) => {
    const room = call.get(call.u64(4), 4);
    if (room === undefined) return -EFAULT;
    if (room.s32(0) < 0) return -EINVAL;
    const value = getSocketOption(it, call.s32(1), call.s32(2), room.s32(0));
    if (typeof value === "number") return value;
    const told = value.subarray(0, room.s32(0));
    if (call.put(call.u64(3), told) < 0) return -EFAULT;
    return call.put(call.u64(4), new StructView(4).put32(0, told.length).bytes);
  });
}

function shutdown(call: Call): number {
  return withSocket(call, (_file, it) => {
    const how = call.s32(1) + 1;
    if (how < RCV_SHUTDOWN || how > (RCV_SHUTDOWN | SEND_SHUTDOWN)) return -EINVAL;
    return it.shutdown(how);
  });
}
