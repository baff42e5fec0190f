import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { XA_DIRTY } from "../../src/lib/xarray.ts";
import { PAGE_SIZE } from "../../src/mm/page.ts";
import { sysFchmod, sysUtimensat } from "../../src/mm/syscalls/attributes.ts";
import {
  sysChdir,
  sysGetcwd,
  sysLinkat,
  sysMkdirat,
  sysMknodat,
  sysReadlinkat,
  sysRenameat2,
  sysSymlinkat,
  sysUnlinkat,
} from "../../src/mm/syscalls/directory.ts";
import { sysFallocate, sysFtruncate, sysTruncate } from "../../src/mm/syscalls/file-size.ts";
import { sysFstat, sysNewfstatat, sysStatfs } from "../../src/mm/syscalls/stat.ts";
import { sysFsync, sysSync } from "../../src/mm/syscalls/sync.ts";
import {
  EACCES,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOSPC,
  ENOTEMPTY,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  EROFS,
} from "../../src/mm/uapi/errno.ts";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  S_IFCHR,
  S_IFIFO,
  S_IFSOCK,
} from "../../src/mm/uapi/fcntl.ts";
import {
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
} from "../../src/mm/uapi/fs.ts";
import type { Stat } from "../../src/mm/vfs/attributes.ts";
import { decodeName, encodeName } from "../../src/mm/vfs/name-bytes.ts";
import { nodeFs } from "../../src/storage/node/index.ts";
import { Guest, must } from "../mm/vfs/guest.ts";

let base: string;
let root: string;
let guest: Guest;

beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), "faultline-node-"));
  root = path.join(base, "root");
  fs.mkdirSync(root);
  guest = new Guest(nodeFs(root));
});

afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

function host(name: string): string {
  return fs.readFileSync(path.join(root, name), "utf8");
}

function stat(name: string, flags = 0): Stat {
  const found = sysNewfstatat(guest.task, AT_FDCWD, name, flags);
  if (typeof found === "number") throw new Error(`stat ${name}: ${found}`);
  return found;
}

function openFds(): number {
  return process.platform === "linux" ? fs.readdirSync("/proc/self/fd").length : 0;
}

