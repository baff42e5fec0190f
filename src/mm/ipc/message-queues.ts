/**
 * System V message queues (ipc/msg.c): messages with a type each, which receivers choose them by.
 *
 * Nothing waits here: a send or receive that can't be done now answers -ERESTART_WOULD_BLOCK, and whoever can block its
 * caller asks again when `mayGoOn` says so.
 *
 * Invariants: `cbytes` of a queue is the sum of its messages' lengths; `bytes` of the namespace is the sum over all queues,
 * with what each message costs the host. There is a bound to that: Linux has it in RAM, of which nothing here counts.
 */

import { CAP_SYS_RESOURCE } from "../uapi/capability.ts";
import {
  E2BIG,
  EACCES,
  EAGAIN,
  EEXIST,
  EIDRM,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOMSG,
  EPERM,
} from "../uapi/errno.ts";
import {
  IPC_CREAT,
  IPC_EXCL,
  IPC_NOWAIT,
  IPC_PRIVATE,
  MSG_COPY,
  MSG_EXCEPT,
  MSG_NOERROR,
  MSGMAX,
  MSGMNB,
  MSGMNI,
} from "../uapi/ipc.ts";
import { capable } from "../vfs/capability.ts";
import type { Credentials } from "../vfs/inode.ts";
import { ERESTART_WOULD_BLOCK } from "../vfs/would-block.ts";
import { IpcIds } from "./ipc-ids.ts";
import {
  type IpcChange,
  ipcPermits,
  isIpcOwner,
  KernIpcPerm,
  PERMISSION_BITS,
  S_IRUGO,
  S_IWUGO,
  updateIpcPerm,
} from "./ipc-permission.ts";

const NS_PER_SECOND = 1e9;
/** What all messages together may cost, and one beside its bytes. */
const MAX_BYTES = 2 ** 24;
const MESSAGE_COST = 128;

/** Who asks. */
export interface MessageTask extends Credentials {
  readonly pid: number;
}

export interface Message {
  readonly type: bigint;
  readonly bytes: Uint8Array;
}

/** What a receiver wants: `type` as msgrcv has it, how much it has room for, and IPC_NOWAIT, MSG_…. */
export interface MessageWish {
  readonly type: bigint;
  readonly size: number;
  readonly flags: number;
}

/** Who waits for a message (struct msg_receiver), in a queue's list until there is an outcome. */
export interface MessageReceiver {
  readonly pid: number;
  readonly wish: MessageWish;
  /** The message that a sender gave it, or -errno; -EAGAIN: to ask anew, for the queue is another now. */
  outcome?: Message | number;
}

/** One queue (struct msg_queue). Times are in seconds since the epoch, 0 for never. */
export class MessageQueue extends KernIpcPerm {
  stime = 0;
  rtime = 0;
  ctime: number;
  /** Bytes that are there, and that may be. */
  cbytes = 0;
  qbytes: number;
  /** Who sent last, who received last. */
  lspid = 0;
  lrpid = 0;
  isRemoved = false;
  readonly messages: Message[] = [];
  /** Who waits for a message that is not there, the first first. */
  readonly receivers: MessageReceiver[] = [];

  constructor(key: number, mode: number, qbytes: number, maker: Credentials, seconds: number) {
    super(key, mode, maker);
    this.qbytes = qbytes;
    this.ctime = seconds;
  }

  /** msg_fits_inqueue */
  fits(size: number): boolean {
    return this.cbytes + size <= this.qbytes && this.messages.length + 1 <= this.qbytes;
  }

  /** Which message is for this wish (find_msg); −1 for none. */
  find(wish: MessageWish): number {
    const { type, flags } = wish;
    if ((flags & MSG_COPY) !== 0) return type >= 0n && type < this.messages.length ? Number(type) : -1;
    if (type >= 0n) return this.messages.findIndex((message) => suits(message, wish));
    // The least type up to that, and of it the first.
    let best = -1;
    for (const [i, message] of this.messages.entries())
      if (suits(message, wish) && (best < 0 || message.type < this.messages[best].type)) best = i;
    return best;
  }

