/**
 * Options of the protocols that are kept and told back: what they would steer is on a wire that is not there, or nothing here
 * depends on it.
 */
import { EINVAL, ENOPROTOOPT } from "../../mm/uapi/errno.ts";
import {
  AF_INET6,
  AF_NETLINK,
  AF_UNIX,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  SOL_NETLINK,
} from "./constants.ts";
import { IPV6_V6ONLY } from "./inet-socket.ts";
import type { Socket } from "./socket.ts";

/** A kept number: bounds, and what it is at first. */
export interface Kept {
  readonly min: number;
  readonly max: number;
  readonly first: number;
  readonly isFlag?: boolean;
  /** Streams refuse it with this: it is for datagrams. */
  readonly ofStream?: number;
  /** Bits that streams leave as they are. */
  readonly streamMask?: number;
  /** What lies below is raised to this. */
  readonly atLeast?: number;
}

const flag: Kept = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY, first: 0, isFlag: true };
const byte: Kept = { min: 0, max: 255, first: 0 };
const INT_MAX = 0x7fffffff;
/** TCP answers with its own congestion bits in the lowest two. */
const INET_ECN_MASK = 3;

function flags(...names: readonly number[]): (readonly [number, Kept])[] {
  return names.map((name) => [name, flag]);
}

/**
 * NODELAY, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2, DEFER_ACCEPT, WINDOW_CLAMP, QUICKACK, THIN_LINEAR_TIMEOUTS,
 * USER_TIMEOUT, NOTSENT_LOWAT.
 */
const TCP: ReadonlyMap<number, Kept> = new Map([
  ...flags(1, 3),
  [4, { min: 1, max: 32767, first: 7200 }],
  [5, { min: 1, max: 32767, first: 75 }],
  [6, { min: 1, max: 127, first: 9 }],
  [7, { min: 1, max: 127, first: 6 }],
  [8, { min: Number.NEGATIVE_INFINITY, max: INT_MAX, first: 60 }],
  [9, { min: Number.NEGATIVE_INFINITY, max: INT_MAX, first: 0 }],
  [10, { min: 1, max: INT_MAX, first: 0, atLeast: 1152 }],
  [12, { ...flag, first: 1 }],
  [16, { min: 0, max: 1, first: 0 }],
  [18, { min: 0, max: INT_MAX, first: 0 }],
  [25, { min: 0, max: INT_MAX, first: 0 }],
]);
/**
 * TOS, TTL, RECVOPTS, RETOPTS, PKTINFO, MTU_DISCOVER, RECVERR, RECVTTL, RECVTOS, FREEBIND, TRANSPARENT, RECVORIGDSTADDR, MINTTL, CHECKSUM,
 * BIND_ADDRESS_NO_PORT, RECVERR_RFC4884, MULTICAST_TTL, MULTICAST_LOOP, MULTICAST_ALL.
 */
const IP: ReadonlyMap<number, Kept> = new Map([
  [1, { ...byte, streamMask: INET_ECN_MASK }],
  [2, { min: 1, max: 255, first: 64 }],
  ...flags(6, 7, 8),
  [10, { min: 0, max: 5, first: 1 }],
  ...flags(11, 12, 13, 15, 19, 20),
  [21, byte],
  ...flags(23, 24),
  [26, { min: 0, max: 1, first: 0 }],
  [33, { min: 1, max: 255, first: 1, ofStream: EINVAL }],
  [34, { ...flag, first: 1 }],
  [49, { min: 0, max: 1, first: 1 }],
]);
/**
 * 2292PKTINFO … 2292HOPLIMIT, FLOWINFO, UNICAST_HOPS, MULTICAST_HOPS, MULTICAST_LOOP, MTU_DISCOVER, RECVERR, V6ONLY, MULTICAST_ALL,
 * ROUTER_ALERT_ISOLATE, RECVERR_RFC4884, FLOWINFO_SEND, RECVPKTINFO, RECVHOPLIMIT, RECVHOPOPTS, RECVRTHDR, RECVDSTOPTS, RECVPATHMTU, DONTFRAG,
 * RECVTCLASS, TCLASS, AUTOFLOWLABEL, MINHOPCOUNT, RECVORIGDSTADDR, TRANSPARENT, RECVFRAGSIZE, FREEBIND.
 */
const IPV6: ReadonlyMap<number, Kept> = new Map([
  ...flags(2, 3, 4, 5, 8, 11),
  [16, { min: 0, max: 255, first: 64 }],
  [18, { min: 0, max: 255, first: 1, ofStream: ENOPROTOOPT }],
  [19, { ...flag, first: 1 }],
  [23, { min: 0, max: 5, first: 1 }],
  [25, flag],
  [IPV6_V6ONLY, flag],
  [29, { ...flag, first: 1 }],
  [30, flag],
  [31, { min: 0, max: 1, first: 0 }],
  ...flags(33, 49, 51, 53, 56, 58, 60, 62, 66),
  [67, { ...byte, streamMask: INET_ECN_MASK }],
  [70, { ...flag, first: 1 }],
  [73, byte],
  ...flags(74, 75),
  [77, byte],
  [78, flag],
]);

/** PKTINFO, BROADCAST_ERROR, NO_ENOBUFS, LISTEN_ALL_NSID, CAP_ACK, EXT_ACK, GET_STRICT_CHK. */
const NETLINK: ReadonlyMap<number, Kept> = new Map(flags(3, 4, 5, 8, 10, 11, 12));

/** The kept options of a level, where the socket has that level. */
export function keptAt(socket: Socket, level: number): ReadonlyMap<number, Kept> | undefined {
  if (socket.family === AF_UNIX) return undefined;
  if (socket.family === AF_NETLINK) return level === SOL_NETLINK ? NETLINK : undefined;
  if (level === IPPROTO_TCP && socket.isStream) return TCP;
  if (level === IPPROTO_IP) return IP;
  return level === IPPROTO_IPV6 && socket.family === AF_INET6 ? IPV6 : undefined;
}

/** The number that setting `wanted` leaves, or NaN: it is beyond the bounds. */
export function keptNumber(kept: Kept, wanted: number, old: number, isStream: boolean): number {
  if (kept.isFlag === true) return Number(wanted !== 0);
  if (wanted < kept.min || wanted > kept.max) return Number.NaN;
  if (kept.streamMask !== undefined && isStream) return (wanted & ~kept.streamMask) | (old & kept.streamMask);
  return Math.max(wanted, kept.atLeast ?? wanted);
}
