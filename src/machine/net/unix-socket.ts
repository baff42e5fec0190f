/**
 * UNIX sockets (net/unix/af_unix.c): streams, datagrams and sequenced packets between processes of the machine, with files
 * and credentials in them.
 *
 * Each socket has one queue of messages that were sent to it. A stream's messages run into each other, but for those that
 * carry files or other credentials. A listening socket's queue has the other ends of connections instead, each made
 * and connected at the time of connect, not of accept.
 */
import type { Task } from "../../mm/syscalls/task.ts";
import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EFAULT,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
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
import type { File } from "../../mm/vfs/file.ts";
import {
  AF_UNIX,
  AF_UNSPEC,
  MSG_DONTWAIT,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  RCV_SHUTDOWN,
  SEND_SHUTDOWN,
  SHUTDOWN_MASK,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOMAXCONN,
} from "./constants.ts";
import {
  NOBODY,
  type PeerCredentials,
  type ReceiveRequest,
  type Request,
  type SendRequest,
  Socket,
  WOULD_BLOCK,
} from "./socket.ts";
import { streamPiece, trueSize, type UnixMessage } from "./unix-message.ts";
import { checkUnixAddress, UNNAMED, type UnixName, type UnixNames } from "./unix-names.ts";

/** Datagrams that may wait at a socket which is not connected to their sender (net.unix.max_dgram_qlen). */
const MAX_DGRAM_QLEN = 10;
const READABLE: number = POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND;
const WRITABLE: number = POLLOUT | POLLWRNORM | POLLWRBAND;

/** What a receiver is told of a sender without a name. */
const NO_NAME: Uint8Array = new Uint8Array(0);

type State = "closed" | "listening" | "established";

export class UnixSocket extends Socket {
  readonly family: number = AF_UNIX;
  readonly #names: UnixNames;
  #state: State = "closed";
  #boundName: UnixName | undefined;
  /** A connection that was accepted has its listener's name, without being found by it. */
  #address: Uint8Array = UNNAMED;
  #peer: UnixSocket | undefined;
  readonly #messages: UnixMessage[] = [];
  readonly #connections: UnixSocket[] = [];
  #maxBacklog: number = MAX_DGRAM_QLEN;
  /** What its messages count that nobody has received (sk_wmem_alloc). */
  #sent = 0;

  constructor(names: UnixNames, type: number) {
    super(type, 0);
    this.#names = names;
  }

  /** socketpair(2): each is the other's peer. */
  static connectPair(a: UnixSocket, b: UnixSocket, owner: PeerCredentials): void {
    a.#peer = b;
    b.#peer = a;
    for (const socket of [a, b]) {
      socket.peerCredentials = owner;
      if (socket.type !== SOCK_DGRAM) socket.#state = "established";
    }
  }

  get isListening(): boolean {
    return this.#state === "listening";
  }
  get isConnected(): boolean {
    return this.#peer !== undefined;
  }

  // Names

  bind(task: Task, address: Uint8Array): number {
    if (address.length === 2 && address[0] === AF_UNIX) return this.#bindAutomatically();
    const refused = checkUnixAddress(address);
    if (refused !== 0) return refused;
    // That the name is taken is found out first.
    if (this.#boundName !== undefined) return this.#names.isTaken(task, address) ? -EADDRINUSE : -EINVAL;
    return this.#setName(this.#names.bind(task, this, address));
  }

  #bindAutomatically(): number {
    return this.#boundName === undefined ? this.#setName(this.#names.bindAutomatically(this)) : 0;
  }

