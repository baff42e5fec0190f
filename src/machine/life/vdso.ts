/**
 * The page that a signal handler returns to.
 *
 * On riscv64 the kernel puts no code on the stack and takes no restorer from sigaction: a handler returns into the
 * vDSO, whose __vdso_rt_sigreturn makes the call. Faultline's is a page with just that: C libraries look for the rest
 * through AT_SYSINFO_EHDR, which is left out, and make system calls instead.
 */
import { copyToUser } from "../../mm/fault/uaccess.ts";
import type { Process } from "../../mm/kernel/process.ts";
import { PAGE_SIZE } from "../../mm/page.ts";
import { doMmap } from "../../mm/syscalls/mmap.ts";
import { sysMprotect } from "../../mm/syscalls/mprotect.ts";
import { EFAULT } from "../../mm/uapi/errno.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../mm/uapi/mman.ts";
import { VM_DONTEXPAND } from "../../mm/vma/vm-flags.ts";
import { setVmaFlags } from "../../mm/vma/vma-lifetime.ts";
import { StructView } from "../abi/bytes.ts";

const LI_A7_RT_SIGRETURN = 0x08b00893;
const ECALL = 0x00000073;

/** Maps the page; its address, or negative errno. */
export function mapVdso(process: Process): number {
  const { mmu } = process.kernel;
  const flags = MAP_PRIVATE | MAP_ANONYMOUS;
  const at = doMmap(mmu, process, null, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, flags, 0);
  if (at < 0) return at;
  process.mm.vdso = at;
  const code = new StructView(8).put32(0, LI_A7_RT_SIGRETURN).put32(4, ECALL).bytes;
  if (copyToUser(mmu, process, at, code) < code.length) return -EFAULT;
  // The code is the kernel's own: that the program may make none (PR_SET_MDWE) has nothing to do with it.
  const { mdwe } = process.mm;
  process.mm.mdwe = 0;
  const failed = sysMprotect(mmu, process, at, PAGE_SIZE, PROT_READ | PROT_EXEC);
  process.mm.mdwe = mdwe;
  if (failed < 0) return failed;
  const vma = process.mm.vmas.lookup(at);
  // As a special mapping of Linux, it never merges with a neighbour and never grows.
  if (vma !== null) setVmaFlags(vma, vma.flags | VM_DONTEXPAND);
  return at;
}
