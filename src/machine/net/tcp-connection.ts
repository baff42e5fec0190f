/**
 * One end of a TCP connection: the bytes that came, the other end, and how it ends (net/ipv4/tcp.c).
 *
 * There is no protocol in between. Bytes are in the other end's queue at once, and an end that finishes or resets says so
 * to the other by a call. The other end is a socket of the machine, which may be this very one, or it is one of the host's.
 *
 * ```
 *   this end finishes ───▶ #hasFinished ──┐
 *                                         ├── both ──▶ closed; what is here can still be read
 *   the other finishes ──▶ #isDone ───────┘
 * ```
 *
 * While it is established, its peer has this one for a peer, unless that one is closed already: then what is sent is
 * answered with a reset. How two ends find each other, by listening and connecting, is the socket's (tcp-socket.ts).
 */
import { EAGAIN, ECONNRESET, EFAULT, EINVAL, ENOTCONN, EPIPE } from "../../mm/uapi/errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM } from "../../mm/uapi/fs.ts";
import { POLL_ERR, POLL_HUP, POLL_IN, POLL_OUT } from "../../mm/vfs/fasync.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import { ByteQueue } from "./byte-queue.ts";
import {
  IPPROTO_TCP,
  MSG_ERRQUEUE,
  MSG_OOB,
  MSG_PEEK,
  MSG_WAITALL,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SHUTDOWN_MASK,
  SOCK_STREAM,
} from "./constants.ts";
import type { HostConnection, HostConnectionEvents, HostPeer } from "./host-loopback.ts";
import { InetSocket } from "./inet-socket.ts";
import type { NetworkMemory } from "./network-memory.ts";
import { type ReceiveRequest, type SendRequest, WOULD_BLOCK } from "./socket.ts";
import { meetHost } from "./tcp-host.ts";

export const READABLE: number = POLLIN | POLLRDNORM;
const WRITABLE: number = POLLOUT | POLLWRNORM;
/** SO_SNDBUF of a new socket, of a connected one (as tcp_wmem lets it grow), and SO_RCVBUF. */
const FIRST_SEND_BUFFER = 16384;
const SEND_BUFFER = 2626560;
const RECEIVE_BUFFER = 131072;
const SOL_SOCKET_SNDBUF = 65536 + 7;
/** Bytes taken from the sender in one piece. */
const PIECE = 65536;

export type TcpState = "closed" | "listening" | "connecting" | "established";

export abstract class TcpConnection extends InetSocket {
  #state: TcpState = "closed";
  #peer: TcpConnection | undefined;
  /** The other end, where it is one of the host's. */
  #host: HostPeer | undefined;
  readonly #received: ByteQueue;
  /** The peer has finished: after what is here comes nothing (SOCK_DONE). And this end has. */
  #isDone = false;
  #hasFinished = false;
  /** A send found no memory for bytes to the peer. */
  #lacksMemory = false;

  constructor(memory: NetworkMemory, family: number, ownerUid: number) {
    super(memory, family, SOCK_STREAM, IPPROTO_TCP, ownerUid);
    this.#received = new ByteQueue(memory);
    this.sendBuffer = FIRST_SEND_BUFFER;
    this.receiveBuffer = RECEIVE_BUFFER;
  }

  protected get state(): TcpState {
    return this.#state;
  }
  get isListening(): boolean {
    return this.#state === "listening";
  }
  get isConnected(): boolean {
    return this.#state === "established";
  }
  /** The other end is one of the host's. */
  protected get isWithHost(): boolean {
    return this.#host !== undefined;
  }

  // The beginning

  protected setListening(listens: boolean): void {
    this.#state = listens ? "listening" : "closed";
  }

  protected startConnecting(): void {
    this.#isDone = false;
    this.#hasFinished = false;
    this.error = 0;
    this.#state = "connecting";
  }

  /** The two are each other's other end from now on. @param other established already, or this one itself */
  protected meet(other: TcpConnection): void {
    other.#peer = this;
    this.#peer = other;
    this.establish();
  }

