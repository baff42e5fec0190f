import { expect, test } from "vitest";
import { newSharedAnonymousFile } from "../../../src/mm/shmem/shared-anonymous.ts";
import { tmpFs } from "../../../src/mm/shmem/tmpfs.ts";
import { sysLinkat, sysMkdirat, sysUnlinkat } from "../../../src/mm/syscalls/directory.ts";
import { sysFallocate, sysFtruncate } from "../../../src/mm/syscalls/file-size.ts";
import { sysFcntl, sysMemfdCreate } from "../../../src/mm/syscalls/open.ts";
import { sysLseek } from "../../../src/mm/syscalls/read-write.ts";
import { sysFstat, sysStatfs } from "../../../src/mm/syscalls/stat.ts";
import {
  EFBIG,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
} from "../../../src/mm/uapi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  SEEK_DATA,
  SEEK_HOLE,
} from "../../../src/mm/uapi/fcntl.ts";
import {
  F_ADD_SEALS,
  F_GET_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
} from "../../../src/mm/uapi/fs.ts";
import { MFD_ALLOW_SEALING, MFD_EXEC, MFD_NOEXEC_SEAL, RLIMIT_FSIZE } from "../../../src/mm/uapi/mman.ts";
import { Guest, must } from "./guest.ts";

function statOf(guest: Guest, fd: number): { size: number; blocks: number; nlink: number; mtimeNs: number } {
  const stat = sysFstat(guest.task, fd);
  if (typeof stat === "number") throw new Error(`fstat ${stat}`);
  return stat;
}

function pathOf(guest: Guest, fd: number): string | undefined {
  return guest.task.files.get(fd)?.path;
}

test("holes read as zeros and take no memory", () => {
  const guest = new Guest(tmpFs());
  const used = guest.phys.usedFrames;
  const fd = must(guest.open("/f", O_RDWR | O_CREAT));
  must(sysFtruncate(guest.task, fd, 1 << 20));
  expect(guest.pread(fd, 5000, 8190)).toBe("\0".repeat(5000));
  expect(guest.phys.usedFrames).toBe(used);
  must(guest.pwrite(fd, "data", 20480 - 2));
  expect(guest.phys.usedFrames).toBe(used + 2);
  expect(statOf(guest, fd).blocks).toBe(16);
  expect(guest.pread(fd, 8, 20480 - 4)).toBe("\0\0data\0\0");
  expect(sysLseek(guest.task, fd, 0, SEEK_DATA)).toBe(16384);
  expect(sysLseek(guest.task, fd, 16400, SEEK_DATA)).toBe(16400);
  expect(sysLseek(guest.task, fd, 16400, SEEK_HOLE)).toBe(24576);
  expect(sysLseek(guest.task, fd, 5, SEEK_HOLE)).toBe(5);
  expect(sysLseek(guest.task, fd, 24576, SEEK_DATA)).toBe(-ENXIO);
  expect(sysLseek(guest.task, fd, 1 << 20, SEEK_HOLE)).toBe(-ENXIO);
});

test("the last use of an unlinked file frees its memory", () => {
  const guest = new Guest(tmpFs());
  const used = guest.phys.usedFrames;
  const owners = guest.phys.owners.size;
  guest.put("/f", "x".repeat(40960));
  const fd = must(guest.open("/f", O_RDWR));
  expect(guest.phys.usedFrames).toBe(used + 10);
  must(sysUnlinkat(guest.task, AT_FDCWD, "/f", 0));
  expect(guest.open("/f", O_RDONLY)).toBe(-ENOENT);
  expect(guest.pread(fd, 3, 40957)).toBe("xxx");
  expect(statOf(guest, fd).nlink).toBe(0);
  expect(sysLinkat(guest.task, fd, "", AT_FDCWD, "/again", AT_EMPTY_PATH)).toBe(-ENOENT);
  guest.close(fd);
  expect(guest.phys.usedFrames).toBe(used);
  expect(guest.phys.owners.size).toBe(owners);
});

