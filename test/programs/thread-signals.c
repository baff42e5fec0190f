/*
 * Signals and threads: who of several takes a signal, what tgkill and its relatives check and tell, masks of each thread,
 * alternate stacks, calls that a signal interrupts, stopping and continuing all at once, and execution from a thread.
 */
#define _GNU_SOURCE
#include "show.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* C libraries keep different ones of the real-time signals to themselves. */
#define QUEUED 40
#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)

static pid_t tid(void)
{
  return (pid_t)syscall(SYS_gettid);
}

static volatile int seen, seenCode, seenValue, onOther, depth, deepest, raised;
static volatile pid_t seenBy, seenFrom;

static void informed(int signal, siginfo_t *info, void *context)
{
  (void)context;
  seen = signal;
  seenBy = tid();
  seenCode = info->si_code;
  seenFrom = info->si_pid;
  seenValue = info->si_value.sival_int;
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  sigaction(signal, &action, NULL);
}

static const char *who(pid_t one)
{
  return one == getpid() ? "the leader" : one == 0 ? "nobody" : "another";
}

static void told(const char *what)
{
  SAY("%-44s signal %d, code %d, value %d, by %s, from %s", what, seen, seenCode, seenValue, who(seenBy), who(seenFrom));
  seen = seenCode = seenValue = 0;
  seenBy = seenFrom = 0;
}

static volatile int step;
static pid_t otherTid;
static sigset_t usr1, usr2, rt;

static void waitFor(int wanted)
{
  while (step != wanted) usleep(1000);
}

static void *sleeps(void *arg)
{
  otherTid = tid();
  step = 1;
  while (step != 2) usleep(1000);
  return arg;
}

static void begin(pthread_t *thread, void *(*body)(void *), void *arg)
{
  step = 0;
  pthread_create(thread, NULL, body, arg);
  waitFor(1);
}

static void settle(void)
{
  for (int i = 0; i < 500 && seen == 0; i++) usleep(1000);
}

static siginfo_t made(int code, int value)
{
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = code;
  info.si_pid = getpid();
  info.si_value.sival_int = value;
  return info;
}

static void sending(void)
{
  pthread_t thread;
  handle(SIGUSR1, informed, 0);
  handle(QUEUED, informed, 0);
  begin(&thread, sleeps, NULL);
  SHOW(CALL(tgkill, getpid(), otherTid, SIGUSR1));
  settle();
  told("tgkill of the other");
  SHOW(CALL(tkill, otherTid, SIGUSR1));
  settle();
  told("tkill of the other");
  SHOW(CALL(kill, otherTid, SIGUSR1));
  settle();
  told("kill with the number of the other");
  SHOW(CALL(kill, getpid(), SIGUSR1));
  settle();
  told("kill of the process");
  pthread_sigmask(SIG_BLOCK, &usr1, NULL);
  SHOW(CALL(kill, getpid(), SIGUSR1));
  settle();
  told("kill of the process, its leader blocks it");
  pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
  siginfo_t info = made(SI_QUEUE, 42);
  SHOW(CALL(rt_tgsigqueueinfo, getpid(), otherTid, QUEUED, &info));
  settle();
  told("rt_tgsigqueueinfo");
  SHOW(CALL(rt_sigqueueinfo, getpid(), QUEUED, &info));
  settle();
  told("rt_sigqueueinfo");
  info = made(SI_TKILL, 1);
  SHOW(CALL(rt_tgsigqueueinfo, getpid(), otherTid, SIGUSR1, &info));
  SHOW(CALL(rt_tgsigqueueinfo, getpid(), tid(), SIGUSR1, &info));
  told("a pretence to itself");
  info = made(SI_USER, 1);
  SHOW(CALL(rt_sigqueueinfo, otherTid, SIGUSR1, &info));
  SHOW(CALL(rt_sigqueueinfo, getpid(), SIGUSR1, &info));
  told("another");
  SHOW(CALL(rt_sigqueueinfo, getpid(), 65, &info));
  SHOW(CALL(rt_sigqueueinfo, getpid(), SIGUSR1, 8));
  SHOW(CALL(tgkill, getpid(), otherTid, 0));
  SHOW(CALL(tgkill, getpid(), otherTid, 65));
  SHOW(CALL(tgkill, getpid(), otherTid, -1));
  SHOW(CALL(tgkill, getpid() + 5000, otherTid, SIGUSR1));
  SHOW(CALL(tgkill, 0, otherTid, SIGUSR1));
  SHOW(CALL(tgkill, getpid(), 0, SIGUSR1));
  SHOW(CALL(tkill, 0, SIGUSR1));
  SHOW(CALL(tkill, -1, SIGUSR1));
  SHOW(CALL(tkill, 99999, SIGUSR1));
  SHOW(pthread_kill(thread, 0));
  step = 2;
  pthread_join(thread, NULL);
  SHOW(CALL(tgkill, getpid(), otherTid, SIGUSR1));
  SHOW(CALL(kill, otherTid, SIGUSR1));
}

