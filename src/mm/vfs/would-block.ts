/**
 * The answer of a call that must wait: nothing was done, and it can be made again.
 *
 * Nothing in the memory subsystem sleeps. A read of an empty pipe answers −ERESTART_WOULD_BLOCK; the machine's
 * scheduler puts the caller aside and executes the same call again later; a library caller gets EAGAIN.
 */

/** Internal, as ERESTARTSYS is (include/linux/errno.h): above every number that programs see. */
export const ERESTART_WOULD_BLOCK = 530;
