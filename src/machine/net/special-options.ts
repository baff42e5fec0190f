/**
 * Options whose value is more than a number that is kept: names, what the way to the peer is like, what a socket has of its own.
 */
import { EINVAL, ENODEV, ENOENT, ENOPROTOOPT, ENOTCONN } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOL_SOCKET,
  UDP_CORK,
} from "./constants.ts";
import { LO_INDEX, LO_NAME } from "./loopback-device.ts";
import type { Socket } from "./socket.ts";

const SO_BSDCOMPAT = 14;
const SO_BINDTODEVICE = 25;
const SO_BPF_EXTENSIONS = 48;
const SO_MEMINFO = 55;
const SO_INCOMING_NAPI_ID = 56;
const SO_COOKIE = 57;
const SO_BINDTOIFINDEX = 62;
const TCP_MAXSEG = 2;
const TCP_CONGESTION = 13;
const TCP_ULP = 31;
const IP_MTU = 14;
const IPV6_MTU = 24;

const IFNAMSIZ = 16;
const TCP_CA_NAME_MAX = 16;
const TCP_MIN_MSS = 88;
const TCP_MAX_MSS = 32767;
/** What a connection may count on before it knows better (TCP_MSS_DEFAULT). */
const TCP_MSS_DEFAULT = 536;
/** Over lo: half of the window that a peer opens first (tcp_bound_to_half_wnd). */
const TCP_MSS_OF_LO = 32741;
const TCP6_MSS_OF_LO = 32732;
/** How connections are told to slow down, which nothing here has to: a name that is kept. The first is what all have. */
const CONGESTION: readonly string[] = ["cubic", "reno"];
/** What lo takes in one packet, as routes tell (IP_MAX_MTU), and as IPv6 does. */
const MTU_OF_IP = 65535;
const MTU_OF_IPV6 = 65536;
/** How far a filter may look (SKF_AD_MAX). */
const SKF_AD_MAX = 64;
/** SK_MEMINFO_VARS numbers: 0 received, 1 its bound, 2 sent, 3 its bound, … */
const MEMINFO_BYTES = 36;

/** Sets one of them; undefined: it is none. */
export function setSpecialOption(
  socket: Socket,
  level: number,
  name: number,
  value: Uint8Array,
): number | undefined {
  if (level === SOL_SOCKET) return setOwn(socket, name, value);
  if (level === IPPROTO_TCP && socket.isStream && isInet(socket)) return setOfTcp(socket, name, value);
  if (level === IPPROTO_UDP && isDatagram(socket)) {
    if (value.length < 4) return -EINVAL;
    if (name !== UDP_CORK) return -ENOPROTOOPT;
    const isOn = new StructView(value).s32(0) !== 0;
    socket.setOption(IPPROTO_UDP, UDP_CORK, Number(isOn));
    if (!isOn) socket.uncork();
    return 0;
  }
  const isMtu = level === IPPROTO_IP && name === IP_MTU && isInet(socket);
  return isMtu ? -ENOPROTOOPT : undefined;
}

function setOwn(socket: Socket, name: number, value: Uint8Array): number | undefined {
  switch (name) {
    case SO_BINDTODEVICE: {
      const device = textOf(value, IFNAMSIZ - 1);
      if (device !== "" && device !== LO_NAME) return -ENODEV;
      socket.setOption(SOL_SOCKET, SO_BINDTOIFINDEX, device === "" ? 0 : LO_INDEX);
      return 0;
    }
    case SO_BINDTOIFINDEX: {
      const index = value.length < 4 ? -1 : new StructView(value).s32(0);
      if (index < 0) return -EINVAL;
      socket.setOption(SOL_SOCKET, name, index);
      return 0;
    }
    // What it once did is done always.
    case SO_BSDCOMPAT:
      return value.length < 4 ? -EINVAL : 0;
    case SO_BPF_EXTENSIONS:
    case SO_MEMINFO:
    case SO_INCOMING_NAPI_ID:
    case SO_COOKIE:
      return value.length < 4 ? -EINVAL : -ENOPROTOOPT;
    default:
      return undefined;
  }
}

