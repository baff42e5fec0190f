/**
 * What netlink tells of network interfaces, their addresses and routes (net/core/rtnetlink.c, net/ipv4/devinet.c,
 * net/ipv4/fib_frontend.c): there is lo alone, and nothing changes it.
 *
 * ```
 *   message      0 length   4 type (16)   6 flags (16)   8 sequence number   12 port of the receiver   16 what depends on the type
 *   attribute    0 length (16)   2 type (16)   4 value, padded to a multiple of 4
 * ```
 *
 * Not told: counts of packets, which nobody keeps.
 */
import type { Task } from "../../mm/syscalls/task.ts";
import { CAP_NET_ADMIN } from "../../mm/uapi/capability.ts";
import { EINVAL, ENODEV, EOPNOTSUPP, EPERM } from "../../mm/uapi/errno.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { StructView } from "../abi/bytes.ts";
import { AF_INET, AF_INET6 } from "./constants.ts";
import {
  LO_ADDRESS,
  LO_ALL_FLAGS,
  LO_HARDWARE_BYTES,
  LO_HARDWARE_TYPE,
  LO_INDEX,
  LO_MTU,
  LO_NAME,
  LO_QUEUE_LENGTH,
} from "./loopback-device.ts";

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
/** Smaller types are netlink's own, and no requests. */
const NLMSG_MIN_TYPE = 16;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTM_GETNEIGH = 30;
/** The last of 6.18. */
const RTM_MAX = 123;
const NLM_F_REQUEST = 1;
const NLM_F_MULTI = 2;
const NLM_F_ACK = 4;
const NLM_F_CAPPED = 0x100;
const NLM_F_DUMP = 0x300;

const HEADER_BYTES = 16;
/** struct rtgenmsg, which every request begins with: a family. */
const IFINFOMSG_BYTES = 16;
const IFLA_IFNAME = 3;
const IFLA_ALT_IFNAME = 53;

const LO6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_HOST = 254;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_UNIVERSE = 0;
const RT_TABLE_LOCAL = 255;
const RTPROT_KERNEL = 2;
const RTN_LOCAL = 2;
const RTN_BROADCAST = 3;
/** struct ifa_cacheinfo: valid for ever, and since when (hundredths of a second since boot). */
const FOR_EVER = 0xffffffff;

/** Of the socket that asks. */
export interface Asker {
  readonly port: number;
  /** NETLINK_CAP_ACK: refusals don't repeat the request. */
  readonly capsAcks: boolean;
}

/** The datagrams that answer one that was sent to the kernel (netlink_rcv_skb). */
export function answerRequests(task: Task | undefined, asker: Asker, bytes: Uint8Array): Uint8Array[] {
  const answers: Uint8Array[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = new StructView(bytes.subarray(at, at + HEADER_BYTES)).u32(0);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    answers.push(...answer(task, asker, new Request(bytes.slice(at, at + length))));
    at += Math.ceil(length / 4) * 4;
  }
  return answers;
}

class Request {
  readonly bytes: Uint8Array;
  readonly #view: StructView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new StructView(bytes);
  }

  get type(): number {
    return this.#view.u16(4);
  }
  get flags(): number {
    return this.#view.u16(6);
  }
  get sequence(): number {
    return this.#view.u32(8);
  }
  get bodyBytes(): number {
    return this.bytes.length - HEADER_BYTES;
  }
  /** Of what it asks, 0 for all; the first byte behind the header. */
  get family(): number {
    return this.bytes[HEADER_BYTES];
  }
  /** ifi_index. Precondition: its body is a struct ifinfomsg. */
  get index(): number {
    return this.#view.s32(HEADER_BYTES + 4);
  }

  /** A name among the attributes behind a struct ifinfomsg. */
  nameOf(type: number): string | undefined {
    for (let at = HEADER_BYTES + IFINFOMSG_BYTES; at + 4 <= this.bytes.length; ) {
      const length = this.#view.u16(at);
      if (length < 4 || at + length > this.bytes.length) return undefined;
      if (this.#view.u16(at + 2) === type) {
        const value = this.bytes.subarray(at + 4, at + length);
        const end = value.indexOf(0);
        return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
      }
      at += Math.ceil(length / 4) * 4;
    }
    return undefined;
  }
}

function answer(task: Task | undefined, asker: Asker, request: Request): Uint8Array[] {
  const isRequest = (request.flags & NLM_F_REQUEST) !== 0 && request.type >= NLMSG_MIN_TYPE;
  const answers = isRequest ? receive(task, asker, request) : [];
  if (typeof answers === "number") return [acknowledgement(asker, request, answers)];
  const wantsAck = (request.flags & NLM_F_ACK) !== 0 && (!isRequest || (request.flags & NLM_F_DUMP) === 0);
  return wantsAck ? [...answers, acknowledgement(asker, request, 0)] : answers;
}

