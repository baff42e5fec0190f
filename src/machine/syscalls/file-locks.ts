/** fcntl, and flock: the locks of both, decoding struct flock, and waiting. */
import {
  type Flock,
  fcntlLockRequest,
  flockRequest,
  flockWaits,
  sysGetLock,
  sysSetLock,
} from "../../mm/syscalls/file-lock.ts";
import { sysFcntl } from "../../mm/syscalls/open.ts";
import { EFAULT } from "../../mm/uapi/errno.ts";
import type { FileLock } from "../../mm/vfs/file-lock.ts";
import { ERESTART_WOULD_BLOCK } from "../../mm/vfs/would-block.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call, SyscallGroup } from "./call.ts";
import {
  F_GETOWN,
  F_GETOWN_EX,
  F_GETSIG,
  F_SETOWN,
  F_SETOWN_EX,
  F_SETSIG,
  ownerCommand,
} from "./file-owner.ts";
import { ERESTARTSYS } from "./restart.ts";

const F_GETLK = 5;
const F_SETLK = 6;
const F_SETLKW = 7;
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_OFD_SETLKW = 38;
/** struct flock, 32 bytes: 0 type (s16), 2 whence (s16), 8 start, 16 len, 24 pid (s32). */
const FLOCK_BYTES = 32;

export const fileLockCalls: SyscallGroup = [
  [25, "fcntl", 3, fcntl],
  [32, "flock", 2, flock],
];

function fcntl(call: Call): number {
  stopWaiting(call);
  const cmd = call.s32(1);
  switch (cmd) {
    case F_GETLK:
    case F_OFD_GETLK:
      return getLock(call, cmd === F_OFD_GETLK);
    case F_SETLK:
    case F_SETLKW:
      return setLock(call, /* isOfd */ false, cmd === F_SETLKW);
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return setLock(call, /* isOfd */ true, cmd === F_OFD_SETLKW);
    case F_SETOWN:
    case F_GETOWN:
    case F_SETSIG:
    case F_GETSIG:
    case F_SETOWN_EX:
    case F_GETOWN_EX:
      return ownerCommand(call, cmd);
    default:
      return sysFcntl(call.process, call.s32(0), cmd, call.s64(2));
  }
}

function getFlock(call: Call): Flock | undefined {
  const raw = call.get(call.u64(2), FLOCK_BYTES);
  if (raw === undefined) return undefined;
  const short = (at: number): number => (raw.u16(at) << 16) >> 16;
  return { type: short(0), whence: short(2), start: raw.big64(8), len: raw.big64(16), pid: raw.s32(24) };
}

function getLock(call: Call, isOfd: boolean): number {
  const flock = getFlock(call);
  if (flock === undefined) return -EFAULT;
  const lock = fcntlLockRequest(call.process, call.s32(0), flock, isOfd);
  if (typeof lock === "number") return lock;
  const found = sysGetLock(call.process, lock, flock);
  if (typeof found === "number") return found;
  const out = new StructView(FLOCK_BYTES).put16(0, found.type).put16(2, found.whence);
  out.putBig64(8, found.start).putBig64(16, found.len).put32(24, found.pid);
  return call.put(call.u64(2), out.bytes);
}

function setLock(call: Call, isOfd: boolean, waits: boolean): number {
  const flock = getFlock(call);
  if (flock === undefined) return -EFAULT;
  const lock = fcntlLockRequest(call.process, call.s32(0), flock, isOfd);
  return typeof lock === "number" ? lock : take(call, lock, waits);
}

function flock(call: Call): number {
  stopWaiting(call);
  const lock = flockRequest(call.process, call.s32(0), call.s32(1));
  return typeof lock === "number" ? lock : take(call, lock, flockWaits(call.s32(1)));
}

/** Takes the lock, or puts the caller to wait until nobody is in its way. */
function take(call: Call, lock: FileLock, waits: boolean): number {
  const { locks } = call.system.kernel.mounts;
  const result = sysSetLock(call.process, lock, waits);
  if (result !== -ERESTART_WOULD_BLOCK) return result;
  const deadlock = locks.startWaiting(lock);
  if (deadlock !== 0) return deadlock;
  return call.block(
    {
      isReady: () => locks.blockerOf(lock) === undefined,
      deadlineNs: Number.POSITIVE_INFINITY,
      interrupted: -ERESTARTSYS,
      abandon: () => locks.stopWaiting(lock),
    },
    new LockWait(lock),
  );
}

/** Another try asks anew, whatever becomes of it. */
function stopWaiting({ system, thread }: Call): void {
  const { callState } = thread;
  if (callState instanceof LockWait) system.kernel.mounts.locks.stopWaiting(callState.lock);
}

/** What a call that waits for a lock keeps between its tries. */
class LockWait {
  readonly lock: FileLock;

  constructor(lock: FileLock) {
    this.lock = lock;
  }
}
