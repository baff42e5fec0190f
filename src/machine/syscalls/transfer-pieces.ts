/** What transfers of files and of sockets share: pieces of a vector, and the signals that a transfer sends its caller. */
import type { UserSegment } from "../../mm/fault/user-iter.ts";
import { sendSignal } from "../signals/send-signal.ts";
import { userInfo } from "../signals/siginfo.ts";
import { SI_USER } from "../signals/signal-numbers.ts";
import type { Call } from "./call.ts";

/** Up to `length` bytes of the segments from byte `from` on. */
export function cut(segments: readonly UserSegment[], from: number, length: number): UserSegment[] {
  const piece: UserSegment[] = [];
  let skip = from;
  let room = length;
  for (const { base, len } of segments) {
    const skipped = Math.min(skip, len);
    const taken = Math.min(room, len - skipped);
    if (taken > 0) piece.push({ base: base + skipped, len: taken });
    skip -= skipped;
    room -= taken;
  }
  return piece;
}

/** send_sig(signal, current, 0). */
export function sendToCaller(call: Call, signal: number): void {
  const { thread, process } = call;
  sendSignal(thread.group, userInfo(signal, SI_USER, process.pid, process.userIds.real), thread);
}
