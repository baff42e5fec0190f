/** The kernel under a sequence on Faultline, set up as the host is: files, the first process, what is in the way in its memory. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { copyToUser } from "../src/mm/fault/uaccess.ts";
import { Kernel } from "../src/mm/kernel/kernel.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import { exitProcess, setBrk } from "../src/mm/kernel/task-lifecycle.ts";
import { procFs } from "../src/mm/proc/proc-fs.ts";
import { devFs } from "../src/mm/shmem/dev-fs.ts";
import { tmpFs } from "../src/mm/shmem/tmpfs.ts";
import { sysFchmod } from "../src/mm/syscalls/attributes.ts";
import { sysChdir } from "../src/mm/syscalls/directory.ts";
import { sysDup2 } from "../src/mm/syscalls/open.ts";
import { sysSetrlimit } from "../src/mm/syscalls/rlimit.ts";
import { O_CREAT, O_RDWR } from "../src/mm/uapi/fcntl.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { ADDR_NO_RANDOMIZE } from "../src/mm/uapi/personality.ts";
import { nodeFs } from "../src/storage/node/index.ts";
import { EM_RISCV } from "./exec-programs.ts";
import {
  ARGUMENT_ADDRESS,
  ARGUMENT_LENGTH,
  CODE_ADDRESS,
  DATA_ADDRESS,
  executorImage,
  IMAGE_FD,
  START_BREAK,
} from "./executor-image.ts";
import { hostArch, hostMinAddr } from "./host-arch.ts";
import { COMMIT_KBYTES } from "./overcommit.ts";
import { INITIAL_LIMITS, NOBODY, NOEXEC_FD, NOEXEC_NAME, SLOTS } from "./subject.ts";
import { FILE_NAMES, fileEnd, initialContent, MAX_FILE, modeOf, SHM_NAMES } from "./test-files.ts";

/** Where the files on disk are mounted. */
export const MOUNT_POINT = "/files";
const NOEXEC_POINT = "/noexec";
/** What comes off the front of the names of files, which the host has elsewhere. */
export const MOUNT_POINTS: readonly string[] = [MOUNT_POINT, NOEXEC_POINT];
/** Ample for what a sequence maps: no step shall fail for want of a frame. */
const RAM_BYTES: number = 64 * 2 ** 20;
/** As many mappings as all processes together can have at vm.max_map_count: that much RAM is behind the host's. */
const MAX_VMAS: number = SLOTS * 2 ** 17;

/**
 * A kernel with everything mounted, and nobody in it.
 * @param directory where the files on disk are, on the host
 * @param isThorough check that nobody writes to free frames
 * @param overcommit vm.overcommit_memory, if the host's was set, too
 */
export function bootKernel(directory: string, isThorough: boolean, overcommit: number | undefined): Kernel {
  const kernel = new Kernel({
    ram: RAM_BYTES,
    arch: hostArch(),
    ...hostMinAddr(),
    poison: isThorough,
    thpSize: existsSync("/sys/kernel/mm/transparent_hugepage") ? 2 ** 21 : 0,
  });
  kernel.phys.maxVmas = MAX_VMAS;
  if (overcommit !== undefined) {
    kernel.phys.commit.kbytes = COMMIT_KBYTES;
    kernel.phys.commit.mode = overcommit;
  }
  kernel.sysctl.legacyVaLayout = Number(readFileSync("/proc/sys/vm/legacy_va_layout", "utf8"));
  kernel.mount(MOUNT_POINT, nodeFs(directory));
  kernel.mount("/dev", devFs({ random: (bytes) => kernel.random.fill(bytes) }));
  kernel.mount("/proc", procFs(kernel));
  makeShmFiles(kernel);
  return kernel;
}

/** The process that every sequence begins with. */
export function spawnFirst(kernel: Kernel): Process {
  const first = kernel.spawn({ comm: "oracle", uid: NOBODY, gid: NOBODY });
  first.personality(ADDR_NO_RANDOMIZE);
  if (process.getuid?.() === 0) openNoexec(kernel, first);
  openImage(first);
  sysChdir(first, MOUNT_POINT);
  for (const [resource, bytes] of INITIAL_LIMITS) sysSetrlimit(first, resource, { soft: bytes, hard: bytes });
  occupyExecutorAreas(first);
  return first;
}

/** What the host's executor has mapped for itself is in the way here, too, and the heap begins behind it. */
export function occupyExecutorAreas(task: Process): void {
  const flags = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS | mman.MAP_FIXED;
  const readWrite = mman.PROT_READ | mman.PROT_WRITE;
  const dataLength = ARGUMENT_ADDRESS + ARGUMENT_LENGTH - DATA_ADDRESS;
  task.mmap(DATA_ADDRESS, dataLength, readWrite, flags);
  copyToUser(task.kernel.mmu, task, ARGUMENT_ADDRESS, new Uint8Array(ARGUMENT_LENGTH));
  // Shared, because a page of a file never merges with the heap behind it either.
  const codeFlags = mman.MAP_SHARED | mman.MAP_ANONYMOUS | mman.MAP_FIXED;
  task.mmap(CODE_ADDRESS, START_BREAK - CODE_ADDRESS, mman.PROT_READ | mman.PROT_EXEC, codeFlags);
  // RLIMIT_DATA counts what lies between the ends of a program's data: of the executor, its only segment.
  task.mm.startData = CODE_ADDRESS;
  task.mm.endData = CODE_ADDRESS + executorImage().length;
  setBrk(task, START_BREAK);
}

/** The executor's program as a file of memory, as the host's processes hold theirs. */
function openImage(first: Process): void {
  const fd = first.memfd_create("executor");
  first.write(fd, executorImage(EM_RISCV));
  sysFchmod(first, fd, 0o555);
  sysDup2(first, fd, IMAGE_FD);
  first.close(fd);
}

function openNoexec(kernel: Kernel, first: Process): void {
  kernel.mount(NOEXEC_POINT, tmpFs(), { noExec: true });
  const root = kernel.spawn({ comm: "root" });
  root.fs.umask = 0;
  root.close(root.open(`${NOEXEC_POINT}/${NOEXEC_NAME}`, O_RDWR | O_CREAT, 0o666));
  exitProcess(root, 0);
  const fd = first.open(`${NOEXEC_POINT}/${NOEXEC_NAME}`, O_RDWR);
  sysDup2(first, fd, NOEXEC_FD);
  first.close(fd);
}

/** The files on tmpfs lie in the root. */
function makeShmFiles(kernel: Kernel): void {
  const root = kernel.spawn({ comm: "root" });
  root.fs.umask = 0;
  for (const name of SHM_NAMES) {
    const fd = root.open(`/${name}`, O_RDWR | O_CREAT, modeOf(name));
    root.write(fd, initialContent(name));
  }
  exitProcess(root, 0);
}

/** What the files on tmpfs hold in the end. */
export function takeShmFiles(kernel: Kernel): readonly Uint8Array[] {
  const reader = kernel.spawn();
  return SHM_NAMES.map((name) => {
    const fd = reader.open(`/${name}`, 0);
    const { size } = reader.stat(`/${name}`);
    const bytes = new Uint8Array(Math.min(size, MAX_FILE));
    reader.read(fd, bytes);
    return fileEnd(bytes, size);
  });
}

/** Where a process finds one of FILE_NAMES. */
export function pathOf(index: number): string {
  const name = FILE_NAMES[index];
  return SHM_NAMES.includes(name) ? `/${name}` : resolve(MOUNT_POINT, name);
}
