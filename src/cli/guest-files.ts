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
 * With --sysroot DIR, what DIR holds lies before all that, and can't be changed; what is mounted lies before DIR.
 *
 * Nothing else can be reached: the file system over a host folder lets no path lead out of it.
 */
import { accessSync, constants, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, posix, resolve, sep } from "node:path";
import { devPtsFs, Terminals, terminalNodes } from "../machine/index.ts";
import {
  devFs,
  type FileSystem,
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
  tmpFs,
  unionFs,
} from "../mm/index.ts";
import { type NodeFsOptions, nodeFs } from "../storage/node/index.ts";
import { NOT_EXECUTABLE, NOT_FOUND, ProgramError, programError } from "./program-error.ts";

/** Where a PROGRAM from outside of the visible files is put. */
const PRIVATE_FOLDER = "/run/faultline";

/** A kernel with its files in place. */
export interface GuestFiles {
  readonly kernel: Kernel;
  /** Those of /dev, for the machine. */
  readonly terminals: Terminals;
  /** PROGRAM and the working directory, as paths in there. */
  readonly path: string;
  readonly cwd: string;
}

/** A folder of the host as a file system. */
export type HostDisk = (folder: string, options?: NodeFsOptions) => FileSystem;

/** Boots a kernel with the files that the options ask for. Throws a ProgramError. */
export function bootOn(
  { program, root, sysroot, env }: FileOptions,
  options: KernelOptions,
  disk: HostDisk = nodeFs,
): GuestFiles {
  const layer = sysroot === undefined ? undefined : realFolder("--sysroot", sysroot);
  // The program itself changes a sysroot that lies where it may write.
  const top = root === undefined ? undefined : realFolder("--root", root);
  const writable = top ?? realpathSync(process.cwd());
  const stable = layer !== undefined && !isInside(layer, writable) && !isInside(writable, layer);
  const withSysroot = (fs: FileSystem): FileSystem =>
    layer === undefined ? fs : unionFs(disk(layer, { readOnly: true, stable }), fs);
  if (root !== undefined && top !== undefined) {
    return rootedAt(
      root,
      top,
      program,
      options,
      (folder) => withSysroot(disk(folder)),
      layer === undefined ? undefined : env,
    );
  }
  return currentFolderOnly(program, options, disk, withSysroot, layer === undefined ? undefined : env);
}

/** What of the command line decides about files. */
export interface FileOptions {
  readonly program: string;
  readonly root: string | undefined;
  readonly sysroot: string | undefined;
  /** The guest's environment, whose PATH finds programs of a sysroot. */
  readonly env: readonly string[];
}

type Layering = (fs: FileSystem) => FileSystem;

/** A kernel that sees the current folder only. @param env where there is a sysroot: the guest's environment */
function currentFolderOnly(
  program: string,
  options: KernelOptions,
  disk: HostDisk,
  withSysroot: Layering,
  env: readonly string[] | undefined,
): GuestFiles {
  const cwd = process.cwd();
  // In "/" the current folder is everything.
  const isAll = cwd === sep;
  const guestCwd = guestPath(cwd);
  const kernel = bootKernel(cwd, withSysroot(isAll ? disk(cwd) : tmpFs()), options);
  const setup = kernel.spawn({ comm: "faultline" });
  const terminals = new Terminals();
  if (isAll) {
    mountKernelFiles(kernel, setup, terminals);
  } else {
    makeFolders(setup, "/tmp", 0o1777);
    for (const { path, fs } of kernelFiles(kernel, terminals)) {
      if (isInside(cwd, path)) continue;
      kernel.mount(path, fs);
    }
    kernel.mount(guestCwd, disk(cwd));
  }
  const found = env === undefined ? undefined : programInside(setup, program, guestCwd, env);
  let path = found;
  if (path === undefined) {
    const file = hostProgram(program, program);
    path = guestPath(file);
    if (!isInside(file, cwd)) {
      path = `${PRIVATE_FOLDER}/${basename(file)}`;
      makeFolders(setup, PRIVATE_FOLDER, 0o755);
      copyIn(setup, program, file, path);
    }
  }
  setup.exit();
  return { kernel, terminals, path, cwd: guestCwd };
}

