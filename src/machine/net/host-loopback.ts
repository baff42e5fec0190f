/**
 * The host's loopback, as whoever runs the machine may lend it: connections to 127.0.0.1 that nobody in the machine takes
 * go there, and who listens in the machine is reached from there. Everything happens by events between turns.
 */

/** One connection, seen from the machine. */
export interface HostConnection {
  /** Bytes that `write` takes now. */
  readonly room: number;
  write(bytes: Uint8Array): void;
  /** No more bytes come from the machine. */
  end(): void;
  /** It is over at once. */
  destroy(): void;
  /** Whether `data` may bring more. */
  flow(isWanted: boolean): void;
}

/** What happens to a connection. */
export interface HostConnectionEvents {
  connected(): void;
  data(bytes: Uint8Array): void;
  /** There is room again. */
  drained(): void;
  /** No more bytes come from the host. */
  ended(): void;
  /** @param errno why, positive; 0 for the ordinary end */
  closed(errno: number): void;
}

export interface HostListener {
  close(): void;
}

export interface HostLoopback {
  connect(port: number, events: HostConnectionEvents): HostConnection;
  /**
   * Takes connections to the host's 127.0.0.1.
   * @param accept gives each connection its events, or answers undefined where nobody takes it
   * @param failed the port can't be had: positive errno
   */
  listen(
    port: number,
    accept: (connection: HostConnection, remotePort: number) => HostConnectionEvents | undefined,
    failed: (errno: number) => void,
  ): HostListener;
}
