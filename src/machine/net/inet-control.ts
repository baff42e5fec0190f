/**
 * Control messages of datagrams. A receiver is told, as far as it has asked for that, when they came and how many were lost
 * (sock_recv_cmsgs), where they were sent to, and what their heads say (ip_cmsg_recv_offset, ip6_datagram_recv_ctl). A
 * sender says what the head of one packet is to be (ip_cmsg_send, ip6_datagram_send_ctl).
 */
import { EINVAL, ENETUNREACH, ENODEV } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import type { Timespec } from "../abi/structs.ts";
import { AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET } from "./constants.ts";
import { ANY4, ANY6, type Endpoint, encodeEndpoint, isIpv4, isLocal, parseEndpoint } from "./inet-address.ts";
import { LO_INDEX } from "./loopback-device.ts";
import type { ControlMessage, Socket } from "./socket.ts";

const SO_TIMESTAMP = 29;
const SO_TIMESTAMPNS = 35;
const SO_RXQ_OVFL = 40;

const IP_TOS = 1;
const IP_TTL = 2;
const IP_PKTINFO = 8;
const IP_RECVTTL = 12;
const IP_RECVTOS = 13;
const IP_RECVORIGDSTADDR = 20;
const IP_PROTOCOL = 52;
const IPPROTO_MAX = 263;
const IN_PKTINFO_BYTES = 12;

const IPV6_2292PKTINFO = 2;
const IPV6_2292HOPLIMIT = 8;
const IPV6_UNICAST_HOPS = 16;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_DONTFRAG = 62;
const IPV6_RECVTCLASS = 66;
const IPV6_TCLASS = 67;
const IPV6_RECVORIGDSTADDR = 74;

const IN6_PKTINFO_BYTES = 20;

const DEFAULT_HOPS = 64;

/** What stands in the head of a packet, and what was known when it came. */
export interface PacketHead {
  readonly to: Endpoint;
  /** Time to live, or hops left. */
  readonly hops: number;
  /** Type of service, or traffic class. */
  readonly service: number;
  readonly time: Timespec;
  /** Packets that the receiver had lost by then. */
  readonly lost: number;
  /** The receiver wanted to know the way of it when it came: for IPv4, that is noted or not (ipv4_pktinfo_prepare). */
  readonly hasRoute: boolean;
}

/** What a sender's control messages say of one packet. */
export interface PacketWishes {
  readonly source?: string;
  readonly hops?: number;
  readonly service?: number;
}

/** What the control messages for a packet to `to` wish; or negative errno. Those of other levels say nothing. */
export function packetWishes(controls: readonly ControlMessage[], to: Endpoint): PacketWishes | number {
  let wishes: PacketWishes = {};
  for (const control of controls) {
    const wish = isIpv4(to.ip) ? wishOf4(control) : wishOf6(control);
    if (typeof wish === "number") return wish;
    wishes = { ...wishes, ...wish };
  }
  return wishes;
}

function wishOf4({ level, type, data }: ControlMessage): PacketWishes | number {
  const view = new StructView(data);
  if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) return source6(view, /* isMapped */ true);
  if (level !== IPPROTO_IP) return {};
  const number = data.length === 4 ? view.s32(0) : Number.NaN;
  switch (type) {
    case IP_PKTINFO: {
      if (data.length !== IN_PKTINFO_BYTES) return -EINVAL;
      if (view.s32(0) !== 0 && view.s32(0) !== LO_INDEX) return -ENODEV;
      const source = data.subarray(4, 8).join(".");
      if (source === ANY4) return {};
      return isLocal(source) ? { source } : -ENETUNREACH;
    }
    case IP_TTL:
      return number >= 1 && number <= 255 ? { hops: number } : -EINVAL;
    case IP_TOS: {
      const service = data.length === 1 ? data[0] : number;
      return service >= 0 && service <= 255 ? { service } : -EINVAL;
    }
    case IP_PROTOCOL:
      return number >= 1 && number < IPPROTO_MAX ? {} : -EINVAL;
    default:
      return -EINVAL;
  }
}

function wishOf6({ level, type, data }: ControlMessage): PacketWishes | number {
  if (level !== IPPROTO_IPV6) return {};
  const view = new StructView(data);
  const number = data.length === 4 ? view.s32(0) : Number.NaN;
  switch (type) {
    case IPV6_PKTINFO:
    case IPV6_2292PKTINFO:
      return source6(view, /* isMapped */ false);
    case IPV6_HOPLIMIT:
    case IPV6_2292HOPLIMIT:
      if (!(number >= -1 && number <= 255)) return -EINVAL;
      return number < 0 ? {} : { hops: number };
    case IPV6_TCLASS:
      return number >= -1 && number <= 255 ? { service: number & 0xff } : -EINVAL;
    case IPV6_DONTFRAG:
      return number === 0 || number === 1 ? {} : -EINVAL;
    default:
      return -EINVAL;
  }
}