  #setName(name: UnixName | number): number {
    if (typeof name === "number") return name;
    this.#boundName = name;
    this.#address = name.address;
    return 0;
  }

  name(ofPeer: boolean): Uint8Array | number {
    if (!ofPeer) return this.#address;
    return this.#peer === undefined ? -ENOTCONN : this.#peer.#address;
  }

  // Connections

  override listen(task: Task, backlog: number): number {
    if (this.type === SOCK_DGRAM) return -EOPNOTSUPP;
    if (this.#boundName === undefined || this.#state === "established") return -EINVAL;
    this.#maxBacklog = backlog >>> 0 > SOMAXCONN ? SOMAXCONN : backlog;
    this.#state = "listening";
    this.peerCredentials = credentialsOf(task);
    this.queue.wake(0);
    return 0;
  }

  connect(task: Task, address: Uint8Array, request: Request): number {
    if (this.type === SOCK_DGRAM) return this.#connectDatagrams(task, address);
    const refused = checkUnixAddress(address);
    if (refused !== 0) return refused;
    if (this.passesCredentials) this.#bindAutomatically();
    const listener = this.#names.find(task, address, this.type);
    if (typeof listener === "number") return listener;
    if (listener.#state !== "listening" || (listener.shutdownState & RCV_SHUTDOWN) !== 0)
      return -ECONNREFUSED;
    if (listener.#isBacklogFull) {
      request.retryWhen = () => !listener.#isBacklogFull || listener.#state !== "listening";
      return (request.flags & MSG_DONTWAIT) !== 0 ? -EAGAIN : WOULD_BLOCK;
    }
    if (this.#state === "established") return -EISCONN;
    if (this.#state === "listening") return -EINVAL;
    const end = new UnixSocket(this.#names, this.type);
    end.#state = "established";
    end.#peer = this;
    end.#address = listener.#address;
    end.peerCredentials = credentialsOf(task);
    end.passesCredentials = listener.passesCredentials;
    this.#peer = end;
    this.#state = "established";
    this.peerCredentials = listener.peerCredentials;
    listener.#connections.push(end);
    listener.queue.wake(READABLE);
    return 0;
  }

  get #isBacklogFull(): boolean {
    return this.#connections.length > this.#maxBacklog;
  }

  #connectDatagrams(task: Task, address: Uint8Array): number {
    if (address.length < 2) return -EINVAL;
    if (address[0] + address[1] * 256 === AF_UNSPEC) {
      this.#disconnectDatagrams();
      return 0;
    }
    const refused = checkUnixAddress(address);
    if (refused !== 0) return refused;
    if (this.passesCredentials) this.#bindAutomatically();
    const other = this.#names.find(task, address, this.type);
    if (typeof other === "number") return other;
    if (!other.#takesFrom(this)) return -EPERM;
    if (this.#peer !== other) this.#disconnectDatagrams();
    this.#peer = other;
    return 0;
  }

  /** What came from the old peer goes, and that one hears of it (unix_dgram_disconnected). */
  #disconnectDatagrams(): void {
    const peer = this.#peer;
    this.#peer = undefined;
    if (peer === undefined) return;
    if (this.#messages.length === 0) return;
    this.#dropMessages();
    this.#tellWritable();
    if (!peer.isReleased && peer.#peer === this) {
      peer.error = ECONNRESET;
      peer.queue.wake(POLLERR);
    }
  }

  override accept(request: Request): Socket | number {
    if (this.type === SOCK_DGRAM) return -EOPNOTSUPP;
    if (this.#state !== "listening") return -EINVAL;
    const end = this.#connections.shift();
    if (end !== undefined) return end;
    if ((this.shutdownState & RCV_SHUTDOWN) !== 0) return -EINVAL;
    request.retryWhen = () => this.#connections.length > 0 || (this.shutdownState & RCV_SHUTDOWN) !== 0;
    return WOULD_BLOCK;
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
    let done = 0;
    while (from.count > 0) {
      const isBroken =
        (this.shutdownState & SEND_SHUTDOWN) !== 0 ||
        peer.isReleased ||
        (peer.shutdownState & RCV_SHUTDOWN) !== 0;
      if (isBroken) return done > 0 ? done : -EPIPE;
      if (this.#sent >= this.sendBuffer) return done > 0 ? done : this.#waitForRoom(request);
      const bytes = new Uint8Array(streamPiece(from.count, this.sendBuffer));
      if (from.copyBytesFromIter(bytes) < bytes.length) return done > 0 ? done : -EFAULT;
      peer.#queueMessage(this.#message(request, bytes, peer, done > 0 ? [] : request.rights));
      done += bytes.length;
    }
    return done;
  }

  #waitForRoom(request: SendRequest): number {
    const peer = this.#peer;
    request.retryWhen = () =>
      this.#isWritable ||
      this.error !== 0 ||
      (this.shutdownState & SEND_SHUTDOWN) !== 0 ||
      (peer !== undefined && (peer.isReleased || (peer.shutdownState & RCV_SHUTDOWN) !== 0));
    return WOULD_BLOCK;
  }

  #sendDatagram(request: SendRequest): number {
    const { task, from, to } = request;
    let other = this.#peer;
    if (to !== undefined && this.type === SOCK_DGRAM) {
      const refused = checkUnixAddress(to);
      if (refused !== 0) return refused;
    } else if (other === undefined) return -ENOTCONN;
    if (this.passesCredentials) this.#bindAutomatically();
    const size = from.count;
    if (size > this.sendBuffer - 32) return -EMSGSIZE;
    if (this.error !== 0) return this.takeError();
    if ((this.shutdownState & SEND_SHUTDOWN) !== 0) return -EPIPE;
    if (this.#sent >= this.sendBuffer) return this.#waitForRoom(request);
    if (to !== undefined && this.type === SOCK_DGRAM) {
      if (task === undefined) return -EINVAL;
      const found = this.#names.find(task, to, this.type);
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
      request.retryWhen = () =>
        !receiver.#isQueueFull || receiver.isReleased || (receiver.shutdownState & RCV_SHUTDOWN) !== 0;
      return WOULD_BLOCK;
    }
    const bytes = new Uint8Array(size);
    if (from.copyBytesFromIter(bytes) < size) return -EFAULT;
    receiver.#queueMessage(this.#message(request, bytes, receiver, request.rights));
    return size;
  }

  /** Whoever is connected takes messages of its peer alone (unix_may_send). */
  #takesFrom(sender: UnixSocket): boolean {
    return this.#peer === undefined || this.#peer === sender;
  }

  get #isQueueFull(): boolean {
    return this.#messages.length > this.#maxBacklog;
  }

  #message(
    { task, credentials }: SendRequest,
    bytes: Uint8Array,
    to: UnixSocket,
    rights: readonly File[],
  ): UnixMessage {
    for (const file of rights) file.get();
    const tellsWho = this.passesCredentials || to.passesCredentials;
    return {
      bytes,
      consumed: 0,
      trueSize: trueSize(bytes.length, this.type === SOCK_STREAM),
      sender: this,
      rights,
      credentials: credentials ?? (tellsWho && task !== undefined ? credentialsOf(task) : undefined),
      name: this.#address === UNNAMED ? NO_NAME : this.#address,
    };
  }

  #queueMessage(message: UnixMessage): void {
    message.sender.#sent += message.trueSize;
    this.#messages.push(message);
    this.queue.wake(READABLE);
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
    const peeks = (flags & MSG_PEEK) !== 0;
    const size = into.count;
    const target = this.receiveTarget((flags & MSG_WAITALL) !== 0, size + already);
    let done = 0;
    let index = 0;
    let first: UnixMessage | undefined;
    while (into.count > 0) {
      const message = this.#messages[index];
      if (message === undefined) {
        if (peeks && index > 0) break;
        if (already + done >= target) break;
        if (this.error !== 0) return done > 0 || already > 0 ? done : this.takeError();
        if ((this.shutdownState & RCV_SHUTDOWN) !== 0) break;
        request.retryWhen = () => this.#canReceive;
        return done > 0 ? done : WOULD_BLOCK;
      }
      if (first === undefined) {
        first = message;
        request.name = message.name;
        if (this.passesCredentials) request.credentials = message.credentials ?? NOBODY;
      } else if (this.passesCredentials && !isSameSender(first, message)) break;
      const chunk = message.bytes.subarray(message.consumed, message.consumed + into.count);
      if (into.copyBytesToIter(chunk) < chunk.length) return done > 0 ? done : -EFAULT;
      done += chunk.length;
      const { rights } = message;
      if (rights.length > 0) {
        if (peeks) for (const file of rights) file.get();
        else message.rights = [];
        request.rights = rights;
      }
      if (peeks) index++;
      else {
        message.consumed += chunk.length;
        if (message.consumed < message.bytes.length) break;
        this.#messages.shift();
        this.#received(message);
      }
      if (rights.length > 0) break;
    }
    return done;
  }

  get #canReceive(): boolean {
    return this.#messages.length > 0 || this.error !== 0 || (this.shutdownState & RCV_SHUTDOWN) !== 0;
  }

  #receiveDatagram(request: ReceiveRequest): number {
    const { into, flags } = request;
    if (this.error !== 0) return this.takeError();
    const message = this.#messages[0];
    if (message === undefined) {
      if ((this.shutdownState & RCV_SHUTDOWN) !== 0) {
        const isAsked = (flags & MSG_DONTWAIT) !== 0;
        return isAsked && this.type === SOCK_DGRAM ? -EAGAIN : 0;
      }
      request.retryWhen = () => this.#canReceive;
      return WOULD_BLOCK;
    }
    request.name = message.name;
    const part = message.bytes.subarray(0, into.count);
    if (part.length < message.bytes.length) request.outFlags |= MSG_TRUNC;
    if (into.copyBytesToIter(part) < part.length) return -EFAULT;
    if (this.passesCredentials) request.credentials = message.credentials ?? NOBODY;
    const { rights } = message;
    if (rights.length > 0) request.rights = rights;
    if ((flags & MSG_PEEK) !== 0) for (const file of rights) file.get();
    else {
      message.rights = [];
      const wasFull = this.#isQueueFull;
      this.#messages.shift();
      this.#received(message);
      if (wasFull && message.sender.#peer === this) message.sender.#tellWritable();
    }
    return (flags & MSG_TRUNC) !== 0 ? message.bytes.length : part.length;
  }

  /** Its sender may send more (sock_wfree, unix_write_space). */
  #received(message: UnixMessage): void {
    const { sender } = message;
    sender.#sent -= message.trueSize;
    if (sender.#isWritable) sender.#tellWritable();
  }

  #tellWritable(): void {
    this.queue.wake(WRITABLE);
  }

  get #isWritable(): boolean {
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
    return 0;
  }

  poll(): number {
    let events = 0;
    if (this.error !== 0) events |= POLLERR;
    if (this.isShutDown) events |= POLLHUP;
    if ((this.shutdownState & RCV_SHUTDOWN) !== 0) events |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (this.#messages.length > 0 || this.#connections.length > 0) events |= POLLIN | POLLRDNORM;
    if (this.type !== SOCK_DGRAM && this.#state === "closed") events |= POLLHUP;
    if (!this.#isWritable) return events;
    const peer = this.type === SOCK_STREAM ? undefined : this.#peer;
    const isHeldUp = peer !== undefined && peer.#peer !== this && peer.#isQueueFull;
    return isHeldUp ? events : events | WRITABLE;
  }

  inputBytes(): number {
    if (this.#state === "listening") return -EINVAL;
    if (this.type === SOCK_DGRAM) return this.#messages.at(0)?.bytes.length ?? 0;
    return this.#messages.reduce((sum, { bytes, consumed }) => sum + bytes.length - consumed, 0);
  }

  outputBytes(): number {
    return this.#sent;
  }

  release(): void {
    if (this.#boundName !== undefined) this.#names.unbind(this.#boundName);
    const peer = this.#peer;
    const isConnection = this.type !== SOCK_DGRAM;
    if (isConnection && peer !== undefined) {
      peer.shutdownState = SHUTDOWN_MASK;
      if (this.#messages.length > 0) peer.error = ECONNRESET;
      peer.queue.wake(0);
    }
    this.shutdownState = SHUTDOWN_MASK;
    this.#state = "closed";
    this.#dropMessages();
    // Whoever waits to be accepted is told that nobody will.
    for (const end of this.#connections.splice(0)) {
      end.isReleased = true;
      const client = end.#peer;
      end.release();
      if (client !== undefined) client.error = ECONNRESET;
    }
    if (!isConnection && peer !== undefined) peer.#tellWritable();
    this.queue.wake(0);
  }

  #dropMessages(): void {
    for (const message of this.#messages.splice(0)) {
      dropFiles(message.rights);
      this.#received(message);
    }
  }
}

/** Files in flight that nobody will receive. Empty outside of `dropFiles`. */
const dropping: File[] = [];
let isDropping = false;

/**
 * Drops references one after the other, not one within the other: a socket under way may hold messages with sockets under
 * way, in chains that are longer than the stack is deep.
 */
function dropFiles(files: readonly File[]): void {
  dropping.push(...files);
  if (isDropping) return;
  isDropping = true;
  try {
    for (let file = dropping.pop(); file !== undefined; file = dropping.pop()) file.put();
  } finally {
    isDropping = false;
    dropping.length = 0;
  }
}

export function credentialsOf({ pid, uid, gid }: Task): PeerCredentials {
  return { pid, uid, gid };
}

function isSameSender({ credentials: a }: UnixMessage, { credentials: b }: UnixMessage): boolean {
  return a?.pid === b?.pid && a?.uid === b?.uid && a?.gid === b?.gid;
}
