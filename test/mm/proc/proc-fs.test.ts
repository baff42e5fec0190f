/** /proc as a file system: what is there, who may look, how reads come in pieces, what can be written. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  type Process,
  procFs,
  SEEK_END,
  SEEK_SET,
  validate,
  X86_64,
} from "../../../src/mm/index.ts";
import { PROCMAP_QUERY } from "../../../src/mm/proc/procmap-query.ts";
import { sysGetdents, sysReadlinkat } from "../../../src/mm/syscalls/directory.ts";
import { sysIoctl } from "../../../src/mm/syscalls/open.ts";
import { errnoName } from "../../../src/mm/uapi/errno.ts";
import { AT_FDCWD } from "../../../src/mm/uapi/fcntl.ts";
import { readAll, writeText } from "./steps.ts";

const PAGE = 4096;
const RW = 3;

let kernel: Kernel;
let process: Process;

beforeEach(() => {
  kernel = new Kernel({ arch: X86_64, ram: 32 * 2 ** 20, poison: true });
  kernel.mount("/proc", procFs(kernel));
  process = kernel.spawn({ comm: "main" });
});

function mapTouched(pages: number, touched: number): number {
  const addr = process.mmap(0, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
  for (let i = 0; i < touched; i++) process.storeU8(addr + i * PAGE, 1);
  return addr;
}

/** The errno's name that the call throws, or what it answers. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
}

function names(of: Process, path: string): string[] {
  const fd = of.open(path, O_RDONLY);
  const found: string[] = [];
  sysGetdents(of, fd, ({ name }) => {
    found.push(name);
    return true;
  });
  of.close(fd);
  return found.filter((name) => name !== "." && name !== "..");
}

function field(text: string, label: string): string {
  return (text.split("\n").find((line) => line.startsWith(`${label}:`)) ?? "").replace(/^\S+\s+/, "");
}

describe("self and the others", () => {
  it("self is whoever reads", () => {
    const child = process.fork();
    expect(field(readAll(process, "/proc/self/status"), "Pid")).toBe("1");
    expect(field(readAll(child, "/proc/self/status"), "Pid")).toBe("2");
    expect(field(readAll(child, "/proc/self/status"), "State")).toBe("R (running)");
    expect(field(readAll(child, "/proc/1/status"), "State")).toBe("S (sleeping)");
    expect(sysReadlinkat(child, AT_FDCWD, "/proc/self")).toBe("2");
  });

  it("a process's directory comes and goes with it", () => {
    const child = process.fork();
    expect(names(process, "/proc").filter((name) => /^\d/.test(name))).toEqual(["1", "2"]);
    const maps = child.mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
    expect(maps).toBeGreaterThan(0);
    const fd = process.open("/proc/2/maps", O_RDONLY);
    const dir = process.open("/proc/2", O_RDONLY);
    child.exit(3);
    // A zombie has no memory any more, but still a state.
    expect(process.read(fd, new Uint8Array(100))).toBe(0);
    expect(field(readAll(process, "/proc/2/status"), "State")).toBe("Z (zombie)");
    expect(readAll(process, "/proc/2/maps")).toBe("");
    expect(readAll(process, "/proc/2/statm")).toBe("0 0 0 0 0 0 0\n");
    expect(outcome(() => process.open("/proc/2/pagemap", O_RDONLY))).toBe("ESRCH");
    process.wait();
    expect(outcome(() => process.open("/proc/2/maps", O_RDONLY))).toBe("ENOENT");
    expect(names(process, "/proc").filter((name) => /^\d/.test(name))).toEqual(["1"]);
    process.close(fd);
    process.close(dir);
    expect(outcome(() => process.stat("/proc/01"))).toBe("ENOENT");
  });

  it("a stranger may not look into another's memory", () => {
    const stranger = kernel.spawn({ uid: 1000, gid: 1000 });
    for (const name of ["maps", "smaps", "smaps_rollup", "pagemap", "mem", "numa_maps"]) {
      expect([name, outcome(() => stranger.open(`/proc/1/${name}`, O_RDONLY))]).toEqual([name, "EACCES"]);
    }
    expect(readAll(stranger, "/proc/1/statm")).toBe(readAll(process, "/proc/1/statm"));
    expect(readAll(stranger, "/proc/self/maps")).toBe("");
    expect(sysReadlinkat(stranger, AT_FDCWD, "/proc/1/cwd")).toBe(-13);
  });

  it("nothing can be made, renamed or removed", () => {
    expect(outcome(() => process.mkdir("/proc/x"))).toBe("ENOENT");
    expect(outcome(() => process.open("/proc/x", O_CREAT | O_RDWR, 0o644))).toBe("ENOENT");
    expect(outcome(() => process.unlink("/proc/meminfo"))).toBe("EPERM");
    expect(
      outcome(() => process.mmap(0, PAGE, 1, MAP_PRIVATE, process.open("/proc/self/maps", O_RDONLY))),
    ).toBe("ENODEV");
  });
});

describe("reading in pieces", () => {
  it("a read answers whole records of at most a page, whatever it asks for", () => {
    for (let i = 0; i < 200; i++) process.mmap(0, PAGE, i % 2 === 0 ? 1 : RW, MAP_PRIVATE | MAP_ANONYMOUS);
    const fd = process.open("/proc/self/maps", O_RDONLY);
    const buffer = new Uint8Array(65536);
    const sizes: number[] = [];
    for (let got = -1; got !== 0; ) {
      got = process.read(fd, buffer);
      sizes.push(got);
      if (got > 0) expect(buffer[got - 1]).toBe(10);
    }
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.max(...sizes)).toBeLessThan(PAGE);
    expect(sizes.reduce((a, b) => a + b)).toBe(process.maps().length);
  });

  it.each([1, 7, 100, 4096, 65536])("pieces of %d bytes make the same text", (piece) => {
    mapTouched(10, 3);
    for (let i = 0; i < 50; i++) process.mmap(0, PAGE, i % 2 === 0 ? 1 : RW, MAP_PRIVATE | MAP_ANONYMOUS);
    expect(readAll(process, "/proc/self/maps", piece)).toBe(process.maps());
    expect(readAll(process, "/proc/self/smaps", piece)).toBe(readAll(process, "/proc/self/smaps"));
  });

  it("any position can be read from, and there is no end to seek from", () => {
    for (let i = 0; i < 100; i++) process.mmap(0, PAGE, i % 2 === 0 ? 1 : RW, MAP_PRIVATE | MAP_ANONYMOUS);
    const text = process.maps();
    const fd = process.open("/proc/self/maps", O_RDONLY);
    const buffer = new Uint8Array(20);
    for (const pos of [4000, 10, 2500, 0, text.length - 5, text.length, text.length + 100]) {
      const got = process.pread(fd, buffer, 20, pos);
      const wanted = text.slice(pos, pos + 20);
      expect(new TextDecoder().decode(buffer.subarray(0, got))).toBe(wanted.slice(0, got));
      expect(got > 0).toBe(wanted !== "");
    }
    expect(outcome(() => process.lseek(fd, 0, SEEK_END))).toBe("EINVAL");
    expect(process.lseek(fd, 50, SEEK_SET)).toBe(50);
    process.read(fd, buffer);
    const [folder, sink] = [
      process.open("/proc/self/map_files", O_RDONLY),
      process.open("/sink", O_RDWR | O_CREAT, 0o600),
    ];
    expect(process.lseek(folder, 2 ** 31 - 1, SEEK_SET)).toBe(2 ** 31 - 1);
    expect(outcome(() => process.lseek(folder, 2 ** 31, SEEK_SET))).toBe("EINVAL");
    process.lseek(fd, 2 ** 31, SEEK_SET);
    expect(outcome(() => process.sendfile(sink, fd, null, 0))).toBe("EOVERFLOW");
    process.lseek(fd, 70, SEEK_SET);
    expect(new TextDecoder().decode(buffer)).toBe(text.slice(50, 70));
  });
});

describe("memory", () => {
  it("mem reads and writes another process", () => {
    const addr = mapTouched(4, 0);
    process.writeBytes(addr + PAGE - 2, new TextEncoder().encode("across"));
    const reader = kernel.spawn();
    const fd = reader.open("/proc/1/mem", O_RDWR);
    const bytes = new Uint8Array(6);
    expect(reader.pread(fd, bytes, 6, addr + PAGE - 2)).toBe(6);
    expect(new TextDecoder().decode(bytes)).toBe("across");
    expect(reader.pwrite(fd, new TextEncoder().encode("over"), 4, addr + PAGE - 2)).toBe(4);
    expect(process.readString(addr + PAGE - 2)).toBe("overss");
    // What can't be reached ends the transfer, and is an error where nothing was.
    expect(reader.pread(fd, new Uint8Array(2 * PAGE), 2 * PAGE, addr + 3 * PAGE)).toBe(PAGE);
    expect(outcome(() => reader.pread(fd, bytes, 6, 0x1000))).toBe("EIO");
    expect(validate(kernel)).toEqual([]);
  });

  it("a write through mem leaves the owner's protection, and its parent's page, alone", () => {
    const addr = mapTouched(1, 1);
    const child = process.fork();
    child.mprotect(addr, PAGE, 1);
    const fd = child.open("/proc/self/mem", O_RDWR);
    child.pwrite(fd, new Uint8Array([9]), 1, addr);
    expect(child.loadU8(addr)).toBe(9);
    expect(process.loadU8(addr)).toBe(1);
    expect(outcome(() => child.storeU8(addr, 2))).toBe("SEGV_ACCERR");
    expect(validate(kernel)).toEqual([]);
    // Now the parent's page is its own again: the same, by the way of reuse.
    child.exit();
    process.mprotect(addr, PAGE, 1);
    const own = process.open("/proc/self/mem", O_RDWR);
    process.pwrite(own, new Uint8Array([5]), 1, addr);
    expect(process.loadU8(addr)).toBe(5);
    expect(outcome(() => process.storeU8(addr, 2))).toBe("SEGV_ACCERR");
    expect(validate(kernel)).toEqual([]);
  });

  it("pagemap shows frames to root alone, and wants whole entries", () => {
    const addr = mapTouched(2, 1);
    const other = kernel.spawn({ uid: 7, gid: 7 });
    const theirs = other.mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
    other.storeU8(theirs, 1);
    const entry = (reader: Process, path: string, at: number): bigint => {
      const fd = reader.open(path, O_RDONLY);
      const bytes = new Uint8Array(8);
      expect(reader.pread(fd, bytes, 8, (at / PAGE) * 8)).toBe(8);
      return new DataView(bytes.buffer).getBigUint64(0, true);
    };
    expect(entry(process, "/proc/self/pagemap", addr) & ((1n << 55n) - 1n)).toBeGreaterThan(0n);
    expect(entry(process, "/proc/2/pagemap", theirs) & ((1n << 55n) - 1n)).toBeGreaterThan(0n);
    expect(entry(other, "/proc/self/pagemap", theirs)).toBe((1n << 63n) | (1n << 56n));
    expect(entry(process, "/proc/self/pagemap", addr + PAGE)).toBe(0n);
    const fd = process.open("/proc/self/pagemap", O_RDONLY);
    expect(outcome(() => process.pread(fd, new Uint8Array(7), 7, 0))).toBe("EINVAL");
    expect(outcome(() => process.pread(fd, new Uint8Array(8), 8, 4))).toBe("EINVAL");
    expect(process.pread(fd, new Uint8Array(16), 16, (X86_64.taskSize / PAGE) * 8)).toBe(0);
  });

  it("clear_refs takes 1 … 5 and knows the peak", () => {
    const addr = mapTouched(8, 8);
    process.munmap(addr, 4 * PAGE);
    expect(field(readAll(process, "/proc/self/status"), "VmHWM")).toBe("32 kB");
    expect(field(readAll(process, "/proc/self/status"), "VmPeak")).toBe("32 kB");
    expect(writeText(process, "/proc/self/clear_refs", "5\n")).toBe(2);
    expect(field(readAll(process, "/proc/self/status"), "VmHWM")).toBe("16 kB");
    for (const [text, wanted] of [
      ["0", "EINVAL"],
      ["6", "EINVAL"],
      ["x", "EINVAL"],
      [" 1 ", 3],
      ["1234567890123456", "ERANGE"],
    ] as const) {
      expect([text, outcome(() => writeText(process, "/proc/self/clear_refs", text))]).toEqual([
        text,
        wanted,
      ]);
    }
    const clear = process.open("/proc/self/clear_refs", O_RDWR);
    expect([process.lseek(clear, -1, SEEK_SET), process.lseek(clear, 5, SEEK_END)]).toEqual([0, 0]);
    // The TLB forgot as well: a page that is used again is seen to be.
    expect(field(readAll(process, "/proc/self/smaps_rollup"), "Referenced")).toBe("0 kB");
    process.loadU8(addr + 4 * PAGE);
    expect(field(readAll(process, "/proc/self/smaps_rollup"), "Referenced")).toBe("4 kB");
    expect(validate(kernel)).toEqual([]);
  });
});

describe("PROCMAP_QUERY", () => {
  /** Asks for the mapping at `addr`; answers the errno's name, or what is known of it. */
  function query(addr: number, flags: number, nameSize = 256): unknown {
    const arg = mapTouched(1, 1);
    const view = new DataView(new ArrayBuffer(104));
    view.setBigUint64(0, 104n, true);
    view.setBigUint64(8, BigInt(flags), true);
    view.setBigUint64(16, BigInt(addr), true);
    view.setUint32(80, nameSize, true);
    view.setBigUint64(88, nameSize === 0 ? 0n : BigInt(arg + 1024), true);
    process.writeBytes(arg, new Uint8Array(view.buffer));
    const fd = process.open("/proc/self/maps", O_RDONLY);
    const failed = sysIoctl(process, fd, PROCMAP_QUERY, arg);
    process.close(fd);
    const answer = new DataView(process.readBytes(arg, 104).slice().buffer);
    const name = answer.getUint32(80, true) > 0 && nameSize > 0 ? process.readString(arg + 1024) : "";
    process.munmap(arg, PAGE);
    if (failed < 0) return errnoName(-failed);
    const numbers = [24, 32, 40, 56].map((at) => Number(answer.getBigUint64(at, true)));
    return [...numbers, name];
  }

  it("finds the mapping at an address, or the next that fits", () => {
    const at = 0x10000000;
    process.mmap(at, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
    const fd = process.memfd_create("named");
    process.ftruncate(fd, 4 * PAGE);
    process.mmap(at + 4 * PAGE, 2 * PAGE, 1, MAP_SHARED | MAP_FIXED, fd, PAGE);
    const named = [at + 4 * PAGE, at + 6 * PAGE, 1 | 8, PAGE, "/memfd:named (deleted)"];
    expect(query(at + PAGE, 0)).toEqual([at, at + 2 * PAGE, 3, 0, ""]);
    expect(query(at + 3 * PAGE, 0)).toBe("ENOENT");
    expect(query(at + 3 * PAGE, 0x10)).toEqual(named);
    expect(query(at, 0x10 | 0x20)).toEqual(named);
    expect(query(at, 0x20)).toBe("ENOENT");
    expect(query(at + 4 * PAGE, 0x02)).toBe("ENOENT");
    expect(query(at + 4 * PAGE, 0x08, 0)).toEqual([...named.slice(0, 4), ""]);
    expect(query(at + 4 * PAGE, 0, 5)).toBe("ENAMETOOLONG");
    expect(query(at, 0x40)).toBe("EINVAL");
  });
});

