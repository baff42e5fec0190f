/** REMOVE, COLD and PAGEOUT on files: what goes from the page table, what from memory, what from the file. */
import { describe, expect, it } from "vitest";
import {
  MADV_COLD,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  MADV_REMOVE,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MFD_ALLOW_SEALING,
  O_RDONLY,
  PROT_READ,
} from "../../../src/mm/index.ts";
import { memfdAddSeals } from "../../../src/mm/shmem/memfd.ts";
import { sysMadvise } from "../../../src/mm/syscalls/madvise.ts";
import { NR_ACTIVE_FILE, NR_INACTIVE_FILE } from "../../../src/mm/trace/vmstat.ts";
import { F_SEAL_FUTURE_WRITE } from "../../../src/mm/uapi/fs.ts";
import { fileOf } from "../../../src/mm/vfs/file.ts";
import { BASE, faults, newFile, P, RW, readAll, SHARED_ANON, writeAll } from "../core/rig.ts";
import { bytes, present, type Rig, resident, rig, rigOnDisk } from "./rig.ts";

const OTHER = BASE + 512 * P;

/** A file of 8 pages on a disk, clean, all of it mapped at BASE. */
function onDisk(prot: number = RW, flags: number = MAP_SHARED): Rig & { readonly fd: number } {
  const r = rigOnDisk();
  const fd = newFile(r.task, "/f", 8);
  r.task.fsync(fd);
  r.task.mmap(BASE, 8 * P, prot, flags | MAP_FIXED, fd, 0);
  readAll(r.task, BASE, 8);
  return { ...r, fd };
}

