/** What the kernel's own use of a process's memory leaves behind, and what late refusals of mmap take with them. */
import { describe, expect, it } from "vitest";
import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { truncateSetsize } from "../../../src/mm/filemap/truncate.ts";
import { Kernel } from "../../../src/mm/kernel/kernel.ts";
import type { Process } from "../../../src/mm/kernel/process.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { smapsEntry } from "../../../src/mm/proc/smaps.ts";
import { devFs } from "../../../src/mm/shmem/dev-fs.ts";
import { sysFallocate } from "../../../src/mm/syscalls/file-size.ts";
import { sysMmap } from "../../../src/mm/syscalls/mmap.ts";
import { sysFcntl } from "../../../src/mm/syscalls/open.ts";
import { sysProcessVmWritev } from "../../../src/mm/syscalls/process-vm.ts";
import { EBUSY, EFAULT, EINVAL, ENOMEM, EOVERFLOW, EPERM } from "../../../src/mm/uapi/errno.ts";
import { O_RDWR, SEEK_DATA } from "../../../src/mm/uapi/fcntl.ts";
import {
  F_ADD_SEALS,
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
} from "../../../src/mm/uapi/fs.ts";
import * as mman from "../../../src/mm/uapi/mman.ts";
import { X86_64 } from "../../../src/mm/vma/arch.ts";
import { ByteIter, FakeFile } from "../filemap/fake-file.ts";

const RW = mman.PROT_READ | mman.PROT_WRITE;
const ANONYMOUS = mman.MAP_PRIVATE | mman.MAP_ANONYMOUS;
const HUGE = 2 ** 21;
const PLACE = 0x4000_0000;

function boot(options: ConstructorParameters<typeof Kernel>[0] = {}): { kernel: Kernel; process: Process } {
  const kernel = new Kernel({ ram: 16 * 2 ** 20, ...options });
  return { kernel, process: kernel.spawn() };
}

