/**
 * The host's loopback, as whoever runs the machine may lend it: connections to 127.0.0.1 and ::1 that nobody in the machine
 * takes go there, and who listens in the machine is reached from there. No other address of the host's is.
 *
 * ```
 *   program ── connect(127.0.0.1:port) ──▶ nobody listens in the machine ──▶ HostLoopback.connect ──▶ a server of the host's
 *   program ── listen(port) ─────────────▶ HostLoopback.listen ◀──────────────────────────────────── a client of the host's
 * ```
 *
 * Everything happens by events of the host's, which come between turns: so a machine that uses it runs by `runAsync`, and its
 * runs are not the same each time.
 */

import { EFAULT } from "../../mm/uapi/errno.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import { FREE_BYTES, type NetworkMemory } from "./network-memory.ts";
import { WOULD_BLOCK } from "./socket.ts";

/** Where both ends of connections are. */
export type LoopbackIp = "127.0.0.1" | "::1";

/** One connection, seen from the machine. */
export interface HostConnection {
  /** The bytes are the connection's from now on. @param passedOn called once they are out of its hands */
  write(bytes: Uint8Array, passedOn: () => void): void;
  /** No more bytes come from the machine. */
  end(): void;
  /** No more bytes come from the machine, and what comes from the host nobody wants. */
  close(): void;
  /** It is over at once: a reset. */
  destroy(): void;
  /** Whether `data` may bring more. */
  flow(isWanted: boolean): void;
}

/** What happens to a connection. */
export interface HostConnectionEvents {
  connected(): void;
  /** How many of the bytes were taken; the others come again once they are wanted. */
  data(bytes: Uint8Array): number;
  /** No more bytes come from the host. */
  ended(): void;
  /** @param errno why, positive; 0 for the ordinary end */
  closed(errno: number): void;
}

export interface HostListener {
  /** 0 once connections can come, a positive errno where they can't; undefined while that is not known. */
  readonly result: number | undefined;
  close(): void;
}

export interface HostLoopback {
  connect(ip: LoopbackIp, port: number, events: HostConnectionEvents): HostConnection;
  /**
   * Takes connections to this address of the host's.
   * @param accept gives each connection its events, or answers undefined where nobody takes it
   */
  listen(
    ip: LoopbackIp,
    port: number,
    accept: (connection: HostConnection, remotePort: number) => HostConnectionEvents | undefined,
  ): HostListener;
}

/** Bytes that may be under way to the host. */
const SEND_BUFFER = 65536;

/** The sending side of a connection to the host, whose bytes count as network memory until they are gone. */
export class HostPeer {
  readonly connection: HostConnection;
  readonly #memory: NetworkMemory;
  readonly #drained: () => void;
  /** Bytes that are not passed on yet. */
  pending = 0;

  /** @param drained called whenever there is more room */
  constructor(connection: HostConnection, memory: NetworkMemory, drained: () => void) {
    this.connection = connection;
    this.#memory = memory;
    this.#drained = drained;
  }

  get room(): number {
    return this.#memory.hasRoom ? SEND_BUFFER - this.pending : 0;
  }

  /** Moves up to `max` bytes to the host: how many, -EFAULT, or WOULD_BLOCK where memory is out. Precondition: there is `room`. */
  send(from: IovIter, max: number): number {
    const size = this.#charge(max);
    if (size === 0) return WOULD_BLOCK;
    const bytes = new Uint8Array(size);
    if (from.copyBytesFromIter(bytes) < size) {
      this.#memory.uncharge(size);
      return -EFAULT;
    }
    this.pending += size;
    this.connection.write(bytes, () => {
      this.pending -= size;
      this.#memory.uncharge(size);
      this.#drained();
    });
    return size;
  }

  /** How many of `max` bytes there is memory for; some, as long as that has room at all. */
  #charge(max: number): number {
    if (this.#memory.charge(max)) return max;
    const fewer = Math.min(max, FREE_BYTES);
    return this.#memory.charge(fewer) ? fewer : 0;
  }
}
