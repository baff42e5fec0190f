/** Which steps may be tried at all: not those that would end the executor itself, or ask how the host is configured. */
import { DATA_ADDRESS, START_BREAK } from "./executor-image.ts";
import type { CallName, Operation } from "./operation.ts";

/** Calls that may take away what the executor itself needs when their range reaches it. */
const DESTRUCTIVE: ReadonlySet<CallName> = new Set(["mmap", "munmap", "mprotect", "mremap", "madvise"]);
/**
 * Below it, vm.mmap_min_addr and the security module's own limit decide whether mapping needs a privilege: this is the
 * higher of the two, as kernels are usually built.
 */
const LOWEST_ADDRESS = 0x1_0000;

export function isHarmless({ call, args }: Operation): boolean {
  if (!DESTRUCTIVE.has(call)) return true;
  const target = call === "mmap" ? args[0] : call === "mremap" ? args[4] : 0;
  if (target > 0 && target < LOWEST_ADDRESS) return false;
  if (reachesExecutor(args[0], args[1])) return false;
  return call !== "mremap" || !reachesExecutor(args[4], args[2]);
}

function reachesExecutor(addr: number, length: number): boolean {
  return addr < START_BREAK && addr + length > DATA_ADDRESS;
}
