/** execve and execveat: another program for the process (execve(2), execveat(2); the work is in life/prepare-exec.ts and exec.ts). */
import { isOverNproc } from "../../mm/kernel/task-lifecycle.ts";
import { EAGAIN, EINVAL, ENOENT } from "../../mm/uapi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../mm/uapi/fcntl.ts";
import { ElfError } from "../elf/elf-error.ts";
import { commitExec } from "../life/exec.ts";
import { userStrings } from "../life/exec-strings.ts";
import { exitGroup } from "../life/exit.ts";
import { type ExecRequest, prepareExec } from "../life/prepare-exec.ts";
import { SIGSEGV } from "../signals/signal-numbers.ts";
import { type Call, REGISTERS_SET, type SyscallGroup } from "./call.ts";

/** Only find out whether the file could be executed (since Linux 6.14). */
const AT_EXECVE_CHECK = 0x10000;

const EXECVEAT_FLAGS: number = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK;

export const execveCalls: SyscallGroup = [
  [221, "execve", 3, execve],
  [281, "execveat", 5, execveat],
];

function execve(call: Call): number {
  const path = call.pathNotEmpty(0);
  return typeof path === "number" ? path : execute(call, { path, dirfd: AT_FDCWD, flags: 0 }, 1);
}

function execveat(call: Call): number {
  const flags = call.u32(4);
  const path = call.path(1);
  if (typeof path === "number") return path;
  if (path === "" && (flags & AT_EMPTY_PATH) === 0) return -ENOENT;
  return execute(call, { path, dirfd: call.s32(0), flags }, 2);
}

/** @param first the argument that points to argv; envp follows */
function execute(
  call: Call,
  where: Required<Pick<ExecRequest, "path" | "dirfd" | "flags">>,
  first: number,
): number {
  const { process } = call;
  if (process.nprocExceeded && isOverNproc(process, process.userIds.real, 0)) return -EAGAIN;
  process.nprocExceeded = false;
  if ((where.flags & ~EXECVEAT_FLAGS) !== 0) return -EINVAL;
  const strings = userStrings(process, call.u64(first), call.u64(first + 1));
  const prepared = prepareExec(process, { ...where, strings });
  if (typeof prepared === "number") return prepared;
  // Segments that make no sense are only met past the point of no return.
  if (prepared instanceof ElfError && prepared.kind !== "malformed") return -prepared.errno;
  const state =
    prepared instanceof ElfError ? -prepared.errno : commitExec(call.system, call.thread, prepared);
  if (typeof state === "number") exitGroup(call.system, call.thread.group, SIGSEGV);
  else call.system.hart.loadState(state);
  return REGISTERS_SET;
}