/** kB of a line of smaps, for the mapping at `addr`. */
function smaps(process: Process, addr: number, line: string): number {
  const vma = process.mm.vmas.find(addr);
  if (vma === null) throw new Error(`nothing at ${addr}`);
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB`, "m").exec(smapsEntry(vma))?.[1]);
}

function mmap(
  kernel: Kernel,
  process: Process,
  ...args: [number, number, number, number, number, number]
): number {
  return sysMmap(kernel.mmu, process, ...args);
}

describe("the kernel's use of a page", () => {
  it("by populating makes it referenced, which a child sees with PTEs that are old", () => {
    const { process } = boot();
    const at = process.mmap(0, 4 * PAGE_SIZE, RW, ANONYMOUS | mman.MAP_POPULATE);
    expect(smaps(process.fork(), at, "Referenced")).toBe(16);
  });

  it("by a write that copies nothing makes it dirty for all", () => {
    const { kernel, process } = boot();
    const at = process.mmap(0, PAGE_SIZE, RW, mman.MAP_SHARED | mman.MAP_ANONYMOUS);
    const other = process.fork();
    process.loadU8(at);
    other.loadU8(at);
    expect(smaps(process, at, "Shared_Dirty")).toBe(0);
    const sides = { target: other, local: [{ base: 0x1000, len: 8 }], remote: [{ base: at, len: 8 }] };
    expect(sysProcessVmWritev(kernel.mmu, process, sides)).toBe(-EFAULT);
    expect(smaps(process, at, "Shared_Dirty")).toBe(4);
  });

  it("is forgotten by MADV_PAGEOUT, even where the page can't go", () => {
    const { process } = boot();
    const at = process.mmap(0, PAGE_SIZE, RW, ANONYMOUS | mman.MAP_POPULATE);
    process.madvise(at, PAGE_SIZE, mman.MADV_PAGEOUT);
    expect(smaps(process.fork(), at, "Referenced")).toBe(0);
  });

  it("by write(2) from a bad address leaves a page of tmpfs that is data", () => {
    const { process } = boot();
    const fd = process.memfd_create("m", 0);
    process.ftruncate(fd, 100);
    expect(() => process.write(fd, 0x1000, 10)).toThrow("EFAULT");
    expect(process.lseek(fd, 0, SEEK_DATA)).toBe(0);
  });
});

it("a hole that ends in the first page of tmpfs takes the PTEs of all pages behind it", () => {
  const { process } = boot();
  const fd = process.memfd_create("m");
  process.ftruncate(fd, 3 * PAGE_SIZE);
  const at = process.mmap(0, 3 * PAGE_SIZE, RW, mman.MAP_SHARED | mman.MAP_POPULATE, fd);
  process.storeU8(at + PAGE_SIZE + 200, 7);
  const hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  expect(sysFallocate(process, fd, hole, PAGE_SIZE, 100)).toBe(0);
  expect(smaps(process, at, "Rss")).toBe(12);
  expect(sysFallocate(process, fd, hole, 0, 100)).toBe(0);
  expect(smaps(process, at, "Rss")).toBe(0);
  expect(process.loadU8(at + PAGE_SIZE + 200)).toBe(7);
});

describe("mmap of huge pages without a pool", () => {
  it("checks everything before it finds none", () => {
    const { kernel, process } = boot();
    const flags = ANONYMOUS | mman.MAP_HUGETLB;
    expect(mmap(kernel, process, 0, PAGE_SIZE, RW, flags, -1, 0)).toBe(-ENOMEM);
    expect(mmap(kernel, process, 0, PAGE_SIZE, RW, flags, -1, PAGE_SIZE)).toBe(-EINVAL);
    expect(mmap(kernel, process, 0, PAGE_SIZE, RW, flags, -1, 2 ** 64 - PAGE_SIZE)).toBe(-EOVERFLOW);
    expect(mmap(kernel, process, PLACE + PAGE_SIZE, PAGE_SIZE, RW, flags | mman.MAP_FIXED, -1, 0)).toBe(
      -EINVAL,
    );
    expect(mmap(kernel, process, 0, PAGE_SIZE, RW, flags | (16 << 26), -1, 0)).toBe(-EINVAL);
  });

  it("has by then unmapped what lay at a fixed address", () => {
    const { kernel, process } = boot();
    process.mmap(PLACE, 2 * HUGE, RW, ANONYMOUS | mman.MAP_FIXED);
    const flags = ANONYMOUS | mman.MAP_FIXED | mman.MAP_HUGETLB;
    expect(mmap(kernel, process, PLACE, PAGE_SIZE, RW, flags, -1, 0)).toBe(-ENOMEM);
    expect(process.mm.vmas.first?.start).toBe(PLACE + HUGE);
  });
});

describe("seals and mappings", () => {
  it("a seal that forbids a mapping does so before anything is unmapped", () => {
    const { kernel, process } = boot();
    const fd = process.memfd_create("m", mman.MFD_ALLOW_SEALING);
    process.ftruncate(fd, PAGE_SIZE);
    process.mmap(PLACE, PAGE_SIZE, RW, ANONYMOUS | mman.MAP_FIXED);
    expect(sysFcntl(process, fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE)).toBe(0);
    expect(mmap(kernel, process, PLACE, PAGE_SIZE, RW, mman.MAP_SHARED | mman.MAP_FIXED, fd, 0)).toBe(-EPERM);
    expect(process.mm.vmas.first?.file).toBeNull();
  });

  it("sealing an executable as such needs that nobody can write to it", () => {
    const { process } = boot();
    const fd = process.memfd_create("m", mman.MFD_ALLOW_SEALING);
    const at = process.mmap(0, PAGE_SIZE, RW, mman.MAP_SHARED, fd);
    expect(sysFcntl(process, fd, F_ADD_SEALS, F_SEAL_EXEC)).toBe(-EBUSY);
    process.munmap(at, PAGE_SIZE);
    expect(sysFcntl(process, fd, F_ADD_SEALS, F_SEAL_EXEC)).toBe(0);
  });
});

it("MAP_SYNC shows in VmFlags of any mapping", () => {
  const { process } = boot();
  const at = process.mmap(0, PAGE_SIZE, RW, ANONYMOUS | mman.MAP_SYNC);
  const vma = process.mm.vmas.find(at);
  expect(vma === null ? "" : smapsEntry(vma)).toMatch(/^VmFlags: .*\bsf\b/m);
});

it("a large private mapping of /dev/zero is aligned to huge pages, a shared one is not", () => {
  const { kernel, process } = boot({ arch: X86_64, thpSize: HUGE });
  kernel.mount("/dev", devFs({ random: () => undefined }));
  const fd = process.open("/dev/zero", O_RDWR);
  const length = HUGE + 0x123000;
  expect(process.mmap(0, length, RW, mman.MAP_PRIVATE, fd) % HUGE).toBe(0);
  expect(process.mmap(0, length, RW, mman.MAP_SHARED, fd) % HUGE).not.toBe(0);
});

it("a file that fallocate grows keeps what mappings left behind its new end", () => {
  const { kernel } = boot();
  const fake = new FakeFile(kernel.phys, new Uint8Array([1]));
  const file = fake.open();
  genericFileRead(file, new ByteIter(kernel.phys, new Uint8Array(1)), 0);
  const pfn = fake.mapping.pages.load(0);
  const { u8 } = kernel.phys.ram;
  u8.fill(7, pfn * PAGE_SIZE + 1, (pfn + 1) * PAGE_SIZE);
  truncateSetsize(fake.inode, 200, 200);
  expect([...u8.subarray(pfn * PAGE_SIZE + 199, pfn * PAGE_SIZE + 201)]).toEqual([0, 7]);
});
