/*
 * The time of day is set, and with it what waits for one. Only in the machine: elsewhere that would be somebody's clock.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <time.h>

#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)
#define TOMORROW 86400
#define FUTEX_WAIT_BITSET_PRIVATE_REALTIME (9 | 128 | 256)

static volatile int rung;

static void ring(int signal)
{
  (void)signal;
  rung++;
}

static time_t now(clockid_t clock)
{
  struct timespec time;
  CHECK(clock_gettime(clock, &time) == 0);
  return time.tv_sec;
}

static int set(time_t seconds, long ns)
{
  struct timespec time = {seconds, ns};
  return CALL(clock_settime, CLOCK_REALTIME, &time);
}

static long bootTime(void)
{
  char text[4096];
  int fd = open("/proc/stat", O_RDONLY);
  ssize_t length = read(fd, text, sizeof text - 1);
  CHECK(fd >= 0 && length > 0 && close(fd) == 0);
  text[length] = 0;
  return atol(strstr(text, "btime ") + 6);
}

static void shows(void)
{
  time_t monotonic = now(CLOCK_MONOTONIC), boot = bootTime();
  struct timespec time;
  struct timeval us;
  struct stat s;
  CHECK(set(4000000000, 123456789) == 0);
  CHECK(clock_gettime(CLOCK_REALTIME, &time) == 0);
  CHECK(time.tv_sec == 4000000000 && time.tv_nsec >= 123456789 && time.tv_nsec < 200000000);
  CHECK(gettimeofday(&us, 0) == 0 && us.tv_sec == 4000000000 && us.tv_usec >= 123456);
  CHECK(now(CLOCK_REALTIME_COARSE) == 4000000000 && now(CLOCK_TAI) == 4000000000);
  CHECK(now(CLOCK_MONOTONIC) - monotonic <= 1);
  CHECK(close(open("/tmp/set-time", O_CREAT | O_RDWR, 0600)) == 0 && stat("/tmp/set-time", &s) == 0);
  CHECK(s.st_mtime == 4000000000 && unlink("/tmp/set-time") == 0);
  CHECK(bootTime() > boot + 1000000000);
  /* Back, and no further than the machine is old. */
  us.tv_sec = 1000000000;
  us.tv_usec = 0;
  int zone[2] = {-60, 1}, told[2];
  CHECK(CALL(settimeofday, &us, zone) == 0 && CALL(gettimeofday, &us, told) == 0);
  CHECK(us.tv_sec == 1000000000 && told[0] == -60 && told[1] == 1);
  struct timespec nap = {1, 1};
  CHECK(nanosleep(&nap, 0) == 0);
  CHECK(set(0, 0) == -1 && errno == EINVAL);
  CHECK(set(9223372036, 0) == -1 && errno == EINVAL);
  CHECK(set(1000000000, 0) == 0);
}

static void *sleepUntil(void *until)
{
  struct timespec time = {*(time_t *)until, 0};
  CHECK(CALL(clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &time, 0) == 0);
  return 0;
}

static int word;

static void *waitUntil(void *until)
{
  struct timespec time = {*(time_t *)until, 0};
  CHECK(CALL(futex, &word, FUTEX_WAIT_BITSET_PRIVATE_REALTIME, 0, &time, 0, -1) == -1 && errno == ETIMEDOUT);
  return 0;
}

