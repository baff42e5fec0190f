/**
 * What lets the fuzz of system calls get past the first check of calls about files, sockets, locks and waiting: descriptors
 * of each kind, which every program begins with, structures in the program's page, and the constants that calls know.
 */
import type { Prng } from "../../src/lib/prng.ts";

const PROGRAM = 0x10000;
const STRUCTS_AT = 0x600;
const STRUCT_ROOM = 0x40;
/** Memory that each program begins with, for answers and for what is waited on. */
export const SCRATCH = 0x4000_0000;
export const SCRATCH_BYTES = 0x4000;
/** Descriptors that FIRST_CALLS leave open, with the three of the files before. */
const DESCRIPTORS = 20;

const NONBLOCK = 0o4000;
const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;

/** [number, arguments …] of the calls that every program makes first. */
export const FIRST_CALLS: readonly (readonly number[])[] = [
  [222, SCRATCH, SCRATCH_BYTES, 3, 0x32, -1, 0], // mmap
  [59, SCRATCH, NONBLOCK], // pipe2
  [199, AF_UNIX, SOCK_STREAM | NONBLOCK, 0, SCRATCH], // socketpair
  [199, AF_UNIX, SOCK_DGRAM | NONBLOCK, 0, SCRATCH],
  [199, AF_UNIX, SOCK_SEQPACKET | NONBLOCK, 0, SCRATCH],
  [198, AF_INET, SOCK_STREAM | NONBLOCK, 0], // socket
  [198, AF_INET, SOCK_STREAM, 0],
  [198, AF_INET, SOCK_DGRAM | NONBLOCK, 0],
  [198, AF_UNIX, SOCK_STREAM | NONBLOCK, 0],
  [20, 0], // epoll_create1
  [19, 3, NONBLOCK], // eventfd2
  [85, 1, NONBLOCK], // timerfd_create
  [74, -1, SCRATCH, 8, NONBLOCK], // signalfd4
  [279, PROGRAM + 0x300, 2], // memfd_create
];

/** Structures that calls read, at STRUCTS_AT: socket addresses, vectors, messages, times, events, locks, sets of signals. */
export function putStructs(image: Uint8Array): void {
  for (const [index, words] of STRUCTS.entries()) {
    const view = new DataView(image.buffer, STRUCTS_AT + index * STRUCT_ROOM, STRUCT_ROOM);
    for (const [at, word] of words.entries()) view.setBigUint64(at * 8, BigInt.asUintN(64, word), true);
  }
}

function structAt(index: number): number {
  return PROGRAM + STRUCTS_AT + index * STRUCT_ROOM;
}

const here = (index: number): bigint => BigInt(structAt(index));
const memory = BigInt(SCRATCH);
const LOOPBACK = 0x0100007fn << 32n;

const STRUCTS: readonly (readonly bigint[])[] = [
  [2n | (0xa00fn << 16n) | LOOPBACK, 0n], // sockaddr_in: 127.0.0.1, port 4000
  [2n | LOOPBACK, 0n], // any port
  [1n | (0x706d742fn << 16n) | (0x2fn << 48n), 0x73n], // sockaddr_un
  [1n | (0x7800n << 16n), 0n], // an abstract name
  [memory, 100n, memory + 0xff0n, 0x20n, here(0), 16n], // iovec
  [0n, 0n, here(4), 2n, memory + 0x200n, 64n, 0n], // msghdr
  [here(0), 16n, here(4), 1n, 0n, 0n, 0n],
  [0n, 1000n, 0n, 0n], // timespec, and an itimerspec that never fires
  [0n, 1_000_000n, 0n, 500n],
  [5n, 7n], // epoll_event: EPOLLIN | EPOLLOUT
  [0x8000_0001n, 8n], // edge-triggered
  [1n, 0n, 100n, 0n], // flock: a write lock
  [0n, 50n, 10n, 0n],
  [2n, 0n, 0n, 0n],
  [0x200n, 0n], // sigset
  [3n | (1n << 32n) | (1n << 48n), 4n | (4n << 32n), 0n], // pollfd, twice
  [0xffffn, 0n], // fd_set
  [24n, 1n | (1n << 32n), 3n | (8n << 32n)], // cmsghdr with two files
  [0n, 0n, here(4), 2n, here(17), 24n, 0n], // msghdr with it
  [0n, 0n, here(4), 1n, 0n, 0n, 0n],
  [0xffff_0000n | (1n << 48n), 1n | (0x1000n << 16n)], // sembuf, twice: 0 −1, 1 +1 with SEM_UNDO
  [1n | (0x1000n << 32n) | (2n << 48n), 0xffffn | (0x1000n << 16n)], // 1 0 with SEM_UNDO, 2 −1 with SEM_UNDO
  [0x612e_7265_7375n, 0n], // "user.a"
];

