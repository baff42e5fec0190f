/**
 * The file that an address space executes (mm_exe_file in kernel/fork.c): while there is one, nobody may open it for
 * writing or change its length (ETXTBSY), and who has it open for writing keeps it from being executed.
 */
import { BugError } from "../bug.ts";
import { ETXTBSY } from "../uapi/errno.ts";
import { File } from "../vfs/file.ts";
import type { MmStruct } from "../vma/mm-struct.ts";

/** 0, or -ETXTBSY when somebody has the file open for writing (deny_write_access). */
export function mayExecute(file: File): number {
  return file.inode.writers > 0 ? -ETXTBSY : 0;
}

/** Makes `file` what `mm` executes; the reference is mm's own. Precondition: mm has none. */
export function setMmExeFile(mm: MmStruct, file: File): void {
  if (mm.exeFile !== null) throw new BugError("setMmExeFile", `it executes "${mm.exeFile.path}" already`);
  file.get();
  file.inode.executions++;
  mm.exeFile = file;
}

/** The child of fork executes what its parent does. */
export function dupMmExeFile(child: MmStruct, parent: MmStruct): void {
  if (parent.exeFile instanceof File) setMmExeFile(child, parent.exeFile);
}

/** The address space ends. */
export function putMmExeFile(mm: MmStruct): void {
  if (!(mm.exeFile instanceof File)) return;
  mm.exeFile.inode.executions--;
  mm.exeFile.put();
  mm.exeFile = null;
}
