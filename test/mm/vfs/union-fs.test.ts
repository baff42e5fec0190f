import fs from "node:fs";
import os from "node:os";
import { describe, expect, test } from "vitest";
import { tmpFs } from "../../../src/mm/shmem/tmpfs.ts";
import { sysFchmodat } from "../../../src/mm/syscalls/attributes.ts";
import {
  sysGetcwd,
  sysLinkat,
  sysMkdirat,
  sysRenameat2,
  sysUnlinkat,
} from "../../../src/mm/syscalls/directory.ts";
import { sysNewfstatat, sysStatfs } from "../../../src/mm/syscalls/stat.ts";
import { AT_FDCWD, AT_REMOVEDIR, O_CREAT, O_RDWR, O_WRONLY } from "../../../src/mm/uapi/fcntl.ts";
import type { FileSystem } from "../../../src/mm/vfs/super-block.ts";
import { unionFs } from "../../../src/mm/vfs/union-fs.ts";
import { runConformance } from "./conformance-suite.ts";
import { Guest, must, outcome } from "./guest.ts";

const hostBase = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();

// With nothing in the first, the union is what the second is alone.
runConformance({
  name: "a union with an empty first layer",
  hostBase,
  fresh: () => unionFs(tmpFs(), tmpFs({ mode: 0o755 })),
});

/** A file system with these files, that can't be changed any more. */
function frozen(files: Readonly<Record<string, string>>): FileSystem {
  return {
    name: "frozen",
    mount: (context) => {
      const sb = tmpFs().mount(context);
      for (const [path, text] of Object.entries(files)) {
        let at = sb.root;
        const names = path.split("/");
        for (const name of names.slice(0, -1)) {
          const there = at.ops.lookup?.(at, name);
          const next =
            typeof there === "object" ? there : at.ops.mkdir?.(at, name, 0o755, { uid: 0, gid: 0 });
          if (typeof next !== "object") throw new Error(path);
          at = next;
        }
        const name = names[names.length - 1];
        const made = at.ops.symlink?.(at, name, text, { uid: 0, gid: 0 });
        if (typeof made !== "object") throw new Error(path);
      }
      return Object.assign(sb, { readOnly: true });
    },
  };
}

/** The first has links only, which say where they stand; the second starts empty. */
function guest(): Guest {
  return new Guest(unionFs(frozen({ "etc/motd": "/first", "lib/a/deep": "/first" }), tmpFs()));
}

function stat(on: Guest, path: string): string {
  const found = sysNewfstatat(on.task, AT_FDCWD, path, 0x100);
  return typeof found === "number" ? outcome(found) : `${(found.mode & 0o170000).toString(8)}`;
}

