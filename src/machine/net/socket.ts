/**
 * Sockets: what every kind has (struct socket and struct sock), and the file that a descriptor of one leads to.
 *
 * A socket never waits. What can't be done now answers -ERESTART_WOULD_BLOCK, and what it would have to wait for stands in
 * the request; the system call puts its caller to wait for that. Whoever changes what a socket is ready for wakes its
 * queue.
 *
 * ```
 *   Socket ─┬─ UnixEnd ── UnixSocket      names in the file system or abstract; stream, datagram, seqpacket
 *           ├─ NetlinkSocket              the kernel, which tells of network interfaces
 *           └─ InetSocket ─┬─ TcpConnection ── TcpSocket      the machine's own loopback, over IPv4 and IPv6
 *                          └─ UdpSocket
 * ```
 */
import type { Task } from "../../mm/syscalls/task.ts";
import { EAGAIN, ENOTTY, EOPNOTSUPP } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK, O_RDWR, S_IFSOCK } from "../../mm/uapi/fcntl.ts";
import { SOCKFS_MAGIC } from "../../mm/uapi/fs.ts";
import { newPseudoDentry } from "../../mm/vfs/dentry.ts";
import { FasyncList, POLL_IN, POLL_OUT } from "../../mm/vfs/fasync.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "../../mm/vfs/file.ts";
import { Inode } from "../../mm/vfs/inode.ts";
import type { IovIter } from "../../mm/vfs/iov-iter.ts";
import type { MountNamespace } from "../../mm/vfs/mount.ts";
import { PollQueue } from "../../mm/vfs/poll-queue.ts";
import { type PseudoSuperBlock, pseudoFs } from "../../mm/vfs/pseudo-fs.ts";
import { copySpliceRead } from "../../mm/vfs/splice.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { DEFAULT_BUFFER, MSG_EOR, SHUTDOWN_MASK, SOCK_SEQPACKET } from "./constants.ts";
import type { NetworkMemory } from "./network-memory.ts";

export const WOULD_BLOCK: number = -ERESTART_WOULD_BLOCK;

/** Who a peer is (struct ucred); uid and gid −1 for nobody. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export const NOBODY: PeerCredentials = { pid: 0, uid: -1, gid: -1 };

export function credentialsOf({ pid, uid, gid }: Task): PeerCredentials {
  return { pid, uid, gid };
}

/** Whom a message says it is from, if its sender does not say: who started that, not whose rights it has. */
export function senderOf({ pid, userIds, groupIds }: Task): PeerCredentials {
  return { pid, uid: userIds.real, gid: groupIds.real };
}

/** What may have to wait, and for what. */
export interface Request {
  /** MSG_… */
  readonly flags: number;
  /** It is another try of a call that has waited. */
  readonly isRetry?: boolean;
  /** Filled in with -ERESTART_WOULD_BLOCK: what the call answers when its time is up; -EAGAIN by default. */
  late?: number;
  /** Filled in with -ERESTART_WOULD_BLOCK: whether another try is worth it. */
  retryWhen?: () => boolean;
}

export interface SendRequest extends Request {
  /** Who sends; undefined for the kernel itself (sendfile). */
  readonly task: Task | undefined;
  readonly from: IovIter;
  /** struct sockaddr of the receiver. */
  readonly to: Uint8Array | undefined;
  /** Files and credentials that go along (SCM_RIGHTS, SCM_CREDENTIALS). The files are the caller's, which drops them. */
  readonly rights: readonly File[];
  readonly credentials: PeerCredentials | undefined;
  /** What is said to the protocol, of other levels than the socket's own. */
  readonly controls?: readonly ControlMessage[];
}

/** Something that is told beside the bytes (struct cmsghdr). */
export interface ControlMessage {
  readonly level: number;
  readonly type: number;
  readonly data: Uint8Array;
}

