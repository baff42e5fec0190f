/**
 * Where the programs lie, and what is there already.
 *
 * ```
 *   FOLDER/riscv64/    a file system of riscv64 programs, for `faultline run --sysroot`
 *   FOLDER/native/     the same for this machine's processor
 *   FOLDER/npm/        packages of the npm registry
 *   FOLDER/apt-…/      lists of Debian's packages, while they are got
 *   FOLDER/have.json   what of that is complete
 * ```
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export interface Have {
  /** Sets that are complete. */
  readonly sets: string[];
  /** Versions of unpacked packages, by name. */
  readonly riscv64: Record<string, string>;
  readonly native: Record<string, string>;
  readonly npm: string[];
}

/** FAULTLINE_PROGRAMS_DIR, or a folder among the user's other caches. */
export function programsFolder(): string {
  const { FAULTLINE_PROGRAMS_DIR, XDG_CACHE_HOME } = process.env;
  if (FAULTLINE_PROGRAMS_DIR !== undefined && FAULTLINE_PROGRAMS_DIR !== "")
    return resolve(FAULTLINE_PROGRAMS_DIR);
  const caches =
    XDG_CACHE_HOME !== undefined && XDG_CACHE_HOME !== "" ? XDG_CACHE_HOME : join(homedir(), ".cache");
  return join(caches, "faultline", "programs");
}

export function whatIsThere(folder: string): Have {
  const file = join(folder, "have.json");
  if (!existsSync(file)) return { sets: [], riscv64: {}, native: {}, npm: [] };
  return JSON.parse(readFileSync(file, "utf8")) as Have;
}

export function remember(folder: string, have: Have): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "have.json");
  // In one step: whoever is ended in the middle leaves the old one.
  writeFileSync(`${file}.new`, `${JSON.stringify(have, undefined, 1)}\n`);
  renameSync(`${file}.new`, file);
}
