/**
 * Streams over the machine's loopback (net/ipv4/tcp.c), without the protocol in between: what one end sends is in the
 * other's queue at once. What programs see of the protocol is kept: the states of a connection, half-closed and reset ones,
 * a nonblocking connect that is in progress first, and room for what the receiver's buffer and the sender's hold.
 *
 * ```
 *   closed ── listen ──▶ listening ── shutdown for reading ──▶ closed
 *     └── connect ──▶ connecting ──▶ established ── both ends finished, or reset ──▶ closed
 * ```
 *
 * A socket may be its own peer: bound to the port that it connects to, it meets its own SYN (simultaneous open).
 */
import type { Task } from "../../mm/syscalls/task.ts";
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EALREADY,
  ECONNABORTED,
  ECONNREFUSED,
  ECONNRESET,
  EFAULT,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETUNREACH,
  ENOTCONN,
  EPIPE,
  ETIMEDOUT,
} from "../../mm/uapi/errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM } from "../../mm/uapi/fs.ts";
import { POLL_ERR, POLL_HUP, POLL_IN, POLL_OUT } from "../../mm/vfs/fasync.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import { ByteQueue } from "./byte-queue.ts";
import {
  AF_INET,
  AF_UNSPEC,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_OOB,
  MSG_PEEK,
  MSG_WAITALL,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SHUTDOWN_MASK,
  SOCK_STREAM,
  SOMAXCONN,
} from "./constants.ts";
import {
  type HostConnection,
  type HostConnectionEvents,
  type HostListener,
  type HostLoopback,
  HostPeer,
  type LoopbackIp,
} from "./host-loopback.ts";
import {
  type Endpoint,
  familyOf,
  isIpv4,
  isLocal,
  LOOPBACK4,
  LOOPBACK6,
  parseEndpoint,
} from "./inet-address.ts";
import { Ports } from "./inet-ports.ts";
import { InetSocket, type InetStack } from "./inet-socket.ts";
import { type ReceiveRequest, type Request, type SendRequest, type Socket, WOULD_BLOCK } from "./socket.ts";

const READABLE: number = POLLIN | POLLRDNORM;
const WRITABLE: number = POLLOUT | POLLWRNORM;
/** SO_SNDBUF of a new socket, of a connected one (as tcp_wmem lets it grow), and SO_RCVBUF. */
const FIRST_SEND_BUFFER = 16384;
const SEND_BUFFER = 2626560;
const RECEIVE_BUFFER = 131072;
const SOL_SOCKET_SNDBUF = 65536 + 7;
/** Bytes taken from the sender in one piece. */
const PIECE = 65536;

type State = "closed" | "listening" | "connecting" | "established";

export interface TcpStack extends InetStack<TcpSocket> {
  /** What is behind the machine's own loopback; undefined: nothing. */
  readonly host: HostLoopback | undefined;
}

export class TcpSocket extends InetSocket {
  readonly #stack: TcpStack;
  #state: State = "closed";
  /** What the caller knows of it: a connect was called and its end not told yet; or it was (SS_CONNECTING, SS_CONNECTED). */
  #told: "unconnected" | "connecting" | "connected" = "unconnected";
  #peer: TcpSocket | undefined;
  /** The other end, where it is one of the host's; and through what those come that listen in the machine. */
  #host: HostPeer | undefined;
  readonly #hostListeners: HostListener[] = [];
  readonly #received: ByteQueue;
  /** The peer has finished: after what is here comes nothing (SOCK_DONE). And this end has. */
  #isDone = false;
  #hasFinished = false;
  readonly #connections: TcpSocket[] = [];
  /** Those that would connect, while the queue is full; and the one whose queue this socket waits for. */
  readonly #waiting: Set<TcpSocket> = new Set();
  #waitsAt: TcpSocket | undefined;
  /** A send found no memory for bytes to the peer. */
  #lacksMemory = false;
  #maxBacklog = 0;