test("truncation, appending, and positions", () => {
  const guest = new Guest(tmpFs());
  guest.put("/f", "hello world");
  const fd = must(guest.open("/f", O_RDWR | O_APPEND));
  expect(guest.pwrite(fd, "!", 0)).toBe(1);
  expect(guest.write(fd, "?")).toBe(1);
  expect(sysLseek(guest.task, fd, 0, 1)).toBe(13);
  expect(guest.get("/f")).toBe("hello world!?");
  must(sysFtruncate(guest.task, fd, 3));
  must(sysFtruncate(guest.task, fd, 6));
  expect(guest.get("/f")).toBe("hel\0\0\0");
  must(guest.close(must(guest.open("/f", O_RDWR | O_TRUNC))));
  expect(guest.get("/f")).toBe("");
  expect(sysFtruncate(guest.task, fd, -1)).toBe(-EINVAL);
});

test("RLIMIT_FSIZE cuts a write and refuses the next", () => {
  const guest = new Guest(tmpFs());
  const fd = must(guest.open("/f", O_RDWR | O_CREAT));
  guest.task.rlimits[RLIMIT_FSIZE].soft = 5;
  expect(guest.write(fd, "1234567")).toBe(5);
  expect(guest.write(fd, "8")).toBe(-EFBIG);
  expect(sysFtruncate(guest.task, fd, 6)).toBe(-EFBIG);
  expect(guest.get("/f")).toBe("12345");
});

test("a size limit is ENOSPC, and is given back", () => {
  const guest = new Guest(tmpFs({ sizeBytes: 16384 }));
  const fd = must(guest.open("/f", O_RDWR | O_CREAT));
  expect(guest.write(fd, "x".repeat(20000))).toBe(16384);
  expect(guest.write(fd, "x")).toBe(-ENOSPC);
  expect(sysStatfs(guest.task, "/")).toMatchObject({ blocks: 4, freeBlocks: 0, magic: 0x01021994 });
  must(sysFtruncate(guest.task, fd, 5000));
  expect(sysStatfs(guest.task, "/")).toMatchObject({ freeBlocks: 2 });
  expect(sysFallocate(guest.task, fd, 0, 0, 20000)).toBe(-ENOSPC);
  expect(sysFallocate(guest.task, fd, FALLOC_FL_KEEP_SIZE, 0, 16384)).toBe(0);
  expect(statOf(guest, fd)).toMatchObject({ size: 5000, blocks: 32 });
  expect(sysFallocate(guest.task, fd, FALLOC_FL_PUNCH_HOLE, 0, 4096)).toBe(-EOPNOTSUPP);
  expect(sysFallocate(guest.task, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 8192)).toBe(0);
  expect(statOf(guest, fd)).toMatchObject({ size: 5000, blocks: 24 });
  expect(guest.pread(fd, 5000, 0)).toBe("x".repeat(100) + "\0".repeat(4900));
});