describe("REMOVE", () => {
  it("empties the file for everybody, but not private copies", () => {
    const r = rig();
    const fd = newFile(r.task, "/f", 4);
    r.task.mmap(BASE, 4 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    r.task.mmap(OTHER, 4 * P, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    readAll(r.task, BASE, 4);
    readAll(r.task, OTHER, 4);
    r.task.storeU8(OTHER + P, 77);
    const size = r.task.fstat(fd).size;
    expect(r.advise(BASE + P, 2, MADV_REMOVE)).toBe("ok");
    expect([bytes(r.task, BASE, 4), bytes(r.task, OTHER, 4)]).toEqual([
      [1, 0, 0, 4],
      [1, 77, 0, 4],
    ]);
    expect(r.task.fstat(fd).size).toBe(size);
  });

  it("counts offsets from the mapping's, and gives the memory back", () => {
    const r = rig();
    const fd = newFile(r.task, "/f", 6);
    r.task.mmap(BASE, 3 * P, RW, MAP_SHARED | MAP_FIXED, fd, 2 * P);
    const free = r.kernel.phys.buddy.freeFrames;
    expect(r.advise(BASE + P, 1, MADV_REMOVE)).toBe("ok");
    expect(r.kernel.phys.buddy.freeFrames).toBe(free + 1);
    const page = new Uint8Array(P);
    const first = [0, 1, 2, 3, 4, 5].map((index) => {
      r.task.pread(fd, page, P, index * P);
      return page[0];
    });
    expect(first).toEqual([1, 2, 3, 0, 5, 6]);
  });

  it("works on shared anonymous memory, and on a real file", () => {
    const r = rig();
    r.task.mmap(BASE, 2 * P, RW, SHARED_ANON | MAP_FIXED);
    writeAll(r.task, BASE, 2, 5);
    expect(r.advise(BASE, 1, MADV_REMOVE)).toBe("ok");
    expect(bytes(r.task, BASE, 2)).toEqual([0, 5]);
    const disk = onDisk();
    expect(disk.task.loadU8(BASE + P)).not.toBe(0);
    expect(disk.advise(BASE, 2, MADV_REMOVE)).toBe("ok");
    expect(bytes(disk.task, BASE, 2)).toEqual([0, 0]);
  });

  it("respects seals", () => {
    const r = rig();
    const fd = r.task.memfd_create("m", MFD_ALLOW_SEALING);
    r.task.ftruncate(fd, 4 * P);
    r.task.mmap(BASE, 4 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0);
    writeAll(r.task, BASE, 4, 5);
    const vma = r.task.mm.vmas.lookup(BASE);
    if (vma === null) throw new Error("not mapped");
    expect(memfdAddSeals(fileOf(vma), F_SEAL_FUTURE_WRITE)).toBe(0);
    expect(r.advise(BASE, 1, MADV_REMOVE)).toBe("EPERM");
    r.task.mmap(OTHER, P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    expect(r.advise(OTHER, 1, MADV_REMOVE)).toBe("EACCES");
    expect(bytes(r.task, BASE, 1)).toEqual([5]);
  });
});

describe("PAGEOUT", () => {
  it("drops clean pages; unmaps dirty ones, which stay in memory until they are written", () => {
    const r = onDisk();
    r.task.storeU8(BASE, 50);
    expect(r.advise(BASE, 8, MADV_PAGEOUT)).toBe("ok");
    expect([present(r.task, BASE, 8), resident(r.task, BASE, 8)]).toEqual(["00000000", "10000000"]);
    // Mapped again for reading, it is to be noticed when it is written: two faults.
    expect(faults(r.task, () => r.task.loadU8(BASE))).toBe(1);
    expect(faults(r.task, () => r.task.storeU8(BASE, 51))).toBe(1);
    r.do((task) => task.fsync(r.fd));
    expect(r.advise(BASE, 1, MADV_PAGEOUT)).toBe("ok");
    expect(resident(r.task, BASE, 1)).toBe("0");
    expect(bytes(r.task, BASE, 8)).toEqual([51, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("leaves alone what others map, and what the range does not map", () => {
    const r = onDisk();
    r.task.mmap(OTHER, 4 * P, PROT_READ, MAP_SHARED | MAP_FIXED, r.fd, 0);
    readAll(r.task, OTHER, 4);
    r.advise(BASE, 6, MADV_PAGEOUT);
    expect([present(r.task, BASE, 8), present(r.task, OTHER, 4)]).toEqual(["11110011", "1111"]);
    r.advise(BASE, 8, MADV_DONTNEED);
    r.do((task) => task.munmap(OTHER, 4 * P));
    r.advise(BASE, 8, MADV_PAGEOUT);
    expect(resident(r.task, BASE, 8)).toBe("11110011");
  });

  it("of a private mapping drops the file's pages and keeps copies", () => {
    const r = onDisk(RW, MAP_PRIVATE);
    r.task.storeU8(BASE, 50);
    r.advise(BASE, 8, MADV_PAGEOUT);
    expect(present(r.task, BASE, 8)).toBe("10000000");
    expect(bytes(r.task, BASE, 2)).toEqual([50, 2]);
  });

  it("of a file that is another's does nothing", () => {
    for (const flags of [MAP_SHARED, MAP_PRIVATE]) {
      const r = rigOnDisk();
      const fd = newFile(r.task, "/f", 4);
      r.task.fsync(fd);
      const { kernel } = r;
      const nobody = kernel.spawn({ uid: 65534, gid: 65534 });
      nobody.mmap(BASE, 4 * P, PROT_READ, flags | MAP_FIXED, nobody.open("/f", O_RDONLY), 0);
      readAll(nobody, BASE, 4);
      const asNobody = sysMadvise(kernel.mmu, nobody, BASE, 4 * P, MADV_PAGEOUT);
      expect([asNobody, present(nobody, BASE, 4)]).toEqual([0, "1111"]);
      nobody.uid = 0;
      sysMadvise(kernel.mmu, nobody, BASE, 4 * P, MADV_PAGEOUT);
      expect(present(nobody, BASE, 4)).toBe("0000");
    }
  });

  it("of tmpfs unmaps, and keeps in memory what has nowhere to go", () => {
    const r = rig();
    r.task.mmap(BASE, 4 * P, RW, SHARED_ANON | MAP_FIXED);
    writeAll(r.task, BASE, 4, 5);
    r.advise(BASE, 4, MADV_PAGEOUT);
    expect([present(r.task, BASE, 4), resident(r.task, BASE, 4)]).toEqual(["0000", "1111"]);
    expect(bytes(r.task, BASE, 4)).toEqual([5, 5, 5, 5]);
  });
});

describe("COLD", () => {
  it("makes active pages the next to go, and takes nothing", () => {
    const r = onDisk();
    const { stat } = r.kernel.phys;
    // Used, unmapped, used again, unmapped: twice used is active.
    for (let round = 0; round < 3; round++) {
      readAll(r.task, BASE, 8);
      r.advise(BASE, 8, MADV_DONTNEED);
    }
    readAll(r.task, BASE, 8);
    expect(stat[NR_ACTIVE_FILE]).toBe(8);
    expect(r.advise(BASE, 6, MADV_COLD)).toBe("ok");
    expect([stat[NR_ACTIVE_FILE], stat[NR_INACTIVE_FILE]]).toEqual([2, 6]);
    expect(present(r.task, BASE, 8)).toBe("11111111");
  });
});