  /**
   * Gives a message to the first who waits for one like it, so that nobody else can take it; undefined: nobody
   * does (pipelined_send). Who waits with too little room hears of that, and the next is asked.
   */
  handOver(message: Message): MessageReceiver | undefined {
    for (;;) {
      const index = this.receivers.findIndex(({ wish }) => suits(message, wish));
      if (index < 0) return undefined;
      const [receiver] = this.receivers.splice(index, 1);
      const hasRoom = isRoomFor(message, receiver.wish);
      receiver.outcome = hasRoom ? message : -E2BIG;
      if (hasRoom) return receiver;
    }
  }

  /** Nobody waits any more: all hear this (expunge_all). */
  expungeAll(outcome: number): void {
    for (const receiver of this.receivers.splice(0)) receiver.outcome = outcome;
  }
}

/** Whether a message is of a type that the wish may be for (testmsg). */
function suits({ type }: Message, wish: MessageWish): boolean {
  if (wish.type === 0n) return true;
  if (wish.type < 0n) return type <= -wish.type;
  return (type === wish.type) !== ((wish.flags & MSG_EXCEPT) !== 0);
}

function isRoomFor({ bytes }: Message, { size, flags }: MessageWish): boolean {
  return bytes.length <= size || (flags & MSG_NOERROR) !== 0;
}

export class MessageQueues {
  readonly queues: IpcIds<MessageQueue> = new IpcIds();
  /** kernel.msgmax, msgmnb and msgmni: bytes of a message, bytes of a new queue, queues. */
  msgmax: number = MSGMAX;
  msgmnb: number = MSGMNB;
  msgmni: number = MSGMNI;
  /** What the messages of all queues cost, and those that were handed over and not fetched yet. */
  #cost = 0;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get #seconds(): number {
    return Math.floor(this.#now() / NS_PER_SECOND);
  }

  /** Messages of all queues, and their bytes. */
  get totals(): { readonly messages: number; readonly bytes: number } {
    let messages = 0;
    let bytes = 0;
    for (const queue of this.queues) {
      messages += queue.messages.length;
      bytes += queue.cbytes;
    }
    return { messages, bytes };
  }

  /** msgget(2). */
  get(task: MessageTask, key: number, flags: number): number {
    const queue = key === IPC_PRIVATE ? undefined : this.queues.withKey(key);
    if (queue === undefined) {
      if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) return -ENOENT;
      const made = new MessageQueue(key, flags & PERMISSION_BITS, this.msgmnb, task, this.#seconds);
      return this.queues.add(made, this.msgmni);
    }
    if ((flags & (IPC_CREAT | IPC_EXCL)) === (IPC_CREAT | IPC_EXCL)) return -EEXIST;
    return ipcPermits(task, queue, flags) ? queue.id : -EACCES;
  }