describe("names and scores", () => {
  it("what is no seq_file can be written at any place", () => {
    const text = new TextEncoder().encode("7");
    const write = (name: string): unknown => {
      const fd = process.open(`/proc/self/${name}`, O_RDWR);
      return outcome(() => process.pwrite(fd, text, 1, 3));
    };
    expect(["comm", "maps", "status", "oom_score_adj", "oom_adj"].map(write)).toEqual([
      ...["ESPIPE", "ESPIPE", "ESPIPE"],
      ...[1, 1],
    ]);
    const maps = process.open("/proc/self/maps", O_RDONLY);
    expect(outcome(() => process.pwrite(maps, text, 1, 3))).toBe("ESPIPE");
    expect(outcome(() => process.write(maps, text))).toBe("EBADF");
  });

  it("comm can be written by the process itself", () => {
    expect(writeText(process, "/proc/self/comm", "hello world this is long\n")).toBe(25);
    expect(readAll(process, "/proc/self/comm")).toBe("hello world thi\n");
    writeText(process, "/proc/self/comm", "a\nb\\c\n");
    expect(readAll(process, "/proc/self/comm")).toBe("a\nb\\c\n\n");
    expect(readAll(process, "/proc/self/status").split("\n")[0]).toBe("Name:\ta\\nb\\\\c\\n");
    const other = kernel.spawn();
    expect(outcome(() => writeText(other, "/proc/1/comm", "x"))).toBe("EINVAL");
  });

  it("oom_score follows size and adjustment, which children inherit", () => {
    expect(readAll(process, "/proc/self/oom_score")).toBe("666\n");
    mapTouched(4096, 4096);
    expect(Number(readAll(process, "/proc/self/oom_score"))).toBeGreaterThan(950);
    for (const [text, wanted, adj] of [
      ["5\n", 2, 5],
      ["-1001", "EINVAL", 5],
      ["0x10", 4, 16],
      ["1001", "EINVAL", 16],
      ["q", "EINVAL", 16],
      ["1 2", "EINVAL", 16],
      ["99999999999", "ERANGE", 16],
      ["-1000", 5, -1000],
    ] as const) {
      expect([text, outcome(() => writeText(process, "/proc/self/oom_score_adj", text))]).toEqual([
        text,
        wanted,
      ]);
      expect(readAll(process, "/proc/self/oom_score_adj")).toBe(`${adj}\n`);
    }
    expect(readAll(process, "/proc/self/oom_score")).toBe("0\n");
    const child = process.fork();
    expect(readAll(child, "/proc/self/oom_score_adj")).toBe("-1000\n");
    const user = kernel.spawn({ uid: 5, gid: 5 });
    expect(outcome(() => writeText(user, "/proc/self/oom_score_adj", "-1"))).toBe("EACCES");
    expect(outcome(() => writeText(user, "/proc/self/oom_score_adj", "10"))).toBe(2);
    expect(outcome(() => writeText(user, "/proc/self/oom_score_adj", "0"))).toBe(1);
  });

  it("cmdline is what stands between the marks, a title included", () => {
    const addr = mapTouched(1, 1);
    process.writeBytes(addr, new TextEncoder().encode("prog\0-v\0HOME=/\0"));
    Object.assign(process.mm, { argStart: addr, argEnd: addr + 8, envStart: addr + 8, envEnd: addr + 15 });
    expect(readAll(process, "/proc/self/cmdline")).toBe("prog\0-v\0");
    expect(readAll(process, "/proc/self/environ")).toBe("HOME=/\0");
    process.writeBytes(addr, new TextEncoder().encode("a longer\ttitle\0"));
    expect(readAll(process, "/proc/self/cmdline")).toBe("a longer\ttitle\0");
  });
});