/** rtnetlink_rcv_msg: datagrams, or negative errno. */
function receive(task: Task | undefined, asker: Asker, request: Request): Uint8Array[] | number {
  const { type, flags, family } = request;
  if (type > RTM_MAX) return -EOPNOTSUPP;
  if (request.bodyBytes < 1) return [];
  const isGet = (type & 3) === 2;
  if (!isGet && (task === undefined || !capable(task, CAP_NET_ADMIN))) return -EPERM;
  const isDump = isGet && (flags & NLM_F_DUMP) !== 0;
  if (!isDump) return type === RTM_GETLINK ? oneLink(asker, request) : -EOPNOTSUPP;
  const isWanted = (one: number): boolean => family === one || (family !== AF_INET && family !== AF_INET6);
  const message = (kind: number, body: Uint8Array): Uint8Array =>
    encode(kind, NLM_F_MULTI, request.sequence, asker.port, body);
  const done = message(NLMSG_DONE, new Uint8Array(4));
  switch (type) {
    case RTM_GETLINK:
      return [message(RTM_NEWLINK, linkBody()), done];
    case RTM_GETADDR: {
      const four = isWanted(AF_INET) ? [message(RTM_NEWADDR, address4Body())] : [];
      const six = isWanted(AF_INET6) ? [message(RTM_NEWADDR, address6Body())] : [];
      // The end goes along where what it is the end of was gathered by one handler, as that of IPv6 is.
      return four.length === 0 ? [concat([...six, done])] : [concat([...four, ...six]), done];
    }
    case RTM_GETROUTE: {
      const four = isWanted(AF_INET) ? routes4().map((body) => message(RTM_NEWROUTE, body)) : [];
      const six = isWanted(AF_INET6) ? [message(RTM_NEWROUTE, route6())] : [];
      return [concat([...four, ...six]), done];
    }
    case RTM_GETNEIGH:
      return [done];
    default:
      return -EOPNOTSUPP;
  }
}

/** rtnl_getlink: by number, or else by name. */
function oneLink(asker: Asker, request: Request): Uint8Array[] | number {
  if (request.bodyBytes < IFINFOMSG_BYTES) return -EINVAL;
  const { index } = request;
  const name = request.nameOf(IFLA_IFNAME) ?? request.nameOf(IFLA_ALT_IFNAME);
  if (index <= 0 && name === undefined) return -EINVAL;
  const isThere = index > 0 ? index === LO_INDEX : name === LO_NAME;
  return isThere ? [encode(RTM_NEWLINK, 0, request.sequence, asker.port, linkBody())] : -ENODEV;
}

/** netlink_ack: a refusal repeats what was refused. */
function acknowledgement({ port, capsAcks }: Asker, request: Request, error: number): Uint8Array {
  const isCapped = error === 0 || capsAcks;
  const repeated = isCapped ? request.bytes.subarray(0, HEADER_BYTES) : request.bytes;
  const body = new StructView(4 + Math.ceil(repeated.length / 4) * 4).put32(0, error);
  body.bytes.set(repeated, 4);
  return encode(NLMSG_ERROR, isCapped ? NLM_F_CAPPED : 0, request.sequence, port, body.bytes);
}

