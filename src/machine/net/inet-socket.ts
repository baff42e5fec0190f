/** What sockets of streams and of datagrams over the internet protocols share: local and remote address, and the binding. */

import type { Task } from "../../mm/syscalls/task.ts";
import { CAP_NET_BIND_SERVICE } from "../../mm/uapi/capability.ts";
import { EACCES, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENETUNREACH, ENOTCONN } from "../../mm/uapi/errno.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { AF_INET, AF_INET6, IPPROTO_IPV6, SOL_SOCKET } from "./constants.ts";
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
import type { NetworkMemory } from "./network-memory.ts";
import { Socket } from "./socket.ts";

export const SO_REUSEADDR = 2;
export const SO_REUSEPORT = 15;
export const IPV6_V6ONLY = 26;
/** Ports below are root's (net.ipv4.ip_unprivileged_port_start). */
const PROT_SOCK = 1024;

/** What the sockets of one protocol share: who is bound where. */
export interface InetStack<T extends Bound> {
  readonly memory: NetworkMemory;
  readonly ports: Ports<T>;
}

export abstract class InetSocket extends Socket implements Bound {
  readonly family: number;
  readonly ownerUid: number;
  local: Endpoint;
  /** The port is taken. */
  isBound = false;
  /** It was bound to its address, and to its port (SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK): it keeps them when it is disconnected. */
  #keepsAddress = false;
  protected keepsPort = false;
  remote: Endpoint | undefined;

  constructor(memory: NetworkMemory, family: number, type: number, protocol: number, ownerUid: number) {
    super(memory, type, protocol);
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

  /** The ports of its protocol. */
  protected abstract readonly ports: Ports<Bound>;

  /** Takes the port (0: any) at `ip`. 0 or -EADDRINUSE. */
  #take(ip: string, port: number): number {
    const before = this.local;
    // Which of the others are in the way depends on the address.
    this.local = { ip, port };
    const chosen = this.ports.choose(port, this);
    if (chosen < 0) {
      this.local = before;
      return chosen;
    }
    this.local = { ip, port: chosen };
    this.ports.add(chosen, this);
    this.isBound = true;
    return 0;
  }

  /** Gives back the port, if it has one. */
  protected leavePort(): void {
    if (this.isBound) this.ports.remove(this.local.port, this);
    this.isBound = false;
  }

  /** Not connected any more: a port that nobody asked for by name is free, though it still shows (tcp_set_state). */
  protected leaveAnyPort(): void {
    if (!this.keepsPort) this.leavePort();
  }

  /** What it keeps of the one that it is a connection to. */
  protected inheritBinding(listener: InetSocket): void {
    this.#keepsAddress = listener.#keepsAddress;
  }

  bind(task: Task, address: Uint8Array): number {
    const wanted = parseEndpoint(address, this.family);
    if (typeof wanted === "number") return wanted;
    const isOther = this.family === AF_INET6 && isIpv4(wanted.ip) && this.isV6Only;
    if (isOther) return -EINVAL;
    if (!isAny(wanted.ip) && !isLocal(wanted.ip)) return -EADDRNOTAVAIL;
    if (wanted.port > 0 && wanted.port < PROT_SOCK && !capable(task, CAP_NET_BIND_SERVICE)) return -EACCES;
    if (this.isBound || this.isConnected) return -EINVAL;
    const failed = this.#take(wanted.ip, wanted.port);
    if (failed !== 0) return failed;
    this.#keepsAddress = !isAny(wanted.ip);
    this.keepsPort = wanted.port !== 0;
    return 0;
  }

  /** It has no peer any more, and its own address only if it was bound to that (inet_reset_saddr). */
  protected forgetPeer(): void {
    this.remote = undefined;
    if (!this.#keepsAddress) this.local = { ip: this.anyIp, port: this.local.port };
  }

  /** A port of its own where it has none yet (inet_autobind). */
  protected bindAutomatically(): number {
    return this.isBound ? 0 : this.#take(this.local.ip, 0);
  }

  name(ofPeer: boolean): Uint8Array | number {
    if (!ofPeer) return encodeEndpoint(this.local, this.family);
    return this.remote === undefined || !this.isConnected
      ? -ENOTCONN
      : encodeEndpoint(this.remote, this.family);
  }

  override acceptedFrom(): Uint8Array | number {
    return this.remote === undefined ? -ENOTCONN : encodeEndpoint(this.remote, this.family);
  }

  /** Where a packet to this address goes: to nobody in particular is to oneself. */
  protected target({ ip, port }: Endpoint): Endpoint {
    if (ip === ANY4) return { ip: LOOPBACK4, port };
    return ip === ANY6 ? { ip: LOOPBACK6, port } : { ip, port };
  }

  /** 0, or negative errno where no way leads from this one to an address. */
  protected mayReach({ ip }: Endpoint): number {
    if (!isLocal(ip)) return -ENETUNREACH;
    return !isIpv4(ip) && this.family === AF_INET ? -EAFNOSUPPORT : 0;
  }

  /** `remote` is its peer from now on, and its own address the one that it reaches that from. 0 or negative errno. */
  protected connectTo(remote: Endpoint): number {
    const failed = this.bindAutomatically();
    if (failed !== 0) return failed;
    this.local = { ip: this.sourceFor(remote.ip), port: this.local.port };
    this.remote = remote;
    return 0;
  }

  /** The address from which this one reaches `ip`. */
  protected sourceFor(ip: string): string {
    if (!isAny(this.local.ip)) return this.local.ip;
    return isIpv4(ip) ? LOOPBACK4 : LOOPBACK6;
  }
}
