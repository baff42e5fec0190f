/** Arguments of `exec` for the generator. */
import type { ArgumentSource } from "./arguments.ts";
import { PROGRAMS } from "./exec-programs.ts";
import type { Random } from "./random.ts";

/** Pointers that are wrong whatever is mapped. */
const BEYOND: readonly number[] = [2 ** 47, 2 ** 63, 2 ** 64 - 4096];
const NULL_POINTER = -1;
/** Strings may take 128 KiB in any case, and a quarter of the stack that a process has from the start. */
const BORDERS: readonly number[] = [2 ** 17, 2 ** 21];
/** What of that the pointers and the path take, and some more. */
const NEAR = 4096;
const LONGEST = 100_000;
const WORD = 8;

export function execArguments(random: Random, from: ArgumentSource): number[] {
  return random.weighted([
    [8, () => [0]],
    [4, () => [0, 0, 0, 0, ...someStrings(random)]],
    [1, () => [0, ...beyond(random)]],
    [16, () => [random.below(PROGRAMS.length)]],
    [6, () => [1 + random.below(PROGRAMS.length - 1), ...addresses(random, from)]],
    [3, () => [1 + random.below(PROGRAMS.length - 1), 0, 0, 0, ...someStrings(random)]],
  ])();
}

/** How many strings, and of how many bytes: few, or about as many as there may be. */
function someStrings(random: Random): [count: number, length: number] {
  if (random.chance(30)) return [random.below(5), random.below(LONGEST)];
  const border = random.pick(BORDERS);
  const count = Math.ceil(border / LONGEST) + 1 + random.below(40);
  const bytes = border - count * 8 + NEAR / 2 - random.below(NEAR);
  return [count, Math.min(LONGEST, Math.floor(bytes / count))];
}

/** One of path, argv and envp, or more of them, in memory that the program has, or not. */
function addresses(random: Random, from: ArgumentSource): number[] {
  const some = (percent: number): number => {
    if (!random.chance(percent)) return 0;
    return random.weighted([
      [6, from.mappedAddress()],
      [2, from.address() || NULL_POINTER],
      [2, NULL_POINTER],
      [1, random.pick(BEYOND)],
    ]);
  };
  // Linux reads a path in words, on x86-64 from any address: of one that begins within a word it looks at the next page, too.
  const path = some(30);
  return [path > 0 ? path - (path % WORD) : path, some(60), some(50)];
}

function beyond(random: Random): number[] {
  const wrong = [0, 0, 0];
  wrong[random.below(wrong.length)] = random.pick(BEYOND);
  return wrong;
}
