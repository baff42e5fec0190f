/** Bytes between files and pipes, as TypeScript asks for them: pages are shared, counted and given back. */
import { beforeEach, expect, test } from "vitest";
import { Kernel } from "../../../src/mm/kernel/kernel.ts";
import type { Process } from "../../../src/mm/kernel/process.ts";
import { validate } from "../../../src/mm/kernel/validate.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { tmpFs } from "../../../src/mm/shmem/tmpfs.ts";
import { sysFcntl } from "../../../src/mm/syscalls/open.ts";
import { EINVAL } from "../../../src/mm/uapi/errno.ts";
import { F_SETFL, O_CREAT, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR } from "../../../src/mm/uapi/fcntl.ts";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  RWF_APPEND,
  RWF_NOWAIT,
} from "../../../src/mm/uapi/fs.ts";
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../../src/mm/uapi/mman.ts";

let kernel: Kernel;
let process: Process;
let free = 0;

beforeEach(() => {
  kernel = new Kernel({ ram: 2 ** 20, poison: true });
  process = kernel.spawn();
  free = kernel.phys.buddy.freeFrames;
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function fileWith(name: string, text: string): number {
  const fd = process.open(name, O_RDWR | O_CREAT, 0o644);
  process.pwrite(fd, bytes(text), undefined, 0);
  return fd;
}

function readText(fd: number, length = 100): string {
  const buffer = new Uint8Array(length);
  return new TextDecoder().decode(buffer.subarray(0, process.read(fd, buffer)));
}

test("a page that was spliced outlives its file", () => {
  const fd = fileWith("/a", "in the file");
  const [reading, writing] = process.pipe2();
  expect(process.splice(fd, 0, writing, null, 100)).toBe(11);
  expect(validate(kernel)).toEqual([]);
  process.pwrite(fd, bytes("IN"), undefined, 0);
  process.close(fd);
  process.unlink("/a");
  expect(validate(kernel)).toEqual([]);
  expect(readText(reading)).toBe("IN the file");
  process.close(reading);
  process.close(writing);
  expect(validate(kernel)).toEqual([]);
  expect(kernel.phys.buddy.freeFrames).toBe(free);
});

test("what nobody read is given back with the pipe", () => {
  const fd = fileWith("/a", "x".repeat(3 * PAGE_SIZE));
  const [reading, writing] = process.pipe2();
  const [other, otherEnd] = process.pipe2();
  process.sendfile(writing, fd, 0, 3 * PAGE_SIZE);
  expect(process.tee(reading, otherEnd, 2 * PAGE_SIZE)).toBe(2 * PAGE_SIZE);
  expect(process.splice(reading, null, otherEnd, null, PAGE_SIZE + 5)).toBe(PAGE_SIZE + 5);
  expect(validate(kernel)).toEqual([]);
  for (const end of [reading, writing, other, otherEnd]) process.close(end);
  process.close(fd);
  process.unlink("/a");
  expect(validate(kernel)).toEqual([]);
  expect(kernel.phys.buddy.freeFrames).toBe(free);
});

test("vmsplice lends the process's own pages", () => {
  const rw = PROT_READ | PROT_WRITE;
  const addr = process.mmap(0, 2 * PAGE_SIZE, rw, MAP_PRIVATE | MAP_ANONYMOUS);
  process.writeBytes(addr + PAGE_SIZE - 2, bytes("memory"));
  const [reading, writing] = process.pipe2(O_NONBLOCK);
  expect(process.vmsplice(writing, [[addr + PAGE_SIZE - 2, 6]])).toBe(6);
  process.writeBytes(addr + PAGE_SIZE - 2, bytes("M"));
  process.munmap(addr, 2 * PAGE_SIZE);
  expect(validate(kernel)).toEqual([]);
  expect(readText(reading)).toBe("Memory");
  expect(() => process.vmsplice(writing, [[addr, 1]])).toThrow("EFAULT");
  expect(() => process.splice(reading, null, writing, null, 1)).toThrow("EINVAL");
  expect(validate(kernel)).toEqual([]);
});

test("a page in a pipe that is read back into itself is copied from its first byte to its last", () => {
  const addr = process.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  const text = "0123456789".repeat(200);
  process.writeBytes(addr, bytes(text));
  const [reading, writing] = process.pipe2();
  expect(process.vmsplice(writing, [[addr, 1000]])).toBe(1000);
  expect(process.vmsplice(reading, [[addr + 401, 1000]])).toBe(1000);
  // What Linux leaves there on processors that move no more than 401 bytes at a time.
  const period = text.slice(0, 401);
  const expected = period.repeat(4).slice(0, 1401) + text.slice(1401);
  expect(new TextDecoder().decode(process.readBytes(addr, 2000))).toBe(expected);
});

test("several buffers, of either kind, at an offset or the position", () => {
  const fd = fileWith("/a", "0123456789");
  const [one, two] = [new Uint8Array(3), new Uint8Array(4)];
  expect(process.preadv2(fd, [one, two], 2)).toBe(7);
  expect(new TextDecoder().decode(one) + new TextDecoder().decode(two)).toBe("2345678");
  const addr = process.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  process.writeBytes(addr, bytes("abcd"));
  expect(
    process.pwritev2(
      fd,
      [
        [addr + 2, 2],
        [addr, 2],
      ],
      0,
      RWF_APPEND,
    ),
  ).toBe(4);
  expect(process.lseek(fd, 0, 1)).toBe(0);
  expect(readText(fd)).toBe("0123456789cdab");
});

test("an end of a pipe takes transfers that may not wait until it is spliced or vmspliced", () => {
  const fd = fileWith("/a", "0123456789");
  const written = (writing: number) => process.pwritev2(writing, [bytes("x")], null, RWF_NOWAIT);
  const read = (reading: number) => process.preadv2(reading, [new Uint8Array(1)], null, RWF_NOWAIT);
  const unsupported = expect.objectContaining({ code: "EOPNOTSUPP" });
  const [reading, writing] = process.pipe2();
  expect([written(writing), read(reading)]).toEqual([1, 1]);
  expect(() => read(reading)).toThrow(expect.objectContaining({ code: "EAGAIN" }));
  // What splice is told and refuses counts all the same; tee doesn't.
  expect(() => process.splice(fd, null, writing, 5, 1)).toThrow(expect.objectContaining({ code: "ESPIPE" }));
  expect([written(writing), process.tee(reading, process.pipe2()[1], 1)]).toEqual([1, 1]);
  expect(process.splice(fd, 0, writing, null, 1)).toBe(1);
  expect(() => written(writing)).toThrow(unsupported);
  expect(read(reading)).toBe(1);
  const addr = process.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  expect(process.vmsplice(reading, [[addr, 1]])).toBe(1);
  expect(() => read(reading)).toThrow(unsupported);
});

test("a memory file goes past the cache only as it was opened, which the one of memfd_create was not", () => {
  const fd = process.memfd_create("m");
  const set = (to: number): number => sysFcntl(process, to, F_SETFL, O_DIRECT);
  expect(set(fd)).toBe(-EINVAL);
  expect(set(process.open("/a", O_RDWR | O_CREAT, 0o600))).toBe(0);
});

test("copy_file_range stays in one file system, and moves what positions it uses", () => {
  kernel.mount("/other", tmpFs());
  const from = fileWith("/a", "0123456789");
  const to = process.open("/b", O_RDWR | O_CREAT, 0o644);
  expect(process.copy_file_range(from, 4, to, null, 100)).toBe(6);
  expect([process.lseek(from, 0, 1), process.lseek(to, 0, 1)]).toEqual([0, 6]);
  expect(process.copy_file_range(from, 0, from, 5, 5)).toBe(5);
  expect(() => process.copy_file_range(from, 0, from, 1, 8)).toThrow("EINVAL");
  const far = process.open("/other/c", O_RDWR | O_CREAT, 0o644);
  expect(() => process.copy_file_range(from, 0, far, 0, 1)).toThrow("EXDEV");
});

test("a reserved page is a hole until somebody uses it", () => {
  const fd = process.open("/a", O_RDWR | O_CREAT, 0o644);
  process.fallocate(fd, 0, 0, 3 * PAGE_SIZE);
  const used = process.fstat(fd).blocks;
  expect([used, process.lseek(fd, 0, 4)]).toEqual([24, 0]);
  process.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 100);
  expect(() => process.lseek(fd, 0, 3)).toThrow("ENXIO");
  const map = process.mmap(0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  expect(process.loadU8(map + PAGE_SIZE)).toBe(0);
  expect([process.lseek(fd, 0, 3), process.lseek(fd, 0, 4)]).toEqual([PAGE_SIZE, 0]);
  process.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE_SIZE);
  expect(process.fstat(fd).blocks).toBe(8);
  expect(() => process.lseek(fd, 0, 3)).toThrow("ENXIO");
  expect(validate(kernel)).toEqual([]);
});

test("a noexec mount lets nothing be executed or mapped to be", () => {
  kernel.mount("/data", tmpFs(), { noExec: true });
  const fd = process.open("/data/a", O_RDWR | O_CREAT, 0o755);
  process.ftruncate(fd, PAGE_SIZE);
  expect(() => process.mmap(0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd)).toThrow("EPERM");
  const map = process.mmap(0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, fd);
  expect(() => process.mprotect(map, PAGE_SIZE, PROT_READ | PROT_EXEC)).toThrow("EACCES");
  const elsewhere = process.open("/b", O_RDWR | O_CREAT, 0o755);
  expect(() => process.mmap(0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, elsewhere)).not.toThrow();
  const proc = process.open("/data", O_RDONLY);
  expect(() => process.fallocate(proc, 0, 0, 1)).toThrow("EBADF");
});
