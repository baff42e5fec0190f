/**
 * This machine's loopback for programs that may have it (`--net host-loopback`), by Node's sockets. Whatever happens there
 * also wakes the machine, which may be waiting for it.
 */
import { createServer, Socket } from "node:net";
import type {
  HostConnection,
  HostConnectionEvents,
  HostListener,
  HostLoopback,
  LoopbackIp,
} from "../machine/index.ts";
import { hostErrno } from "../storage/node/host-error.ts";
import { codeOf } from "./host-error.ts";

/** Connections at a time: Node has buffers of its own for each. And ports of this machine's: each is a descriptor. */
const MAX_CONNECTIONS = 1024;
const MAX_SERVERS = 256;
const ENOBUFS = 105;
const ECONNREFUSED = 111;
/** How long bytes that programs have sent may take to leave, once the machine is off. */
const LEAVE_MS = 1000;

/** Gives a connection its events, or answers undefined where nobody takes it. */
type Accept = Parameters<HostLoopback["listen"]>[2];

/** A port of this machine's, and the sockets of the program that listen there: several where they share it (SO_REUSEPORT). */
class SharedServer {
  readonly accepts: Set<Accept> = new Set();
  /** As a HostListener's. */
  result: number | undefined;
  readonly close: () => void;

  constructor(close: () => void) {
    this.close = close;
  }

  /** The first who takes it; it comes last the next time. */
  acceptBy(socket: Socket): HostConnectionEvents | undefined {
    const connection = new NodeConnection(socket);
    for (const accept of [...this.accepts]) {
      const events = accept(connection, socket.remotePort ?? 0);
      if (events === undefined) continue;
      this.accepts.delete(accept);
      this.accepts.add(accept);
      return events;
    }
    return undefined;
  }
}

export class NodeLoopback implements HostLoopback {
  readonly #wake: () => void;
  readonly #sockets: Set<Socket> = new Set();
  /** By address and port. */
  readonly #servers: Map<string, SharedServer> = new Map();

  /** @param wake called after each event */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  connect(ip: LoopbackIp, port: number, events: HostConnectionEvents): HostConnection {
    const socket = new Socket({ allowHalfOpen: true });
    if (this.#sockets.size >= MAX_CONNECTIONS) {
      forget(socket);
      setImmediate(() => {
        events.closed(ECONNREFUSED);
        this.#wake();
      });
      return new NodeConnection(socket);
    }
    this.#watch(socket, events);
    socket.once("connect", () => {
      events.connected();
      this.#wake();
    });
    socket.connect(port, ip);
    return new NodeConnection(socket);
  }

  listen(ip: LoopbackIp, port: number, accept: Accept): HostListener {
    const key = `${ip} ${port}`;
    if (!this.#servers.has(key) && this.#servers.size >= MAX_SERVERS) return REFUSED_LISTENER;
    const server = this.#servers.get(key) ?? this.#newServer(ip, port, key);
    server.accepts.add(accept);
    return {
      get result() {
        return server.result;
      },
      close: () => {
        server.accepts.delete(accept);
        if (server.accepts.size > 0) return;
        server.close();
        if (this.#servers.get(key) === server) this.#servers.delete(key);
      },
    };
  }

  #newServer(ip: LoopbackIp, port: number, key: string): SharedServer {
    const created = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      const events = this.#sockets.size < MAX_CONNECTIONS ? server.acceptBy(socket) : undefined;
      if (events === undefined) {
        forget(socket);
        socket.resetAndDestroy();
        return;
      }
      this.#watch(socket, events);
      socket.resume();
      this.#wake();
    });
    const server = new SharedServer(() => created.close());
    created.on("listening", () => {
      server.result = 0;
      this.#wake();
    });
    created.on("error", (error) => {
      this.#servers.delete(key);
      // A host without IPv6 has nobody who would come from there.
      const isAbsent = codeOf(error) === "EADDRNOTAVAIL" || codeOf(error) === "EAFNOSUPPORT";
      server.result = isAbsent ? 0 : -hostErrno(error);
      this.#wake();
    });
    this.#servers.set(key, server);
    created.listen({ host: ip, port });
    return server;
  }

  #watch(socket: Socket, events: HostConnectionEvents): void {
    this.#sockets.add(socket);
    let errno = 0;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      const taken = events.data(bytes);
      if (taken < bytes.length) {
        socket.pause();
        socket.unshift(bytes.subarray(taken));
      }
      this.#wake();
    });
    socket.on("end", () => {
      events.ended();
      this.#wake();
    });
    socket.on("error", (error) => {
      errno = -hostErrno(error);
    });
    socket.on("close", () => {
      this.#sockets.delete(socket);
      events.closed(errno);
      this.#wake();
    });
  }

  /** The machine is off: what its programs have sent still leaves, unless nobody takes it. */
  async close(): Promise<void> {
    for (const server of this.#servers.values()) server.close();
    const leaving = [...this.#sockets].map(
      (socket) =>
        new Promise<void>((done) => {
          if (socket.writableFinished || socket.connecting || socket.destroyed) return done();
          socket.once("finish", done).once("close", done).end();
        }),
    );
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((done) => {
      timer = setTimeout(done, LEAVE_MS);
    });
    await Promise.race([Promise.all(leaving), patience]);
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}

const REFUSED_LISTENER: HostListener = { result: ENOBUFS, close: () => {} };

/** What goes wrong with it concerns nobody: without a listener it would end this process. */
function forget(socket: Socket): void {
  socket.on("error", () => {});
}

class NodeConnection implements HostConnection {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  write(bytes: Uint8Array, passedOn: () => void): void {
    this.#socket.write(bytes, passedOn);
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.end();
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.resetAndDestroy();
  }

  flow(isWanted: boolean): void {
    if (isWanted) this.#socket.resume();
    else this.#socket.pause();
  }
}
