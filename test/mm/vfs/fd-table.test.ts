import { expect, test } from "vitest";
import { tmpFs } from "../../../src/mm/shmem/tmpfs.ts";
import { sysClose, sysDup, sysDup2, sysDup3, sysFcntl, sysPipe2 } from "../../../src/mm/syscalls/open.ts";
import { sysLseek } from "../../../src/mm/syscalls/read-write.ts";
import { EBADF, EINVAL, EMFILE } from "../../../src/mm/uapi/errno.ts";
import {
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_LARGEFILE,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
} from "../../../src/mm/uapi/fcntl.ts";
import { RLIMIT_NOFILE } from "../../../src/mm/uapi/mman.ts";
import { Guest, must } from "./guest.ts";

test("a new descriptor is the lowest free one", () => {
  const guest = new Guest(tmpFs());
  const fds = [0, 1, 2, 3].map(() => guest.open("/f", O_RDWR | O_CREAT));
  expect(fds).toEqual([0, 1, 2, 3]);
  guest.close(2);
  guest.close(1);
  expect(guest.open("/f", O_RDONLY)).toBe(1);
  expect(sysFcntl(guest.task, 0, F_DUPFD, 7)).toBe(7);
  expect(sysDup(guest.task, 0)).toBe(2);
  expect(sysDup(guest.task, 0)).toBe(4);
  expect(guest.close(9)).toBe(-EBADF);
  expect(guest.close(-1)).toBe(-EBADF);
});

test("RLIMIT_NOFILE bounds every way to a descriptor", () => {
  const guest = new Guest(tmpFs());
  guest.task.rlimits[RLIMIT_NOFILE].soft = 3;
  expect([0, 1, 2, 3].map(() => guest.open("/f", O_RDWR | O_CREAT))).toEqual([0, 1, 2, -EMFILE]);
  expect(sysDup(guest.task, 0)).toBe(-EMFILE);
  expect(sysDup3(guest.task, 0, 3, 0)).toBe(-EBADF);
  expect(sysFcntl(guest.task, 0, F_DUPFD, 3)).toBe(-EINVAL);
  expect(sysPipe2(guest.task, 0)).toBe(-EMFILE);
  guest.close(2);
  expect(sysPipe2(guest.task, 0)).toBe(-EMFILE);
  expect(guest.open("/f", O_RDONLY)).toBe(2);
  const file = guest.task.files.get(0);
  expect(file?.refs).toBe(1);
});

test("dup shares the position, open does not", () => {
  const guest = new Guest(tmpFs());
  guest.put("/f", "0123456789");
  const fd = must(guest.open("/f", O_RDONLY));
  const twin = must(sysDup(guest.task, fd));
  const other = must(guest.open("/f", O_RDONLY));
  expect(guest.read(fd, 3)).toBe("012");
  expect(guest.read(twin, 3)).toBe("345");
  expect(guest.read(other, 3)).toBe("012");
  guest.close(fd);
  expect(guest.read(twin, 9)).toBe("6789");
  expect(sysDup2(guest.task, twin, twin)).toBe(twin);
  expect(sysDup3(guest.task, twin, twin, 0)).toBe(-EINVAL);
  expect(sysDup3(guest.task, twin, other, 0)).toBe(other);
  expect(sysLseek(guest.task, other, 0, 1)).toBe(10);
  expect(sysDup2(guest.task, 99, other)).toBe(-EBADF);
});

test("flags of the descriptor and of the file", () => {
  const guest = new Guest(tmpFs());
  const fd = must(guest.open("/f", O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND));
  expect(sysFcntl(guest.task, fd, F_GETFD, 0)).toBe(1);
  expect(sysFcntl(guest.task, fd, F_GETFL, 0)).toBe(O_RDWR | O_APPEND | O_LARGEFILE);
  expect(sysFcntl(guest.task, fd, F_SETFL, O_NONBLOCK | O_CREAT)).toBe(0);
  expect(sysFcntl(guest.task, fd, F_GETFL, 0)).toBe(O_RDWR | O_NONBLOCK | O_LARGEFILE);
  const twin = must(sysFcntl(guest.task, fd, F_DUPFD, 0));
  expect(sysFcntl(guest.task, twin, F_GETFD, 0)).toBe(0);
  expect(sysFcntl(guest.task, must(sysFcntl(guest.task, fd, F_DUPFD_CLOEXEC, 0)), F_GETFD, 0)).toBe(1);
  sysFcntl(guest.task, fd, F_SETFD, 0);
  expect(sysFcntl(guest.task, fd, F_GETFD, 0)).toBe(0);
  expect(sysFcntl(guest.task, fd, 999, 0)).toBe(-EINVAL);
  const path = must(guest.open("/f", O_PATH));
  expect(guest.read(path, 1)).toBe(-EBADF);
  expect(sysFcntl(guest.task, path, F_GETFL, 0)).toBe(O_PATH);
  expect(sysFcntl(guest.task, path, F_SETFL, 0)).toBe(-EBADF);
});

test("fork's table shares files, exec's loses the marked ones", () => {
  const guest = new Guest(tmpFs());
  guest.put("/f", "abcdef");
  const kept = must(guest.open("/f", O_RDONLY));
  const marked = must(guest.open("/f", O_RDONLY | O_CLOEXEC));
  const child = { ...guest.task, files: guest.task.files.clone() };
  expect(guest.read(kept, 2)).toBe("ab");
  expect(child.files.get(kept)).toBe(guest.task.files.get(kept));
  child.files.closeOnExec();
  expect(child.files.get(marked)).toBeUndefined();
  expect(guest.task.files.get(marked)?.refs).toBe(1);
  expect(guest.task.files.get(kept)?.refs).toBe(2);
  sysClose(guest.task, kept);
  const last = child.files.get(kept);
  child.files.closeAll();
  expect(last?.refs).toBe(0);
});
