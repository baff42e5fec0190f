/**
 * What the program sees of this machine's files, and where PROGRAM itself lies in there.
 *
 * ```
 *   default                            --root DIR
 *   /              in memory           /       DIR
 *   /dev           null, zero, …       /dev    null, zero, …  (if DIR has a folder dev)
 *   /proc          the kernel's state  /proc   the kernel's state  (if DIR has a folder proc)
 *   /sys           the processors      /sys    the processors  (if DIR has a folder sys)
 *   /tmp           in memory
 *   /home/me/work  the current folder
 *   /run/faultline a PROGRAM from outside of it, copied
 * ```
 *
 * Nothing else can be reached: the file system over a host folder lets no path lead out of it.
 */
import { accessSync, constants, lstatSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, join, resolve, sep } from "node:path";
import {
  devFs,
  Kernel,
  type KernelOptions,
  O_CREAT,
  O_WRONLY,
  type Process,
  procFs,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  type Stat,
  sysFs,
} from "../mm/index.ts";
import { nodeFs } from "../storage/node/index.ts";
import { NOT_EXECUTABLE, NOT_FOUND, ProgramError, programError } from "./program-error.ts";

/** Where a PROGRAM from outside of the visible files is put. */
const PRIVATE_FOLDER = "/run/faultline";

/** A kernel with its files in place. */
export interface GuestFiles {
  readonly kernel: Kernel;
  /** PROGRAM and the working directory, as paths in there. */
  readonly path: string;
  readonly cwd: string;
}

/** Boots a kernel that sees the current folder only. Throws a ProgramError. */
export function currentFolderOnly(program: string, options: KernelOptions): GuestFiles {
  const cwd = process.cwd();
  const file = hostProgram(program, program);
  // In "/" the current folder is everything.
  if (cwd === sep) {
    return { kernel: bootOn(cwd, cwd, options), path: file, cwd };
  }
  const kernel = new Kernel(options);
  const setup = kernel.spawn({ comm: "faultline" });
  makeFolders(setup, "/tmp", 0o1777);
  const guestCwd = guestPath(cwd);
  if (!isInside(cwd, "/dev")) kernel.mount("/dev", devFs({ random: (bytes) => kernel.random.fill(bytes) }));
  if (!isInside(cwd, "/proc")) kernel.mount("/proc", procFs(kernel));
  if (!isInside(cwd, "/sys")) kernel.mount("/sys", sysFs());
  kernel.mount(guestCwd, nodeFs(cwd));
  let path = guestPath(file);
  if (!isInside(file, cwd)) {
    path = `${PRIVATE_FOLDER}/${basename(file)}`;
    makeFolders(setup, PRIVATE_FOLDER, 0o755);
    copyIn(setup, program, file, path);
  }
  setup.exit();
  return { kernel, path, cwd: guestCwd };
}

/** Boots a kernel whose "/" is the host's folder `root`. Throws a ProgramError. */
export function rootedAt(root: string, program: string, options: KernelOptions): GuestFiles {
  const top = realFolder(root);
  const kernel = bootOn(root, top, options);
  const cwd = isInside(process.cwd(), top) ? guestPath(process.cwd().slice(trimmed(top).length)) : "/";
  // A path of the program's own world first; a path of the host's, if that leads into the root.
  const setup = kernel.spawn({ comm: "faultline" });
  const wanted = program.startsWith("/") ? program : join(cwd, program);
  const found = program === "" ? undefined : statOf(setup, wanted);
  setup.exit();
  if (found !== undefined) {
    checkFileType(program, (found.mode & S_IFMT) === S_IFREG, (found.mode & S_IFMT) === S_IFDIR);
    return { kernel, path: wanted, cwd };
  }
  const file = hostProgram(program, `${program} (neither in ${root} nor here)`);
  if (!isInside(file, top)) {
    throw new ProgramError(program, `not in the root folder ${root}`, NOT_FOUND);
  }
  return { kernel, path: guestPath(file.slice(trimmed(top).length)), cwd };
}

/** The real path of PROGRAM on the host, which is a file that can be read. */
function hostProgram(program: string, shown: string): string {
  // resolve would take it for the current folder.
  if (program === "") throw new ProgramError(shown, "not found", NOT_FOUND);
  try {
    const file = realpathSync(resolve(program));
    const stat: Stats = statSync(file);
    checkFileType(program, stat.isFile(), stat.isDirectory());
    accessSync(file, constants.R_OK);
    return file;
  } catch (error) {
    throw programError(shown, error);
  }
}

/** A pipe or a device is no program: reading one may have no end. */
function checkFileType(program: string, isFile: boolean, isDirectory: boolean): void {
  if (isDirectory) throw new ProgramError(program, "is a directory", NOT_EXECUTABLE);
  if (!isFile) throw new ProgramError(program, "is not a regular file", NOT_EXECUTABLE);
}

function realFolder(root: string): string {
  // As from an unset variable; the current folder is not what was meant.
  if (root === "") throw new ProgramError("--root", "an empty path is no folder", NOT_FOUND);
  try {
    const folder = realpathSync(root);
    if (!statSync(folder).isDirectory()) throw new ProgramError(root, "not a directory", NOT_EXECUTABLE);
    return folder;
  } catch (error) {
    throw programError(root, error);
  }
}

/** @param shown how the folder `top` was named */
function bootOn(shown: string, top: string, options: KernelOptions): Kernel {
  try {
    const kernel = new Kernel({ ...options, root: nodeFs(top) });
    mountKernelFiles(kernel, top);
    return kernel;
  } catch (error) {
    throw programError(shown, error);
  }
}

/** Mounts the memory devices, /proc and /sys, if the host's folder has places for them: none is made there. */
function mountKernelFiles(kernel: Kernel, top: string): void {
  const hasFolder = (name: string): boolean =>
    lstatSync(join(top, name), { throwIfNoEntry: false })?.isDirectory() === true;
  if (hasFolder("dev")) kernel.mount("/dev", devFs({ random: (bytes) => kernel.random.fill(bytes) }));
  if (hasFolder("proc")) kernel.mount("/proc", procFs(kernel));
  if (hasFolder("sys")) kernel.mount("/sys", sysFs());
}

function makeFolders(setup: Process, path: string, mode: number): void {
  setup.fs.umask = 0;
  let at = "";
  for (const name of path.split("/").slice(1)) {
    at += `/${name}`;
    if (statOf(setup, at) === undefined) setup.mkdir(at, mode);
  }
}

function copyIn(setup: Process, program: string, file: string, path: string): void {
  try {
    const bytes = readFileSync(file);
    const fd = setup.open(path, O_WRONLY | O_CREAT, statSync(file).mode & 0o777);
    for (let done = 0; done < bytes.length; ) done += setup.write(fd, bytes.subarray(done));
    setup.close(fd);
  } catch (error) {
    throw programError(program, error);
  }
}

function statOf(process: Process, path: string): Stat | undefined {
  try {
    return process.stat(path);
  } catch {
    return undefined;
  }
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(trimmed(folder) + sep);
}

/** Without the separator at the end, so that "/" becomes "". */
function trimmed(folder: string): string {
  return folder.endsWith(sep) ? folder.slice(0, -1) : folder;
}

/** A host path as the guest writes it. Only Windows has others than Linux: "C:\\work" becomes "/C/work". */
function guestPath(path: string): string {
  const text = sep === "/" ? path : `/${path.replace(":", "").replaceAll(sep, "/")}`;
  return text === "" ? "/" : text;
}