/** struct in6_pktinfo. @param isMapped its address has to be one of IPv4: that is what the packet is of */
function source6(view: StructView, isMapped: boolean): PacketWishes | number {
  if (view.bytes.length < IN6_PKTINFO_BYTES) return -EINVAL;
  const address = new Uint8Array(28);
  address[0] = AF_INET6;
  address.set(view.bytes.subarray(0, 16), 8);
  const parsed = parseEndpoint(address, AF_INET6);
  if (typeof parsed === "number" || (isMapped && !isIpv4(parsed.ip))) return -EINVAL;
  if (view.s32(16) !== 0 && view.s32(16) !== LO_INDEX) return -ENODEV;
  const { ip } = parsed;
  if (ip === ANY6 || ip === ANY4) return {};
  if (isMapped) return isLocal(ip) ? { source: ip } : -ENETUNREACH;
  return isLocal(ip) && !isIpv4(ip) ? { source: ip } : -EINVAL;
}

/** What the sender's settings make of a packet's head. */
export function headOf(
  sender: Socket,
  to: Endpoint,
  wishes: PacketWishes,
): Pick<PacketHead, "to" | "hops" | "service"> {
  const [level, hops, service] = isIpv4(to.ip)
    ? [IPPROTO_IP, IP_TTL, IP_TOS]
    : [IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_TCLASS];
  return {
    to,
    hops: wishes.hops ?? sender.option(level, hops, DEFAULT_HOPS),
    service: wishes.service ?? sender.option(level, service),
  };
}

export function wantsRoute(socket: Socket): boolean {
  return socket.option(IPPROTO_IP, IP_PKTINFO) !== 0 || socket.option(IPPROTO_IPV6, IPV6_RECVPKTINFO) !== 0;
}

/** The control messages for a packet, in Linux's order. */
export function inetControls(socket: Socket, head: PacketHead): ControlMessage[] {
  const out: ControlMessage[] = [];
  const wants = (level: number, name: number): boolean => socket.option(level, name) !== 0;
  const tell = (level: number, type: number, data: Uint8Array): void => void out.push({ level, type, data });
  const { seconds, nanoseconds } = head.time;
  if (wants(SOL_SOCKET, SO_TIMESTAMPNS)) tell(SOL_SOCKET, SO_TIMESTAMPNS, pair(seconds, nanoseconds));
  else if (wants(SOL_SOCKET, SO_TIMESTAMP))
    tell(SOL_SOCKET, SO_TIMESTAMP, pair(seconds, Math.floor(nanoseconds / 1000)));
  if (wants(SOL_SOCKET, SO_RXQ_OVFL) && head.lost > 0) tell(SOL_SOCKET, SO_RXQ_OVFL, int(head.lost));
  const isOf4 = isIpv4(head.to.ip);
  if (socket.family === AF_INET6) {
    const pktinfo = new StructView(20).put32(16, isOf4 && !head.hasRoute ? 0 : LO_INDEX);
    pktinfo.bytes.set(encodeEndpoint(head.to, AF_INET6).subarray(8, 24));
    if (wants(IPPROTO_IPV6, IPV6_RECVPKTINFO)) tell(IPPROTO_IPV6, IPV6_PKTINFO, pktinfo.bytes);
    if (isOf4) return [...out, ...controlsOf4(head, wants)];
    if (wants(IPPROTO_IPV6, IPV6_RECVHOPLIMIT)) tell(IPPROTO_IPV6, IPV6_HOPLIMIT, int(head.hops));
    if (wants(IPPROTO_IPV6, IPV6_RECVTCLASS)) tell(IPPROTO_IPV6, IPV6_TCLASS, int(head.service));
    if (wants(IPPROTO_IPV6, IPV6_2292PKTINFO)) tell(IPPROTO_IPV6, IPV6_2292PKTINFO, pktinfo.bytes);
    if (wants(IPPROTO_IPV6, IPV6_2292HOPLIMIT)) tell(IPPROTO_IPV6, IPV6_2292HOPLIMIT, int(head.hops));
    if (wants(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR))
      tell(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, encodeEndpoint(head.to, AF_INET6));
    return out;
  }
  return [...out, ...controlsOf4(head, wants)];
}

function controlsOf4(head: PacketHead, wants: (level: number, name: number) => boolean): ControlMessage[] {
  const out: ControlMessage[] = [];
  const tell = (type: number, data: Uint8Array): void => void out.push({ level: IPPROTO_IP, type, data });
  const address = encodeEndpoint(head.to, AF_INET);
  if (wants(IPPROTO_IP, IP_PKTINFO)) {
    // The interface, the address to answer from, the address in the head.
    const pktinfo = new StructView(12).put32(0, head.hasRoute ? LO_INDEX : 0);
    if (head.hasRoute) pktinfo.bytes.set(address.subarray(4, 8), 4);
    pktinfo.bytes.set(address.subarray(4, 8), 8);
    tell(IP_PKTINFO, pktinfo.bytes);
  }
  if (wants(IPPROTO_IP, IP_RECVTTL)) tell(IP_TTL, int(head.hops));
  if (wants(IPPROTO_IP, IP_RECVTOS)) tell(IP_TOS, Uint8Array.of(head.service));
  if (wants(IPPROTO_IP, IP_RECVORIGDSTADDR)) tell(IP_RECVORIGDSTADDR, address);
  return out;
}

function int(value: number): Uint8Array {
  return new StructView(4).put32(0, value).bytes;
}

function pair(first: number, second: number): Uint8Array {
  return new StructView(16).put64(0, first).put64(8, second).bytes;
}
