/**
 * One send or receive of a socket with all its waiting, whichever system call asks for it: read and write, sendto and
 * recvfrom, sendmsg and recvmsg.
 *
 * A stream's send goes on until all is taken; a receive waits until it has enough. What was done before a wait is kept as
 * the call's state; a signal or the time-out of the socket ends the call with that, or with EINTR or EAGAIN.
 */
import type { UserSegment } from "../../mm/fault/user-iter.ts";
import { EAGAIN, EINTR, EPIPE } from "../../mm/uapi/errno.ts";
import { O_NONBLOCK } from "../../mm/uapi/fcntl.ts";
import type { File } from "../../mm/vfs/file.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, MSG_WAITALL, SOCK_STREAM } from "../net/constants.ts";
import {
  type ControlMessage,
  type PeerCredentials,
  type ReceiveRequest,
  type Request,
  type SendRequest,
  type Socket,
  WOULD_BLOCK,
} from "../net/socket.ts";
import { SIGPIPE } from "../signals/signal-numbers.ts";
import type { Call } from "./call.ts";
import { comesFromOutside } from "./from-outside.ts";
import { ERESTARTSYS } from "./restart.ts";
import { cut, sendToCaller } from "./transfer-pieces.ts";

/** Between the tries of one call. */
class Progress {
  readonly done: number;
  readonly deadlineNs: number;
  /** What it answers at the deadline, where nothing was done. */
  readonly late: number;
  /** The stream that it waits to read from. */
  #reading: Socket | undefined;

  constructor(done: number, deadlineNs: number, late: number, reading?: Socket) {
    this.done = done;
    this.deadlineNs = deadlineNs;
    this.late = late;
    this.#reading = reading;
    if (reading !== undefined) reading.waitingReaders++;
  }

  stopReading(): void {
    if (this.#reading !== undefined) this.#reading.waitingReaders--;
    this.#reading = undefined;
  }
}

/** Puts the caller to wait for what the request says, or answers that its time is up. */
export function waitForSocket(
  call: Call,
  file: File,
  request: Request,
  timeoutNs: number,
  done = 0,
  reading?: Socket,
): number {
  const { thread, system } = call;
  const { retryWhen } = request;
  const now = system.clock.monotonicNs();
  const before = thread.callState instanceof Progress ? thread.callState : undefined;
  const deadlineNs = before?.deadlineNs ?? now + timeoutNs;
  const late = before?.late ?? request.late ?? -EAGAIN;
  if (retryWhen === undefined || now >= deadlineNs) return done > 0 ? done : late;
  // A call that may time out is not made again after a signal (sock_intr_errno).
  const interrupted = done > 0 ? done : deadlineNs === Number.POSITIVE_INFINITY ? -ERESTARTSYS : -EINTR;
  const kept = new Progress(done, deadlineNs, late, reading);
  return call.block(
    {
      isReady: retryWhen,
      deadlineNs,
      interrupted,
      get isForInput() {
        return comesFromOutside(system, file);
      },
      abandon: () => kept.stopReading(),
    },
    kept,
  );
}

function progress({ thread }: Call): number {
  return thread.callState instanceof Progress ? thread.callState.done : 0;
}

function isNonblock(file: File, flags: number): boolean {
  return (file.flags & O_NONBLOCK) !== 0 || (flags & MSG_DONTWAIT) !== 0;
}

/** What goes along with the bytes. */
export interface Enclosed {
  readonly to: Uint8Array | undefined;
  readonly rights: readonly File[];
  readonly credentials: PeerCredentials | undefined;
  readonly controls?: readonly ControlMessage[];
}

export const NOTHING_ENCLOSED: Enclosed = { to: undefined, rights: [], credentials: undefined };

export function sendOn(
  call: Call,
  file: File,
  socket: Socket,
  segments: readonly UserSegment[],
  flags: number,
  enclosed: Enclosed,
): number {
  const total = segments.reduce((sum, { len }) => sum + len, 0);
  const isStream = socket.type === SOCK_STREAM;
  let done = progress(call);
  const isRetry = call.thread.callState instanceof Progress;
  const nonblock = isNonblock(file, flags);
  const asked = nonblock ? flags | MSG_DONTWAIT : flags;
  for (;;) {
    const from = call.iter(cut(segments, done, total - done));
    // Files go with the first bytes.
    const along = done === 0 ? enclosed : { ...enclosed, rights: [] };
    const request: SendRequest = { ...along, task: call.process, from, flags: asked, isRetry };
    const sent = socket.send(request);
    if (sent === WOULD_BLOCK) {
      if (nonblock) return done > 0 ? done : -EAGAIN;
      return waitForSocket(call, file, request, socket.sendTimeoutNs, done);
    }
    if (sent < 0) {
      if (sent === -EPIPE && done === 0 && isStream && (flags & MSG_NOSIGNAL) === 0)
        sendToCaller(call, SIGPIPE);
      return done > 0 ? done : sent;
    }
    done += sent;
    if (!isStream || sent === 0 || done >= total) return done;
  }
}

/** What a receive brought beside the bytes. */
export type Received = Omit<ReceiveRequest, "into" | "retryWhen">;

/** @param told filled in with what came along; not where the call is put to wait */
export function receiveOn(
  call: Call,
  file: File,
  socket: Socket,
  segments: readonly UserSegment[],
  flags: number,
  told?: (received: Received) => void,
): number {
  const total = segments.reduce((sum, { len }) => sum + len, 0);
  const already = progress(call);
  if (call.thread.callState instanceof Progress) call.thread.callState.stopReading();
  const nonblock = isNonblock(file, flags);
  const request: ReceiveRequest = {
    into: call.iter(cut(segments, already, total - already)),
    already,
    flags: nonblock ? flags | MSG_DONTWAIT : flags,
    outFlags: 0,
  };
  const got = socket.receive(request);
  const done = already + Math.max(got, 0);
  if (got === WOULD_BLOCK || isShort(socket, got, done, total, flags, request)) {
    if (nonblock) return finish(done > 0 ? done : -EAGAIN, request, told);
    const reading = socket.type === SOCK_STREAM ? socket : undefined;
    const waited = waitForSocket(call, file, request, socket.receiveTimeoutNs, done, reading);
    return waited >= 0 ? finish(waited, request, told) : waited;
  }
  return finish(
    got < 0 ? (already > 0 ? already : got) : socket.type === SOCK_STREAM ? done : got,
    request,
    told,
  );
}

/** A stream brought less than MSG_WAITALL asks for, and more may come. */
function isShort(
  socket: Socket,
  got: number,
  done: number,
  total: number,
  flags: number,
  { rights, retryWhen }: ReceiveRequest,
): boolean {
  if (socket.type !== SOCK_STREAM || got <= 0 || (flags & MSG_WAITALL) === 0 || (flags & MSG_PEEK) !== 0)
    return false;
  return done < total && rights === undefined && retryWhen !== undefined;
}

function finish(
  result: number,
  request: ReceiveRequest,
  told: ((received: Received) => void) | undefined,
): number {
  if (result >= 0 && told !== undefined) told(request);
  else for (const file of request.rights ?? []) file.put();
  return result;
}
