/**
 * Streams over the machine's loopback (net/ipv4/tcp.c), without the protocol in between: how two ends find each other. What
 * they do once they have is a connection's (tcp-connection.ts), and those of the host's are tcp-host.ts's. What programs
 * see of the protocol is kept: the states of a connection, half-closed and reset ones, a nonblocking connect that is in
 * progress first, and room for what the receiver's buffer and the sender's hold.
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
  EALREADY,
  ECONNABORTED,
  ECONNREFUSED,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ETIMEDOUT,
} from "../../mm/uapi/errno.ts";
import { AcceptQueue } from "./accept-queue.ts";
import { AF_UNSPEC, MSG_DONTWAIT, SEND_SHUTDOWN } from "./constants.ts";
import type { HostConnection, HostConnectionEvents, HostLoopback } from "./host-loopback.ts";
import { type Endpoint, familyOf, parseEndpoint } from "./inet-address.ts";
import { Ports } from "./inet-ports.ts";
import type { InetStack } from "./inet-socket.ts";
import { type Request, type Socket, WOULD_BLOCK } from "./socket.ts";
import { READABLE, TcpConnection } from "./tcp-connection.ts";
import { HostListeners, isOfHost } from "./tcp-host.ts";

export interface TcpStack extends InetStack<TcpSocket> {
  /** What is behind the machine's own loopback; undefined: nothing. */
  readonly host: HostLoopback | undefined;
}

export class TcpSocket extends TcpConnection {
  readonly #stack: TcpStack;
  /** What the caller knows of it: a connect was called and its end not told yet; or it was (SS_CONNECTING, SS_CONNECTED). */
  #told: "unconnected" | "connecting" | "connected" = "unconnected";
  readonly #connections: AcceptQueue<TcpSocket> = new AcceptQueue();
  /** Through what those of the host's come, while it listens. */
  readonly #hostListeners: HostListeners = new HostListeners();
  /** Those that would connect, while the queue is full; and the one whose queue this socket waits for. */
  readonly #waiting: Set<TcpSocket> = new Set();
  #waitsAt: TcpSocket | undefined;

  constructor(stack: TcpStack, family: number, ownerUid: number) {
    super(stack.memory, family, ownerUid);
    this.#stack = stack;
  }

  protected get ports(): Ports<TcpSocket> {
    return this.#stack.ports;
  }
  /** It waits for what comes from the host. */
  get isFromHost(): boolean {
    return this.isWithHost || !this.#hostListeners.isEmpty;
  }

  // Connections

  override listen(_task: Task, backlog: number, request: Request): number {
    if (this.#told !== "unconnected" || (this.state !== "closed" && !this.isListening)) return -EINVAL;
    this.#connections.setBacklog(backlog);
    if (this.isListening) return this.#hostListens(request);
    const failed = this.bindAutomatically();
    if (failed !== 0) return failed;
    this.setListening(true);
    if (this.#stack.ports.choose(this.local.port, this) < 0) {
      this.setListening(false);
      return -EADDRINUSE;
    }
    const { host } = this.#stack;
    const accept = this.#acceptFromHost.bind(this);
    if (host !== undefined) this.#hostListeners.open(host, this, this.local.port, accept);
    return this.#hostListens(request);
  }

  connect(_task: Task, address: Uint8Array, request: Request): number {
    if (address.length < 2) return -EINVAL;
    if (familyOf(address) === AF_UNSPEC) {
      this.disconnect();
      return 0;
    }
    if (this.#told === "connecting") {
      request.late = -EALREADY;
      return this.#goOnConnecting(request);
    }
    if (this.#told === "connected" || this.state !== "closed") return -EISCONN;
    const wanted = parseEndpoint(address, this.family);
    if (typeof wanted === "number") return wanted;
    const target = this.target(wanted);
    const failed = this.mayReach(target) || this.connectTo(target);
    if (failed !== 0) return failed;
    this.startConnecting();
    this.#told = "connecting";
    request.late = -EINPROGRESS;
    this.#reach(target);
    return (request.flags & MSG_DONTWAIT) !== 0 ? -EINPROGRESS : this.#goOnConnecting(request);
  }

  /** Who connects and has been told that it takes a while asks again. */
  #goOnConnecting(request: Request): number {
    if (this.state === "connecting") {
      if ((request.flags & MSG_DONTWAIT) !== 0) return -EALREADY;
      request.retryWhen = () => this.state !== "connecting";
      return WOULD_BLOCK;
    }
    if (this.state === "established") {
      this.#told = "connected";
      return 0;
    }
    const error = this.takeError() || -ECONNABORTED;
    this.disconnect();
    return error;
  }

  #reach(target: Endpoint): void {
    if (target.port === this.local.port && target.ip === this.local.ip) {
      this.meet(this);
      return;
    }
    const listener = this.#listenerAt(target);
    if (listener !== undefined) {
      if (listener.#connections.isFull) {
        listener.#waiting.add(this);
        this.#waitsAt = listener;
      } else listener.#take(this);
      return;
    }
    const { host } = this.#stack;
    if (host === undefined || !isOfHost(target.ip)) this.reset(ECONNREFUSED);
    else {
      const { ip, port } = target;
      this.meetHost((events) => host.connect(ip, port, events));
    }
  }

