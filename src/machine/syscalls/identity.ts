/**
 * User and group ids (kernel/sys.c): real, effective and saved ones. Who may not become anybody (CAP_SETUID, CAP_SETGID) may
 * still change among those that it has. What decides about files is the effective one always: there is no setfsuid.
 */
import { isOverNproc, setCapabilities } from "../../mm/kernel/task-lifecycle.ts";
import { CAP_SETGID, CAP_SETUID } from "../../mm/uapi/capability.ts";
import { EFAULT, EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import { afterSetuid, capabilitiesOf, capable } from "../../mm/vfs/capability.ts";
import { allOf, type Ids, isOneOf } from "../../mm/vfs/ids.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call, SyscallGroup } from "./call.ts";

/** (gid_t) −1 */
const INVALID_GID = 0xffffffff;
/** NGROUPS_MAX */
const MAX_GROUPS = 65536;

type Kind = "user" | "group";

export const identityCalls: SyscallGroup = [
  [143, "setregid", 2, (call) => setRealAndEffective(call, "group")],
  [144, "setgid", 1, (call) => setId(call, "group")],
  [145, "setreuid", 2, (call) => setRealAndEffective(call, "user")],
  [146, "setuid", 1, (call) => setId(call, "user")],
  [147, "setresuid", 3, (call) => setAll(call, "user")],
  [148, "getresuid", 3, (call) => getThree(call, call.process.userIds)],
  [149, "setresgid", 3, (call) => setAll(call, "group")],
  [150, "getresgid", 3, (call) => getThree(call, call.process.groupIds)],
  [158, "getgroups", 2, getgroups],
  [159, "setgroups", 2, setgroups],
  [174, "getuid", 0, (call) => call.process.userIds.real],
  [175, "geteuid", 0, (call) => call.process.userIds.effective],
  [176, "getgid", 0, (call) => call.process.groupIds.real],
  [177, "getegid", 0, (call) => call.process.groupIds.effective],
];

/** setuid, setgid: all three for who may, else the effective one. */
function setId(call: Call, kind: Kind): number {
  if (call.s32(0) === -1) return -EINVAL;
  const id = call.u32(0);
  const old = idsOf(call, kind);
  if (mayBeAnybody(call, kind)) return commit(call, kind, allOf(id));
  return id === old.real || id === old.saved ? commit(call, kind, { ...old, effective: id }) : -EPERM;
}

/** setreuid, setregid: −1 leaves an id alone. Whoever sets the real one, or an effective that is not it, saves the effective. */
function setRealAndEffective(call: Call, kind: Kind): number {
  const old = idsOf(call, kind);
  const real = wanted(call, 0);
  const effective = wanted(call, 1);
  if (!mayBeAnybody(call, kind)) {
    if (real !== undefined && real !== old.real && real !== old.effective) return -EPERM;
    if (effective !== undefined && !isOneOf(effective, old)) return -EPERM;
  }
  const now = { real: real ?? old.real, effective: effective ?? old.effective };
  const isSaved = real !== undefined || (effective !== undefined && effective !== old.real);
  return commit(call, kind, { ...now, saved: isSaved ? now.effective : old.saved });
}

/** setresuid, setresgid: −1 leaves an id alone. */
function setAll(call: Call, kind: Kind): number {
  const old = idsOf(call, kind);
  const ids = [wanted(call, 0), wanted(call, 1), wanted(call, 2)];
  const isNew = ids.some((id) => id !== undefined && !isOneOf(id, old));
  if (isNew && !mayBeAnybody(call, kind)) return -EPERM;
  const [real = old.real, effective = old.effective, saved = old.saved] = ids;
  return commit(call, kind, { real, effective, saved });
}

function wanted(call: Call, index: number): number | undefined {
  return call.s32(index) === -1 ? undefined : call.u32(index);
}

function idsOf({ process }: Call, kind: Kind): Ids {
  return kind === "user" ? process.userIds : process.groupIds;
}

function mayBeAnybody({ process }: Call, kind: Kind): boolean {
  return capable(process, kind === "user" ? CAP_SETUID : CAP_SETGID);
}

function commit(call: Call, kind: Kind, ids: Ids): 0 {
  const { process } = call;
  const old = idsOf(call, kind);
  if (ids.effective !== old.effective) {
    // What asked for a signal at its parent's death was another user, and what is in memory may be, too (commit_creds).
    call.thread.group.parentDeathSignal = 0;
    process.mm.dumpable = 0;
  }
  if (kind === "group") {
    process.groupIds = ids;
    return 0;
  }
  const after = afterSetuid(capabilitiesOf(process), old, ids, process.securebits);
  // One too many of that user can go on, but not execute a program (flag_nproc_exceeded).
  if (ids.real !== old.real)
    process.nprocExceeded = ids.real !== 0 && isOverNproc(process, ids.real, 0, process);
  process.userIds = ids;
  setCapabilities(process, after);
  return 0;
}

function getThree(call: Call, { real, effective, saved }: Ids): number {
  for (const [i, id] of [real, effective, saved].entries()) {
    const failed = call.put(call.u64(i), new StructView(4).put32(0, id).bytes);
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
