/*
 * Signals of timers that meet others of their number, and such that are ignored for a while. Nothing that is printed depends on
 * how long anything took, beyond tenths of a second.
 */
#define _GNU_SOURCE
#include "show.h"
#include <signal.h>
#include <time.h>

static struct {
  int code, value, missed;
} seen[8];
static int count;

static void handler(int signal, siginfo_t *info, void *context)
{
  (void)signal, (void)context;
  if (count < 8) {
    seen[count].code = info->si_code;
    seen[count].value = info->si_code == SI_TIMER ? info->si_value.sival_int : 0;
    seen[count].missed = info->si_code == SI_TIMER && info->si_overrun > 0;
  }
  count++;
}

static void shown(const char *what)
{
  SAY("%s: %d", what, count);
  for (int i = 0; i < count && i < 8; i++)
    SAY("  %s %d%s", seen[i].code == SI_TIMER ? "timer" : "kill", seen[i].value, seen[i].missed ? ", others missed" : "");
  count = 0;
}

static timer_t newTimer(int value, int signal)
{
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal, .sigev_value.sival_int = value};
  timer_t timer;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  return timer;
}

static void start(timer_t timer, long ms, long intervalMs)
{
  struct itimerspec setting = {{0, intervalMs * 1000000}, {0, ms * 1000000}};
  CHECK(timer_settime(timer, 0, &setting, NULL) == 0);
}

static void stop(timer_t timer)
{
  start(timer, 0, 0);
}

static void left(timer_t timer)
{
  struct itimerspec now;
  CHECK(timer_gettime(timer, &now) == 0);
  SAY("runs %d, interval %ld ms", now.it_value.tv_nsec > 0, now.it_interval.tv_nsec / 1000000);
}

static void handle(int signal)
{
  struct sigaction action = {.sa_flags = SA_SIGINFO, .sa_sigaction = handler};
  sigaction(signal, &action, NULL);
}

static void meeting(timer_t one, timer_t two, const sigset_t *usr1)
{
  sigprocmask(SIG_BLOCK, usr1, NULL);
  start(one, 20, 0);
  start(two, 40, 0);
  usleep(100000);
  sigprocmask(SIG_UNBLOCK, usr1, NULL);
  shown("two timers with one signal");
  sigprocmask(SIG_BLOCK, usr1, NULL);
  kill(getpid(), SIGUSR1);
  start(one, 20, 400);
  usleep(100000);
  sigprocmask(SIG_UNBLOCK, usr1, NULL);
  shown("one after kill");
  usleep(600000);
  shown("which goes on");
  stop(one);
}

static void ignoring(timer_t one, timer_t two, const sigset_t *usr1)
{
  signal(SIGUSR1, SIG_IGN);
  start(one, 20, 400);
  usleep(900000);
  left(one);
  handle(SIGUSR1);
  shown("ignored, and not any more");
  usleep(600000);
  shown("later");
  stop(one);
  signal(SIGUSR1, SIG_IGN);
  start(one, 20, 0);
  usleep(100000);
  left(one);
  handle(SIGUSR1);
  shown("ignored, once only");
  signal(SIGUSR1, SIG_IGN);
  start(one, 20, 20);
  usleep(100000);
  start(one, 20, 0);
  usleep(100000);
  handle(SIGUSR1);
  shown("ignored, and set anew to once");
  sigprocmask(SIG_BLOCK, usr1, NULL);
  start(one, 20, 800);
  start(two, 120, 800);
  usleep(60000);
  signal(SIGUSR1, SIG_IGN);
  sigprocmask(SIG_UNBLOCK, usr1, NULL);
  usleep(200000);
  sigprocmask(SIG_BLOCK, usr1, NULL);
  handle(SIGUSR1);
  sigprocmask(SIG_UNBLOCK, usr1, NULL);
  shown("one that was pending when it became ignored, and one that came later");
  stop(one);
  stop(two);
}

/* What is ignored by default is not taken up again. */
static void byDefault(void)
{
  timer_t timer = newTimer(3, SIGCHLD);
  start(timer, 20, 20);
  usleep(100000);
  handle(SIGCHLD);
  usleep(100000);
  shown("SIGCHLD, not ignored by choice");
  left(timer);
  stop(timer);
  signal(SIGCHLD, SIG_IGN);
  start(timer, 20, 400);
  usleep(900000);
  handle(SIGCHLD);
  shown("SIGCHLD, ignored by choice");
  SHOW(timer_delete(timer));
}

int main(void)
{
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  handle(SIGUSR1);
  timer_t one = newTimer(1, SIGUSR1), two = newTimer(2, SIGUSR1);
  meeting(one, two, &usr1);
  ignoring(one, two, &usr1);
  byDefault();
  return 0;
}
