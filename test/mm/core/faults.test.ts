/** Which access takes a fault, and what it finds: counted and compared with what Linux 6.18 does (facts 11, 12, 15, 18). */
import { describe, expect, it } from "vitest";
import {
  MADV_DONTNEED,
  MADV_POPULATE_WRITE,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  RISCV64,
  X86_64,
} from "../../../src/mm/index.ts";
import {
  ANON,
  BASE,
  boot,
  faults,
  mapAt,
  newFile,
  outcome,
  P,
  RW,
  readAll,
  SHARED_ANON,
  spawn,
  writeAll,
} from "./rig.ts";

const N = 64;

describe("fault counts of 64 pages (fact 18)", () => {
  it("anonymous: reading takes 64 for the zero page, writing then 64 for frames", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, N);
    const before = task.kernel.phys.usedFrames;
    expect(faults(task, () => readAll(task, addr, N))).toBe(64);
    // Four tables at most, and not one frame for data.
    expect(task.kernel.phys.usedFrames - before).toBeLessThanOrEqual(4);
    expect(task.mm.rss[1]).toBe(0);
    expect(faults(task, () => writeAll(task, addr, N))).toBe(64);
    expect(task.mm.rss[1]).toBe(64);
    expect(faults(task, () => writeAll(task, addr, N))).toBe(0);
  });

  it("MADV_DONTNEED gives the frames back, so that writing takes 64 again, over zeros", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, N);
    writeAll(task, addr, N);
    task.madvise(addr, N * P, MADV_DONTNEED);
    expect(task.mm.rss[1]).toBe(0);
    expect(faults(task, () => writeAll(task, addr + 1, N))).toBe(64);
    expect(task.loadU8(addr)).toBe(0);
  });

  it("mprotect to read-only and back costs no fault when writing on", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, N);
    writeAll(task, addr, N);
    task.mprotect(addr, N * P, PROT_READ);
    task.mprotect(addr, N * P, RW);
    expect(faults(task, () => writeAll(task, addr, N))).toBe(0);
  });

  it("a child reads without a fault, writes with 64, and the parent then reuses its pages with 64", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, N);
    writeAll(task, addr, N);
    const child = task.fork();
    expect(faults(child, () => readAll(child, addr, N))).toBe(0);
    const before = task.kernel.phys.usedFrames;
    expect(faults(child, () => writeAll(child, addr, N, 2))).toBe(64);
    expect(task.kernel.phys.usedFrames - before).toBe(64);
    child.exit();
    task.wait();
    const alone = task.kernel.phys.usedFrames;
    expect(faults(task, () => writeAll(task, addr, N, 3))).toBe(64);
    expect(task.kernel.phys.usedFrames).toBe(alone);
    expect(faults(task, () => writeAll(task, addr, N, 4))).toBe(0);
  });

  it("the protection round trip of pages a gone child shared does not make them writable: 64", () => {
    // Seen on 6.18 with the C program of this list: 64 and a few of the program's own.
    const task = spawn();
    const addr = mapAt(task, BASE, N);
    writeAll(task, addr, N);
    task.fork().exit();
    task.wait();
    task.mprotect(addr, N * P, PROT_READ);
    task.mprotect(addr, N * P, RW);
    expect(faults(task, () => writeAll(task, addr, N))).toBe(64);
  });

  it("MAP_POPULATE takes them inside mmap: 64 there, none afterwards", () => {
    const task = spawn();
    let addr = 0;
    const populate = (): void => {
      addr = task.mmap(0, N * P, RW, ANON | MAP_POPULATE);
    };
    expect(faults(task, populate)).toBe(64);
    expect(faults(task, () => writeAll(task, addr, N))).toBe(0);
  });

  it("MAP_POPULATE of a read-only mapping maps the zero page; of PROT_NONE nothing", () => {
    const task = spawn();
    const addr = task.mmap(0, N * P, PROT_READ, ANON | MAP_POPULATE);
    expect(faults(task, () => readAll(task, addr, N))).toBe(0);
    expect(task.mm.rss[1]).toBe(0);
    expect(faults(task, () => task.mmap(0, N * P, PROT_NONE, ANON | MAP_POPULATE))).toBe(0);
  });

  it("MADV_POPULATE_WRITE takes 64, afterwards none", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, N);
    expect(faults(task, () => task.madvise(addr, N * P, MADV_POPULATE_WRITE))).toBe(64);
    expect(faults(task, () => writeAll(task, addr, N))).toBe(0);
  });

  it("shared anonymous: reading takes 64, writing then none; a child reads with fault-around", () => {
    const task = spawn();
    const addr = task.mmap(BASE, N * P, RW, SHARED_ANON | MAP_FIXED);
    expect(faults(task, () => readAll(task, addr, N))).toBe(64);
    expect(faults(task, () => writeAll(task, addr, N, 7))).toBe(0);
    const child = task.fork();
    expect(faults(child, () => readAll(child, addr, N))).toBe(4);
    expect(child.loadU8(addr + 5 * P)).toBe(7);
    child.storeU8(addr + 5 * P, 8);
    expect(task.loadU8(addr + 5 * P)).toBe(8);
  });

  it.each([
    { shift: 0, expected: 4 },
    { shift: 3, expected: 5 },
  ])(
    "a cached file is read with fault-around of 16 aligned pages: $expected from page $shift",
    ({ shift, expected }) => {
      const task = spawn();
      const fd = newFile(task, "/f", N);
      const addr = task.mmap(BASE + shift * P, N * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
      expect(faults(task, () => readAll(task, addr, N))).toBe(expected);
    },
  );

  it("a private file: written at once 64; read first 4 and then written 64, the copies its own", () => {
    const task = spawn();
    const fd = newFile(task, "/f", N);
    const first = task.mmap(BASE, N * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    expect(faults(task, () => writeAll(task, first, N, 200))).toBe(64);
    const second = task.mmap(BASE + N * P, N * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    expect(faults(task, () => readAll(task, second, N))).toBe(4);
    expect(faults(task, () => writeAll(task, second, N, 201))).toBe(64);
    expect(task.loadU8(second + 1)).toBe(1);
    const bytes = new Uint8Array(1);
    task.pread(fd, bytes, 1, 3 * P);
    expect(bytes[0]).toBe(4);
  });
});

describe("no translation outlives its PTE", () => {
  it("a load after munmap, mprotect and DONTNEED sees the change at once", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, 4);
    writeAll(task, addr, 4, 9);
    expect(task.loadU8(addr)).toBe(9);
    task.munmap(addr, P);
    expect(outcome(() => task.loadU8(addr))).toBe("SEGV_MAPERR");
    expect(outcome(() => task.storeU8(addr, 1))).toBe("SEGV_MAPERR");
    task.mprotect(addr + P, P, PROT_READ);
    expect(task.loadU8(addr + P)).toBe(9);
    expect(outcome(() => task.storeU8(addr + P, 1))).toBe("SEGV_ACCERR");
    task.mprotect(addr + P, P, PROT_NONE);
    expect(outcome(() => task.loadU8(addr + P))).toBe("SEGV_ACCERR");
    task.mprotect(addr + P, P, PROT_READ);
    expect(task.loadU8(addr + P)).toBe(9);
    task.madvise(addr + 2 * P, P, MADV_DONTNEED);
    expect(task.loadU8(addr + 2 * P)).toBe(0);
  });

  it("after fork neither side writes the other's page through an old translation", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, 1);
    task.storeU8(addr, 1);
    const child = task.fork();
    task.storeU8(addr, 2);
    expect(child.loadU8(addr)).toBe(1);
    child.storeU8(addr, 3);
    expect(task.loadU8(addr)).toBe(2);
  });

  it("mremap takes the translation along", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, 1);
    task.storeU8(addr, 5);
    const to = task.mremap(addr, P, P, 3, BASE + 64 * P);
    expect(task.loadU8(to)).toBe(5);
    expect(outcome(() => task.loadU8(addr))).toBe("SEGV_MAPERR");
  });

  it("truncation takes the pages out of every process", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 2);
    const addr = task.mmap(BASE, 2 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    const child = task.fork();
    expect([task.loadU8(addr + P), child.loadU8(addr + P)]).toEqual([2, 2]);
    task.ftruncate(fd, P);
    expect(outcome(() => task.loadU8(addr + P))).toBe("BUS_ADRERR");
    expect(outcome(() => child.storeU8(addr + P, 1))).toBe("BUS_ADRERR");
  });
});

