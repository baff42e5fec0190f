/** Constants of extended attributes (include/uapi/linux/xattr.h, limits.h). */

/** Flags of setxattr: it must not be there yet; it must be there. */
export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;
/** Bytes of a name, of a value and of a list of names. */
export const XATTR_NAME_MAX = 255;
export const XATTR_SIZE_MAX = 65536;
export const XATTR_LIST_MAX = 65536;