  /** msgsnd(2) on a queue that was found: 0, or -errno; EIDRM where it has gone since. */
  send(task: MessageTask, queue: MessageQueue, message: Message, flags: number): number {
    if (queue.isRemoved) return -EIDRM;
    if (!ipcPermits(task, queue, S_IWUGO)) return -EACCES;
    const { length } = message.bytes;
    if (!queue.fits(length)) return (flags & IPC_NOWAIT) !== 0 ? -EAGAIN : -ERESTART_WOULD_BLOCK;
    if (this.#cost + length + MESSAGE_COST > MAX_BYTES) return -ENOMEM;
    this.#cost += length + MESSAGE_COST;
    queue.lspid = task.pid;
    queue.stime = this.#seconds;
    const receiver = queue.handOver(message);
    if (receiver !== undefined) {
      queue.lrpid = receiver.pid;
      queue.rtime = this.#seconds;
      return 0;
    }
    queue.messages.push(message);
    queue.cbytes += length;
    return 0;
  }

  /** msgrcv(2) on a queue that was found: the message, which is the caller's now (with MSG_COPY: stays where it is), or -errno. */
  receive(task: MessageTask, queue: MessageQueue, wish: MessageWish): Message | number {
    if (queue.isRemoved) return -EIDRM;
    if (!ipcPermits(task, queue, S_IRUGO)) return -EACCES;
    const index = queue.find(wish);
    if (index < 0) return (wish.flags & IPC_NOWAIT) !== 0 ? -ENOMSG : -ERESTART_WOULD_BLOCK;
    if (!isRoomFor(queue.messages[index], wish)) return -E2BIG;
    if ((wish.flags & MSG_COPY) !== 0) {
      const { bytes } = queue.messages[index];
      return bytes.length > Math.min(wish.size, this.msgmax) ? -EINVAL : queue.messages[index];
    }
    const [message] = queue.messages.splice(index, 1);
    this.#uncharge(message);
    queue.cbytes -= message.bytes.length;
    queue.lrpid = task.pid;
    queue.rtime = this.#seconds;
    return message;
  }

  /** Puts the caller of msgrcv among those who wait. */
  wait(task: MessageTask, queue: MessageQueue, wish: MessageWish): MessageReceiver {
    const receiver: MessageReceiver = { pid: task.pid, wish };
    queue.receivers.push(receiver);
    return receiver;
  }

  /** Nobody hands it anything from now on: it is to ask anew. */
  leave(queue: MessageQueue, receiver: MessageReceiver): void {
    if (receiver.outcome !== undefined) return;
    queue.receivers.splice(queue.receivers.indexOf(receiver), 1);
    receiver.outcome = -EAGAIN;
  }

  /** The end of a wait, whatever has come of it: the outcome is the caller's, -EAGAIN where there is none. */
  endWait(queue: MessageQueue, receiver: MessageReceiver): Message | number {
    this.leave(queue, receiver);
    const { outcome = -EAGAIN } = receiver;
    if (typeof outcome !== "number") this.#uncharge(outcome);
    return outcome;
  }

  #uncharge({ bytes }: Message): void {
    this.#cost -= bytes.length + MESSAGE_COST;
  }

  /** IPC_STAT: the queue with this id; MSG_STAT: in this slot. @param any asks for no permission (MSG_STAT_ANY) */
  stat(task: MessageTask, id: number, isSlot: boolean, any: boolean): MessageQueue | number {
    const queue = isSlot ? this.queues.inSlotOf(id) : this.queues.withId(id);
    if (queue === undefined) return -EINVAL;
    return any || ipcPermits(task, queue, S_IRUGO) ? queue : -EACCES;
  }

  /** IPC_SET. */
  set(task: MessageTask, id: number, change: IpcChange, qbytes: number): number {
    const queue = this.queues.withId(id);
    if (queue === undefined) return -EINVAL;
    if (!isIpcOwner(task, queue)) return -EPERM;
    if (qbytes > this.msgmnb && !capable(task, CAP_SYS_RESOURCE)) return -EPERM;
    const failed = updateIpcPerm(queue, change);
    if (failed !== 0) return failed;
    queue.qbytes = qbytes;
    queue.ctime = this.#seconds;
    // Who waits for a message may no longer be allowed to; who waits to send hears of that when there is room.
    queue.expungeAll(-EAGAIN);
    return 0;
  }

  /** IPC_RMID: it is gone, with all that is in it, and whoever waits for it hears of that. */
  remove(task: MessageTask, id: number): number {
    const queue = this.queues.withId(id);
    if (queue === undefined) return -EINVAL;
    if (!isIpcOwner(task, queue)) return -EPERM;
    for (const message of queue.messages.splice(0)) this.#uncharge(message);
    queue.cbytes = 0;
    queue.isRemoved = true;
    queue.expungeAll(-EIDRM);
    this.queues.remove(queue);
    return 0;
  }
}
