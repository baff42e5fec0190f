/**
 * Netlink sockets (net/netlink/af_netlink.c): datagrams to and from the kernel, of which there is the part that tells of network
 * interfaces (NETLINK_ROUTE), and among programs.
 *
 * ```
 *   struct sockaddr_nl    0 family (16)   2 padding   4 port, 0 for the kernel   8 groups                        12 bytes
 * ```
 *
 * A port is a socket's own number, the process's for its first one. The kernel answers at once: what it says waits in the
 * socket. Groups are those who want to be told of changes; nothing changes.
 */
import type { Task } from "../../mm/syscalls/task.ts";
import { CAP_NET_ADMIN } from "../../mm/uapi/capability.ts";
import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  ENODATA,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
} from "../../mm/uapi/errno.ts";
import { POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM } from "../../mm/uapi/fs.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { StructView } from "../abi/bytes.ts";
import { AF_NETLINK, AF_UNSPEC, MSG_ERRQUEUE, MSG_OOB, MSG_PEEK, SOL_NETLINK } from "./constants.ts";
import { copyDatagram } from "./datagram.ts";
import { familyOf } from "./inet-address.ts";
import type { NetworkMemory } from "./network-memory.ts";
import { answerRequests } from "./rtnetlink.ts";
import { type ReceiveRequest, type Request, type SendRequest, Socket, WOULD_BLOCK } from "./socket.ts";
import { trueSize } from "./unix-message.ts";

const SOCKADDR_NL_BYTES = 12;
const NETLINK_CAP_ACK = 10;
/** Ports of sockets whose process's number another one has: from here on downwards. */
const FIRST_OTHER_PORT = -4097;
const READABLE: number = POLLIN | POLLRDNORM;

/** What a netlink socket needs of the network. */
export interface NetlinkStack {
  readonly memory: NetworkMemory;
  readonly ports: Map<number, NetlinkSocket>;
}

interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly trueSize: number;
}

export class NetlinkSocket extends Socket {
  readonly family: number = AF_NETLINK;
  readonly #stack: NetlinkStack;
  /** 0: it has none yet. Where another socket has the one that was asked for, it tells that number and is not bound. */
  #port = 0;
  #isBound = false;
  #groups = 0;
  #peer = 0;
  #peerGroups = 0;
  readonly #received: Datagram[] = [];
  /** What they count against SO_RCVBUF. */
  #receivedSize = 0;

  constructor(stack: NetlinkStack, type: number, protocol: number) {
    super(stack.memory, type, protocol);
    this.#stack = stack;
  }

  get isListening(): boolean {
    return false;
  }
  get isConnected(): boolean {
    return this.#peer !== 0;
  }

  bind(task: Task, address: Uint8Array): number {
    if (address.length < SOCKADDR_NL_BYTES || familyOf(address) !== AF_NETLINK) return -EINVAL;
    const view = new StructView(address);
    const port = view.u32(4);
    if (this.#isBound && port !== this.#port) return -EINVAL;
    if (!this.#isBound && !this.#takePort(task, port)) return -EADDRINUSE;
    this.#groups = view.u32(8);
    return 0;
  }

  /** @param wanted 0 for any */
  #takePort({ pid }: Task, wanted: number): boolean {
    const { ports } = this.#stack;
    let port = wanted === 0 ? pid : wanted;
    for (let next = FIRST_OTHER_PORT; wanted === 0 && ports.has(port); next--) port = next >>> 0;
    this.#port = port;
    if (ports.has(port)) return false;
    ports.set(port, this);
    this.#isBound = true;
    return true;
  }

  #bindAutomatically(task: Task | undefined): void {
    if (!this.#isBound && task !== undefined) this.#takePort(task, 0);
  }

  connect(task: Task, address: Uint8Array, _request: Request): number {
    if (address.length < 2) return -EINVAL;
    if (familyOf(address) === AF_UNSPEC) {
      this.#peer = 0;
      this.#peerGroups = 0;
      return 0;
    }
    const target = this.#target(task, address);
    if (typeof target === "number") return target;
    this.#bindAutomatically(task);
    this.#peer = target.port;
    this.#peerGroups = target.groups;
    return 0;
  }

  /** Anything but the kernel only for who may administer the network. */
  #target(task: Task | undefined, address: Uint8Array): { port: number; groups: number } | number {
    if (address.length < SOCKADDR_NL_BYTES || familyOf(address) !== AF_NETLINK) return -EINVAL;
    const view = new StructView(address);
    const target = { port: view.u32(4), groups: view.u32(8) };
    const isOther = target.port !== 0 || target.groups !== 0;
    return isOther && (task === undefined || !capable(task, CAP_NET_ADMIN)) ? -EPERM : target;
  }

