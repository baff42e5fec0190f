/** The ports of one protocol: who is bound to which, and whom a packet is for (inet_bind_bucket, udp_table). */
import { EADDRINUSE } from "../../mm/uapi/errno.ts";
import { ANY4, ANY6, isAny, isIpv4 } from "./inet-address.ts";

/** net.ipv4.ip_local_port_range */
const FIRST_LOCAL_PORT = 32768;
const LAST_LOCAL_PORT = 60999;

/** What a table of ports knows of a socket. */
export interface Bound {
  readonly localIp: string;
  /** Of IPv6 alone: an unspecific address is not one of IPv4, too. */
  readonly isV6Only: boolean;
  readonly reusesAddress: boolean;
  readonly reusesPort: boolean;
  readonly isListening: boolean;
  readonly ownerUid: number;
}

export class Ports<T extends Bound> {
  readonly #bound: Map<number, Set<T>> = new Map();
  readonly #random: (bytes: Uint8Array) => void;
  /** Of streams only those that don't listen share an address; of datagrams all that want to. */
  readonly #listenersShare: boolean;

  constructor(random: (bytes: Uint8Array) => void, listenersShare: boolean) {
    this.#random = random;
    this.#listenersShare = listenersShare;
  }

  at(port: number): Iterable<T> {
    return this.#bound.get(port) ?? [];
  }

  /** Whoever fits best among those bound to `port`, the first of equals. @param fitOf how well; below 0: not at all */
  best(port: number, fitOf: (socket: T) => number): T | undefined {
    let best: T | undefined;
    let bestFit = -1;
    for (const socket of this.at(port)) {
      const fit = fitOf(socket);
      if (fit <= bestFit) continue;
      best = socket;
      bestFit = fit;
    }
    return best;
  }

  add(port: number, socket: T): void {
    const sockets = this.#bound.get(port) ?? new Set<T>();
    sockets.add(socket);
    this.#bound.set(port, sockets);
  }

  remove(port: number, socket: T): void {
    const sockets = this.#bound.get(port);
    sockets?.delete(socket);
    if (sockets?.size === 0) this.#bound.delete(port);
  }

  /** The port that `socket` gets who wants `port`, or any with 0. -EADDRINUSE. */
  choose(port: number, socket: T): number {
    if (port !== 0) return this.#conflicts(port, socket) ? -EADDRINUSE : port;
    const bytes = new Uint8Array(2);
    this.#random(bytes);
    const count = LAST_LOCAL_PORT - FIRST_LOCAL_PORT + 1;
    const first = (bytes[0] + bytes[1] * 256) % count;
    for (let i = 0; i < count; i++) {
      const candidate = FIRST_LOCAL_PORT + ((first + i) % count);
      if (!this.#bound.has(candidate)) return candidate;
    }
    return -EADDRINUSE;
  }

  #conflicts(port: number, socket: T): boolean {
    for (const other of this.at(port)) {
      if (other === socket || !overlaps(socket, other)) continue;
      const sharesAddress =
        socket.reusesAddress &&
        other.reusesAddress &&
        (this.#listenersShare || (!other.isListening && !socket.isListening));
      const sharesPort = socket.reusesPort && other.reusesPort && socket.ownerUid === other.ownerUid;
      if (!sharesAddress && !sharesPort) return true;
    }
    return false;
  }

  /** Whether what is bound so gets packets for `ip`; and how well it fits: 2 exactly, 1 of its family, 0 of either. */
  static fit({ localIp, isV6Only }: Bound, ip: string): number {
    if (localIp === ip) return 2;
    if (localIp === ANY4 && isIpv4(ip)) return 1;
    if (localIp !== ANY6) return -1;
    if (!isIpv4(ip)) return 1;
    return isV6Only ? -1 : 0;
  }
}

function overlaps(a: Bound, b: Bound): boolean {
  if (a.localIp === b.localIp) return true;
  return covers(a, b.localIp) || covers(b, a.localIp);
}

function covers({ localIp, isV6Only }: Bound, ip: string): boolean {
  if (!isAny(localIp)) return false;
  if (localIp === ANY4) return isIpv4(ip) || ip === ANY4;
  return isIpv4(ip) ? !isV6Only : true;
}
