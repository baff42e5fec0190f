/**
 * What sockets take of the host's memory, in all (tcp_mem, and what the kernel's allocator gives in Linux).
 *
 * Bytes under way lie outside the machine's RAM, and each socket has a bound of its own only; so there is one for all of
 * them. A socket counts with everything that it is, and with the first bytes under way in each direction: those always
 * fit, so that no pair of sockets has to wait for others to be read. Whoever finds no more acts as in a Linux without
 * memory: making a socket fails with ENOBUFS, so does sending a message to a UNIX socket, a stream waits, a datagram of
 * UDP is lost.
 */

/** What a socket takes with its inode, its file and its first bytes. */
const SOCKET_BYTES = 8192;
/** Bytes under way to a socket that are paid for with it. */
export const FREE_BYTES = 4096;

const MIN_BYTES: number = 16 * 2 ** 20;
const MAX_BYTES: number = 64 * 2 ** 20;

export class NetworkMemory {
  readonly limit: number;
  /** Gives back what nobody can reach, when there is no room left. */
  reclaim: () => void = () => {};
  #used = 0;

  /** @param ramBytes of the machine: its sockets may have a quarter, within bounds */
  constructor(ramBytes: number) {
    this.limit = Math.min(MAX_BYTES, Math.max(MIN_BYTES, Math.floor(ramBytes / 4)));
  }

  get used(): number {
    return this.#used;
  }

  /** There is room for some more. */
  get hasRoom(): boolean {
    return this.#used + FREE_BYTES <= this.limit;
  }

  /** How many sockets there have been. */
  socketsMade = 0;

  /** Whether another socket may be made. */
  mayAddSocket(): boolean {
    return this.#makeRoom(SOCKET_BYTES);
  }

  addSocket(): void {
    this.socketsMade++;
    this.#used += SOCKET_BYTES;
  }

  removeSocket(): void {
    this.#used -= SOCKET_BYTES;
  }

  /** Counts bytes in, or answers false where there is no room for them. */
  charge(bytes: number): boolean {
    if (!this.#makeRoom(bytes)) return false;
    this.#used += bytes;
    return true;
  }

  /** Counts in what is paid for with a socket, whether there is room or not: FREE_BYTES at most for each. */
  chargeAnyway(bytes: number): void {
    this.#used += bytes;
  }

  #makeRoom(bytes: number): boolean {
    if (this.#used + bytes > this.limit) this.reclaim();
    return this.#used + bytes <= this.limit;
  }

  uncharge(bytes: number): void {
    this.#used -= bytes;
  }
}
