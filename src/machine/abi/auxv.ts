/** Types of the entries of the auxiliary vector (linux/auxvec.h, and asm/auxvec.h of riscv for 33 and 40 … 51). */
export const AT_NULL = 0;
export const AT_PHDR = 3;
export const AT_PHENT = 4;
export const AT_PHNUM = 5;
export const AT_PAGESZ = 6;
export const AT_BASE = 7;
export const AT_FLAGS = 8;
export const AT_ENTRY = 9;
export const AT_UID = 11;
export const AT_EUID = 12;
export const AT_GID = 13;
export const AT_EGID = 14;
export const AT_HWCAP = 16;
export const AT_CLKTCK = 17;
export const AT_SECURE = 23;
export const AT_RANDOM = 25;
export const AT_EXECFN = 31;
export const AT_L1I_CACHESIZE = 40;
export const AT_L1I_CACHEGEOMETRY = 41;
export const AT_L1D_CACHESIZE = 42;
export const AT_L1D_CACHEGEOMETRY = 43;
export const AT_L2_CACHESIZE = 44;
export const AT_L2_CACHEGEOMETRY = 45;
export const AT_L3_CACHESIZE = 46;
export const AT_L3_CACHEGEOMETRY = 47;
export const AT_MINSIGSTKSZ = 51;

/** Clock ticks per second that times() counts in (CLOCKS_PER_SEC of the kernel, USER_HZ). */
export const USER_HZ = 100;

/** AT_HWCAP of this hart: a bit per letter of its instruction set (arch/riscv, COMPAT_HWCAP_ISA_…). */
export const HWCAP_RV64GC: number = [..."imafdc"].reduce(
  (bits, letter) => bits | (1 << (letter.charCodeAt(0) - "a".charCodeAt(0))),
  0,
);
