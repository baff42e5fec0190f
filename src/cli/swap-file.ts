/**
 * A file of the host as the swap area of `--swap …,file=PATH`.
 *
 * ```
 *   PATH is not there     made, with all its blocks and a header; its name is taken away at once, so that the file is gone
 *                         with this process, however that ends
 *   … is empty            becomes an area, and stays one
 *   … is a swap area      used as it is, and kept
 *   … is anything else    refused: nothing is overwritten
 * ```
 *
 * A file that is kept is marked as in use in its first bytes, which belong to boot loaders and are zeros in files: two
 * machines that swap to one file would overwrite each other's memory.
 */
import fs from "node:fs";
import { resolve } from "node:path";
import { PAGE_SIZE } from "../mm/page.ts";
import { readSwapHeader } from "../mm/swap/swap-header.ts";
import { hostDo } from "../storage/node/host-error.ts";
import { fillSwapFile, HostSwapFile } from "../storage/node/index.ts";
import { codeOf } from "./host-error.ts";
import { FAILED, ProgramError } from "./program-error.ts";
import { formatSize } from "./size.ts";

export interface SwapFile {
  readonly device: HostSwapFile;
  /** As /proc/swaps shows it. */
  readonly path: string;
  /** Pages of it that are used, the header's included. */
  readonly pages: number;
  /** Which file of the host it is, under whatever name. */
  readonly identity: string;
  /** The machine is off. */
  close(): void;
}

/** The first bytes of a file in use: this, and the number of the process. */
const MARK = "faultline swaps here: ";
const MARK_BYTES = 64;
const MAGIC = "SWAPSPACE2";

/**
 * Opens the file, or makes it: once, and everything is done with what was opened, for in a folder that others may write to
 * something else can stand at the path a moment later. Throws a ProgramError, with everything as it was.
 *
 * @param bytes undefined: as large as the area that the file holds
 * @param inUse files that this machine swaps to already
 */
export function openSwapFile(path: string, bytes: number | undefined, inUse: readonly SwapFile[]): SwapFile {
  let fd: number | undefined;
  try {
    fd = openExisting(path);
    if (fd === undefined) return newFile(path, sizeFor(path, "is not there", bytes));
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw refusal(path, "is not a regular file");
    const identity = `${stat.dev}:${stat.ino}`;
    if (inUse.some((one) => one.identity === identity)) throw refusal(path, "is the file of two areas");
    if (stat.size === 0) fill(fd, sizeFor(path, "is empty", bytes));
    return keptFile(path, fd, identity, bytes);
  } catch (error) {
    if (fd !== undefined) fs.closeSync(fd);
    const code = codeOf(error);
    // What Node's fs throws; it names the path itself.
    throw code === undefined ? error : refusal(path, WORDS.get(code) ?? (error as Error).message);
  }
}

/** The file at the path, open to read and write; undefined: there is none. Never waits, whatever it is. */
function openExisting(path: string): number | undefined {
  try {
    return fs.openSync(path, fs.constants.O_RDWR | (fs.constants.O_NONBLOCK ?? 0));
  } catch (error) {
    switch (codeOf(error)) {
      case "ENOENT":
        return undefined;
      case "EISDIR":
      case "ENXIO":
        throw refusal(path, "is not a regular file");
      default:
        throw error;
    }
  }
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "no such folder"],
  ["ENOSPC", "the disk has no room for it"],
  ["EDQUOT", "the disk has no room for it"],
  ["EFBIG", "too large for a file there"],
  ["EACCES", "permission denied"],
  ["EROFS", "lies on a file system that can't be written"],
  ["ETXTBSY", "this machine itself swaps there"],
]);

