/** The machine's network: every family that there is, and how a socket of one is made (inet_create, unix_create). */

import type { Task } from "../../mm/syscalls/task.ts";
import { CAP_NET_RAW } from "../../mm/uapi/capability.ts";
import {
  EAFNOSUPPORT,
  EINVAL,
  ENOBUFS,
  ENOMEM,
  EPERM,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
} from "../../mm/uapi/errno.ts";
import { capable } from "../../mm/vfs/capability.ts";
import type { Timespec } from "../abi/structs.ts";
import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_UNIX,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOCK_DGRAM,
  SOCK_MAX,
  SOCK_RAW,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "./constants.ts";
import { FilesInFlight } from "./files-in-flight.ts";
import type { HostLoopback } from "./host-loopback.ts";
import { Ports } from "./inet-ports.ts";
import { NetlinkSocket, type NetlinkStack } from "./netlink-socket.ts";
import { NetworkMemory } from "./network-memory.ts";
import type { Socket } from "./socket.ts";
import { TcpSocket, type TcpStack } from "./tcp-socket.ts";
import { UdpSocket, type UdpStack } from "./udp-socket.ts";
import type { UnixStack } from "./unix-end.ts";
import { UnixNames } from "./unix-names.ts";
import { UnixSocket } from "./unix-socket.ts";

/** Of the protocols of netlink the one that tells of network interfaces. */
const NETLINK_ROUTE = 0;

export class Network {
  readonly memory: NetworkMemory;
  readonly #unix: UnixStack;
  readonly #tcp: TcpStack;
  readonly #netlink: NetlinkStack;
  readonly #udp: UdpStack;

  /**
   * @param ramBytes of the machine, of which sockets have a part
   * @param now the time of day
   * @param host lent to streams; undefined: they reach nobody outside
   */
  constructor(
    random: (bytes: Uint8Array) => void,
    ramBytes: number,
    now: () => Timespec,
    host?: HostLoopback,
  ) {
    const memory = new NetworkMemory(ramBytes);
    this.memory = memory;
    this.#unix = { memory, names: new UnixNames(), flight: new FilesInFlight(memory) };
    this.#tcp = { memory, ports: new Ports(random, /* listenersShare */ false), host };
    this.#netlink = { memory, ports: new Map() };
    this.#udp = { memory, ports: new Ports(random, /* listenersShare */ true), now };
  }

  /** A new socket, or negative errno. @param type without flags */
  create(task: Task, family: number, type: number, protocol: number): Socket | number {
    if (type < 0 || type >= SOCK_MAX) return -EINVAL;
    if (family === AF_UNIX) return this.#createUnix(type, protocol);
    if (family === AF_NETLINK) return this.#createNetlink(type, protocol);
    if (family !== AF_INET && family !== AF_INET6) return -EAFNOSUPPORT;
    if (protocol < 0) return -EINVAL;
    switch (type) {
      case SOCK_STREAM:
        if (protocol !== 0 && protocol !== IPPROTO_TCP) return -EPROTONOSUPPORT;
        if (!this.memory.mayAddSocket()) return -ENOBUFS;
        return new TcpSocket(this.#tcp, family, task.uid);
      case SOCK_DGRAM:
        if (protocol !== 0 && protocol !== IPPROTO_UDP) return -EPROTONOSUPPORT;
        if (!this.memory.mayAddSocket()) return -ENOBUFS;
        return new UdpSocket(this.#udp, family, task.uid);
      case SOCK_RAW:
        return capable(task, CAP_NET_RAW) ? -EPROTONOSUPPORT : -EPERM;
      default:
        return -ESOCKTNOSUPPORT;
    }
  }

  #createNetlink(type: number, protocol: number): NetlinkSocket | number {
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    if (protocol !== NETLINK_ROUTE) return -EPROTONOSUPPORT;
    return this.memory.mayAddSocket() ? new NetlinkSocket(this.#netlink, type, protocol) : -ENOMEM;
  }

  #createUnix(type: number, protocol: number): UnixSocket | number {
    if (protocol !== 0 && protocol !== AF_UNIX) return -EPROTONOSUPPORT;
    const kind = type === SOCK_RAW ? SOCK_DGRAM : type;
    if (kind !== SOCK_STREAM && kind !== SOCK_DGRAM && kind !== SOCK_SEQPACKET) return -ESOCKTNOSUPPORT;
    return this.memory.mayAddSocket() ? new UnixSocket(this.#unix, kind) : -ENOMEM;
  }
}