describe("bytes", () => {
  test("what is written is on the host after close, fsync and sync", () => {
    guest.put("/a", "closed");
    expect(host("a")).toBe("closed");
    const fd = must(guest.open("/b", O_RDWR | O_CREAT));
    must(guest.write(fd, "not yet"));
    expect(host("b")).toBe("");
    expect(guest.pread(fd, 20, 0)).toBe("not yet");
    expect(sysFsync(guest.task, fd)).toBe(0);
    expect(host("b")).toBe("not yet");
    must(guest.pwrite(fd, "NOT", 0));
    sysSync(guest.task);
    expect(host("b")).toBe("NOT yet");
  });

  test("large files, holes, and ends that are no page's", () => {
    const text = Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join("");
    guest.put("/big", text);
    expect(host("big")).toBe(text);
    fs.writeFileSync(path.join(root, "host"), text);
    expect(guest.get("/host")).toBe(text);
    const fd = must(guest.open("/sparse", O_RDWR | O_CREAT));
    must(guest.pwrite(fd, "end", 100_000));
    expect(guest.pread(fd, 10, 99_995)).toBe("\0\0\0\0\0end");
    guest.close(fd);
    expect(fs.statSync(path.join(root, "sparse")).size).toBe(100_003);
    expect(host("sparse").slice(-4)).toBe("\0end");
  });

  test("truncation reaches the host at once", () => {
    guest.put("/f", "hello world");
    const fd = must(guest.open("/f", O_RDWR));
    must(guest.pwrite(fd, "HELLO", 0));
    must(sysFtruncate(guest.task, fd, 8));
    expect(fs.statSync(path.join(root, "f")).size).toBe(8);
    must(sysFtruncate(guest.task, fd, 10));
    expect(guest.pread(fd, 99, 0)).toBe("HELLO wo\0\0");
    guest.close(fd);
    expect(host("f")).toBe("HELLO wo\0\0");
    must(sysTruncate(guest.task, "/f", 2));
    expect(host("f")).toBe("HE");
    guest.close(must(guest.open("/f", O_WRONLY | O_TRUNC)));
    expect(host("f")).toBe("");
  });

  test("a file that was removed while open lives on, and is never written", () => {
    guest.put("/f", "first");
    const fds = openFds();
    const fd = must(guest.open("/f", O_RDWR));
    must(sysUnlinkat(guest.task, AT_FDCWD, "/f", 0));
    must(guest.pwrite(fd, "second", 3));
    expect(guest.pread(fd, 99, 0)).toBe("firsecond");
    expect(sysFstat(guest.task, fd)).toMatchObject({ nlink: 0, size: 9 });
    guest.put("/f", "other");
    expect(guest.pread(fd, 99, 0)).toBe("firsecond");
    const used = guest.phys.usedFrames;
    guest.close(fd);
    expect(guest.phys.usedFrames).toBe(used - 1);
    expect(host("f")).toBe("other");
    expect(openFds()).toBe(fds);
  });

  test("a name replaced by rename leaves the old file to who has it open", () => {
    guest.put("/old", "old");
    guest.put("/new", "new");
    const fd = must(guest.open("/old", O_RDONLY));
    must(sysRenameat2(guest.task, AT_FDCWD, "/new", AT_FDCWD, "/old", 0));
    expect(guest.read(fd, 9)).toBe("old");
    expect(guest.get("/old")).toBe("new");
    expect(sysFstat(guest.task, fd)).toMatchObject({ nlink: 0 });
    expect(guest.open("/new", O_RDONLY)).toBe(-ENOENT);
  });

  test("the cache outlives close, and yields to a change on the host", () => {
    guest.put("/f", "one");
    expect(guest.get("/f")).toBe("one");
    const used = guest.phys.usedFrames;
    expect(guest.get("/f")).toBe("one");
    expect(guest.phys.usedFrames).toBe(used);
    fs.writeFileSync(path.join(root, "f"), "two and more");
    expect(guest.get("/f")).toBe("two and more");
    fs.rmSync(path.join(root, "f"));
    expect(guest.get("/f")).toBe(-ENOENT);
    expect(guest.phys.usedFrames).toBe(used - 1);
    fs.writeFileSync(path.join(root, "f"), "three");
    expect(guest.get("/f")).toBe("three");
  });

  test("unwritten changes win over a change on the host", () => {
    guest.put("/f", "aaaa");
    const fd = must(guest.open("/f", O_RDWR));
    must(guest.pwrite(fd, "bb", 1));
    fs.writeFileSync(path.join(root, "f"), "cccc");
    expect(guest.get("/f")).toBe("abba");
    const dirty = guest.task.files.get(fd)?.mapping.pages.isTagged(XA_DIRTY);
    expect(dirty).toBe(true);
  });
});

