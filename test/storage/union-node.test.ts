/** A union whose layers are folders of the host. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sysUnlinkat } from "../../src/mm/syscalls/directory.ts";
import { sysFtruncate } from "../../src/mm/syscalls/file-size.ts";
import { sysFsync } from "../../src/mm/syscalls/sync.ts";
import {
  AT_FDCWD,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../../src/mm/uapi/fcntl.ts";
import { unionFs } from "../../src/mm/vfs/union-fs.ts";
import { nodeFs } from "../../src/storage/node/index.ts";
import { Guest, must, outcome } from "../mm/vfs/guest.ts";

let top = "";

beforeEach(() => {
  top = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-union-"));
  fs.mkdirSync(path.join(top, "first/usr/lib"), { recursive: true });
  fs.writeFileSync(path.join(top, "first/usr/lib/x"), "of the first");
  fs.symlinkSync("usr/lib", path.join(top, "first/lib"));
  fs.symlinkSync("/usr/lib/x", path.join(top, "first/absolute"));
  fs.symlinkSync("/etc/hostname", path.join(top, "first/outside"));
  fs.mkdirSync(path.join(top, "second"));
});

afterEach(() => fs.rmSync(top, { recursive: true, force: true }));

function guest(): Guest {
  return new Guest(
    unionFs(nodeFs(path.join(top, "first"), { readOnly: true }), nodeFs(path.join(top, "second"))),
  );
}

test("what is written goes to the second folder, under its name", () => {
  const on = guest();
  on.put("/lib/new", "new");
  const dir = must(on.open("/usr/lib", O_RDONLY | O_DIRECTORY));
  expect(sysFsync(on.task, dir)).toBe(0);
  on.mounts.umount("/");
  for (const sb of on.mounts.superBlocks()) sb.sync();
  expect(fs.readFileSync(path.join(top, "second/usr/lib/new"), "utf8")).toBe("new");
  expect(fs.readdirSync(path.join(top, "first/usr/lib"))).toEqual(["x"]);
  expect(guest().get("/lib/new")).toBe("new");
});

test("links of the first lead through the union, and not out of it", () => {
  const on = guest();
  expect(on.get("/absolute")).toBe("of the first");
  expect(outcome(on.get("/outside"))).toBe("ENOENT");
  fs.mkdirSync(path.join(top, "second/etc"));
  fs.writeFileSync(path.join(top, "second/etc/hostname"), "guest");
  expect(on.get("/outside")).toBe("guest");
});

test("nothing changes the first folder: EROFS", () => {
  const on = guest();
  expect(outcome(on.open("/lib/x", O_WRONLY))).toBe("EROFS");
  expect(outcome(on.open("/lib/x", O_RDONLY | O_TRUNC))).toBe("EROFS");
  expect(outcome(on.open("/lib/x", O_RDWR | O_CREAT))).toBe("EROFS");
  expect(outcome(sysUnlinkat(on.task, AT_FDCWD, "/usr/lib/x", 0))).toBe("EROFS");
  const fd = must(on.open("/lib/x", O_RDONLY));
  expect(outcome(sysFtruncate(on.task, fd, 0))).toBe("EINVAL");
  expect(fs.readFileSync(path.join(top, "first/usr/lib/x"), "utf8")).toBe("of the first");
});

test("what another program of the host changes in the second is seen", () => {
  const on = guest();
  on.put("/a", "old");
  on.close(must(on.open("/a", O_RDONLY)));
  fs.rmSync(path.join(top, "second/a"));
  expect(outcome(on.get("/a"))).toBe("ENOENT");
  fs.mkdirSync(path.join(top, "second/a"));
  fs.writeFileSync(path.join(top, "second/a/b"), "new");
  expect(on.get("/a/b")).toBe("new");
});

test("a folder that is said to be stable is asked for each name once", () => {
  const on = new Guest(nodeFs(path.join(top, "first"), { readOnly: true, stable: true }));
  expect(outcome(on.get("/usr/lib/y"))).toBe("ENOENT");
  fs.writeFileSync(path.join(top, "first/usr/lib/y"), "late");
  expect(outcome(on.get("/usr/lib/y"))).toBe("ENOENT");
  expect(on.get("/usr/lib/x")).toBe("of the first");
  const asked = new Guest(nodeFs(path.join(top, "first"), { readOnly: true }));
  expect(asked.get("/usr/lib/y")).toBe("late");
});
