/**
 * How an interrupted system call goes on (include/linux/errno.h). None of these numbers ever reaches a program: they
 * tell signal delivery whether the call ends with EINTR or is executed again.
 */

/** Again if the handler has SA_RESTART or there is no handler; else EINTR. */
export const ERESTARTSYS = 512;
/** Again, always. */
export const ERESTARTNOINTR = 513;
/** Again only if there is no handler. */
export const ERESTARTNOHAND = 514;
/** Goes on where it was if there is no handler (a sleep with its old deadline). */
export const ERESTART_RESTARTBLOCK = 516;
