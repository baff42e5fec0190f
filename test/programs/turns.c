/*
 * Nobody is left out: of two that fill one pipe each time that it has room, and time goes by for those
 * who do nothing but make calls.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static char bytes[65536];

static void two_writers(void)
{
  int pipes[2];
  long count[2] = {0, 0};
  pid_t child[2];
  CHECK(pipe(pipes) == 0);
  for (int i = 0; i < 2; i++) {
    child[i] = fork();
    if (child[i] == 0) {
      memset(bytes, 'a' + i, sizeof bytes);
      for (;;)
        if (write(pipes[1], bytes, sizeof bytes) < 0) _exit(1);
    }
  }
  for (int n = 0; n < 8 << 20;) {
    long got = read(pipes[0], bytes, sizeof bytes);
    CHECK(got > 0);
    for (long i = 0; i < got; i++) count[bytes[i] - 'a']++;
    n += got;
  }
  SAY("both have written: %d", count[0] > 1 << 20 && count[1] > 1 << 20);
  for (int i = 0; i < 2; i++) {
    kill(child[i], SIGKILL);
    waitpid(child[i], NULL, 0);
  }
}

static volatile sig_atomic_t is_over;

static void on_alarm(int signal)
{
  (void)signal;
  is_over = 1;
}

/* Calls take time: a tenth of a second is over long before ten million of them. */
static void a_while_of_calls(void)
{
  long calls = 0;
  signal(SIGALRM, on_alarm);
  ualarm(100000, 0);
  while (!is_over && calls < 10000000) {
    fcntl(0, F_GETFD);
    calls++;
  }
  SAY("it is over: %d", is_over && calls > 1000);
  struct timespec before, after;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  for (int i = 0; i < 10000; i++) fcntl(0, F_GETFD);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  long ns = (after.tv_sec - before.tv_sec) * 100000000L + after.tv_nsec - before.tv_nsec;
  SAY("ten thousand calls take their time: %d", ns > 300000);
}

int main(void)
{
  two_writers();
  a_while_of_calls();
  return 0;
}