static void *takesOne(void *arg)
{
  siginfo_t info;
  sigset_t *set = arg;
  otherTid = tid();
  step = 1;
  int signal = sigwaitinfo(set, &info);
  SAY("sigwaitinfo in the other: %d, code %d, value %d", signal, info.si_code, info.si_value.sival_int);
  step = 3;
  return NULL;
}

static void pending(const char *what)
{
  sigset_t set;
  sigpending(&set);
  SAY("%-44s pending: USR1 %d, USR2 %d, RT %d", what, sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2),
      sigismember(&set, QUEUED));
}

static void *inherits(void *arg)
{
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  SAY("a new thread blocks: USR1 %d, USR2 %d", sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2));
  pending("a new thread");
  return arg;
}

static void waiting(void)
{
  pthread_t thread;
  siginfo_t info;
  struct timespec soon = {0, 2000000}, bad = {0, 1000000000}, zero = {0, 0};
  pthread_sigmask(SIG_BLOCK, &usr1, NULL);
  pthread_sigmask(SIG_BLOCK, &usr2, NULL);
  pthread_sigmask(SIG_BLOCK, &rt, NULL);
  SHOW(CALL(rt_sigtimedwait, &usr1, &info, &soon, 8));
  SHOW(CALL(rt_sigtimedwait, &usr1, &info, &bad, 8));
  SHOW(CALL(rt_sigtimedwait, &usr1, &info, &zero, 8));
  raise(SIGUSR1);
  kill(getpid(), SIGUSR2);
  pending("one's own and the process's");
  pthread_create(&thread, NULL, inherits, NULL);
  pthread_join(thread, NULL);
  SHOW(CALL(rt_sigtimedwait, &usr1, &info, NULL, 8));
  SHOW(CALL(rt_sigtimedwait, &usr2, NULL, NULL, 8));
  pending("taken");
  for (int i = 1; i <= 3; i++) {
    info = made(SI_QUEUE, i);
    CALL(rt_sigqueueinfo, getpid(), QUEUED, &info);
  }
  raise(SIGUSR2);
  raise(SIGUSR2);
  for (int i = 0; i < 3; i++) {
    SHOW(CALL(rt_sigtimedwait, &rt, &info, &zero, 8) == QUEUED);
    SAY("value %d", info.si_value.sival_int);
  }
  SHOW(CALL(rt_sigtimedwait, &rt, &info, &zero, 8));
  SHOW(CALL(rt_sigtimedwait, &usr2, &info, &zero, 8));
  SHOW(CALL(rt_sigtimedwait, &usr2, &info, &zero, 8));
  begin(&thread, takesOne, &usr1);
  usleep(3000);
  kill(getpid(), SIGUSR1);
  pthread_join(thread, NULL);
  begin(&thread, takesOne, &rt);
  usleep(3000);
  info = made(SI_QUEUE, 9);
  SHOW(CALL(rt_tgsigqueueinfo, getpid(), otherTid, QUEUED, &info));
  pthread_join(thread, NULL);
  /* Interrupted by another signal than those waited for. */
  handle(SIGALRM, informed, SA_RESTART);
  ualarm(3000, 0);
  SHOW(CALL(rt_sigtimedwait, &usr1, &info, NULL, 8));
  told("interrupted");
  sigset_t none;
  sigemptyset(&none);
  ualarm(3000, 0);
  SHOW(sigsuspend(&none));
  told("sigsuspend");
  handle(SIGUSR1, informed, SA_RESTART);
  raise(SIGUSR1);
  SHOW(sigsuspend(&none));
  told("sigsuspend with one pending");
  pending("after it");
  pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void nests(int signal, siginfo_t *info, void *context)
{
  (void)info;
  (void)context;
  int here;
  stack_t stack;
  sigaltstack(NULL, &stack);
  depth++;
  if (depth > deepest) deepest = depth;
  onOther = (stack.ss_flags & SS_ONSTACK) != 0 && (char *)&here >= (char *)stack.ss_sp &&
            (char *)&here < (char *)stack.ss_sp + stack.ss_size;
  if (++raised < 3) raise(signal);
  depth--;
}

static char stackMemory[65536];

static void *ownStack(void *arg)
{
  stack_t stack;
  sigaltstack(NULL, &stack);
  SAY("a new thread's stack: flags %d", stack.ss_flags);
  raise(SIGUSR1);
  SAY("without a stack: on it %d", onOther);
  return arg;
}

static void flagsOfActions(void)
{
  pthread_t thread;
  stack_t stack = {.ss_sp = stackMemory, .ss_size = sizeof stackMemory}, small = {.ss_sp = stackMemory, .ss_size = 1000};
  struct sigaction action;
  SHOW(sigaltstack(&small, NULL));
  SHOW(sigaltstack(&stack, NULL));
  deepest = raised = 0;
  handle(SIGUSR1, nests, SA_ONSTACK);
  raise(SIGUSR1);
  SAY("on the stack %d, depth %d", onOther, deepest);
  raised = 0;
  handle(SIGUSR1, nests, SA_ONSTACK | SA_NODEFER);
  raise(SIGUSR1);
  SAY("with SA_NODEFER: on the stack %d, depth %d", onOther, deepest);
  pthread_create(&thread, NULL, ownStack, NULL);
  pthread_join(thread, NULL);
  handle(SIGUSR1, informed, SA_RESETHAND);
  raise(SIGUSR1);
  told("SA_RESETHAND");
  sigaction(SIGUSR1, NULL, &action);
  SAY("default again: %d", action.sa_handler == SIG_DFL);
  stack.ss_flags = SS_DISABLE;
  SHOW(sigaltstack(&stack, NULL));
  stack.ss_flags = 77;
  SHOW(sigaltstack(&stack, NULL));
}

static int fds[2];

static void *writesLater(void *arg)
{
  usleep(5000);
  pthread_kill(*(pthread_t *)arg, SIGUSR1);
  usleep(5000);
  if (write(fds[1], "x", 1) != 1) SAY("no write");
  return NULL;
}

static void restarting(void)
{
  pthread_t thread, self = pthread_self();
  char byte;
  if (pipe(fds) != 0) return;
  for (int restart = 0; restart < 2; restart++) {
    handle(SIGUSR1, informed, restart ? SA_RESTART : 0);
    pthread_create(&thread, NULL, writesLater, &self);
    SHOW(read(fds[0], &byte, 1));
    told(restart ? "read, SA_RESTART" : "read");
    pthread_join(thread, NULL);
    if (!restart) SHOW(read(fds[0], &byte, 1));
    struct timespec rest = {0, 0}, time = {0, 40000000};
    pthread_create(&thread, NULL, writesLater, &self);
    SHOW(nanosleep(&time, &rest));
    SAY("some is left: %d", rest.tv_nsec > 1000000 && rest.tv_nsec < 36000000);
    pthread_join(thread, NULL);
    SHOW(read(fds[0], &byte, 1));
    seen = 0;
  }
}

static volatile long spins[3];

static void *spins_(void *arg)
{
  for (;;) {
    spins[(long)arg]++;
    if (spins[(long)arg] % 1000 == 0) sched_yield();
  }
  return arg;
}

static void stopping(void)
{
  int status;
  long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    for (long i = 0; i < 3; i++) pthread_create(&thread, NULL, spins_, (void *)i);
    for (;;) {
      usleep(500);
      shared[0] = spins[0] + spins[1] + spins[2];
      shared[1] = spins[0] != 0 && spins[1] != 0 && spins[2] != 0;
    }
  }
  while (!((volatile long *)shared)[1]) usleep(1000);
  kill(child, SIGSTOP);
  SHOW(waitpid(child, &status, WUNTRACED) == child);
  SAY("stopped %d by %d", WIFSTOPPED(status), WSTOPSIG(status));
  long before = ((volatile long *)shared)[0];
  usleep(20000);
  SAY("still %d", ((volatile long *)shared)[0] == before);
  SHOW(waitpid(child, &status, WUNTRACED | WNOHANG));
  kill(child, SIGCONT);
  SHOW(waitpid(child, &status, WCONTINUED) == child);
  SAY("continued %d", WIFCONTINUED(status));
  while (((volatile long *)shared)[0] == before) usleep(1000);
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  kill(child, SIGTERM);
  usleep(5000);
  SHOW(waitpid(child, &status, WNOHANG));
  kill(child, SIGCONT);
  SHOW(waitpid(child, &status, 0) == child);
  SAY("ended by %d", WTERMSIG(status));
}

static void *faults(void *arg)
{
  *(volatile int *)arg = 1;
  return NULL;
}

static void *blocksAndFaults(void *arg)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGSEGV);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  return faults(arg);
}

static void leaveFault(int signal, siginfo_t *info, void *context)
{
  (void)context;
  SAY("signal %d, code %d, in %s", signal, info->si_code, who(tid()));
  pthread_exit(NULL);
}

static void faulting(void)
{
  pthread_t thread;
  handle(SIGSEGV, leaveFault, 0);
  pthread_create(&thread, NULL, faults, NULL);
  pthread_join(thread, NULL);
  int status;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    pthread_create(&thread, NULL, blocksAndFaults, NULL);
    for (;;) pause();
  }
  waitpid(child, &status, 0);
  SAY("blocked: ended by %d", WTERMSIG(status));
}

int main(void)
{
  sigemptyset(&usr1);
  usr2 = rt = usr1;
  sigaddset(&usr1, SIGUSR1);
  sigaddset(&usr2, SIGUSR2);
  sigaddset(&rt, QUEUED);
  sending();
  waiting();
  flagsOfActions();
  restarting();
  stopping();
  faulting();
  return 0;
}
