/* Which clocks there are, who sleeps by them, and who may set them. */
#define _GNU_SOURCE
#include "show.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)

struct timex_ {
  unsigned modes;
  long offset, freq, maxerror, esterror;
  int status;
  long constant, precision, tolerance, seconds, part, tick, pulse[8];
  int tai, padding[11];
};

static struct timespec brief = {0, 1000000}, got;
static volatile int stop;

static void ring(int signal)
{
  (void)signal;
}

static void *spin(void *arg)
{
  (void)arg;
  while (!stop)
    ;
  return 0;
}

static void each(void)
{
  for (int id = -12; id <= 12; id++) {
    SAY("-- clock %d", id);
    SHOW(CALL(clock_gettime, id, &got));
    SHOW(CALL(clock_getres, id, &got));
    if (id == -8 || id == -7 || id == -6 || id == 2)
      continue;
    SHOW(CALL(clock_nanosleep, id, 0, &brief, 0));
    SHOW(CALL(clock_nanosleep, id, 0, 0, 0));
  }
}

static void resolution(void)
{
  static const int ids[] = {-8, -7, -6, -4, -3, -2, 0, 1, 2, 3, 4, 7, 11};
  for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
    CHECK(CALL(clock_getres, ids[i], &got) == 0);
    SAY("resolution of %d: %s", ids[i], got.tv_nsec == 1 && got.tv_sec == 0 ? "1 ns" : "ticks");
  }
}

/* A signal ends a sleep, and there is no place for what is left. */
static void interrupted(int flags)
{
  struct sigaction action = {.sa_handler = ring, .sa_flags = flags};
  struct itimerval soon = {{0, 0}, {0, 20000}};
  struct timespec ten = {10, 0};
  CHECK(sigaction(SIGALRM, &action, 0) == 0);
  CHECK(setitimer(ITIMER_REAL, &soon, 0) == 0);
  SHOW(CALL(nanosleep, &ten, (void *)8));
  CHECK(setitimer(ITIMER_REAL, &soon, 0) == 0);
  SHOW(CALL(clock_nanosleep, CLOCK_REALTIME, 0, &ten, (void *)8));
  CHECK(setitimer(ITIMER_REAL, &soon, 0) == 0);
  SHOW(CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, &ten, &got));
  SAY("%ld s left", (long)got.tv_sec);
  CHECK(setitimer(ITIMER_REAL, &soon, 0) == 0);
  got.tv_sec = 1;
  SHOW(CALL(clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &ten, &got));
  SAY("%ld s left", (long)got.tv_sec);
}

/* The time of the process passes while another of its threads works. */
static void cpuTime(void)
{
  struct timespec before, after, some = {0, 20000000};
  pthread_t thread;
  CHECK(pthread_create(&thread, 0, spin, 0) == 0);
  CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before) == 0);
  SHOW(CALL(clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &some, 0));
  CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after) == 0);
  long ns = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
  SAY("slept %s", ns >= some.tv_nsec ? "so long" : "too short");
  SHOW(CALL(clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &after, 0));
  stop = 1;
  CHECK(pthread_join(thread, 0) == 0);
}

/* Run as a user, who may set none. */
static void setting(void)
{
  struct timespec now, bad = {0, 1000000000}, before = {-1, 0};
  struct timeval us, badUs = {0, 1000001}, later = {0, 1000000};
  int zone[2] = {0, 0}, far[2] = {901, 0};
  struct timex_ timex;
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0 && gettimeofday(&us, 0) == 0);
  SAY("-- setting");
  SHOW(CALL(clock_settime, CLOCK_REALTIME, &now));
  SHOW(CALL(clock_settime, CLOCK_REALTIME, &bad));
  SHOW(CALL(clock_settime, CLOCK_REALTIME, &before));
  SHOW(CALL(clock_settime, CLOCK_REALTIME, 0));
  for (int id = 1; id <= 12; id++)
    SHOW(CALL(clock_settime, id, &now));
  SHOW(CALL(clock_settime, CLOCK_MONOTONIC, 0));
  for (int id = -12; id < 0; id++)
    SHOW(CALL(clock_settime, id, &now));
  SHOW(CALL(clock_settime, -2, 0));
  SHOW(CALL(settimeofday, &us, 0));
  SHOW(CALL(settimeofday, 0, zone));
  SHOW(CALL(settimeofday, 0, far));
  SHOW(CALL(settimeofday, &badUs, 0));
  SHOW(CALL(settimeofday, &later, 0));
  SHOW(CALL(settimeofday, 8, 0));
  SHOW(CALL(settimeofday, 0, 8));
  SHOW(CALL(settimeofday, 0, 0));
  SAY("-- adjtimex");
  memset(&timex, 0, sizeof timex);
  CHECK(CALL(adjtimex, &timex) >= 0);
  SAY("precision %ld tolerance %ld", timex.precision, timex.tolerance);
  static const unsigned modes[] = {1, 2, 4, 8, 0x10, 0x20, 0x80, 0x100, 0x1000, 0x2000, 0x4000, 0x8000, 0x8001, 0xa000, 0xa101};
  for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
    memset(&timex, 0, sizeof timex);
    timex.modes = modes[i];
    SAY("modes %x", modes[i]);
    SHOW(CALL(adjtimex, &timex));
  }
  memset(&timex, 0, sizeof timex);
  timex.modes = 0xa001;
  SAY("read what adjtime has left: %s", CALL(adjtimex, &timex) >= 0 ? "yes" : "no");
  SHOW(CALL(adjtimex, 0));
  timex.modes = 0;
  SAY("of a clock: %s", CALL(clock_adjtime, CLOCK_REALTIME, &timex) >= 0 ? "yes" : "no");
  SHOW(CALL(clock_adjtime, CLOCK_REALTIME, 0));
  for (int id = -12; id <= 12; id++)
    if (id != 0)
      SHOW(CALL(clock_adjtime, id, &timex));
}

int main(void)
{
  each();
  resolution();
  interrupted(0);
  interrupted(SA_RESTART);
  cpuTime();
  CHECK(CALL(setresuid, 65534, 65534, 65534) == 0);
  setting();
  return 0;
}
