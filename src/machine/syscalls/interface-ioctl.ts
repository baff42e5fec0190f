/**
 * ioctls that ask about network interfaces (dev_ioctl in net/core/dev_ioctl.c, devinet_ioctl in net/ipv4/devinet.c): sockets
 * of any family answer them, those of IPv4 also about its addresses.
 *
 * ```
 *   struct ifreq    0 name (16)    16 one value: a number, or a struct sockaddr                        40 bytes
 *   struct ifconf   0 length       8 where to, 0 to be told the length alone                            16 bytes
 * ```
 */
import { EADDRNOTAVAIL, EFAULT, ENODEV, EOPNOTSUPP } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import { AF_INET } from "../net/constants.ts";
import {
  LO_ADDRESS,
  LO_FLAGS,
  LO_HARDWARE_BYTES,
  LO_HARDWARE_TYPE,
  LO_INDEX,
  LO_MTU,
  LO_NAME,
  LO_QUEUE_LENGTH,
} from "../net/loopback-device.ts";
import type { Socket } from "../net/socket.ts";
import type { Call } from "./call.ts";

const SIOCGIFNAME = 0x8910;
const SIOCGIFCONF = 0x8912;
const SIOCGIFFLAGS = 0x8913;
const SIOCGIFADDR = 0x8915;
const SIOCGIFDSTADDR = 0x8917;
const SIOCGIFBRDADDR = 0x8919;
const SIOCGIFNETMASK = 0x891b;
const SIOCGIFMETRIC = 0x891d;
const SIOCGIFMTU = 0x8921;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;
const SIOCGIFTXQLEN = 0x8942;
const SIOCETHTOOL = 0x8946;
const SIOCGIFMAP = 0x8970;

const IFNAMSIZ = 16;
const IFREQ_BYTES = 40;
const SOCKADDR_BYTES = 16;
/** struct ifmap, without what pads it. */
const IFMAP_BYTES = 21;

/** By what is asked for. */
const ADDRESSES: ReadonlyMap<number, readonly number[]> = new Map([
  [SIOCGIFADDR, LO_ADDRESS],
  [SIOCGIFDSTADDR, LO_ADDRESS],
  [SIOCGIFBRDADDR, [0, 0, 0, 0]],
  [SIOCGIFNETMASK, [255, 0, 0, 0]],
]);

/** What the ioctl answers, undefined where it is none of these. */
export function interfaceIoctl(call: Call, socket: Socket, cmd: number): number | undefined {
  const at = call.u64(2);
  if (cmd === SIOCGIFCONF) return listInterfaces(call, at);
  const value = propertyOf(cmd);
  const address = socket.family === AF_INET ? ADDRESSES.get(cmd) : undefined;
  if (value === undefined && address === undefined && cmd !== SIOCGIFNAME && cmd !== SIOCETHTOOL)
    return undefined;
  const request = call.get(at, IFREQ_BYTES);
  if (request === undefined) return -EFAULT;
  if (cmd === SIOCETHTOOL && call.get(request.u64(IFNAMSIZ), 4) === undefined) return -EFAULT;
  if (cmd === SIOCGIFNAME) {
    if (request.s32(IFNAMSIZ) !== LO_INDEX) return -ENODEV;
    return call.put(at, new StructView(IFNAMSIZ).putText(0, LO_NAME, IFNAMSIZ).bytes);
  }
  const end = request.bytes.subarray(0, IFNAMSIZ - 1).indexOf(0);
  const name = new TextDecoder().decode(request.bytes.subarray(0, end < 0 ? IFNAMSIZ - 1 : end));
  const [device] = name.split(":");
  if (device !== LO_NAME) return -ENODEV;
  // An alias is there where an address has its label.
  if (address !== undefined)
    return name === LO_NAME ? call.put(at + IFNAMSIZ, inetAddress(address)) : -EADDRNOTAVAIL;
  // There is nothing to be said of its hardware.
  return value === undefined ? -EOPNOTSUPP : call.put(at + IFNAMSIZ, value);
}

/** What stands in a request for what is no address of a protocol. */
function propertyOf(cmd: number): Uint8Array | undefined {
  switch (cmd) {
    case SIOCGIFFLAGS:
      return new StructView(2).put16(0, LO_FLAGS).bytes;
    case SIOCGIFMETRIC:
      return number(0);
    case SIOCGIFMTU:
      return number(LO_MTU);
    case SIOCGIFINDEX:
      return number(LO_INDEX);
    case SIOCGIFTXQLEN:
      return number(LO_QUEUE_LENGTH);
    case SIOCGIFHWADDR:
      return new StructView(2 + LO_HARDWARE_BYTES).put16(0, LO_HARDWARE_TYPE).bytes;
    case SIOCGIFMAP:
      return new Uint8Array(IFMAP_BYTES);
    default:
      return undefined;
  }
}

function number(value: number): Uint8Array {
  return new StructView(4).put32(0, value).bytes;
}

/** A struct sockaddr_in. */
function inetAddress(address: readonly number[]): Uint8Array {
  const { bytes } = new StructView(SOCKADDR_BYTES).put16(0, AF_INET);
  bytes.set(address, 4);
  return bytes;
}

/** dev_ifconf: interfaces with an address of IPv4, as many as fit. */
function listInterfaces(call: Call, at: number): number {
  const conf = call.get(at, 16);
  if (conf === undefined) return -EFAULT;
  const to = conf.u64(8);
  const fits = to === 0 || conf.s32(0) >= IFREQ_BYTES;
  if (to !== 0 && fits) {
    const entry = new StructView(IFREQ_BYTES).putText(0, LO_NAME, IFNAMSIZ);
    entry.bytes.set(inetAddress(LO_ADDRESS), IFNAMSIZ);
    if (call.put(to, entry.bytes) < 0) return -EFAULT;
  }
  return call.put(at, number(fits ? IFREQ_BYTES : 0));
}
