/**
 * Finding a file to execute (do_open_execat in fs/exec.c): a program, the interpreter of a script, a dynamic linker. Each
 * of them must be a regular file that the caller may execute, and that nobody has open for writing.
 */
import { BytesIter } from "../../mm/kernel/bytes-iter.ts";
import { mayExecute } from "../../mm/kernel/exe-file.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { startAt, walkContext } from "../../mm/syscalls/fd.ts";
import { EACCES, ELOOP } from "../../mm/uapi/errno.ts";
import { AT_FDCWD, O_RDONLY } from "../../mm/uapi/fcntl.ts";
import type { Dentry } from "../../mm/vfs/dentry.ts";
import type { File } from "../../mm/vfs/file.ts";
import { isLnk, isReg } from "../../mm/vfs/inode.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../../mm/vfs/namei.ts";
import { openInode } from "../../mm/vfs/open.ts";
import { inodePermission, MAY_EXEC } from "../../mm/vfs/permission.ts";
import { vfsPread } from "../../mm/vfs/read-write.ts";
import type { FileReader } from "../elf/elf-header.ts";

/** Opens what `path` leads to, as an interpreter is opened (open_exec). An open file, or a negative errno. */
export function openExec(process: Process, path: string): File | number {
  const start = startAt(process, AT_FDCWD, path);
  if (typeof start === "number") return start;
  // An empty path, which no program could ask for, is the working directory (getname_kernel).
  const dentry = path === "" ? start : pathLookup(walkContext(process), start, path, LOOKUP_FOLLOW);
  return typeof dentry === "number" ? dentry : openDentryExec(process, dentry);
}

/**
 * Opens a program for execution. Kind and permission come before opening (may_open with MAY_EXEC), which may be impossible
 * or have effects. Leave to read is not needed: the kernel reads the program, not the caller.
 */
export function openDentryExec(process: Process, dentry: Dentry): File | number {
  const context = walkContext(process);
  if (isLnk(dentry.inode)) return -ELOOP;
  if (!isReg(dentry.inode) || dentry.inode.sb.noExec === true) return -EACCES;
  const denied = inodePermission(context, dentry.inode, MAY_EXEC);
  if (denied !== 0) return denied;
  const file = openInode(context, dentry, dentry.inode, O_RDONLY);
  if (typeof file === "number") return file;
  const busy = mayExecute(file);
  if (busy !== 0) file.put();
  return busy !== 0 ? busy : file;
}

/** Reads the file as the kernel does, wherever its position is. */
export function readerOf(process: Process, file: File): FileReader {
  return (offset, length) => {
    const bytes = new Uint8Array(length);
    const got = vfsPread(file, new BytesIter(process.kernel.phys.ram.u8, bytes), offset);
    return got < 0 ? got : bytes.subarray(0, got);
  };
}
