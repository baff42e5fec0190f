/**
 * Committed_AS: what each call adds and takes back, as seen on 6.18 with mappings of gibibytes; what the modes refuse; and
 * the limits that setrlimit sets. That the sum equals a recount, the validator says after each test.
 */
import { describe, expect, it } from "vitest";
import {
  type KernelOptions,
  MADV_DONTNEED,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
  type Process,
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_MEMLOCK,
  RLIMIT_NOFILE,
  RLIMIT_STACK,
  validate,
} from "../../../src/mm/index.ts";
import {
  ANON,
  BASE,
  boot,
  mapAt,
  newFile,
  outcome,
  P,
  RW,
  SHARED_ANON,
  spawn,
  writeAll,
} from "../core/rig.ts";

/** Pages promised by `act`. */
function promised(task: Process, act: () => unknown): number {
  const { commit } = task.kernel.phys;
  const before = commit.committed;
  act();
  expect(validate(task.kernel)).toEqual([]);
  return commit.committed - before;
}

describe("Committed_AS", () => {
  it("private writable memory, and mprotect", () => {
    const task = spawn();
    const of = (act: () => unknown): number => promised(task, act);
    expect(of(() => mapAt(task, BASE, 20))).toBe(20);
    expect(of(() => task.mprotect(BASE, 10 * P, PROT_READ))).toBe(-10);
    expect(of(() => task.mprotect(BASE, 10 * P, RW))).toBe(10);
    task.storeU8(BASE, 1);
    expect(of(() => task.mprotect(BASE, 10 * P, PROT_READ))).toBe(0);
    expect(of(() => task.mprotect(BASE, 20 * P, RW))).toBe(0);
    expect(of(() => task.munmap(BASE, 20 * P))).toBe(-20);
  });

  it("a mapping over another", () => {
    const task = spawn();
    const of = (act: () => unknown): number => promised(task, act);
    expect(of(() => mapAt(task, BASE, 20, PROT_READ))).toBe(0);
    expect(of(() => task.mprotect(BASE, 10 * P, RW))).toBe(10);
    expect(of(() => mapAt(task, BASE, 20, PROT_NONE))).toBe(-10);
    expect(of(() => mapAt(task, BASE, 10))).toBe(10);
    expect(of(() => mapAt(task, BASE, 20))).toBe(10);
    expect(of(() => mapAt(task, BASE + 5 * P, 5))).toBe(0);
  });

  it("mremap", () => {
    const task = spawn();
    const of = (act: () => unknown): number => promised(task, act);
    mapAt(task, BASE, 20);
    writeAll(task, BASE, 20);
    const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    const far = BASE + 1000 * P;
    expect(of(() => task.mremap(BASE, 20 * P, 20 * P, fixed, far))).toBe(0);
    expect(of(() => task.mremap(far + 5 * P, 10 * P, 10 * P, fixed, BASE))).toBe(0);
    expect(of(() => task.mremap(BASE, 10 * P, 20 * P, MREMAP_MAYMOVE))).toBe(10);
    mapAt(task, BASE + 20 * P, 1, PROT_READ);
    let moved = 0;
    expect(
      of(() => {
        moved = task.mremap(BASE, 20 * P, 30 * P, MREMAP_MAYMOVE);
      }),
    ).toBe(10);
    expect(of(() => task.mremap(moved, 30 * P, 30 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP))).toBe(30);
    expect(of(() => task.mremap(moved, 30 * P, 20 * P))).toBe(-10);
    expect(of(() => task.mremap(far, 5 * P, 5 * P, fixed, far + 12 * P))).toBe(-2);
  });

  it("MAP_NORESERVE and files: nothing; a private writable file: everything", () => {
    const task = spawn();
    const of = (act: () => unknown): number => promised(task, act);
    const fd = newFile(task, "/f", 4);
    expect(of(() => task.mmap(BASE, 20 * P, RW, ANON | MAP_FIXED | MAP_NORESERVE))).toBe(0);
    expect(of(() => task.mremap(BASE, 20 * P, 30 * P))).toBe(0);
    expect(of(() => task.munmap(BASE, 30 * P))).toBe(0);
    expect(of(() => task.mmap(BASE, 4 * P, RW, MAP_SHARED | MAP_FIXED, fd))).toBe(0);
    expect(of(() => task.mmap(BASE, 4 * P, RW, MAP_PRIVATE | MAP_FIXED, fd))).toBe(4);
    expect(of(() => task.mprotect(BASE, 4 * P, PROT_READ))).toBe(0);
    expect(of(() => task.munmap(BASE, 4 * P))).toBe(-4);
  });

  it("shared anonymous memory: its size at once, or with MAP_NORESERVE its pages, until the last mapping goes", () => {
    const task = spawn();
    const of = (act: () => unknown): number => promised(task, act);
    expect(of(() => task.mmap(BASE, 20 * P, PROT_READ, SHARED_ANON | MAP_FIXED))).toBe(20);
    expect(of(() => task.munmap(BASE, 10 * P))).toBe(0);
    expect(of(() => task.munmap(BASE + 10 * P, 10 * P))).toBe(-20);
    expect(of(() => task.mmap(BASE, 20 * P, RW, SHARED_ANON | MAP_FIXED | MAP_NORESERVE))).toBe(0);
    expect(of(() => writeAll(task, BASE, 5))).toBe(5);
    expect(of(() => task.madvise(BASE, 5 * P, MADV_DONTNEED))).toBe(0);
    expect(of(() => task.munmap(BASE, 20 * P))).toBe(-5);
  });

  it("memfd: its pages", () => {
    const task = spawn();
    const of = (act: () => unknown): number => promised(task, act);
    const fd = task.memfd_create("m");
    expect(of(() => task.ftruncate(fd, 20 * P))).toBe(0);
    task.mmap(BASE, 20 * P, RW, MAP_SHARED | MAP_FIXED, fd);
    expect(of(() => writeAll(task, BASE, 8))).toBe(8);
    expect(of(() => task.ftruncate(fd, 4 * P))).toBe(-4);
    task.close(fd);
    expect(of(() => task.munmap(BASE, 20 * P))).toBe(-4);
  });

  it("brk, fork and exit", () => {
    const task = spawn();
    const of = (act: () => unknown): number => promised(task, act);
    const start = task.brk();
    expect(of(() => task.brk(start + 10 * P))).toBe(10);
    expect(of(() => task.brk(start + 4 * P))).toBe(-6);
    mapAt(task, BASE, 20);
    const child = task.fork();
    expect(of(() => child.exit())).toBe(-24);
    expect(of(() => task.fork())).toBe(24);
    for (const process of [...task.kernel.processes.values()]) process.exit();
    expect(task.kernel.phys.commit.committed).toBe(0);
  });

  it("a stack that grows; what one with MAP_NORESERVE grew by is never given back", () => {
    const task = spawn();
    const of = (act: () => unknown): number => promised(task, act);
    const flags = ANON | MAP_FIXED | MAP_GROWSDOWN;
    expect(of(() => task.mmap(BASE, 4 * P, RW, flags))).toBe(4);
    expect(of(() => task.storeU8(BASE - 10 * P, 1))).toBe(10);
    expect(of(() => task.munmap(BASE - 10 * P, 14 * P))).toBe(-14);
    expect(of(() => task.mmap(BASE, 4 * P, RW, flags | MAP_NORESERVE))).toBe(0);
    expect(of(() => task.storeU8(BASE - 10 * P, 1))).toBe(10);
    expect(of(() => task.munmap(BASE - 10 * P, 14 * P))).toBe(0);
  });
});

