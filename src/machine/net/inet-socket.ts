/** What sockets of streams and of datagrams over the internet protocols share: local and remote address, and the binding. */
import type { Task } from "../../mm/syscalls/task.ts";
import { EACCES, EADDRNOTAVAIL, EINVAL, ENOTCONN } from "../../mm/uapi/errno.ts";
import { AF_INET, AF_INET6, IPPROTO_IPV6, SOL_SOCKET } from "./constants.ts";
import type { HostLoopback } from "./host-loopback.ts";
import {
  ANY4,
  ANY6,
  type Endpoint,
  encodeEndpoint,
  isAny,
  isIpv4,
  isLocal,
  LOOPBACK4,
  LOOPBACK6,
  parseEndpoint,
} from "./inet-address.ts";
import type { Bound, Ports } from "./inet-ports.ts";
import { Socket } from "./socket.ts";

export const SO_REUSEADDR = 2;
export const SO_REUSEPORT = 15;
export const IPV6_V6ONLY = 26;
/** Ports below are root's (net.ipv4.ip_unprivileged_port_start). */
const PROT_SOCK = 1024;

/** The machine's internet: who is bound where, and whether the host's loopback is behind it. */
export interface InetStack<T extends Bound> {
  readonly ports: Ports<T>;
  readonly host: HostLoopback | undefined;
}

export abstract class InetSocket extends Socket implements Bound {
  readonly family: number;
  readonly ownerUid: number;
  local: Endpoint;
  /** The port is taken. */
  isBound = false;
  remote: Endpoint | undefined;

  constructor(family: number, type: number, protocol: number, ownerUid: number) {
    super(type, protocol);
    this.family = family;
    this.ownerUid = ownerUid;
    this.local = { ip: this.anyIp, port: 0 };
  }

  get anyIp(): string {
    return this.family === AF_INET ? ANY4 : ANY6;
  }
  get localIp(): string {
    return this.local.ip;
  }
  get isV6Only(): boolean {
    return this.option(IPPROTO_IPV6, IPV6_V6ONLY) !== 0;
  }
  get reusesAddress(): boolean {
    return this.option(SOL_SOCKET, SO_REUSEADDR) !== 0;
  }
  get reusesPort(): boolean {
    return this.option(SOL_SOCKET, SO_REUSEPORT) !== 0;
  }

  /** Takes the port (0: any) at `ip`. 0 or -EADDRINUSE. */
  protected abstract take(ip: string, port: number): number;

  bind(task: Task, address: Uint8Array): number {
    const wanted = parseEndpoint(address, this.family);
    if (typeof wanted === "number") return wanted;
    const isOther = this.family === AF_INET6 && isIpv4(wanted.ip) && this.isV6Only;
    if (isOther) return -EINVAL;
    if (!isAny(wanted.ip) && !isLocal(wanted.ip)) return -EADDRNOTAVAIL;
    if (wanted.port > 0 && wanted.port < PROT_SOCK && task.uid !== 0) return -EACCES;
    if (this.isBound || this.isConnected) return -EINVAL;
    return this.take(wanted.ip, wanted.port);
  }

  /** A port of its own where it has none yet (inet_autobind). */
  protected bindAutomatically(): number {
    return this.isBound ? 0 : this.take(this.local.ip, 0);
  }

  name(ofPeer: boolean): Uint8Array | number {
    if (!ofPeer) return encodeEndpoint(this.local, this.family);
    return this.remote === undefined || !this.isConnected
      ? -ENOTCONN
      : encodeEndpoint(this.remote, this.family);
  }

  /** Where a packet to this address goes: to nobody in particular is to oneself. */
  protected target({ ip, port }: Endpoint): Endpoint {
    if (ip === ANY4) return { ip: LOOPBACK4, port };
    return ip === ANY6 ? { ip: LOOPBACK6, port } : { ip, port };
  }

  /** The address from which this one reaches `ip`. */
  protected sourceFor(ip: string): string {
    if (!isAny(this.local.ip)) return this.local.ip;
    return isIpv4(ip) ? LOOPBACK4 : LOOPBACK6;
  }
}