export function structAddress(random: Prng): bigint {
  return here(random.below(STRUCTS.length));
}

/** Descriptors of sockets without a peer, and of what takes or gives bytes, as FIRST_CALLS leaves them. */
const SOCKETS: readonly number[] = [11, 12, 13, 14];
const ENDS: readonly number[] = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 16, 17, 18, 19, 20, 21];
const ADDRESSES: readonly number[] = [structAt(0), structAt(1), structAt(2), structAt(3)];
const MESSAGES: readonly number[] = [structAt(5), structAt(6), structAt(18), structAt(18), structAt(19)];

/** The constants that an argument of a call is one of: by name, then by place. */
const CHOICES: Readonly<Record<string, Readonly<Record<number, readonly number[]>>>> = {
  socket: { 0: [1, 1, 2, 2, 10], 1: [1, 2, 5, 1 | NONBLOCK, 2 | NONBLOCK], 2: [0, 0, 0, 6, 17] },
  socketpair: { 0: [1, 1, 1, 2], 1: [1, 2, 5, 1 | NONBLOCK], 2: [0], 3: [SCRATCH] },
  bind: { 0: SOCKETS, 1: ADDRESSES, 2: [16, 16, 8, 10, 110, 2] },
  connect: { 0: SOCKETS, 1: ADDRESSES, 2: [16, 16, 8, 10, 110, 2] },
  listen: { 0: SOCKETS, 1: [0, 1, 5] },
  accept: { 0: SOCKETS, 1: [0, SCRATCH], 2: [SCRATCH + 0x100] },
  accept4: { 0: SOCKETS, 1: [0, SCRATCH], 2: [SCRATCH + 0x100], 3: [0, NONBLOCK] },
  shutdown: { 0: ENDS, 1: [0, 1, 2, 3] },
  getsockname: { 0: SOCKETS, 1: [SCRATCH], 2: [SCRATCH + 0x100] },
  getpeername: { 0: ENDS, 1: [SCRATCH], 2: [SCRATCH + 0x100] },
  setsockopt: { 0: ENDS, 1: [1, 6, 0, 41, 17], 2: range(60), 3: [SCRATCH], 4: [4, 8, 16, 0] },
  getsockopt: { 0: ENDS, 1: [1, 6, 0, 41, 17], 2: range(60), 3: [SCRATCH], 4: [SCRATCH + 0x100] },
  sendto: {
    0: ENDS,
    1: [SCRATCH],
    2: [0, 1, 100, 3000],
    3: [0, 0x40, 0x4000, 2],
    4: [0, ...ADDRESSES],
    5: [16, 8, 0],
  },
  recvfrom: {
    0: ENDS,
    1: [SCRATCH],
    2: [0, 1, 100, 3000],
    3: [0x40, 0x40, 2, 0x20, 0x100],
    4: [0, SCRATCH],
    5: [0],
  },
  sendmsg: { 0: ENDS, 1: MESSAGES, 2: [0, 0x40, 0x4000] },
  recvmsg: { 0: ENDS, 1: MESSAGES, 2: [0x40, 0x40, 2, 0x40000000] },
  sendmmsg: { 0: ENDS, 1: MESSAGES, 2: [1], 3: [0x40] },
  recvmmsg: { 0: ENDS, 1: MESSAGES, 2: [1], 3: [0x40], 4: [0] },
  read: { 0: ENDS, 1: [SCRATCH], 2: [8, 100, 128, 4096] },
  write: { 0: ENDS, 1: [SCRATCH], 2: [8, 100, 128, 4096] },
  readv: { 0: ENDS, 1: [structAt(4)], 2: [1, 2] },
  writev: { 0: ENDS, 1: [structAt(4)], 2: [1, 2] },
  vmsplice: { 0: [3, 4], 1: [structAt(4)], 2: [1, 2], 3: [0, 2] },
  futex: {
    0: [SCRATCH, SCRATCH + 4, SCRATCH + 8],
    1: [...range(14), ...range(14).map((op) => op | 128)],
    2: [0, 1, 2],
    3: [structAt(7)],
    4: [SCRATCH + 4],
  },
  futex_wait: { 0: [SCRATCH], 1: [0, 1], 2: [-1], 3: [2, 0x82], 4: [structAt(7)], 5: [1] },
  futex_wake: { 0: [SCRATCH], 1: [1, -1], 2: [1, 5], 3: [2, 0x82] },
  futex_requeue: { 0: [SCRATCH], 1: [0], 2: [1], 3: [1] },
  futex_waitv: { 0: [SCRATCH], 1: [1, 2], 2: [0], 3: [structAt(7)], 4: [1] },
  epoll_ctl: { 0: [15], 1: [1, 1, 2, 3], 2: [...range(20)], 3: [structAt(9), structAt(10)] },
  epoll_pwait: { 0: [15], 1: [SCRATCH], 2: [1, 8], 3: [0, 1], 4: [0] },
  epoll_pwait2: { 0: [15], 1: [SCRATCH], 2: [1, 8], 3: [structAt(7)], 4: [0] },
  fcntl: {
    1: [...range(17), 5, 6, 7, 36, 37, 38, 1024, 1025, 1030, 1031, 1032, 1033, 1034],
    2: [structAt(11), structAt(12), structAt(13), NONBLOCK, 0, SCRATCH],
  },
  flock: { 1: [1, 2, 8, 5, 6] },
  ioctl: { 1: [0x541b, 0x5421, 0x5450, 0x5451, 0x5401, 0xc0606610], 2: [SCRATCH] },
  semget: { 0: [0, 0, 5], 1: [1, 3, 3], 2: [0o1666] },
  semop: { 0: range(3), 1: [structAt(20), structAt(21)], 2: [1, 1, 2] },
  semtimedop: { 0: range(3), 1: [structAt(20), structAt(21)], 2: [1, 1, 2], 3: [0, structAt(7)] },
  semctl: { 0: range(3), 1: range(3), 2: [...range(4), ...range(21), 16, 16, 17, 17], 3: [0, 1, 2, SCRATCH] },
  setxattr: { 1: [structAt(22)], 2: [SCRATCH], 3: [0, 3, 100, 65536], 4: [0, 0, 1, 2] },
  fsetxattr: { 1: [structAt(22)], 2: [SCRATCH], 3: [0, 3, 100, 65536], 4: [0, 0, 1, 2] },
  fgetxattr: { 1: [structAt(22)], 2: [SCRATCH], 3: [0, 3, 100, 65536] },
  flistxattr: { 1: [SCRATCH], 2: [0, 100] },
  fremovexattr: { 1: [structAt(22)] },
  riscv_hwprobe: {
    0: [SCRATCH, SCRATCH + 0x800],
    1: [1, 5, 100],
    2: [0, 8],
    3: [0, structAt(9)],
    4: [0, 0, 1],
  },
  eventfd2: { 0: [0, 1], 1: [0, 1, NONBLOCK] },
  timerfd_create: { 0: [0, 1, 7], 1: [0, NONBLOCK] },
  timerfd_settime: { 0: [17], 1: [0, 1], 2: [structAt(7), structAt(8)], 3: [0, SCRATCH] },
  timerfd_gettime: { 0: [17], 1: [SCRATCH] },
  timer_create: { 0: [0, 1], 1: [0], 2: [SCRATCH] },
  timer_settime: { 0: [0, 1], 1: [0, 1], 2: [structAt(7), structAt(8)], 3: [0] },
  timer_delete: { 0: [0, 1] },
  signalfd4: { 0: [-1, 18], 1: [structAt(14)], 2: [8], 3: [0, NONBLOCK] },
  rt_sigprocmask: { 0: [0, 1, 2], 1: [structAt(14)], 2: [0, SCRATCH], 3: [8] },
  ppoll: { 0: [structAt(15)], 1: [1, 2], 2: [structAt(7)], 3: [0], 4: [8] },
  pselect6: { 0: [1, 8, 16], 1: [0, SCRATCH], 2: [0, SCRATCH], 3: [0], 4: [structAt(7)], 5: [0] },
  splice: { 0: [0, 3, 5], 1: [0], 2: [4, 1, 6], 3: [0], 4: [1, 4096], 5: [2] },
  tee: { 0: [3], 1: [4], 2: [1, 4096], 3: [2] },
  sendfile: { 0: [1, 4, 5, 6], 1: [0], 2: [0], 3: [100, 4096] },
};

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** What argument `index` of the call might sensibly be; undefined: anything. */
export function sensibleArgument(random: Prng, name: string, index: number): bigint | undefined {
  const choices = CHOICES[name]?.[index];
  if (choices !== undefined && random.below(8) > 0) return BigInt(choices[random.below(choices.length)]);
  if (index === 0) return BigInt(random.below(DESCRIPTORS));
  switch (random.below(6)) {
    case 0:
    case 1:
      return structAddress(random);
    case 2:
      return BigInt(SCRATCH + random.below(SCRATCH_BYTES));
    case 3:
      return BigInt(random.below(DESCRIPTORS));
    default:
      return undefined;
  }
}
