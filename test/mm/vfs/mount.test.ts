import { expect, test } from "vitest";
import { devFs } from "../../../src/mm/shmem/dev-fs.ts";
import { tmpFs } from "../../../src/mm/shmem/tmpfs.ts";
import {
  sysChdir,
  sysGetcwd,
  sysMkdirat,
  sysMknodat,
  sysRenameat2,
  sysSymlinkat,
  sysUnlinkat,
} from "../../../src/mm/syscalls/directory.ts";
import { sysFtruncate } from "../../../src/mm/syscalls/file-size.ts";
import { sysLseek } from "../../../src/mm/syscalls/read-write.ts";
import { sysFstat, sysNewfstatat } from "../../../src/mm/syscalls/stat.ts";
import { EBUSY, EINVAL, ENOENT, ENOSPC, ENXIO, EXDEV } from "../../../src/mm/uapi/errno.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_CREAT, O_RDONLY, O_RDWR, S_IFCHR } from "../../../src/mm/uapi/fcntl.ts";
import { majorOf, makedev, minorOf } from "../../../src/mm/uapi/fs.ts";
import { dPath } from "../../../src/mm/vfs/path.ts";
import { Guest, must } from "./guest.ts";

function withMount(): Guest {
  const guest = new Guest(tmpFs());
  must(sysMkdirat(guest.task, AT_FDCWD, "/a", 0o755));
  must(sysMkdirat(guest.task, AT_FDCWD, "/a/mnt", 0o755));
  must(guest.mounts.mount("/a/mnt", tmpFs()));
  must(sysMkdirat(guest.task, AT_FDCWD, "/a/mnt/deep", 0o755));
  guest.put("/a/mnt/deep/f", "inside");
  return guest;
}

function pathOf(guest: Guest, fd: number): string {
  const file = guest.task.files.get(fd);
  if (file === undefined) throw new Error("closed");
  return dPath(file.dentry);
}

test("a walk crosses a mount down and up", () => {
  const guest = withMount();
  guest.put("/a/outside", "outside");
  expect(guest.get("/a/mnt/deep/f")).toBe("inside");
  expect(guest.get("/a/mnt/deep/../../outside")).toBe("outside");
  expect(guest.get("/a/mnt/../../../../a/outside")).toBe("outside");
  must(sysChdir(guest.task, "/a/mnt/deep"));
  expect(sysGetcwd(guest.task)).toBe("/a/mnt/deep");
  expect(guest.get("../../outside")).toBe("outside");
  expect(guest.list("/a").sort()).toEqual([".", "..", "mnt", "outside"]);
  expect(pathOf(guest, must(guest.open("f", O_RDONLY)))).toBe("/a/mnt/deep/f");
});

test("a mount point is busy, and another device", () => {
  const guest = withMount();
  expect(sysUnlinkat(guest.task, AT_FDCWD, "/a/mnt", AT_REMOVEDIR)).toBe(-EBUSY);
  expect(sysRenameat2(guest.task, AT_FDCWD, "/a/mnt", AT_FDCWD, "/b", 0)).toBe(-EBUSY);
  expect(sysRenameat2(guest.task, AT_FDCWD, "/a/mnt/deep/f", AT_FDCWD, "/f", 0)).toBe(-EXDEV);
  const outer = sysNewfstatat(guest.task, AT_FDCWD, "/a", 0);
  const inner = sysNewfstatat(guest.task, AT_FDCWD, "/a/mnt", 0);
  if (typeof outer === "number" || typeof inner === "number") throw new Error("stat");
  expect(outer.dev).not.toBe(inner.dev);
  expect(guest.mounts.mount("/", tmpFs())).toBe(-EBUSY);
  expect(guest.mounts.mount("/nx", tmpFs())).toBe(-ENOENT);
  expect([...guest.mounts.mounts()].map(({ path }) => path)).toEqual(["/", "/a/mnt"]);
});