describe("attributes", () => {
  test("times are the guest's, on both sides", () => {
    guest.put("/f", "x");
    const written = stat("/f");
    expect(written.mtimeNs).toBe(guest.nowNs);
    expect(Number(fs.statSync(path.join(root, "f"), { bigint: true }).mtimeNs)).toBe(guest.nowNs);
    guest.nowNs += 5e9 + 123e6;
    const fd = must(guest.open("/f", O_RDWR));
    must(guest.write(fd, "y"));
    expect(stat("/f").mtimeNs).toBe(guest.nowNs);
    guest.close(fd);
    // The host has it by way of Node's seconds, of which a double has no more.
    expect(Math.abs(stat("/f").mtimeNs - guest.nowNs)).toBeLessThan(1000);
    const again = new Guest(nodeFs(root));
    const seen = sysNewfstatat(again.task, AT_FDCWD, "/f", 0);
    if (typeof seen === "number") throw new Error(`stat: ${seen}`);
    expect(seen.size).toBe(1);
    expect(Math.abs(seen.mtimeNs - guest.nowNs)).toBeLessThan(1000);
    must(sysUtimensat(guest.task, AT_FDCWD, "/f", [1e18, 1.5e18], 0));
    expect(stat("/f")).toMatchObject({ atimeNs: 1e18, mtimeNs: 1.5e18 });
    expect(fs.statSync(path.join(root, "f")).mtimeMs).toBe(1.5e12);
  });

  test.each([0, 1, 999_999, 123_456_789_123, -1, -1_500_000, 1_700_000_000_999_999, 1_764_284_000_123_456])(
    "a time of %d microseconds is that on the host",
    (microseconds) => {
      guest.put("/f", "x");
      must(sysUtimensat(guest.task, AT_FDCWD, "/f", [0, microseconds * 1000], 0));
      const { mtimeNs } = fs.statSync(path.join(root, "f"), { bigint: true });
      // Without the rest of a double's, which some hosts keep.
      expect(mtimeNs - (((mtimeNs % 1000n) + 1000n) % 1000n)).toBe(BigInt(microseconds) * 1000n);
    },
  );

  test("what stat says is what the host says", () => {
    fs.writeFileSync(path.join(root, "f"), "x".repeat(10_000));
    fs.linkSync(path.join(root, "f"), path.join(root, "g"));
    const real = fs.statSync(path.join(root, "f"));
    const { ino, nlink, mode, size, blocks, uid, gid } = real;
    expect(stat("/f")).toMatchObject({ ino, nlink, mode, size, blocks, uid, gid });
    expect(stat("/g").ino).toBe(ino);
    guest.put("/g", "both");
    expect(guest.get("/f")).toBe("both");
    must(sysUnlinkat(guest.task, AT_FDCWD, "/g", 0));
    expect(stat("/f").nlink).toBe(1);
    expect(sysStatfs(guest.task, "/")).toMatchObject({ blockSize: fs.statfsSync(root).bsize });
  });

  test("a file may be made that its maker could not open again", () => {
    const fd = must(guest.open("/f", O_WRONLY | O_CREAT | O_EXCL, 0o444));
    must(guest.write(fd, "locked"));
    guest.close(fd);
    expect(host("f")).toBe("locked");
    expect(fs.statSync(path.join(root, "f")).mode & 0o777).toBe(0o444);
    guest.task.fs.umask = 0;
    const wide = must(guest.open("/w", O_RDWR | O_CREAT, 0o666));
    must(sysMkdirat(guest.task, AT_FDCWD, "/d", 0o777));
    expect(fs.statSync(path.join(root, "w")).mode & 0o777).toBe(0o666);
    expect(fs.statSync(path.join(root, "d")).mode & 0o777).toBe(0o777);
    must(sysFchmod(guest.task, wide, 0o600));
    expect(fs.statSync(path.join(root, "w")).mode & 0o777).toBe(0o600);
  });
});