describe("access rights by architecture (fact 11)", () => {
  it("riscv64: PROT_EXEC alone can't be read, PROT_WRITE alone can", () => {
    const task = spawn({ arch: RISCV64 });
    mapAt(task, BASE, 1, PROT_EXEC);
    expect(outcome(() => task.loadU8(BASE))).toBe("SEGV_ACCERR");
    mapAt(task, BASE, 1, PROT_WRITE);
    expect(task.loadU8(BASE)).toBe(0);
    task.storeU8(BASE, 1);
    expect(task.loadU8(BASE)).toBe(1);
  });

  it("riscv64: memory that was written and is then executable only can't be read", () => {
    const task = spawn({ arch: RISCV64 });
    mapAt(task, BASE, 1);
    task.storeU8(BASE, 1);
    task.mprotect(BASE, P, PROT_EXEC);
    expect(outcome(() => task.loadU8(BASE))).toBe("SEGV_ACCERR");
    expect(outcome(() => task.storeU8(BASE, 1))).toBe("SEGV_ACCERR");
  });

  it("x86-64: everything that is accessible can be read, PROT_NONE can't", () => {
    const task = spawn({ arch: X86_64 });
    mapAt(task, BASE, 1, PROT_EXEC);
    expect(task.loadU8(BASE)).toBe(0);
    mapAt(task, BASE, 1, PROT_NONE);
    expect(outcome(() => task.loadU8(BASE))).toBe("SEGV_ACCERR");
  });

  it("addresses that are none fault and harm nothing", () => {
    const task = spawn();
    mapAt(task, BASE, 1);
    for (const addr of [0, 1, BASE - 1, BASE + P, 2 ** 47 - 1, 2 ** 47, 2 ** 52, -1, -P]) {
      expect(
        outcome(() => task.loadU8(addr)),
        String(addr),
      ).toBe("SEGV_MAPERR");
      expect(
        outcome(() => task.storeU64(addr, 1n)),
        String(addr),
      ).toBe("SEGV_MAPERR");
    }
  });
});

