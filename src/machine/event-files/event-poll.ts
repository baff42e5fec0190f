/**
 * epoll (fs/eventpoll.c): a descriptor that watches others.
 *
 * ```
 *   eventpoll ─▶ items, one for each (file, descriptor) that was added
 *                  │  the file's PollQueue wakes the item: it joins the ready list, if it isn't there
 *                  ▼
 *               ready list ─▶ epoll_wait takes items off in order and asks each file what it is ready for now;
 *                             nothing: forgotten. Level-triggered: back to the end of the list. Edge-triggered: off
 *                             until the next wake. One-shot: off and silent until EPOLL_CTL_MOD.
 * ```
 *
 * A file that changes without telling (one without a PollQueue: a stream of the host's) is asked instead, each time
 * somebody looks, and counts as woken when it was not ready before.
 */
import { EINVAL, ELOOP, ENOSPC, EOPNOTSUPP } from "../../mm/uapi/errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM } from "../../mm/uapi/fs.ts";
import type { File, FileOperations } from "../../mm/vfs/file.ts";
import type { MountNamespace } from "../../mm/vfs/mount.ts";
import { PollQueue, type PollWaiter } from "../../mm/vfs/poll-queue.ts";
import { newAnonymousFile } from "./anonymous-file.ts";

export const EPOLLEXCLUSIVE: number = 2 ** 28;
export const EPOLLWAKEUP: number = 2 ** 29;
export const EPOLLONESHOT: number = 2 ** 30;
export const EPOLLET: number = 2 ** 31;
/** What stands beside the events that are waited for. */
const EP_PRIVATE_BITS: number = EPOLLWAKEUP + EPOLLONESHOT + EPOLLET + EPOLLEXCLUSIVE;
/** Watches of all users. */
const MAX_WATCHES = 2 ** 16;
/** How deep event polls may watch event polls. */
const EP_MAX_NESTS = 4;
/**
 * How many ways may lead up from one file, by how many event polls stand between (path_limits). Each of them is walked by
 * every wake: event polls that all watch each other's watchers would have billions.
 */
const PATH_LIMITS: readonly number[] = [Number.POSITIVE_INFINITY, 500, 100, 50, 10];

/** What a program asked to be told, and with which word of its own; the word as its halves. */
export interface EpollEvent {
  /** EPOLL… bits, unsigned. */
  readonly events: number;
  readonly dataLow: number;
  readonly dataHigh: number;
}

function has(bits: number, bit: number): boolean {
  return Math.floor(bits / bit) % 2 === 1;
}

/** One watched file (epitem). */
class EventPollItem implements PollWaiter {
  readonly owner: EventPoll;
  readonly file: File;
  readonly fd: number;
  readonly isExclusive: boolean;
  event: EpollEvent;
  /** Without a queue: whether it was ready when it was asked last. */
  wasReady = false;
  readonly queue: PollQueue | undefined;
  readonly forget: () => void;

  constructor(owner: EventPoll, file: File, fd: number, event: EpollEvent) {
    this.owner = owner;
    this.file = file;
    this.fd = fd;
    this.event = event;
    this.isExclusive = has(event.events, EPOLLEXCLUSIVE);
    this.queue = file.ops.pollQueue?.(file);
    this.forget = () => owner.remove(this);
  }

  /** What it waits for and is ready for now. */
  poll(): number {
    return (this.file.ops.poll?.(this.file) ?? 0) & this.event.events;
  }

  get isDisabled(): boolean {
    return (this.event.events & ~EP_PRIVATE_BITS) === 0;
  }

  wake(events: number): boolean {
    return this.owner.woken(this, events);
  }
}

/** Where fs.epoll.max_user_watches is set. */
export interface WatchSettings {
  readonly epollMaxUserWatches: number;
}

/**
 * What all event polls watch: a user may watch so many files (fs.epoll.max_user_watches, in Linux a twenty-fifth of RAM), and
 * all together no more than the host can bear.
 */
export class WatchLimit {
  readonly #settings: WatchSettings;
  readonly #byUser: Map<number, number> = new Map();
  #total = 0;

