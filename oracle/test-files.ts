/** The real files that each subject works on: a directory of its own, filled alike. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SIZES: readonly number[] = [0, 1, 4096, 10_000, 5 * 4096, 70_001];
/** Names of what `open` can open; the last is the directory itself. */
export const FILE_NAMES: readonly string[] = [...SIZES.map((_, index) => `file${index}`), "."];

/** A new directory with the test files in it. */
export function makeTestFiles(parent: string): string {
  const directory = mkdtempSync(join(parent, "faultline-oracle-"));
  // The processes of the host give up root's privilege, and need their files all the same.
  chmodSync(directory, 0o777);
  for (const [index, size] of SIZES.entries()) {
    const path = join(directory, FILE_NAMES[index]);
    writeFileSync(path, initialContent(index, size));
    chmodSync(path, 0o666);
  }
  return directory;
}

/** What the files hold in the end; the directory is removed. */
export function takeTestFiles(directory: string): readonly Uint8Array[] {
  const contents = SIZES.map((_, index) => Uint8Array.from(readFileSync(join(directory, FILE_NAMES[index]))));
  removeTestFiles(directory);
  return contents;
}

export function removeTestFiles(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/** No page like another, few zeroes. */
function initialContent(index: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (index * 31 + at * 7 + (at >> 8)) & 0xff);
}