describe("overcommit", () => {
  /** 1000 pages may be promised in mode 2; the process may use the reserves. */
  function strict(options: KernelOptions = {}): Process {
    return spawn({ overcommitMemory: 2, overcommitKbytes: 1001 * 4, ...options });
  }

  it("mode 0 refuses one request for more than all RAM, and the sum may be any", () => {
    const task = spawn();
    const all = task.kernel.phys.totalFrames;
    expect(outcome(() => task.mmap(0, (all + 1) * P, RW, ANON))).toBe("ENOMEM");
    for (let i = 0; i < 5; i++) expect(outcome(() => task.mmap(0, all * P, RW, ANON))).toBe("ok");
    expect(outcome(() => task.mmap(0, (all + 1) * P, PROT_READ, ANON))).toBe("ok");
    expect(outcome(() => task.mmap(0, (all + 1) * P, RW, ANON | MAP_NORESERVE))).toBe("ok");
    expect(outcome(() => task.mmap(0, (all + 1) * P, RW, SHARED_ANON))).toBe("ENOMEM");
  });

  it("mode 1 refuses nothing", () => {
    const task = spawn({ overcommitMemory: 1 });
    expect(outcome(() => task.mmap(0, 2 ** 40, RW, ANON))).toBe("ok");
    expect(outcome(() => task.mmap(0, 2 ** 40, RW, SHARED_ANON))).toBe("ok");
  });

  it("mode 2 refuses what exceeds the limit, MAP_NORESERVE or not, and leaves nothing behind", () => {
    const task = strict();
    // 1 page for each 32 mapped is kept.
    mapAt(task, BASE, 900);
    const { committed } = task.kernel.phys.commit;
    expect(committed).toBe(900);
    const far = BASE + 2000 * P;
    expect(outcome(() => mapAt(task, far, 73))).toBe("ENOMEM");
    expect(outcome(() => task.mmap(far, 73 * P, RW, ANON | MAP_NORESERVE))).toBe("ENOMEM");
    expect(outcome(() => task.mmap(far, 73 * P, RW, SHARED_ANON))).toBe("ENOMEM");
    expect(outcome(() => task.mremap(BASE, 900 * P, 973 * P))).toBe("ENOMEM");
    const start = task.brk();
    expect(task.brk(start + 73 * P)).toBe(start);
    mapAt(task, far, 100, PROT_READ);
    expect(outcome(() => task.mprotect(far, 100 * P, RW))).toBe("ENOMEM");
    expect(outcome(() => task.fork())).toBe("ENOMEM");
    expect(outcome(() => mapAt(task, BASE, 900))).toBe("ok");
    expect(task.kernel.phys.commit.committed).toBe(committed);
    expect(outcome(() => mapAt(task, far, 69))).toBe("ok");
  });

  it("mode 2 refuses a page of a tmpfs file (SIGBUS) and a stack's growth (SIGSEGV)", () => {
    const task = strict({ overcommitKbytes: 40 * 4 });
    const fd = task.memfd_create("m");
    task.ftruncate(fd, 100 * P);
    task.mmap(BASE, 100 * P, RW, MAP_SHARED | MAP_FIXED, fd);
    expect(outcome(() => writeAll(task, BASE, 100))).toBe("BUS_ADRERR");
    task.munmap(BASE, 100 * P);
    task.close(fd);
    task.mmap(BASE, 4 * P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    expect(outcome(() => task.storeU8(BASE - 50 * P, 1))).toBe("SEGV_MAPERR");
    expect(outcome(() => task.storeU8(BASE - 10 * P, 1))).toBe("ok");
  });

  it("mode 2 keeps the reserve from whoever writes to a memory file, too", () => {
    const root = spawn();
    const { commit } = root.kernel.phys;
    const user = root.kernel.spawn({ uid: 1000 });
    const [mine, theirs] = [root, user].map((task) => task.memfd_create("pages"));
    commit.mode = 2;
    commit.kbytes = commit.committed * 4 + commit.adminReserveKbytes;
    expect(outcome(() => user.write(theirs, new Uint8Array(P)))).toBe("ENOSPC");
    expect(outcome(() => user.fallocate(theirs, 0, 0, P))).toBe("ENOSPC");
    expect(outcome(() => root.write(mine, new Uint8Array(P)))).toBe("ok");
    expect(validate(root.kernel)).toEqual([]);
  });

  it("mode 2 keeps a reserve from all but root; the limit is a share of RAM", () => {
    const kernel = boot({ overcommitMemory: 2, overcommitRatio: 80 });
    const { commit, totalFrames } = kernel.phys;
    expect(commit.limit).toBe(Math.floor(totalFrames * 0.8));
    const reserve = Math.floor(commit.adminReserveKbytes / 4);
    expect(reserve).toBe(Math.floor(totalFrames / 32));
    const nobody = kernel.spawn({ uid: 65534 });
    expect(outcome(() => nobody.mmap(0, (commit.limit - reserve) * P, RW, ANON))).toBe("ENOMEM");
    expect(outcome(() => kernel.spawn().mmap(0, (commit.limit - 1) * P, RW, ANON))).toBe("ok");
  });
});

describe("setrlimit", () => {
  it("reaches the address space at once", () => {
    const task = boot().spawn({ uid: 65534 });
    const soft = (resource: number, bytes: number): void =>
      task.setrlimit(resource, { soft: bytes, hard: task.getrlimit(resource).hard });
    soft(RLIMIT_AS, 8 * P);
    expect(outcome(() => mapAt(task, BASE, 9, PROT_NONE))).toBe("ENOMEM");
    soft(RLIMIT_AS, 2 ** 40);
    soft(RLIMIT_DATA, 4 * P);
    expect(outcome(() => mapAt(task, BASE, 5))).toBe("ENOMEM");
    expect(outcome(() => mapAt(task, BASE, 5, PROT_READ))).toBe("ok");
    soft(RLIMIT_DATA, 2 ** 40);
    soft(RLIMIT_STACK, 8 * P);
    task.mmap(BASE + 100 * P, 4 * P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN | MAP_NORESERVE);
    mapAt(task, BASE, 5, PROT_NONE);
    expect(outcome(() => task.storeU8(BASE + 95 * P, 1))).toBe("SEGV_MAPERR");
    expect(outcome(() => task.storeU8(BASE + 96 * P, 1))).toBe("ok");
    soft(RLIMIT_MEMLOCK, P);
    expect(outcome(() => task.mlock(BASE + 96 * P, 2 * P))).toBe("ENOMEM");
    const child = task.fork();
    expect(outcome(() => child.mlock(BASE + 96 * P, 2 * P))).toBe("ENOMEM");
  });

  it("EINVAL no such limit, soft above hard; EPERM a hard limit raised, or too many descriptors", () => {
    const kernel = boot();
    const task = kernel.spawn({ uid: 65534 });
    expect(outcome(() => task.getrlimit(16))).toBe("EINVAL");
    expect(outcome(() => task.setrlimit(-1, { soft: 1, hard: 1 }))).toBe("EINVAL");
    expect(outcome(() => task.setrlimit(RLIMIT_AS, { soft: 2, hard: 1 }))).toBe("EINVAL");
    task.setrlimit(RLIMIT_AS, { soft: 2 ** 30, hard: 2 ** 30 });
    expect(task.getrlimit(RLIMIT_AS)).toEqual({ soft: 2 ** 30, hard: 2 ** 30 });
    expect(outcome(() => task.setrlimit(RLIMIT_AS, { soft: 1, hard: 2 ** 31 }))).toBe("EPERM");
    const root = kernel.spawn();
    expect(outcome(() => root.setrlimit(RLIMIT_NOFILE, { soft: 1, hard: 2 ** 20 + 1 }))).toBe("EPERM");
    expect(outcome(() => root.setrlimit(RLIMIT_NOFILE, { soft: 1, hard: 2 ** 20 }))).toBe("ok");
  });
});