export interface ReceiveRequest extends Request {
  readonly into: IovIter;
  /** Bytes already received by earlier tries of the same call. */
  readonly already: number;
  /** Filled in: struct sockaddr of the sender, what came along, and MSG_… to tell. */
  name?: Uint8Array;
  /** References belong to the receiver now. */
  rights?: readonly File[];
  credentials?: PeerCredentials;
  controls?: readonly ControlMessage[];
  outFlags: number;
}

export abstract class Socket {
  abstract readonly family: number;
  readonly type: number;
  readonly protocol: number;
  /** Told whenever its readiness changes. */
  readonly queue: PollQueue = new PollQueue();
  /** Whom signals tell. */
  readonly fasync: FasyncList = new FasyncList();
  /** How many wait for bytes of a stream: while any does, no signal tells of them (SOCKWQ_ASYNC_WAITDATA). */
  waitingReaders = 0;
  /** Somebody found no room to send, and wants to be told of it (SOCKWQ_ASYNC_NOSPACE). */
  #lacksSpace = false;
  /** Positive errno that the next call is told of (sk_err). */
  error = 0;
  /** RCV_SHUTDOWN, SEND_SHUTDOWN */
  shutdownState = 0;
  sendBuffer: number = DEFAULT_BUFFER;
  receiveBuffer: number = DEFAULT_BUFFER;
  /** SO_RCVLOWAT, and time-outs in nanoseconds (Infinity: none). */
  receiveLow = 1;
  receiveTimeoutNs: number = Number.POSITIVE_INFINITY;
  sendTimeoutNs: number = Number.POSITIVE_INFINITY;
  passesCredentials = false;
  peerCredentials: PeerCredentials = NOBODY;
  /** Options that are kept and told back, by level × 2^16 + name. */
  readonly options: Map<number, number> = new Map();
  /** SO_LINGER: on or off, and seconds. */
  linger: { isOn: boolean; seconds: number } = { isOn: false, seconds: 0 };
  /** Nobody has it any more. */
  isReleased = false;
  readonly memory: NetworkMemory;
  /** A number that no other socket has or had (SO_COOKIE). */
  readonly cookie: number;

  /** Precondition: `memory` has room for a socket. */
  constructor(memory: NetworkMemory, type: number, protocol: number) {
    this.memory = memory;
    this.type = type;
    this.protocol = protocol;
    memory.addSocket();
    this.cookie = memory.socketsMade;
  }

  /** It takes connections (SO_ACCEPTCONN). */
  abstract readonly isListening: boolean;
  /** It has a peer, for good or until it is connected elsewhere. */
  abstract readonly isConnected: boolean;
  /** Bytes that a stream keeps apart from each other not at all. */
  get isStream(): boolean {
    return this.type === 1;
  }

  abstract bind(task: Task, address: Uint8Array): number;
  abstract connect(task: Task, address: Uint8Array, request: Request): number;
  listen(_task: Task, _backlog: number, _request: Request): number {
    return -EOPNOTSUPP;
  }
  accept(_request: Request): Socket | number {
    return -EOPNOTSUPP;
  }
  /** struct sockaddr of this end, or of the other one. */
  abstract name(ofPeer: boolean): Uint8Array | number;
  /** struct sockaddr of whom it was accepted from, who may be gone again. */
  acceptedFrom(): Uint8Array | number {
    return this.name(true);
  }
  abstract send(request: SendRequest): number;
  abstract receive(request: ReceiveRequest): number;
  /** @param how RCV_SHUTDOWN, SEND_SHUTDOWN or both */
  abstract shutdown(how: number): number;
  abstract poll(): number;
  /** Bytes that a receive would find (SIOCINQ), and that were sent and not received (SIOCOUTQ). */
  abstract inputBytes(): number;
  abstract outputBytes(): number;
  /** Ends it: what it was connected to hears of that, and what it held is free. */
  protected abstract release(): void;

  /** The last descriptor is gone, or nobody will accept it. */
  close(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.release();
    this.memory.removeSocket();
  }

  /** What was held back goes; of most kinds there is nothing. */
  uncork(): void {}

