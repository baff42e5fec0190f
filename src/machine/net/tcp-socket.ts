/**
 * Streams over the machine's loopback (net/ipv4/tcp.c), without the protocol in between: what one end sends is in the
 * other's queue at once. What programs see of the protocol is kept: the states of a connection, half-closed and reset ones,
 * a nonblocking connect that is in progress first, and room for what the receiver's buffer and the sender's hold.
 *
 * ```
 *   closed ── listen ──▶ listening
 *     └── connect ──▶ connecting ──▶ established ── both ends finished, or reset ──▶ closed
 * ```
 */
import type { Task } from "../../mm/syscalls/task.ts";
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EALREADY,
  ECONNREFUSED,
  ECONNRESET,
  EFAULT,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETUNREACH,
  ENOTCONN,
  EPIPE,
} from "../../mm/uapi/errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM } from "../../mm/uapi/fs.ts";
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
import type { HostConnection, HostConnectionEvents, HostListener } from "./host-loopback.ts";
import { type Endpoint, familyOf, isIpv4, isLocal, LOOPBACK4, parseEndpoint } from "./inet-address.ts";
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

export class TcpSocket extends InetSocket {
  readonly #stack: InetStack<TcpSocket>;
  #state: State = "closed";
  /** A connect was called and its end not told yet (SS_CONNECTING). */
  #isConnecting = false;
  #peer: TcpSocket | undefined;
  #host: HostConnection | undefined;
  #hostListener: HostListener | undefined;
  readonly #received: ByteQueue = new ByteQueue();
  /** The peer has finished: after what is here comes nothing (SOCK_DONE). */
  #isDone = false;
  readonly #connections: TcpSocket[] = [];
  /** Those that would connect, while the queue is full. */
  readonly #waiting: TcpSocket[] = [];
  #maxBacklog = 0;

  constructor(stack: InetStack<TcpSocket>, family: number, ownerUid: number) {
    super(family, SOCK_STREAM, IPPROTO_TCP, ownerUid);
    this.#stack = stack;
    this.sendBuffer = FIRST_SEND_BUFFER;
    this.receiveBuffer = RECEIVE_BUFFER;
  }

  get isListening(): boolean {
    return this.#state === "listening";
  }
  get isConnected(): boolean {
    return this.#state === "established";
  }
  /** It waits for what comes from the host. */
  get isFromHost(): boolean {
    return this.#host !== undefined || this.#hostListener !== undefined;
  }

  protected take(ip: string, port: number): number {
    const before = this.local;
    this.local = { ip, port };
    const chosen = this.#stack.ports.choose(port, this);
    if (chosen < 0) {
      this.local = before;
      return chosen;
    }
    this.local = { ip, port: chosen };
    this.#stack.ports.add(chosen, this);
    this.isBound = true;
    return 0;
  }

  // Connections

