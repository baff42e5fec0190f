/** msgget, msgsnd, msgrcv, msgctl: System V message queues, with their waiting (ipc/msg.c). */
import type { MessageQueue, MessageReceiver, MessageWish } from "../../mm/ipc/message-queues.ts";
import { EAGAIN, EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import {
  IPC_INFO,
  IPC_NOWAIT,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  MSG_COPY,
  MSG_EXCEPT,
  MSG_INFO,
  MSG_STAT,
  MSG_STAT_ANY,
} from "../../mm/uapi/ipc.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { StructView } from "../abi/bytes.ts";
import { getIpcChange } from "../abi/ipc-perm.ts";
import { encodeMsgInfo, encodeMsqidDs, MSQID_DS_BYTES, msqidQbytes } from "../abi/msg.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { ERESTARTNOHAND } from "./restart.ts";

/** struct msgbuf: 0 mtype (long), 8 … the text. */
const TYPE_BYTES = 8;
const LONG_MAX = 2n ** 63n - 1n;

export const messageQueueCalls: SyscallGroup = [
  [186, "msgget", 2, (call) => call.system.kernel.messages.get(call.process, call.s32(0), call.s32(1))],
  [187, "msgctl", 3, msgctl],
  [188, "msgrcv", 5, msgrcv],
  [189, "msgsnd", 4, msgsnd],
];

/** What a call that waits keeps: the queue, which may be gone when it goes on, and as what it waits for a message. */
class QueueWait {
  readonly queue: MessageQueue;
  readonly receiver: MessageReceiver | undefined;

  constructor(queue: MessageQueue, receiver?: MessageReceiver) {
    this.queue = queue;
    this.receiver = receiver;
  }
}

function stateOf(call: Call): QueueWait | undefined {
  const { callState } = call.thread;
  return callState instanceof QueueWait ? callState : undefined;
}

function queueOf(call: Call): MessageQueue | undefined {
  return stateOf(call)?.queue ?? call.system.kernel.messages.queues.withId(call.s32(0));
}

function waitForRoom(call: Call, queue: MessageQueue, size: number): number {
  return call.block(
    {
      isReady: () => queue.isRemoved || queue.fits(size),
      deadlineNs: Number.POSITIVE_INFINITY,
      interrupted: -ERESTARTNOHAND,
    },
    new QueueWait(queue),
  );
}

/** Until a sender hands one over, or the queue is removed or changed. */
function waitForMessage(call: Call, queue: MessageQueue, wish: MessageWish): number {
  const { messages } = call.system.kernel;
  const receiver = messages.wait(call.process, queue, wish);
  return call.block(
    {
      isReady: () => receiver.outcome !== undefined,
      deadlineNs: Number.POSITIVE_INFINITY,
      interrupted: -ERESTARTNOHAND,
      onStop: () => messages.leave(queue, receiver),
      abandon: () => void messages.endWait(queue, receiver),
    },
    new QueueWait(queue, receiver),
  );
}

/** Arguments: id, message, length of its text, IPC_NOWAIT. */
function msgsnd(call: Call): number {
  const { messages } = call.system.kernel;
  const head = call.get(call.u64(1), TYPE_BYTES);
  if (head === undefined) return -EFAULT;
  const size = call.u64(2);
  if (size > messages.msgmax || call.s32(0) < 0 || head.big64(0) < 1n) return -EINVAL;
  const text = call.get(call.u64(1) + TYPE_BYTES, size);
  if (text === undefined) return -EFAULT;
  const queue = queueOf(call);
  if (queue === undefined) return -EINVAL;
  const sent = messages.send(call.process, queue, { type: head.big64(0), bytes: text.bytes }, call.s32(3));
  return sent === -ERESTART_WOULD_BLOCK ? waitForRoom(call, queue, size) : sent;
}

/** Arguments: id, room for the message, of so much text, which one, IPC_NOWAIT and MSG_…. */
function msgrcv(call: Call): number {
  const size = call.u64(2);
  const flags = call.s32(4);
  if (call.s32(0) < 0 || size >= 2 ** 63) return -EINVAL;
  const { messages } = call.system.kernel;
  if ((flags & MSG_COPY) !== 0) {
    if ((flags & MSG_EXCEPT) !== 0 || (flags & IPC_NOWAIT) === 0) return -EINVAL;
    // The copy is made of what is at its place, as any message (prepare_copy).
    if (call.get(call.u64(1), Math.min(size, messages.msgmax)) === undefined) return -EFAULT;
  }
  const queue = queueOf(call);
  if (queue === undefined) return -EINVAL;
  const { hart } = call.system;
  const raw = new StructView(TYPE_BYTES).putHalves(0, hart.getXLo(13), hart.getXHi(13)).big64(0);
  const wish: MessageWish = { type: raw < -LONG_MAX ? -LONG_MAX : raw, size, flags };
  const receiver = stateOf(call)?.receiver;
  const given = receiver === undefined ? -EAGAIN : messages.endWait(queue, receiver);
  const message = given === -EAGAIN ? messages.receive(call.process, queue, wish) : given;
  if (message === -ERESTART_WOULD_BLOCK) return waitForMessage(call, queue, wish);
  if (typeof message === "number") return message;
  // What can't be told is lost.
  if (call.put(call.u64(1), new StructView(TYPE_BYTES).putBig64(0, message.type).bytes) < 0) return -EFAULT;
  const text = message.bytes.subarray(0, size);
  return call.put(call.u64(1) + TYPE_BYTES, text) < 0 ? -EFAULT : text.length;
}

function msgctl(call: Call): number {
  const { messages } = call.system.kernel;
  const { process } = call;
  const id = call.s32(0);
  const command = call.s32(1);
  const buffer = call.u64(2);
  if (id < 0 || command < 0) return -EINVAL;
  switch (command) {
    case IPC_INFO:
    case MSG_INFO:
      return (
        call.put(buffer, encodeMsgInfo(messages, command === MSG_INFO)) ||
        Math.max(messages.queues.maxSlot, 0)
      );
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY: {
      const queue = messages.stat(process, id, command !== IPC_STAT, command === MSG_STAT_ANY);
      if (typeof queue === "number") return queue;
      return call.put(buffer, encodeMsqidDs(queue)) || (command === IPC_STAT ? 0 : queue.id);
    }
    case IPC_SET: {
      const from = call.get(buffer, MSQID_DS_BYTES);
      return from === undefined ? -EFAULT : messages.set(process, id, getIpcChange(from), msqidQbytes(from));
    }
    case IPC_RMID:
      return messages.remove(process, id);
    default:
      return -EINVAL;
  }
}