describe("accesses that cross a page", () => {
  it("load and store every width over the border, little-endian", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    const at = BASE + P;
    task.storeU16(at - 1, 0xabcd);
    expect([task.loadU8(at - 1), task.loadU8(at), task.loadU16(at - 1)]).toEqual([0xcd, 0xab, 0xabcd]);
    task.storeU32(at - 3, 0xdeadbeef);
    expect(task.loadU32(at - 3)).toBe(0xdeadbeef);
    expect(task.loadI32(at - 3)).toBe(0xdeadbeef | 0);
    task.storeU64(at - 5, 0x8123456789abcdefn);
    expect(task.loadU64(at - 5)).toBe(0x8123456789abcdefn);
    expect(task.loadI64(at - 5)).toBe(BigInt.asIntN(64, 0x8123456789abcdefn));
    task.storeF64(at - 4, Math.PI);
    expect(task.loadF64(at - 4)).toBe(Math.PI);
    task.storeF32(at - 2, 0.5);
    expect(task.loadF32(at - 2)).toBe(0.5);
  });

  it("a store whose second page is bad changes nothing", () => {
    const task = spawn();
    mapAt(task, BASE, 1);
    expect(outcome(() => task.storeU32(BASE + P - 2, 0xffffffff))).toBe("SEGV_MAPERR");
    expect(task.loadU16(BASE + P - 2)).toBe(0);
    expect(outcome(() => task.loadU64(BASE - 4))).toBe("SEGV_MAPERR");
  });
});