function newFile(path: string, bytes: number): SwapFile {
  // Nobody else's, if it has come into being just now.
  const fd = fs.openSync(path, "wx+", 0o600);
  try {
    unlinkIfStill(path, fd);
    fillSwapFile(fd, bytes);
    const device = new HostSwapFile(path, fd);
    const pages = Math.floor(bytes / PAGE_SIZE);
    return { device, path: resolve(path), pages, identity: "", close: () => device.close() };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** Takes the file's name away, unless somebody else's file stands there now. */
function unlinkIfStill(path: string, fd: number): void {
  const { dev, ino } = fs.fstatSync(fd);
  const there = fs.lstatSync(path, { throwIfNoEntry: false });
  if (there?.dev === dev && there.ino === ino) fs.unlinkSync(path);
}

function fill(fd: number, bytes: number): void {
  try {
    fillSwapFile(fd, bytes);
  } catch (error) {
    fs.ftruncateSync(fd);
    throw error;
  }
}

function keptFile(path: string, fd: number, identity: string, bytes: number | undefined): SwapFile {
  const pages = pagesOf(path, fd, bytes);
  const isMarked = mark(path, fd);
  const device = new HostSwapFile(path, fd);
  const close = (): void => {
    // A mark that stays is that of a process that is gone.
    if (isMarked) hostDo(() => writeStart(fd, new Uint8Array(MARK_BYTES)));
    device.close();
  };
  return { device, path: resolve(path), pages, identity, close };
}

function sizeFor(path: string, state: string, bytes: number | undefined): number {
  if (bytes === undefined) throw refusal(path, `${state}, so it takes a size, as in 64M,file=${path}`);
  return bytes;
}

/** How many pages are used of the area in the file: all of them, or as many as are wanted. */
function pagesOf(path: string, fd: number, bytes: number | undefined): number {
  const page = readStart(fd, PAGE_SIZE);
  const has = Math.floor(fs.fstatSync(fd).size / PAGE_SIZE);
  if (Buffer.from(page.subarray(-MAGIC.length)).toString("latin1") !== MAGIC) {
    throw refusal(path, "is neither empty nor a swap area, and is not overwritten; mkswap makes it one");
  }
  const header = readSwapHeader(page, has, /* isFile */ true);
  if (header === undefined) {
    throw refusal(
      path,
      `its swap header does not fit a file of ${formatSize(has * PAGE_SIZE)}; mkswap makes it anew`,
    );
  }
  if (bytes === undefined) return header.maxPages;
  if (bytes > header.maxPages * PAGE_SIZE) {
    const size = formatSize(header.maxPages * PAGE_SIZE);
    throw refusal(path, `holds an area of ${size}, too small for ${formatSize(bytes)}`);
  }
  return Math.floor(bytes / PAGE_SIZE);
}

/**
 * Marks the file as in use. False where a boot loader has the place of the mark. Of two that come at once, the one whose mark
 * stands at the end has the file; the other finds that out by a second look.
 */
function mark(path: string, fd: number): boolean {
  const start = readStart(fd, MARK_BYTES);
  const pid = markedBy(start);
  if (pid > 0 && pid !== process.pid && isAlive(pid)) throw refusal(path, othersMark(pid));
  const isFree = pid > 0 || start.every((byte) => byte === 0);
  // Written in any case: a file that the host itself swaps to refuses that.
  const bytes = isFree ? Buffer.alloc(MARK_BYTES) : start;
  if (isFree) Buffer.from(`${MARK}${process.pid}\n`).copy(bytes as Buffer);
  writeStart(fd, bytes);
  const now = markedBy(readStart(fd, MARK_BYTES));
  if (isFree && now !== process.pid) throw refusal(path, othersMark(now));
  return isFree;
}

/** The process that has left its mark; 0 for none. */
function markedBy(start: Uint8Array): number {
  const text = Buffer.from(start).toString("latin1");
  return text.startsWith(MARK) ? Number.parseInt(text.slice(MARK.length), 10) : 0;
}

function othersMark(pid: number): string {
  return `process ${pid} swaps there, another faultline`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

function readStart(fd: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  fs.readSync(fd, bytes, 0, count, 0);
  return bytes;
}

function writeStart(fd: number, bytes: Uint8Array): void {
  fs.writeSync(fd, bytes, 0, bytes.length, 0);
}

function refusal(path: string, why: string): ProgramError {
  return new ProgramError("--swap", `${path}: ${why}`, FAILED);
}