describe("links", () => {
  it("fd and map_files lead to the file itself, even without a name", () => {
    const fd = process.open("/tmp-file", O_RDWR | O_CREAT, 0o600);
    process.write(fd, new TextEncoder().encode("content"));
    const addr = process.mmap(0, PAGE, 1, MAP_SHARED, fd);
    process.unlink("/tmp-file");
    expect(sysReadlinkat(process, AT_FDCWD, `/proc/self/fd/${fd}`)).toBe("/tmp-file (deleted)");
    expect(readAll(process, `/proc/self/fd/${fd}`)).toBe("content");
    const [name] = names(process, "/proc/self/map_files");
    expect(name).toBe(`${addr.toString(16)}-${(addr + PAGE).toString(16)}`);
    expect(readAll(process, `/proc/self/map_files/${name}`)).toBe("content");
    expect(process.lstat(`/proc/self/map_files/${name}`).mode & 0o777).toBe(0o600);
    expect(process.lstat(`/proc/self/fd/${fd}`).mode & 0o777).toBe(0o700);
    expect(process.stat("/proc/self/fd").size).toBe(1);
    process.dup(fd);
    expect([process.stat("/proc/self/fd").size, process.stat("/proc/self/fdinfo").size]).toEqual([2, 0]);
    process.munmap(addr, PAGE);
    expect(names(process, "/proc/self/map_files")).toEqual([]);
    process.close(fd);
    expect(outcome(() => process.lstat(`/proc/self/fd/${fd}`))).toBe("ENOENT");
    expect(validate(kernel)).toEqual([]);
  });

  it("cwd and root can be walked through", () => {
    process.mkdir("/dir");
    const fd = process.open("/dir/file", O_RDWR | O_CREAT, 0o600);
    process.write(fd, new Uint8Array([65]));
    expect(readAll(process, "/proc/self/root/dir/file")).toBe("A");
    expect(readAll(process, "/proc/self/cwd/dir/file")).toBe("A");
    expect(readAll(process, "/proc/self/cwd/proc/self/comm")).toBe("main\n");
  });
});