describe("names", () => {
  test("directories move with what is open in them", () => {
    must(sysMkdirat(guest.task, AT_FDCWD, "/a", 0o755));
    must(sysMkdirat(guest.task, AT_FDCWD, "/a/b", 0o755));
    guest.put("/a/b/f", "here");
    must(sysChdir(guest.task, "/a/b"));
    must(sysRenameat2(guest.task, AT_FDCWD, "/a", AT_FDCWD, "/z", 0));
    expect(sysGetcwd(guest.task)).toBe("/z/b");
    expect(guest.get("f")).toBe("here");
    fs.renameSync(path.join(root, "z"), path.join(root, "y"));
    expect(guest.get("f")).toBe("here");
    expect(guest.get("/y/b/f")).toBe("here");
    expect(sysGetcwd(guest.task)).toBe("/y/b");
    fs.rmSync(path.join(root, "y"), { recursive: true });
    expect(guest.get("f")).toBe(-ENOENT);
  });

  test("listing is sorted, and knows types", () => {
    fs.mkdirSync(path.join(root, "dir"));
    fs.writeFileSync(path.join(root, "b"), "");
    fs.symlinkSync("b", path.join(root, "a"));
    expect(guest.list("/")).toEqual([".", "..", "a", "b", "dir"]);
  });

  describe.runIf(process.platform === "linux")("names that are no UTF-8", () => {
    const bytes = (name: string): Buffer => Buffer.from(encodeName(name));
    const at = (name: string): Buffer => bytes(path.join(root, name));
    const odd = ["caf\udce9", "caf\udce8", "\udced\udcb2\udc80", "\ufffd", "é\udcff"].sort();

    test("are the same for the host and for the guest", () => {
      for (const name of odd) guest.put(`/${name}`, name.length.toString());
      expect(fs.readdirSync(root, "buffer").map(decodeName).sort()).toEqual(odd);
      expect(guest.list("/")).toEqual([".", "..", ...odd]);
      for (const name of odd) {
        expect(fs.readFileSync(at(name), "utf8")).toBe(name.length.toString());
        fs.appendFileSync(at(name), "+");
        expect(guest.get(`/${name}`)).toBe(`${name.length}+`);
        must(sysRenameat2(guest.task, AT_FDCWD, `/${name}`, AT_FDCWD, `/${name}\udcfe`, 0));
        must(sysLinkat(guest.task, AT_FDCWD, `/${name}\udcfe`, AT_FDCWD, `/${name}`, 0));
        must(sysTruncate(guest.task, `/${name}`, 1));
        must(sysUtimensat(guest.task, AT_FDCWD, `/${name}`, [1e9, 2e9], 0));
        expect(fs.statSync(at(`${name}\udcfe`))).toMatchObject({ nlink: 2, size: 1, mtimeMs: 2000 });
        must(sysUnlinkat(guest.task, AT_FDCWD, `/${name}`, 0));
        must(sysUnlinkat(guest.task, AT_FDCWD, `/${name}\udcfe`, 0));
      }
      expect(fs.readdirSync(root)).toEqual([]);
    });

    test("of links and of directories", () => {
      fs.symlinkSync(bytes("caf\udce9"), at("caf\udce8"));
      expect(sysReadlinkat(guest.task, AT_FDCWD, "/caf\udce8")).toBe("caf\udce9");
      must(sysSymlinkat(guest.task, "\udcff/\ufffd", AT_FDCWD, "/l"));
      expect(decodeName(fs.readlinkSync(at("l"), "buffer"))).toBe("\udcff/\ufffd");
      must(sysMkdirat(guest.task, AT_FDCWD, "/\udcff", 0o751));
      expect(fs.statSync(at("\udcff")).mode & 0o7777).toBe(0o751);
      guest.put("/\udcff/\ufffd", "through the link");
      expect(guest.get("/l")).toBe("through the link");
      must(sysChdir(guest.task, "/\udcff"));
      expect(guest.get("\ufffd")).toBe("through the link");
      expect(sysGetcwd(guest.task)).toBe("/\udcff");
      fs.renameSync(at("\udcff"), at("\udcfe"));
      expect(guest.get("\ufffd")).toBe("through the link");
      must(sysUnlinkat(guest.task, AT_FDCWD, "/\udcfe/\ufffd", 0));
      must(sysUnlinkat(guest.task, AT_FDCWD, "/\udcfe", AT_REMOVEDIR));
    });

    test("of the root, and beside it: what looks like it is not inside", () => {
      fs.mkdirSync(at("caf\udce9"));
      fs.mkdirSync(at("caf\udce9/d"));
      fs.mkdirSync(at("caf\udce8"));
      fs.writeFileSync(at("caf\udce9/d/f"), "inside");
      const inner = new Guest(nodeFs(path.join(root, "caf\udce9")));
      must(sysChdir(inner.task, "/d"));
      expect(inner.get("f")).toBe("inside");
      fs.renameSync(at("caf\udce9/d"), at("caf\udce8/d"));
      expect(inner.get("f")).toBe(-EACCES);
    });
  });

  test("links and removal", () => {
    must(sysSymlinkat(guest.task, "target", AT_FDCWD, "/l"));
    expect(fs.readlinkSync(path.join(root, "l"))).toBe("target");
    expect(sysReadlinkat(guest.task, AT_FDCWD, "/l")).toBe("target");
    guest.put("/f", "x");
    must(sysLinkat(guest.task, AT_FDCWD, "/f", AT_FDCWD, "/g", 0));
    expect(stat("/f").nlink).toBe(2);
    expect(fs.statSync(path.join(root, "g")).nlink).toBe(2);
    must(sysMkdirat(guest.task, AT_FDCWD, "/d", 0o755));
    must(sysUnlinkat(guest.task, AT_FDCWD, "/d", AT_REMOVEDIR));
    expect(fs.existsSync(path.join(root, "d"))).toBe(false);
  });

  test("more directories than are held open", () => {
    for (let i = 0; i < 200; i++) {
      must(sysMkdirat(guest.task, AT_FDCWD, `/d${i}`, 0o755));
      guest.put(`/d${i}/f`, `${i}`);
    }
    const fds = openFds();
    for (let i = 0; i < 200; i++) expect(guest.get(`/d${i}/f`)).toBe(`${i}`);
    expect(openFds()).toBe(fds);
    expect(fds).toBeLessThan(130);
  });

  test("files that are only names are forgotten, those in use are not", () => {
    const other = new Guest(nodeFs(root, { unusedInodes: 10 }));
    for (let i = 0; i < 100; i++) fs.writeFileSync(path.join(root, `f${i}`), `${i}`);
    const owners = other.phys.owners.size;
    const fd = must(other.open("/f0", O_RDWR));
    expect(other.get("/f1")).toBe("1");
    for (let i = 0; i < 100; i++) sysNewfstatat(other.task, AT_FDCWD, `/f${i}`, 0);
    expect(other.phys.owners.size - owners).toBeLessThanOrEqual(12);
    expect(other.read(fd, 9)).toBe("0");
    must(sysRenameat2(other.task, AT_FDCWD, "/f50", AT_FDCWD, "/f51", 0));
    expect(other.get("/f51")).toBe("50");
    expect(other.get("/f1")).toBe("1");
  });

  test("a read-only mount", () => {
    guest.put("/f", "x");
    const other = new Guest(nodeFs(root, { readOnly: true }));
    expect(other.get("/f")).toBe("x");
    expect(other.open("/f", O_RDWR)).toBe(-EROFS);
    expect(other.open("/g", O_RDWR | O_CREAT)).toBe(-EROFS);
    expect(other.open("/f", O_RDONLY | O_TRUNC)).toBe(-EROFS);
    expect(sysUnlinkat(other.task, AT_FDCWD, "/f", 0)).toBe(-EROFS);
    expect(sysMkdirat(other.task, AT_FDCWD, "/d", 0o755)).toBe(-EROFS);
    expect(sysMkdirat(other.task, AT_FDCWD, "/f", 0o755)).toBe(-EEXIST);
    expect(host("f")).toBe("x");
  });
});