  name(ofPeer: boolean): Uint8Array {
    return ofPeer ? encodeAddress(this.#peer, this.#peerGroups) : encodeAddress(this.#port, this.#groups);
  }

  send({ task, from, flags, to }: SendRequest): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (from.count === 0) return -ENODATA;
    const target = to === undefined ? { port: this.#peer, groups: this.#peerGroups } : this.#target(task, to);
    if (typeof target === "number") return target;
    this.#bindAutomatically(task);
    if (from.count > this.sendBuffer - 32) return -EMSGSIZE;
    const bytes = new Uint8Array(from.count);
    if (from.copyBytesFromIter(bytes) < bytes.length) return -EFAULT;
    if (target.port !== 0) {
      const receiver = this.#stack.ports.get(target.port);
      if (receiver === undefined) return -ECONNREFUSED;
      receiver.#deliver(bytes, this.#port);
      return bytes.length;
    }
    const capsAcks = this.option(SOL_NETLINK, NETLINK_CAP_ACK) !== 0;
    for (const answer of answerRequests(task, { port: this.#port, capsAcks }, bytes))
      this.#deliver(answer, 0);
    return bytes.length;
  }

  /** Without room it is lost, and the receiver told so (netlink_overrun). */
  #deliver(bytes: Uint8Array, from: number): void {
    const size = trueSize(bytes.length, /* isStream */ false);
    if (this.#receivedSize > this.receiveBuffer || !this.memory.charge(size)) {
      this.error = ENOBUFS;
      this.queue.wake(POLLERR);
      return;
    }
    this.#received.push({ bytes, from, trueSize: size });
    this.#receivedSize += size;
    this.queue.wake(READABLE);
    this.tellOfData();
  }

  receive(request: ReceiveRequest): number {
    const { flags } = request;
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if ((flags & MSG_ERRQUEUE) !== 0) return -EAGAIN;
    if (this.error !== 0) return this.takeError();
    const datagram = this.#received.at(0);
    if (datagram === undefined) {
      request.retryWhen = () => this.#received.length > 0 || this.error !== 0;
      return WOULD_BLOCK;
    }
    const copied = copyDatagram(datagram.bytes, request);
    request.name = encodeAddress(datagram.from, 0);
    if ((flags & MSG_PEEK) === 0) {
      this.#received.shift();
      this.#receivedSize -= datagram.trueSize;
      this.memory.uncharge(datagram.trueSize);
    }
    return copied;
  }

  shutdown(_how: number): number {
    return -EOPNOTSUPP;
  }

  poll(): number {
    const events = POLLOUT | POLLWRNORM | POLLWRBAND | (this.error !== 0 ? POLLERR : 0);
    return this.#received.length > 0 ? events | READABLE : events;
  }

  inputBytes(): number {
    return -ENOTTY;
  }
  outputBytes(): number {
    return -ENOTTY;
  }

  protected release(): void {
    if (this.#isBound) this.#stack.ports.delete(this.#port);
    this.#received.length = 0;
    this.memory.uncharge(this.#receivedSize);
    this.#receivedSize = 0;
    this.queue.wake(0);
  }
}

function encodeAddress(port: number, groups: number): Uint8Array {
  return new StructView(SOCKADDR_NL_BYTES).put16(0, AF_NETLINK).put32(4, port).put32(8, groups).bytes;
}
