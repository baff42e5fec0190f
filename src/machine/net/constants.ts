/** Constants of sockets (include/linux/socket.h, include/uapi/asm-generic/socket.h, linux/in.h), as riscv64 has them. */

export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_SEQPACKET = 5;
export const SOCK_MAX = 11;
export const SOCK_TYPE_MASK = 0xf;

export const MSG_OOB = 0x1;
export const MSG_PEEK = 0x2;
export const MSG_CTRUNC = 0x8;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_EOR = 0x80;
export const MSG_WAITALL = 0x100;
export const MSG_ERRQUEUE = 0x2000;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;
export const MSG_WAITFORONE = 0x10000;
export const MSG_CMSG_CLOEXEC = 0x40000000;

export const RCV_SHUTDOWN = 1;
export const SEND_SHUTDOWN = 2;
export const SHUTDOWN_MASK = 3;

export const SOL_SOCKET = 1;
export const SCM_RIGHTS = 1;
export const SCM_CREDENTIALS = 2;
/** Descriptors that one message carries at most. */
export const SCM_MAX_FD = 253;

export const SOL_NETLINK = 270;

export const IPPROTO_IP = 0;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
/** A datagram is held back until this is off again. */
export const UDP_CORK = 1;
export const IPPROTO_IPV6 = 41;

/** The longest queue of connections that nobody has accepted (net.core.somaxconn). */
export const SOMAXCONN = 4096;
/** net.core.wmem_default and its like. */
export const DEFAULT_BUFFER = 212992;
