/**
 * The MMU and what happens when it can't translate (do_page_fault, do_user_addr_fault).
 *
 * A TLB miss walks the page table. A PTE that serves the access gets its accessed (and for a write its dirty) bit, as
 * hardware would set it, and enters the TLB. Otherwise there is a fault: the mapping of the address is looked up, a
 * stack is grown, the access is checked against what the mapping allows, and handleMmFault makes a PTE that serves;
 * then the walk is done again. What can't be served is a signal, which is left in `fault…` for the caller: user code
 * gets the signal, a system call EFAULT.
 */
import { markPageAccessed } from "../frames/lru.ts";
import { ROOT_MEM_CGROUP } from "../frames/lruvec.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { ACCESS_READ, ACCESS_WRITE, type Access } from "../pagetable/access.ts";
import {
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_EXEC,
  PTE_PRESENT,
  PTE_READ,
  PTE_SPECIAL,
  PTE_WRITE,
} from "../pagetable/pte.ts";
import type { TlbPool } from "../pagetable/tlb.ts";
import { setPageDirty } from "../rmap/page-dirty.ts";
import { FAULT_CAUSES } from "../trace/events.ts";
import { PGMAJFAULT } from "../trace/vmstat.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import { expandDownwards } from "../vma/stack-growth.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_ACCESS_FLAGS, VM_GROWSDOWN } from "../vma/vm-flags.ts";
import {
  FAULT_FLAG_INSTRUCTION,
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_USER,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
} from "../vma/vm-operations.ts";
import { vmaName } from "../vma/vma-name.ts";
import { CAUSE, FaultContext } from "./fault-context.ts";
import type { FaultingTask } from "./faulting-task.ts";
import { handleMmFault } from "./handle-mm-fault.ts";

export const SIGBUS = 7;
export const SIGKILL = 9;
export const SIGSEGV = 11;
/** si_code of a SIGSEGV: nothing mapped there; mapped, but not for this access. */
export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
/** si_code of a SIGBUS: the mapping's page does not exist (past the end of the file, or unreadable). */
export const BUS_ADRERR = 2;

const NEEDED = [PTE_READ, PTE_WRITE, PTE_EXEC];
const FAULT_FLAGS = [0, FAULT_FLAG_WRITE, FAULT_FLAG_INSTRUCTION];
const ACCESS_NAMES = ["read", "write", "exec"] as const;

/** How the kernel's own accesses differ: they end in EFAULT, never in a signal, and the trace says so. */
export type AccessMode = "user" | "kernel";
/**
 * Two more accesses for the kernel: one that takes no fault (pagefault_disable), and one by a device to pages that are held for
 * it, of which no page table is told.
 */
export type KernelMode = AccessMode | "atomic" | "device";

export class Mmu {
  readonly phys: PhysicalMemory;
  /** Counted faults by index in FAULT_CAUSES. */
  readonly faultsByCause: Float64Array = new Float64Array(FAULT_CAUSES.length);
  /** PTEs that fault-around filled beside faulting ones. */
  faultAroundPtes = 0;
  /** Signal, si_code and si_addr of the access that failed last. */
  faultSignal = 0;
  faultCode = 0;
  faultAddress: Vaddr = 0;
  /** The address space that a fault is being handled in, null between faults: it must not end meanwhile. */
  busyMm: MmStruct | null = null;
  readonly #tlbs: TlbPool;
  readonly #u32: Uint32Array;
  /** The one fault context, made at the first fault. */
  #context: FaultContext | undefined;

  constructor(phys: PhysicalMemory, tlbs: TlbPool) {
    this.phys = phys;
    this.#tlbs = tlbs;
    this.#u32 = phys.ram.u32;
  }

