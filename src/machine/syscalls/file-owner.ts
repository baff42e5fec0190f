/** Whom a file tells by signals (f_setown in fs/fcntl.c): F_SETOWN, F_SETSIG and their relatives, and the same as ioctls. */
import { fdGet } from "../../mm/syscalls/fd.ts";
import { EBADF, EFAULT, EINVAL, ENOTTY, ESRCH } from "../../mm/uapi/errno.ts";
import { setAsync } from "../../mm/vfs/fasync.ts";
import type { File } from "../../mm/vfs/file.ts";
import { StructView } from "../abi/bytes.ts";
import { F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, ownerOf, SignalOwner } from "../signals/file-owner.ts";
import { NSIG } from "../signals/signal-numbers.ts";
import type { System } from "../system.ts";
import type { Call } from "./call.ts";

export const F_SETOWN = 8;
export const F_GETOWN = 9;
export const F_SETSIG = 10;
export const F_GETSIG = 11;
export const F_SETOWN_EX = 15;
export const F_GETOWN_EX = 16;
/** struct f_owner_ex: 0 type (int), 4 number. */
const OWNER_EX_BYTES = 8;

/** F_SETOWN … F_GETOWN_EX of fcntl. */
export function ownerCommand(call: Call, cmd: number): number {
  const file = fdGet(call.process, call.s32(0));
  if (file === undefined) return -EBADF;
  const owner = file.owner instanceof SignalOwner ? file.owner : undefined;
  switch (cmd) {
    case F_SETOWN:
      return setOwner(call, file, call.s32(2));
    case F_GETOWN:
      return getOwner(file);
    case F_SETSIG: {
      const signal = call.u64(2);
      if (signal > NSIG) return -EINVAL;
      ownerOf(call.system, file).signal = signal;
      return 0;
    }
    case F_GETSIG:
      return owner?.signal ?? 0;
    case F_SETOWN_EX: {
      const given = call.get(call.u64(2), OWNER_EX_BYTES);
      if (given === undefined) return -EFAULT;
      const [type, id] = [given.s32(0), given.s32(4)];
      if (type !== F_OWNER_TID && type !== F_OWNER_PID && type !== F_OWNER_PGRP) return -EINVAL;
      return set(call, file, type, id);
    }
    default: {
      const told = new StructView(OWNER_EX_BYTES).put32(0, owner?.type ?? F_OWNER_TID);
      return call.put(call.u64(2), told.put32(4, owner?.id ?? 0).bytes);
    }
  }
}

/** F_SETOWN, FIOSETOWN: a process, or a process group as its negative. */
function setOwner(call: Call, file: File, who: number): number {
  // Its negative is no number.
  if (who === -(2 ** 31)) return -EINVAL;
  return set(call, file, who < 0 ? F_OWNER_PGRP : F_OWNER_PID, Math.abs(who));
}

function set(call: Call, file: File, type: number, id: number): number {
  if (id !== 0 && !isSomebody(call.system, id)) return -ESRCH;
  ownerOf(call.system, file).set(type, id, call.process.userIds);
  return 0;
}

/** Whether a thread, a process group or a session has the number (find_vpid). */
function isSomebody(system: System, id: number): boolean {
  if (system.thread(id) !== undefined) return true;
  for (const { processGroup, session } of system.groups.values())
    if (processGroup === id || session === id) return true;
  return false;
}

function getOwner({ owner }: File): number {
  if (!(owner instanceof SignalOwner)) return 0;
  return owner.type === F_OWNER_PGRP ? -owner.id : owner.id;
}

/** FIOASYNC. */
export function ioctlAsync(call: Call, file: File): number {
  const wanted = call.get(call.u64(2), 4);
  if (wanted === undefined) return -EFAULT;
  return setAsync(file, call.s32(0), wanted.u32(0) !== 0) ?? -ENOTTY;
}

/** FIOSETOWN and SIOCSPGRP, of sockets. */
export function ioctlSetOwner(call: Call, file: File): number {
  const wanted = call.get(call.u64(2), 4);
  return wanted === undefined ? -EFAULT : setOwner(call, file, wanted.s32(0));
}

/** FIOGETOWN and SIOCGPGRP. */
export function ioctlGetOwner(call: Call, file: File): number {
  return call.put(call.u64(2), new StructView(4).put32(0, getOwner(file)).bytes);
}
