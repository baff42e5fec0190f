/* Interval timers: alarm and setitimer. */
#define _GNU_SOURCE
#include "check.h"
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static volatile int rung;

static void ring(int signal)
{
  (void)signal;
  rung++;
}

static void set(int which, long interval_us, long value_us)
{
  struct itimerval timer = {{0, interval_us}, {0, value_us}};
  CHECK(setitimer(which, &timer, NULL) == 0);
}

int main(void)
{
  struct sigaction action = {.sa_handler = ring};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGVTALRM, &action, NULL) == 0 &&
        sigaction(SIGPROF, &action, NULL) == 0);

  set(ITIMER_REAL, 0, 5000);
  CHECK_ERRNO(pause(), EINTR);
  CHECK(rung == 1);
  SAY("once");

  set(ITIMER_REAL, 3000, 3000);
  while (rung < 5) pause();
  struct itimerval left;
  CHECK(getitimer(ITIMER_REAL, &left) == 0);
  CHECK(left.it_interval.tv_sec == 0 && left.it_interval.tv_usec == 3000);
  CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_usec > 0 && left.it_value.tv_usec <= 3000);
  CHECK(setitimer(ITIMER_REAL, NULL, NULL) == 0);
  CHECK(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_usec == 0 && left.it_interval.tv_usec == 0);
  SAY("again and again");

  CHECK(alarm(100) == 0);
  unsigned seconds = alarm(0);
  CHECK(seconds == 100 || seconds == 99);
  CHECK(alarm(0) == 0);
  SAY("called off");

  set(ITIMER_REAL, 0, 5000);
  CHECK_ERRNO(poll(NULL, 0, -1), EINTR);
  rung = 0;
  set(ITIMER_REAL, 0, 2000);
  while (rung == 0) /* a program that only computes hears it, too */;
  SAY("out of poll, and of no call at all");

  rung = 0;
  set(ITIMER_VIRTUAL, 0, 5000);
  while (rung == 0);
  set(ITIMER_PROF, 1000, 5000);
  while (rung < 4);
  set(ITIMER_PROF, 0, 0);
  SAY("time of the processor");

  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  CHECK(sigprocmask(SIG_BLOCK, &alarms, NULL) == 0);
  set(ITIMER_REAL, 2000, 2000);
  /* Ten of them went by: one is pending, and the timer goes on when that is taken. */
  usleep(20000);
  CHECK(sigtimedwait(&alarms, NULL, &(struct timespec){0, 0}) == SIGALRM);
  CHECK_ERRNO(sigtimedwait(&alarms, NULL, &(struct timespec){0, 0}), EAGAIN);
  CHECK(sigwaitinfo(&alarms, NULL) == SIGALRM);
  SAY("blocked");

  /* A child has no timer, and a new one of its own ends it. */
  set(ITIMER_REAL, 0, 100000);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_usec == 0);
    signal(SIGALRM, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &alarms, NULL);
    set(ITIMER_REAL, 0, 1000);
    for (;;) pause();
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
  SAY("ended by signal %d", WTERMSIG(status));

  CHECK_ERRNO(getitimer(3, &left), EINVAL);
  struct itimerval bad = {{0, 0}, {0, 1000000}};
  CHECK_ERRNO(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
  bad = (struct itimerval){{-1, 0}, {0, 0}};
  CHECK_ERRNO(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
  CHECK_ERRNO(setitimer(ITIMER_REAL, (void *)8, NULL), EFAULT);
  SAY("errors");
  return 0;
}