test("after umount the directory below shows again", () => {
  const guest = withMount();
  const held = must(guest.open("/a/mnt/deep/f", O_RDONLY));
  expect(guest.mounts.umount("/a/mnt")).toBe(0);
  expect(guest.list("/a/mnt")).toEqual([".", ".."]);
  expect(guest.read(held, 9)).toBe("inside");
  expect(guest.mounts.umount("/a/mnt")).toBe(-EINVAL);
  expect(guest.mounts.umount("/")).toBe(-EBUSY);
});

test("a task's root is the top of its world", () => {
  const guest = withMount();
  guest.put("/secret", "secret");
  must(sysSymlinkat(guest.task, "/secret", AT_FDCWD, "/a/absolute"));
  must(sysSymlinkat(guest.task, "../../../secret", AT_FDCWD, "/a/relative"));
  guest.put("/a/secret", "jailed");
  must(sysChdir(guest.task, "/a"));
  guest.task.fs.root = guest.task.fs.cwd;
  expect(guest.get("/absolute")).toBe("jailed");
  expect(guest.get("/relative")).toBe("jailed");
  expect(guest.get("../../secret")).toBe("jailed");
  expect(guest.get("/mnt/../../../secret")).toBe("jailed");
  expect(sysGetcwd(guest.task)).toBe("/");
});

test("names of what was removed or renamed", () => {
  const guest = withMount();
  const fd = must(guest.open("/a/mnt/deep/f", O_RDWR));
  must(sysRenameat2(guest.task, AT_FDCWD, "/a/mnt/deep", AT_FDCWD, "/a/mnt/moved", 0));
  expect(pathOf(guest, fd)).toBe("/a/mnt/moved/f");
  must(sysUnlinkat(guest.task, AT_FDCWD, "/a/mnt/moved/f", 0));
  expect(pathOf(guest, fd)).toBe("/a/mnt/moved/f (deleted)");
  must(sysChdir(guest.task, "/a/mnt/moved"));
  must(sysUnlinkat(guest.task, AT_FDCWD, "/a/mnt/moved", AT_REMOVEDIR));
  expect(sysGetcwd(guest.task)).toBe(-ENOENT);
  expect(guest.open("new", O_RDWR | O_CREAT)).toBe(-ENOENT);
  expect(guest.get("../../secret")).toBe(-ENOENT);
});

test("the devices", () => {
  const guest = new Guest(tmpFs());
  must(sysMkdirat(guest.task, AT_FDCWD, "/dev", 0o755));
  let next = 0;
  must(guest.mounts.mount("/dev", devFs({ random: (bytes) => bytes.set(bytes.map(() => next++)) })));
  const [nil, zero, full, random] = ["null", "zero", "full", "urandom"].map((name) =>
    must(guest.open(`/dev/${name}`, O_RDWR)),
  );
  expect(guest.read(nil, 5)).toBe("");
  expect(guest.write(nil, "gone")).toBe(4);
  expect(guest.read(zero, 3)).toBe("\0\0\0");
  expect(guest.pread(zero, 2, 100)).toBe("\0\0");
  expect(sysLseek(guest.task, zero, 100, 0)).toBe(0);
  expect(guest.write(full, "x")).toBe(-ENOSPC);
  expect(guest.read(full, 2)).toBe("\0\0");
  expect(guest.read(random, 3)).toBe("\0\x01\x02");
  expect(sysFtruncate(guest.task, zero, 0)).toBe(-EINVAL);
  const stat = sysFstat(guest.task, full);
  if (typeof stat === "number") throw new Error("fstat");
  expect([stat.mode, majorOf(stat.rdev), minorOf(stat.rdev)]).toEqual([S_IFCHR | 0o666, 1, 7]);
  must(sysMknodat(guest.task, AT_FDCWD, "/dev/none", S_IFCHR | 0o666, makedev(200, 1)));
  expect(guest.open("/dev/none", O_RDONLY)).toBe(-ENXIO);
});
