/**
 * TCP with the host: connections whose other end is one of the host's, and how those of the host's find who listens here.
 *
 * What the host does comes as events, and late: by then the socket may have left that connection, or have another. So each
 * event first asks how the socket stands with the very peer that it tells of. Of one that it has left, bytes are for
 * nobody, and whoever sends them is reset.
 *
 * ```
 *   HostLoopback ── connected, data, ended, closed ──▶ meetHost ── if it is still with that peer ──▶ MachineEnd
 *        ▲                                                                                               │
 *        └──────────────────── bytes, end, flow ─────── HostPeer ◀───────────────────────────────────────┘
 * ```
 */
import { ECONNRESET } from "../../mm/uapi/errno.ts";
import {
  type HostConnection,
  type HostConnectionEvents,
  type HostListener,
  type HostLoopback,
  HostPeer,
  type LoopbackIp,
} from "./host-loopback.ts";
import { type Endpoint, LOOPBACK4, LOOPBACK6 } from "./inet-address.ts";
import { type Bound, Ports } from "./inet-ports.ts";
import type { NetworkMemory } from "./network-memory.ts";
import { type Request, WOULD_BLOCK } from "./socket.ts";
import type { TcpState } from "./tcp-connection.ts";

/** The machine's end of a connection with the host: what happens to it there. */
export interface MachineEnd {
  /** How it stands with this peer: "closed" where it has left it. */
  stateWith(peer: HostPeer): TcpState;
  establish(): void;
  /** How many of the bytes were taken. */
  take(bytes: Uint8Array): number;
  /** The peer has finished. */
  finish(): void;
  /** @param errno positive */
  reset(errno: number): void;
  /** There is room to send again. */
  drained(): void;
}

/**
 * A new connection between `end` and the host: the other end, as `end` has it from now on, and its events.
 * @param open gives the connection its events, and answers it
 */
export function meetHost(
  memory: NetworkMemory,
  open: (events: HostConnectionEvents) => HostConnection,
  end: MachineEnd,
): { peer: HostPeer; events: HostConnectionEvents } {
  let peer: HostPeer | undefined;
  const state = (): TcpState => (peer === undefined ? "closed" : end.stateWith(peer));
  const events: HostConnectionEvents = {
    connected: () => {
      if (state() === "connecting") end.establish();
    },
    data: (bytes) => {
      if (state() === "established") return end.take(bytes);
      peer?.connection.destroy();
      return bytes.length;
    },
    ended: () => {
      if (state() === "established") end.finish();
    },
    closed: (errno) => {
      const before = state();
      if (before === "closed") return;
      if (errno === 0 && before === "established") end.finish();
      else end.reset(errno === 0 ? ECONNRESET : errno);
    },
  };
  peer = new HostPeer(open(events), memory, () => end.drained());
  return { peer, events };
}

/** Gives a connection from the host its events, or answers undefined where nobody takes it. */
type AcceptFromHost = (connection: HostConnection, remote: Endpoint) => HostConnectionEvents | undefined;

/** Where on the host one listening socket is found. */
export class HostListeners {
  readonly #listeners: HostListener[] = [];

  get isEmpty(): boolean {
    return this.#listeners.length === 0;
  }

  /** Whoever of the host's connects to an address that `socket` listens at comes to `accept`. */
  open(host: HostLoopback, socket: Bound, port: number, accept: AcceptFromHost): void {
    for (const ip of [LOOPBACK4, LOOPBACK6] as const) {
      if (Ports.fit(socket, ip) < 0) continue;
      const acceptAt = (connection: HostConnection, remotePort: number): HostConnectionEvents | undefined =>
        accept(connection, { ip, port: remotePort });
      this.#listeners.push(host.listen(ip, port, acceptAt));
    }
  }

  /** 0 once the host takes connections for it, negative errno where it does not, or WOULD_BLOCK while that is not known. */
  result(request: Request): number {
    const results = this.#listeners.map(({ result }) => result);
    if (results.includes(undefined)) {
      request.retryWhen = () => this.#listeners.every(({ result }) => result !== undefined);
      return WOULD_BLOCK;
    }
    const errno = results.find((result) => result !== 0) ?? 0;
    return errno === 0 ? 0 : -errno;
  }

  close(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
  }
}

/** Of all addresses of the loopback the two that the host has for sure. */
export function isOfHost(ip: string): ip is LoopbackIp {
  return ip === LOOPBACK4 || ip === LOOPBACK6;
}
