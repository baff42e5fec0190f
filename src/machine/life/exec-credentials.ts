/**
 * Whose rights the program that execve starts has, and which capabilities (bprm_fill_uid in fs/exec.c,
 * cap_bprm_creds_from_file in security/commoncap.c, commit_creds).
 */
import type { Process } from "../../mm/kernel/process.ts";
import { setCapabilities } from "../../mm/kernel/task-lifecycle.ts";
import { S_ISGID, S_ISUID } from "../../mm/uapi/fcntl.ts";
import { SECBIT_KEEP_CAPS } from "../../mm/uapi/securebits.ts";
import {
  both,
  type CapabilitySet,
  capabilitiesOf,
  isSubset,
  NO_CAPABILITIES,
  rootPrivilege,
  union,
} from "../../mm/vfs/capability.ts";
import { type Inode, isReg } from "../../mm/vfs/inode.ts";

/** Without the right of its group to execute it, the file's bit means something else. */
const S_IXGRP = 0o010;

/**
 * Set-id bits of the program's file give it the file's user and group, unless the process renounced that
 * (PR_SET_NO_NEW_PRIVS). Whether it has more than who started it, so that its libraries distrust the environment (AT_SECURE).
 */
export function takeExecCredentials(process: Process, inode: Inode, hasRenounced: boolean): boolean {
  const { userIds, groupIds, securebits } = process;
  const old = capabilitiesOf(process);
  // Whose memory was not his alone is not looked into after this, either (begin_new_exec).
  if (userIds.real !== userIds.effective || groupIds.real !== groupIds.effective) process.mm.dumpable = 0;
  const isSetId = isReg(inode) && !hasRenounced;
  let user = isSetId && (inode.mode & S_ISUID) !== 0 ? inode.uid : userIds.effective;
  const setsGroup = isSetId && (inode.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
  let group = setsGroup ? inode.gid : groupIds.effective;
  const isInGroup = group === groupIds.effective || process.groups.includes(group);
  const hasChanged = user !== userIds.effective || !isInGroup;

  const root = rootPrivilege(old, { ...userIds, effective: user }, securebits);
  let permitted: CapabilitySet = root.permitted;
  if (hasRenounced && (hasChanged || !isSubset(permitted, old.permitted))) {
    user = userIds.real;
    group = groupIds.real;
    permitted = both(permitted, old.permitted);
  }
  const ambient = hasChanged ? NO_CAPABILITIES : old.ambient;
  permitted = union(permitted, ambient);
  const effective = root.counts ? permitted : ambient;

  // commit_creds
  if (user !== userIds.effective || group !== groupIds.effective || !isSubset(permitted, old.permitted))
    process.mm.dumpable = 0;
  process.userIds = { real: userIds.real, effective: user, saved: user };
  process.groupIds = { real: groupIds.real, effective: group, saved: group };
  process.securebits &= ~SECBIT_KEEP_CAPS;
  setCapabilities(process, { ...old, effective, permitted, ambient });
  const hasMore = userIds.real !== 0 && (root.counts || !isSubset(permitted, ambient));
  return hasChanged || user !== userIds.real || group !== groupIds.real || hasMore;
}
