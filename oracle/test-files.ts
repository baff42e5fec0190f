/** The files that each subject works on: real ones in a directory of its own, others on a tmpfs, filled alike. */
import {
  chmodSync,
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const SIZES: readonly number[] = [0, 1, 4096, 10_000, 5 * 4096, 70_001, 3000];
export const MISSING_NAME = "missing";
const SHM_SIZES: readonly number[] = [0, 10_000, 5 * 4096, 10_000];
/** The one on tmpfs that only root may write. */
const READ_ONLY_NAME = "shm3";
/** The one on disk that may be executed, though it is no program, and not while somebody has it open for writing. */
export const EXECUTABLE_NAME = "file6";
/** Names of the files on disk and of those on tmpfs. */
/** Sizes that test files begin with. */
export const FILE_SIZES: readonly number[] = [...new Set([...SIZES, ...SHM_SIZES])];
export const DISK_NAMES: readonly string[] = SIZES.map((_, index) => `file${index}`);
export const SHM_NAMES: readonly string[] = SHM_SIZES.map((_, index) => `shm${index}`);
/** What `open` can open: the directory itself is one, a name from the root on is the same for both subjects. */
export const FILE_NAMES: readonly string[] = [
  ...DISK_NAMES.filter((name) => name !== EXECUTABLE_NAME),
  ".",
  ...SHM_NAMES.filter((name) => name !== READ_ONLY_NAME),
  "/dev/zero",
  "/dev/null",
  MISSING_NAME,
  READ_ONLY_NAME,
  EXECUTABLE_NAME,
];

/** What is read of a file in the end (bytes): a sparse one may be longer than any memory. */
export const MAX_FILE: number = 2 ** 18;

/** What is compared of a file: its bytes from the start, and its size. */
export function fileEnd(bytes: Uint8Array, size: number): Uint8Array {
  const whole = new Uint8Array(bytes.length + 8);
  whole.set(bytes);
  new DataView(whole.buffer).setFloat64(bytes.length, size);
  return whole;
}

/** A new directory with the test files in it. */
export function makeTestFiles(parent: string): string {
  return makeFiles(parent, DISK_NAMES);
}

/** The same for those on tmpfs. */
export function makeShmFiles(parent: string): string {
  return makeFiles(parent, SHM_NAMES);
}

function makeFiles(parent: string, names: readonly string[]): string {
  const directory = mkdtempSync(join(parent, "faultline-oracle-"));
  // The processes of the host give up root's privilege, and need their files all the same.
  chmodSync(directory, 0o777);
  for (const name of names) {
    const path = join(directory, name);
    writeFileSync(path, initialContent(name));
    chmodSync(path, modeOf(name));
  }
  return directory;
}

/** Permissions of a test file, which is root's. */
export function modeOf(name: string): number {
  if (name === EXECUTABLE_NAME) return 0o777;
  return name === READ_ONLY_NAME ? 0o444 : 0o666;
}

/** What the files hold in the end; the directory is removed. */
export function takeTestFiles(directory: string, names: readonly string[]): readonly Uint8Array[] {
  const contents = names.map((name) => {
    const fd = openSync(join(directory, name), "r");
    const bytes = new Uint8Array(MAX_FILE);
    const length = readSync(fd, bytes);
    const { size } = fstatSync(fd);
    closeSync(fd);
    return fileEnd(bytes.subarray(0, length), size);
  });
  removeTestFiles(directory);
  return contents;
}

export function removeTestFiles(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/** No page like another, few zeroes. */
export function initialContent(name: string): Uint8Array {
  const index = Number(name.slice(-1));
  const size = (SHM_NAMES.includes(name) ? SHM_SIZES : SIZES)[index];
  const content = new Uint8Array(size);
  for (let at = 0; at < size; at++) content[at] = index * 31 + at * 7 + (at >> 8);
  return content;
}
