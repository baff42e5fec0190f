/** The machine's only network interface, as everything that lists interfaces tells of it. It is up, always. */

/** Its name and number. Another name for it ends with a colon and anything (an alias). */
export const LO_NAME = "lo";
export const LO_INDEX = 1;
/** IFF_UP, IFF_LOOPBACK, IFF_RUNNING; netlink tells of IFF_LOWER_UP, too. */
export const LO_FLAGS = 0x49;
export const LO_ALL_FLAGS: number = LO_FLAGS | 0x10000;
export const LO_MTU = 65536;
export const LO_QUEUE_LENGTH = 1000;
/** ARPHRD_LOOPBACK: the kind of its address of hardware, which is six zeros. */
export const LO_HARDWARE_TYPE = 772;
export const LO_HARDWARE_BYTES = 6;
export const LO_ADDRESS: readonly number[] = [127, 0, 0, 1];
