/** How many event polls may watch each other; how they answer is compared by test/programs/epoll.c. */
import { expect, it } from "vitest";
import { newEventFile } from "../../../src/machine/event-files/event-fd.ts";
import {
  checkLoop,
  eventPollOf,
  newEventPollFile,
  WatchLimit,
} from "../../../src/machine/event-files/event-poll.ts";
import { Kernel } from "../../../src/mm/index.ts";
import { EINVAL, ENOSPC } from "../../../src/mm/uapi/errno.ts";
import type { File } from "../../../src/mm/vfs/file.ts";

const EVENT = { events: 1, dataLow: 0, dataHigh: 0 };

function watch(outer: File, inner: File): number {
  const poll = eventPollOf(outer);
  if (poll === undefined) return -EINVAL;
  return checkLoop(poll, inner) || poll.add(inner, 0, EVENT);
}

it("refuses a web of event polls in which one wake would have millions of ways up", () => {
  const { mounts } = new Kernel({ ram: 16 * 2 ** 20 });
  const limit = new WatchLimit({ epollMaxUserWatches: 1e6 });
  const levels = Array.from({ length: 5 }, () =>
    Array.from({ length: 60 }, () => newEventPollFile(mounts, limit, 0)),
  );
  let refused = 0;
  for (let i = 1; i < levels.length; i++)
    for (const outer of levels[i])
      for (const inner of levels[i - 1]) if (watch(outer, inner) === -EINVAL) refused++;
  expect(refused).toBeGreaterThan(0);
  for (const bottom of levels[0]) expect(waysUp(bottom)).toBeLessThanOrEqual(1000);
  // What was refused left nothing behind: a lone pair is watched as ever.
  expect(watch(newEventPollFile(mounts, limit, 0), newEventPollFile(mounts, limit, 0))).toBe(0);
});

function waysUp(file: File): number {
  const above = [...(eventPollOf(file)?.watchedBy ?? [])];
  let ways = 0;
  const count = (item: (typeof above)[number]): void => {
    if (item.owner.watchedBy.size === 0) ways++;
    for (const next of item.owner.watchedBy) count(next);
  };
  above.forEach(count);
  return ways;
}

it("watches no more files of a user than he may, and than everybody may", () => {
  const { mounts } = new Kernel({ ram: 16 * 2 ** 20 });
  const settings = { epollMaxUserWatches: 10 };
  const limit = new WatchLimit(settings);
  const target = newEventPollFile(mounts, limit, 0);
  const [mine, other] = [1, 2].map((uid) => newEventPollFile(mounts, limit, uid));
  const add = (file: File, fd: number): number => eventPollOf(file)?.add(target, fd, EVENT) ?? -EINVAL;
  for (let fd = 0; fd < 10; fd++) expect(add(mine, fd)).toBe(0);
  expect([add(mine, 10), add(other, 10)]).toEqual([-ENOSPC, 0]);
  mine.put();
  expect(add(newEventPollFile(mounts, limit, 1), 0)).toBe(0);
  settings.epollMaxUserWatches = 1e9;
  let watched = 0;
  for (let uid = 10; uid < 40; uid++) {
    const file = newEventPollFile(mounts, limit, uid);
    const item = newEventPollFile(mounts, limit, uid);
    for (let fd = 0; fd < 4000; fd++) if (eventPollOf(file)?.add(item, fd, EVENT) === 0) watched++;
  }
  expect(watched).toBeGreaterThan(60_000);
  expect(watched).toBeLessThan(2 ** 16);
});

it("gives each ready file its turn, however few are asked for", () => {
  const { mounts } = new Kernel({ ram: 16 * 2 ** 20 });
  const limit = new WatchLimit({ epollMaxUserWatches: 1e6 });
  const poll = eventPollOf(newEventPollFile(mounts, limit, 0));
  const files = [0, 1, 2].map(() => newEventFile(mounts, 1, false, 0, 0));
  for (const [i, file] of files.entries()) poll?.add(file, i, { ...EVENT, dataLow: i });
  const seen: number[] = [];
  for (let i = 0; i < 5; i++) poll?.harvest(2, (_events, { dataLow }) => seen.push(dataLow) > 0);
  expect(seen).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
  // What could not be told stays the first.
  expect(poll?.harvest(2, () => false)).toBe(0);
  expect(poll?.harvest(1, (_events, { dataLow }) => dataLow === 1)).toBe(1);
});
