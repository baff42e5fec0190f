/** mlockall and munlockall (fact 16), and what MCL_FUTURE does to mmap, brk and fork. Seen on 6.18, as root and as nobody. */
import { describe, expect, it } from "vitest";
import {
  MAP_ANONYMOUS,
  MAP_DROPPABLE,
  MAP_FIXED,
  MAP_LOCKED,
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  PROT_NONE,
  PROT_READ,
  RLIMIT_MEMLOCK,
} from "../../../src/mm/index.ts";
import { ANON, BASE, boot, faults, layout, mapAt, outcome, P, RW, spawn, writeAll } from "../core/rig.ts";

describe("mlockall", () => {
  it("refuses no flags, unknown ones, and MCL_ONFAULT alone", () => {
    const task = spawn();
    for (const flags of [0, MCL_ONFAULT, 8, 8 | MCL_CURRENT]) {
      expect(outcome(() => task.mlockall(flags))).toBe("EINVAL");
    }
    expect(task.mm.defFlags).toBe(0);
  });

  it("MCL_CURRENT locks and brings in what is mapped, and only that", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    mapAt(task, BASE + 4 * P, 2, PROT_NONE);
    task.mlockall(MCL_CURRENT);
    expect(task.mm.lockedVm).toBe(6);
    expect(task.kernel.vmstat().nr_mlock).toBe(4);
    mapAt(task, BASE + 8 * P, 2);
    expect(task.mm.lockedVm).toBe(6);
    task.munlockall();
    expect([task.mm.lockedVm, task.kernel.vmstat().nr_mlock]).toEqual([0, 0]);
    expect(faults(task, () => writeAll(task, BASE, 4))).toBe(0);
  });

  it("merges what it made equal", () => {
    const task = spawn();
    mapAt(task, BASE, 6);
    task.mlock(BASE + 2 * P, 2 * P);
    expect(layout(task, BASE, 6)).toEqual(["0…2 rw-p", "2…4 rw-p", "4…6 rw-p"]);
    task.mlockall(MCL_CURRENT);
    expect(layout(task, BASE, 6)).toEqual(["0…6 rw-p"]);
    task.munlockall();
    expect(layout(task, BASE, 6)).toEqual(["0…6 rw-p"]);
    expect(task.mm.lockedVm).toBe(0);
  });

  it("MCL_FUTURE locks what comes: mmap, PROT_NONE too, brk; munlockall ends it", () => {
    const task = spawn();
    task.mlockall(MCL_FUTURE);
    mapAt(task, BASE, 4);
    expect(faults(task, () => writeAll(task, BASE, 4))).toBe(0);
    mapAt(task, BASE + 8 * P, 4, PROT_NONE);
    mapAt(task, BASE + 16 * P, 4, PROT_READ);
    expect(task.mm.lockedVm).toBe(12);
    const start = task.brk();
    task.brk(start + 3 * P);
    expect(task.mm.lockedVm).toBe(15);
    expect(faults(task, () => writeAll(task, start, 3))).toBe(0);
    task.brk(start + P);
    expect(task.mm.lockedVm).toBe(13);
    task.munlockall();
    mapAt(task, BASE + 32 * P, 4);
    expect(task.mm.lockedVm).toBe(0);
  });

  it("MCL_FUTURE alone leaves what is mapped as it is", () => {
    const task = spawn();
    mapAt(task, BASE, 2);
    task.mlock(BASE, P);
    task.mlockall(MCL_FUTURE);
    expect(task.mm.lockedVm).toBe(1);
  });

  it("MCL_ONFAULT holds for mappings with MAP_LOCKED, too", () => {
    const task = spawn();
    task.mlockall(MCL_FUTURE | MCL_ONFAULT);
    mapAt(task, BASE, 4);
    task.mmap(BASE + 8 * P, 4 * P, RW, ANON | MAP_FIXED | MAP_LOCKED);
    expect([task.mm.lockedVm, task.kernel.vmstat().nr_mlock]).toEqual([8, 0]);
    expect(faults(task, () => writeAll(task, BASE + 8 * P, 4))).toBe(4);
    expect(task.kernel.vmstat().nr_mlock).toBe(4);
  });

  it("is not inherited by a child", () => {
    const task = spawn();
    mapAt(task, BASE, 4);
    task.mlockall(MCL_CURRENT | MCL_FUTURE);
    const child = task.fork();
    mapAt(child, BASE + 8 * P, 4);
    expect([child.mm.lockedVm, child.mm.defFlags]).toEqual([0, 0]);
    expect(faults(child, () => writeAll(child, BASE + 8 * P, 4))).toBe(4);
  });

  it("never locks droppable memory, but brings it in", () => {
    const task = spawn();
    task.mlockall(MCL_FUTURE);
    const addr = task.mmap(0, 4 * P, RW, MAP_ANONYMOUS | MAP_DROPPABLE);
    expect(faults(task, () => writeAll(task, addr, 4))).toBe(0);
    task.mlock(addr, 4 * P);
    expect([task.mm.lockedVm, task.kernel.vmstat().nr_mlock]).toEqual([0, 0]);
    task.munlock(addr, 4 * P);
  });

  it("and the limit: MCL_CURRENT ENOMEM, later mmap EAGAIN, brk stays, at 0 EPERM", () => {
    const task = boot().spawn({ uid: 65534 });
    task.setrlimit(RLIMIT_MEMLOCK, { soft: 4 * P, hard: 4 * P });
    mapAt(task, BASE, 5);
    expect(outcome(() => task.mlockall(MCL_CURRENT))).toBe("ENOMEM");
    task.munmap(BASE, P);
    expect(outcome(() => task.mlockall(MCL_CURRENT))).toBe("ok");
    task.mlockall(MCL_FUTURE);
    expect(outcome(() => mapAt(task, BASE + 8 * P, 1))).toBe("EAGAIN");
    const start = task.brk();
    expect(task.brk(start + P)).toBe(start);
    task.munlockall();
    task.setrlimit(RLIMIT_MEMLOCK, { soft: 0, hard: 0 });
    expect(outcome(() => task.mlockall(0))).toBe("EINVAL");
    expect(outcome(() => task.mlockall(MCL_FUTURE))).toBe("EPERM");
    expect(outcome(() => task.munlockall())).toBe("ok");
  });
});
