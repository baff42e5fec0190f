/** /proc/PID/cmdline and environ: the strings that exec put on the stack, as they are now (get_mm_cmdline). */
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { type RemoteAccess, readRemote } from "./remote-access.ts";

/** The arguments, each with its NUL. A program that overwrote the last NUL has set a title: one string, into the environment. */
export function commandLine(access: RemoteAccess, mm: MmStruct): Uint8Array {
  const { argStart, argEnd, envStart, envEnd } = mm;
  if (argStart >= argEnd) return new Uint8Array(0);
  const last = range(access, mm, argEnd - 1, argEnd);
  if (last.length === 0 || last[0] === 0) return range(access, mm, argStart, argEnd);
  const titleEnd = envStart === argEnd && envEnd >= envStart ? envEnd : argEnd;
  const title = range(access, mm, argStart, Math.min(titleEnd, argStart + PAGE_SIZE));
  const nul = title.indexOf(0);
  return nul < 0 ? title : title.subarray(0, nul + 1);
}

export function environment(access: RemoteAccess, mm: MmStruct): Uint8Array {
  return range(access, mm, mm.envStart, mm.envEnd);
}

function range(access: RemoteAccess, mm: MmStruct, start: Vaddr, end: Vaddr): Uint8Array {
  const bytes = new Uint8Array(Math.max(end - start, 0));
  return bytes.subarray(0, readRemote(access, mm, start, bytes));
}
