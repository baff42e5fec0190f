/**
 * Files under way in UNIX sockets: how many there may be, and what becomes of those that nobody can receive any more
 * (net/unix/garbage.c).
 *
 * A descriptor that was sent and closed lives in a queue alone. A socket can be in its own queue, or two in each other's:
 *
 * ```
 *   process ──▶ A ═ queue ═▶ B ═ queue ═▶ A      once the process has closed A and B, each holds the other
 * ```
 *
 * So a socket that ends looks for them: of the sockets that only queues hold, those are reachable that are in the queue of
 * one that is, directly or in several steps; the others are garbage, and the files in their queues go. A ring can only
 * come into being by sending a socket to one that is under way itself; until that has happened there is nothing to look for.
 */
import type { Task } from "../../mm/syscalls/task.ts";
import { CAP_SYS_ADMIN, CAP_SYS_RESOURCE } from "../../mm/uapi/capability.ts";
import { RLIMIT_NOFILE } from "../../mm/uapi/mman.ts";
import { capable } from "../../mm/vfs/capability.ts";
import type { File } from "../../mm/vfs/file.ts";
import type { NetworkMemory } from "./network-memory.ts";
import { type Socket, socketOf } from "./socket.ts";

/** The most that is under way in all, also for those whom RLIMIT_NOFILE does not bind. */
const MAX_IN_FLIGHT = 16_384;
/** With n sockets under way, one look at all of them is made for n / LOOK_AFTER that end. */
const LOOK_AFTER = 256;

/** A socket under way: its file, and in how many messages. */
interface Flight {
  readonly file: File;
  count: number;
}

export class FilesInFlight {
  readonly #sockets: Map<Socket, Flight> = new Map();
  readonly #byUser: Map<number, number> = new Map();
  #total = 0;
  #mayHaveRings = false;
  #sinceLook = 0;

  /** @param memory what garbage takes of it is given back when it is short */
  constructor(memory: NetworkMemory) {
    memory.reclaim = () => dropFiles(this.collect());
  }

  /**
   * Whether `sender` may send `count` more (too_many_unix_fds); what is garbage is not in the way. Like Linux it only looks
   * at what is under way already.
   */
  mayAdd(sender: Task, count: number): boolean {
    if (this.#hasRoom(sender, count)) return true;
    dropFiles(this.collect());
    return this.#hasRoom(sender, count);
  }

  #hasRoom(sender: Task, count: number): boolean {
    if (this.#total + count > MAX_IN_FLIGHT) return false;
    if (capable(sender, CAP_SYS_RESOURCE) || capable(sender, CAP_SYS_ADMIN)) return true;
    return (this.#byUser.get(sender.uid) ?? 0) <= sender.rlimits[RLIMIT_NOFILE].soft;
  }

  /** These go on their way to a socket. */
  add(files: readonly File[], uid: number, receiver: Socket): void {
    this.#count(uid, files.length);
    for (const file of files) {
      const socket = socketOf(file);
      if (socket === undefined) continue;
      const flight = this.#sockets.get(socket) ?? { file, count: 0 };
      flight.count++;
      this.#sockets.set(socket, flight);
    }
    if (this.#sockets.has(receiver)) this.#mayHaveRings = true;
  }

  /** They have arrived, or nobody will get them. */
  remove(files: readonly File[], uid: number): void {
    this.#count(uid, -files.length);
    for (const file of files) {
      const socket = socketOf(file);
      const flight = socket === undefined ? undefined : this.#sockets.get(socket);
      if (socket === undefined || flight === undefined) continue;
      flight.count--;
      if (flight.count === 0) this.#sockets.delete(socket);
    }
    if (this.#sockets.size === 0) this.#mayHaveRings = false;
  }

  #count(uid: number, more: number): void {
    this.#total += more;
    const count = (this.#byUser.get(uid) ?? 0) + more;
    if (count === 0) this.#byUser.delete(uid);
    else this.#byUser.set(uid, count);
  }

  /** A socket has ended: looks for garbage when it is time. Its files are the caller's to drop. */
  afterEnd(): File[] {
    if (!this.#mayHaveRings || ++this.#sinceLook <= this.#sockets.size / LOOK_AFTER) return [];
    return this.collect();
  }

  /** The files in queues that nobody can reach, taken out of them: they are the caller's to drop. */
  collect(): File[] {
    this.#sinceLook = 0;
    if (!this.#mayHaveRings) return [];
    /** Sockets that only queues hold; by how many queues outside of these. */
    const held: Map<Socket, number> = new Map();
    for (const [socket, { file, count }] of this.#sockets) if (file.refs === count) held.set(socket, count);
    for (const holder of held.keys()) {
      for (const file of holder.filesUnderWay()) {
        const socket = socketOf(file);
        const others = socket === undefined ? undefined : held.get(socket);
        if (socket !== undefined && others !== undefined) held.set(socket, others - 1);
      }
    }
    const reachable = [...held].filter(([, others]) => others > 0).map(([socket]) => socket);
    for (let socket = reachable.pop(); socket !== undefined; socket = reachable.pop()) {
      if (!held.delete(socket)) continue;
      for (const file of socket.filesUnderWay()) {
        const next = socketOf(file);
        if (next !== undefined && held.has(next)) reachable.push(next);
      }
    }
    return [...held.keys()].flatMap((socket) => socket.takeFilesUnderWay());
  }
}

/** Files that nobody will receive. Empty outside of `dropFiles`. */
const dropping: File[] = [];
let isDropping = false;

/**
 * Drops references one after the other, not one within the other: a socket under way may hold messages with sockets under
 * way, in chains that are longer than the stack is deep.
 */
export function dropFiles(files: readonly File[]): void {
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