  /** The other end is one of the host's from now on. @param open gives the connection its events, and answers it */
  protected meetHost(open: (events: HostConnectionEvents) => HostConnection): HostConnectionEvents {
    const { peer, events } = meetHost(this.memory, open, {
      stateWith: (other) => (this.#host === other ? this.#state : "closed"),
      establish: () => this.establish(),
      take: (bytes) => this.#takeFromHost(bytes),
      finish: () => this.#finished(),
      reset: (errno) => this.reset(errno),
      drained: () => {
        this.queue.wake(WRITABLE);
        this.tellOfSpace();
      },
    });
    this.#host = peer;
    return events;
  }

  protected establish(): void {
    this.#state = "established";
    if (!this.options.has(SOL_SOCKET_SNDBUF)) this.sendBuffer = Math.max(this.sendBuffer, SEND_BUFFER);
    this.queue.wake(0);
    this.fasync.kill(POLL_OUT);
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
      peer.reset(ECONNRESET);
      this.reset(this.#isDone ? EPIPE : ECONNRESET);
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
    this.reset(this.#isDone ? EPIPE : ECONNRESET);
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
    // Errors are told by the calls themselves; nothing is ever kept here.
    if ((flags & MSG_ERRQUEUE) !== 0) return -EAGAIN;
    if ((flags & MSG_OOB) !== 0) return -EINVAL;
    if (this.isListening) return -ENOTCONN;
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

  /** How many of the bytes there was memory for. */
  #takeFromHost(bytes: Uint8Array): number {
    const taken = this.#received.push(bytes);
    this.#host?.connection.flow(taken === bytes.length && this.#received.length < this.receiveBuffer);
    this.queue.wake(READABLE);
    this.tellOfData();
    return taken;
  }

  private get isShutDownForReading(): boolean {
    return (this.shutdownState & RCV_SHUTDOWN) !== 0 || this.#state === "closed";
  }

  // The end

  shutdown(how: number): number {
    if (this.isListening && (how & RCV_SHUTDOWN) === 0) return 0;
    if (this.isListening || this.#state === "connecting") {
      this.disconnect();
      return 0;
    }
    this.shutdownState |= how;
    const isThere = this.#state === "established";
    if (isThere && (how & SEND_SHUTDOWN) !== 0) this.endPeer(/* resets */ false);
    // Whoever polls hears of it all the same.
    this.queue.wake(0);
    return isThere ? 0 : -ENOTCONN;
  }

  /** Tells the other end that no more comes, or that all is over. */
  protected endPeer(resets: boolean): void {
    if (this.#host !== undefined) {
      const { connection } = this.#host;
      if (resets) connection.destroy();
      else connection.end();
    }
    const peer = this.#peer;
    if (!resets) this.#hasFinished = true;
    if (peer !== undefined && peer.#state === "established") {
      if (resets) peer.reset(peer.#isDone ? EPIPE : ECONNRESET);
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
  protected reset(errno: number): void {
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

  /** connect to AF_UNSPEC: it can be connected anew (tcp_disconnect). */
  protected disconnect(): void {
    if (this.#state === "established") this.endPeer(/* resets */ true);
    if (this.#state === "connecting") this.#host?.connection.destroy();
    if (this.#state === "established" || this.#state === "connecting") this.error = ECONNRESET;
    if (this.#state !== "closed") this.leaveAnyPort();
    this.leave();
    this.forgetPeer();
    this.shutdownState = 0;
    this.#isDone = false;
    this.queue.wake(0);
    this.fasync.kill(POLL_ERR);
  }

  /** Not connected, not listening, and its port is free unless it was bound to it. */
  protected leave(): void {
    this.#state = "closed";
    this.#peer = undefined;
    this.#host = undefined;
    this.#received.clear();
  }

  poll(): number {
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
    return this.isListening ? -EINVAL : this.#received.length;
  }
  outputBytes(): number {
    return this.isListening ? -EINVAL : this.#queued;
  }

  protected release(): void {
    const resets = this.#received.length > 0 || (this.linger.isOn && this.linger.seconds === 0);
    if (this.#state === "established") this.endPeer(resets);
    if (this.#state === "connecting") this.#host?.connection.destroy();
    else this.#host?.connection.close();
    this.leave();
    this.shutdownState = SHUTDOWN_MASK;
    this.leavePort();
    this.queue.wake(0);
  }
}
