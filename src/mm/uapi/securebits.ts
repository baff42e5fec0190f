/** How the kernel treats user 0 and a change of user (linux/securebits.h). Each has a twin, one bit higher, that locks it. */
export const SECBIT_NOROOT = 0x1;
export const SECBIT_NO_SETUID_FIXUP = 0x4;
export const SECBIT_KEEP_CAPS = 0x10;
export const SECBIT_NO_CAP_AMBIENT_RAISE = 0x40;
/** For interpreters of scripts to ask about; the kernel only keeps them. They take no privilege. */
export const SECBIT_EXEC_RESTRICT_FILE = 0x100;
export const SECBIT_EXEC_DENY_INTERACTIVE = 0x400;
export const SECURE_ALL_UNPRIVILEGED: number = SECBIT_EXEC_RESTRICT_FILE | SECBIT_EXEC_DENY_INTERACTIVE;
export const SECURE_ALL_BITS: number =
  SECBIT_NOROOT |
  SECBIT_NO_SETUID_FIXUP |
  SECBIT_KEEP_CAPS |
  SECBIT_NO_CAP_AMBIENT_RAISE |
  SECURE_ALL_UNPRIVILEGED;
export const SECURE_ALL_LOCKS: number = SECURE_ALL_BITS << 1;
