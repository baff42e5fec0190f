/**
 * The first half of execve, up to the point of no return: the program is found, with everything that it takes to start
 * it, and nothing is changed (fs/exec.c, bprm_execve and the checks of load_elf_binary).
 *
 * A script leads to its interpreter, which may be a script again, five times at most. A program with a dynamic linker
 * brings that along: it must be there, executable, and itself an ELF file of this machine.
 */
import type { Process } from "../../mm/kernel/process.ts";
import { startAt, walkContext } from "../../mm/syscalls/fd.ts";
import { EIO, ELIBBAD, ELOOP, ENOENT, ENOEXEC } from "../../mm/uapi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../mm/uapi/fcntl.ts";
import type { File } from "../../mm/vfs/file.ts";
import { encodeName } from "../../mm/vfs/name-bytes.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../../mm/vfs/namei.ts";
import { ElfError } from "../elf/elf-error.ts";
import { checkSegments, type ElfProgram, parseElf, readElfHeaders } from "../elf/elf-header.ts";
import { BINPRM_BUF_SIZE, parseScriptLine } from "../elf/script.ts";
import type { ProgramString } from "../elf/stack-image.ts";
import { type ProgramStrings, type StringSource, StringStack } from "./exec-strings.ts";
import { openDentryExec, openExec, readerOf } from "./open-exec.ts";

/** Scripts that may lead to one another, with the program at the end. */
const MAX_DEPTH = 5;

export interface ExecRequest {
  readonly path: string;
  readonly strings: StringSource;
  /** Where a relative path starts, and the AT_… flags (execveat). Default: the working directory, none. */
  readonly dirfd?: number;
  readonly flags?: number;
}

/** An ELF file that is to be mapped. Holds a reference to the file. */
export interface PreparedElf {
  readonly file: File;
  readonly elf: ElfProgram;
}

/** A program that can be started. */
export interface PreparedExec extends PreparedElf, ProgramStrings {
  /** What it was started as (AT_EXECFN): a script's own path. */
  readonly path: string;
  /** Its name (comm), not cut to length. */
  readonly name: string;
  readonly interpreter: PreparedElf | undefined;
}

/** Negative errno, an ElfError that says what is wrong with the file, or the program. */
export function prepareExec(process: Process, request: ExecRequest): PreparedExec | ElfError | number {
  const { dirfd = AT_FDCWD, flags = 0 } = request;
  const start = startAt(process, dirfd, request.path);
  if (typeof start === "number") return start;
  const dentry =
    request.path === "" && dirfd !== AT_FDCWD
      ? start
      : pathLookup(
          walkContext(process),
          start,
          request.path,
          (flags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0,
        );
  if (typeof dentry === "number") return dentry;
  const file = openDentryExec(process, dentry);
  if (typeof file === "number") return file;
  const path = shownPath(request.path, dirfd);
  const name = request.path === "" ? dentry.name : path.slice(path.lastIndexOf("/") + 1);
  const stack = new StringStack(process);
  const strings = request.strings(stack, path);
  if (typeof strings === "number") file.put();
  // A descriptor that closes on execve has no path by the time at which an interpreter would open it.
  const isInaccessible = path !== request.path && process.files.isCloexec(dirfd);
  const found =
    typeof strings === "number"
      ? strings
      : findProgram(process, file, { path, name, ...strings }, stack, isInaccessible);
  // The pages go with the memory that comes to nothing; a program that starts faults for them when it is loaded.
  if (typeof found === "number" || found instanceof ElfError) process.minFlt += stack.pages;
  return found;
}

/** What a program that execveat starts is called (bprm->fdpath). */
function shownPath(path: string, dirfd: number): string {
  if (dirfd === AT_FDCWD || path.startsWith("/")) return path;
  return path === "" ? `/dev/fd/${dirfd}` : `/dev/fd/${dirfd}/${path}`;
}

type Invocation = Pick<PreparedExec, "path" | "name" | "argv" | "env">;

/** exec_binprm: from a script to its interpreter, until there is a program. Puts `file`, or passes it on. */
function findProgram(
  process: Process,
  first: File,
  invocation: Invocation,
  stack: StringStack,
  isInaccessible: boolean,
): PreparedExec | ElfError | number {
  let file = first;
  let { argv } = invocation;
  let scriptPath: ProgramString = invocation.path;
  for (let depth = 0; ; depth++) {
    if (depth > MAX_DEPTH) {
      file.put();
      return -ELOOP;
    }
    const start = readerOf(process, file)(0, BINPRM_BUF_SIZE);
    const line = typeof start === "number" ? undefined : parseScriptLine(start);
    if (line === undefined) break;
    file.put();
    if (isInaccessible) return -ENOENT;
    const { interpreter, argument } = line;
    const inserted = argument === undefined ? [interpreter] : [interpreter, argument];
    stack.pop(argv[0]);
    const tooLarge = [scriptPath, ...inserted.toReversed()].reduce(
      (error, text) => error || stack.push(text),
      0,
    );
    if (tooLarge !== 0) return tooLarge;
    argv = [...inserted, scriptPath, ...argv.slice(1)];
    scriptPath = interpreter;
    const next = openExec(process, interpreter);
    if (typeof next === "number") return next;
    file = next;
  }
  const found = prepareElf(process, file);
  if (typeof found === "number" || found instanceof ElfError) {
    file.put();
    return found;
  }
  return { ...invocation, argv, ...found };
}

/** The program in `file`, and its dynamic linker. */
function prepareElf(
  process: Process,
  file: File,
): Pick<PreparedExec, "file" | "elf" | "interpreter"> | ElfError | number {
  if (file.ops.mmap === undefined) return -ENOEXEC;
  let interpreter: PreparedElf | undefined;
  try {
    const elf = readElfHeaders(readerOf(process, file));
    if (elf.interpreter !== undefined) interpreter = prepareInterpreter(process, elf.interpreter);
    checkSegments(elf, process.mm.arch.taskSize);
    return { file, elf, interpreter };
  } catch (error) {
    interpreter?.file.put();
    if (error instanceof ElfError) return error;
    throw error;
  }
}

/** Throws an ElfError: ELIBBAD where the file is no ELF file of this machine, or what opening it answered. */
function prepareInterpreter(process: Process, path: string): PreparedElf {
  const file = openExec(process, path);
  if (typeof file === "number") {
    const why = file === -ENOENT ? "which is not there" : "which can't be executed";
    throw new ElfError("dynamic", `needs the dynamic linker ${printable(path)}, ${why}`, -file);
  }
  try {
    if (file.ops.mmap === undefined) throw new ElfError("dynamic", "the dynamic linker can't be mapped");
    // A dynamic linker has none itself: what its own PT_INTERP says is not looked at.
    const elf = parseElf(readerOf(process, file), process.mm.arch.taskSize, /* isInterpreter */ true);
    return { file, elf };
  } catch (error) {
    file.put();
    if (!(error instanceof ElfError)) throw error;
    const message = `its dynamic linker ${printable(path)}: ${error.message}`;
    if (error.kind === "malformed") throw new ElfError("malformed", message, error.errno);
    const errno = error.errno === EIO ? EIO : ELIBBAD;
    throw new ElfError("dynamic", message, errno);
  }
}

function printable(path: string): string {
  return [...encodeName(path)]
    .map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : "?"))
    .join("");
}
