/** User and group ids. A process has one of each: real, effective and saved are the same. */
import { setCapabilities } from "../../mm/kernel/task-lifecycle.ts";
import { CAP_SETGID, CAP_SETUID } from "../../mm/uapi/capability.ts";
import { EFAULT, EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import { afterSetuid, capabilitiesOf, capable } from "../../mm/vfs/capability.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call, SyscallGroup } from "./call.ts";

/** (gid_t) −1 */
const INVALID_GID = 0xffffffff;
/** NGROUPS_MAX */
const MAX_GROUPS = 65536;

type Kind = "uid" | "gid";

export const identityCalls: SyscallGroup = [
  [143, "setregid", 2, (call) => set(call, "gid", [call.s32(0), call.s32(1)])],
  [144, "setgid", 1, (call) => setOne(call, "gid")],
  [145, "setreuid", 2, (call) => set(call, "uid", [call.s32(0), call.s32(1)])],
  [146, "setuid", 1, (call) => setOne(call, "uid")],
  [147, "setresuid", 3, (call) => set(call, "uid", [call.s32(0), call.s32(1), call.s32(2)])],
  [148, "getresuid", 3, (call) => getThree(call, call.process.uid)],
  [149, "setresgid", 3, (call) => set(call, "gid", [call.s32(0), call.s32(1), call.s32(2)])],
  [150, "getresgid", 3, (call) => getThree(call, call.process.gid)],
  [158, "getgroups", 2, getgroups],
  [159, "setgroups", 2, setgroups],
  [174, "getuid", 0, (call) => call.process.uid],
  [175, "geteuid", 0, (call) => call.process.uid],
  [176, "getgid", 0, (call) => call.process.gid],
  [177, "getegid", 0, (call) => call.process.gid],
];

function setOne(call: Call, kind: Kind): number {
  return call.s32(0) === -1 ? -EINVAL : set(call, kind, [call.s32(0)]);
}

/** −1 leaves an id alone. The last that is given counts, since all are one. */
function set(call: Call, kind: Kind, ids: readonly number[]): number {
  const { process } = call;
  const given = ids.filter((id) => id !== -1);
  const needed = kind === "uid" ? CAP_SETUID : CAP_SETGID;
  if (given.some((id) => id >>> 0 !== process[kind]) && !capable(process, needed)) return -EPERM;
  const last = given.at(-1);
  if (last === undefined) return 0;
  if (process[kind] !== last >>> 0) {
    // What asked for a signal at its parent's death was another user, and what is in memory may be, too (commit_creds).
    call.thread.group.parentDeathSignal = 0;
    process.mm.dumpable = 0;
  }
  if (kind === "uid") {
    const after = afterSetuid(capabilitiesOf(process), process.uid, last >>> 0);
    process.uid = last >>> 0;
    setCapabilities(process, after);
  } else process.gid = last >>> 0;
  return 0;
}

function getThree(call: Call, id: number): number {
  const bytes = new StructView(4).put32(0, id).bytes;
  for (const i of [0, 1, 2]) {
    const failed = call.put(call.u64(i), bytes);
    if (failed < 0) return failed;
  }
  return 0;
}

/** Arguments: room for so many (0: only tells how many there are), and where they go. */
function getgroups(call: Call): number {
  const room = call.s32(0);
  const { groups } = call.process;
  if (room < 0) return -EINVAL;
  if (room === 0) return groups.length;
  if (groups.length > room) return -EINVAL;
  const out = new StructView(4 * groups.length);
  for (const [i, group] of groups.entries()) out.put32(4 * i, group);
  return call.put(call.u64(1), out.bytes) < 0 ? -EFAULT : groups.length;
}

/** The groups are kept in order, however often one is among them (groups_sort). */
function setgroups(call: Call): number {
  const count = call.u32(0);
  if (!capable(call.process, CAP_SETGID)) return -EPERM;
  if (count > MAX_GROUPS) return -EINVAL;
  const raw = call.get(call.u64(1), 4 * count);
  if (raw === undefined) return -EFAULT;
  const groups = Array.from({ length: count }, (_, i) => raw.u32(4 * i));
  if (groups.includes(INVALID_GID)) return -EINVAL;
  call.process.groups = groups.sort((a, b) => a - b);
  return 0;
}