  constructor(stack: TcpStack, family: number, ownerUid: number) {
    super(stack.memory, family, SOCK_STREAM, IPPROTO_TCP, ownerUid);
    this.#stack = stack;
    this.#received = new ByteQueue(stack.memory);
    this.sendBuffer = FIRST_SEND_BUFFER;
    this.receiveBuffer = RECEIVE_BUFFER;
  }

  protected get ports(): Ports<TcpSocket> {
    return this.#stack.ports;
  }
  get isListening(): boolean {
    return this.#state === "listening";
  }
  get isConnected(): boolean {
    return this.#state === "established";
  }
  /** It waits for what comes from the host. */
  get isFromHost(): boolean {
    return this.#host !== undefined || this.#hostListeners.length > 0;
  }

  // Connections

  override listen(_task: Task, backlog: number, request: Request): number {
    if (this.#told !== "unconnected" || (this.#state !== "closed" && this.#state !== "listening"))
      return -EINVAL;
    this.#maxBacklog = backlog >>> 0 > SOMAXCONN ? SOMAXCONN : backlog;
    if (this.#state === "listening") return this.#hostListens(request);
    const failed = this.bindAutomatically();
    if (failed !== 0) return failed;
    this.#state = "listening";
    if (this.#stack.ports.choose(this.local.port, this) < 0) {
      this.#state = "closed";
      return -EADDRINUSE;
    }
    this.#listenOnHost();
    return this.#hostListens(request);
  }

  connect(_task: Task, address: Uint8Array, request: Request): number {
    if (address.length < 2) return -EINVAL;
    if (familyOf(address) === AF_UNSPEC) return this.#disconnect();
    if (this.#told === "connecting") {
      request.late = -EALREADY;
      return this.#goOnConnecting(request);
    }
    if (this.#told === "connected" || this.#state !== "closed") return -EISCONN;
    const wanted = parseEndpoint(address, this.family);
    if (typeof wanted === "number") return wanted;
    const target = this.target(wanted);
    if (!isLocal(target.ip)) return -ENETUNREACH;
    if (!isIpv4(target.ip) && this.family === AF_INET) return -EAFNOSUPPORT;
    const failed = this.bindAutomatically();
    if (failed !== 0) return failed;
    this.local = { ip: this.sourceFor(target.ip), port: this.local.port };
    this.remote = target;
    this.#isDone = false;
    this.#hasFinished = false;
    this.error = 0;
    this.#state = "connecting";
    this.#told = "connecting";
    request.late = -EINPROGRESS;
    this.#reach(target);
    return (request.flags & MSG_DONTWAIT) !== 0 ? -EINPROGRESS : this.#goOnConnecting(request);
  }

  /** Who connects and has been told that it takes a while asks again. */
  #goOnConnecting(request: Request): number {
    if (this.#state === "connecting") {
      if ((request.flags & MSG_DONTWAIT) !== 0) return -EALREADY;
      request.retryWhen = () => this.#state !== "connecting";
      return WOULD_BLOCK;
    }
    if (this.#state === "established") {
      this.#told = "connected";
      return 0;
    }
    const error = this.takeError() || -ECONNABORTED;
    this.#disconnect();
    return error;
  }

  #reach(target: Endpoint): void {
    if (target.port === this.local.port && target.ip === this.local.ip) {
      this.#peer = this;
      this.#established();
      return;
    }
    const listener = this.#listenerAt(target);
    if (listener !== undefined) {
      if (listener.#isQueueFull) {
        listener.#waiting.add(this);
        this.#waitsAt = listener;
      } else listener.#take(this);
      return;
    }
    const { host } = this.#stack;
    if (host === undefined || !isOfHost(target.ip)) this.#reset(ECONNREFUSED);
    else {
      const { ip, port } = target;
      this.#setHost((events) => host.connect(ip, port, events));
    }
  }

  /** So many wait to be accepted that nobody else can connect. */
  get #isQueueFull(): boolean {
    return this.#connections.length > this.#maxBacklog;
  }

