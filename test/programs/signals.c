/*
 * Signals of a process of one thread: sending, blocking, pending, nesting, and the flags of sigaction.
 * Linux: kernel/signal.c.
 */
#define _GNU_SOURCE
#include "check.h"
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* What the handlers did, in order: a letter each. */
static volatile char events[64];
static volatile int count;

/* What `informed` was told last. Volatile, as all that a handler writes: the compiler must not think that
 * raise() leaves it alone. */
static volatile struct {
  int signal, code, status;
  pid_t pid;
  uid_t uid;
} last;

static void note(char letter)
{
  events[count] = letter;
  count++;
}

static const char *happened(void)
{
  static char copy[sizeof events];
  for (int i = 0; i < count; i++)
    copy[i] = events[i];
  copy[count] = 0;
  count = 0;
  return copy;
}

static void simple(int signal)
{
  note(signal == SIGUSR1 ? '1' : signal == SIGUSR2 ? '2' : signal == SIGCHLD ? 'c' : '?');
}

static void informed(int signal, siginfo_t *info, void *context)
{
  (void)context;
  last.signal = info->si_signo;
  last.code = info->si_code;
  last.pid = info->si_pid;
  last.uid = info->si_uid;
  last.status = signal == SIGCHLD ? info->si_status : 0;
  simple(signal);
}

/* Sends another signal, or the same one, from within. */
static volatile int sendFromWithin;
static void nesting(int signal)
{
  note('(');
  int send = sendFromWithin;
  sendFromWithin = 0;
  if (send)
    raise(send);
  note(signal == SIGUSR1 ? '1' : '2');
  note(')');
}

static void queued(int signal, siginfo_t *info, void *context)
{
  (void)signal;
  (void)context;
  note((char)('a' + info->si_value.sival_int));
}

static void on(int signal, void (*handler)(int), int flags, sigset_t *mask)
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  if (mask)
    action.sa_mask = *mask;
  CHECK(sigaction(signal, &action, NULL) == 0);
}

static void onInfo(int signal, void (*handler)(int, siginfo_t *, void *))
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  CHECK(sigaction(signal, &action, NULL) == 0);
}

static sigset_t setOf(int a, int b)
{
  sigset_t set;
  sigemptyset(&set);
  if (a)
    sigaddset(&set, a);
  if (b)
    sigaddset(&set, b);
  return set;
}

