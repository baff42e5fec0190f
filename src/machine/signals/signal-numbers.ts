/** Signals and what belongs to them (include/uapi/asm-generic/signal.h, siginfo.h), as riscv64 has them. */
import { SigSet } from "./sigset.ts";

export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGILL = 4;
export const SIGTRAP = 5;
export const SIGABRT = 6;
export const SIGBUS = 7;
export const SIGFPE = 8;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGSEGV = 11;
export const SIGPIPE = 13;
export const SIGALRM = 14;
export const SIGTERM = 15;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;
export const SIGURG = 23;
export const SIGXCPU = 24;
export const SIGXFSZ = 25;
export const SIGVTALRM = 26;
export const SIGPROF = 27;
export const SIGWINCH = 28;
export const SIGIO = 29;
export const SIGSYS = 31;
/** The first real-time signal of the kernel: from here on signals queue. */
export const SIGRTMIN = 32;
export const NSIG = 64;

export const SIG_DFL = 0;
export const SIG_IGN = 1;

export const SA_NOCLDSTOP = 0x1;
export const SA_NOCLDWAIT = 0x2;
export const SA_SIGINFO = 0x4;
export const SA_ONSTACK = 0x08000000;
export const SA_RESTART = 0x10000000;
export const SA_NODEFER = 0x40000000;
export const SA_RESETHAND = 0x80000000;
/** UAPI_SA_FLAGS with SA_EXPOSE_TAGBITS: what sigaction keeps of sa_flags. */
export const SA_KNOWN_FLAGS: number = 0xd8000807 >>> 0;

export const SI_USER = 0;
export const SI_KERNEL = 0x80;
export const SI_TIMER = -2;
export const SI_SIGIO = -5;
export const SI_TKILL = -6;
export const ILL_ILLOPC = 1;
export const TRAP_BRKPT = 1;
export const BUS_ADRALN = 1;
export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;

/** Signals that an instruction of the program causes; they are delivered before all others (SYNCHRONOUS_MASK). */
export const SYNCHRONOUS: SigSet = SigSet.of(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS);
/** Whose codes say something of their own (sig_specific_sicodes). */
export const HAS_CODES_OF_ITS_OWN: SigSet = SigSet.of(
  SIGILL,
  SIGFPE,
  SIGSEGV,
  SIGBUS,
  SIGTRAP,
  SIGCHLD,
  SIGIO,
  SIGSYS,
);
/** What no handler, mask or SIG_IGN can hold off. */
export const UNBLOCKABLE: SigSet = SigSet.of(SIGKILL, SIGSTOP);
export const STOPPING: SigSet = SigSet.of(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);
/** Default action: nothing. */
export const IGNORED_BY_DEFAULT: SigSet = SigSet.of(SIGCONT, SIGCHLD, SIGWINCH, SIGURG);

const NAMES = [
  ..."HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN".split(
    " ",
  ),
  ..."TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(" "),
];

/** "SIGSEGV", or "SIGRTMIN+3", counted from the kernel's 32. */
export function signalName(signal: number): string {
  return signal < SIGRTMIN ? `SIG${NAMES[signal - 1]}` : `SIGRTMIN+${signal - SIGRTMIN}`;
}