  #listenerAt({ ip, port }: Endpoint): TcpSocket | undefined {
    let best: TcpSocket | undefined;
    let bestFit = -1;
    for (const socket of this.#stack.ports.at(port)) {
      const fit = socket.#state === "listening" ? Ports.fit(socket, ip) : -1;
      if (fit <= bestFit) continue;
      best = socket;
      bestFit = fit;
    }
    return best;
  }

  /** A connection for a listening socket: its own end is made now. */
  #take(client: TcpSocket): void {
    if (!this.memory.mayAddSocket()) {
      // In Linux nobody answers, until the client gives up.
      client.#reset(ETIMEDOUT);
      return;
    }
    const end = this.#newEnd(client.local);
    end.local = client.remote ?? this.local;
    end.#peer = client;
    client.#peer = end;
    client.#established();
    end.#finishAsListener();
    this.#connections.push(end);
    this.queue.wake(READABLE);
    this.tellOfData();
  }

  /** Who listens after shutdown has connections that are shut down as it is. */
  #finishAsListener(): void {
    if ((this.shutdownState & SEND_SHUTDOWN) !== 0) this.#endPeer(/* resets */ false);
  }

  #newEnd(remote: Endpoint): TcpSocket {
    const end = new TcpSocket(this.#stack, this.family, this.ownerUid);
    for (const [key, value] of this.options) end.options.set(key, value);
    end.linger = { ...this.linger };
    end.receiveBuffer = this.receiveBuffer;
    end.sendBuffer = this.sendBuffer;
    end.local = this.local;
    end.remote = remote;
    end.isBound = true;
    end.inheritBinding(this);
    end.shutdownState = this.shutdownState;
    end.#told = "connected";
    this.#stack.ports.add(this.local.port, end);
    end.#established();
    return end;
  }

  #established(): void {
    this.#state = "established";
    if (!this.options.has(SOL_SOCKET_SNDBUF)) this.sendBuffer = Math.max(this.sendBuffer, SEND_BUFFER);
    this.queue.wake(0);
    this.fasync.kill(POLL_OUT);
  }

  override accept(request: Request): Socket | number {
    if (this.#state !== "listening") return -EINVAL;
    const end = this.#connections.shift();
    if (end === undefined) {
      request.retryWhen = () => this.#connections.length > 0 || this.#state !== "listening";
      return WOULD_BLOCK;
    }
    this.#takeWaiting();
    return end;
  }

  #takeWaiting(): void {
    for (const client of this.#waiting) {
      if (this.#isQueueFull) return;
      client.#stopWaiting();
      this.#take(client);
    }
  }

  #stopWaiting(): void {
    const listener = this.#waitsAt;
    if (listener !== undefined) listener.#waiting.delete(this);
    this.#waitsAt = undefined;
  }

  /** connect to AF_UNSPEC: it can be connected anew (tcp_disconnect). */
  #disconnect(): number {
    if (this.#state === "established") this.#endPeer(/* resets */ true);
    if (this.#state === "connecting") this.#host?.connection.destroy();
    if (this.#state === "established" || this.#state === "connecting") this.error = ECONNRESET;
    if (this.#state !== "closed") this.leaveAnyPort();
    this.#leave();
    this.#told = "unconnected";
    this.forgetPeer();
    this.shutdownState = 0;
    this.#isDone = false;
    this.queue.wake(0);
    this.fasync.kill(POLL_ERR);
    return 0;
  }

  // Bytes

  send(request: SendRequest): number {
    const { from, flags } = request;
    if ((flags & MSG_OOB) !== 0) return -EINVAL;
    if (this.#state === "connecting") {
      request.retryWhen = () => this.#state !== "connecting";
      return WOULD_BLOCK;
    }
    let done = 0;
    while (from.count > 0) {
      if (this.error !== 0 || this.#state !== "established" || (this.shutdownState & SEND_SHUTDOWN) !== 0) {
        return done > 0 ? done : this.takeError() || -EPIPE;
      }
      const room = Math.min(from.count, this.#room, PIECE);
      const sent = room <= 0 ? WOULD_BLOCK : this.#deliver(from, room);
      if (sent === WOULD_BLOCK) {
        this.noteLackOfSpace();
        request.retryWhen = () =>
          this.#isWritable ||
          this.error !== 0 ||
          this.#state !== "established" ||
          (this.shutdownState & SEND_SHUTDOWN) !== 0;
      }
      if (sent < 0) return done > 0 ? done : sent;
      done += sent;
    }
    // Nothing to send still tells what is wrong.
    if (done === 0 && (this.#state !== "established" || (this.shutdownState & SEND_SHUTDOWN) !== 0)) {
      return this.takeError() || -EPIPE;
    }
    return done;
  }

  /** Moves up to `max` bytes to the other end. How many, -EFAULT, or WOULD_BLOCK where there is no memory for them. */
  #deliver(from: IovIter, max: number): number {
    if (this.#host !== undefined) return this.#host.send(from, max);
    // Nobody is there any more, which is found out by sending.
    if (!this.#isPeerThere) return this.#sendToNobody(from, max);
    const space = this.#peer === undefined ? undefined : this.#peer.#received.space(max);
    if (space === undefined) {
      this.#lacksMemory = true;
      return WOULD_BLOCK;
    }
    const copied = from.copyBytesFromIter(space);
    // What the sender's pages cost may have been the life of the other end.
    const peer = this.#peer;
    if (peer === undefined || !this.#isPeerThere) return copied;
    if (copied < space.length) return -EFAULT;
    if (peer.#hasFinished && peer.isShutDown && !peer.#isDone) {
      // Who neither sends nor reads takes bytes for a mistake.
      peer.#reset(ECONNRESET);
      this.#reset(this.#isDone ? EPIPE : ECONNRESET);
      return copied;
    }
    peer.#received.commit(copied);
    peer.queue.wake(READABLE);
    peer.tellOfData();
    return copied;
  }

  get #isPeerThere(): boolean {
    return this.#peer !== undefined && !this.#peer.isReleased && this.#peer.#state === "established";
  }

  /** The answer is a reset. */
  #sendToNobody(from: IovIter, max: number): number {
    const bytes = new Uint8Array(max);
    if (from.copyBytesFromIter(bytes) < max) return -EFAULT;
    this.#reset(this.#isDone ? EPIPE : ECONNRESET);
    return max;
  }

  /** Bytes that are taken from the sender and not yet in the receiver's buffer. */
  get #queued(): number {
    if (this.#host !== undefined) return this.#host.pending;
    if (this.#peer === undefined) return 0;
    return Math.max(0, this.#peer.#received.length - this.#peer.receiveBuffer);
  }

  get #room(): number {
    return this.#host === undefined ? this.sendBuffer - this.#queued : this.#host.room;
  }

  /** A third of the buffer has to be free (sk_stream_is_writeable). */
  get #isWritable(): boolean {
    if (this.#host !== undefined) return this.#host.room > 0;
    if (this.#lacksMemory && this.#peer !== undefined) {
      if (this.#peer.#received.length > 0 && !this.memory.hasRoom) return false;
    }
    return this.sendBuffer - this.#queued >= this.#queued / 2;
  }

  receive(request: ReceiveRequest): number {
    const { into, flags, already } = request;
    if ((flags & MSG_OOB) !== 0) return -EINVAL;
    if (this.#state === "listening") return -ENOTCONN;
    const peeks = (flags & MSG_PEEK) !== 0;
    const target = this.receiveTarget((flags & MSG_WAITALL) !== 0, into.count + already);
    let done = 0;
    const peer = this.#peer;
    const wasWritable = peer === undefined || peer.#isWritable;
    while (into.count > 0) {
      const piece = this.#received.peek(peeks ? done : 0, into.count);
      if (piece.length === 0) break;
      if (into.copyBytesToIter(piece) < piece.length) return done > 0 ? done : -EFAULT;
      done += piece.length;
      if (!peeks) this.#received.consume(piece.length);
    }
    if (!wasWritable && peer.#isWritable) {
      peer.#lacksMemory = false;
      peer.queue.wake(WRITABLE);
      peer.tellOfSpace();
    }
    this.#host?.connection.flow(this.#received.length < this.receiveBuffer);
    if (already + done >= target || into.count === 0) return done;
    if (this.#isDone) return done;
    if (this.error !== 0) return done > 0 ? done : this.takeError();
    if ((this.shutdownState & RCV_SHUTDOWN) !== 0) return done;
    if (this.#state === "closed") return done > 0 ? done : -ENOTCONN;
    request.retryWhen = () =>
      this.#received.length > 0 || this.error !== 0 || this.#isDone || this.isShutDownForReading;
    return done > 0 ? done : WOULD_BLOCK;
  }

  private get isShutDownForReading(): boolean {
    return (this.shutdownState & RCV_SHUTDOWN) !== 0 || this.#state === "closed";
  }

  // The end

  shutdown(how: number): number {
    if (this.#state === "listening" && (how & RCV_SHUTDOWN) === 0) return 0;
    if (this.#state === "listening" || this.#state === "connecting") return this.#disconnect();
    this.shutdownState |= how;
    const isThere = this.#state === "established";
    if (isThere && (how & SEND_SHUTDOWN) !== 0) this.#endPeer(/* resets */ false);
    // Whoever polls hears of it all the same.
    this.queue.wake(0);
    return isThere ? 0 : -ENOTCONN;
  }

  /** Tells the other end that no more comes, or that all is over. */
  #endPeer(resets: boolean): void {
    if (this.#host !== undefined) {
      const { connection } = this.#host;
      if (resets) connection.destroy();
      else connection.end();
    }
    const peer = this.#peer;
    if (!resets) this.#hasFinished = true;
    if (peer !== undefined && peer.#state === "established") {
      if (resets) peer.#reset(peer.#isDone ? EPIPE : ECONNRESET);
      else peer.#finished();
    }
    this.#closeIfFinished();
  }

  /** Both ends have finished (TIME_WAIT, or LAST_ACK and its acknowledgement). What has come can still be read. */
  #closeIfFinished(): void {
    if (this.#state !== "established" || !this.#isDone || !this.#hasFinished) return;
    this.#state = "closed";
    this.shutdownState = SHUTDOWN_MASK;
    this.leaveAnyPort();
  }

  /** tcp_fin */
  #finished(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.shutdownState |= RCV_SHUTDOWN;
    this.#closeIfFinished();
    this.queue.wake(0);
    // Of the end, and of something to read.
    this.tellOfData(this.isShutDown ? POLL_HUP : POLL_IN);
    this.tellOfData();
  }

  /** tcp_reset, tcp_done. @param errno what the next call is told; 0 for nothing */
  #reset(errno: number): void {
    this.#stopWaiting();
    this.#state = "closed";
    this.error = errno;
    this.shutdownState = SHUTDOWN_MASK;
    this.#peer = undefined;
    this.#host = undefined;
    this.leaveAnyPort();
    this.queue.wake(POLLERR);
    this.queue.wake(0);
    if (errno !== 0) this.fasync.kill(POLL_ERR);
  }

  /** Not connected, not listening, and its port is free unless it was bound to it. */
  #leave(): void {
    for (const listener of this.#hostListeners.splice(0)) listener.close();
    for (const end of this.#connections.splice(0)) {
      end.#endPeer(/* resets */ true);
      end.close();
    }
    for (const client of [...this.#waiting]) client.#reset(ECONNREFUSED);
    this.#stopWaiting();
    this.#state = "closed";
    this.#peer = undefined;
    this.#host = undefined;
    this.#received.clear();
  }

  poll(): number {
    if (this.#state === "listening") return this.#connections.length > 0 ? READABLE : 0;
    let events = 0;
    if (this.isShutDown || this.#state === "closed") events |= POLLHUP;
    if ((this.shutdownState & RCV_SHUTDOWN) !== 0) events |= READABLE | POLLRDHUP;
    if (this.#state !== "connecting") {
      if (this.#received.length >= Math.max(1, this.receiveLow)) events |= READABLE;
      if ((this.shutdownState & SEND_SHUTDOWN) !== 0 || this.#isWritable) events |= WRITABLE;
      else this.noteLackOfSpace();
    }
    return this.error === 0 ? events : events | POLLERR;
  }

  inputBytes(): number {
    return this.#state === "listening" ? -EINVAL : this.#received.length;
  }
  outputBytes(): number {
    return this.#state === "listening" ? -EINVAL : this.#queued;
  }

  protected release(): void {
    const resets = this.#received.length > 0 || (this.linger.isOn && this.linger.seconds === 0);
    if (this.#state === "established") this.#endPeer(resets);
    if (this.#state === "connecting") this.#host?.connection.destroy();
    else this.#host?.connection.close();
    this.#leave();
    this.shutdownState = SHUTDOWN_MASK;
    this.leavePort();
    this.queue.wake(0);
  }

  // The host

  /**
   * The other end is one of the host's from now on. What it tells later, when this socket has left it or has another one, is
   * for nobody; and to send to nobody ends in a reset.
   * @param open gives the connection its events, and answers it
   */
  #setHost(open: (events: HostConnectionEvents) => HostConnection): HostConnectionEvents {
    let peer: HostPeer | undefined;
    const isMine = (): boolean => peer !== undefined && this.#host === peer;
    const events: HostConnectionEvents = {
      connected: () => {
        if (isMine() && this.#state === "connecting") this.#established();
      },
      data: (bytes) => {
        if (!isMine() || this.#state !== "established") {
          peer?.connection.destroy();
          return bytes.length;
        }
        const taken = this.#received.push(bytes);
        this.#host?.connection.flow(taken === bytes.length && this.#received.length < this.receiveBuffer);
        this.queue.wake(READABLE);
        this.tellOfData();
        return taken;
      },
      ended: () => {
        if (isMine() && this.#state === "established") this.#finished();
      },
      closed: (errno) => {
        if (!isMine() || this.#state === "closed") return;
        const isOrdinary = errno === 0 && this.#state === "established";
        if (isOrdinary) this.#finished();
        else this.#reset(errno === 0 ? ECONNRESET : errno);
      },
    };
    peer = new HostPeer(open(events), this.memory, () => {
      this.queue.wake(WRITABLE);
      this.tellOfSpace();
    });
    this.#host = peer;
    return events;
  }

  /** Whoever of the host's connects to an address that this one listens at comes here. */
  #listenOnHost(): void {
    const { host } = this.#stack;
    if (host === undefined) return;
    for (const ip of [LOOPBACK4, LOOPBACK6] as const) {
      if (Ports.fit(this, ip) < 0) continue;
      const accept = (connection: HostConnection, port: number): HostConnectionEvents | undefined =>
        this.#acceptFromHost(connection, { ip, port });
      this.#hostListeners.push(host.listen(ip, this.local.port, accept));
    }
  }

  /** 0 once the host takes connections for it, or negative errno: then it does not listen. */
  #hostListens(request: Request): number {
    const results = this.#hostListeners.map(({ result }) => result);
    if (results.includes(undefined)) {
      request.retryWhen = () => this.#hostListeners.every(({ result }) => result !== undefined);
      return WOULD_BLOCK;
    }
    const errno = results.find((result) => result !== 0) ?? 0;
    if (errno === 0) return 0;
    this.#leave();
    return -errno;
  }

  #acceptFromHost(connection: HostConnection, remote: Endpoint): HostConnectionEvents | undefined {
    if (this.#state !== "listening" || this.#isQueueFull || !this.memory.mayAddSocket()) return undefined;
    const end = this.#newEnd(remote);
    end.local = { ip: remote.ip, port: this.local.port };
    this.#connections.push(end);
    this.queue.wake(READABLE);
    this.tellOfData();
    const events = end.#setHost(() => connection);
    end.#finishAsListener();
    return events;
  }
}

/** Of all addresses of the loopback the two that the host has for sure. */
function isOfHost(ip: string): ip is LoopbackIp {
  return ip === LOOPBACK4 || ip === LOOPBACK6;
}