  override listen(_task: Task, backlog: number): number {
    if (this.#state !== "closed" && this.#state !== "listening") return -EINVAL;
    this.#maxBacklog = backlog >>> 0 > SOMAXCONN ? SOMAXCONN : backlog;
    if (this.#state === "listening") return 0;
    const failed = this.bindAutomatically();
    if (failed !== 0) return failed;
    this.#state = "listening";
    if (this.#stack.ports.choose(this.local.port, this) < 0) {
      this.#state = "closed";
      return -EADDRINUSE;
    }
    this.shutdownState = 0;
    this.#listenOnHost();
    return 0;
  }

  connect(_task: Task, address: Uint8Array, request: Request): number {
    if (address.length < 2) return -EINVAL;
    if (familyOf(address) === AF_UNSPEC) return this.#disconnect();
    if (this.#isConnecting) return this.#goOnConnecting(request);
    if (this.#state !== "closed") return -EISCONN;
    const wanted = parseEndpoint(address, this.family);
    if (typeof wanted === "number") return wanted;
    const target = this.target(wanted);
    if (!isLocal(target.ip)) return -ENETUNREACH;
    if (!isIpv4(target.ip) && this.family === AF_INET) return -EAFNOSUPPORT;
    const failed = this.bindAutomatically();
    if (failed !== 0) return failed;
    this.local = { ip: this.sourceFor(target.ip), port: this.local.port };
    this.remote = target;
    this.shutdownState = 0;
    this.#isDone = false;
    this.error = 0;
    this.#state = "connecting";
    this.#isConnecting = true;
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
    this.#isConnecting = false;
    if (this.#state === "established") return 0;
    return this.takeError() || -ECONNREFUSED;
  }

  #reach(target: Endpoint): void {
    const listener = this.#listenerAt(target);
    if (listener !== undefined) {
      if (listener.#connections.length > listener.#maxBacklog) listener.#waiting.push(this);
      else listener.#take(this);
      return;
    }
    const { host } = this.#stack;
    if (host === undefined) this.#reset(ECONNREFUSED);
    else this.#host = host.connect(target.port, this.#hostEvents());
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
    const end = this.#newEnd(client.local);
    end.local = client.remote ?? this.local;
    end.#peer = client;
    client.#peer = end;
    client.#established();
    this.#connections.push(end);
    this.queue.wake(READABLE);
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
    this.#stack.ports.add(this.local.port, end);
    end.#established();
    return end;
  }

  #established(): void {
    this.#state = "established";
    if (!this.options.has(SOL_SOCKET_SNDBUF)) this.sendBuffer = Math.max(this.sendBuffer, SEND_BUFFER);
    this.queue.wake(0);
  }

  override accept(request: Request): Socket | number {
    if (this.#state !== "listening") return -EINVAL;
    const end = this.#connections.shift();
    if (end === undefined) {
      request.retryWhen = () => this.#connections.length > 0 || this.#state !== "listening";
      return WOULD_BLOCK;
    }
    const next = this.#waiting.shift();
    if (next !== undefined) this.#take(next);
    return end;
  }

  /** connect to AF_UNSPEC: it can be connected anew (tcp_disconnect). */
  #disconnect(): number {
    if (this.#state === "established") this.#endPeer(/* resets */ true);
    this.#leave();
    this.#isConnecting = false;
    this.remote = undefined;
    this.shutdownState = 0;
    this.error = 0;
    this.queue.wake(0);
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
      const room = this.#room;
      if (room <= 0) {
        request.retryWhen = () => this.#isWritable || this.error !== 0 || this.#state !== "established";
        return done > 0 ? done : WOULD_BLOCK;
      }
      const bytes = new Uint8Array(Math.min(from.count, room, PIECE));
      if (from.copyBytesFromIter(bytes) < bytes.length) return done > 0 ? done : -EFAULT;
      done += bytes.length;
      this.#deliver(bytes);
    }
    // Nothing to send still tells what is wrong.
    if (done === 0 && (this.#state !== "established" || (this.shutdownState & SEND_SHUTDOWN) !== 0)) {
      return this.takeError() || -EPIPE;
    }
    return done;
  }

  #deliver(bytes: Uint8Array): void {
    if (this.#host !== undefined) {
      this.#host.write(bytes);
      return;
    }
    const peer = this.#peer;
    // Nobody is there any more, which is found out by sending.
    if (peer === undefined || peer.isReleased || peer.#state !== "established") {
      this.#reset(this.#isDone ? EPIPE : ECONNRESET);
      return;
    }
    peer.#received.push(bytes);
    peer.queue.wake(READABLE);
  }

  /** Bytes that are taken from the sender and not yet in the receiver's buffer. */
  get #queued(): number {
    if (this.#peer === undefined) return 0;
    return Math.max(0, this.#peer.#received.length - this.#peer.receiveBuffer);
  }

  get #room(): number {
    return this.#host === undefined ? this.sendBuffer - this.#queued : this.#host.room;
  }

  /** A third of the buffer has to be free (sk_stream_is_writeable). */
  get #isWritable(): boolean {
    if (this.#host !== undefined) return this.#host.room > 0;
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
    if (!wasWritable && peer.#isWritable) peer.queue.wake(WRITABLE);
    this.#host?.flow(this.#received.length < this.receiveBuffer);
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
    if (this.#state === "closed") return -ENOTCONN;
    if (this.#state === "listening") {
      if ((how & RCV_SHUTDOWN) === 0) return 0;
      this.#leave();
      this.queue.wake(0);
      return 0;
    }
    this.shutdownState |= how;
    if ((how & SEND_SHUTDOWN) !== 0) this.#endPeer(/* resets */ false);
    this.queue.wake(0);
    return 0;
  }

  /** Tells the other end that no more comes, or that all is over. */
  #endPeer(resets: boolean): void {
    if (this.#host !== undefined) {
      if (resets) this.#host.destroy();
      else this.#host.end();
      return;
    }
    const peer = this.#peer;
    if (peer === undefined || peer.#state !== "established") return;
    if (resets) peer.#reset(peer.#isDone ? EPIPE : ECONNRESET);
    else peer.#finished();
  }

  /** tcp_fin */
  #finished(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.shutdownState |= RCV_SHUTDOWN;
    this.queue.wake(0);
  }

  /** tcp_reset, tcp_done. @param errno what the next call is told; 0 for nothing */
  #reset(errno: number): void {
    this.#state = "closed";
    this.error = errno;
    this.shutdownState = SHUTDOWN_MASK;
    this.#peer = undefined;
    this.#host = undefined;
    this.queue.wake(POLLERR);
    this.queue.wake(0);
  }

  /** Not connected, not listening, and its port is free unless it was bound to it. */
  #leave(): void {
    this.#hostListener?.close();
    this.#hostListener = undefined;
    for (const end of this.#connections.splice(0)) {
      end.#endPeer(/* resets */ true);
      end.isReleased = true;
      end.release();
    }
    for (const client of this.#waiting.splice(0)) client.#reset(ECONNREFUSED);
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
    }
    return this.error === 0 ? events : events | POLLERR;
  }

  inputBytes(): number {
    return this.#state === "listening" ? -EINVAL : this.#received.length;
  }
  outputBytes(): number {
    return this.#state === "listening" ? -EINVAL : this.#queued;
  }

  release(): void {
    const resets = this.#received.length > 0 || (this.linger.isOn && this.linger.seconds === 0);
    if (this.#state === "established") this.#endPeer(resets);
    if (this.#state === "connecting") this.#host?.destroy();
    this.#leave();
    this.shutdownState = SHUTDOWN_MASK;
    if (this.isBound) this.#stack.ports.remove(this.local.port, this);
    this.isBound = false;
    this.queue.wake(0);
  }

  // The host

  #hostEvents(): HostConnectionEvents {
    return {
      connected: () => {
        if (this.#state === "connecting") this.#established();
      },
      data: (bytes) => {
        if (this.#state !== "established") return;
        this.#received.push(bytes);
        this.#host?.flow(this.#received.length < this.receiveBuffer);
        this.queue.wake(READABLE);
      },
      drained: () => this.queue.wake(WRITABLE),
      ended: () => {
        if (this.#state === "established") this.#finished();
      },
      closed: (errno) => {
        if (this.#state === "closed") return;
        const isOrdinary = errno === 0 && this.#state === "established";
        if (!isOrdinary) this.#reset(errno === 0 ? ECONNRESET : errno);
        else this.#finished();
      },
    };
  }

  #listenOnHost(): void {
    const { host } = this.#stack;
    const isReachable = Ports.fit(this, LOOPBACK4) >= 0;
    if (host === undefined || !isReachable) return;
    this.#hostListener = host.listen(
      this.local.port,
      (connection, remotePort) => {
        if (this.#state !== "listening" || this.#connections.length > this.#maxBacklog) return undefined;
        const end = this.#newEnd({ ip: LOOPBACK4, port: remotePort });
        end.local = { ip: LOOPBACK4, port: this.local.port };
        end.#host = connection;
        this.#connections.push(end);
        this.queue.wake(READABLE);
        return end.#hostEvents();
      },
      () => {
        // The port is somebody else's on the host: reached from inside the machine alone.
        this.#hostListener = undefined;
      },
    );
  }
}
