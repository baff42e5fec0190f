/** What processes that clone(2) made share, and what each has of its own (kernel/fork.c, exit.c, sys.c). */
import { describe, expect, it } from "vitest";
import {
  MCL_CURRENT,
  MREMAP_MAYMOVE,
  O_CREAT,
  O_RDWR,
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_MEMLOCK,
} from "../../../src/mm/index.ts";
import { ANON, BASE, boot, mapAt, outcome, P, RW, spawn } from "./rig.ts";

const RLIMIT_NPROC = 6;

describe("clone with vm", () => {
  it("is one memory: stores, mappings and the break are seen by both at once", () => {
    const parent = spawn();
    mapAt(parent, BASE, 4);
    const child = parent.clone({ vm: true });
    child.storeU32(BASE, 7);
    expect(parent.loadU32(BASE)).toBe(7);
    mapAt(child, BASE + 16 * P, 1);
    parent.storeU32(BASE + 16 * P, 8);
    expect(child.loadU32(BASE + 16 * P)).toBe(8);
    parent.munmap(BASE, 4 * P);
    expect(outcome(() => child.loadU32(BASE))).toBe("SEGV_MAPERR");
    const end = child.brk();
    child.brk(end + 3 * P);
    expect(parent.brk()).toBe(end + 3 * P);
    expect(child.maps()).toBe(parent.maps());
  });

  it("ends with its last process, whichever that is", () => {
    const kernel = boot();
    const parent = kernel.spawn();
    const free = kernel.phys.buddy.freeFrames;
    mapAt(parent, BASE, 4);
    const child = parent.clone({ vm: true });
    const grandchild = child.clone({ vm: true });
    parent.storeU32(BASE, 1);
    parent.exit(0);
    child.storeU32(BASE + P, 2);
    child.exit(0);
    expect(grandchild.loadU32(BASE) + grandchild.loadU32(BASE + P)).toBe(3);
    mapAt(grandchild, BASE + 8 * P, 1);
    grandchild.storeU32(BASE + 8 * P, 4);
    grandchild.exit(0);
    expect(kernel.phys.buddy.freeFrames).toBeGreaterThanOrEqual(free);
    expect(kernel.processes.size).toBe(0);
  });

  it("counts each one's faults for itself", () => {
    const parent = spawn();
    mapAt(parent, BASE, 4);
    const child = parent.clone({ vm: true });
    const before = parent.minFlt;
    for (let page = 0; page < 4; page++) child.storeU8(BASE + page * P, 1);
    expect(child.minFlt).toBe(4);
    expect(parent.loadU8(BASE)).toBe(1);
    expect(parent.minFlt).toBe(before);
  });

  it("keeps limits and privileges apart: who calls is who is limited", () => {
    const parent = spawn();
    const child = parent.clone({ vm: true });
    child.setrlimit(RLIMIT_AS, { soft: 2 * P, hard: 2 * P });
    expect(outcome(() => child.mmap(0, 4 * P, RW, ANON))).toBe("ENOMEM");
    const at = parent.mmap(0, 4 * P, RW, ANON);
    expect(outcome(() => child.mremap(at, 4 * P, 8 * P, MREMAP_MAYMOVE))).toBe("ENOMEM");
    parent.mremap(at, 4 * P, 8 * P, MREMAP_MAYMOVE);
    expect(parent.getrlimit(RLIMIT_AS).soft).toBe(Number.POSITIVE_INFINITY);
    child.setrlimit(RLIMIT_DATA, { soft: 0, hard: 0 });
    const end = parent.brk();
    expect(child.brk(end + P)).toBe(end);
    expect(parent.brk(end + P)).toBe(end + P);
  });

  it("lets a child without privilege lock only what its own limit allows", () => {
    const kernel = boot();
    const parent = kernel.spawn({ uid: 1000 });
    const child = parent.clone({ vm: true });
    mapAt(parent, BASE, 8);
    child.setrlimit(RLIMIT_MEMLOCK, { soft: 2 * P, hard: 2 * P });
    expect(outcome(() => child.mlock(BASE, 4 * P))).toBe("ENOMEM");
    parent.mlock(BASE, 4 * P);
    expect(outcome(() => child.mlockall(MCL_CURRENT))).toBe("ENOMEM");
    parent.mlockall(MCL_CURRENT);
  });

  it("forks apart again", () => {
    const parent = spawn();
    mapAt(parent, BASE, 1);
    parent.storeU8(BASE, 1);
    const child = parent.clone({ vm: true });
    const copy = child.fork();
    child.storeU8(BASE, 2);
    expect([parent.loadU8(BASE), copy.loadU8(BASE)]).toEqual([2, 1]);
  });
});

describe("clone with files, fs, parent, pid", () => {
  it("shares the table of descriptors until the last one ends", () => {
    const parent = spawn();
    const child = parent.clone({ files: true });
    const fd = child.open("/file", O_RDWR | O_CREAT, 0o644);
    expect(parent.write(fd, new Uint8Array([1, 2, 3]))).toBe(3);
    child.exit(0);
    expect(parent.fstat(fd).size).toBe(3);
    const other = parent.fork();
    other.close(fd);
    expect(parent.fstat(fd).size).toBe(3);
  });

  it("makes a sibling of its maker, which only their parent can wait for", () => {
    const parent = spawn();
    const child = parent.fork();
    const sibling = child.clone({ parent: true });
    sibling.exit(3);
    expect(outcome(() => child.wait())).toBe("ECHILD");
    expect(parent.wait(sibling.pid)?.status).toBe(3 << 8);
  });

  it("takes a number that the caller chose, and goes on around it", () => {
    const parent = spawn();
    const chosen = parent.clone({ pid: parent.pid + 2 });
    expect(chosen.pid).toBe(parent.pid + 2);
    expect([parent.fork().pid, parent.fork().pid]).toEqual([parent.pid + 1, parent.pid + 3]);
  });
});

describe("the rest of life", () => {
  it("RLIMIT_NPROC counts zombies, and not for root", () => {
    const kernel = boot();
    const root = kernel.spawn();
    root.setrlimit(RLIMIT_NPROC, { soft: 1, hard: 1 });
    root.fork();
    const user = kernel.spawn({ uid: 7 });
    user.setrlimit(RLIMIT_NPROC, { soft: 2, hard: 2 });
    const child = user.fork();
    expect(outcome(() => user.fork())).toBe("EAGAIN");
    child.exit(0);
    expect(outcome(() => user.clone({ vm: true }))).toBe("EAGAIN");
    user.wait();
    expect(outcome(() => user.fork())).toBe("ok");
  });

  it("orphans go to the nearest ancestor that asked for them, dead ones too", () => {
    const kernel = boot();
    const reaper = kernel.spawn();
    reaper.isChildSubreaper = true;
    const middle = reaper.fork();
    const living = middle.fork();
    const dead = middle.fork();
    dead.exit(5);
    middle.exit(0);
    expect(living.parent).toBe(reaper);
    expect(reaper.wait(dead.pid)?.status).toBe(5 << 8);
    expect(reaper.wait(middle.pid)?.pid).toBe(middle.pid);
    reaper.exit(0);
    expect(living.parent).toBe(null);
    living.exit(0);
    expect(kernel.processes.size).toBe(0);
  });
});