  constructor(settings: WatchSettings) {
    this.#settings = settings;
  }

  mayAdd(uid: number): boolean {
    return this.#total < MAX_WATCHES && (this.#byUser.get(uid) ?? 0) < this.#settings.epollMaxUserWatches;
  }

  add(uid: number, more: number): void {
    this.#total += more;
    const count = (this.#byUser.get(uid) ?? 0) + more;
    // A process may become user after user.
    if (count === 0) this.#byUser.delete(uid);
    else this.#byUser.set(uid, count);
  }
}

export class EventPoll {
  /** Who watches this one: other event polls. */
  readonly queue: PollQueue = new PollQueue();
  readonly #items: Map<File, Map<number, EventPollItem>> = new Map();
  /** In the order in which they became ready. */
  readonly #ready: Set<EventPollItem> = new Set();
  /** Items whose files don't tell, and event polls, which may watch such. */
  readonly #silent: Set<EventPollItem> = new Set();
  /** Threads that wait in epoll_wait. */
  waiters = 0;
  /** Items of the event polls that watch this one. */
  readonly watchedBy: Set<EventPollItem> = new Set();
  readonly #limit: WatchLimit;
  /** Who made it, for whom its watches count. */
  readonly #uid: number;

  constructor(limit: WatchLimit, uid: number) {
    this.#limit = limit;
    this.#uid = uid;
  }

  find(file: File, fd: number): EventPollItem | undefined {
    return this.#items.get(file)?.get(fd);
  }

  /** 0, -ENOSPC where its user watches too much, or -EINVAL where too many ways would lead up. Precondition: not there yet. */
  add(file: File, fd: number, event: EpollEvent): number {
    if (!this.#limit.mayAdd(this.#uid)) return -ENOSPC;
    this.#limit.add(this.#uid, 1);
    const item = new EventPollItem(this, file, fd, event);
    const byFd = this.#items.get(file) ?? new Map<number, EventPollItem>();
    byFd.set(fd, item);
    this.#items.set(file, byFd);
    file.watchers.add(item.forget);
    const inner = eventPollOf(file);
    inner?.watchedBy.add(item);
    addItemOf(file, item);
    if ((inner !== undefined || this.watchedBy.size > 0) && hasTooManyPaths(file)) {
      this.remove(item);
      return -EINVAL;
    }
    if (item.queue === undefined || inner !== undefined) this.#silent.add(item);
    item.queue?.add(item);
    this.#lookAt(item);
    return 0;
  }

  modify(item: EventPollItem, event: EpollEvent): void {
    item.event = event;
    this.#lookAt(item);
  }

  /** Precondition: it is one of this event poll's. */
  remove(item: EventPollItem): void {
    this.#limit.add(this.#uid, -1);
    item.queue?.remove(item);
    item.file.watchers.delete(item.forget);
    this.#ready.delete(item);
    this.#silent.delete(item);
    watching.get(item.file)?.delete(item);
    eventPollOf(item.file)?.watchedBy.delete(item);
    const byFd = this.#items.get(item.file);
    byFd?.delete(item.fd);
    if (byFd?.size === 0) this.#items.delete(item.file);
  }

  /** The last reference to it is gone. */
  release(): void {
    for (const item of this.items()) this.remove(item);
  }

  items(): readonly EventPollItem[] {
    return [...this.#items.values()].flatMap((byFd) => [...byFd.values()]);
  }

  #lookAt(item: EventPollItem): void {
    const events = item.poll();
    item.wasReady = events !== 0;
    if (events !== 0) this.#nowReady(item, 0);
  }

  #nowReady(item: EventPollItem, events: number): void {
    this.#ready.add(item);
    this.queue.wake(POLLIN | events);
  }

