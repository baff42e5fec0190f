/** The calls about the memory of another process, as functions of Faultline. */
import { copyToUser } from "../src/mm/fault/uaccess.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import { sysClose, sysOpenat } from "../src/mm/syscalls/open.ts";
import { pidfdGetTask, sysPidfdOpen } from "../src/mm/syscalls/pidfd.ts";
import { sysProcessMadvise } from "../src/mm/syscalls/process-madvise.ts";
import { sysProcessVmReadv, sysProcessVmWritev } from "../src/mm/syscalls/process-vm.ts";
import { sysPread64, sysPwrite64 } from "../src/mm/syscalls/read-write.ts";
import { EINVAL } from "../src/mm/uapi/errno.ts";
import { AT_FDCWD, O_RDWR } from "../src/mm/uapi/fcntl.ts";
import { ARGUMENT_ADDRESS } from "./executor-image.ts";
import { userBuffer } from "./faultline-calls.ts";
import { importedSegments } from "./file-transfers.ts";
import type { CallAboutOthers } from "./other-arguments.ts";
import { type Outcome, SKIPPED, storedBytes } from "./subject.ts";

/** The call; `words` is what comes behind the other process in the arguments. */
export function performOnOther(
  task: Process,
  other: Process | undefined,
  call: CallAboutOthers,
  words: readonly number[],
): Outcome {
  if (call === "process_vm_readv" || call === "process_vm_writev") return transfer(task, other, call, words);
  if (other === undefined) return SKIPPED;
  switch (call) {
    case "process_madvise":
      return adviseOther(task, other, words);
    case "mem_read":
    case "mem_write":
      return throughMem(task, other, call, words);
  }
}

/** `pidfd_madvise`, with what the machine checks on the way to it. */
export function adviseByPidfd(task: Process, [fd, base, len, advice, flags]: readonly number[]): number {
  if (flags !== 0) return -EINVAL;
  if (len >= 2 ** 63) return -EINVAL;
  const ranges = importedSegments([{ base, len }]);
  if (typeof ranges === "number") return ranges;
  const target = pidfdGetTask(task.kernel.processes, task, fd);
  if (typeof target === "number") return target;
  return sysProcessMadvise(task.kernel.mmu, task, target, ranges, advice);
}

function transfer(
  task: Process,
  target: Process | undefined,
  call: "process_vm_readv" | "process_vm_writev",
  words: readonly number[],
): Outcome {
  const count = Math.floor(words.length / 4);
  if (words.length > 4 * count && words[4 * count] !== 0) return { result: -EINVAL };
  const [local, remote] = [0, 2].map((side) =>
    Array.from({ length: count }, (_, at) => ({
      base: words[4 * at + side],
      len: words[4 * at + side + 1],
    })),
  );
  const own = importedSegments(local);
  if (typeof own === "number") return { result: own };
  if (own.every(({ len }) => len === 0)) return { result: 0 };
  if (remote.some(({ len }) => len >= 2 ** 63)) return { result: -EINVAL };
  const sides = { target, local: own, remote };
  const { mmu } = task.kernel;
  return {
    result:
      call === "process_vm_readv"
        ? sysProcessVmReadv(mmu, task, sides)
        : sysProcessVmWritev(mmu, task, sides),
  };
}

function adviseOther(
  task: Process,
  target: Process,
  [base, len, advice, ...more]: readonly number[],
): Outcome {
  const ranges = [{ base, len }];
  for (let at = 0; at < more.length; at += 2) ranges.push({ base: more[at], len: more[at + 1] });
  const pidfd = sysPidfdOpen(task.kernel.processes, task, target.pid, 0);
  if (pidfd < 0) return { result: pidfd };
  const own = importedSegments(ranges);
  const result =
    typeof own === "number" ? own : sysProcessMadvise(task.kernel.mmu, task, target, own, advice);
  sysClose(task, pidfd);
  return { result };
}

function throughMem(
  task: Process,
  other: Process,
  call: "mem_read" | "mem_write",
  [addr, length, first]: readonly number[],
): Outcome {
  const fd = sysOpenat(task, AT_FDCWD, `/proc/${other.pid}/mem`, O_RDWR, 0);
  if (fd < 0) return { result: fd };
  if (call === "mem_write") copyToUser(task.kernel.mmu, task, ARGUMENT_ADDRESS, storedBytes(length, first));
  const buffer = userBuffer(task, ARGUMENT_ADDRESS, length);
  // An offset has a sign.
  const offset = addr < 2 ** 63 ? addr : addr - 2 ** 64;
  const result =
    call === "mem_read" ? sysPread64(task, fd, buffer, offset) : sysPwrite64(task, fd, buffer, offset);
  sysClose(task, fd);
  return {
    result,
    bytes: task.readBytes(ARGUMENT_ADDRESS, call === "mem_read" ? Math.max(0, result) : 0),
  };
}
