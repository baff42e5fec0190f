/**
 * What was sent to a UNIX socket and not received yet (sk_receive_queue), and how it is taken out: a stream's messages run
 * into each other, but for those that carry files or other credentials; of datagrams each receive takes one.
 */

import { EFAULT } from "../../mm/uapi/errno.ts";
import type { File } from "../../mm/vfs/file.ts";
import { MSG_PEEK } from "./constants.ts";
import { copyDatagram } from "./datagram.ts";
import { dropFiles, type FilesInFlight } from "./files-in-flight.ts";
import type { NetworkMemory } from "./network-memory.ts";
import { NOBODY, type ReceiveRequest, type Socket } from "./socket.ts";
import type { UnixMessage } from "./unix-message.ts";

export class UnixQueue {
  readonly #owner: Socket;
  readonly #memory: NetworkMemory;
  readonly #flight: FilesInFlight;
  readonly #messages: UnixMessage[] = [];
  /** The last stream read ended because there was nothing more. */
  ranOut = false;

  constructor(owner: Socket, memory: NetworkMemory, flight: FilesInFlight) {
    this.#owner = owner;
    this.#memory = memory;
    this.#flight = flight;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }
  get length(): number {
    return this.#messages.length;
  }
  get first(): UnixMessage | undefined {
    return this.#messages[0];
  }
  /** Unread bytes of all messages. */
  get bytes(): number {
    return this.#messages.reduce((sum, { bytes, consumed }) => sum + bytes.length - consumed, 0);
  }

  /** Precondition: its true size is counted as network memory, and it holds references on its files. */
  push(message: UnixMessage): void {
    this.#flight.add(message.rights, message.uid, this.#owner);
    this.#messages.push(message);
  }

  /** Bytes of a stream, as many as are there and belong together; or -EFAULT. `ranOut` tells whether more were wanted. */
  readStream(request: ReceiveRequest, passesCredentials: boolean): number {
    const { into, flags } = request;
    const peeks = (flags & MSG_PEEK) !== 0;
    let done = 0;
    let index = 0;
    let first: UnixMessage | undefined;
    this.ranOut = false;
    while (into.count > 0) {
      const message = this.#messages[index];
      if (message === undefined) {
        this.ranOut = true;
        break;
      }
      if (first === undefined) {
        first = message;
        request.name = message.name;
        if (passesCredentials) request.credentials = message.credentials ?? NOBODY;
      } else if (passesCredentials && !isSameSender(first, message)) break;
      const chunk = message.bytes.subarray(message.consumed, message.consumed + into.count);
      if (into.copyBytesToIter(chunk) < chunk.length) return done > 0 ? done : -EFAULT;
      done += chunk.length;
      const hasFiles = message.rights.length > 0;
      if (hasFiles) request.rights = peeks ? shown(message) : this.#received(message);
      if (peeks) index++;
      else {
        message.consumed += chunk.length;
        if (message.consumed < message.bytes.length) break;
        this.#messages.shift();
        this.#free(message);
      }
      if (hasFiles) break;
    }
    return done;
  }

  /** The first message, cut to what there is room for; bytes or -EFAULT. Precondition: there is one. */
  readDatagram(request: ReceiveRequest, passesCredentials: boolean): number {
    const message = this.#messages[0];
    request.name = message.name;
    const peeks = (request.flags & MSG_PEEK) !== 0;
    const copied = copyDatagram(message.bytes, request);
    if (copied < 0) {
      // A bad address loses it.
      if (!peeks) this.#drop(message);
      return copied;
    }
    if (passesCredentials) request.credentials = message.credentials ?? NOBODY;
    if (message.rights.length > 0) request.rights = peeks ? shown(message) : this.#received(message);
    if (!peeks) this.#drop(message);
    return copied;
  }

  /** Its files arrive: the receiver's from now on. */
  #received(message: UnixMessage): readonly File[] {
    const { rights } = message;
    this.#flight.remove(rights, message.uid);
    message.rights = [];
    return rights;
  }

  /** The first message goes, with the files that are still in it. */
  #drop(message: UnixMessage): void {
    this.#messages.shift();
    dropFiles(this.#received(message));
    this.#free(message);
  }

  #free({ trueSize, sender }: UnixMessage): void {
    this.#memory.uncharge(trueSize);
    sender.giveBack(trueSize);
  }

  /** Files in its messages. */
  *files(): IterableIterator<File> {
    for (const { rights } of this.#messages) yield* rights;
  }

  /** Takes the files out of the messages: the caller's to drop. */
  takeFiles(): File[] {
    return this.#messages.flatMap((message) => [...this.#received(message)]);
  }

  /** Nobody receives anything any more. The files of the messages are the caller's to drop. */
  clear(): File[] {
    const files = this.takeFiles();
    for (const message of this.#messages.splice(0)) this.#free(message);
    return files;
  }
}

/** A look at a message brings its files, too, which stay under way. */
function shown({ rights }: UnixMessage): readonly File[] {
  for (const file of rights) file.get();
  return rights;
}

function isSameSender({ credentials: a }: UnixMessage, { credentials: b }: UnixMessage): boolean {
  return a?.pid === b?.pid && a?.uid === b?.uid && a?.gid === b?.gid;
}
