/** The two-letter codes of vm_flags in smaps (show_smap_vma_flags), in the order of Linux's bits. */
import * as VM from "../vma/vm-flags.ts";

/** VM_DROPPABLE and VM_SEALED come last: Linux has them above bit 31, whatever bits they have here. */
const CODES: readonly (readonly [mask: number, code: string])[] = [
  [VM.VM_READ, "rd"],
  [VM.VM_WRITE, "wr"],
  [VM.VM_EXEC, "ex"],
  [VM.VM_SHARED, "sh"],
  [VM.VM_MAYREAD, "mr"],
  [VM.VM_MAYWRITE, "mw"],
  [VM.VM_MAYEXEC, "me"],
  [VM.VM_MAYSHARE, "ms"],
  [VM.VM_GROWSDOWN, "gd"],
  [VM.VM_MAYBE_GUARD, "gu"],
  [VM.VM_LOCKED, "lo"],
  [VM.VM_SEQ_READ, "sr"],
  [VM.VM_RAND_READ, "rr"],
  [VM.VM_DONTCOPY, "dc"],
  [VM.VM_DONTEXPAND, "de"],
  [VM.VM_LOCKONFAULT, "lf"],
  [VM.VM_ACCOUNT, "ac"],
  [VM.VM_NORESERVE, "nr"],
  [VM.VM_HUGETLB, "ht"],
  [VM.VM_SYNC, "sf"],
  [VM.VM_WIPEONFORK, "wf"],
  [VM.VM_DONTDUMP, "dd"],
  [VM.VM_SOFTDIRTY, "sd"],
  [VM.VM_NOHUGEPAGE, "nh"],
  [VM.VM_DROPPABLE, "dp"],
  [VM.VM_SEALED, "sl"],
];

/** "rd wr mr mw me ac ": each code with a space behind it. */
export function vmFlagCodes(flags: number): string {
  let text = "";
  for (const [mask, code] of CODES) if ((flags & mask) !== 0) text += `${code} `;
  return text;
}