  /** ep_poll_callback: whether somebody here takes it, so that of several exclusive watchers no other has to. */
  woken(item: EventPollItem, events: number): boolean {
    if (item.isDisabled) return !item.isExclusive;
    const wanted = item.event.events;
    if (events !== 0 && (events & wanted) === 0) return !item.isExclusive;
    this.#nowReady(item, events);
    if (!item.isExclusive) return true;
    if (this.waiters === 0) return false;
    const direction = events & (POLLIN | POLLOUT);
    return direction === 0 || (direction & wanted) !== 0;
  }

  /** Whether epoll_wait would find something. */
  get isReady(): boolean {
    this.#askSilent();
    for (const item of this.#ready) if (item.poll() !== 0) return true;
    return false;
  }

  #askSilent(): void {
    for (const item of this.#silent) {
      if (item.isDisabled || this.#ready.has(item)) continue;
      const isReady = item.poll() !== 0;
      // What it found out it has told by its own queue.
      if (item.queue !== undefined) continue;
      if (isReady && !item.wasReady) this.#nowReady(item, 0);
      item.wasReady = isReady;
    }
  }

  /**
   * Takes up to `max` ready items and gives each to `take`, which answers false where it can't have it: that one stays.
   * How many were taken. (ep_send_events)
   */
  harvest(max: number, take: (events: number, event: EpollEvent) => boolean): number {
    this.#askSilent();
    const ready = this.#ready;
    let count = 0;
    // What goes to the end of the list, and what becomes ready meanwhile, is for the next time.
    let left = ready.size;
    for (const item of ready) {
      if (left-- === 0 || count >= max) break;
      const events = item.poll();
      if (events === 0) {
        item.wasReady = false;
        ready.delete(item);
        continue;
      }
      if (!take(events, item.event)) break;
      count++;
      ready.delete(item);
      if (has(item.event.events, EPOLLONESHOT)) {
        const { dataLow, dataHigh } = item.event;
        item.event = { events: privateBits(item.event.events), dataLow, dataHigh };
      } else if (!has(item.event.events, EPOLLET)) ready.add(item);
    }
    return count;
  }

  /** How deep the event polls below go, or more than is allowed where `forbidden` is among them. */
  depthBelow(forbidden: EventPoll, known: Map<EventPoll, number> = new Map()): number {
    if (this === forbidden) return EP_MAX_NESTS + 1;
    const before = known.get(this);
    if (before !== undefined) return before;
    let deepest = 0;
    for (const inner of this.#watchedPolls())
      deepest = Math.max(deepest, inner.depthBelow(forbidden, known) + 1);
    known.set(this, deepest);
    return deepest;
  }

  /** How many event polls stand above, at most: the watchers of this one's file. */
  depthAbove(known: Map<EventPoll, number> = new Map()): number {
    const before = known.get(this);
    if (before !== undefined) return before;
    let highest = 0;
    for (const { owner } of this.watchedBy) highest = Math.max(highest, owner.depthAbove(known) + 1);
    known.set(this, highest);
    return highest;
  }

  /** The files that are watched. */
  files(): IterableIterator<File> {
    return this.#items.keys();
  }

  #watchedPolls(): EventPoll[] {
    const polls: EventPoll[] = [];
    for (const file of this.#items.keys()) if (file.data instanceof EventPoll) polls.push(file.data);
    return polls;
  }
}

/** Who watches a file. */
const watching: WeakMap<File, Set<EventPollItem>> = new WeakMap();

function addItemOf(file: File, item: EventPollItem): void {
  const items = watching.get(file) ?? new Set();
  items.add(item);
  watching.set(file, items);
}

/** Whether more ways than allowed lead up from the file or one below it (reverse_path_check). */
function hasTooManyPaths(file: File, seen: Set<File> = new Set()): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  if (exceedsPaths(watching.get(file) ?? [], 0, [0, 0, 0, 0, 0])) return true;
  for (const below of eventPollOf(file)?.files() ?? []) if (hasTooManyPaths(below, seen)) return true;
  return false;
}

/** Counts the ways that end above these items; ends as soon as there are too many. */
function exceedsPaths(items: Iterable<EventPollItem>, depth: number, counts: number[]): boolean {
  if (depth > EP_MAX_NESTS) return true;
  for (const { owner } of items) {
    if (owner.watchedBy.size > 0) {
      if (exceedsPaths(owner.watchedBy, depth + 1, counts)) return true;
    } else if (++counts[depth] > PATH_LIMITS[depth]) return true;
  }
  return false;
}

function privateBits(events: number): number {
  let kept = 0;
  for (const bit of [EPOLLEXCLUSIVE, EPOLLWAKEUP, EPOLLONESHOT, EPOLLET]) if (has(events, bit)) kept += bit;
  return kept;
}

/** The event poll behind a file; undefined: it is none. */
export function eventPollOf(file: File): EventPoll | undefined {
  return file.data instanceof EventPoll ? file.data : undefined;
}

const ALWAYS: number = POLLERR + POLLHUP;
/** With EPOLLEXCLUSIVE nothing else may be asked for (EPOLLEXCLUSIVE_OK_BITS). */
const EXCLUSIVE_OK_BITS: number = POLLIN + POLLOUT + ALWAYS + EPOLLWAKEUP + EPOLLET + EPOLLEXCLUSIVE;

/** Whether what an exclusive watcher asks for is allowed. */
export function mayBeExclusive(events: number, target: File): boolean {
  if (eventPollOf(target) !== undefined) return false;
  let rest = events;
  for (let bit = 1; bit <= EPOLLET; bit *= 2) if (has(EXCLUSIVE_OK_BITS, bit) && has(rest, bit)) rest -= bit;
  return rest === 0;
}

/** Errors and hangups are always told. */
export function withAlways({ events, dataLow, dataHigh }: EpollEvent): EpollEvent {
  return { events: (events | ALWAYS) >>> 0, dataLow, dataHigh };
}

/** 0, or -ELOOP where `outer` would come to watch itself, or event polls would stand too deep (ep_loop_check). */
export function checkLoop(outer: EventPoll, target: File): number {
  const inner = eventPollOf(target);
  if (inner === undefined) return 0;
  const below = inner.depthBelow(outer);
  if (below > EP_MAX_NESTS) return -ELOOP;
  return below + 1 + outer.depthAbove() > EP_MAX_NESTS ? -ELOOP : 0;
}

function pollOf(file: File): EventPoll {
  const poll = eventPollOf(file);
  if (poll === undefined) throw new TypeError("pollOf: not an event poll");
  return poll;
}

function showItem({ fd, file, event }: EventPollItem): string {
  const { inode } = file;
  const data = `${event.dataHigh === 0 ? "" : (event.dataHigh >>> 0).toString(16)}${
    event.dataHigh === 0
      ? (event.dataLow >>> 0).toString(16)
      : (event.dataLow >>> 0).toString(16).padStart(8, "0")
  }`;
  return (
    `tfd: ${String(fd).padStart(8)} events: ${event.events.toString(16).padStart(8)} ` +
    `data: ${data.padStart(16)}  pos:${file.pos} ino:${inode.ino.toString(16)} sdev:${inode.sb.dev.toString(16)}\n`
  );
}

const EPIOCSPARAMS = 0x40088a01;
const EPIOCGPARAMS = 0x80088a02;

const eventPollOps: FileOperations = {
  poll: (file) => (pollOf(file).isReady ? POLLIN | POLLRDNORM : 0),
  pollQueue: (file) => pollOf(file).queue,
  llseek: (file) => file.pos,
  // Not ENOTTY, as all others say; its parameters of busy polling it would have with a network to poll.
  ioctl: (_file, cmd) => (cmd === EPIOCSPARAMS || cmd === EPIOCGPARAMS ? -EOPNOTSUPP : -EINVAL),
  release: (file) => pollOf(file).release(),
  showFdinfo: (file) => pollOf(file).items().map(showItem).join(""),
};

/** @param uid who makes it */
export function newEventPollFile(mounts: MountNamespace, limit: WatchLimit, uid: number): File {
  return newAnonymousFile(mounts, "eventpoll", eventPollOps, 0, new EventPoll(limit, uid));
}