  /**
   * The byte address in RAM of the frame that serves `access` at `addr`, after whatever faults that takes; or −1, with
   * `faultSignal`, `faultCode` and `faultAddress` set; without either where the access is "atomic", which takes no fault.
   */
  translate(task: FaultingTask, addr: Vaddr, access: Access, mode: KernelMode = "user"): number {
    const { mm } = task;
    const u32 = this.#u32;
    if (!mm.tlb.hasSlot && mm.pageTable.pgd !== 0) this.#tlbs.activate(mm.tlb);
    for (;;) {
      const pte = addr < mm.arch.taskSize ? mm.pageTable.walk(addr) : 0;
      if (pte !== 0) {
        const word = u32[pte];
        const needed = NEEDED[access] | PTE_PRESENT;
        if ((word & needed) === needed) {
          if (mode === "device") return this.#deviceFrame(pte, access);
          const used = word | (access === ACCESS_WRITE ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED);
          u32[pte] = used;
          const frame = u32[pte + 1] * PAGE_SIZE;
          mm.tlb.fill(addr, used, frame);
          return frame;
        }
      }
      if (mode === "atomic") return -1;
      // What was held may have gone to swap all the same (UserIter.pin).
      if (!this.#fault(task, addr, access, mode === "device" ? "kernel" : mode, pte)) return -1;
    }
  }

  #deviceFrame(pte: number, access: Access): number {
    const pfn = this.#u32[pte + 1];
    if (access === ACCESS_WRITE) setPageDirty(this.phys, pfn);
    return pfn * PAGE_SIZE;
  }

  /**
   * Makes the page at `addr` resident as an access would, without using it (faultin_page): for populate and mlock.
   * The mapping's permissions are the caller's business. Answers VM_FAULT_… flags.
   *
   * @param counts "as-minor" for what mm_populate does: when the page had to be read, it forgets so and faults again
   */
  faultIn(
    task: FaultingTask,
    vma: VmArea,
    addr: Vaddr,
    write: boolean,
    counts: "as-minor" | "as-it-is" = "as-it-is",
  ): number {
    const pte = vma.mm.pageTable.walk(addr);
    if (pte !== 0) {
      const needed = write ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
      if ((this.#u32[pte] & needed) === needed) {
        this.touch(pte, write);
        return 0;
      }
    }
    const access = write ? ACCESS_WRITE : ACCESS_READ;
    const vmf = this.#begin(vma, addr, write ? FAULT_FLAG_WRITE : 0, pte);
    const result = this.#handle(vmf);
    if ((result & VM_FAULT_ERROR) === 0) {
      const counted = counts === "as-minor" ? result & ~VM_FAULT_MAJOR : result;
      this.#account(task, vmf, counted, access, "kernel");
      this.touch(vma.mm.pageTable.walk(addr), write);
    }
    return result;
  }

  /** Lets the page at `addr` be made resident, though perhaps not yet so that it can be written. Answers VM_FAULT_… flags. */
  fault(task: FaultingTask, vma: VmArea, addr: Vaddr, write: boolean): number {
    const vmf = this.#begin(vma, addr, write ? FAULT_FLAG_WRITE : 0, 0);
    const result = this.#handle(vmf);
    if ((result & VM_FAULT_ERROR) === 0) {
      this.#account(task, vmf, result, write ? ACCESS_WRITE : ACCESS_READ, "kernel");
    }
    return result;
  }

  /** FOLL_TOUCH: the page, and not its PTE, remembers that the kernel used it. */
  touch(pte: number, write: boolean): void {
    const word = pte === 0 ? 0 : this.#u32[pte];
    if ((word & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) return;
    const pfn = this.#u32[pte + 1];
    if (write && (word & PTE_DIRTY) === 0) setPageDirty(this.phys, pfn);
    markPageAccessed(this.phys, pfn);
  }

  /** Makes a present anonymous page the process's own without writing to it. Answers VM_FAULT_… flags. */
  unshare(task: FaultingTask, vma: VmArea, addr: Vaddr): number {
    const vmf = this.#begin(vma, addr, FAULT_FLAG_UNSHARE, 0);
    const result = this.#handle(vmf);
    if ((result & VM_FAULT_ERROR) === 0) this.#account(task, vmf, result, ACCESS_READ, "kernel");
    return result;
  }

  #begin(vma: VmArea, addr: Vaddr, flags: number, pte: number): FaultContext {
    this.#context ??= new FaultContext(this.phys, vma);
    this.#context.begin(vma, addr, flags, pte);
    this.busyMm = vma.mm;
    return this.#context;
  }

  #handle(vmf: FaultContext): number {
    const result = handleMmFault(vmf);
    this.busyMm = null;
    return result;
  }

