/**
 * UNIX sockets (net/unix/af_unix.c): streams, datagrams and sequenced packets between processes of the machine, with files
 * and credentials in them. Here is what a socket is called and how it finds another; what the two say to each other is
 * unix-end.ts's.
 *
 * A listening socket has the other ends of connections in its queue, each made and connected at the time of connect, not of
 * accept: so a client may send, and end, before anybody has accepted it.
 */
import type { Task } from "../../mm/syscalls/task.ts";
import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EISCONN,
  ENOMEM,
  EOPNOTSUPP,
} from "../../mm/uapi/errno.ts";
import { POLLIN, POLLRDNORM } from "../../mm/uapi/fs.ts";
import type { File } from "../../mm/vfs/file.ts";
import { AcceptQueue } from "./accept-queue.ts";
import { AF_UNIX, AF_UNSPEC, MSG_DONTWAIT, RCV_SHUTDOWN, SOCK_DGRAM } from "./constants.ts";
import { dropFiles } from "./files-in-flight.ts";
import { credentialsOf, type PeerCredentials, type Request, type Socket, WOULD_BLOCK } from "./socket.ts";
import { READABLE, UnixEnd } from "./unix-end.ts";
import { checkUnixAddress, UNNAMED, type UnixName } from "./unix-names.ts";

export class UnixSocket extends UnixEnd {
  #boundName: UnixName | undefined;
  /** A connection that was accepted has its listener's name, without being found by it. */
  #address: Uint8Array = UNNAMED;
  readonly #connections: AcceptQueue<UnixSocket> = new AcceptQueue();

  /** socketpair(2): each is the other's peer. */
  static connectPair(a: UnixSocket, b: UnixSocket, owner: PeerCredentials): void {
    a.pairWith(b);
    for (const socket of [a, b]) socket.peerCredentials = owner;
  }

  // Names

  bind(task: Task, address: Uint8Array): number {
    if (address.length === 2 && address[0] === AF_UNIX) return this.bindAutomatically();
    const refused = checkUnixAddress(address);
    if (refused !== 0) return refused;
    // That the name is taken is found out first.
    if (this.#boundName !== undefined) return this.stack.names.isTaken(task, address) ? -EADDRINUSE : -EINVAL;
    return this.#setName(this.stack.names.bind(task, this, address));
  }

  protected bindAutomatically(): number {
    return this.#boundName === undefined ? this.#setName(this.stack.names.bindAutomatically(this)) : 0;
  }

  #setName(name: UnixName | number): number {
    if (typeof name === "number") return name;
    this.#boundName = name;
    this.#address = name.address;
    return 0;
  }

  protected get address(): Uint8Array {
    return this.#address;
  }

  // Connections

  override listen(task: Task, backlog: number): number {
    if (this.type === SOCK_DGRAM) return -EOPNOTSUPP;
    if (this.#boundName === undefined || this.isEstablished) return -EINVAL;
    this.#connections.setBacklog(backlog);
    this.startListening();
    this.peerCredentials = credentialsOf(task);
    this.queue.wake(0);
    return 0;
  }

  connect(task: Task, address: Uint8Array, request: Request): number {
    if (this.type === SOCK_DGRAM) return this.#connectDatagrams(task, address);
    const refused = checkUnixAddress(address);
    if (refused !== 0) return refused;
    if (this.passesCredentials) this.bindAutomatically();
    const listener = this.stack.names.find(task, address, this.type);
    if (typeof listener === "number") return listener;
    if (!listener.isListening || (listener.shutdownState & RCV_SHUTDOWN) !== 0) return -ECONNREFUSED;
    if (listener.#connections.isFull) {
      request.retryWhen = () => !listener.#connections.isFull || !listener.isListening;
      return (request.flags & MSG_DONTWAIT) !== 0 ? -EAGAIN : WOULD_BLOCK;
    }
    if (this.isEstablished) return -EISCONN;
    if (this.isListening) return -EINVAL;
    if (!this.memory.mayAddSocket()) return -ENOMEM;
    const end = new UnixSocket(this.stack, this.type);
    this.pairWith(end);
    end.#address = listener.#address;
    end.peerCredentials = credentialsOf(task);
    end.passesCredentials = listener.passesCredentials;
    this.peerCredentials = listener.peerCredentials;
    listener.#connections.push(end);
    listener.queue.wake(READABLE);
    listener.tellOfData();
    return 0;
  }

  #connectDatagrams(task: Task, address: Uint8Array): number {
    if (address.length < 2) return -EINVAL;
    if (address[0] + address[1] * 256 === AF_UNSPEC) {
      this.forgetPeer();
      return 0;
    }
    const refused = checkUnixAddress(address);
    if (refused !== 0) return refused;
    if (this.passesCredentials) this.bindAutomatically();
    const other = this.stack.names.find(task, address, this.type);
    return typeof other === "number" ? other : this.setPeer(other);
  }

  override accept(request: Request): Socket | number {
    if (this.type === SOCK_DGRAM) return -EOPNOTSUPP;
    if (!this.isListening) return -EINVAL;
    const end = this.#connections.shift();
    if (end !== undefined) return end;
    if ((this.shutdownState & RCV_SHUTDOWN) !== 0) return -EINVAL;
    request.retryWhen = () => !this.#connections.isEmpty || (this.shutdownState & RCV_SHUTDOWN) !== 0;
    return WOULD_BLOCK;
  }

  // The end

  override poll(): number {
    const events = super.poll();
    return this.#connections.isEmpty ? events : events | POLLIN | POLLRDNORM;
  }

  protected override release(): void {
    if (this.#boundName !== undefined) this.stack.names.unbind(this.#boundName);
    super.release();
    // Whoever waits to be accepted is told that nobody will.
    for (const end of this.#connections.takeAll()) {
      const client = end.peer;
      end.close();
      if (client !== undefined) client.error = ECONNRESET;
    }
    dropFiles(this.stack.flight.afterEnd());
  }

  override *filesUnderWay(): IterableIterator<File> {
    yield* super.filesUnderWay();
    for (const end of this.#connections) yield* end.filesUnderWay();
  }

  override takeFilesUnderWay(): File[] {
    return [
      ...super.takeFilesUnderWay(),
      ...[...this.#connections].flatMap((end) => end.takeFilesUnderWay()),
    ];
  }
}
