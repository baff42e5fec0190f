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
import { createSwapFile, HostSwapFile } from "../storage/node/index.ts";
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
 * Opens the file, or makes it. Throws a ProgramError, with everything as it was.
 *
 * @param bytes undefined: as large as the area that the file holds
 * @param inUse files that this machine swaps to already
 */
export function openSwapFile(path: string, bytes: number | undefined, inUse: readonly SwapFile[]): SwapFile {
  try {
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return newFile(path, sizeFor(path, "is not there", bytes));
    if (!stat.isFile()) throw refusal(path, "is not a regular file");
    const identity = `${stat.dev}:${stat.ino}`;
    if (inUse.some((one) => one.identity === identity)) throw refusal(path, "is the file of two areas");
    if (stat.size === 0) fill(path, sizeFor(path, "is empty", bytes));
    return keptFile(path, identity, bytes);
  } catch (error) {
    const code = codeOf(error);
    // What Node's fs throws; it names the path itself.
    throw code === undefined ? error : refusal(path, WORDS.get(code) ?? (error as Error).message);
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
  fs.closeSync(fs.openSync(path, "wx", 0o600));
  try {
    createSwapFile(path, bytes);
    const device = new HostSwapFile(path);
    const pages = Math.floor(bytes / PAGE_SIZE);
    return { device, path: resolve(path), pages, identity: "", close: () => device.close() };
  } finally {
    fs.unlinkSync(path);
  }
}

function fill(path: string, bytes: number): void {
  try {
    createSwapFile(path, bytes);
  } catch (error) {
    fs.truncateSync(path);
    throw error;
  }
}

function keptFile(path: string, identity: string, bytes: number | undefined): SwapFile {
  const device = new HostSwapFile(path);
  try {
    const pages = pagesOf(path, bytes);
    const isMarked = mark(path);
    const close = (): void => {
      device.close();
      // A mark that stays is that of a process that is gone.
      if (isMarked) hostDo(() => writeStart(path, new Uint8Array(MARK_BYTES)));
    };
    return { device, path: resolve(path), pages, identity, close };
  } catch (error) {
    device.close();
    throw error;
  }
}

function sizeFor(path: string, state: string, bytes: number | undefined): number {
  if (bytes === undefined) throw refusal(path, `${state}, so it takes a size, as in 64M,file=${path}`);
  return bytes;
}

/** How many pages are used of the area in the file: all of them, or as many as are wanted. */
function pagesOf(path: string, bytes: number | undefined): number {
  const page = readStart(path, PAGE_SIZE);
  const has = Math.floor(fs.statSync(path).size / PAGE_SIZE);
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

/** Marks the file as in use. False where a boot loader has the place of the mark. */
function mark(path: string): boolean {
  const start = readStart(path, MARK_BYTES);
  const text = Buffer.from(start).toString("latin1");
  const pid = text.startsWith(MARK) ? Number.parseInt(text.slice(MARK.length), 10) : 0;
  if (pid > 0 && pid !== process.pid && isAlive(pid)) {
    throw refusal(path, `process ${pid} swaps there, another faultline`);
  }
  const isFree = pid > 0 || start.every((byte) => byte === 0);
  // Written in any case: a file that the host itself swaps to refuses that.
  const bytes = isFree ? Buffer.alloc(MARK_BYTES) : start;
  if (isFree) Buffer.from(`${MARK}${process.pid}\n`).copy(bytes as Buffer);
  writeStart(path, bytes);
  return isFree;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}

function readStart(path: string, count: number): Uint8Array {
  const fd = fs.openSync(path, "r");
  try {
    const bytes = new Uint8Array(count);
    fs.readSync(fd, bytes, 0, count, 0);
    return bytes;
  } finally {
    fs.closeSync(fd);
  }
}

function writeStart(path: string, bytes: Uint8Array): void {
  const fd = fs.openSync(path, "r+");
  try {
    fs.writeSync(fd, bytes, 0, bytes.length, 0);
  } finally {
    fs.closeSync(fd);
  }
}

function refusal(path: string, why: string): ProgramError {
  return new ProgramError("--swap", `${path}: ${why}`, FAILED);
}