  /** Files under way to it; of most kinds there are none. */
  filesUnderWay(): Iterable<File> {
    return [];
  }
  /** Takes all of them out of its messages: they are the caller's to drop. */
  takeFilesUnderWay(): File[] {
    return [];
  }

  /** Takes the error (sock_error): negative errno or 0. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error === 0 ? 0 : -error;
  }

  get isShutDown(): boolean {
    return this.shutdownState === SHUTDOWN_MASK;
  }

  /** Something can be received. @param reason POLL_IN or POLL_HUP */
  protected tellOfData(reason: number = POLL_IN): void {
    if (this.waitingReaders === 0) this.fasync.kill(reason);
  }

  protected noteLackOfSpace(): void {
    if (!this.fasync.isEmpty) this.#lacksSpace = true;
  }

  /** There is room again, for whom there was none. */
  protected tellOfSpace(): void {
    if (!this.#lacksSpace) return;
    this.#lacksSpace = false;
    this.fasync.kill(POLL_OUT);
  }

  option(level: number, name: number, otherwise = 0): number {
    return this.options.get(level * 65536 + name) ?? otherwise;
  }
  setOption(level: number, name: number, value: number): void {
    this.options.set(level * 65536 + name, value);
  }

  /** How much a receive has to have before it returns (sock_rcvlowat). */
  receiveTarget(waitsForAll: boolean, size: number): number {
    return waitsForAll ? size : Math.max(1, Math.min(this.receiveLow, size));
  }
}

const sockets: WeakMap<Inode, Socket> = new WeakMap();

/** The socket behind a file; undefined: it is none. */
export function socketOf(file: File): Socket | undefined {
  return sockets.get(file.inode);
}

function socketIn(file: File): Socket {
  const socket = sockets.get(file.inode);
  if (socket === undefined) throw new TypeError("socketIn: not a socket");
  return socket;
}

function orAgain(file: File, result: number): number {
  return result === WOULD_BLOCK && (file.flags & O_NONBLOCK) !== 0 ? -EAGAIN : result;
}

/** What sendfile, splice and the library do; read and write of programs go through the system calls of sockets. */
const socketOps: FileOperations = {
  isStream: true,
  takesRwf: true,
  canNowait: true,
  read: (file, into) => {
    if (into.count === 0) return 0;
    return orAgain(file, socketIn(file).receive({ into, already: 0, flags: 0, outFlags: 0 }));
  },
  write: (file, from) => {
    const socket = socketIn(file);
    const flags = socket.type === SOCK_SEQPACKET ? MSG_EOR : 0;
    const request = { task: undefined, from, flags, to: undefined, rights: [], credentials: undefined };
    return orAgain(file, socket.send(request));
  },
  spliceRead: copySpliceRead,
  spliceWrite: "write",
  poll: (file) => socketIn(file).poll(),
  pollQueue: (file) => socketIn(file).queue,
  fasync: (file, fd, isOn) => {
    socketIn(file).fasync.set(file, fd, isOn);
    return 0;
  },
  ioctl: () => -ENOTTY,
  release: (file) => socketIn(file).close(),
};

const sockFs = pseudoFs("sockfs", SOCKFS_MAGIC, S_IFSOCK, socketOps);

/** An open file for a socket, with one reference. @param flags O_NONBLOCK, or nothing */
export function newSocketFile(mounts: MountNamespace, socket: Socket, flags: number, owner: Task): File {
  const sb = mounts.kernMount(sockFs) as PseudoSuperBlock;
  const inode = new Inode(sb, sb.nextIno++, S_IFSOCK | 0o777, {}, socketOps);
  inode.uid = owner.uid;
  inode.gid = owner.gid;
  inode.atimeNs = sb.now();
  inode.mtimeNs = inode.atimeNs;
  inode.ctimeNs = inode.atimeNs;
  sockets.set(inode, socket);
  const dentry = newPseudoDentry("", inode, `socket:[${inode.ino}]`);
  return new File(dentry, inode, FMODE_READ | FMODE_WRITE, O_RDWR | flags, 0);
}
