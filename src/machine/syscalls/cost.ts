/**
 * What a system call takes of the machine's time.
 *
 * Whoever does little but make calls would have the hart for thousands of them in one turn, and a virtual clock would stand
 * nearly still meanwhile. So each call counts as instructions do, by a fixed rule: runs stay the same each time.
 */

/** Entry, exit and a little work. A call that waits counts again each time it is tried. */
const CALL_NS = 200;
/** Bytes that are copied in a nanosecond. */
const BYTES_PER_NS = 16;

/** Calls whose answer says how many bytes they moved. */
const TRANSFERS: ReadonlySet<string | undefined> = new Set([
  ...["read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2"],
  ...["sendto", "recvfrom", "sendmsg", "recvmsg", "sendfile", "splice", "tee", "vmsplice", "copy_file_range"],
  ...["getrandom", "process_vm_readv", "process_vm_writev"],
]);

export function costOf(name: string | undefined, result: number): number {
  return result > 0 && TRANSFERS.has(name) ? CALL_NS + Math.ceil(result / BYTES_PER_NS) : CALL_NS;
}