function setOfTcp(socket: Socket, name: number, value: Uint8Array): number | undefined {
  switch (name) {
    case TCP_MAXSEG: {
      if (value.length < 4) return -EINVAL;
      const bytes = new StructView(value).s32(0);
      if (bytes !== 0 && (bytes < TCP_MIN_MSS || bytes > TCP_MAX_MSS)) return -EINVAL;
      socket.setOption(IPPROTO_TCP, name, bytes);
      return 0;
    }
    case TCP_CONGESTION: {
      if (value.length === 0) return -EINVAL;
      const which = CONGESTION.indexOf(textOf(value, TCP_CA_NAME_MAX - 1));
      if (which < 0) return -ENOENT;
      socket.setOption(IPPROTO_TCP, name, which);
      return 0;
    }
    // No protocol stands above TCP (CONFIG_TLS).
    case TCP_ULP:
      return value.length === 0 ? -EINVAL : -ENOENT;
    default:
      return undefined;
  }
}

/** The value of one of them, or negative errno; undefined: it is none. */
export function getSpecialOption(
  socket: Socket,
  at: number,
  name: number,
  room: number,
): Uint8Array | number | undefined {
  if (at === SOL_SOCKET) return getOwn(socket, name, room);
  if (!isInet(socket)) return undefined;
  if (at === IPPROTO_UDP && isDatagram(socket))
    return name === UDP_CORK ? int(socket.option(IPPROTO_UDP, UDP_CORK)) : -ENOPROTOOPT;
  if (at === IPPROTO_TCP && socket.isStream) return getOfTcp(socket, name);
  if (at === IPPROTO_IP && name === IP_MTU) return hasPeer(socket) ? int(MTU_OF_IP) : -ENOTCONN;
  if (at === IPPROTO_IPV6 && name === IPV6_MTU && socket.family === AF_INET6)
    return hasPeer(socket) ? int(MTU_OF_IPV6) : -ENOTCONN;
  return undefined;
}

function getOwn(socket: Socket, name: number, room: number): Uint8Array | number | undefined {
  switch (name) {
    case SO_BINDTODEVICE: {
      const index = socket.option(SOL_SOCKET, SO_BINDTOIFINDEX);
      if (index === 0) return new Uint8Array(0);
      if (room < IFNAMSIZ) return -EINVAL;
      return index === LO_INDEX ? new TextEncoder().encode(`${LO_NAME}\0`) : -ENODEV;
    }
    case SO_BINDTOIFINDEX:
      return int(socket.option(SOL_SOCKET, name));
    case SO_BSDCOMPAT:
    case SO_INCOMING_NAPI_ID:
      return int(0);
    case SO_BPF_EXTENSIONS:
      return int(SKF_AD_MAX);
    case SO_COOKIE:
      return room < 8 ? -EINVAL : new StructView(8).put64(0, socket.cookie).bytes;
    case SO_MEMINFO: {
      const { receiveBuffer, sendBuffer } = socket;
      const info = new StructView(MEMINFO_BYTES).put32(0, Math.max(0, socket.inputBytes()));
      return info.put32(4, receiveBuffer).put32(8, Math.max(0, socket.outputBytes())).put32(12, sendBuffer)
        .bytes;
    }
    default:
      return undefined;
  }
}

function getOfTcp(socket: Socket, name: number): Uint8Array | number | undefined {
  switch (name) {
    case TCP_MAXSEG: {
      if (hasPeer(socket)) return int(socket.family === AF_INET ? TCP_MSS_OF_LO : TCP6_MSS_OF_LO);
      const chosen = socket.option(IPPROTO_TCP, name);
      return int(chosen === 0 ? TCP_MSS_DEFAULT : chosen);
    }
    case TCP_CONGESTION: {
      const bytes = new Uint8Array(TCP_CA_NAME_MAX);
      bytes.set(new TextEncoder().encode(CONGESTION[socket.option(IPPROTO_TCP, name)]));
      return bytes;
    }
    case TCP_ULP:
      return new Uint8Array(0);
    default:
      return undefined;
  }
}

function isInet({ family }: Socket): boolean {
  return family === AF_INET || family === AF_INET6;
}

function isDatagram(socket: Socket): boolean {
  return isInet(socket) && !socket.isStream;
}

function hasPeer(socket: Socket): boolean {
  return typeof socket.name(true) !== "number";
}

function int(value: number): Uint8Array {
  return new StructView(4).put32(0, value).bytes;
}

/** A name in a value that need not end with a NUL. */
function textOf(value: Uint8Array, max: number): string {
  const text = new TextDecoder("latin1").decode(value.subarray(0, max));
  return text.split("\0", 1)[0];
}
