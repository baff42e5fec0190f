/** What advice on a file does to the page cache; its errors are checked by test/programs/advice.c. */
import { describe, expect, it } from "vitest";
import { genericFileRead } from "../../src/mm/filemap/filemap.ts";
import { genericFileWrite } from "../../src/mm/filemap/generic-write.ts";
import { Kernel } from "../../src/mm/kernel/kernel.ts";
import type { Process } from "../../src/mm/kernel/process.ts";
import { PAGE_SIZE } from "../../src/mm/page.ts";
import { sysFadvise64, sysReadahead } from "../../src/mm/syscalls/fadvise.ts";
import { sysSyncFileRange } from "../../src/mm/syscalls/sync.ts";
import { EIO } from "../../src/mm/uapi/errno.ts";
import {
  POSIX_FADV_DONTNEED,
  POSIX_FADV_NORMAL,
  POSIX_FADV_RANDOM,
  POSIX_FADV_SEQUENTIAL,
  POSIX_FADV_WILLNEED,
  SYNC_FILE_RANGE_WAIT_AFTER,
  SYNC_FILE_RANGE_WAIT_BEFORE,
  SYNC_FILE_RANGE_WRITE,
} from "../../src/mm/uapi/fcntl.ts";
import type { File } from "../../src/mm/vfs/file.ts";
import { ByteIter, FakeFile } from "../mm/filemap/fake-file.ts";

function setup(size: number): { process: Process; fake: FakeFile; file: File; fd: number } {
  const kernel = new Kernel({ ram: 16 * 2 ** 20 });
  const process = kernel.spawn();
  const fake = new FakeFile(kernel.phys, new Uint8Array(size));
  const file = fake.open();
  return { process, fake, file, fd: process.files.alloc(file, /* cloexec */ false, 1024) };
}

/** Which of the first pages are cached. */
function cached({ mapping }: FakeFile, pages: number): string {
  return Array.from({ length: pages }, (_, i) => (mapping.pages.load(i) === 0 ? "." : "x")).join("");
}

function read(file: File, page: number, pages: number): void {
  genericFileRead(file, new ByteIter(file.mapping.phys, new Uint8Array(pages * PAGE_SIZE)), page * PAGE_SIZE);
}

function write(file: File, page: number, pages: number): void {
  const bytes = new Uint8Array(pages * PAGE_SIZE).fill(7);
  genericFileWrite(file, new ByteIter(file.mapping.phys, bytes), page * PAGE_SIZE);
}

describe("fadvise64", () => {
  it("WILLNEED reads the range, each page that it touches; readahead does the same", () => {
    const { process, fake, fd } = setup(20 * PAGE_SIZE);
    expect(sysFadvise64(process, fd, PAGE_SIZE + 5, 2 * PAGE_SIZE, POSIX_FADV_WILLNEED)).toBe(0);
    expect(cached(fake, 20)).toBe(".xxx................");
    expect(sysReadahead(process, fd, 6 * PAGE_SIZE, PAGE_SIZE)).toBe(0);
    expect(cached(fake, 20)).toBe(".xxx..x.............");
    expect(sysFadvise64(process, fd, 10 * PAGE_SIZE, 0, POSIX_FADV_WILLNEED)).toBe(0);
    expect(cached(fake, 20)).toBe(".xxx..x...xxxxxxxxxx");
    expect(sysFadvise64(process, fd, -PAGE_SIZE, 8 * PAGE_SIZE, POSIX_FADV_WILLNEED)).toBe(0);
  });

  it("DONTNEED writes and drops the whole pages of the range, and the file's last one", () => {
    const { process, fake, file, fd } = setup(8 * PAGE_SIZE + 100);
    read(file, 0, 9);
    write(file, 3, 1);
    expect(sysFadvise64(process, fd, PAGE_SIZE + 1, 3 * PAGE_SIZE, POSIX_FADV_DONTNEED)).toBe(0);
    expect(cached(fake, 9)).toBe("xx..xxxxx");
    expect(fake.bytes[3 * PAGE_SIZE]).toBe(7);
    expect(sysFadvise64(process, fd, 6 * PAGE_SIZE, 2 * PAGE_SIZE + 99, POSIX_FADV_DONTNEED)).toBe(0);
    expect(cached(fake, 9)).toBe("xx..xx..x");
    expect(sysFadvise64(process, fd, 5 * PAGE_SIZE, 3 * PAGE_SIZE + 100, POSIX_FADV_DONTNEED)).toBe(0);
    expect(cached(fake, 9)).toBe("xx..x....");
    expect(sysFadvise64(process, fd, 0, 0, POSIX_FADV_DONTNEED)).toBe(0);
    expect(cached(fake, 9)).toBe(".........");
  });

  it("SEQUENTIAL doubles the window, RANDOM reads what is asked for, NORMAL undoes both", () => {
    const { process, fake, file, fd } = setup(1000 * PAGE_SIZE);
    sysFadvise64(process, fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    expect(file.raPages).toBe(64);
    sysFadvise64(process, fd, 0, 0, POSIX_FADV_RANDOM);
    read(file, 0, 2);
    read(file, 2, 1);
    expect(fake.reads).toEqual([
      [0, 2],
      [2, 1],
    ]);
    sysFadvise64(process, fd, 0, 0, POSIX_FADV_NORMAL);
    expect(file.raPages).toBe(32);
    read(file, 3, 1);
    expect(fake.reads.at(-1)).toEqual([3, 4]);
  });
});

describe("sync_file_range", () => {
  it("writes the dirty pages of the range, and tells errors once, to who waits", () => {
    const { process, fake, file, fd } = setup(8 * PAGE_SIZE);
    write(file, 0, 8);
    expect(sysSyncFileRange(process, fd, PAGE_SIZE, 2 * PAGE_SIZE, SYNC_FILE_RANGE_WRITE)).toBe(0);
    expect(fake.writes).toEqual([[1, 2]]);
    expect(sysSyncFileRange(process, fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE)).toBe(0);
    expect(fake.writes).toEqual([[1, 2]]);
    fake.badWrites.add(5);
    const both = SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    expect(sysSyncFileRange(process, fd, 4 * PAGE_SIZE, 0, both)).toBe(-EIO);
    expect(sysSyncFileRange(process, fd, 0, 0, both)).toBe(0);
  });
});
