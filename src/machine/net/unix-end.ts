/**
 * One end of what UNIX sockets say to each other: its peer, sending, receiving, and the end of it (net/unix/af_unix.c).
 *
 * Each has one queue of the messages that were sent to it, and counts what it sent and nobody has received yet, which
 * SO_SNDBUF bounds. A stream's messages run into each other; those of the other types stay apart.
 *
 * ```
 *   stream, seqpacket   A ◀═ peers ═▶ B      each other's until one ends, who tells the other
 *   datagrams           A ── peer ──▶ B      whom A sends to where it names nobody. B needs no peer; one that has, takes
 *                                            datagrams of that alone
 * ```
 *
 * Only of datagrams many send to one, so its queue has a bound, too: of those connected to it, who was told that it is full
 * stands in `#heldUp` until it isn't. What an end is called, and how it finds others, is the socket's (unix-socket.ts).
 */
import {
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EFAULT,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOBUFS,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  ETOOMANYREFS,
} from "../../mm/uapi/errno.ts";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "../../mm/uapi/fs.ts";
import { POLL_ERR, POLL_HUP } from "../../mm/vfs/fasync.ts";
import type { File } from "../../mm/vfs/file.ts";
import {
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_OOB,
  MSG_PEEK,
  MSG_WAITALL,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SHUTDOWN_MASK,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "./constants.ts";
import { dropFiles, type FilesInFlight } from "./files-in-flight.ts";
import type { NetworkMemory } from "./network-memory.ts";
import { type ReceiveRequest, type SendRequest, Socket, senderOf, WOULD_BLOCK } from "./socket.ts";
import { FREE_PIECE, type MessageSender, streamPiece, trueSize } from "./unix-message.ts";
import { checkUnixAddress, UNNAMED, type UnixNames } from "./unix-names.ts";
import { UnixQueue } from "./unix-queue.ts";

/** Datagrams that may wait at a socket which is not connected to their sender (net.unix.max_dgram_qlen). */
const MAX_DGRAM_QLEN = 10;
export const READABLE: number = POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND;
const WRITABLE: number = POLLOUT | POLLWRNORM | POLLWRBAND;

/** What all UNIX sockets of a machine share. */
export interface UnixStack {
  readonly memory: NetworkMemory;
  readonly names: UnixNames;
  readonly flight: FilesInFlight;
}

/** What a receiver is told of a sender without a name. */
const NO_NAME: Uint8Array = new Uint8Array(0);

export abstract class UnixEnd extends Socket implements MessageSender {
  readonly family: number = AF_UNIX;
  protected readonly stack: UnixStack;
  #state: "closed" | "listening" | "established" = "closed";
  #peer: UnixEnd | undefined;
  readonly #messages: UnixQueue;
  /** What its messages count that nobody has received (sk_wmem_alloc). */
  #sent = 0;
  /** A stream found no memory for what it was to send: its peer has to receive all, or others something. */
  #lacksMemory = false;
  /** Those connected to it who were told that its queue is full, and not yet that it isn't any more (peer_wait). */
  readonly #heldUp: Set<UnixEnd> = new Set();

  constructor(stack: UnixStack, type: number) {
    super(stack.memory, type, 0);
    this.stack = stack;
    this.#messages = new UnixQueue(this, stack.memory, stack.flight);
  }

  /** struct sockaddr of this end. */
  protected abstract readonly address: Uint8Array;
  /** Gives it a name where it has none yet. 0 or negative errno. */
  protected abstract bindAutomatically(): number;

  get isListening(): boolean {
    return this.#state === "listening";
  }
  get isConnected(): boolean {
    return this.#peer !== undefined;
  }
  /** It is one end of a connection; never of datagrams. */
  protected get isEstablished(): boolean {
    return this.#state === "established";
  }
  protected get peer(): UnixEnd | undefined {
    return this.#peer;
  }

  name(ofPeer: boolean): Uint8Array | number {
    if (!ofPeer) return this.address;
    return this.#peer === undefined ? -ENOTCONN : this.#peer.address;
  }

  // Peers

  protected startListening(): void {
    this.#state = "listening";
  }

  /** Each is the other's peer from now on. */
  protected pairWith(peer: UnixEnd): void {
    this.#peer = peer;
    peer.#peer = this;
    if (this.type === SOCK_DGRAM) return;
    this.#state = "established";
    peer.#state = "established";
  }

  /** Datagrams go to `other` from now on. 0, or -EPERM where that one has another peer. */
  protected setPeer(other: UnixEnd): number {
    if (!other.#takesFrom(this)) return -EPERM;
    if (this.#peer !== other) this.forgetPeer();
    this.#peer = other;
    return 0;
  }

  /** What came from the old peer goes, and that one hears of it (unix_dgram_disconnected). */
  protected forgetPeer(): void {
    const peer = this.#peer;
    this.#peer = undefined;
    if (peer === undefined) return;
    if (peer.#heldUp.delete(this)) this.#tellWritable();
    if (this.#messages.isEmpty) return;
    dropFiles(this.#messages.clear());
    this.#tellHeldUp();
    if (!peer.isReleased && peer.#peer === this) {
      peer.error = ECONNRESET;
      peer.queue.wake(POLLERR);
      peer.fasync.kill(POLL_ERR);
    }
  }

  /** The peer's queue is full: this one is told when that is over (unix_dgram_peer_wake_me). */
  #waitForPeer(peer: UnixEnd): void {
    peer.#heldUp.add(this);
  }

  /** Whoever was held up looks again. */
  #tellHeldUp(): void {
    for (const sender of this.#heldUp) sender.#tellWritable();
    this.#heldUp.clear();
  }

  // Sending

  send(request: SendRequest): number {
    if ((request.flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.type === SOCK_STREAM) return this.#sendStream(request);
    if (this.type !== SOCK_DGRAM && this.#state !== "established") return -ENOTCONN;
    return this.#sendDatagram(request);
  }

  /** As many messages as there is room for. Bytes, which may be fewer than asked for. */
  #sendStream(request: SendRequest): number {
    const { from, to } = request;
    if (to !== undefined) return this.#state === "established" ? -EISCONN : -EOPNOTSUPP;
    const peer = this.#peer;
    if (peer === undefined) return -ENOTCONN;
    // Whoever waits hears of a reset first.
    if (request.isRetry !== true && (this.shutdownState & SEND_SHUTDOWN) !== 0) return -EPIPE;
    let done = 0;
    while (from.count > 0) {
      if (this.error !== 0) return done > 0 ? done : this.takeError();
      const isBroken =
        (this.shutdownState & SEND_SHUTDOWN) !== 0 ||
        peer.isReleased ||
        (peer.shutdownState & RCV_SHUTDOWN) !== 0;
      if (isBroken) return done > 0 ? done : -EPIPE;
      if (this.#sent >= this.sendBuffer) return done > 0 ? done : this.#waitForRoom(request);
      if (done === 0 && this.#hasTooManyFiles(request)) return -ETOOMANYREFS;
      const size = this.#chargePiece(peer, streamPiece(from.count, this.sendBuffer));
      if (size === 0) return done > 0 ? done : this.#waitForRoom(request);
      const bytes = new Uint8Array(size);
      if (from.copyBytesFromIter(bytes) < size) {
        this.memory.uncharge(trueSize(size, true));
        return done > 0 ? done : -EFAULT;
      }
      peer.#queueMessage(this, request, bytes, done > 0 ? [] : request.rights);
      done += size;
    }
    return done;
  }

  /**
   * Counts in memory for the next `size` bytes to the peer: how many of them it may be. An end at which nothing waits takes a little
   * in any case, so that no stream stands still for ever because of others that nobody reads.
   */
  #chargePiece(peer: UnixEnd, size: number): number {
    this.#lacksMemory = !this.memory.charge(trueSize(size, true));
    if (!this.#lacksMemory) return size;
    if (!peer.#messages.isEmpty) return 0;
    const part = Math.min(size, FREE_PIECE);
    this.memory.chargeAnyway(trueSize(part, true));
    return part;
  }

  #waitForRoom(request: SendRequest): number {
    this.noteLackOfSpace();
    const peer = this.#peer;
    request.retryWhen = () =>
      this.#isWritable ||
      this.error !== 0 ||
      (this.shutdownState & SEND_SHUTDOWN) !== 0 ||
      (peer !== undefined && (peer.isReleased || (peer.shutdownState & RCV_SHUTDOWN) !== 0));
    return WOULD_BLOCK;
  }

  /** More files would be under way than a user may have there. */
  #hasTooManyFiles({ task, rights }: SendRequest): boolean {
    return task !== undefined && rights.length > 0 && !this.stack.flight.mayAdd(task, rights.length);
  }

  #sendDatagram(request: SendRequest): number {
    const { from, to } = request;
    const other = this.#peer;
    if (to !== undefined && this.type === SOCK_DGRAM) {
      const refused = checkUnixAddress(to);
      if (refused !== 0) return refused;
    } else if (other === undefined) return -ENOTCONN;
    if (this.passesCredentials) this.bindAutomatically();
    const size = from.count;
    if (size > this.sendBuffer - 32) return -EMSGSIZE;
    if (this.error !== 0) return this.takeError();
    if ((this.shutdownState & SEND_SHUTDOWN) !== 0) return -EPIPE;
    if (this.#sent >= this.sendBuffer) return this.#waitForRoom(request);
    const sent = this.#sendTo(other, request);
    // What it had made for the message is free again (sock_wfree).
    if (sent < 0 && (sent !== WOULD_BLOCK || (request.flags & MSG_DONTWAIT) !== 0)) this.giveBack(0);
    return sent;
  }

  /** One message to the socket that the request names, or to `peer`. */
  #sendTo(peer: UnixEnd | undefined, request: SendRequest): number {
    const { task, from, to } = request;
    let other = peer;
    if (this.#hasTooManyFiles(request)) return -ETOOMANYREFS;
    if (to !== undefined && this.type === SOCK_DGRAM) {
      if (task === undefined) return -EINVAL;
      const found = this.stack.names.find(task, to, this.type);
      if (typeof found === "number") return found;
      other = found;
    }
    if (other === undefined) return -ENOTCONN;
    if (!other.#takesFrom(this)) return -EPERM;
    if (other.isReleased) {
      if (this.#peer === other) this.#peer = undefined;
      return -ECONNREFUSED;
    }
    if ((other.shutdownState & RCV_SHUTDOWN) !== 0) return -EPIPE;
    const receiver = other;
    if (receiver !== this && receiver.#peer !== this && receiver.#isQueueFull) {
      request.retryWhen = () => !receiver.#isQueueFull || receiver.isReleased;
      if ((request.flags & MSG_DONTWAIT) !== 0 && this.#peer === receiver) this.#waitForPeer(receiver);
      return WOULD_BLOCK;
    }
    const bytes = new Uint8Array(from.count);
    if (from.copyBytesFromIter(bytes) < bytes.length) return -EFAULT;
    if (!this.memory.charge(trueSize(bytes.length, false))) return -ENOBUFS;
    receiver.#queueMessage(this, request, bytes, request.rights);
    return bytes.length;
  }

  /** Whoever is connected takes messages of its peer alone (unix_may_send). */
  #takesFrom(sender: UnixEnd): boolean {
    return this.#peer === undefined || this.#peer === sender;
  }

  get #isQueueFull(): boolean {
    return this.#messages.length > MAX_DGRAM_QLEN;
  }

  /** Precondition: the message's true size is counted as network memory. */
  #queueMessage(sender: UnixEnd, request: SendRequest, bytes: Uint8Array, rights: readonly File[]): void {
    const { task, credentials } = request;
    const size = trueSize(bytes.length, this.type === SOCK_STREAM);
    for (const file of rights) file.get();
    const tellsWho = sender.passesCredentials || this.passesCredentials;
    sender.#sent += size;
    this.#messages.push({
      bytes,
      consumed: 0,
      trueSize: size,
      sender,
      uid: task?.userIds.real ?? 0,
      rights,
      credentials: credentials ?? (tellsWho && task !== undefined ? senderOf(task) : undefined),
      name: sender.address === UNNAMED ? NO_NAME : sender.address,
    });
    this.queue.wake(READABLE);
    this.tellOfData();
  }

  // Receiving

  receive(request: ReceiveRequest): number {
    if ((request.flags & MSG_OOB) !== 0) return this.type === SOCK_STREAM ? -EINVAL : -EOPNOTSUPP;
    if (this.type === SOCK_STREAM) {
      return this.#state === "established" ? this.#receiveStream(request) : -EINVAL;
    }
    if (this.type !== SOCK_DGRAM && this.#state !== "established") return -ENOTCONN;
    return this.#receiveDatagram(request);
  }

  #receiveStream(request: ReceiveRequest): number {
    const { into, flags, already } = request;
    const target = this.receiveTarget((flags & MSG_WAITALL) !== 0, into.count + already);
    const done = this.#messages.readStream(request, this.passesCredentials);
    if (done < 0 || !this.#messages.ranOut) return done;
    const hasLooked = done > 0 && (flags & MSG_PEEK) !== 0;
    if (hasLooked || already + done >= target) return done;
    if (this.error !== 0) return done > 0 || already > 0 ? done : this.takeError();
    if ((this.shutdownState & RCV_SHUTDOWN) !== 0) return done;
    request.retryWhen = () => this.#canReceive;
    return done > 0 ? done : WOULD_BLOCK;
  }

  get #canReceive(): boolean {
    return !this.#messages.isEmpty || this.error !== 0 || (this.shutdownState & RCV_SHUTDOWN) !== 0;
  }

  #receiveDatagram(request: ReceiveRequest): number {
    const { flags } = request;
    if (this.error !== 0) return this.takeError();
    const message = this.#messages.first;
    if (message === undefined) {
      if ((this.shutdownState & RCV_SHUTDOWN) !== 0) {
        const isAsked = (flags & MSG_DONTWAIT) !== 0;
        return isAsked && this.type === SOCK_DGRAM ? -EAGAIN : 0;
      }
      request.retryWhen = () => this.#canReceive;
      return WOULD_BLOCK;
    }
    const got = this.#messages.readDatagram(request, this.passesCredentials);
    if (this.#messages.first !== message) this.#tellHeldUp();
    return got;
  }

  /** It may send more (unix_write_space). */
  giveBack(trueSize: number): void {
    this.#sent -= trueSize;
    if (!this.#isWritable) return;
    this.#tellWritable();
    this.tellOfSpace();
  }

  #tellWritable(): void {
    this.queue.wake(WRITABLE);
  }

  get #isWritable(): boolean {
    const peer = this.#peer;
    if (this.#lacksMemory && !this.memory.hasRoom && peer !== undefined && !peer.#messages.isEmpty)
      return false;
    return this.#state !== "listening" && this.#sent * 4 <= this.sendBuffer;
  }

  // State

  shutdown(how: number): number {
    this.shutdownState |= how;
    this.queue.wake(0);
    const peer = this.#peer;
    if (peer === undefined || this.type === SOCK_DGRAM) return 0;
    if ((how & RCV_SHUTDOWN) !== 0) peer.shutdownState |= SEND_SHUTDOWN;
    if ((how & SEND_SHUTDOWN) !== 0) peer.shutdownState |= RCV_SHUTDOWN;
    peer.queue.wake(0);
    if (how === SHUTDOWN_MASK) peer.tellOfData(POLL_HUP);
    else if ((how & SEND_SHUTDOWN) !== 0) peer.tellOfData();
    return 0;
  }

  poll(): number {
    let events = 0;
    if (this.error !== 0) events |= POLLERR;
    if (this.isShutDown) events |= POLLHUP;
    if ((this.shutdownState & RCV_SHUTDOWN) !== 0) events |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (!this.#messages.isEmpty) events |= POLLIN | POLLRDNORM;
    if (this.type !== SOCK_DGRAM && this.#state === "closed") events |= POLLHUP;
    if (!this.#isWritable) {
      this.noteLackOfSpace();
      return events;
    }
    const peer = this.type === SOCK_STREAM ? undefined : this.#peer;
    const isHeldUp = peer !== undefined && peer.#peer !== this && peer.#isQueueFull;
    if (isHeldUp) this.#waitForPeer(peer);
    return isHeldUp ? events : events | WRITABLE;
  }

  inputBytes(): number {
    if (this.#state === "listening") return -EINVAL;
    if (this.type === SOCK_DGRAM) return this.#messages.first?.bytes.length ?? 0;
    return this.#messages.bytes;
  }

  outputBytes(): number {
    return this.#sent;
  }

  protected release(): void {
    const peer = this.#peer;
    const isConnection = this.type !== SOCK_DGRAM;
    if (isConnection && peer !== undefined) {
      peer.shutdownState = SHUTDOWN_MASK;
      if (!this.#messages.isEmpty) peer.error = ECONNRESET;
      peer.queue.wake(0);
      peer.tellOfData(POLL_HUP);
    }
    this.shutdownState = SHUTDOWN_MASK;
    this.#state = "closed";
    dropFiles(this.#messages.clear());
    if (peer !== undefined) peer.#heldUp.delete(this);
    this.#tellHeldUp();
    this.queue.wake(0);
  }

  override filesUnderWay(): Iterable<File> {
    return this.#messages.files();
  }

  override takeFilesUnderWay(): File[] {
    return this.#messages.takeFiles();
  }
}
