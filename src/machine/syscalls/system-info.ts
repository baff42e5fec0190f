/** What a program asks about the system it runs on, and a few settings that are kept and told back. */

import { PAGE_SIZE } from "../../mm/page.ts";
import { NR_SHMEM } from "../../mm/trace/vmstat.ts";
import { CAP_SYS_ADMIN } from "../../mm/uapi/capability.ts";
import { EFAULT, EINVAL, EPERM } from "../../mm/uapi/errno.ts";
import { UTS_LEN, UTS_RELEASE, UTS_SYSNAME, UTS_VERSION, type UtsNames } from "../../mm/uapi/utsname.ts";
import { capable } from "../../mm/vfs/capability.ts";
import { decodeName } from "../../mm/vfs/name-bytes.ts";
import { StructView } from "../abi/bytes.ts";
import { encodeSysinfo, encodeUtsname } from "../abi/structs.ts";
import { NSIG } from "../signals/signal-numbers.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { prctlCredentials } from "./prctl-credentials.ts";
import { prctlTuning } from "./prctl-tuning.ts";

const GRND_FLAGS = 7;
/** Bytes made at a time by getrandom. */
const RANDOM_CHUNK = 4096;
const PERSONALITY_QUERY = 0xffffffff;

const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
const PR_SET_CHILD_SUBREAPER = 36;
const PR_GET_CHILD_SUBREAPER = 37;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
/** TASK_COMM_LEN, its NUL included. */
const COMM_BYTES = 16;

export const systemInfoCalls: SyscallGroup = [
  [92, "personality", 1, personality],
  [160, "uname", 1, uname],
  [161, "sethostname", 2, (call) => setName(call, "node")],
  [162, "setdomainname", 2, (call) => setName(call, "domain")],
  [167, "prctl", 5, prctl],
  [179, "sysinfo", 1, sysinfo],
  [278, "getrandom", 3, getrandom],
];

function uname(call: Call): number {
  const { node, domain } = call.system.kernel.utsNames;
  const names = [UTS_SYSNAME, node, UTS_RELEASE, UTS_VERSION, "riscv64", domain];
  return call.put(call.u64(0), encodeUtsname(names));
}

/** Arguments: a name that need not end with a NUL, its length. */
function setName(call: Call, which: keyof UtsNames): number {
  const length = call.s32(1);
  if (!capable(call.process, CAP_SYS_ADMIN)) return -EPERM;
  if (length < 0 || length > UTS_LEN) return -EINVAL;
  const name = call.get(call.u64(0), length);
  if (name === undefined) return -EFAULT;
  const end = name.bytes.indexOf(0);
  call.system.kernel.utsNames[which] = decodeName(end < 0 ? name.bytes : name.bytes.subarray(0, end));
  return 0;
}

function personality(call: Call): number {
  const { group } = call.thread;
  const old = group.personality;
  const wanted = call.u32(0);
  if (wanted !== PERSONALITY_QUERY) group.personality = wanted;
  return old;
}

function prctl(call: Call): number {
  const { process } = call;
  const { group } = call.thread;
  const othersAreSet = (from: number): boolean => [2, 3, 4].some((i) => i >= from && call.u64(i) !== 0);
  switch (call.s32(0)) {
    case PR_SET_NAME: {
      const name = call.get(call.u64(1), COMM_BYTES);
      if (name === undefined) return -EFAULT;
      const end = name.bytes.indexOf(0);
      call.thread.comm = decodeName(name.bytes.subarray(0, end < 0 ? COMM_BYTES - 1 : end));
      return 0;
    }
    case PR_GET_NAME:
      return call.put(call.u64(1), new StructView(COMM_BYTES).putText(0, call.thread.comm, COMM_BYTES).bytes);
    case PR_GET_DUMPABLE:
      return process.mm.dumpable;
    case PR_SET_DUMPABLE:
      if (call.u64(1) > 1) return -EINVAL;
      process.mm.dumpable = call.u64(1);
      return 0;
    case PR_SET_PDEATHSIG:
      if (call.u64(1) > NSIG) return -EINVAL;
      group.parentDeathSignal = call.u64(1);
      return 0;
    case PR_GET_PDEATHSIG:
      return call.put(call.u64(1), new StructView(4).put32(0, group.parentDeathSignal).bytes);
    case PR_SET_NO_NEW_PRIVS:
      if (call.u64(1) !== 1 || othersAreSet(2)) return -EINVAL;
      group.noNewPrivileges = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      return call.u64(1) !== 0 || othersAreSet(2) ? -EINVAL : Number(group.noNewPrivileges);
    case PR_SET_CHILD_SUBREAPER:
      process.isChildSubreaper = call.u64(1) !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return call.put(call.u64(1), new StructView(4).put32(0, Number(process.isChildSubreaper)).bytes);
    default:
      return prctlTuning(call) ?? prctlCredentials(call) ?? -EINVAL;
  }
}

function sysinfo(call: Call): number {
  const { kernel, clock, groups } = call.system;
  const { phys } = kernel;
  return call.put(
    call.u64(0),
    encodeSysinfo({
      uptimeSeconds: Math.floor(clock.monotonicNs() / 1e9),
      totalRam: phys.totalFrames * PAGE_SIZE,
      freeRam: phys.buddy.freeFrames * PAGE_SIZE,
      sharedRam: phys.stat[NR_SHMEM] * PAGE_SIZE,
      bufferRam: 0,
      totalSwap: phys.totalSwapPages * PAGE_SIZE,
      freeSwap: phys.nrSwapPages * PAGE_SIZE,
      processes: groups.size,
    }),
  );
}

/** From the kernel's seed, so that a run repeats. Never short, but at a bad page. */
function getrandom(call: Call): number {
  const flags = call.u32(2);
  if ((flags & ~GRND_FLAGS) !== 0 || (flags & 6) === 6) return -EINVAL;
  const length = Math.min(call.u64(1), 0x7fffffff);
  const iter = call.iter([{ base: call.u64(0), len: length }]);
  for (let done = 0; done < length; ) {
    const bytes = new Uint8Array(Math.min(RANDOM_CHUNK, length - done));
    call.system.random(bytes);
    const copied = iter.copyBytesToIter(bytes);
    done += copied;
    if (copied < bytes.length) return done > 0 ? done : -EFAULT;
  }
  return length;
}
