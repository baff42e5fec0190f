/** Constants of System V IPC (include/uapi/linux/ipc.h, shm.h, msg.h), as riscv64 and x86-64 share them. */

/** The key of a segment that no other call finds. */
export const IPC_PRIVATE = 0;
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;

export const IPC_RMID = 0;
export const IPC_SET = 1;
export const IPC_STAT = 2;
export const IPC_INFO = 3;
export const SHM_LOCK = 11;
export const SHM_UNLOCK = 12;
export const SHM_STAT = 13;
export const SHM_INFO = 14;
export const SHM_STAT_ANY = 15;

/** Flags of shmget, beside IPC_CREAT, IPC_EXCL and nine permission bits. */
export const SHM_HUGETLB = 0o4000;
export const SHM_NORESERVE = 0o10000;
export const SHM_HUGE_SHIFT = 26;
export const SHM_HUGE_MASK = 0x3f;

/** Flags of shmat. */
export const SHM_RDONLY = 0o10000;
export const SHM_RND = 0o20000;
export const SHM_REMAP = 0o40000;
export const SHM_EXEC = 0o100000;

/** In the mode that IPC_STAT tells: ends with its last attachment; locked into memory. */
export const SHM_DEST = 0o1000;
export const SHM_LOCKED = 0o2000;

/** Least size of a segment (bytes). */
export const SHMMIN = 1;
/** Most segments, until kernel.shmmni says otherwise. */
export const SHMMNI = 4096;
/** Largest size (bytes) and sum of sizes (pages), until kernel.shmmax and kernel.shmall say otherwise: ULONG_MAX − 2^24. */
export const SHMMAX: bigint = 2n ** 64n - 1n - 2n ** 24n;
export const SHMALL: bigint = SHMMAX;
/** Addresses of attachments are multiples of this (SHMLBA, a page on riscv64 and x86-64). */
export const SHMLBA = 4096;

export const MSG_STAT = 11;
export const MSG_INFO = 12;
export const MSG_STAT_ANY = 13;
/** Flags of msgrcv: cut what is too long; any other type; a copy of the message with this number. */
export const MSG_NOERROR = 0o10000;
export const MSG_EXCEPT = 0o20000;
export const MSG_COPY = 0o40000;
/** Bytes of a message, bytes of a queue, queues, until kernel.msgmax and its like say otherwise. */
export const MSGMAX = 8192;
export const MSGMNB = 16384;
export const MSGMNI = 32000;

/** Commands of semctl beside the general ones. */
export const GETPID = 11;
export const GETVAL = 12;
export const GETALL = 13;
export const GETNCNT = 14;
export const GETZCNT = 15;
export const SETVAL = 16;
export const SETALL = 17;
export const SEM_STAT = 18;
export const SEM_INFO = 19;
export const SEM_STAT_ANY = 20;
/** Flag of an operation: the end of its process takes it back. */
export const SEM_UNDO = 0x1000;
/** Largest value of a semaphore, and largest adjustment at exit. */
export const SEMVMX = 32767;
export const SEMAEM = 32767;
/** Semaphores of a set, of all sets, operations of a call, sets, until kernel.sem says otherwise. */
export const SEMMSL = 32000;
export const SEMMNS = 1_024_000_000;
export const SEMOPM = 500;
export const SEMMNI = 32000;
/** What struct seminfo calls the size of an undo, of old. */
export const SEMUSZ = 20;
