/**
 * capget and capset (kernel/capability.c). A process has all capabilities or none, as it is root or not; so capset takes what
 * is so already, and refuses to give up some as it refuses to take more: no call would heed it.
 *
 * ```
 *   struct __user_cap_header_struct   0 version   4 pid
 *   struct __user_cap_data_struct     0 effective   4 permitted   8 inheritable   (twice: the lower 32, the upper ones)
 * ```
 */
import { EFAULT, EINVAL, EPERM, ESRCH } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call, SyscallGroup } from "./call.ts";

export const capabilityCalls: SyscallGroup = [
  [90, "capget", 2, capget],
  [91, "capset", 2, capset],
];

/** How many structures of data a version has: _LINUX_CAPABILITY_VERSION_1, 2 and 3. */
const DATA_COUNTS: ReadonlyMap<number, number> = new Map([
  [0x19980330, 1],
  [0x20071026, 2],
  [0x20080522, 2],
]);
const LATEST_VERSION = 0x20080522;
const DATA_BYTES = 12;
/** CAP_LAST_CAP is 40. */
const ALL: readonly number[] = [0xffffffff, 0x1ff];

/** How many structures of data go with the header (cap_validate_magic): -EFAULT, or -EINVAL, having told the version that would do. */
function dataCount(call: Call): number {
  const version = call.get(call.u64(0), 4);
  if (version === undefined) return -EFAULT;
  const count = DATA_COUNTS.get(version.u32(0));
  if (count !== undefined) return count;
  const failed = call.put(call.u64(0), new StructView(4).put32(0, LATEST_VERSION).bytes);
  return failed < 0 ? failed : -EINVAL;
}

/** The process in the header: 0 the caller; undefined stands for EFAULT. */
function pidIn(call: Call): number | undefined {
  return call.get(call.u64(0) + 4, 4)?.s32(0);
}

function capget(call: Call): number {
  const count = dataCount(call);
  // Without a place for data only the version was asked for.
  const asksVersion = call.u64(1) === 0;
  if (asksVersion && (count === -EINVAL || count > 0)) return 0;
  if (count < 0) return count;
  const pid = pidIn(call);
  if (pid === undefined) return -EFAULT;
  if (pid < 0) return -EINVAL;
  const target = pid === 0 ? call.thread : call.system.thread(pid);
  if (target === undefined) return -ESRCH;
  const isRoot = target.group.process.uid === 0;
  const out = new StructView(count * DATA_BYTES);
  for (let i = 0; i < count; i++) {
    const held = isRoot ? ALL[i] : 0;
    out.put32(i * DATA_BYTES, held).put32(i * DATA_BYTES + 4, held);
  }
  return call.put(call.u64(1), out.bytes);
}

function capset(call: Call): number {
  const count = dataCount(call);
  if (count < 0) return count;
  const pid = pidIn(call);
  if (pid === undefined) return -EFAULT;
  if (pid !== 0 && pid !== call.thread.tid) return -EPERM;
  const wanted = call.get(call.u64(1), count * DATA_BYTES);
  if (wanted === undefined) return -EFAULT;
  const isRoot = call.process.uid === 0;
  for (let i = 0; i < ALL.length; i++) {
    const held = isRoot ? ALL[i] : 0;
    // What a version does not speak of is given up; bits beyond the last capability are not looked at.
    const [effective, permitted, inheritable] = [0, 4, 8].map((at) =>
      i < count ? (wanted.u32(i * DATA_BYTES + at) & ALL[i]) >>> 0 : 0,
    );
    if (effective !== held || permitted !== held || inheritable !== 0) return -EPERM;
  }
  return 0;
}
