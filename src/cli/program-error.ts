/** Why PROGRAM can't be run, with the exit status that a shell gives. */
import { ElfError } from "../machine/index.ts";

/** Exit status: Faultline itself can't go on. */
export const FAILED = 125;
/** Exit status: found, but can't be run. */
export const NOT_EXECUTABLE = 126;
/** Exit status: killed (128 + SIGKILL). */
export const KILLED = 137;
/** Exit status: not found. */
export const NOT_FOUND = 127;

export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly program: string;
  readonly exitStatus: number;

  constructor(program: string, message: string, exitStatus: number) {
    super(message);
    this.program = program;
    this.exitStatus = exitStatus;
  }
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "not found"],
  ["ENOTDIR", "not found: a part of its path is no directory"],
  ["EACCES", "permission denied"],
  ["EISDIR", "is a directory"],
  ["ELOOP", "too many symbolic links"],
  ["ENAMETOOLONG", "its name is too long"],
  ["ENOSPC", "does not fit into the RAM of the machine"],
  ["ENOMEM", "does not fit into the RAM of the machine"],
  ["EFAULT", "the file ends within its segments"],
  ["E2BIG", "too many arguments"],
]);

/** What Node's fs, the kernel or the loader threw, as a ProgramError; what else there is goes through. */
export function programError(program: string, error: unknown): unknown {
  if (error instanceof ElfError) return new ProgramError(program, error.message, NOT_EXECUTABLE);
  if (error instanceof ProgramError || !(error instanceof Error)) return error;
  const { code } = error as { readonly code?: unknown };
  if (typeof code !== "string" || !code.startsWith("E")) return error;
  const status = code === "ENOENT" || code === "ENOTDIR" ? NOT_FOUND : NOT_EXECUTABLE;
  return new ProgramError(program, WORDS.get(code) ?? error.message, status);
}