describe("stacks (fact 15)", () => {
  it("a MAP_GROWSDOWN mapping grows to a touch at any distance, and counts one fault for it", () => {
    const task = spawn();
    task.mmap(BASE, P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    expect(faults(task, () => task.storeU8(BASE - 100 * P, 1))).toBe(1);
    expect(task.mm.vmas.first?.start).toBe(BASE - 100 * P);
    expect(task.mm.stackVm).toBe(101);
  });

  it("it stops at RLIMIT_STACK", () => {
    const task = spawn();
    task.mm.actor.rlimitStack = 16 * P;
    task.mmap(BASE, P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    task.storeU8(BASE - 15 * P, 1);
    expect(outcome(() => task.storeU8(BASE - 16 * P, 1))).toBe("SEGV_MAPERR");
  });

  it("it keeps 256 pages to the next lower mapping that is accessible", () => {
    const task = spawn();
    task.mmap(BASE, P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    mapAt(task, BASE - 300 * P, 1);
    task.storeU8(BASE - 43 * P, 1);
    expect(outcome(() => task.storeU8(BASE - 44 * P, 1))).toBe("SEGV_MAPERR");
    task.mprotect(BASE - 300 * P, P, PROT_NONE);
    task.storeU8(BASE - 44 * P, 1);
  });

  it("a system call's buffer grows the stack, too", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 1);
    task.mmap(BASE, P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    expect(task.pread(fd, BASE - 10 * P, 10, 0)).toBe(10);
    expect(task.loadU8(BASE - 10 * P)).toBe(1);
  });
});

describe("buffers of system calls (fact 12)", () => {
  it("what fits up to the bad page is transferred and counted; EFAULT only if nothing was", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 3);
    mapAt(task, BASE, 2);
    expect(task.pread(fd, BASE + P + 100, P, 0)).toBe(P - 100);
    expect(outcome(() => task.pread(fd, BASE + 2 * P, P, 0))).toBe("EFAULT");
    writeAll(task, BASE, 2, 77);
    expect(task.pwrite(fd, BASE + P, 2 * P, 0)).toBe(P);
    expect(outcome(() => task.pwrite(fd, BASE - 1, 2 * P, 0))).toBe("EFAULT");
    task.mprotect(BASE, 2 * P, PROT_READ);
    expect(outcome(() => task.pread(fd, BASE, P, 0))).toBe("EFAULT");
    expect(task.pwrite(fd, BASE, P, 0)).toBe(P);
  });

  it("a buffer past the end of a mapped file is EFAULT, no SIGBUS", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 1);
    const other = newFile(task, "/g", 2);
    const addr = task.mmap(0, 2 * P, RW, MAP_SHARED, fd, 0);
    expect(outcome(() => task.pread(other, addr + P, P, 0))).toBe("EFAULT");
    expect(task.pread(other, addr + P - 10, P, 0)).toBe(10);
    expect(outcome(() => task.loadU8(addr + P))).toBe("BUS_ADRERR");
  });

  it("a file can be read into its own mapping, and written from it", () => {
    const task = spawn();
    const fd = newFile(task, "/f", 2);
    const addr = task.mmap(0, 2 * P, RW, MAP_SHARED, fd, 0);
    expect(task.pread(fd, addr, P, P)).toBe(P);
    expect(task.loadU8(addr)).toBe(2);
    task.storeU8(addr, 50);
    expect(task.pwrite(fd, addr, P, P)).toBe(P);
    expect(task.loadU8(addr + P)).toBe(50);
  });

  it("readString says what is wrong: no NUL, or a bad page; also after an earlier fault", () => {
    const task = spawn();
    mapAt(task, BASE, 1);
    task.writeBytes(BASE, new Uint8Array(P).fill(65));
    expect(outcome(() => task.readString(BASE))).toBe("SEGV_MAPERR");
    expect(() => task.readString(BASE, 10)).toThrow(RangeError);
    task.writeString(BASE, "grüße");
    expect(task.readString(BASE)).toBe("grüße");
  });
});

describe("views", () => {
  it("show the frame itself, and a written view is the process's own page", () => {
    const task = spawn();
    const addr = mapAt(task, BASE, 1);
    const view = task.view(addr + 16, 32, "write");
    view[0] = 42;
    expect(task.loadU8(addr + 16)).toBe(42);
    task.storeU8(addr + 17, 43);
    expect(view[1]).toBe(43);
    expect(() => task.view(addr + P - 1, 2)).toThrow(RangeError);
  });
});

it("a frame comes back zeroed, whatever was in it", () => {
  const kernel = boot({ ram: 40 * P });
  const task = kernel.spawn();
  for (let round = 0; round < 5; round++) {
    const addr = mapAt(task, BASE, 30);
    for (let page = 0; page < 30; page++) {
      expect(task.loadU32(addr + page * P + 4092)).toBe(0);
      task.writeBytes(addr + page * P, new Uint8Array(P).fill(255));
    }
    task.munmap(addr, 30 * P);
  }
});
