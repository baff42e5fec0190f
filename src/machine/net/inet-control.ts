/**
 * What a receiver of datagrams is told beside their bytes, as far as it has asked for that: when they came and how many were lost
 * (sock_recv_cmsgs), where they were sent to, and what their heads say (ip_cmsg_recv_offset, ip6_datagram_recv_ctl).
 */
import { StructView } from "../abi/bytes.ts";
import type { Timespec } from "../abi/structs.ts";
import { AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET } from "./constants.ts";
import { type Endpoint, encodeEndpoint, isIpv4 } from "./inet-address.ts";
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

const IPV6_2292PKTINFO = 2;
const IPV6_2292HOPLIMIT = 8;
const IPV6_UNICAST_HOPS = 16;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_RECVTCLASS = 66;
const IPV6_TCLASS = 67;
const IPV6_RECVORIGDSTADDR = 74;

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

/** What the sender's settings make of a packet's head. */
export function headOf(sender: Socket, to: Endpoint): Pick<PacketHead, "to" | "hops" | "service"> {
  const [level, hops, service] = isIpv4(to.ip)
    ? [IPPROTO_IP, IP_TTL, IP_TOS]
    : [IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_TCLASS];
  return {
    to,
    hops: sender.option(level, hops, DEFAULT_HOPS),
    service: sender.option(level, service),
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