  #listenerAt({ ip, port }: Endpoint): TcpSocket | undefined {
    return this.#stack.ports.best(port, (socket) => (socket.isListening ? Ports.fit(socket, ip) : -1));
  }

  /** A connection for a listening socket: its own end is made now. */
  #take(client: TcpSocket): void {
    if (!this.memory.mayAddSocket()) {
      // In Linux nobody answers, until the client gives up.
      client.reset(ETIMEDOUT);
      return;
    }
    const end = this.#newEnd(client.local);
    end.local = client.remote ?? this.local;
    client.meet(end);
    end.#finishAsListener();
    this.#offer(end);
  }

  #acceptFromHost(connection: HostConnection, remote: Endpoint): HostConnectionEvents | undefined {
    if (!this.isListening || this.#connections.isFull || !this.memory.mayAddSocket()) return undefined;
    const end = this.#newEnd(remote);
    end.local = { ip: remote.ip, port: this.local.port };
    this.#offer(end);
    const events = end.meetHost(() => connection);
    end.#finishAsListener();
    return events;
  }

  /** The connection can be accepted. */
  #offer(end: TcpSocket): void {
    this.#connections.push(end);
    this.queue.wake(READABLE);
    this.tellOfData();
  }

  /** 0 once the host takes connections for it, or negative errno: then it does not listen. */
  #hostListens(request: Request): number {
    const result = this.#hostListeners.result(request);
    if (result !== 0 && result !== WOULD_BLOCK) this.leave();
    return result;
  }

  /** Who listens after shutdown has connections that are shut down as it is. */
  #finishAsListener(): void {
    if ((this.shutdownState & SEND_SHUTDOWN) !== 0) this.endPeer(/* resets */ false);
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
    end.establish();
    return end;
  }

  override accept(request: Request): Socket | number {
    if (!this.isListening) return -EINVAL;
    const end = this.#connections.shift();
    if (end === undefined) {
      request.retryWhen = () => !this.#connections.isEmpty || !this.isListening;
      return WOULD_BLOCK;
    }
    this.#takeWaiting();
    return end;
  }

  #takeWaiting(): void {
    for (const client of this.#waiting) {
      if (this.#connections.isFull) return;
      client.#stopWaiting();
      this.#take(client);
    }
  }

  #stopWaiting(): void {
    const listener = this.#waitsAt;
    if (listener !== undefined) listener.#waiting.delete(this);
    this.#waitsAt = undefined;
  }

  // The end

  protected override disconnect(): void {
    this.#told = "unconnected";
    super.disconnect();
  }

  protected override reset(errno: number): void {
    this.#stopWaiting();
    super.reset(errno);
  }

  protected override leave(): void {
    this.#hostListeners.close();
    for (const end of this.#connections.takeAll()) {
      end.endPeer(/* resets */ true);
      end.close();
    }
    for (const client of [...this.#waiting]) client.reset(ECONNREFUSED);
    this.#stopWaiting();
    super.leave();
  }

  override poll(): number {
    if (!this.isListening) return super.poll();
    return this.#connections.isEmpty ? 0 : READABLE;
  }
}
