import { describe, expect, it } from "vitest";
import {
  faultInjection,
  type Kernel,
  MADV_POPULATE_READ,
  MADV_WILLNEED,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_SYNC,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_SYNC,
  O_WRONLY,
  PAGE_SIZE,
  PROT_READ,
  type Process,
  parseFaultPlan,
  StorageCrash,
  SYNC_FILE_RANGE_WAIT_AFTER,
  SYNC_FILE_RANGE_WAIT_BEFORE,
  SYNC_FILE_RANGE_WRITE,
} from "../../../src/mm/index.ts";
import { boot, outcome, RW } from "../core/rig.ts";
import { Disk, diskFs } from "./disk-fs.ts";

function bytes(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

interface Rig {
  readonly disk: Disk;
  readonly kernel: Kernel;
  readonly process: Process;
  readonly injected: () => number;
}

/** A file "f" of `pages` pages on a disk with faults, whose page n is full of n + 1. */
function rig(plan: string, pages = 64): Rig {
  const disk = new Disk();
  disk.files.set(
    "f",
    Uint8Array.from({ length: pages * PAGE_SIZE }, (_, i) => Math.floor(i / PAGE_SIZE) + 1),
  );
  const time = { ns: 0 };
  const kernel = boot({ now: () => time.ns, sleep: (ns) => (time.ns += ns) });
  const faulty = faultInjection(diskFs(disk), plan);
  kernel.mount("/disk", faulty);
  return { disk, kernel, process: kernel.spawn(), injected: () => faulty.faults.injected };
}

describe("a plan of faults", () => {
  it("is read as it is written", () => {
    const plan = parseFaultPlan(
      "write:eio@5, read:eio%0.01,disk:full@1M,seed=7,swap:dies@100,disk:delay=2.5ms@3-9",
    );
    expect(plan.seed).toBe(7);
    const brief = plan.rules.map((rule) => Object.values(rule).join(" "));
    expect(brief).toEqual([
      "write eio 5 5 -1 0 0",
      "read eio 1 Infinity 0.01 0 0",
      "disk full 1 Infinity -1 1048576 0",
      "swap dies 101 Infinity -1 0 0",
      "disk delay 3 9 -1 0 2500000",
    ]);
    expect(parseFaultPlan("write:torn@4+").rules[0]).toMatchObject({ first: 4, last: Infinity });
  });

  it.each([
    ["", '"": a fault is written target:action, as in write:eio@5'],
    ["seed=3", '"seed=3" has no fault in it'],
    ["eio@5", '"eio@5": a fault is written target:action, as in write:eio@5'],
    [
      "writes:eio",
      '"writes:eio": no target "writes"; there are read, write, flush, disk, swap-read, swap-write, swap',
    ],
    [
      "write:oops",
      '"write:oops": no action "oops"; there are eio, enospc, edquot, torn, crash, full, dies, delay',
    ],
    ["write:constructor", /no action "constructor"/],
    ["read:torn", '"read:torn": "torn" can\'t happen to "read", only to write, disk, swap-write, swap'],
    ["write:eio=5", '"write:eio=5": "eio" takes no "="'],
    ["write:eio@0", '"write:eio@0": @0: operations count from 1 upwards'],
    ["write:eio@9-3", /count from 1 upwards/],
    ["write:eio@x", '"write:eio@x": "x" is no operation; write @5, @5+ or @5-9'],
    ["write:eio%1.5", '"write:eio%1.5": "1.5" is no probability between 0 and 1'],
    ["disk:full", '"disk:full": "full" needs to know after how much: full@1M'],
    ["disk:full@1T", '"disk:full@1T": "1T" is no size; write full@1M'],
    ["disk:dies%0.5", /needs to know after how much: dies@100/],
    ["read:delay", '"read:delay": "" is no time; write delay=2ms'],
    ["read:eio,,", '"": a fault is written target:action, as in write:eio@5'],
  ])("%s is refused with the reason", (text, message) => {
    expect(() => parseFaultPlan(text)).toThrow(message);
  });
});

describe("errors of write-back", () => {
  // The steps and answers of Linux 6.18: ext4 without a journal on a device that is full.
  it("reach each open file once, and leave the pages", () => {
    const { process: p, kernel } = rig("write:enospc@1+");
    kernel.mount("/other", diskFs(new Disk()));
    const all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    const a = p.open("/disk/f", O_RDWR);
    const b = p.open("/disk/f", O_RDWR);
    const d = p.open("/disk", O_RDONLY);
    const answers: string[] = [];
    const ask = (call: () => void): void => void answers.push(outcome(call));
    p.pwrite(a, bytes(10 * PAGE_SIZE, 120), undefined, 0);
    ask(() => p.sync_file_range(a, 0, 0, SYNC_FILE_RANGE_WRITE));
    ask(() => p.fsync(a));
    ask(() => p.fsync(a));
    const c = p.open("/disk/f", O_RDWR);
    ask(() => p.fsync(c));
    const addr = p.mmap(0, 10 * PAGE_SIZE, RW, MAP_SHARED, b, 0);
    ask(() => p.msync(addr, 10 * PAGE_SIZE, MS_SYNC));
    ask(() => p.msync(addr, 10 * PAGE_SIZE, MS_SYNC));
    ask(() => p.fsync(b));
    ask(() => p.syncfs(d));
    ask(() => p.syncfs(d));
    expect(answers.splice(0)).toEqual(["ok", "ENOSPC", "ok", "ok", "ENOSPC", "ok", "ok", "ENOSPC", "ok"]);
    const tail = new Uint8Array(PAGE_SIZE);
    p.pread(a, tail, undefined, 9 * PAGE_SIZE);
    expect(tail).toEqual(bytes(PAGE_SIZE, 120));
    p.writeBytes(addr + 10 * PAGE_SIZE - 1, bytes(1, 121));
    ask(() => p.sync_file_range(a, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE));
    ask(() => p.sync_file_range(a, 0, 0, all));
    ask(() => p.sync_file_range(a, 0, 0, all));
    ask(() => p.fsync(a));
    ask(() => p.fsync(b));
    ask(() => p.fdatasync(c));
    const e = p.open("/disk/f", O_RDWR | O_SYNC);
    ask(() => p.pwrite(e, bytes(10, 122), undefined, 10 * PAGE_SIZE - 10));
    ask(() => p.fsync(e));
    expect(answers.splice(0)).toEqual(["ok", "ENOSPC", "ok", "ok", "ENOSPC", "ENOSPC", "ENOSPC", "ok"]);
    expect(p.readBytes(addr + 10 * PAGE_SIZE - 10, 10)).toEqual(bytes(10, 122));
  });

  it("of a flush nobody waited for are told later, and syncfs hears of files that are closed", () => {
    const { process: p, kernel } = rig("write:eio@2");
    const dir = p.open("/disk", O_RDONLY);
    const fd = p.open("/disk/f", O_RDWR);
    p.pwrite(fd, bytes(3 * PAGE_SIZE, 9), undefined, 0);
    p.sync();
    expect(outcome(() => p.fsync(fd))).toBe("EIO");
    expect(outcome(() => p.fsync(fd))).toBe("ok");
    p.close(fd);
    expect([outcome(() => p.syncfs(dir)), outcome(() => p.syncfs(dir))]).toEqual(["EIO", "ok"]);
    expect(kernel.vmstat().nr_dirty).toBe(0);
  });

  it("strike the page that the plan names, and its neighbours are written", () => {
    const { process: p, disk, injected } = rig("write:eio@3");
    const fd = p.open("/disk/f", O_WRONLY);
    p.write(fd, bytes(5 * PAGE_SIZE, 200));
    expect(outcome(() => p.fsync(fd))).toBe("EIO");
    expect([0, 1, 2, 3, 4].map((page) => disk.bytes("f")[page * PAGE_SIZE])).toEqual([200, 200, 3, 200, 200]);
    expect(injected()).toBe(1);
  });

  it("a full disk takes what it has room for, and what is there already can be written again", () => {
    const { process: p, disk } = rig("disk:full@8K");
    const fd = p.open("/disk/f", O_RDWR);
    for (let page = 0; page < 4; page++)
      p.pwrite(fd, bytes(PAGE_SIZE, 100 + page), undefined, page * PAGE_SIZE);
    expect(outcome(() => p.fsync(fd))).toBe("ENOSPC");
    p.pwrite(fd, bytes(PAGE_SIZE, 50), undefined, 0);
    expect(outcome(() => p.fsync(fd))).toBe("ok");
    expect([0, 1, 2, 3].map((page) => disk.bytes("f")[page * PAGE_SIZE])).toEqual([50, 101, 3, 4]);
  });

  it("a page tears between sectors", () => {
    const { process: p, disk } = rig("write:torn@1,seed=3");
    const fd = p.open("/disk/f", O_RDWR);
    p.pwrite(fd, bytes(PAGE_SIZE, 99), undefined, PAGE_SIZE);
    expect(outcome(() => p.fsync(fd))).toBe("EIO");
    const page = disk.bytes("f").subarray(PAGE_SIZE, 2 * PAGE_SIZE);
    const torn = page.lastIndexOf(99) + 1;
    expect([torn > 0, torn < PAGE_SIZE, torn % 512]).toEqual([true, true, 0]);
    expect(page.subarray(torn)).toEqual(bytes(PAGE_SIZE - torn, 2));
    const cached = new Uint8Array(PAGE_SIZE);
    p.pread(fd, cached, undefined, PAGE_SIZE);
    expect(cached).toEqual(bytes(PAGE_SIZE, 99));
  });

  it("a crash ends it all in the middle of a page", () => {
    const { process: p, disk } = rig("write:crash@2");
    const fd = p.open("/disk/f", O_RDWR);
    p.pwrite(fd, bytes(4 * PAGE_SIZE, 99), undefined, 0);
    expect(() => p.fsync(fd)).toThrow(StorageCrash);
    expect(() => p.fsync(fd)).toThrow(StorageCrash);
    const found = [0, 1, 2, 3].map((page) => {
      const part = disk.bytes("f").subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
      return part.every((byte) => byte === 99)
        ? "new"
        : part.every((byte) => byte === page + 1)
          ? "old"
          : "torn";
    });
    expect(found).toEqual(["new", "torn", "old", "old"]);
  });

  it("a dead disk fails everything, a flush too, and nothing that was read is lost", () => {
    const { process: p } = rig("disk:dies@40");
    const fd = p.open("/disk/f", O_RDWR);
    const page = new Uint8Array(PAGE_SIZE);
    p.pread(fd, page, undefined, 0);
    for (let i = 0; i < 64; i++) p.pwrite(fd, bytes(1, 77), undefined, i * 10);
    let results = "";
    for (let i = 0; i < 40; i++) {
      p.pwrite(fd, bytes(1, 77), undefined, i);
      results += outcome(() => p.fsync(fd)) === "ok" ? "+" : "-";
    }
    expect(results).toMatch(/^\+{5,}-{5,}$/);
    expect(outcome(() => p.fsync(fd))).toBe("EIO");
    p.pread(fd, page, undefined, 0);
    expect(page[39]).toBe(77);
    expect(outcome(() => p.pread(fd, page, undefined, 60 * PAGE_SIZE))).toBe("EIO");
  });

  it("delays pass on the kernel's clock", () => {
    const { process: p, kernel } = rig("write:delay=2ms,flush:delay=5ms,read:delay=1ms@1");
    const fd = p.open("/disk/f", O_RDWR);
    p.pwrite(fd, bytes(3 * PAGE_SIZE, 1), undefined, 0);
    p.fsync(fd);
    expect(kernel.now()).toBe(11e6);
    p.pread(fd, new Uint8Array(1), undefined, 10 * PAGE_SIZE);
    expect(kernel.now()).toBe(12e6);
  });
});

describe("a page that can't be read", () => {
  /** Only page 20 of the file is bad: the fault comes when it is read for the first time. */
  function badPage20(): Rig {
    const at = rig("read:eio@1");
    const fd = at.process.open("/disk/f", O_RDONLY);
    const page = new Uint8Array(PAGE_SIZE);
    expect(outcome(() => at.process.pread(fd, page, undefined, 20 * PAGE_SIZE))).toBe("EIO");
    at.process.close(fd);
    return at;
  }

  it("is SIGBUS to who touches it, and nobody else's trouble", () => {
    const { process: p } = badPage20();
    const fd = p.open("/disk/f", O_RDWR);
    for (const type of [MAP_SHARED, MAP_PRIVATE]) {
      const addr = p.mmap(0, 64 * PAGE_SIZE, RW, type, fd, 0);
      for (let page = 0; page < 64; page++) {
        if (page === 20) continue;
        expect(p.readBytes(addr + page * PAGE_SIZE, 1)[0]).toBe(page + 1);
      }
      expect(outcome(() => p.readBytes(addr + 20 * PAGE_SIZE, 1))).toBe("BUS_ADRERR");
      expect(outcome(() => p.writeBytes(addr + 20 * PAGE_SIZE, bytes(1, 1)))).toBe("BUS_ADRERR");
      expect(outcome(() => p.madvise(addr, 64 * PAGE_SIZE, MADV_WILLNEED))).toBe("ok");
      expect(outcome(() => p.madvise(addr, 64 * PAGE_SIZE, MADV_POPULATE_READ))).toBe("EFAULT");
      expect(outcome(() => p.mlock(addr, 64 * PAGE_SIZE))).toBe("ENOMEM");
      p.munmap(addr, 64 * PAGE_SIZE);
    }
    expect(p.mmap(0, 64 * PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0)).toBeGreaterThan(0);
  });

  it("ends a read before it, fails one that starts at it, and a write of a part of it", () => {
    const { process: p } = badPage20();
    const fd = p.open("/disk/f", O_RDWR);
    const buffer = new Uint8Array(4 * PAGE_SIZE);
    expect(p.pread(fd, buffer, undefined, 18 * PAGE_SIZE)).toBe(2 * PAGE_SIZE);
    expect(outcome(() => p.pread(fd, buffer, undefined, 20 * PAGE_SIZE + 100))).toBe("EIO");
    expect(outcome(() => p.pwrite(fd, bytes(10, 1), undefined, 20 * PAGE_SIZE))).toBe("EIO");
    expect(p.pwrite(fd, bytes(2 * PAGE_SIZE, 1), undefined, 18 * PAGE_SIZE + 100)).toBe(2 * PAGE_SIZE - 100);
  });

  it("is EFAULT as the buffer of a call", () => {
    const { process: p } = badPage20();
    const fd = p.open("/disk/f", O_RDWR);
    const addr = p.mmap(0, 64 * PAGE_SIZE, RW, MAP_SHARED, fd, 0);
    const memory = p.memfd_create("memory");
    expect(outcome(() => p.write(memory, addr + 20 * PAGE_SIZE, 10))).toBe("EFAULT");
    expect(p.write(memory, addr + 20 * PAGE_SIZE - 100, 200)).toBe(100);
  });

  it("is whole again once it was written", () => {
    const { process: p } = badPage20();
    const fd = p.open("/disk/f", O_RDWR);
    p.pwrite(fd, bytes(PAGE_SIZE, 5), undefined, 20 * PAGE_SIZE);
    p.fsync(fd);
    p.close(fd);
    const again = p.open("/disk/f", O_RDONLY | O_CREAT);
    const page = new Uint8Array(PAGE_SIZE);
    expect(p.pread(again, page, undefined, 20 * PAGE_SIZE)).toBe(PAGE_SIZE);
    expect(page).toEqual(bytes(PAGE_SIZE, 5));
  });
});
