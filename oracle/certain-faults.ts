/** Which calls take a number of faults that follows from the program alone. */
import { MAP_ANONYMOUS } from "../src/mm/uapi/mman.ts";
import { hasCertainResidency, type Mapping } from "./maps.ts";
import type { CallName, Operation } from "./operation.ts";
import { RANGES } from "./ranges.ts";
import { isSlot } from "./subject.ts";

/** They touch the executor's own data, all that is mapped, or another program's start. */
const UNCERTAIN: ReadonlySet<CallName> = new Set([
  "mincore",
  "peek",
  "mlockall",
  "fork",
  "vfork",
  "clone",
  "exit",
  "mem_read",
  "mem_write",
  "clear_refs",
  "procmap_query",
  "pagemap_scan",
  "pidfd_madvise",
  "get_mempolicy",
  "move_pages",
  "crowd",
  "brk",
]);

/** Whether execve was refused, and read nothing but what the oracle has put there. */
function isRefused(result: number | undefined, [, ...places]: readonly number[]): boolean {
  return (
    result !== undefined && result < 0 && places.slice(0, 3).every((addr) => addr <= 0 || addr >= 2 ** 47)
  );
}

/** @param mapsOf the mappings before the call */
export function hasCertainFaults(
  { process, call, args }: Operation,
  result: number | undefined,
  mapsOf: (slot: number) => readonly Mapping[],
): boolean {
  if (call === "exec") return isRefused(result, args);
  if (UNCERTAIN.has(call)) return false;
  if (call === "mmap" && (args[3] & MAP_ANONYMOUS) === 0) return false;
  const touched = [...mapsOf(process)];
  if (call.startsWith("process_") && isSlot(args[0])) touched.push(...mapsOf(args[0]));
  return (RANGES[call] ?? []).every(([address, length]) =>
    touched
      .filter(({ start, end }) => start < args[address] + args[length] + 4096 && end > args[address])
      .every(hasCertainResidency),
  );
}
