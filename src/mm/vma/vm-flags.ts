/**
 * vm_flags of a mapping (include/linux/mm.h): what it allows now (READ … SHARED), what mprotect may allow later
 * (MAY…), and how it behaves.
 *
 * 32 bits, with Linux's values where those fit; VM_SEALED and VM_DROPPABLE, which Linux keeps above bit 31, take
 * bits of features that Faultline has not (userfaultfd, PFN maps).
 */
export const VM_READ = 0x00000001;
export const VM_WRITE = 0x00000002;
export const VM_EXEC = 0x00000004;
export const VM_SHARED = 0x00000008;
export const VM_MAYREAD = 0x00000010;
export const VM_MAYWRITE = 0x00000020;
export const VM_MAYEXEC = 0x00000040;
export const VM_MAYSHARE = 0x00000080;
export const VM_GROWSDOWN = 0x00000100;
export const VM_SEALED = 0x00000200;
export const VM_DROPPABLE = 0x00000400;
/** Guard markers may stand in the page table (6.18.x): set by the first of them, and never taken back. */
export const VM_MAYBE_GUARD = 0x00000800;
export const VM_LOCKED = 0x00002000;
export const VM_SEQ_READ = 0x00008000;
export const VM_RAND_READ = 0x00010000;
export const VM_DONTCOPY = 0x00020000;
export const VM_DONTEXPAND = 0x00040000;
export const VM_LOCKONFAULT = 0x00080000;
export const VM_ACCOUNT = 0x00100000;
export const VM_NORESERVE = 0x00200000;
/** Of huge pages (hugetlbfs): all its bounds are multiples of theirs. */
export const VM_HUGETLB = 0x00400000;
/** Asked for with MAP_SYNC: without effect but on storage that is memory. */
export const VM_SYNC = 0x00800000;
export const VM_WIPEONFORK = 0x02000000;
export const VM_DONTDUMP = 0x04000000;
/** Set by MAP_STACK on kernels with transparent huge pages. */
export const VM_NOHUGEPAGE = 0x40000000;
export const VM_SOFTDIRTY = 0x08000000;
/** What mlock and its kin set and clear. */
export const VM_LOCKED_MASK: number = VM_LOCKED | VM_LOCKONFAULT;
/** The bits that choose a row of the protection map. */
export const VM_ACCESS_FLAGS: number = VM_READ | VM_WRITE | VM_EXEC;
/** What a mapping has as soon as one that was merged into it had it (VM_STICKY). */
export const VM_STICKY: number = VM_SOFTDIRTY | VM_MAYBE_GUARD;
/** Flags in which two mergeable mappings may differ (VM_IGNORE_MERGE). */
export const VM_IGNORE_MERGE: number = VM_STICKY;