describe("the kernel's own", () => {
  it("counters follow the memory", () => {
    const before = field(readAll(process, "/proc/meminfo"), "AnonPages");
    mapTouched(100, 100);
    const after = readAll(process, "/proc/meminfo");
    expect(Number.parseInt(field(after, "AnonPages"), 10) - Number.parseInt(before, 10)).toBe(400);
    expect(field(after, "Committed_AS")).toBe("400 kB");
    expect(readAll(process, "/proc/vmstat")).toContain("\nnr_anon_pages 100\n");
    expect(readAll(process, "/proc/zoneinfo")).toContain("\n      nr_anon_pages 100\n");
    expect(readAll(process, "/proc/swaps")).toBe("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    expect(readAll(process, "/proc/mounts")).toBe(
      "tmpfs / tmpfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\n",
    );
  });

  it("settings take effect at once", () => {
    const setting = "/proc/sys/vm/max_map_count";
    expect(readAll(process, setting)).toBe("65530\n");
    for (const [text, wanted] of [
      ["x", "EINVAL"],
      ["-1", "EINVAL"],
      ["", 0],
      ["65530 7", 6],
      ["0x10\n", 5],
    ] as const) {
      expect([text, outcome(() => writeText(process, setting, text))]).toEqual([text, wanted]);
    }
    expect(readAll(process, setting)).toBe("16\n");
    expect(
      outcome(() => {
        for (let i = 0; i < 20; i++) {
          const prot = i % 2 === 0 ? 1 : RW;
          process.mmap(0x10000000 + i * PAGE, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
        }
      }),
    ).toBe("ENOMEM");
    const fd = process.open(setting, O_RDONLY);
    expect(process.read(fd, new Uint8Array(1))).toBe(1);
    expect(process.read(fd, new Uint8Array(10))).toBe(0);
    const user = kernel.spawn({ uid: 3 });
    expect(outcome(() => writeText(user, setting, "100"))).toBe("EACCES");
    writeText(process, "/proc/sys/vm/overcommit_memory", "2");
    writeText(process, "/proc/sys/vm/overcommit_ratio", "1");
    expect(outcome(() => process.mmap(0, 8 * 2 ** 20, RW, MAP_PRIVATE | MAP_ANONYMOUS))).toBe("ENOMEM");
    expect(readAll(process, "/proc/sys/kernel/osrelease")).toMatch(/^6\.18\./);
  });
});
