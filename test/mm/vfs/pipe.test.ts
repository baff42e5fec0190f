import { expect, test } from "vitest";
import { UserIter } from "../../../src/mm/fault/user-iter.ts";
import { LinuxError } from "../../../src/mm/kernel/errors.ts";
import { Kernel } from "../../../src/mm/kernel/kernel.ts";
import { validate } from "../../../src/mm/kernel/validate.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { tmpFs } from "../../../src/mm/shmem/tmpfs.ts";
import { sysFtruncate } from "../../../src/mm/syscalls/file-size.ts";
import { sysFcntl, sysPipe2 } from "../../../src/mm/syscalls/open.ts";
import { sysPread64 } from "../../../src/mm/syscalls/read-write.ts";
import { sysFsync } from "../../../src/mm/syscalls/sync.ts";
import {
  EAGAIN,
  EBADF,
  EBUSY,
  EFAULT,
  EINVAL,
  ENFILE,
  ENOMEM,
  EPERM,
  EPIPE,
  ESPIPE,
} from "../../../src/mm/uapi/errno.ts";
import { O_DIRECT, O_NONBLOCK } from "../../../src/mm/uapi/fcntl.ts";
import {
  F_GETPIPE_SZ,
  F_SETPIPE_SZ,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from "../../../src/mm/uapi/fs.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../../src/mm/uapi/mman.ts";
import { dPath } from "../../../src/mm/vfs/path.ts";
import { Pipe } from "../../../src/mm/vfs/pipe.ts";
import { pipeLimits } from "../../../src/mm/vfs/pipe-payer.ts";
import { ERESTART_WOULD_BLOCK } from "../../../src/mm/vfs/would-block.ts";
import { Guest } from "./guest.ts";

function pipe(flags = 0): { guest: Guest; r: number; w: number } {
  const guest = new Guest(tmpFs());
  const ends = sysPipe2(guest.task, flags);
  if (typeof ends === "number") throw new Error(`pipe2: ${ends}`);
  return { guest, r: ends[0], w: ends[1] };
}

function ready(guest: Guest, fd: number): number {
  const file = guest.task.files.get(fd);
  return file?.ops.poll?.(file) ?? -1;
}

test("bytes come out as they went in", () => {
  const { guest, r, w } = pipe();
  expect(guest.write(w, "hello ")).toBe(6);
  expect(guest.write(w, "world")).toBe(5);
  expect(guest.read(r, 8)).toBe("hello wo");
  expect(guest.read(r, 8)).toBe("rld");
});

test("an empty pipe blocks, or answers EAGAIN, or is at its end", () => {
  const blocking = pipe();
  expect(blocking.guest.read(blocking.r, 1)).toBe(-ERESTART_WOULD_BLOCK);
  expect(blocking.guest.read(blocking.r, 0)).toBe("");
  expect(ready(blocking.guest, blocking.r)).toBe(0);
  blocking.guest.write(blocking.w, "x");
  expect(ready(blocking.guest, blocking.r)).toBe(POLLIN | POLLRDNORM);
  blocking.guest.close(blocking.w);
  expect(blocking.guest.read(blocking.r, 5)).toBe("x");
  expect(blocking.guest.read(blocking.r, 5)).toBe("");
  expect(ready(blocking.guest, blocking.r)).toBe(POLLHUP);
  const other = pipe(O_NONBLOCK);
  expect(other.guest.read(other.r, 1)).toBe(-EAGAIN);
});

test("a pipe without readers is broken", () => {
  const { guest, r, w } = pipe();
  expect(ready(guest, w)).toBe(POLLOUT | POLLWRNORM);
  guest.close(r);
  expect(guest.write(w, "x")).toBe(-EPIPE);
  expect(ready(guest, w)).toBe(POLLOUT | POLLWRNORM | POLLERR);
});

/** How many bytes go into an empty pipe of the host in pieces of this size: seen on Linux 6.18. */
test.each([
  [1, 65536],
  [4096, 65536],
  [4095, 65520],
  [65536, 65536],
  [100000, 65536],
  [3000, 48000],
])("a pipe filled with writes of %i bytes holds %i", (size, total) => {
  const { guest, w } = pipe(O_NONBLOCK);
  const piece = "x".repeat(size);
  let sum = 0;
  for (;;) {
    const written = guest.write(w, piece);
    if (written < 0) {
      expect(written).toBe(-EAGAIN);
      break;
    }
    sum += written;
  }
  expect(sum).toBe(total);
});

test("a blocking write to a full pipe waits, and takes what fits when there is room", () => {
  const { guest, r, w } = pipe();
  expect(guest.write(w, "a".repeat(70000))).toBe(65536);
  expect(guest.write(w, "b")).toBe(-ERESTART_WOULD_BLOCK);
  expect(ready(guest, w)).toBe(0);
  expect(guest.read(r, 4096)).toHaveLength(4096);
  expect(guest.write(w, "b".repeat(4096))).toBe(4096);
  expect(guest.write(w, "b".repeat(4096))).toBe(-ERESTART_WOULD_BLOCK);
});

test("what a pipe can't do", () => {
  const { guest, r, w } = pipe();
  expect(guest.read(w, 1)).toBe(-EBADF);
  expect(guest.write(r, "x")).toBe(-EBADF);
  expect(sysPread64(guest.task, r, guest.iter(new Uint8Array(1)), 0)).toBe(-ESPIPE);
  expect(sysFtruncate(guest.task, w, 0)).toBe(-EINVAL);
  expect(sysFsync(guest.task, w)).toBe(-EINVAL);
  expect(sysPipe2(guest.task, O_DIRECT)).toBe(-EINVAL);
  expect(sysPipe2(guest.task, 1)).toBe(-EINVAL);
  expect(sysFcntl(guest.task, r, F_GETPIPE_SZ, 0)).toBe(65536);
  const file = guest.task.files.get(r);
  expect(file && dPath(file.dentry)).toMatch(/^pipe:\[\d+\]$/);
});

/** The same calls in the same order on Linux 6.18 gave these numbers. */
test("a bad address moves nothing of its buffer", () => {
  const kernel = new Kernel({ ram: 2 ** 20 });
  const task = kernel.spawn();
  const start = task.mmap(0, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  const bad = start + 4 * PAGE_SIZE;
  const at = (base: number, len: number): UserIter => new UserIter(kernel.mmu, task, [{ base, len }]);
  const pipe = new Pipe(kernel.phys);
  const steps = [
    [pipe.write(at(bad - 5, 10)), pipe.unread],
    [pipe.write(at(bad - 4096, 8192)), pipe.unread],
    [pipe.write(at(bad - 4097, 5000)), pipe.unread],
    [pipe.write(at(start, 10)), pipe.unread],
    [pipe.write(at(bad - 5, 10)), pipe.unread],
    [pipe.read(at(bad - 5, 10)), pipe.unread],
    [pipe.read(at(start, 3)), pipe.unread],
    [pipe.read(at(bad - 5, 8000)), pipe.unread],
    [pipe.read(at(bad - 4096 - 7, 6000)), pipe.unread],
    [pipe.read(at(start, 10_000)), pipe.unread],
  ];
  expect(steps).toEqual([
    [-EFAULT, 0],
    [4096, 4096],
    [4096, 8192],
    [10, 8202],
    [-EFAULT, 8202],
    [-EFAULT, 8202],
    [3, 8199],
    [-EFAULT, 8199],
    [4093, 4106],
    [4106, 0],
  ]);
});

/** The same calls on Linux 6.18 gave these numbers. */
test("F_SETPIPE_SZ rounds up, never below what is in it, and binds users", () => {
  const kernel = new Kernel({ ram: 16 * 2 ** 20 });
  const task = kernel.spawn();
  task.uid = 1000;
  const pair = (): readonly [number, number] => {
    const ends = sysPipe2(task, O_NONBLOCK);
    if (typeof ends === "number") throw new Error(`pipe: ${ends}`);
    return ends;
  };
  const [reader, writer] = pair();
  const resize = (size: number): number => sysFcntl(task, writer, F_SETPIPE_SZ, size);
  expect([1, 0, -1, 5000, 12289].map(resize)).toEqual([4096, 4096, -EINVAL, 8192, 16384]);
  const fill = (): number => task.write(writer, new Uint8Array(2 ** 20));
  expect(fill()).toBe(16384);
  expect([4096, 16384, 8192, 2 ** 20].map(resize)).toEqual([-EBUSY, 16384, -EBUSY, 2 ** 20]);
  expect(fill()).toBe(1032192);
  expect([2 ** 20 + 1, 2 ** 31, 2 ** 31 + 1].map(resize)).toEqual([-EPERM, -EPERM, -EINVAL]);
  expect(sysFcntl(task, reader, F_GETPIPE_SZ, 0)).toBe(2 ** 20);
  expect(validate(kernel)).toEqual([]);
  // One pipe of a mebibyte is there already; 16,384 pages are 64 of them.
  for (let i = 1; i < 64; i++) expect(sysFcntl(task, pair()[1], F_SETPIPE_SZ, 2 ** 20)).toBe(2 ** 20);
  const [, last] = pair();
  expect([8192, 12288].map((size) => sysFcntl(task, last, F_SETPIPE_SZ, size))).toEqual([8192, -EPERM]);
  expect(sysFcntl(task, last, F_GETPIPE_SZ, 0)).toBe(8192);
  task.files.closeAll();
  expect(sysFcntl(task, pair()[1], F_GETPIPE_SZ, 0)).toBe(65536);
  // It is the pipe's maker who pays, and who asks that has to be allowed to.
  task.uid = 0;
  const [, roots] = pair();
  task.uid = 1000;
  expect(sysFcntl(task, roots, F_SETPIPE_SZ, 2 ** 21)).toBe(-EPERM);
  const limits = pipeLimits(kernel.phys);
  limits.maxSize = 2 ** 15;
  expect(sysFcntl(task, pair()[1], F_GETPIPE_SZ, 0)).toBe(2 ** 15);
  limits.userPagesHard = 25;
  expect([sysPipe2(task, 0), sysFcntl(task, roots, F_GETPIPE_SZ, 0)]).toEqual([-ENFILE, 65536]);
});

/** Linux asks for the list of a pipe's buffers in one piece (pipe_resize_ring), and charges it to the program. */
test("pipes of root grow to 256 MiB, and not all of them", () => {
  const kernel = new Kernel({ ram: 2 ** 20 });
  const task = kernel.spawn();
  const grow = (size: number): number => {
    const ends = sysPipe2(task, O_NONBLOCK);
    return typeof ends === "number" ? ends : sysFcntl(task, ends[1], F_SETPIPE_SZ, size);
  };
  expect([2 ** 31, 2 ** 28 + 1, 2 ** 28].map(grow)).toEqual([-ENOMEM, -ENOMEM, 2 ** 28]);
  expect([2 ** 28, 2 ** 28, 2 ** 28, 2 ** 27, 2 ** 16].map(grow)).toEqual([
    2 ** 28,
    2 ** 28,
    -ENOMEM,
    2 ** 27,
    2 ** 16,
  ]);
  task.files.closeAll();
  expect(grow(2 ** 28)).toBe(2 ** 28);
});

test("what is in pipes is in RAM: who fills too many dies for want of memory", () => {
  const kernel = new Kernel({ ram: 2 ** 20 });
  const task = kernel.spawn();
  const used = kernel.phys.usedFrames;
  let filled = 0;
  for (; filled < 20 && !task.isOomVictim; filled++) {
    const ends = sysPipe2(task, O_NONBLOCK);
    if (typeof ends === "number") throw new Error(`pipe: ${ends}`);
    try {
      task.write(ends[1], new Uint8Array(65536));
    } catch (error) {
      expect(error).toBeInstanceOf(LinuxError);
      break;
    }
  }
  expect(filled).toBeLessThan(16);
  expect(validate(kernel)).toEqual([]);
  task.files.closeAll();
  expect(kernel.phys.usedFrames).toBeLessThanOrEqual(used);
});
