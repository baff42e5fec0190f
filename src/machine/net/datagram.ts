/** What a receiver gets of a datagram: it comes whole or not at all, and what there is no room for is lost. */
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
