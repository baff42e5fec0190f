/**
 * Another process's memory, through its page tables but not through its rights (access_remote_vm with FOLL_FORCE).
 *
 * What a mapping may ever be allowed to do is allowed here: PROT_NONE memory can be read, and a private mapping that
 * is read-only can be written, which breaks the sharing as a debugger's breakpoint does. Writes never reach a shared
 * mapping that its owner may not write.
 */

import type { FaultingTask } from "../fault/faulting-task.ts";
import type { Mmu } from "../fault/mmu.ts";
import { PG_ANON, PG_ANON_EXCLUSIVE } from "../frames/page-flags.ts";
import { PAGE_OFFSET_MASK, PAGE_SIZE, type Pfn, type Vaddr } from "../page.ts";
import { PTE_PRESENT, PTE_WRITE } from "../pagetable/pte.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import type { MmActor } from "../vma/mm-actor.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { expandDownwards } from "../vma/stack-growth.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_MAYREAD, VM_MAYWRITE, VM_SHARED, VM_WRITE } from "../vma/vm-flags.ts";
import { VM_FAULT_ERROR } from "../vma/vm-operations.ts";

/** What it takes: the memory of all, and who asks for it now (null: nobody within the machine). */
export interface RemoteAccess {
  readonly mmu: Mmu;
  readonly currentTask: { readonly actor: MmActor } | null;
}

/** Copies up to into.length bytes at `addr` into `into`; answers how many could be read. */
export function readRemote(access: RemoteAccess, mm: MmStruct, addr: Vaddr, into: Uint8Array): number {
  const { u8 } = access.mmu.phys.ram;
  return forEachPage(access, mm, addr, into.length, /* write */ false, (ram, done, n) => {
    into.set(u8.subarray(ram, ram + n), done);
  });
}

/** Copies up to from.length bytes of `from` to `addr`; answers how many could be written. */
export function writeRemote(access: RemoteAccess, mm: MmStruct, addr: Vaddr, from: Uint8Array): number {
  const { phys } = access.mmu;
  return forEachPage(access, mm, addr, from.length, /* write */ true, (ram, done, n) => {
    phys.ram.u8.set(from.subarray(done, done + n), ram);
    const pfn = Math.floor(ram / PAGE_SIZE);
    phys.flushIcache(pfn);
    setPageDirty(phys, pfn);
  });
}

function forEachPage(
  { mmu, currentTask }: RemoteAccess,
  mm: MmStruct,
  addr: Vaddr,
  length: number,
  write: boolean,
  each: (ram: number, done: number, n: number) => void,
): number {
  // Faults taken on behalf of another are counted for nobody.
  const task: FaultingTask = { pid: 0, mm, minFlt: 0, majFlt: 0 };
  let done = 0;
  while (done < length) {
    const at = addr + done;
    const offset = at & PAGE_OFFSET_MASK;
    // A stack grows by it, as by an access of its owner's.
    if (at < mm.arch.taskSize && mm.vmas.lookup(at) === null) {
      const above = mm.vmas.find(at);
      if (above === null || growFor(currentTask?.actor ?? mm.actor, above, at) !== 0) break;
    }
    const pfn = followPage(mmu, task, at - offset, write);
    if (pfn === 0) break;
    const n = Math.min(PAGE_SIZE - offset, length - done);
    each(pfn * PAGE_SIZE + offset, done, n);
    done += n;
  }
  return done;
}

/** expandDownwards within the limits of who asks, whosesoever the stack is (rlimit() is current's). */
function growFor(asker: MmActor, vma: VmArea, addr: Vaddr): number {
  const { mm } = vma;
  const owner = mm.actor;
  mm.actor = asker;
  const err = expandDownwards(vma, addr);
  mm.actor = owner;
  return err;
}

/** The frame of the page at `addr`, made resident for this use; 0 when there is none to be had (get_user_page_vma_remote). */
function followPage(mmu: Mmu, task: FaultingTask, addr: Vaddr, write: boolean): Pfn {
  const vma = addr < task.mm.arch.taskSize ? task.mm.vmas.lookup(addr) : null;
  if (vma === null || !mayForce(vma, write)) return 0;
  const { ram } = mmu.phys;
  // A fault may end in a page that is not writable yet, so it is looked at again; the second has nothing left to do.
  for (let round = 0; round < 3; round++) {
    const pte = task.mm.pageTable.walk(addr);
    if (pte !== 0 && (ram.u32[pte] & PTE_PRESENT) !== 0 && (!write || canWrite(mmu, vma, pte))) {
      mmu.touch(pte, write);
      return ram.u32[pte + 1];
    }
    if ((mmu.fault(task, vma, addr, write) & VM_FAULT_ERROR) !== 0) return 0;
  }
  return 0;
}

/** check_vma_flags with FOLL_FORCE */
function mayForce(vma: VmArea, write: boolean): boolean {
  if (!write) return (vma.flags & VM_MAYREAD) !== 0;
  return (vma.flags & VM_WRITE) !== 0 || (vma.flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;
}

/** can_follow_write_pte: writable, or the process's own copy, which its mapping merely protects. */
function canWrite(mmu: Mmu, vma: VmArea, pte: number): boolean {
  const { frames, ram } = mmu.phys;
  if ((ram.u32[pte] & PTE_WRITE) !== 0) return true;
  const own = PG_ANON | PG_ANON_EXCLUSIVE;
  return (vma.flags & VM_WRITE) === 0 && (frames.flags[ram.u32[pte + 1]] & own) === own;
}
