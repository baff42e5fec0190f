/**
 * Addresses of the internet family: struct sockaddr_in and sockaddr_in6 in and out.
 *
 * ```
 *   sockaddr_in    0 family   2 port (big-endian)   4 address         8 … zero                  16 bytes
 *   sockaddr_in6   0 family   2 port                4 flow info       8 address   24 scope id   28 bytes
 * ```
 *
 * An IPv4 address is the same whether a socket of IPv4 or one of IPv6 (::ffff:127.0.0.1) talks of it.
 */
import { EAFNOSUPPORT, EINVAL } from "../../mm/uapi/errno.ts";
import { AF_INET, AF_INET6, AF_UNSPEC } from "./constants.ts";

/** "127.0.0.1", "0.0.0.0", "::1", "::", or other IPv6 addresses as 32 hexadecimal digits. */
export interface Endpoint {
  readonly ip: string;
  readonly port: number;
}

export const ANY4 = "0.0.0.0";
export const ANY6 = "::";
export const LOOPBACK4 = "127.0.0.1";
export const LOOPBACK6 = "::1";

const SOCKADDR_IN_BYTES = 16;
/** Without the scope id, which old programs don't know (SIN6_LEN_RFC2133). */
const SIN6_MIN_BYTES = 24;
const SOCKADDR_IN6_BYTES = 28;

export function familyOf(address: Uint8Array): number {
  return address[0] + address[1] * 256;
}

export function isAny(ip: string): boolean {
  return ip === ANY4 || ip === ANY6;
}

/** An address of this machine: its only interface is lo. */
export function isLocal(ip: string): boolean {
  return ip === LOOPBACK6 || /^127\./.test(ip);
}

export function isIpv4(ip: string): boolean {
  return ip.includes(".");
}

/** The endpoint in a sockaddr for a socket of `family`; -EINVAL too short, -EAFNOSUPPORT of another family. */
export function parseEndpoint(address: Uint8Array, family: number): Endpoint | number {
  const minimum = family === AF_INET ? SOCKADDR_IN_BYTES : SIN6_MIN_BYTES;
  if (address.length < minimum) return family === AF_INET6 && isV4(address) ? v4(address) : -EINVAL;
  const given = familyOf(address);
  if (family === AF_INET) {
    const isUnspecific = given === AF_UNSPEC && address.subarray(4, 8).every((byte) => byte === 0);
    return given === AF_INET || isUnspecific ? v4(address) : -EAFNOSUPPORT;
  }
  if (given !== AF_INET6) return -EAFNOSUPPORT;
  return { ip: ip6(address.subarray(8, 24)), port: portOf(address) };
}

function isV4(address: Uint8Array): boolean {
  return address.length >= SOCKADDR_IN_BYTES && familyOf(address) === AF_INET;
}

function v4(address: Uint8Array): Endpoint {
  return { ip: address.subarray(4, 8).join("."), port: portOf(address) };
}

function portOf(address: Uint8Array): number {
  return address[2] * 256 + address[3];
}

function ip6(bytes: Uint8Array): string {
  const isZero = (from: number, to: number): boolean => bytes.subarray(from, to).every((byte) => byte === 0);
  if (isZero(0, 10) && bytes[10] === 0xff && bytes[11] === 0xff) return bytes.subarray(12, 16).join(".");
  if (isZero(0, 15) && bytes[15] <= 1) return bytes[15] === 1 ? LOOPBACK6 : ANY6;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The sockaddr that a socket of `family` shows of an endpoint. */
export function encodeEndpoint({ ip, port }: Endpoint, family: number): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES);
  bytes[0] = family;
  bytes[2] = port >> 8;
  bytes[3] = port & 0xff;
  if (family === AF_INET) bytes.set(ip.split(".").map(Number), 4);
  else if (isIpv4(ip) && ip !== ANY4) {
    bytes.set([0xff, 0xff, ...ip.split(".").map(Number)], 18);
  } else if (ip === LOOPBACK6) bytes[23] = 1;
  else if (ip.length === 32)
    for (let i = 0; i < 16; i++) bytes[8 + i] = Number.parseInt(ip.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
