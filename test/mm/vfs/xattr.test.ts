/** What extended attributes of tmpfs take, of the file system and of the host. What they do for programs: test/programs/xattr-tmpfs.c. */
import { expect, it } from "vitest";
import { Kernel, O_CREAT, O_RDWR, type Process, tmpFs } from "../../../src/mm/index.ts";
import { fdGet } from "../../../src/mm/syscalls/fd.ts";
import { sysGetxattr, sysListxattr, sysRemovexattr, sysSetxattr } from "../../../src/mm/syscalls/xattr.ts";
import { EEXIST, ENODATA, ENOMEM, ENOSPC } from "../../../src/mm/uapi/errno.ts";
import { XATTR_CREATE, XATTR_REPLACE, XATTR_SIZE_MAX } from "../../../src/mm/uapi/xattr.ts";
import type { Inode } from "../../../src/mm/vfs/inode.ts";

const BYTES: Uint8Array = new Uint8Array(XATTR_SIZE_MAX).fill(120);

function inodeOf(process: Process, fd: number): Inode {
  const file = fdGet(process, fd);
  if (file === undefined) throw new Error(`${fd} is not open`);
  return file.inode;
}

it("they share the space of inodes, a kilobyte each, as a tmpfs of 20 said on the host", () => {
  const kernel = new Kernel({ ram: 2 ** 24 });
  kernel.mount("/t", tmpFs({ nrInodes: 20 }));
  const process = kernel.spawn();
  const make = (path: string): number => process.open(path, O_RDWR | O_CREAT, 0o644);
  const fd = make("/t/f");
  const inode = inodeOf(process, fd);
  const set = (name: string, size: number, flags = 0): number =>
    sysSetxattr(process, inode, name, BYTES.slice(0, size), flags);
  const filesFree = (): number | undefined => inode.sb.statfs?.().filesFree;
  expect([set("user.a", 3), set("security.x", 1), filesFree()]).toEqual([0, 0, 17]);
  const steps = Array.from({ length: 10 }, (_, i) => [set(`user.${i}`, 2000), filesFree()]);
  const failed = [-ENOSPC, 1];
  expect(steps).toEqual([...[15, 13, 11, 9, 7, 5, 3, 1].map((left) => [0, left]), failed, failed]);
  make("/t/g");
  expect(() => make("/t/h")).toThrow("ENOSPC");
  expect(set("user.0", 1)).toBe(0);
  expect(set("user.0", 2000, XATTR_CREATE)).toBe(-EEXIST);
  expect(set("user.0", 65536)).toBe(-ENOSPC);
  expect(set("user.zz", 65536, XATTR_REPLACE)).toBe(-ENOSPC);
  expect(set("user.zz", 1, XATTR_REPLACE)).toBe(-ENODATA);
  process.unlink("/t/f");
  process.close(fd);
  expect(filesFree()).toBe(18);
});

it("all together cost the host no more than 16 MiB, wherever they are", () => {
  const kernel = new Kernel({ ram: 2 ** 28 });
  const process = kernel.spawn();
  const fill = (fd: number, size: number): readonly [failed: number, count: number] => {
    for (let count = 0; ; count++) {
      const value = BYTES.subarray(0, size);
      const failed = sysSetxattr(process, inodeOf(process, fd), `user.${count}`, value, 0);
      if (failed !== 0) return [failed, count];
    }
  };
  const memory = process.memfd_create("m");
  const file = process.open("/f", O_RDWR | O_CREAT, 0o644);
  expect(fill(memory, XATTR_SIZE_MAX)).toEqual([-ENOMEM, 254]);
  const [why, count] = fill(file, 0);
  expect(why).toBe(-ENOMEM);
  expect(count).toBeGreaterThan(100);
  expect(sysListxattr(process, inodeOf(process, memory)).length).toBe(10 * 7 + 90 * 8 + 154 * 9);
  process.close(memory);
  expect(fill(file, 1000)[0]).toBe(-ENOMEM);
  expect(sysRemovexattr(process, inodeOf(process, file), "user.1")).toBe(0);
  expect(sysGetxattr(process, inodeOf(process, file), "user.1")).toBe(-ENODATA);
  process.close(file);
  process.unlink("/f");
  expect(kernel.mounts.xattrCost).toBe(0);
});
