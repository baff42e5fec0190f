/** The structures of msgctl(2), as asm-generic/msgbuf.h and linux/msg.h lay them out. */
import type { MessageQueue, MessageQueues } from "../../mm/ipc/message-queues.ts";
import { StructView } from "./bytes.ts";
import { putIpcPerm } from "./ipc-perm.ts";

/**
 * struct msqid64_ds, 120 bytes: 0 msg_perm, 48 msg_stime, 56 msg_rtime, 64 msg_ctime, 72 msg_cbytes, 80 msg_qnum,
 * 88 msg_qbytes, 96 msg_lspid (int), 100 msg_lrpid (int), 104 two unused.
 */
export const MSQID_DS_BYTES = 120;

export function encodeMsqidDs(queue: MessageQueue): Uint8Array {
  const out = putIpcPerm(new StructView(MSQID_DS_BYTES), queue);
  out.put64(48, queue.stime).put64(56, queue.rtime).put64(64, queue.ctime);
  out.put64(72, queue.cbytes).put64(80, queue.messages.length).put64(88, queue.qbytes);
  return out.put32(96, queue.lspid).put32(100, queue.lrpid).bytes;
}

export function msqidQbytes(from: StructView): number {
  return from.u64(88);
}

/**
 * struct msginfo, 32 bytes: 0 msgpool, 4 msgmap, 8 msgmax, 12 msgmnb, 16 msgmni, 20 msgssz, 24 msgtql, 28 msgseg (u16). MSG_INFO
 * tells queues, messages and bytes in the places of three numbers that mean nothing any more.
 */
export function encodeMsgInfo(all: MessageQueues, isUsage: boolean): Uint8Array {
  const { messages, bytes } = all.totals;
  const [pool, map, tql] = isUsage ? [all.queues.inUse, messages, bytes] : [512_000, 16_384, 16_384];
  const out = new StructView(32).put32(0, pool).put32(4, map).put32(8, all.msgmax).put32(12, all.msgmnb);
  return out.put32(16, all.msgmni).put32(20, 16).put32(24, tql).put16(28, 0xffff).bytes;
}