describe("a union", () => {
  test("shows the names of both, the first's before the second's", () => {
    const on = guest();
    expect(on.list("/").sort()).toEqual([".", "..", "etc", "lib"]);
    on.put("/etc/mine", "second");
    must(sysMkdirat(on.task, AT_FDCWD, "/home", 0o755));
    expect(on.list("/").sort()).toEqual([".", "..", "etc", "home", "lib"]);
    expect(on.list("/etc").sort()).toEqual([".", "..", "mine", "motd"]);
    expect(stat(on, "/etc/motd")).toBe("120000");
    expect(on.get("/etc/mine")).toBe("second");
  });

  test("makes directories of the first anew for what is put there, with their modes", () => {
    const on = guest();
    must(sysFchmodat(on.task, AT_FDCWD, "/lib", 0o750, 0));
    on.put("/lib/a/new", "x");
    const lib = sysNewfstatat(on.task, AT_FDCWD, "/lib", 0);
    expect(typeof lib === "number" ? lib : lib.mode & 0o777).toBe(0o750);
    expect(on.list("/lib/a").sort()).toEqual([".", "..", "deep", "new"]);
  });

  test("keeps the number of a directory when the second gets it too", () => {
    const on = guest();
    const ino = (): number => {
      const found = sysNewfstatat(on.task, AT_FDCWD, "/lib/a", 0);
      return typeof found === "number" ? found : found.ino;
    };
    const before = ino();
    on.put("/lib/a/new", "x");
    expect(ino()).toBe(before);
  });

  test("changes no name of the first: EROFS", () => {
    const on = guest();
    on.put("/mine", "x");
    expect(outcome(sysUnlinkat(on.task, AT_FDCWD, "/etc/motd", 0))).toBe("EROFS");
    expect(outcome(sysUnlinkat(on.task, AT_FDCWD, "/lib/a", AT_REMOVEDIR))).toBe("EROFS");
    expect(outcome(sysRenameat2(on.task, AT_FDCWD, "/etc/motd", AT_FDCWD, "/m", 0))).toBe("EROFS");
    expect(outcome(sysRenameat2(on.task, AT_FDCWD, "/mine", AT_FDCWD, "/etc/motd", 0))).toBe("EROFS");
    expect(outcome(sysRenameat2(on.task, AT_FDCWD, "/lib", AT_FDCWD, "/lib2", 0))).toBe("EROFS");
    expect(on.get("/mine")).toBe("x");
    expect(stat(on, "/etc/motd")).toBe("120000");
  });

  test("moves, links and removes what is the second's, across directories of both", () => {
    const on = guest();
    on.put("/etc/mine", "x");
    must(sysRenameat2(on.task, AT_FDCWD, "/etc/mine", AT_FDCWD, "/lib/a/moved", 0));
    must(sysLinkat(on.task, AT_FDCWD, "/lib/a/moved", AT_FDCWD, "/again", 0));
    must(sysUnlinkat(on.task, AT_FDCWD, "/lib/a/moved", 0));
    expect(on.list("/etc").sort()).toEqual([".", "..", "motd"]);
    expect(on.get("/again")).toBe("x");
    must(sysMkdirat(on.task, AT_FDCWD, "/lib/dir", 0o755));
    on.put("/lib/dir/file", "y");
    must(sysRenameat2(on.task, AT_FDCWD, "/lib/dir", AT_FDCWD, "/etc/dir", 0));
    expect(on.get("/etc/dir/file")).toBe("y");
    expect(stat(on, "/lib/dir")).toBe("ENOENT");
    must(sysUnlinkat(on.task, AT_FDCWD, "/etc/dir/file", 0));
    must(sysUnlinkat(on.task, AT_FDCWD, "/etc/dir", AT_REMOVEDIR));
    expect(on.list("/etc").sort()).toEqual([".", "..", "motd"]);
  });

  test("gives getcwd and open files the paths of the union", () => {
    const on = guest();
    on.put("/lib/a/new", "x");
    const fd = must(on.open("/lib/a/new", O_RDWR));
    expect(on.task.files.get(fd)?.path).toBe("/lib/a/new");
    expect(sysGetcwd(on.task)).toBe("/");
  });

  test("follows a dangling link of the first to make a file in the second", () => {
    const on = guest();
    must(on.open("/etc/motd", O_WRONLY | O_CREAT));
    expect(on.list("/").sort()).toEqual([".", "..", "etc", "first", "lib"]);
  });

  test("leaves nothing in the second of what failed", () => {
    // Room for two more: the directories, and not what was to go into them.
    const first = frozen({ "lib/a/deep": "/first" });
    const on = new Guest(unionFs(first, tmpFs({ nrInodes: 3 })));
    const free = (): number => {
      const found = sysStatfs(on.task, "/");
      return typeof found === "number" ? found : found.freeFiles;
    };
    const before = free();
    expect(before).toBe(2);
    expect(outcome(sysMkdirat(on.task, AT_FDCWD, "/lib/a/new", 0o755))).toBe("ENOSPC");
    expect(outcome(on.open("/lib/a/new", O_RDWR | O_CREAT))).toBe("ENOSPC");
    expect(outcome(sysLinkat(on.task, AT_FDCWD, "/lib/a/deep", AT_FDCWD, "/lib/a/link", 0))).toBe("EXDEV");
    expect(free()).toBe(before);
    on.put("/mine", "x");
    expect(outcome(sysRenameat2(on.task, AT_FDCWD, "/mine", AT_FDCWD, "/lib/a/mine", 0))).toBe("ENOSPC");
    expect([free(), on.get("/mine")]).toEqual([before - 1, "x"]);
    must(sysUnlinkat(on.task, AT_FDCWD, "/mine", 0));
    must(sysMkdirat(on.task, AT_FDCWD, "/lib/new", 0o755));
    expect(free()).toBe(0);
  });
});
