/** Which steps may be tried at all: not those that reach the executor itself, or ask how the host is configured. */
import { DATA_ADDRESS, START_BREAK } from "./executor-image.ts";
import type { CallName, Operation } from "./operation.ts";

/** Where in a call's arguments ranges stand: [address, length] by index. */
const RANGES: Partial<Record<CallName, readonly (readonly [address: number, length: number])[]>> = {
  mmap: [[0, 1]],
  munmap: [[0, 1]],
  mprotect: [[0, 1]],
  mremap: [
    [0, 1],
    [0, 2],
    [4, 2],
  ],
  madvise: [[0, 1]],
  msync: [[0, 1]],
  mlock: [[0, 1]],
  mlock2: [[0, 1]],
  munlock: [[0, 1]],
  mseal: [[0, 1]],
  remap_file_pages: [[0, 1]],
  process_vm_readv: [
    [1, 2],
    [3, 4],
  ],
  process_vm_writev: [
    [1, 2],
    [3, 4],
  ],
  process_madvise: [[1, 2]],
  mincore: [
    [0, 1],
    [2, 1],
  ],
  load: [[0, 1]],
  store: [[0, 1]],
  read: [[1, 2]],
  write: [[1, 2]],
  pread64: [[1, 2]],
  pwrite64: [[1, 2]],
};

const PAGE_SIZE = 4096;
/**
 * Below it, vm.mmap_min_addr and the security module's own limit decide whether mapping needs a privilege: this is the
 * higher of the two, as kernels are usually built.
 */
const LOWEST_ADDRESS = 0x1_0000;

export function isHarmless({ call, args }: Operation): boolean {
  const target = call === "mmap" ? args[0] : call === "mremap" ? args[4] : 0;
  if (target > 0 && target < LOWEST_ADDRESS) return false;
  return !(RANGES[call] ?? []).some(([address, length]) => reachesExecutor(args[address], args[length]));
}

/** Whether the pages of the range are the executor's. One with an end past 2^64 is wrong, or begins anew at 0. */
function reachesExecutor(addr: number, length: number): boolean {
  const end = addr + length + PAGE_SIZE;
  return (addr < START_BREAK && end > DATA_ADDRESS) || end - 2 ** 64 > DATA_ADDRESS;
}