function encode(type: number, flags: number, sequence: number, port: number, body: Uint8Array): Uint8Array {
  const length = HEADER_BYTES + body.length;
  const out = new StructView(length).put32(0, length).put16(4, type).put16(6, flags);
  out.put32(8, sequence).put32(12, port).bytes.set(body, HEADER_BYTES);
  return out.bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function attribute(type: number, value: Uint8Array | readonly number[]): Uint8Array {
  const out = new StructView(Math.ceil((4 + value.length) / 4) * 4).put16(0, 4 + value.length).put16(2, type);
  out.bytes.set(value, 4);
  return out.bytes;
}

function word(value: number): Uint8Array {
  return new StructView(4).put32(0, value).bytes;
}

function text(value: string): Uint8Array {
  return new StructView(value.length + 1).putText(0, value, value.length + 1).bytes;
}

/** A struct ifinfomsg and its attributes, in the order of rtnl_fill_ifinfo. */
function linkBody(): Uint8Array {
  const head = new StructView(IFINFOMSG_BYTES).put16(2, LO_HARDWARE_TYPE).put32(4, LO_INDEX);
  const hardwareAddress = new Uint8Array(LO_HARDWARE_BYTES);
  return concat([
    head.put32(8, LO_ALL_FLAGS).bytes,
    attribute(IFLA_IFNAME, text(LO_NAME)),
    // TXQLEN; OPERSTATE: unknown; LINKMODE; MTU and its bounds: none; GROUP, PROMISCUITY, ALLMULTI
    attribute(13, word(LO_QUEUE_LENGTH)),
    attribute(16, [0]),
    attribute(17, [0]),
    attribute(4, word(LO_MTU)),
    attribute(50, word(0)),
    attribute(51, word(0)),
    attribute(27, word(0)),
    attribute(30, word(0)),
    attribute(61, word(0)),
    // NUM_TX_QUEUES, NUM_RX_QUEUES, CARRIER and how often that changed, came and went; PROTO_DOWN
    attribute(31, word(1)),
    attribute(32, word(1)),
    attribute(33, [1]),
    attribute(35, word(0)),
    attribute(47, word(0)),
    attribute(48, word(0)),
    attribute(39, [0]),
    // ADDRESS, BROADCAST, QDISC
    attribute(1, hardwareAddress),
    attribute(2, hardwareAddress),
    attribute(6, text("noqueue")),
  ]);
}

/** A struct ifaddrmsg: 0 family (8)   1 bits of the network (8)   2 flags (8)   3 scope (8)   4 interface. */
function addressHead(family: number, prefix: number): Uint8Array {
  const out = new StructView(8).put8(0, family).put8(1, prefix).put8(2, IFA_F_PERMANENT);
  return out.put8(3, RT_SCOPE_HOST).put32(4, LO_INDEX).bytes;
}

/** IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_FLAGS, IFA_CACHEINFO (inet_fill_ifaddr). */
function address4Body(): Uint8Array {
  return concat([
    addressHead(AF_INET, 8),
    attribute(1, LO_ADDRESS),
    attribute(2, LO_ADDRESS),
    attribute(3, text(LO_NAME)),
    attribute(8, word(IFA_F_PERMANENT)),
    attribute(6, lifetimes()),
  ]);
}

/** IFA_ADDRESS, IFA_CACHEINFO, IFA_FLAGS, IFA_PROTO: of lo (inet6_fill_ifaddr). */
function address6Body(): Uint8Array {
  return concat([
    addressHead(AF_INET6, 128),
    attribute(1, LO6),
    attribute(6, lifetimes()),
    attribute(8, word(IFA_F_PERMANENT)),
    attribute(11, [1]),
  ]);
}

function lifetimes(): Uint8Array {
  return new StructView(16).put32(0, FOR_EVER).put32(4, FOR_EVER).bytes;
}

/** A struct rtmsg: 0 family   1 bits of the destination   2 of the source   3 tos   4 table   5 protocol   6 scope   7 type. */
function routeHead(family: number, prefix: number, scope: number, type: number): Uint8Array {
  const table = [RT_TABLE_LOCAL, RTPROT_KERNEL, scope, type];
  return new Uint8Array([family, prefix, 0, 0, ...table, 0, 0, 0, 0]);
}

/** RTA_TABLE, RTA_DST, RTA_PREFSRC, RTA_OIF: the network, the address, and the broadcast one. */
function routes4(): Uint8Array[] {
  const route = (destination: readonly number[], prefix: number, scope: number, type: number): Uint8Array =>
    concat([
      routeHead(AF_INET, prefix, scope, type),
      attribute(15, word(RT_TABLE_LOCAL)),
      attribute(1, destination),
      attribute(7, LO_ADDRESS),
      attribute(4, word(LO_INDEX)),
    ]);
  return [
    route([127, 0, 0, 0], 8, RT_SCOPE_HOST, RTN_LOCAL),
    route(LO_ADDRESS, 32, RT_SCOPE_HOST, RTN_LOCAL),
    route([127, 255, 255, 255], 32, RT_SCOPE_LINK, RTN_BROADCAST),
  ];
}

/** RTA_TABLE, RTA_DST, RTA_PRIORITY, RTA_OIF, RTA_CACHEINFO, RTA_PREF. */
function route6(): Uint8Array {
  return concat([
    routeHead(AF_INET6, 128, RT_SCOPE_UNIVERSE, RTN_LOCAL),
    attribute(15, word(RT_TABLE_LOCAL)),
    attribute(1, LO6),
    attribute(6, word(0)),
    attribute(4, word(LO_INDEX)),
    attribute(12, new Uint8Array(32)),
    attribute(20, [0]),
  ]);
}
