/** Locks against a model that has a type for each byte and owner; how calls answer is compared by test/programs/file-locks.c. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Kernel } from "../../../src/mm/kernel/kernel.ts";
import { procLocks } from "../../../src/mm/proc/locks.ts";
import { EAGAIN, ENOLCK } from "../../../src/mm/uapi/errno.ts";
import { O_CREAT, O_RDWR } from "../../../src/mm/uapi/fcntl.ts";
import type { File } from "../../../src/mm/vfs/file.ts";
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  type FileLock,
  LockTable,
  OFFSET_MAX,
  removeFileLocks,
} from "../../../src/mm/vfs/file-lock.ts";

const BYTES = 30;

function openFile(): File {
  const kernel = new Kernel({ ram: 2 ** 20 });
  const task = kernel.spawn();
  const file = task.files.get(task.open("/file", O_CREAT | O_RDWR, 0o600));
  if (file === undefined) throw new Error("no file");
  return file;
}

it("keeps the locks of each owner as a type for each byte", () => {
  const file = openFile();
  const step = fc.record({
    owner: fc.nat(2),
    type: fc.constantFrom(F_RDLCK, F_WRLCK, F_UNLCK),
    start: fc.nat(BYTES - 1),
    len: fc.nat(BYTES),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const table = new LockTable();
      const owners = [{}, {}, {}];
      const model = owners.map(() => new Array<number>(BYTES).fill(F_UNLCK));
      for (const { owner, type, start, len } of steps) {
        // Length 0 reaches to the end of any file.
        const last = len === 0 ? BYTES - 1 : Math.min(start + len, BYTES) - 1;
        const end = len === 0 ? OFFSET_MAX : BigInt(last);
        const isTaken = model.some(
          (bytes, other) =>
            other !== owner &&
            bytes
              .slice(start, last + 1)
              .some((held) => held !== F_UNLCK && (held === F_WRLCK || type === F_WRLCK)),
        );
        const lock: FileLock = {
          kind: "posix",
          owner: owners[owner],
          file,
          pid: owner,
          type,
          start: BigInt(start),
          end,
        };
        const isRefused = type !== F_UNLCK && isTaken;
        expect(table.set(lock)).toBe(isRefused ? -EAGAIN : 0);
        if (!isRefused) model[owner].fill(type, start, last + 1);
        const found = owners.map(() => new Array<number>(BYTES).fill(F_UNLCK));
        for (const held of table.locksOn(file.inode)) {
          const bytes = found[owners.indexOf(held.owner)];
          const from = Number(held.start);
          const to = Math.min(Number(held.end) + 1, BYTES);
          expect(bytes.slice(from, to).every((one) => one === F_UNLCK)).toBe(true);
          // Neighbours of one type would be one lock.
          expect(bytes[from - 1]).not.toBe(held.type);
          bytes.fill(held.type, from, to);
        }
        expect(found).toEqual(model);
      }
    }),
  );
});

it("holds no more locks than the host can bear, and gives their place back", () => {
  const file = openFile();
  const table = new LockTable();
  const owner = {};
  const lock = (start: number, type = F_WRLCK, len = 1): number =>
    table.set({
      kind: "posix",
      owner,
      file,
      pid: 1,
      type,
      start: BigInt(start),
      end: BigInt(start + len - 1),
    });
  let taken = 0;
  while (lock(4 * taken + 1, F_WRLCK, 2) === 0) taken++;
  expect(taken).toBe(2 ** 16);
  expect(lock(4 * taken + 1)).toBe(-ENOLCK);
  const flock: FileLock = {
    kind: "flock",
    owner: file,
    file,
    pid: 1,
    type: F_RDLCK,
    start: 0n,
    end: OFFSET_MAX,
  };
  expect(table.set(flock)).toBe(-ENOLCK);
  // To give back the middle of one makes two of it.
  expect(lock(1, F_WRLCK, 20)).toBe(0);
  expect(lock(5, F_UNLCK)).toBe(0);
  removeFileLocks(file);
  expect(lock(1, F_UNLCK, 2 ** 40)).toBe(0);
  expect([table.all(), table.set(flock)]).toEqual([[], 0]);
});

/** A program on Linux 6.18 that made these calls read these lines, but for the numbers of processes and files. */
it("shows the newest first in /proc/locks, and who waits below what is in the way", () => {
  const file = openFile();
  const table = new LockTable();
  const posix = (pid: number, type: number, start: number, len: number): FileLock => ({
    kind: "posix",
    owner: owners[pid],
    file,
    pid,
    type,
    start: BigInt(start),
    end: BigInt(start + len - 1),
  });
  const owners = [{}, {}, {}, {}];
  table.set(posix(1, F_WRLCK, 0, 10));
  table.set(posix(1, F_RDLCK, 20, 10));
  table.set({ kind: "flock", owner: file, file, pid: 1, type: F_RDLCK, start: 0n, end: OFFSET_MAX });
  table.set(posix(1, F_WRLCK, 100, 100));
  table.set(posix(1, F_UNLCK, 120, 10));
  expect([table.startWaiting(posix(2, F_WRLCK, 0, 5)), table.startWaiting(posix(3, F_RDLCK, 0, 5))]).toEqual([
    0, 0,
  ]);
  const text = procLocks(table).replaceAll(/[0-9a-f]{2}:[0-9a-f]{2}:\d+/g, "INODE");
  expect(text).toBe(
    [
      "1: POSIX  ADVISORY  WRITE 1 INODE 100 119",
      "2: POSIX  ADVISORY  WRITE 1 INODE 130 199",
      "3: FLOCK  ADVISORY  READ 1 INODE 0 EOF",
      "4: POSIX  ADVISORY  READ 1 INODE 20 29",
      "5: POSIX  ADVISORY  WRITE 1 INODE 0 9",
      "5: -> POSIX  ADVISORY  WRITE 2 INODE 0 4",
      "5:  -> POSIX  ADVISORY  READ 3 INODE 0 4",
      "",
    ].join("\n"),
  );
});