describe("confinement", () => {
  beforeEach(() => {
    fs.writeFileSync(path.join(base, "secret"), "outside");
    fs.mkdirSync(path.join(base, "elsewhere"));
    fs.writeFileSync(path.join(base, "elsewhere", "f"), "outside");
  });

  test("neither dots nor links lead out", () => {
    fs.symlinkSync(path.join(base, "secret"), path.join(root, "absolute"));
    fs.symlinkSync("../secret", path.join(root, "relative"));
    fs.symlinkSync("..", path.join(root, "up"));
    fs.symlinkSync(base, path.join(root, "base"));
    for (const name of [
      "/absolute",
      "/relative",
      "/up/secret",
      "/base/secret",
      "/../secret",
      "../../secret",
      "/up/../up/secret",
    ]) {
      expect([name, guest.get(name)]).toEqual([name, -ENOENT]);
    }
    fs.writeFileSync(path.join(root, "secret"), "inside");
    expect(guest.get("/relative")).toBe("inside");
    expect(guest.get("/up/secret")).toBe("inside");
    must(guest.open("/up/../made", O_RDWR | O_CREAT));
    expect(fs.existsSync(path.join(root, "made"))).toBe(true);
    expect(stat("/absolute", AT_SYMLINK_NOFOLLOW).mode & 0o170000).toBe(0o120000);
  });

  test.runIf(process.platform === "linux")(
    "a directory that becomes a link is a link of the guest's world",
    () => {
      fs.mkdirSync(path.join(root, "d"));
      fs.writeFileSync(path.join(root, "d", "f"), "inside");
      expect(guest.get("/d/f")).toBe("inside");
      must(sysChdir(guest.task, "/d"));
      fs.renameSync(path.join(root, "d"), path.join(root, "kept"));
      fs.symlinkSync(path.join(base, "elsewhere"), path.join(root, "d"));
      expect(guest.get("/d/f")).toBe(-ENOENT);
      // The working directory is the directory, not its name.
      expect(guest.get("f")).toBe("inside");
    },
  );

  test.runIf(process.platform === "linux")(
    "a directory that is moved out of the root is out of reach",
    () => {
      fs.mkdirSync(path.join(root, "d"));
      fs.writeFileSync(path.join(root, "d", "f"), "inside");
      must(sysChdir(guest.task, "/d"));
      expect(guest.get("f")).toBe("inside");
      fs.renameSync(path.join(root, "d"), path.join(base, "moved"));
      expect(guest.get("f")).toBe(-EACCES);
      expect(guest.open("new", O_RDWR | O_CREAT)).toBe(-EACCES);
      expect(guest.get("../secret")).toBe(-ENOENT);
      expect(guest.get("/d/f")).toBe(-ENOENT);
    },
  );

  test("a file that becomes a link between two uses", () => {
    guest.put("/f", "inside");
    const fd = must(guest.open("/f", O_RDWR));
    fs.renameSync(path.join(root, "f"), path.join(root, "g"));
    fs.symlinkSync(path.join(base, "secret"), path.join(root, "f"));
    expect(guest.get("/f")).toBe(-ENOENT);
    must(guest.write(fd, "INSIDE"));
    guest.close(fd);
    expect(host("g")).toBe("INSIDE");
    expect(fs.readFileSync(path.join(base, "secret"), "utf8")).toBe("outside");
  });

  test.runIf(process.platform === "linux")("what is no file is not opened", () => {
    execFileSync("mkfifo", [path.join(root, "fifo")]);
    expect(guest.open("/fifo", O_RDONLY)).toBe(-ENXIO);
    expect(stat("/fifo").mode & 0o170000).toBe(0o010000);
    const withDevice = new Guest(nodeFs("/dev"));
    expect(withDevice.open("/null", O_RDWR)).toBe(-EACCES);
  });

  test("named pipes and sockets of the guest are never the host's", () => {
    for (const [name, type] of [
      ["pipe", S_IFIFO],
      ["socket", S_IFSOCK],
    ] as const) {
      expect(sysMknodat(guest.task, AT_FDCWD, `/${name}`, type | 0o600, 0)).toBe(0);
      expect(stat(`/${name}`).mode).toBe(type | 0o600);
    }
    expect(sysMknodat(guest.task, AT_FDCWD, "/null", S_IFCHR | 0o600, 0x103)).toBe(-EPERM);
    expect(fs.readdirSync(root)).toEqual([]);
    // The host may have the name then: hidden until the guest's own is gone.
    fs.writeFileSync(path.join(root, "pipe"), "the host's");
    expect(stat("/pipe").mode).toBe(S_IFIFO | 0o600);
    expect(sysUnlinkat(guest.task, AT_FDCWD, "/pipe", 0)).toBe(0);
    expect(guest.get("/pipe")).toBe("the host's");
  });

  test("named pipes stay in their directory when somebody else moves it", () => {
    expect(sysMkdirat(guest.task, AT_FDCWD, "/d", 0o755)).toBe(0);
    expect(sysMknodat(guest.task, AT_FDCWD, "/d/pipe", S_IFIFO | 0o600, 0)).toBe(0);
    fs.renameSync(path.join(root, "d"), path.join(root, "e"));
    expect(guest.get("/d/pipe")).toBe(-ENOENT);
    expect(stat("/e/pipe").mode).toBe(S_IFIFO | 0o600);
    expect(sysUnlinkat(guest.task, AT_FDCWD, "/e", AT_REMOVEDIR)).toBe(-ENOTEMPTY);
    expect(sysUnlinkat(guest.task, AT_FDCWD, "/e/pipe", 0)).toBe(0);
    expect(sysUnlinkat(guest.task, AT_FDCWD, "/e", AT_REMOVEDIR)).toBe(0);
  });

  test("the number of named pipes is bounded", () => {
    const small = new Guest(nodeFs(root), 2 ** 20);
    expect(sysMkdirat(small.task, AT_FDCWD, "/d", 0o755)).toBe(0);
    let made = 0;
    while (sysMknodat(small.task, AT_FDCWD, `/d/${made}`, S_IFIFO | 0o600, 0) === 0) made++;
    expect(made).toBeGreaterThan(50);
    expect(made).toBeLessThanOrEqual(128);
    expect(sysMknodat(small.task, AT_FDCWD, "/one-more", S_IFIFO | 0o600, 0)).toBe(-ENOSPC);
    expect(sysLinkat(small.task, AT_FDCWD, "/d/0", AT_FDCWD, "/one-more", 0)).toBe(-ENOSPC);
    expect(sysRenameat2(small.task, AT_FDCWD, "/d/0", AT_FDCWD, "/moved", 0)).toBe(0);
    expect(sysUnlinkat(small.task, AT_FDCWD, "/d/1", 0)).toBe(0);
    expect(sysMknodat(small.task, AT_FDCWD, "/one-more", S_IFIFO | 0o600, 0)).toBe(0);
  });

  test("fallocate refuses what would take the host's disk, or for ever", () => {
    const size = 2 ** 42;
    const fd = must(guest.open("/large", O_RDWR | O_CREAT));
    expect(sysFtruncate(guest.task, fd, size)).toBe(0);
    const modes = [
      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
      FALLOC_FL_ZERO_RANGE,
      FALLOC_FL_COLLAPSE_RANGE,
      FALLOC_FL_INSERT_RANGE,
    ];
    for (const mode of modes) expect(sysFallocate(guest.task, fd, mode, 0, size / 2)).toBe(-EOPNOTSUPP);
    expect(stat("/large").size).toBe(size);
    expect(sysFsync(guest.task, fd)).toBe(0);
    const { size: hostSize, blocks } = fs.statSync(path.join(root, "large"));
    expect([hostSize, blocks]).toEqual([size, 0]);
    expect(sysFallocate(guest.task, fd, modes[0], size / 2, 2 ** 20)).toBe(0);
  });

  test("fallocate is a change of the file also where it changes nothing", () => {
    const fd = must(guest.open("/short", O_RDWR | O_CREAT));
    const long = PAGE_SIZE * 4;
    const calls = [
      [FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, long, 0],
      [FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, long, 0],
      [FALLOC_FL_KEEP_SIZE, long, 0],
      [FALLOC_FL_COLLAPSE_RANGE, PAGE_SIZE, -EINVAL],
      [FALLOC_FL_INSERT_RANGE, long, -EINVAL],
    ] as const;
    for (const [mode, offset, result] of calls) {
      expect(sysUtimensat(guest.task, AT_FDCWD, "/short", [0, 1_000_000_000], 0)).toBe(0);
      expect(sysFallocate(guest.task, fd, mode, offset, PAGE_SIZE)).toBe(result);
      expect(stat("/short").mtimeNs).not.toBe(1_000_000_000);
    }
  });

  test("names that are no names", () => {
    expect(guest.get("/a\0b")).toBe(-22);
    expect(guest.open("/", O_RDONLY | O_DIRECTORY)).toBeGreaterThanOrEqual(0);
  });
});
