/**
 * Messages between UNIX sockets, and what they cost their sender (sk_buff, sk_wmem_alloc).
 *
 * A sender may have so many bytes of buffers under way as SO_SNDBUF says, counted with everything that a buffer takes in
 * Linux: a message of one byte counts 768. Programs see that when they fill a socket without waiting.
 */
import type { File } from "../../mm/vfs/file.ts";
import type { PeerCredentials } from "./socket.ts";

/** Whoever sent a message, and may send more once it is gone. */
export interface MessageSender {
  /** A message of this size has been received (sock_wfree). */
  giveBack(trueSize: number): void;
}

export interface UnixMessage {
  readonly bytes: Uint8Array;
  /** Bytes that a stream has received already. */
  consumed: number;
  readonly trueSize: number;
  readonly sender: MessageSender;
  /** The user for whom its files count (user_struct). */
  readonly uid: number;
  /** Files under way, with a reference each; none once they were received. */
  rights: readonly File[];
  readonly credentials: PeerCredentials | undefined;
  /** struct sockaddr of the sender. */
  readonly name: Uint8Array;
}

const PAGE = 4096;
/** struct skb_shared_info at the end of a buffer's head, and struct sk_buff, as the allocator rounds them. */
const SHARED_INFO = 320;
const SK_BUFF = 256;
const CACHE_LINE = 64;
/** The most that lies in the head of a buffer: of a stream's (SKB_MAX_HEAD), of a datagram's (SKB_MAX_ALLOC). */
const STREAM_HEAD: number = PAGE - SHARED_INFO;
const DATAGRAM_HEAD: number = 4 * PAGE - SHARED_INFO;
/** The most in pages behind a stream's head (UNIX_SKB_FRAGS_SZ). */
const STREAM_FRAGMENTS = 32768;
const MAX_FRAGMENTS: number = 17 * PAGE;

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE) * PAGE;
}

/** How much of `left` bytes goes into the next message of a stream. */
export function streamPiece(left: number, sendBuffer: number): number {
  return Math.min(left, Math.floor(sendBuffer / 2) - 64, STREAM_HEAD + STREAM_FRAGMENTS);
}

/** The most of a stream that counts no more than what is paid for with its socket (FREE_BYTES). */
export const FREE_PIECE: number = 2048 - SHARED_INFO;

/** What a message of so many bytes counts. */
export function trueSize(size: number, isStream: boolean): number {
  const headRoom = isStream ? STREAM_HEAD : DATAGRAM_HEAD;
  const beyond = Math.max(0, size - headRoom);
  const fragments = isStream ? pages(beyond) : pages(Math.min(beyond, MAX_FRAGMENTS));
  const head = Math.max(0, size - fragments);
  const needed = Math.ceil(head / CACHE_LINE) * CACHE_LINE + SHARED_INFO;
  let allocated = 512;
  while (allocated < needed) allocated *= 2;
  return allocated + SK_BUFF + fragments;
}
