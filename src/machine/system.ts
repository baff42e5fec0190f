/**
 * The running system: what the system calls, the life of processes and the scheduler share. One per machine.
 *
 * The hart holds the registers of `current` while that thread runs or a system call of it is served; those of all
 * others are in their `state`.
 */
import type { Mmu } from "../mm/fault/mmu.ts";
import type { Kernel } from "../mm/kernel/kernel.ts";
import { PAGE_SIZE } from "../mm/page.ts";
import type { Inode } from "../mm/vfs/inode.ts";
import type { MachineClock } from "./clock.ts";
import type { Hart } from "./cpu/hart.ts";
import { WatchLimit } from "./event-files/event-poll.ts";
import { FutexTable } from "./futex/futex-table.ts";
import type { HostLoopback } from "./net/host-loopback.ts";
import { Network } from "./net/network.ts";
import type { MachineStream } from "./stream.ts";
import type { Thread, ThreadGroup } from "./thread.ts";
import { TimeOfDay } from "./time-of-day.ts";
import { TimerQueue } from "./timer-queue.ts";
import type { Terminals } from "./tty/terminals.ts";

/** Different numbers of unknown system calls that are kept. */
const MAX_UNKNOWN = 1000;

export class System {
  readonly kernel: Kernel;
  readonly mmu: Mmu;
  readonly hart: Hart;
  readonly clock: MachineClock;
  /** Fills bytes from the seeded source. */
  readonly random: (bytes: Uint8Array) => void;
  /** Every process that runs or has not been waited for, by pid. */
  readonly groups: Map<number, ThreadGroup> = new Map();
  /** Threads that have not exited, in the order in which they get their turn. */
  readonly threads: Thread[] = [];
  /** The streams behind inodes, for terminal ioctls. */
  readonly streams: WeakMap<Inode, MachineStream> = new WeakMap();
  /** Numbers of system calls that are not there, and how often they were made. */
  readonly unknownSyscalls: Map<number, number> = new Map();
  /** How often each system call was made, by name. */
  readonly syscallCounts: Map<string, number> = new Map();
  /** Threads other than leaders that have not exited, by their numbers. */
  readonly tids: Map<number, Thread> = new Map();
  /** What happens at a time: expirations of timers. */
  readonly timers: TimerQueue = new TimerQueue();
  /** Sockets and their names. */
  readonly network: Network;
  readonly timeOfDay: TimeOfDay;
  /** How many files event polls watch. */
  readonly watches: WatchLimit;
  readonly terminals: Terminals;
  /** Who waits at which futex. */
  readonly futexes: FutexTable = new FutexTable();
  /** The thread that is being asked whether it can go on; signalfd shows each its own signals. */
  asked: Thread | undefined;
  /** Number of the next eventfd, for /proc. */
  nextEventId = 0;
  /** What system calls have taken of the machine's time, in all (syscalls/cost.ts). */
  systemNs = 0;
  /** How often the hart went over to another thread. */
  contextSwitches = 0;
  current: Thread | undefined;
  /** The hart's instruction count when the current thread's turn began, the time of calls, and the faults that its process had had. */
  turnStart = 0;
  turnSystemNs = 0;
  turnMinFlt = 0;
  turnMajFlt = 0;
  /** The address whose translation was refused last, as its halves: it may be any 64 bits. */
  faultLow = 0;
  faultHigh = 0;
  /** Set by a call that gives up its turn. */
  yields = false;
  /** Pages that the kernel has worked on in all, beyond which the turn is over at its next fault or call; and that it is. */
  workLimit = 0;
  isOutOfTime = false;
  /** Told of every process that ends. */
  onExit: ((group: ThreadGroup, status: number) => void) | undefined;

  constructor(
    kernel: Kernel,
    hart: Hart,
    clock: MachineClock,
    random: (bytes: Uint8Array) => void,
    terminals: Terminals,
    hostLoopback?: HostLoopback,
  ) {
    this.kernel = kernel;
    this.mmu = kernel.mmu;
    this.hart = hart;
    this.clock = clock;
    this.random = random;
    this.timeOfDay = new TimeOfDay(kernel, clock);
    this.terminals = terminals;
    terminals.system = this;
    this.watches = new WatchLimit(kernel.sysctl);
    this.network = new Network(
      random,
      kernel.phys.totalFrames * PAGE_SIZE,
      () => this.timeOfDay.now(),
      hostLoopback,
    );
  }

  /** How much was done so far: an instruction takes a nanosecond. */
  get workedNs(): number {
    return this.hart.instret + this.systemNs;
  }

  countSyscall(nr: number, name: string | undefined): void {
    if (name === undefined) {
      const times = this.unknownSyscalls.get(nr);
      // A program may make up numbers for ever.
      if (times === undefined && this.unknownSyscalls.size >= MAX_UNKNOWN) return;
      this.unknownSyscalls.set(nr, (times ?? 0) + 1);
    } else this.syscallCounts.set(name, (this.syscallCounts.get(name) ?? 0) + 1);
  }

  /** The parent of a process, if it is (still) a process of this machine. */
  parentOf(group: ThreadGroup): ThreadGroup | undefined {
    const { parent } = group.process;
    return parent === null || parent === undefined ? undefined : this.groups.get(parent.pid);
  }

  childrenOf(group: ThreadGroup): ThreadGroup[] {
    return [...this.groups.values()].filter((other) => other.process.parent === group.process);
  }

  /** Threads that there are, those of zombies included. */
  get threadCount(): number {
    return this.groups.size + this.tids.size;
  }

  /** Whether processes are in a group or a session that has this number. */
  isGroupOrSession(pid: number): boolean {
    for (const { processGroup, session } of this.groups.values())
      if (processGroup === pid || session === pid) return true;
    return false;
  }

  /** The thread with this id, of any process. */
  thread(tid: number): Thread | undefined {
    return this.groups.get(tid)?.leader ?? this.tids.get(tid);
  }

  /** Counts what a thread has used in its turn so far. */
  settleTurn(): void {
    const { current } = this;
    if (current === undefined) return;
    const { group } = current;
    const { minFlt, majFlt } = group.process;
    const executed = this.hart.instret - this.turnStart;
    this.turnStart = this.hart.instret;
    current.instructions += executed;
    group.instructions += executed;
    const systemNs = this.systemNs - this.turnSystemNs;
    this.turnSystemNs = this.systemNs;
    current.systemNs += systemNs;
    group.systemNs += systemNs;
    current.minFlt += minFlt - this.turnMinFlt;
    current.majFlt += majFlt - this.turnMajFlt;
    this.turnMinFlt = minFlt;
    this.turnMajFlt = majFlt;
  }
}
