/**
 * process_vm_readv, process_vm_writev and process_madvise: who may, what is transferred before a bad page, and how each
 * side's bad pages count. The figures are those of a Linux 6.18 kernel.
 */
import { describe, expect, it } from "vitest";
import type { UserSegment } from "../../../src/mm/fault/user-iter.ts";
import {
  EACCES,
  EFAULT,
  EINVAL,
  ENOMEM,
  EPERM,
  ESRCH,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_GUARD_INSTALL,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  MAP_FIXED,
  MAP_GROWSDOWN,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  type Process,
  validate,
} from "../../../src/mm/index.ts";
import { PTE_WRITE } from "../../../src/mm/pagetable/pte.ts";
import { sysProcessMadvise } from "../../../src/mm/syscalls/process-madvise.ts";
import { sysProcessVmReadv, sysProcessVmWritev } from "../../../src/mm/syscalls/process-vm.ts";
import { MM_ANONPAGES } from "../../../src/mm/vma/mm-struct.ts";
import { ANON, BASE, boot, faults, mapAt, P, RW, writeAll } from "../core/rig.ts";
import { bytes } from "./rig.ts";

const THERE = BASE + 512 * P;

/** A caller with pages of 1 at BASE, and another process with pages of 2 at THERE. */
function two(): { readonly task: Process; readonly other: Process } {
  const task = boot().spawn();
  const other = task.kernel.spawn();
  mapAt(task, BASE, 16);
  mapAt(other, THERE, 16);
  writeAll(task, BASE, 16, 1);
  writeAll(other, THERE, 16, 2);
  return { task, other };
}

type Range = readonly [base: number, len: number];

function segments(ranges: readonly Range[]): UserSegment[] {
  return ranges.map(([base, len]) => ({ base, len }));
}

function transfer(
  call: typeof sysProcessVmReadv,
  task: Process,
  target: Process | undefined,
  local: readonly Range[],
  remote: readonly Range[],
): number {
  const { kernel } = task;
  const result = call(kernel.mmu, task, { target, local: segments(local), remote: segments(remote) });
  expect(validate(kernel)).toEqual([]);
  return result;
}

const read = transfer.bind(null, sysProcessVmReadv);
const write = transfer.bind(null, sysProcessVmWritev);

