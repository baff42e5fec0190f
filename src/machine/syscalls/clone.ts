/**
 * clone and clone3: how a program says what a new process shares with it (kernel/fork.c). fork and vfork are clone on
 * riscv64, whose table has no calls of their own.
 */
import { PAGE_SIZE } from "../../mm/page.ts";
import { E2BIG, EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import {
  CLONE_CLEAR_SIGHAND_HIGH,
  CLONE_DETACHED,
  CLONE_INTO_CGROUP_HIGH,
  CLONE_NEWTIME,
  CLONE_PARENT,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VFORK,
  type CloneRequest,
  CSIGNAL,
  cloneTask,
} from "../life/fork.ts";
import { NSIG } from "../signals/signal-numbers.ts";
import { Thread } from "../thread.ts";
import type { Call, SyscallGroup } from "./call.ts";
import { ERESTARTNOINTR } from "./restart.ts";

/**
 * struct clone_args, 88 bytes, 64 and 80 in its older versions, all u64: 0 flags, 8 pidfd, 16 child_tid, 24 parent_tid,
 * 32 exit_signal, 40 stack, 48 stack_size, 56 tls, 64 set_tid, 72 set_tid_size, 80 cgroup.
 */
const CLONE_ARGS_BYTES = 88;
const CLONE_ARGS_SIZE_VER0 = 64;
const CLONE_ARGS_SIZE_VER2 = 88;
const MAX_PID_NS_LEVEL = 32;
const INT_MAX = 0x7fffffff;

export const cloneCalls: SyscallGroup = [
  [220, "clone", 5, clone],
  [435, "clone3", 2, clone3],
];

/** riscv's order of arguments is flags, stack, parent's tid, tls, child's tid (CONFIG_CLONE_BACKWARDS). */
function clone(call: Call): number {
  const flags = call.u32(0);
  return begin(call, {
    flags: flags & ~CSIGNAL,
    high: 0,
    exitSignal: flags & CSIGNAL,
    stack: call.u64(1),
    // One pointer for two uses, which therefore exclude each other.
    pidfd: call.u64(2),
    parentTid: call.u64(2),
    tls: call.u64(3),
    childTid: call.u64(4),
  });
}

function clone3(call: Call): number {
  if (call.thread.callState instanceof Thread) return call.thread.callState.tid;
  const request = cloneArgs(call);
  return typeof request === "number" ? request : begin(call, request);
}

/** kernel_clone: the child's number; with CLONE_VFORK once the child has memory of its own or is gone. */
function begin(call: Call, request: CloneRequest): number {
  const kept = call.thread.callState;
  if (kept instanceof Thread) return kept.tid;
  const child = cloneTask(call.system, call.thread, request);
  if (typeof child === "number") return child;
  if ((request.flags & CLONE_VFORK) === 0) return child.tid;
  const isReady = (): boolean => child.vforkParent === undefined;
  const wait = {
    isReady,
    deadlineNs: Number.POSITIVE_INFINITY,
    interrupted: -ERESTARTNOINTR,
    killableOnly: true,
  };
  return call.block(wait, child);
}

/** copy_clone_args_from_user, clone3_args_valid. */
function cloneArgs(call: Call): CloneRequest | number {
  const size = call.u64(1);
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < CLONE_ARGS_SIZE_VER0) return -EINVAL;
  const raw = call.get(call.u64(0), size);
  if (raw === undefined) return -EFAULT;
  // What a later version knows and this one does not must not be asked for (copy_struct_from_user).
  if (raw.bytes.subarray(CLONE_ARGS_BYTES).some((byte) => byte !== 0)) return -E2BIG;
  const args = new StructView(CLONE_ARGS_BYTES);
  args.bytes.set(raw.bytes.subarray(0, CLONE_ARGS_BYTES));
  const low = args.u32(0);
  const high = args.u32(4);
  const exitSignal = args.u64(32);
  const setTid = args.u64(64);
  const setTidSize = args.u64(72);
  if (setTidSize > MAX_PID_NS_LEVEL || (setTid === 0) !== (setTidSize === 0)) return -EINVAL;
  if (exitSignal > NSIG) return -EINVAL;
  const intoCgroup = (high & CLONE_INTO_CGROUP_HIGH) !== 0;
  if (intoCgroup && (args.u64(80) > INT_MAX || size < CLONE_ARGS_SIZE_VER2)) return -EINVAL;
  const wantedTids = setTid === 0 ? undefined : call.get(setTid, setTidSize * 4);
  if (setTid !== 0 && wantedTids === undefined) return -EFAULT;

  const clearsSighand = (high & CLONE_CLEAR_SIGHAND_HIGH) !== 0;
  if ((high & ~(CLONE_CLEAR_SIGHAND_HIGH | CLONE_INTO_CGROUP_HIGH)) !== 0) return -EINVAL;
  if ((low & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) !== 0) return -EINVAL;
  if (clearsSighand && (low & CLONE_SIGHAND) !== 0) return -EINVAL;
  if ((low & (CLONE_THREAD | CLONE_PARENT)) !== 0 && exitSignal !== 0) return -EINVAL;
  const stack = args.u64(40);
  const stackSize = args.u64(48);
  if ((stack === 0) !== (stackSize === 0)) return -EINVAL;
  if (stack + stackSize > call.process.mm.arch.taskSize) return -EINVAL;
  // A number for each level of nested namespaces; there is one.
  if (setTidSize > 1) return -EINVAL;
  return {
    flags: low,
    high,
    exitSignal,
    stack: stack + stackSize,
    pidfd: args.u64(8),
    parentTid: args.u64(24),
    tls: args.u64(56),
    childTid: args.u64(16),
    ...(wantedTids === undefined ? {} : { wantedPid: wantedTids.s32(0) }),
  };
}
