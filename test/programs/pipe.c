/*
 * Pipes between parent and child: more than fits, end of file, nobody to read, signals during a read.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

static volatile int handled;
static void handler(int signal)
{
  (void)signal;
  handled++;
}

static void on(int signal, int flags)
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  CHECK(sigaction(signal, &action, NULL) == 0);
}

static void nap(void)
{
  struct timespec time = {0, 2000000};
  nanosleep(&time, NULL);
}

int main(void)
{
  int ends[2], status;
  char buffer[1000];
  CHECK(pipe(ends) == 0);
  CHECK(write(ends[1], "hello", 5) == 5 && read(ends[0], buffer, 3) == 3 && read(ends[0], buffer + 3, 100) == 2);
  CHECK(memcmp(buffer, "hello", 5) == 0);
  CHECK_ERRNO(lseek(ends[0], 0, SEEK_SET), ESPIPE);
  CHECK_ERRNO(write(ends[0], "x", 1), EBADF);
  SAY("within one process");

  /* Far more than a pipe holds: the writer waits for the reader, and the reader for the writer. */
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    static unsigned char all[300000];
    for (unsigned i = 0; i < sizeof all; i++)
      all[i] = (unsigned char)(i * 7 + i / 251);
    CHECK(close(ends[0]) == 0 && write(ends[1], all, sizeof all) == sizeof all);
    _exit(0);
  }
  CHECK(close(ends[1]) == 0);
  unsigned total = 0;
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    for (ssize_t i = 0; i < n; i++, total++)
      CHECK((unsigned char)buffer[i] == (unsigned char)(total * 7 + total / 251));
  CHECK(total == 300000 && close(ends[0]) == 0);
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  SAY("300000 bytes, then end of file");

  CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
  on(SIGPIPE, 0);
  CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
  CHECK(handled == 1 && close(ends[1]) == 0);
  CHECK(pipe(ends) == 0);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    signal(SIGPIPE, SIG_DFL);
    close(ends[0]);
    close(ends[1]);
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
    _exit(write(ends[1], "x", 1) == 1);
  }
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
  CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
  SAY("nobody reads: EPIPE and SIGPIPE");

  CHECK(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
  CHECK_ERRNO(read(ends[0], buffer, 1), EAGAIN);
  int held = 0;
  while (write(ends[1], buffer, sizeof buffer) == sizeof buffer)
    held++;
  CHECK(errno == EAGAIN && held == 64); /* 16 pages; 4 x 1000 bytes fill one, what is left over isn't used */
  CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
  SAY("O_NONBLOCK: EAGAIN");

  /* A signal ends a read that waits; with SA_RESTART it goes on waiting. */
  handled = 0;
  on(SIGUSR1, 0);
  CHECK(pipe(ends) == 0);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    for (;;) { /* again and again, since the first may come before the parent reads */
      nap();
      kill(getppid(), SIGUSR1);
    }
  }
  CHECK_ERRNO(read(ends[0], buffer, 1), EINTR);
  CHECK(handled > 0);
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
  handled = 0;
  on(SIGUSR1, SA_RESTART);
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    for (int i = 0; i < 5; i++) {
      nap();
      kill(getppid(), SIGUSR1);
    }
    nap();
    _exit(write(ends[1], "!", 1) != 1);
  }
  CHECK(read(ends[0], buffer, 1) == 1 && buffer[0] == '!' && handled > 0);
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  SAY("EINTR, SA_RESTART");
  return 0;
}
