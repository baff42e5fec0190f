/** How many event polls may watch each other; how they answer is compared by test/programs/epoll.c. */
import { expect, it } from "vitest";
import { checkLoop, eventPollOf, newEventPollFile } from "../../../src/machine/event-files/event-poll.ts";
import { Kernel } from "../../../src/mm/index.ts";
import { EINVAL } from "../../../src/mm/uapi/errno.ts";
import type { File } from "../../../src/mm/vfs/file.ts";

const EVENT = { events: 1, dataLow: 0, dataHigh: 0 };

function watch(outer: File, inner: File): number {
  const poll = eventPollOf(outer);
  if (poll === undefined) return -EINVAL;
  return checkLoop(poll, inner) || poll.add(inner, 0, EVENT);
}

it("refuses a web of event polls in which one wake would have millions of ways up", () => {
  const { mounts } = new Kernel({ ram: 16 * 2 ** 20 });
  const levels = Array.from({ length: 5 }, () => Array.from({ length: 60 }, () => newEventPollFile(mounts)));
  let refused = 0;
  for (let i = 1; i < levels.length; i++)
    for (const outer of levels[i])
      for (const inner of levels[i - 1]) if (watch(outer, inner) === -EINVAL) refused++;
  expect(refused).toBeGreaterThan(0);
  for (const bottom of levels[0]) expect(waysUp(bottom)).toBeLessThanOrEqual(1000);
  // What was refused left nothing behind: a lone pair is watched as ever.
  expect(watch(newEventPollFile(mounts), newEventPollFile(mounts))).toBe(0);
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
