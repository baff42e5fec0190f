/**
 * Whom an open file tells by signals (fown_struct, send_sigio in fs/fcntl.c): a thread, a process or a process group, as
 * whoever said so could have sent the signal himself, and by which signal: SIGIO without more, or another one that
 * says what happened to which descriptor.
 *
 * Invariant: who was meant and is gone is told nothing, whoever has the number now.
 */
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM } from "../../mm/uapi/fs.ts";
import { type FileOwner, POLL_ERR, POLL_HUP, POLL_IN, POLL_OUT } from "../../mm/vfs/fasync.ts";
import type { File } from "../../mm/vfs/file.ts";
import { allOf, type Ids } from "../../mm/vfs/ids.ts";
import type { System } from "../system.ts";
import { type Thread, ThreadGroup } from "../thread.ts";
import { sendSignal } from "./send-signal.ts";
import { ioInfo, kernelInfo } from "./siginfo.ts";
import { HAS_CODES_OF_ITS_OWN, SI_KERNEL, SI_SIGIO, SIGIO } from "./signal-numbers.ts";

export const F_OWNER_TID = 0;
export const F_OWNER_PID = 1;
export const F_OWNER_PGRP = 2;

const BANDS: ReadonlyMap<number, number> = new Map([
  [POLL_IN, POLLIN | POLLRDNORM],
  [POLL_OUT, POLLOUT | POLLWRNORM | POLLWRBAND],
  [POLL_ERR, POLLERR],
  [POLL_HUP, POLLHUP | POLLERR],
]);

export class SignalOwner implements FileOwner {
  readonly #system: System;
  /** F_OWNER_… */
  #type: number = F_OWNER_TID;
  /** Whose number was said; undefined for nobody. */
  #target: Thread | ThreadGroup | number | undefined;
  /** Who said it. */
  #users: Ids = allOf(0);
  /** The signal; 0: SIGIO, which says no more. */
  signal = 0;

  constructor(system: System) {
    this.#system = system;
  }

  get type(): number {
    return this.#type;
  }

  get isSet(): boolean {
    return this.#target !== undefined;
  }

  /** @param id a number that is somebody's, or 0 for nobody; @param users who says it */
  set(type: number, id: number, users: Ids): void {
    this.#type = type;
    this.#target = id === 0 ? undefined : this.#find(type, id);
    this.#users = users;
  }

  #find(type: number, id: number): Thread | ThreadGroup | number | undefined {
    const { groups } = this.#system;
    if (type === F_OWNER_PGRP) return id;
    return type === F_OWNER_PID ? (groups.get(id) ?? this.#system.thread(id)) : this.#system.thread(id);
  }

  /** The number of who is there to be told; 0 for nobody. */
  get id(): number {
    const target = this.#target;
    if (target === undefined) return 0;
    if (typeof target === "number") return this.#members(target).length > 0 ? target : 0;
    if (target instanceof ThreadGroup) return this.#system.groups.get(target.pid) === target ? target.pid : 0;
    // Of a thread's number as a process's there is no process.
    return this.#isThere(target) && this.#type === F_OWNER_TID ? target.tid : 0;
  }

  #isThere(thread: Thread): boolean {
    return this.#system.thread(thread.tid) === thread;
  }

  #members(processGroup: number): ThreadGroup[] {
    return [...this.#system.groups.values()].filter((group) => group.processGroup === processGroup);
  }

  sendSigio(fd: number, reason: number): void {
    const target = this.#target;
    if (target === undefined) return;
    if (typeof target === "number")
      for (const group of this.#members(target)) this.#send(group, undefined, fd, reason);
    else if (target instanceof ThreadGroup) {
      if (this.id !== 0) this.#send(target, undefined, fd, reason);
    } else if (this.#isThere(target)) {
      this.#send(target.group, this.#type === F_OWNER_TID ? target : undefined, fd, reason);
    }
  }

  #send(group: ThreadGroup, thread: Thread | undefined, fd: number, reason: number): void {
    // sigio_perm
    const { real, saved } = group.process.userIds;
    const senders = [this.#users.effective, this.#users.real];
    if (senders[0] !== 0 && !senders.some((id) => id === saved || id === real)) return;
    const { signal } = this;
    if (signal !== 0) {
      const code = signal !== SIGIO && HAS_CODES_OF_ITS_OWN.has(signal) ? SI_SIGIO : reason;
      const info = ioInfo(signal, code, BANDS.get(reason) ?? 0, fd);
      if (sendSignal(group, info, thread) === 0) return;
      // No more of them can queue.
    }
    sendSignal(group, kernelInfo(SIGIO, SI_KERNEL), thread);
  }
}

/** What the file keeps; made when it is first needed. */
export function ownerOf(system: System, file: File): SignalOwner {
  if (file.owner instanceof SignalOwner) return file.owner;
  const owner = new SignalOwner(system);
  file.owner = owner;
  return owner;
}

/** Of a terminal: until somebody is named, its foreground hears of it, or who asks (tty_fasync). */
export function ownTerminal(system: System, file: File, foreground: number, caller: ThreadGroup): void {
  const owner = ownerOf(system, file);
  if (owner.isSet) return;
  const { userIds } = caller.process;
  if (foreground !== 0) owner.set(F_OWNER_PGRP, foreground, userIds);
  else owner.set(F_OWNER_PID, caller.pid, userIds);
}