/* What waits for tomorrow goes on when it is tomorrow, and what waits for two hours does not. */
static void moves(void)
{
  time_t today = now(CLOCK_REALTIME), until = today + TOMORROW, start = now(CLOCK_MONOTONIC);
  pthread_t sleeper, waiter;
  CHECK(pthread_create(&sleeper, 0, sleepUntil, &until) == 0 && pthread_create(&waiter, 0, waitUntil, &until) == 0);
  struct sigaction action = {.sa_handler = ring};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  CHECK(sigaction(SIGUSR1, &action, 0) == 0);
  timer_t absolute, relative;
  CHECK(timer_create(CLOCK_REALTIME, &event, &absolute) == 0 && timer_create(CLOCK_REALTIME, &event, &relative) == 0);
  struct itimerspec at = {{0, 0}, {until, 0}}, in = {{0, 0}, {7200, 0}}, left;
  CHECK(timer_settime(absolute, TIMER_ABSTIME, &at, 0) == 0 && timer_settime(relative, 0, &in, 0) == 0);
  int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), steady = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
  CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, 0) == 0 && timerfd_settime(steady, 0, &in, 0) == 0);
  struct timespec nap = {0, 10000000};
  CHECK(nanosleep(&nap, 0) == 0 && rung == 0);

  CHECK(set(today + 3600, 0) == 0);
  CHECK(timer_gettime(absolute, &left) == 0 && left.it_value.tv_sec / 60 == (TOMORROW - 3600) / 60 - 1);
  CHECK(timer_gettime(relative, &left) == 0 && left.it_value.tv_sec >= 7100);
  CHECK(timerfd_gettime(fd, &left) == 0 && left.it_value.tv_sec / 60 == (TOMORROW - 3600) / 60 - 1);

  CHECK(set(until, 0) == 0);
  CHECK(pthread_join(sleeper, 0) == 0 && pthread_join(waiter, 0) == 0);
  CHECK(nanosleep(&nap, 0) == 0 || errno == EINTR);
  CHECK(rung == 1);
  uint64_t ticks;
  CHECK(read(fd, &ticks, 8) == 8 && ticks == 1);
  CHECK(read(steady, &ticks, 8) == -1 && errno == EAGAIN);
  CHECK(timer_delete(absolute) == 0 && timer_delete(relative) == 0 && close(fd) == 0 && close(steady) == 0);
  CHECK(now(CLOCK_MONOTONIC) - start < 100);
}

/* TFD_TIMER_CANCEL_ON_SET tells of a step. */
static void cancels(void)
{
  int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
  struct itimerspec at = {{0, 0}, {now(CLOCK_REALTIME) + 100, 0}};
  uint64_t ticks;
  CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, 0) == 0);
  CHECK(read(fd, &ticks, 8) == -1 && errno == EAGAIN);
  CHECK(set(at.it_value.tv_sec + 1000, 0) == 0);
  CHECK(read(fd, &ticks, 8) == -1 && errno == ECANCELED);
  CHECK(read(fd, &ticks, 8) == -1 && errno == EAGAIN);
  at.it_value.tv_sec += 5000;
  CHECK(set(at.it_value.tv_sec - 4000, 0) == 0);
  CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, 0) == -1 && errno == ECANCELED);
  CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, 0) == 0);
  CHECK(close(fd) == 0);
}

static void adjusts(void)
{
  struct {
    unsigned modes;
    long offset, freq, maxerror, esterror;
    int status;
    long constant, precision, tolerance, seconds, part, tick, pulse[8];
    int tai, padding[11];
  } t = {0};
  CHECK(CALL(adjtimex, &t) == 5 && t.status == 0x40 && t.maxerror == 16000000 && t.tick == 10000 && t.tai == 0);
  t.modes = 0x10 | 2 | 4;
  t.status = 0;
  t.freq = 40000000;
  t.maxerror = 0;
  CHECK(CALL(adjtimex, &t) == 0 && t.status == 0 && t.freq == 32768000 && t.maxerror == 0);
  struct timespec nap = {2, 1};
  CHECK(nanosleep(&nap, 0) == 0);
  t.modes = 0;
  CHECK(CALL(adjtimex, &t) == 0 && t.maxerror == 1000);
  t.modes = 0x80;
  t.constant = 37;
  CHECK(CALL(adjtimex, &t) == 0 && t.tai == 37 && now(CLOCK_TAI) - now(CLOCK_REALTIME) == 37);
  t.modes = 0x100;
  t.seconds = -3;
  t.part = 500000;
  time_t before = now(CLOCK_REALTIME);
  CHECK(CALL(adjtimex, &t) == 5 && before - now(CLOCK_REALTIME) >= 2 && t.status == 0x40);
  t.modes = 0x4000;
  t.tick = 8999;
  CHECK(CALL(adjtimex, &t) == -1 && errno == EINVAL);
}

int main(void)
{
  struct utsname name;
  if (uname(&name) != 0 || strstr(name.version, "Faultline") == 0)
    return 0;
  shows();
  moves();
  cancels();
  adjusts();
  return 0;
}
