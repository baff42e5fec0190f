/** Arguments of the calls about the memory of another process, or of the caller as if it were one, for the generator. */
import type { ArgumentSource } from "./arguments.ts";
import type { CallName } from "./operation.ts";
import { someAdvice } from "./page-arguments.ts";
import type { Random } from "./random.ts";

const CALLS_ABOUT_OTHERS = [
  "process_vm_readv",
  "process_vm_writev",
  "process_madvise",
  "mem_read",
  "mem_write",
] as const;

export type CallAboutOthers = (typeof CALLS_ABOUT_OTHERS)[number];

export function isAboutOthers(call: CallName): call is CallAboutOthers {
  return CALLS_ABOUT_OTHERS.some((name) => name === call);
}

/** What comes behind the other process in the arguments. */
export function argumentsAboutOther(
  call: CallAboutOthers,
  random: Random,
  from: ArgumentSource,
  other: ArgumentSource,
): number[] {
  if (call === "mem_read") return [other.mappedAddress(), other.accessLength()];
  if (call === "mem_write") {
    return [other.mappedAddress(), other.accessLength(), 1 + random.below(255)];
  }
  const more = random.chance(75) ? 0 : 1 + random.below(3);
  if (call === "process_madvise") {
    const ranges = Array.from({ length: Math.min(more, 2) }, () => other.range());
    return [...other.range(), someAdvice(random), ...ranges.flat()];
  }
  // None of a length between: gibibytes of a mapping larger than memory would be moved.
  const lengthOf = (): number => (random.chance(99) ? from.accessLength() : random.pick([2 ** 47, 2 ** 63]));
  const parts = Array.from({ length: random.chance(98) ? 1 + more : 0 }, () => [
    from.mappedAddress(),
    lengthOf(),
    other.mappedAddress(),
    lengthOf(),
  ]).flat();
  return random.chance(97) ? parts : [...parts, 1];
}
