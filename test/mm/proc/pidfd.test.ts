/** pidfds in the library, and what /proc has of descriptors and threads; how they answer is compared by test/programs/pidfd.c. */
import { beforeEach, expect, it } from "vitest";
import {
  Kernel,
  MADV_COLD,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  PIDFD_SELF_THREAD_GROUP,
  type Process,
  procFs,
  validate,
} from "../../../src/mm/index.ts";
import { sysReadlinkat } from "../../../src/mm/syscalls/directory.ts";
import { sysProcessMrelease } from "../../../src/mm/syscalls/pidfd.ts";
import { EINVAL, ESRCH } from "../../../src/mm/uapi/errno.ts";
import { AT_FDCWD } from "../../../src/mm/uapi/fcntl.ts";
import { MM_ANONPAGES, MM_SHMEMPAGES } from "../../../src/mm/vma/mm-struct.ts";
import { readAll } from "./steps.ts";

const PAGE = 4096;
const RW = 3;

let kernel: Kernel;
let process: Process;

beforeEach(() => {
  kernel = new Kernel({ ram: 16 * 2 ** 20 });
  kernel.mount("/proc", procFs(kernel));
  process = kernel.spawn({ comm: "main" });
});

/** The last two lines of what fdinfo says. */
function pids(fd: number): string[] {
  return readAll(process, `/proc/self/fdinfo/${fd}`).trimEnd().split("\n").slice(-2);
}

it("a pidfd means its process, whoever has the number", () => {
  const child = process.fork();
  const fd = process.pidfd_open(child.pid);
  const poll = (): number | undefined => process.files.get(fd)?.ops.poll?.(process.files.get(fd) as never);
  expect(pids(fd)).toEqual([`Pid:\t${child.pid}`, `NSpid:\t${child.pid}`]);
  expect(sysReadlinkat(process, AT_FDCWD, `/proc/self/fd/${fd}`)).toBe("anon_inode:[pidfd]");
  expect(process.files.isCloexec(fd)).toBe(true);
  expect(poll()).toBe(0);
  child.exit(1);
  expect(poll()).toBe(0x41);
  expect(pids(fd)).toEqual([`Pid:\t${child.pid}`, `NSpid:\t${child.pid}`]);
  process.wait();
  expect(poll()).toBe(0x51);
  expect(pids(fd)).toEqual(["Pid:\t-1", "NSpid:\t-1"]);
  expect(() => process.pidfd_getfd(fd, 0)).toThrow("ESRCH");
  expect(() => process.pidfd_open(child.pid)).toThrow("ESRCH");
  // Somebody else has the number now (clone3 can ask for it).
  const other = process.fork();
  kernel.processes.set(child.pid, other);
  expect(() => process.pidfd_getfd(fd, 0)).toThrow("ESRCH");
  kernel.processes.delete(child.pid);
  expect(validate(kernel)).toEqual([]);
});

it("pidfd_getfd shares the open file", () => {
  const child = process.fork();
  const theirs = child.memfd_create("shared");
  child.write(theirs, new Uint8Array([1, 2, 3]));
  const fd = process.pidfd_getfd(process.pidfd_open(child.pid), theirs);
  expect(process.lseek(fd, 0, 1)).toBe(3);
  process.lseek(fd, 1, 0);
  expect(child.lseek(theirs, 0, 1)).toBe(1);
  const stranger = kernel.spawn({ uid: 7, gid: 7 });
  expect(() => stranger.pidfd_getfd(stranger.pidfd_open(child.pid), theirs)).toThrow("EPERM");
});

it("process_madvise goes where the pidfd says", () => {
  const addr = process.mmap(0, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
  process.storeU8(addr, 1);
  const child = process.fork();
  const fd = process.pidfd_open(child.pid);
  expect(process.process_madvise(fd, [[addr, 2 * PAGE]], MADV_COLD)).toBe(2 * PAGE);
  expect(() => process.process_madvise(fd, [[addr, PAGE]], MADV_DONTNEED)).toThrow("EINVAL");
  expect(process.process_madvise(PIDFD_SELF_THREAD_GROUP, [[addr, PAGE]], MADV_DONTNEED)).toBe(PAGE);
  expect(process.loadU8(addr)).toBe(0);
  expect(child.loadU8(addr)).toBe(1);
  expect(() => process.process_madvise(99, [[addr, PAGE]], MADV_COLD)).toThrow("EBADF");
  child.exit();
  expect(() => process.process_madvise(fd, [[addr, PAGE]], MADV_COLD)).toThrow("ESRCH");
});

it("process_mrelease takes the private memory of who is dying, and only of them", () => {
  const child = process.fork();
  const own = child.mmap(0, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
  const shared = child.mmap(0, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS);
  for (let i = 0; i < 8; i++) child.storeU8(own + i * PAGE, 1);
  for (let i = 0; i < 4; i++) child.storeU8(shared + i * PAGE, 1);
  const fd = process.pidfd_open(child.pid);
  const release = (isDying: boolean): number =>
    sysProcessMrelease(kernel.processes, process, fd, 0, () => isDying);
  expect(release(false)).toBe(-EINVAL);
  expect([...child.mm.rss]).toMatchObject({ [MM_ANONPAGES]: 8, [MM_SHMEMPAGES]: 4 });
  expect(release(true)).toBe(0);
  expect([...child.mm.rss]).toMatchObject({ [MM_ANONPAGES]: 0, [MM_SHMEMPAGES]: 4 });
  expect(validate(kernel)).toEqual([]);
  child.exit();
  expect(release(true)).toBe(-ESRCH);
});

it("a process has one thread, with its files and children", () => {
  const child = process.fork();
  expect(readAll(process, `/proc/self/task/${process.pid}/children`)).toBe(`${child.pid} `);
  expect(readAll(process, "/proc/thread-self/comm")).toBe("main\n");
  expect(process.stat("/proc/self/task").nlink).toBe(3);
  expect(readAll(process, "/proc/self/mountinfo")).toBe(
    "2 1 0:1 / / rw,relatime - tmpfs tmpfs rw\n3 2 0:2 / /proc rw,relatime - proc proc rw\n",
  );
  expect(readAll(process, "/proc/uptime")).toBe("0.00 0.00\n");
  expect(readAll(process, "/proc/loadavg")).toBe(`0.00 0.00 0.00 0/2 ${child.pid}\n`);
});
