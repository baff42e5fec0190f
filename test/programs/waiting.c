/* A process that waits, while another makes calls: what the one waits for is its own all the same. */
#define _GNU_SOURCE
#include "check.h"
#include <poll.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static void nothing(int signal)
{
  (void)signal;
}

/* The child's descriptor of the same number is another pipe's. */
static void poll_own_descriptors(void)
{
  int a[2], b[2];
  CHECK(pipe(a) == 0 && pipe(b) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(dup2(b[0], a[0]) == a[0]);
    usleep(20000);
    CHECK(write(a[1], "x", 1) == 1);
    pause();
    _exit(0);
  }
  struct pollfd wanted = {a[0], POLLIN, 0};
  CHECK(poll(&wanted, 1, -1) == 1);
  SAY("poll: revents %x", wanted.revents);
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}

/* The rest of a sleep that a signal ended goes to the sleeper. */
static void sleep_own_memory(void)
{
  static struct timespec rest;
  struct sigaction action = {.sa_handler = nothing};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  pid_t parent = getpid();
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    usleep(20000);
    CHECK(kill(parent, SIGUSR1) == 0);
    usleep(20000);
    SAY("child: %ld s", (long)rest.tv_sec);
    _exit(0);
  }
  CHECK_ERRNO(nanosleep(&(struct timespec){50, 0}, &rest), EINTR);
  CHECK(waitpid(child, NULL, 0) == child);
  SAY("parent: %ld s", (long)rest.tv_sec);
}

/* What is left of a timeout is told, or stays unknown: then the call can't begin anew after a stop either. */
static void sticky_timeouts(void)
{
  for (int sticky = 0; sticky < 2; sticky++) {
    CHECK(personality(sticky ? STICKY_TIMEOUTS : PER_LINUX) >= 0);
    struct timespec time = {0, 5000000};
    CHECK(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &time, NULL) == 0);
    SAY("sticky %d: pselect leaves %ld ns", sticky, (long)time.tv_nsec);
    time.tv_nsec = 5000000;
    CHECK(syscall(SYS_ppoll, NULL, 0, &time, NULL, 0) == 0);
    SAY("sticky %d: ppoll leaves %ld ns", sticky, (long)time.tv_nsec);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      time.tv_nsec = 200000000;
      long answer = syscall(SYS_ppoll, NULL, 0, &time, NULL, 0);
      SAY("sticky %d: stopped and continued: %s", sticky, answer == 0 ? "0" : errno == EINTR ? "EINTR" : "another error");
      _exit(0);
    }
    usleep(20000);
    CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, NULL, WUNTRACED) == child);
    CHECK(kill(child, SIGCONT) == 0 && waitpid(child, NULL, 0) == child);
  }
}

int main(void)
{
  poll_own_descriptors();
  sleep_own_memory();
  sticky_timeouts();
  return 0;
}