describe("process_vm_readv and _writev", () => {
  it("copy between processes, whatever the segments on either side", () => {
    const { task, other } = two();
    const text = Uint8Array.from({ length: 3 * P }, (_, at) => at % 251);
    other.writeBytes(THERE + 100, text);
    expect(
      read(
        task,
        other,
        [
          [BASE + 7, 5000],
          [BASE + 8 * P, 3 * P],
        ],
        [[THERE + 100, 3 * P]],
      ),
    ).toBe(3 * P);
    const got = [...task.readBytes(BASE + 7, 5000), ...task.readBytes(BASE + 8 * P, 3 * P - 5000)];
    expect(got).toEqual([...text]);
    task.writeBytes(BASE + 50, text);
    expect(
      write(
        task,
        other,
        [[BASE + 50, 3 * P]],
        [
          [THERE + 8 * P + 1, 10],
          [THERE + 9 * P, 4 * P],
        ],
      ),
    ).toBe(3 * P);
    expect(other.readBytes(THERE + 9 * P, 3 * P - 10)).toEqual(text.subarray(10));
  });

  it("nothing to transfer is 0, whoever it is about; else ESRCH, EPERM", () => {
    const { task, other } = two();
    expect(read(task, undefined, [], [[THERE, 1]])).toBe(0);
    expect(read(task, undefined, [[BASE, 0]], [[THERE, 1]])).toBe(0);
    expect(read(task, undefined, [[BASE, 1]], [[THERE, 0]])).toBe(0);
    expect(read(task, undefined, [[BASE, 1]], [[THERE, 1]])).toBe(-ESRCH);
    task.uid = 1000;
    expect(read(task, other, [[BASE, 1]], [[THERE, 1]])).toBe(-EPERM);
    expect(read(task, task, [[BASE, 1]], [[BASE, 1]])).toBe(1);
    other.uid = 1000;
    expect(read(task, other, [[BASE, 1]], [[THERE, 1]])).toBe(1);
    other.gid = 1000;
    expect(write(task, other, [[BASE, 1]], [[THERE, 1]])).toBe(-EPERM);
  });

  it("what comes before a bad page of the other counts, by whole pages; EFAULT if that is nothing", () => {
    const { task, other } = two();
    other.munmap(THERE + 4 * P, P);
    other.mprotect(THERE + 6 * P, P, PROT_READ);
    other.mprotect(THERE + 8 * P, P, PROT_NONE);
    const local: Range[] = [[BASE, 16 * P]];
    expect(read(task, other, local, [[THERE + 3 * P + 100, 2 * P]])).toBe(P - 100);
    expect(read(task, other, local, [[THERE + 4 * P + 10, 10]])).toBe(-EFAULT);
    expect(
      read(task, other, local, [
        [THERE + 3 * P, P],
        [THERE + 4 * P, P],
        [THERE, P],
      ]),
    ).toBe(P);
    expect(write(task, other, local, [[THERE + 5 * P, 3 * P]])).toBe(P);
    expect(write(task, other, local, [[THERE + 6 * P, 10]])).toBe(-EFAULT);
    expect(read(task, other, local, [[THERE + 6 * P, 10]])).toBe(10);
    expect(read(task, other, local, [[THERE + 8 * P, 10]])).toBe(-EFAULT);
    expect(read(task, other, local, [[2 ** 64 - P, 100]])).toBe(-EFAULT);
  });

  it("what comes before a bad byte of the caller's counts", () => {
    const { task, other } = two();
    task.munmap(BASE + 5 * P, P);
    task.mprotect(BASE + 7 * P, P, PROT_READ);
    expect(read(task, other, [[BASE + 4 * P + 4000, 200]], [[THERE, P]])).toBe(96);
    expect(read(task, other, [[BASE + 5 * P, 200]], [[THERE, P]])).toBe(-EFAULT);
    expect(read(task, other, [[BASE + 7 * P, 200]], [[THERE, P]])).toBe(-EFAULT);
    expect(write(task, other, [[BASE + 7 * P, 200]], [[THERE, P]])).toBe(200);
    expect(
      read(
        task,
        other,
        [
          [BASE + 5 * P - 6, 6],
          [BASE + 5 * P, 5],
          [BASE, 5],
        ],
        [[THERE, P]],
      ),
    ).toBe(6);
    expect(
      read(
        task,
        other,
        [
          [BASE, 10],
          [2 ** 63, 1],
        ],
        [[THERE, P]],
      ),
    ).toBe(-EFAULT);
  });

  it("needs the right of the mapping itself, and neither guards nor growing stacks are met", () => {
    const { task, other } = two();
    const blind = other.mmap(0, P, PROT_WRITE, ANON);
    expect(read(task, other, [[BASE, 10]], [[blind, 10]])).toBe(-EFAULT);
    expect(write(task, other, [[BASE, 10]], [[blind, 10]])).toBe(10);
    other.madvise(THERE + P, P, MADV_GUARD_INSTALL);
    expect(read(task, other, [[BASE, 2 * P]], [[THERE, 2 * P]])).toBe(P);
    other.mmap(THERE + 100 * P, P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    expect(read(task, other, [[BASE, 10]], [[THERE + 99 * P, 10]])).toBe(-EFAULT);
  });

  it("faults for the caller, breaks sharing for the other alone, and holds more than it needs", () => {
    const { task, other } = two();
    other.mmap(THERE, 16 * P, RW, ANON | MAP_FIXED);
    const before = [task.minFlt, other.minFlt];
    expect(write(task, other, [[BASE, 10]], [[THERE, 8 * P]])).toBe(10);
    expect([task.minFlt - before[0], other.minFlt - before[1]]).toEqual([8, 0]);
    expect(other.mm.rss[MM_ANONPAGES]).toBe(8);
    const child = other.fork();
    expect(write(task, child, [[BASE + P, 1]], [[THERE + P, 1]])).toBe(1);
    expect([bytes(child, THERE, 2), bytes(other, THERE, 2)]).toEqual([
      [1, 1],
      [1, 0],
    ]);
  });

  it("reading from a page that fork shares gives the other a copy of its own, which is not writable yet", () => {
    const { task, other } = two();
    const child = other.fork();
    expect(read(task, other, [[BASE, P]], [[THERE, P]])).toBe(P);
    expect(task.minFlt).toBeGreaterThan(0);
    expect(faults(child, () => child.storeU8(THERE, 3))).toBe(1);
    expect(faults(other, () => other.storeU8(THERE, 4))).toBe(1);
    expect([bytes(task, BASE, 1), bytes(child, THERE, 1), bytes(other, THERE, 1)]).toEqual([[2], [3], [4]]);
    const { phys, pageTable } = other.mm;
    expect(read(task, other, [[BASE, P]], [[THERE + P, P]])).toBe(P);
    const frame = phys.ram.u32[pageTable.walk(THERE + P) + 1];
    expect([phys.frames.mapCount[frame], phys.ram.u32[pageTable.walk(THERE + P)] & PTE_WRITE]).toEqual([
      1, 0,
    ]);
  });

  it("gets through when memory is short, and holds nothing afterwards", () => {
    const task = boot({ ram: 128 * P }).spawn();
    const other = task.kernel.spawn();
    mapAt(task, BASE, 40);
    mapAt(other, THERE, 40);
    writeAll(other, THERE, 40, 5);
    expect(read(task, other, [[BASE, 40 * P]], [[THERE, 40 * P]])).toBe(40 * P);
    other.munmap(THERE, 40 * P);
    mapAt(other, THERE, 40);
    for (let after = 0; after < 50; after += 7) {
      task.kernel.phys.failAfter = after;
      const moved = write(task, other, [[BASE, 40 * P]], [[THERE, 40 * P]]);
      task.kernel.phys.failAfter = -1;
      expect(moved === -EFAULT || moved % P === 0).toBe(true);
      other.madvise(THERE, 40 * P, MADV_DONTNEED);
    }
  });
});

describe("process_madvise", () => {
  function advise(
    task: Process,
    target: Process | undefined,
    ranges: readonly Range[],
    advice: number,
  ): number {
    const result = sysProcessMadvise(task.kernel.mmu, task, target, segments(ranges), advice);
    expect(validate(task.kernel)).toEqual([]);
    return result;
  }

  it("counts the bytes of the ranges before the first that fails", () => {
    const { task } = two();
    task.munmap(BASE + 5 * P, P);
    const [first, hole, last]: Range[] = [
      [BASE, P],
      [BASE + 5 * P, P],
      [BASE + 8 * P, P],
    ];
    expect(advise(task, task, [first, hole, last], MADV_COLD)).toBe(P);
    expect(advise(task, task, [hole, last], MADV_COLD)).toBe(-ENOMEM);
    expect(advise(task, task, [[BASE + 1, P], last], MADV_COLD)).toBe(-EINVAL);
    expect(advise(task, task, [[BASE, 100], [BASE + P, 0], last], MADV_COLD)).toBe(100 + P);
    expect(advise(task, task, [[BASE + 4 * P, 2 * P], first], MADV_DONTNEED)).toBe(-ENOMEM);
    expect(bytes(task, BASE + 4 * P, 1)).toEqual([0]);
    expect(advise(task, task, [], 9999)).toBe(0);
    expect(advise(task, task, [first], 9999)).toBe(-EINVAL);
    expect(advise(task, task, [first, [2 ** 63, P]], MADV_COLD)).toBe(-EFAULT);
  });

  it("on another's memory takes nothing away, and needs the privilege", () => {
    const { task, other } = two();
    for (const advice of [MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED]) {
      expect(advise(task, other, [[THERE, 2 * P]], advice)).toBe(2 * P);
    }
    for (const advice of [MADV_DONTNEED, MADV_GUARD_INSTALL, 9999]) {
      expect(advise(task, other, [[THERE, P]], advice)).toBe(-EINVAL);
    }
    expect(bytes(other, THERE, 2)).toEqual([2, 2]);
    expect(advise(task, undefined, [[THERE, P]], MADV_COLD)).toBe(-ESRCH);
    task.uid = 1000;
    expect(advise(task, other, [[THERE, P]], MADV_COLD)).toBe(-EACCES);
    other.uid = 1000;
    expect(advise(task, other, [[THERE, P]], MADV_COLD)).toBe(-EPERM);
    expect(advise(task, other, [[THERE, P]], MADV_DONTNEED)).toBe(-EINVAL);
    expect(advise(task, task, [[BASE, P]], MADV_DONTNEED)).toBe(P);
  });
});