  /** Handles one fault. False: it can't be, and the fault fields say why. @param pte where the PTE stands, 0: nowhere yet */
  #fault(task: FaultingTask, addr: Vaddr, access: Access, mode: AccessMode, pte: number): boolean {
    const { mm } = task;
    if (this.phys.current !== task) this.phys.setCurrent(task);
    let vma = addr < mm.arch.taskSize ? mm.vmas.find(addr) : null;
    if (vma !== null && vma.start > addr) {
      // Below a mapping that grows down, an access is a request to grow it.
      if ((vma.flags & VM_GROWSDOWN) === 0 || expandDownwards(vma, addr) !== 0) vma = null;
    }
    if (vma === null) return this.#refuse(task, addr, access, mode, SIGSEGV, SEGV_MAPERR, null);
    if ((mm.arch.protectionMap[vma.flags & VM_ACCESS_FLAGS] & NEEDED[access]) === 0) {
      return this.#refuse(task, addr, access, mode, SIGSEGV, SEGV_ACCERR, vma);
    }
    const vmf = this.#begin(vma, addr, FAULT_FLAGS[access] | (mode === "user" ? FAULT_FLAG_USER : 0), pte);
    const result = this.#handle(vmf);
    if ((result & VM_FAULT_ERROR) === 0) {
      this.#account(task, vmf, result, access, mode);
      return true;
    }
    if ((result & VM_FAULT_OOM) !== 0) return this.#refuse(task, addr, access, mode, SIGKILL, 0, vma);
    if ((result & VM_FAULT_SIGBUS) !== 0)
      return this.#refuse(task, addr, access, mode, SIGBUS, BUS_ADRERR, vma);
    // A guard page: to its program as if nothing were mapped there.
    return this.#refuse(task, addr, access, mode, SIGSEGV, SEGV_MAPERR, vma);
  }

  /** Counts a handled fault for task and kernel, and tells the listeners (mm_account_fault). */
  #account(task: FaultingTask, vmf: FaultContext, result: number, access: Access, mode: AccessMode): void {
    const major = (result & VM_FAULT_MAJOR) !== 0;
    if (major) {
      task.majFlt++;
      if (task.mm.memcg !== ROOT_MEM_CGROUP) this.phys.memcg.countEvents(task.mm.memcg, PGMAJFAULT, 1);
    } else {
      task.minFlt++;
    }
    this.faultsByCause[vmf.cause]++;
    this.faultAroundPtes += vmf.around;
    if (this.phys.tracer.enabled) {
      const { realAddress, cause, around, vma, sharer } = vmf;
      this.#emit(task, realAddress, access, mode, cause, major, around, vma, sharer);
    }
  }

  #refuse(
    task: FaultingTask,
    addr: Vaddr,
    access: Access,
    mode: AccessMode,
    signal: number,
    code: number,
    vma: VmArea | null,
  ): false {
    this.faultSignal = signal;
    this.faultCode = code;
    this.faultAddress = addr;
    const cause = signal === SIGBUS ? CAUSE.sigbus : signal === SIGKILL ? CAUSE.oom : CAUSE.segv;
    this.faultsByCause[cause]++;
    if (this.phys.tracer.enabled) this.#emit(task, addr, access, mode, cause, false, 0, vma);
    return false;
  }

  #emit(
    task: FaultingTask,
    address: Vaddr,
    access: Access,
    mode: AccessMode,
    cause: number,
    major: boolean,
    around: number,
    vma: VmArea | null,
    sharedWith = 0,
  ): void {
    this.phys.tracer.emit({
      type: "fault",
      pid: task.pid,
      address,
      access: ACCESS_NAMES[access],
      cause: FAULT_CAUSES[cause],
      major,
      kernel: mode === "kernel",
      around,
      mapping: vma === null ? "" : vmaName(vma),
      sharedWith,
    });
  }
}
