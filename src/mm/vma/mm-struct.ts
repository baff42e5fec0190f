/**
 * mm_struct: one address space: its mappings, its page table, its TLB slot and what is counted of it.
 *
 * Shared by the processes that CLONE_VM made; `users` counts them. The invariants that the validator proves: `vmas` is
 * ordered, disjoint and merged where mergeable; `totalVm`, `dataVm`, `stackVm`, `execVm` and `lockedVm` (less
 * `lockedVmLost`) equal a recount over the mappings; `rss` equals a recount over the PTEs.
 */
import type { Prng } from "../../lib/prng.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import type { PageTable } from "../pagetable/page-table.ts";
import { TlbContext } from "../pagetable/tlb.ts";
import type { Arch } from "./arch.ts";
import { MmActor } from "./mm-actor.ts";
import type { MappedFile } from "./vm-operations.ts";
import { VmaTree } from "./vma-tree.ts";

/** Indices of `rss` (include/linux/mm_types_task.h). */
export const MM_FILEPAGES = 0;
export const MM_ANONPAGES = 1;
export const MM_SWAPENTS = 2;
export const MM_SHMEMPAGES = 3;

const NO_AUXV = new Uint8Array(0);

export class MmStruct {
  readonly phys: PhysicalMemory;
  readonly arch: Arch;
  readonly pageTable: PageTable;
  readonly tlb: TlbContext;
  readonly vmas: VmaTree = new VmaTree();
  /** Processes that share this address space. */
  users = 1;
  /** The memory cgroup that its memory is charged to; 0 for the root. */
  memcg = 0;
  /** Top of the top-down search, bottom of the bottom-up one. */
  mmapBase: Vaddr = 0;
  mmapLegacyBase: Vaddr = 0;
  /** Search upwards from mmapLegacyBase, as with an unlimited stack or ADDR_COMPAT_LAYOUT. */
  bottomUp = false;
  /** Where random addresses come from (PF_RANDOMIZE); undefined: every run has the same. */
  random: Prng | undefined;
  /** Pages mapped in all; private writable; stack; executable file; locked. */
  totalVm = 0;
  dataVm = 0;
  stackVm = 0;
  execVm = 0;
  lockedVm = 0;
  /**
   * Pages of `lockedVm` that no locked mapping holds: MREMAP_DONTUNMAP unlocks the mapping that it empties and goes on
   * counting it, for ever, as Linux does.
   */
  lockedVmLost = 0;
  /** Resident pages by MM_… kind, and their highest sum. */
  readonly rss: Int32Array = new Int32Array(4);
  hiwaterRss = 0;
  /** Most pages mapped in all that were seen when some went (VmPeak is this or totalVm, whichever is more). */
  hiwaterVm = 0;
  /** VM_… bits that every new mapping gets (mlockall MCL_FUTURE). */
  defFlags = 0;
  /** Most mappings (vm.max_map_count), least address (vm.mmap_min_addr), free bytes below a growing stack (stack_guard_gap). */
  maxMapCount = 65530;
  mmapMinAddr: Vaddr = 65536;
  /** vm.mmap_min_addr itself, where a security module has raised what nothing is placed below. */
  dacMmapMinAddr: Vaddr = 65536;
  stackGuardGap: number = 256 * PAGE_SIZE;
  /**
   * Size in bytes of a transparent huge page: large private anonymous mappings without a hint are aligned to it, as by
   * a kernel with CONFIG_TRANSPARENT_HUGEPAGE. 0: no such alignment.
   */
  thpSize = 0;
  /** Whose limits and privileges hold: the process that acts on it, one of its users. */
  actor: MmActor = new MmActor();
  /** For tests: allocations of mappings and anon_vmas left until every further one fails; −1 for never. */
  failVmaAfter = -1;
  startCode: Vaddr = 0;
  endCode: Vaddr = 0;
  startData: Vaddr = 0;
  endData: Vaddr = 0;
  startBrk: Vaddr = 0;
  brk: Vaddr = 0;
  startStack: Vaddr = 0;
  argStart: Vaddr = 0;
  argEnd: Vaddr = 0;
  envStart: Vaddr = 0;
  envEnd: Vaddr = 0;
  /**
   * Whether its processes may be looked into by others of their user (get_dumpable: 1, SUID_DUMP_USER). Not (0) after a
   * change of user, or where the program is one that its user may not read; prctl(2) changes it.
   */
  dumpable = 1;
  /** What PR_SET_THP_DISABLE was told, as PR_GET_THP_DISABLE answers it; there are no such pages either way. */
  thpDisable = 0;
  /** PR_SET_MDWE: nothing becomes executable that is, or was, not so from the start; and whether children go without. */
  mdwe = 0;
  /** The auxiliary vector that the program was started with, AT_NULL included; empty before the first exec. */
  savedAuxv: Uint8Array = NO_AUXV;
  /** The program's file, with a reference held (/proc/PID/exe); null before the first exec. */
  exeFile: MappedFile | null = null;
  /** The page of code that the machine maps for signal handlers to return through (mm.context.vdso); 0 for none. */
  vdso: Vaddr = 0;

  constructor(phys: PhysicalMemory, arch: Arch, pageTable: PageTable) {
    this.phys = phys;
    this.tlb = new TlbContext(phys.ram);
    this.arch = arch;
    this.pageTable = pageTable;
  }

  /** What holds for the actor, see MmActor. */
  get rlimitAs(): number {
    return this.actor.rlimitAs;
  }
  get rlimitData(): number {
    return this.actor.rlimitData;
  }
  get rlimitDataMax(): number {
    return this.actor.rlimitDataMax;
  }
  get rlimitStack(): number {
    return this.actor.rlimitStack;
  }
  get rlimitMemlock(): number {
    return this.actor.rlimitMemlock;
  }
  get capIpcLock(): boolean {
    return this.actor.capIpcLock;
  }
  get capSysAdmin(): boolean {
    return this.actor.capSysAdmin;
  }
  get capSysRawio(): boolean {
    return this.actor.capSysRawio;
  }

  /** Mappings of this address space (map_count). */
  get mapCount(): number {
    return this.vmas.size;
  }

  /** Whether one more mapping or anon_vma may be allocated: always, but under a test of running out of memory. */
  mayAllocVma(): boolean {
    if (this.failVmaAfter < 0) return true;
    if (this.failVmaAfter === 0) return false;
    this.failVmaAfter--;
    return true;
  }
}

/** Counts one more resident page of kind MM_… */
export function incMmCounter(mm: MmStruct, kind: number): void {
  const { rss } = mm;
  rss[kind]++;
  const total = rss[MM_FILEPAGES] + rss[MM_ANONPAGES] + rss[MM_SHMEMPAGES];
  if (total > mm.hiwaterRss) mm.hiwaterRss = total;
}

/** Counts one resident page of kind MM_… less. */
export function decMmCounter(mm: MmStruct, kind: number): void {
  mm.rss[kind]--;
}