int main(void)
{
  sigset_t both = setOf(SIGUSR1, SIGUSR2), one = setOf(SIGUSR1, 0), nothing = setOf(0, 0), set;

  on(SIGUSR1, simple, 0, NULL);
  on(SIGUSR2, simple, 0, NULL);
  CHECK(kill(getpid(), SIGUSR1) == 0);
  CHECK(strcmp(happened(), "1") == 0);
  SAY("kill to oneself: handled before it returns");

  onInfo(SIGUSR1, informed);
  CHECK(kill(getpid(), SIGUSR1) == 0);
  CHECK(last.signal == SIGUSR1 && last.code == SI_USER && last.pid == getpid() && last.uid == getuid());
  CHECK(raise(SIGUSR1) == 0);
  CHECK(last.code == SI_TKILL && last.pid == getpid());
  CHECK(strcmp(happened(), "11") == 0);
  SAY("siginfo: SI_USER from kill, SI_TKILL from raise");

  on(SIGUSR1, simple, 0, NULL);
  CHECK(sigprocmask(SIG_BLOCK, &one, &set) == 0 && !sigismember(&set, SIGUSR1));
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  CHECK(strcmp(happened(), "") == 0);
  CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2));
  CHECK(sigprocmask(SIG_UNBLOCK, &one, NULL) == 0);
  CHECK(strcmp(happened(), "1") == 0);
  CHECK(sigpending(&set) == 0 && !sigismember(&set, SIGUSR1));
  SAY("blocked: pending, once");

  /* Several at once: frames are built from the lowest number up, so the highest runs first. */
  sigprocmask(SIG_BLOCK, &both, NULL);
  raise(SIGUSR2);
  raise(SIGUSR1);
  sigprocmask(SIG_UNBLOCK, &both, NULL);
  CHECK(strcmp(happened(), "21") == 0);
  /* Unless the handler of the lower one blocks the other while it runs. */
  on(SIGUSR1, simple, 0, &both);
  sigprocmask(SIG_BLOCK, &both, NULL);
  raise(SIGUSR2);
  raise(SIGUSR1);
  sigprocmask(SIG_UNBLOCK, &both, NULL);
  CHECK(strcmp(happened(), "12") == 0);
  SAY("two pending: order, and sa_mask");

  on(SIGUSR1, nesting, 0, NULL);
  on(SIGUSR2, nesting, 0, NULL);
  sendFromWithin = SIGUSR2;
  raise(SIGUSR1);
  CHECK(strcmp(happened(), "((2)1)") == 0);
  sendFromWithin = SIGUSR1;
  raise(SIGUSR1);
  CHECK(strcmp(happened(), "(1)(1)") == 0);
  on(SIGUSR1, nesting, SA_NODEFER, NULL);
  sendFromWithin = SIGUSR1;
  raise(SIGUSR1);
  CHECK(strcmp(happened(), "((1)1)") == 0);
  on(SIGUSR1, nesting, 0, &both);
  sendFromWithin = SIGUSR2;
  raise(SIGUSR1);
  CHECK(strcmp(happened(), "(1)(2)") == 0);
  SAY("nested handlers, SA_NODEFER");

  struct sigaction action;
  on(SIGUSR1, simple, SA_RESETHAND, NULL);
  raise(SIGUSR1);
  CHECK(strcmp(happened(), "1") == 0);
  CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
  SAY("SA_RESETHAND: once");

  signal(SIGUSR1, SIG_IGN);
  raise(SIGUSR1);
  on(SIGUSR1, simple, 0, NULL);
  sigprocmask(SIG_BLOCK, &one, NULL);
  raise(SIGUSR1);
  signal(SIGUSR1, SIG_IGN); /* what is pending is forgotten */
  CHECK(sigpending(&set) == 0 && !sigismember(&set, SIGUSR1));
  on(SIGUSR1, simple, 0, NULL);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
  CHECK(strcmp(happened(), "") == 0);
  SAY("SIG_IGN");

  sigprocmask(SIG_BLOCK, &one, NULL);
  raise(SIGUSR1);
  CHECK_ERRNO(sigsuspend(&nothing), EINTR);
  CHECK(strcmp(happened(), "1") == 0);
  CHECK(sigprocmask(SIG_UNBLOCK, &one, &set) == 0 && sigismember(&set, SIGUSR1));
  SAY("sigsuspend: handled, and the mask is back");

  /* Real-time signals queue, with a value each, and are handled one after the other in that order. */
  sigset_t rt = setOf(SIGRTMIN, 0);
  onInfo(SIGRTMIN, queued);
  sigprocmask(SIG_BLOCK, &rt, NULL);
  for (int i = 0; i < 3; i++)
    CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
  sigprocmask(SIG_UNBLOCK, &rt, NULL);
  CHECK(strcmp(happened(), "abc") == 0);
  SAY("real-time signals queue");

  onInfo(SIGCHLD, informed);
  sigset_t chld = setOf(SIGCHLD, 0);
  sigprocmask(SIG_BLOCK, &chld, NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0)
    _exit(5);
  while (count == 0)
    sigsuspend(&nothing);
  CHECK(strcmp(happened(), "c") == 0);
  CHECK(last.code == CLD_EXITED && last.pid == child && last.status == 5);
  int status;
  CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);

  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    sigprocmask(SIG_UNBLOCK, &chld, NULL);
    for (;;)
      pause();
  }
  CHECK(kill(child, SIGTERM) == 0);
  while (count == 0)
    sigsuspend(&nothing);
  CHECK(strcmp(happened(), "c") == 0);
  CHECK(last.code == CLD_KILLED && last.pid == child && last.status == SIGTERM);
  CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
  sigprocmask(SIG_UNBLOCK, &chld, NULL);
  SAY("SIGCHLD: exited, killed");

  /* A child inherits handlers and mask, but nothing that is pending. */
  on(SIGUSR1, simple, 0, NULL);
  sigprocmask(SIG_BLOCK, &one, NULL);
  raise(SIGUSR1);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    sigpending(&set);
    int bad = sigismember(&set, SIGUSR1);
    sigprocmask(SIG_UNBLOCK, &one, &set);
    bad |= !sigismember(&set, SIGUSR1) || count != 0;
    raise(SIGUSR1);
    _exit(bad || count != 1);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
  happened();
  SAY("fork: handlers and mask, not what is pending");

  child = fork();
  CHECK(child >= 0);
  if (child == 0)
    abort();
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  SAY("abort");

  CHECK(kill(getpid(), 0) == 0);
  CHECK_ERRNO(kill(getpid(), 65), EINVAL);
  CHECK_ERRNO(kill(0x3ffffff, SIGUSR1), ESRCH);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGKILL, &action, NULL, 8), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
  CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 77, &one, NULL, 8), EINVAL);
  SAY("EINVAL, ESRCH");
  return 0;
}