/** A kernel whose "/" is the host's folder `top`, which was named `root`. */
function rootedAt(
  root: string,
  top: string,
  program: string,
  options: KernelOptions,
  disk: HostDisk,
  env: readonly string[] | undefined,
): GuestFiles {
  const kernel = bootKernel(root, disk(top), options);
  const setup = kernel.spawn({ comm: "faultline" });
  const terminals = new Terminals();
  mountKernelFiles(kernel, setup, terminals);
  const cwd = isInside(process.cwd(), top) ? guestPath(process.cwd().slice(trimmed(top).length)) : "/";
  // A path of the program's own world first; a path of the host's, if that leads into the root.
  const found = programInside(setup, program, cwd, env ?? []);
  setup.exit();
  if (found !== undefined) return { kernel, terminals, path: found, cwd };
  const file = hostProgram(program, `${program} (neither in ${root} nor here)`);
  if (!isInside(file, top)) {
    throw new ProgramError(program, `not in the root folder ${root}`, NOT_FOUND);
  }
  return { kernel, terminals, path: guestPath(file.slice(trimmed(top).length)), cwd };
}

/** The path of PROGRAM among the guest's files, where it is a file; a name without a slash along PATH of `env` too. */
function programInside(
  setup: Process,
  program: string,
  cwd: string,
  env: readonly string[],
): string | undefined {
  if (program === "") return undefined;
  const wanted = program.startsWith("/") ? program : posix.join(cwd, program);
  const stat = statOf(setup, wanted);
  if (stat !== undefined && (program.includes("/") || (stat.mode & S_IFMT) === S_IFREG)) {
    checkFileType(program, (stat.mode & S_IFMT) === S_IFREG, (stat.mode & S_IFMT) === S_IFDIR);
    return wanted;
  }
  if (program.includes("/")) return undefined;
  const folders = env.findLast((one) => one.startsWith("PATH="))?.slice("PATH=".length) ?? "";
  for (const folder of folders.split(":")) {
    const at = posix.resolve(cwd, folder, program);
    const found = statOf(setup, at);
    if (found !== undefined && (found.mode & S_IFMT) === S_IFREG && (found.mode & 0o111) !== 0) return at;
  }
  return undefined;
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

/** @param option the one that names the folder `named` */
function realFolder(option: string, named: string): string {
  // As from an unset variable; the current folder is not what was meant.
  if (named === "") throw new ProgramError(option, "an empty path is no folder", NOT_FOUND);
  try {
    const folder = realpathSync(named);
    if (!statSync(folder).isDirectory()) throw new ProgramError(named, "not a directory", NOT_EXECUTABLE);
    return folder;
  } catch (error) {
    throw programError(named, error);
  }
}

/** @param shown how the folder behind `root` was named */
function bootKernel(shown: string, root: FileSystem, options: KernelOptions): Kernel {
  try {
    return new Kernel({ ...options, root });
  } catch (error) {
    throw programError(shown, error);
  }
}

/** The kernel's own files, and where they belong. */
function kernelFiles(
  kernel: Kernel,
  terminals: Terminals,
): readonly { readonly path: string; readonly fs: FileSystem }[] {
  return [
    {
      path: "/dev",
      fs: devFs({ random: (bytes) => kernel.random.fill(bytes), nodes: terminalNodes(terminals) }),
    },
    { path: "/dev/pts", fs: devPtsFs(terminals) },
    { path: "/proc", fs: procFs(kernel) },
    { path: "/sys", fs: sysFs(kernel) },
  ];
}

/** Mounts the devices, /proc and /sys, if there are folders for them: in a folder of the host's none is made. */
function mountKernelFiles(kernel: Kernel, setup: Process, terminals: Terminals): void {
  for (const { path, fs } of kernelFiles(kernel, terminals)) {
    const there = statOf(setup, path);
    if (there !== undefined && (there.mode & S_IFMT) === S_IFDIR) kernel.mount(path, fs);
  }
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
