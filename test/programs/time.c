/* Clocks that go forward, and sleep that lasts at least as long as asked for. */
#define _GNU_SOURCE
#include "check.h"
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

static int64_t now(clockid_t clock)
{
  struct timespec t;
  CHECK(clock_gettime(clock, &t) == 0);
  CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(void)
{
  int64_t before = now(CLOCK_MONOTONIC);
  for (int i = 0; i < 1000; i++) {
    int64_t next = now(CLOCK_MONOTONIC);
    CHECK(next >= before);
    before = next;
  }
  CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= 0 && now(CLOCK_MONOTONIC_RAW) > 0 && now(CLOCK_BOOTTIME) > 0);
  SAY("monotonic");

  struct timeval tv;
  CHECK(gettimeofday(&tv, NULL) == 0);
  time_t seconds = time(NULL);
  int64_t real = now(CLOCK_REALTIME) / 1000000000;
  CHECK(seconds - tv.tv_sec <= 1 && real - seconds <= 1 && real >= tv.tv_sec);
  CHECK(seconds > 1600000000); /* after 2020 */
  SAY("time of day");

  struct timespec t;
  CHECK(clock_getres(CLOCK_MONOTONIC, &t) == 0 && t.tv_sec == 0 && t.tv_nsec > 0);
  CHECK_ERRNO(clock_gettime(9999, &t), EINVAL);
  SAY("resolution");

  t = (struct timespec){0, 2000000};
  int64_t start = now(CLOCK_MONOTONIC);
  CHECK(nanosleep(&t, NULL) == 0);
  CHECK(now(CLOCK_MONOTONIC) - start >= 2000000);
  int64_t until = now(CLOCK_MONOTONIC) + 3000000;
  t = (struct timespec){until / 1000000000, until % 1000000000};
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0);
  CHECK(now(CLOCK_MONOTONIC) >= until);
  CHECK(usleep(1000) == 0);
  t = (struct timespec){0, 1000000000};
  CHECK_ERRNO(nanosleep(&t, NULL), EINVAL);
  SAY("sleep");

  struct tm *tm = gmtime(&(time_t){1000000000});
  char text[32];
  CHECK(tm && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", tm) > 0);
  SAY("a thousand million seconds: %s", text);
  return 0;
}
