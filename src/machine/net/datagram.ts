/** What a receiver gets of a datagram: it comes whole or not at all, and what there is no room for is lost. What it counts until then. */
import { EFAULT } from "../../mm/uapi/errno.ts";
import { MSG_TRUNC } from "./constants.ts";
import type { ReceiveRequest } from "./socket.ts";

/**
 * Copies as much of a datagram as the receiver has room for, and tells it if that is not all. Bytes copied, or with
 * MSG_TRUNC those that there were; -EFAULT.
 */
export function copyDatagram(bytes: Uint8Array, request: ReceiveRequest): number {
  const { into, flags } = request;
  const part = bytes.subarray(0, into.count);
  if (part.length < bytes.length) request.outFlags |= MSG_TRUNC;
  if (into.copyBytesToIter(part) < part.length) return -EFAULT;
  return (flags & MSG_TRUNC) !== 0 ? bytes.length : part.length;
}

/** Heads of a packet of UDP over each IP, with the room in front that they are given. */
const HEADS4 = 59;
const HEADS6 = 72;
const CACHE_LINE = 64;
/** struct skb_shared_info, struct sk_buff, and the smallest head of a buffer (SKB_SMALL_HEAD_CACHE_SIZE). */
const SHARED_INFO = 320;
const SK_BUFF = 256;
const SMALL_HEAD = 576;
/** What lies in one piece is shorter (SKB_MAX_ALLOC). */
const SKB_MAX_ALLOC: number = 4 * 4096 - SHARED_INFO;

/** What a datagram of UDP of so many bytes counts at its receiver (skb->truesize). */
export function udpTrueSize(bytes: number, isIpv4: boolean): number {
  const length = bytes + (isIpv4 ? HEADS4 : HEADS6);
  if (length >= SKB_MAX_ALLOC) return SMALL_HEAD + SK_BUFF + bytes;
  const needed = Math.ceil(length / CACHE_LINE) * CACHE_LINE + SHARED_INFO;
  if (needed <= SMALL_HEAD) return SMALL_HEAD + SK_BUFF;
  return 2 ** Math.ceil(Math.log2(needed)) + SK_BUFF;
}
