import { describe, expect, it } from "vitest";
import { BusError, MADV_WILLNEED, O_CREAT, O_RDWR, SEEK_DATA, SEEK_HOLE } from "../../../src/mm/index.ts";
import { swapSpace } from "../../../src/mm/swap/swap-space.ts";
import { sysFallocate } from "../../../src/mm/syscalls/file-size.ts";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from "../../../src/mm/uapi/fs.ts";
import { MAP_SHARED } from "../../../src/mm/uapi/mman.ts";
import { BASE, boot, outcome, P, RW, SHARED_ANON } from "../core/rig.ts";
import { addSwap, DiskSwapDevice, KINDS, pageOut, stateOf } from "./rig.ts";

function free(kernel: ReturnType<typeof boot>): number {
  return swapSpace(kernel.phys).nrSwapPages;
}

describe.each(KINDS)("shared memory in swap (%s)", (kind) => {
  it("is the same for all who share it, and stays charged", () => {
    const kernel = boot();
    addSwap(kernel, kind, 64);
    const process = kernel.spawn();
    const at = process.mmap(BASE, 8 * P, RW, SHARED_ANON);
    for (let page = 0; page < 8; page++) process.storeU8(at + page * P, 30 + page);
    const committed = kernel.phys.commit.committed;
    pageOut(process, at, 8);
    expect(stateOf(process, at)).toBe("none");
    expect(free(kernel)).toBe(63 - 8);
    expect(kernel.phys.commit.committed).toBe(committed);
    const child = process.fork();
    child.storeU8(at, 77);
    expect(process.loadU8(at)).toBe(77);
    expect(process.loadU8(at + 7 * P)).toBe(37);
    kernel.swapOff("/dev/swap0");
    for (let page = 1; page < 8; page++) expect(child.loadU8(at + page * P)).toBe(30 + page);
  });
});

describe("a file of tmpfs in swap", () => {
  const file = (): {
    kernel: ReturnType<typeof boot>;
    process: ReturnType<ReturnType<typeof boot>["spawn"]>;
    fd: number;
    at: number;
  } => {
    const kernel = boot();
    addSwap(kernel, "disk", 64);
    const process = kernel.spawn();
    const fd = process.open("/file", O_RDWR | O_CREAT, 0o600);
    for (let page = 0; page < 8; page++) process.pwrite(fd, new Uint8Array(P).fill(page + 1), P, page * P);
    const at = process.mmap(BASE, 8 * P, RW, MAP_SHARED, fd);
    for (let page = 0; page < 8; page++) process.loadU8(at + page * P);
    pageOut(process, at, 8);
    expect(free(kernel)).toBe(63 - 8);
    return { kernel, process, fd, at };
  };

  it("is read and written as if it were in memory", () => {
    const { process, fd } = file();
    const bytes = new Uint8Array(P);
    process.pread(fd, bytes, P, 3 * P);
    expect(bytes.every((byte) => byte === 4)).toBe(true);
    process.pwrite(fd, new Uint8Array([9]), 1, 4 * P + 7);
    process.pread(fd, bytes, P, 4 * P);
    expect([bytes[6], bytes[7], bytes[8]]).toEqual([5, 9, 5]);
    expect(process.fstat(fd).blocks).toBe(64);
  });

  it("has no holes where pages are in swap", () => {
    const { process, fd } = file();
    expect(process.lseek(fd, 0, SEEK_HOLE)).toBe(8 * P);
    expect(process.lseek(fd, 5 * P, SEEK_DATA)).toBe(5 * P);
  });

  it("gives slots back when it is cut, punched, or gone", () => {
    const { kernel, process, fd } = file();
    process.ftruncate(fd, 5 * P + 100);
    expect(free(kernel)).toBeGreaterThanOrEqual(63 - 6);
    const bytes = new Uint8Array(P);
    process.ftruncate(fd, 8 * P);
    process.pread(fd, bytes, P, 5 * P);
    expect([bytes[99], bytes[100]]).toEqual([6, 0]);
    expect(sysFallocate(process, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, P, 2 * P)).toBe(0);
    process.pread(fd, bytes, P, P);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    process.munmap(BASE, 8 * P);
    process.close(fd);
    process.unlink("/file");
    expect(free(kernel)).toBe(63);
  });

  it("is read ahead by WILLNEED", () => {
    const { process, at, kernel } = file();
    process.madvise(at, 8 * P, MADV_WILLNEED);
    expect(kernel.vmstat().nr_swapcached).toBe(8);
    const { majFlt } = process;
    for (let page = 0; page < 8; page++) expect(process.loadU8(at + page * P)).toBe(page + 1);
    expect(process.majFlt).toBe(majFlt);
  });
});

describe("a page of shared memory that the device can't read", () => {
  it("is lost for ever: SIGBUS, EIO, and no slot", () => {
    const kernel = boot();
    const disk = new DiskSwapDevice(64);
    kernel.swapOn(disk, { mkswap: {} });
    const process = kernel.spawn();
    const fd = process.open("/file", O_RDWR | O_CREAT, 0o600);
    process.pwrite(fd, new Uint8Array(P).fill(1), P, 0);
    const at = process.mmap(BASE, P, RW, MAP_SHARED, fd);
    process.storeU8(at, 2);
    pageOut(process, at, 1);
    disk.readError = -5;
    expect(() => process.loadU8(at)).toThrow(BusError);
    disk.readError = 0;
    expect(() => process.loadU8(at)).toThrow(BusError);
    expect(outcome(() => process.pread(fd, new Uint8Array(P), P, 0))).toBe("EIO");
    expect(free(kernel)).toBe(63);
    process.ftruncate(fd, 0);
    process.ftruncate(fd, P);
    expect(process.loadU8(at)).toBe(0);
  });
});