test("O_TMPFILE has no name until it is linked", () => {
  const guest = new Guest(tmpFs());
  must(sysMkdirat(guest.task, AT_FDCWD, "/tmp", 0o777));
  const fd = must(guest.open("/tmp", O_TMPFILE | O_RDWR));
  expect(pathOf(guest, fd)).toMatch(/^\/tmp\/#\d+ \(deleted\)$/);
  must(guest.write(fd, "late"));
  must(sysLinkat(guest.task, fd, "", AT_FDCWD, "/tmp/named", AT_EMPTY_PATH));
  expect(guest.get("/tmp/named")).toBe("late");
  expect(statOf(guest, fd).nlink).toBe(1);
  const never = must(guest.open("/tmp", O_TMPFILE | O_RDWR | O_EXCL));
  expect(sysLinkat(guest.task, never, "", AT_FDCWD, "/tmp/x", AT_EMPTY_PATH)).toBe(-ENOENT);
  expect(guest.open("/tmp", O_TMPFILE)).toBe(-EINVAL);
});

test("memfd: name and seals", () => {
  const guest = new Guest(tmpFs());
  const { task } = guest;
  const fd = must(sysMemfdCreate(task, "note", MFD_ALLOW_SEALING));
  expect(pathOf(guest, fd)).toBe("/memfd:note (deleted)");
  expect(sysFcntl(task, fd, F_GET_SEALS, 0)).toBe(0);
  must(guest.write(fd, "0123456789"));
  must(sysFcntl(task, fd, F_ADD_SEALS, F_SEAL_GROW));
  expect(guest.pwrite(fd, "ab", 9)).toBe(-EPERM);
  expect(guest.pwrite(fd, "ab", 8)).toBe(2);
  expect(sysFtruncate(task, fd, 11)).toBe(-EPERM);
  must(sysFtruncate(task, fd, 9));
  must(sysFcntl(task, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE));
  expect(sysFtruncate(task, fd, 8)).toBe(-EPERM);
  expect(guest.pwrite(fd, "x", 0)).toBe(-EPERM);
  expect(sysFallocate(task, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096)).toBe(-EPERM);
  must(sysFcntl(task, fd, F_ADD_SEALS, F_SEAL_SEAL));
  expect(sysFcntl(task, fd, F_ADD_SEALS, F_SEAL_SEAL)).toBe(-EPERM);
  expect(sysFcntl(task, fd, F_GET_SEALS, 0)).toBe(15);
  expect(sysFcntl(task, must(sysMemfdCreate(task, "", 0)), F_GET_SEALS, 0)).toBe(F_SEAL_SEAL);
  expect(sysMemfdCreate(task, "x", 0x100)).toBe(-EINVAL);
  expect(sysMemfdCreate(task, "x", MFD_EXEC | MFD_NOEXEC_SEAL)).toBe(-EINVAL);
  expect(sysMemfdCreate(task, "x".repeat(250), 0)).toBe(-EINVAL);
  must(sysMemfdCreate(task, "x".repeat(249), 0));
  const plain = must(guest.open("/f", O_RDWR | O_CREAT));
  expect(sysFcntl(task, plain, F_GET_SEALS, 0)).toBe(F_SEAL_SEAL);
  expect(sysFcntl(task, plain, F_ADD_SEALS, F_SEAL_GROW)).toBe(-EPERM);
});

test("shared anonymous memory is a file that ends with its last reference", () => {
  const guest = new Guest(tmpFs());
  const owners = guest.phys.owners.size;
  const file = newSharedAnonymousFile(guest.mounts, 8192);
  if (typeof file === "number") throw new Error("no file");
  expect(file.path).toBe("/dev/zero (deleted)");
  expect(file.inode.size).toBe(8192);
  file.put();
  expect(guest.phys.owners.size).toBe(owners);
});

test("memory that runs out leaves nothing behind", () => {
  const guest = new Guest(tmpFs({ sizeBytes: Number.POSITIVE_INFINITY }));
  const fd = must(guest.open("/f", O_RDWR | O_CREAT));
  const used = guest.phys.usedFrames;
  guest.phys.failAfter = 3;
  expect(guest.write(fd, "x".repeat(20000))).toBe(3 * 4096);
  expect(statOf(guest, fd)).toMatchObject({ size: 3 * 4096, blocks: 24 });
  expect(sysFallocate(guest.task, fd, 0, 0, 40960)).toBe(-ENOMEM);
  guest.phys.failAfter = -1;
  must(sysFtruncate(guest.task, fd, 0));
  expect(guest.phys.usedFrames).toBe(used);
});

test("a directory lists its newest name first", () => {
  const guest = new Guest(tmpFs());
  for (const name of ["a", "b", "c"]) guest.put(`/${name}`, "");
  expect(guest.list("/")).toEqual([".", "..", "c", "b", "a"]);
});
