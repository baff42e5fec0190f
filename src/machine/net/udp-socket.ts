/** Datagrams over the machine's loopback (net/ipv4/udp.c): a message is at its receiver at once, or lost. */
import type { Task } from "../../mm/syscalls/task.ts";
import {
  EACCES,
  EAGAIN,
  ECONNREFUSED,
  EDESTADDRREQ,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from "../../mm/uapi/errno.ts";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "../../mm/uapi/fs.ts";
import { POLL_ERR } from "../../mm/vfs/fasync.ts";
import type { Timespec } from "../abi/structs.ts";
import {
  AF_UNSPEC,
  IPPROTO_UDP,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  MSG_MORE,
  MSG_OOB,
  MSG_PEEK,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SOCK_DGRAM,
  UDP_CORK,
} from "./constants.ts";
import { copyDatagram, udpTrueSize } from "./datagram.ts";
import { type Endpoint, encodeEndpoint, familyOf, isIpv4, parseEndpoint } from "./inet-address.ts";
import {
  headOf,
  inetControls,
  type PacketHead,
  type PacketWishes,
  packetWishes,
  wantsRoute,
} from "./inet-control.ts";
import { Ports } from "./inet-ports.ts";
import { InetSocket, type InetStack } from "./inet-socket.ts";
import { type ReceiveRequest, type Request, type SendRequest, WOULD_BLOCK } from "./socket.ts";

/** The most that fits into one packet behind its headers. */
const MAX_BYTES = 65507;
const READABLE: number = POLLIN | POLLRDNORM;

interface Datagram {
  readonly bytes: Uint8Array;
  readonly head: PacketHead;
  readonly from: Endpoint;
  readonly trueSize: number;
}

/** A datagram to be sent; where more is to come for it (MSG_MORE, UDP_CORK), the first part says where it goes and how. */
interface Outgoing {
  readonly target: Endpoint;
  readonly wishes: PacketWishes;
  readonly bytes: Uint8Array;
}

export interface UdpStack extends InetStack<UdpSocket> {
  /** The time of day. */
  readonly now: () => Timespec;
}

export class UdpSocket extends InetSocket {
  readonly #stack: UdpStack;
  readonly #received: Datagram[] = [];
  /** What they count against SO_RCVBUF. */
  #receivedSize = 0;
  #held: Outgoing | undefined;
  #lost = 0;

  constructor(stack: UdpStack, family: number, ownerUid: number) {
    super(stack.memory, family, SOCK_DGRAM, IPPROTO_UDP, ownerUid);
    this.#stack = stack;
  }

  protected get ports(): Ports<UdpSocket> {
    return this.#stack.ports;
  }
  get isListening(): boolean {
    return false;
  }
  get isConnected(): boolean {
    return this.remote !== undefined;
  }

  connect(_task: Task, address: Uint8Array, _request: Request): number {
    if (address.length < 2) return -EINVAL;
    if (familyOf(address) === AF_UNSPEC) {
      this.forgetPeer();
      // A port that it was given gets free (udp_disconnect).
      if (this.keepsPort) return 0;
      this.leavePort();
      this.local = { ip: this.local.ip, port: 0 };
      return 0;
    }
    const wanted = parseEndpoint(address, this.family);
    if (typeof wanted === "number") return wanted;
    const target = this.target(wanted);
    return this.mayReach(target) || this.connectTo(target);
  }

  protected override mayReach(target: Endpoint): number {
    return target.ip === "255.255.255.255" ? -EACCES : super.mayReach(target);
  }

  send(request: SendRequest): number {
    const { from, flags, to } = request;
    if (from.count > 0xffff) return -EMSGSIZE;
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const goesOn = (flags & MSG_MORE) !== 0 || this.option(IPPROTO_UDP, UDP_CORK) !== 0;
    if (this.#held !== undefined) return this.#hold(this.#held, request, goesOn);
    let target = this.remote;
    if (to !== undefined) {
      const wanted = parseEndpoint(to, this.family);
      if (typeof wanted === "number") return wanted;
      if (wanted.port === 0) return -EINVAL;
      target = this.target(wanted);
    }
    if (target === undefined) return -EDESTADDRREQ;
    const wishes = packetWishes(request.controls ?? [], target);
    if (typeof wishes === "number") return wishes;
    if (this.error !== 0) return this.takeError();
    if ((this.shutdownState & SEND_SHUTDOWN) !== 0) return -EPIPE;
    const unreachable = this.mayReach(target);
    if (unreachable !== 0) return unreachable;
    if (from.count > MAX_BYTES) return -EMSGSIZE;
    const failed = this.bindAutomatically();
    if (failed !== 0) return failed;
    if (goesOn) return this.#hold({ target, wishes, bytes: new Uint8Array(0) }, request, goesOn);
    const bytes = new Uint8Array(from.count);
    if (from.copyBytesFromIter(bytes) < bytes.length) return -EFAULT;
    this.#sendTo({ target, wishes, bytes });
    return bytes.length;
  }

  /** Appends to the datagram that is held back, and lets it go if it is whole (udp_sendmsg, do_append_data). */
  #hold(held: Outgoing, { from }: SendRequest, goesOn: boolean): number {
    const { count } = from;
    const bytes = new Uint8Array(held.bytes.length + count);
    this.#dropHeld();
    if (bytes.length > MAX_BYTES) return -EMSGSIZE;
    bytes.set(held.bytes);
    if (from.copyBytesFromIter(bytes.subarray(held.bytes.length)) < count) return -EFAULT;
    if (!goesOn) this.#sendTo({ ...held, bytes });
    else if (!this.memory.charge(bytes.length)) return -ENOBUFS;
    else this.#held = { ...held, bytes };
    return count;
  }

  #dropHeld(): void {
    if (this.#held !== undefined) this.memory.uncharge(this.#held.bytes.length);
    this.#held = undefined;
  }

  override uncork(): void {
    const held = this.#held;
    this.#dropHeld();
    if (held !== undefined) this.#sendTo(held);
  }

  #sendTo({ target, wishes, bytes }: Outgoing): void {
    const source = { ip: wishes.source ?? this.sourceFor(target.ip), port: this.local.port };
    const receiver = this.#receiverAt(target, source);
    if (receiver !== undefined) receiver.#deliver(bytes, source, headOf(this, target, wishes));
    else if (this.remote !== undefined) {
      // The port is unreachable, as a message back says; who is not connected never hears of it.
      this.error = ECONNREFUSED;
      this.queue.wake(POLLERR);
      this.fasync.kill(POLL_ERR);
    }
  }

  /** Whoever is connected to the sender comes first, then the best fit. */
  #receiverAt({ ip, port }: Endpoint, source: Endpoint): UdpSocket | undefined {
    return this.#stack.ports.best(port, (socket) => {
      const { remote } = socket;
      const fit = Ports.fit(socket, ip);
      if (fit < 0 || remote === undefined) return fit;
      return remote.ip === source.ip && remote.port === source.port ? fit + 3 : -1;
    });
  }

  /** Without room it is lost. */
  #deliver(bytes: Uint8Array, from: Endpoint, head: ReturnType<typeof headOf>): void {
    const size = udpTrueSize(bytes.length, isIpv4(head.to.ip));
    // One at least, however large.
    const isFull = this.#receivedSize > 0 && this.#receivedSize + size > this.receiveBuffer;
    if (isFull || !this.memory.charge(size)) {
      this.#lost++;
      return;
    }
    const known = { ...head, time: this.#stack.now(), lost: this.#lost, hasRoute: wantsRoute(this) };
    this.#received.push({ bytes, from, head: known, trueSize: size });
    this.#receivedSize += size;
    this.queue.wake(READABLE);
    this.tellOfData();
  }

  receive(request: ReceiveRequest): number {
    const { flags } = request;
    if ((flags & MSG_ERRQUEUE) !== 0) return -EAGAIN;
    if (this.error !== 0) return this.takeError();
    const datagram = this.#received[0];
    if (datagram === undefined) {
      if ((this.shutdownState & RCV_SHUTDOWN) !== 0) return (flags & MSG_DONTWAIT) !== 0 ? -EAGAIN : 0;
      request.retryWhen = () =>
        this.#received.length > 0 || this.error !== 0 || (this.shutdownState & RCV_SHUTDOWN) !== 0;
      return WOULD_BLOCK;
    }
    const copied = copyDatagram(datagram.bytes, request);
    request.name = encodeEndpoint(datagram.from, this.family);
    if (copied >= 0) request.controls = inetControls(this, datagram.head);
    // A bad address loses it.
    if ((flags & MSG_PEEK) === 0) {
      this.#received.shift();
      this.#receivedSize -= datagram.trueSize;
      this.memory.uncharge(datagram.trueSize);
    }
    return copied;
  }

  shutdown(how: number): number {
    // Of one without a peer, too, whatever it answers (inet_shutdown).
    this.shutdownState |= how;
    this.queue.wake(0);
    return this.remote === undefined ? -ENOTCONN : 0;
  }

  poll(): number {
    let events: number = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (this.error !== 0) events |= POLLERR;
    if (this.isShutDown) events |= POLLHUP;
    if ((this.shutdownState & RCV_SHUTDOWN) !== 0) events |= READABLE | POLLRDHUP;
    return this.#received.length > 0 ? events | READABLE : events;
  }

  inputBytes(): number {
    return this.#received.at(0)?.bytes.length ?? 0;
  }
  outputBytes(): number {
    return 0;
  }

  protected release(): void {
    this.leavePort();
    this.#dropHeld();
    this.#received.length = 0;
    this.memory.uncharge(this.#receivedSize);
    this.#receivedSize = 0;
    this.queue.wake(0);
  }
}
