/**
 * setsockopt and getsockopt (net/core/sock.c and the protocols' own). What has an effect here acts; what steers packets on
 * a wire that is not there is kept and told back, within Linux's bounds; anything else is ENOPROTOOPT.
 */
import { EDOM, EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import { TIMEVAL_BYTES } from "../abi/structs.ts";
import {
  AF_INET,
  AF_NETLINK,
  AF_UNIX,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOL_NETLINK,
  SOL_SOCKET,
} from "./constants.ts";
import { IPV6_V6ONLY } from "./inet-socket.ts";
import { keptAt, keptNumber } from "./kept-options.ts";
import type { Socket } from "./socket.ts";
import { getSpecialOption, setSpecialOption } from "./special-options.ts";

const SO_DEBUG = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_ERROR = 4;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_LINGER = 13;
const SO_PASSCRED = 16;
const SO_PEERCRED = 17;
const SO_RCVLOWAT = 18;
const SO_SNDLOWAT = 19;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SO_PEERNAME = 28;
const SO_TIMESTAMP = 29;
const SO_ACCEPTCONN = 30;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPNS = 35;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
const SO_RCVTIMEO_NEW = 66;
const SO_SNDTIMEO_NEW = 67;
/** On or off: REUSEADDR, DONTROUTE, BROADCAST, KEEPALIVE, OOBINLINE, NO_CHECK, REUSEPORT, TIMESTAMP, TIMESTAMPNS, RXQ_OVFL … */
const FLAGS: ReadonlySet<number> = new Set([
  SO_DEBUG,
  SO_REUSEADDR,
  5,
  6,
  9,
  10,
  11,
  15,
  SO_TIMESTAMP,
  SO_TIMESTAMPNS,
  40,
  43,
  44,
  45,
]);
/** Numbers, and what they are at first: SO_PRIORITY, SO_MARK, SO_BUSY_POLL, SO_MAX_PACING_RATE, SO_INCOMING_CPU. */
const NUMBERS: ReadonlyMap<number, number> = new Map([
  [12, 0],
  [36, 0],
  [46, 0],
  [47, -1],
  [49, -1],
]);

const WMEM_MAX = 4194304;
const MIN_SEND_BUFFER = 4608;
const MIN_RECEIVE_BUFFER = 2304;
const NS_PER_SECOND = 1e9;

const INT_MAX = 0x7fffffff;
/** NETLINK_ADD_MEMBERSHIP, NETLINK_DROP_MEMBERSHIP: of a group of those who are told of changes, which there are none. */
const MEMBERSHIP: ReadonlySet<number> = new Set([1, 2]);
/** RTNLGRP_MAX */
const NETLINK_GROUPS = 39;

/** @param value what the caller's memory holds @param isRoot may go past limits */
export function setSocketOption(
  socket: Socket,
  level: number,
  name: number,
  value: Uint8Array,
  isRoot: boolean,
): number {
  if (level === SOL_SOCKET)
    return setSpecialOption(socket, level, name, value) ?? setOwn(socket, name, value, isRoot);
  if (socket.family === AF_NETLINK && level === SOL_NETLINK && MEMBERSHIP.has(name)) {
    const group = value.length < 4 ? 0 : new StructView(value).u32(0);
    return group === 0 || group > NETLINK_GROUPS ? -EINVAL : 0;
  }
  const special = setSpecialOption(socket, level, name, value);
  if (special !== undefined) return special;
  const kept = keptAt(socket, level)?.get(name);
  if (kept === undefined) return socket.family === AF_UNIX ? -EOPNOTSUPP : -ENOPROTOOPT;
  if (kept.ofStream !== undefined && socket.isStream) return -kept.ofStream;
  if (value.length < 4 && (level === IPPROTO_TCP || value.length < 1)) return -EINVAL;
  const wanted = value.length < 4 ? value[0] : new StructView(value).s32(0);
  const number = keptNumber(kept, wanted, socket.option(level, name, kept.first), socket.isStream);
  if (Number.isNaN(number)) return -EINVAL;
  if (name === IPV6_V6ONLY && level === IPPROTO_IPV6 && isNamed(socket)) return -EINVAL;
  socket.setOption(level, name, number);
  return 0;
}

function isNamed(socket: Socket): boolean {
  const name = socket.name(false);
  return typeof name !== "number" && (name[2] !== 0 || name[3] !== 0);
}

function setOwn(socket: Socket, name: number, value: Uint8Array, isRoot: boolean): number {
  if (value.length < 4) return -EINVAL;
  const view = new StructView(value);
  const number = view.s32(0);
  if (FLAGS.has(name)) {
    if (name === SO_DEBUG && number !== 0 && !isRoot) return -EPERM;
    const isOn = Number(number !== 0);
    // One of the two ways to tell time, or none.
    if (name === SO_TIMESTAMP || name === SO_TIMESTAMPNS)
      for (const other of [SO_TIMESTAMP, SO_TIMESTAMPNS]) socket.setOption(SOL_SOCKET, other, 0);
    socket.setOption(SOL_SOCKET, name, isOn);
    return 0;
  }
  switch (name) {
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
      if (!isRoot) return -EPERM;
      setBuffer(socket, name === SO_SNDBUFFORCE, number, INT_MAX / 2);
      return 0;
    case SO_SNDBUF:
    case SO_RCVBUF:
      setBuffer(socket, name === SO_SNDBUF, number, WMEM_MAX);
      return 0;
    case SO_LINGER:
      if (value.length < 8) return -EINVAL;
      socket.linger = { isOn: number !== 0, seconds: view.s32(4) };
      return 0;
    case SO_PASSCRED:
      if (socket.family !== AF_UNIX) return -EOPNOTSUPP;
      socket.passesCredentials = number !== 0;
      return 0;
    case SO_RCVLOWAT:
      socket.receiveLow = number < 0 ? INT_MAX : number === 0 ? 1 : number;
      return 0;
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO_NEW:
      return setTimeout(socket, name === SO_RCVTIMEO || name === SO_RCVTIMEO_NEW, view);
    case SO_TYPE:
    case SO_ERROR:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ACCEPTCONN:
    case SO_PEERCRED:
    case SO_SNDLOWAT:
      return -ENOPROTOOPT;
    default:
      if (!NUMBERS.has(name)) return -ENOPROTOOPT;
      socket.setOption(SOL_SOCKET, name, number);
      return 0;
  }
}

/** Twice what was asked for, as half goes into what buffers take beside their bytes. */
function setBuffer(socket: Socket, isForSending: boolean, wanted: number, max: number): void {
  const value = Math.min(wanted < 0 ? max : wanted, max) * 2;
  socket.setOption(SOL_SOCKET, isForSending ? SO_SNDBUF : SO_RCVBUF, 1);
  if (isForSending) socket.sendBuffer = Math.max(value, MIN_SEND_BUFFER);
  else socket.receiveBuffer = Math.max(value, MIN_RECEIVE_BUFFER);
}

/** sock_set_timeout: zero is for ever, a negative one no time at all. */
function setTimeout(socket: Socket, isForReceiving: boolean, view: StructView): number {
  if (view.bytes.length < TIMEVAL_BYTES) return -EINVAL;
  const seconds = view.s64(0);
  const microseconds = view.s64(8);
  if (microseconds < 0 || microseconds >= 1e6) return -EDOM;
  const ns = seconds * NS_PER_SECOND + microseconds * 1000;
  const timeout = seconds < 0 ? 0 : ns === 0 ? Number.POSITIVE_INFINITY : ns;
  if (isForReceiving) socket.receiveTimeoutNs = timeout;
  else socket.sendTimeoutNs = timeout;
  return 0;
}

/** The bytes of an option's value, or negative errno. @param room how many the caller takes: the rest is cut off */
export function getSocketOption(
  socket: Socket,
  level: number,
  name: number,
  room: number,
): Uint8Array | number {
  const special = getSpecialOption(socket, level, name, room);
  if (special !== undefined) return special;
  if (level === SOL_SOCKET) return getOwn(socket, name);
  const options = keptAt(socket, level);
  const kept = options?.get(name);
  if (kept === undefined) return isUnknownLevel(socket, level) ? -EOPNOTSUPP : -ENOPROTOOPT;
  return int(socket.option(level, name, kept.first));
}

/** Whether there are none of the kind, as opposed to none of the name. IPv6 does not tell. */
function isUnknownLevel({ family, isStream }: Socket, level: number): boolean {
  if (family === AF_UNIX) return true;
  return family === AF_INET && level !== IPPROTO_IP && level !== (isStream ? IPPROTO_TCP : IPPROTO_UDP);
}

function int(value: number): Uint8Array {
  return new StructView(4).put32(0, value).bytes;
}

function getOwn(socket: Socket, name: number): Uint8Array | number {
  if (FLAGS.has(name) || NUMBERS.has(name)) return int(socket.option(SOL_SOCKET, name, NUMBERS.get(name)));
  switch (name) {
    case SO_TYPE:
      return int(socket.type);
    case SO_ERROR:
      return int(-socket.takeError());
    case SO_SNDBUF:
      return int(socket.sendBuffer);
    case SO_RCVBUF:
      return int(socket.receiveBuffer);
    case SO_LINGER:
      return new StructView(8).put32(0, Number(socket.linger.isOn)).put32(4, socket.linger.seconds).bytes;
    case SO_PASSCRED:
      return socket.family === AF_UNIX ? int(Number(socket.passesCredentials)) : -EOPNOTSUPP;
    case SO_PEERCRED: {
      const { pid, uid, gid } = socket.peerCredentials;
      return new StructView(12).put32(0, pid).put32(4, uid).put32(8, gid).bytes;
    }
    case SO_RCVLOWAT:
      return int(socket.receiveLow);
    case SO_SNDLOWAT:
      return int(1);
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW:
      return timeout(socket.receiveTimeoutNs);
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW:
      return timeout(socket.sendTimeoutNs);
    case SO_PEERNAME: {
      const peer = socket.name(true);
      return typeof peer === "number" ? -ENOTCONN : peer;
    }
    case SO_ACCEPTCONN:
      return int(Number(socket.isListening));
    case SO_PROTOCOL:
      return int(socket.protocol);
    case SO_DOMAIN:
      return int(socket.family);
    default:
      return -ENOPROTOOPT;
  }
}

function timeout(ns: number): Uint8Array {
  const out = new StructView(TIMEVAL_BYTES);
  if (!Number.isFinite(ns)) return out.bytes;
  return out.put64(0, Math.floor(ns / NS_PER_SECOND)).put64(8, Math.floor((ns % NS_PER_SECOND) / 1000)).bytes;
}
