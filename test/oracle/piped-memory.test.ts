/** What the oracle knows of the memory whose pages are in a pipe: reads back into it are left out, and no others. */
import { beforeEach, expect, test } from "vitest";
import type { CallName } from "../../oracle/operation.ts";
import { PipedMemory, type PipeUser } from "../../oracle/piped-memory.ts";

const [READING, WRITING, SHM] = [26, 27, 9];
const [ANONYMOUS, MOVED, FILE] = [0x4000_0000, 0x4100_0000, 0x4200_0000];

let piped: PipedMemory;
let unread = 0;

const user: PipeUser = {
  mappings: [
    { start: ANONYMOUS, end: ANONYMOUS + 0x4000, perms: "rw-p", offset: 0, name: "" },
    { start: MOVED, end: MOVED + 0x4000, perms: "rw-p", offset: 0, name: "" },
    { start: FILE, end: FILE + 0x4000, perms: "rw-s", offset: 0, name: "/shm1" },
  ],
  fileName: (fd) => (fd === SHM ? "/shm1" : "pipe:[1]"),
  unread: (fd) => (fd === READING ? unread : undefined),
};

const did = (call: CallName, result: number, ...args: number[]): void =>
  piped.note({ process: 0, call, args }, result, user);
const isLeftOut = (call: CallName, ...args: number[]): boolean =>
  piped.isReadOntoItself({ process: 0, call, args }, user);

beforeEach(() => {
  piped = new PipedMemory();
  unread = 100;
});

test("a read to the page that vmsplice gave, not to its neighbour", () => {
  did("vmsplice", 100, WRITING, ANONYMOUS + 0x1010, 100, 0);
  expect(isLeftOut("read", READING, ANONYMOUS + 0xfff, 2)).toBe(true);
  expect(isLeftOut("read", READING, ANONYMOUS, 0x1000)).toBe(false);
  expect(isLeftOut("vmsplice", READING, ANONYMOUS, 1, 0, ANONYMOUS + 0x1fff, 1)).toBe(true);
  expect(isLeftOut("preadv2", READING, ANONYMOUS, 1, -1, 0, ANONYMOUS + 0x2000, 1)).toBe(false);
  expect(isLeftOut("write", WRITING, ANONYMOUS + 0x1000, 1)).toBe(false);
});

test("a page that has moved, until the pipe is found empty", () => {
  did("vmsplice", 100, WRITING, ANONYMOUS + 0x1010, 100, 0);
  did("mremap", MOVED, ANONYMOUS, 0x4000, 0x4000, 3, MOVED);
  expect(isLeftOut("read", READING, MOVED + 0x1000, 1)).toBe(true);
  expect(isLeftOut("read", READING, MOVED, 0x1000)).toBe(false);
  unread = 0;
  expect(isLeftOut("read", READING, MOVED + 0x1000, 1)).toBe(false);
  unread = 100;
  expect(isLeftOut("read", READING, MOVED + 0x1000, 1)).toBe(false);
});

test("a file whose pages splice or sendfile gave, whether it is mapped or written", () => {
  did("splice", 100, SHM, 0, WRITING, -1, 100, 0);
  expect(isLeftOut("read", READING, FILE + 0x3000, 1)).toBe(true);
  expect(isLeftOut("read", READING, ANONYMOUS, 1)).toBe(false);
  expect(isLeftOut("splice", READING, -1, SHM, 0, 100, 0)).toBe(true);
  piped = new PipedMemory();
  did("sendfile", 100, WRITING, SHM, 0, 100);
  expect(isLeftOut("splice", READING, -1, SHM, 0, 100, 0)).toBe(true);
});

test("what is read from a pipe is not in it", () => {
  did("vmsplice", 100, READING, ANONYMOUS, 100, 0);
  expect(isLeftOut("read", READING, ANONYMOUS, 1)).toBe(false);
});
