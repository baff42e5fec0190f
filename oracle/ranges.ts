/** Where the ranges of memory stand among the arguments of each call. */
import type { CallName } from "./operation.ts";

/** Where in a call's arguments ranges stand: [address, length] by index. */
export const RANGES: Partial<Record<CallName, readonly (readonly [address: number, length: number])[]>> = {
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
  process_vm_readv: pairs(1, 8),
  process_vm_writev: pairs(1, 8),
  process_madvise: [[1, 2], ...pairs(4, 3)],
  pidfd_madvise: [[1, 2]],
  mbind: [[0, 1]],
  get_mempolicy: [[0, 1]],
  set_mempolicy_home_node: [[0, 1]],
  move_pages: [[1, 2]],
  mincore: [
    [0, 1],
    [2, 1],
  ],
  mem_read: [[1, 2]],
  mem_write: [[1, 2]],
  vmsplice: [[1, 2], ...pairs(4, 3)],
  load: [[0, 1]],
  store: [[0, 1]],
  read: [[1, 2]],
  write: [[1, 2]],
  pread64: [[1, 2]],
  pwrite64: [[1, 2]],
  preadv2: [[1, 2], ...pairs(5, 3)],
  pwritev2: [[1, 2], ...pairs(5, 3)],
};

/** `count` pairs one behind the other, as many of them as a call has. */
function pairs(from: number, count: number): [address: number, length: number][] {
  return Array.from({ length: count }, (_, at) => [from + 2 * at, from + 2 * at + 1]);
}
