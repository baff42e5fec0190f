/*
 * fork and wait4: a tree of processes, each status, memory that is one's own.
 */
#define _GNU_SOURCE
#include "check.h"
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int level;     /* a private variable: each process counts its own */
static int data[5000] = {1};

/* Forks two children per level. Returns how many processes there are at and below this one. */
static int tree(int depth)
{
  if (depth == 0)
    return 1;
  pid_t children[2];
  for (int i = 0; i < 2; i++) {
    children[i] = fork();
    CHECK(children[i] >= 0);
    if (children[i] == 0) {
      level++;
      data[depth * 1000 + i] = level;
      _exit(tree(depth - 1));
    }
  }
  int total = 1;
  for (int i = 1; i >= 0; i--) {
    int status;
    CHECK(waitpid(children[i], &status, 0) == children[i]);
    CHECK(WIFEXITED(status));
    total += WEXITSTATUS(status);
  }
  CHECK(data[depth * 1000] == 0 && data[depth * 1000 + 1] == 0);
  return total;
}

int main(void)
{
  CHECK(tree(3) == 15);
  CHECK(level == 0 && data[0] == 1);
  SAY("a tree of 15 processes");

  int status;
  pid_t parent = getpid();
  for (int code = 0; code < 256; code += 51) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
      _exit(getppid() == parent && getpid() != parent ? code : 1);
    CHECK(wait(&status) == child && WIFEXITED(status) && WEXITSTATUS(status) == code && status == code << 8);
  }
  SAY("exit statuses");

  atomic_int *go = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(go != MAP_FAILED);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    while (!atomic_load(go))
      sched_yield();
    _exit(9);
  }
  CHECK(waitpid(child, &status, WNOHANG) == 0);
  CHECK(waitpid(-1, &status, WNOHANG) == 0);
  atomic_store(go, 1);
  pid_t done;
  while ((done = waitpid(child, &status, WNOHANG)) == 0)
    sched_yield();
  CHECK(done == child && WEXITSTATUS(status) == 9);
  SAY("WNOHANG");

  int signals[] = {SIGKILL, SIGTERM, SIGHUP, SIGUSR1};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
    child = fork();
    CHECK(child >= 0);
    if (child == 0)
      for (;;)
        pause();
    CHECK(kill(child, signals[i]) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
  }
  SAY("killed by a signal");

  /* A child that is dead but not waited for is still there. */
  child = fork();
  CHECK(child >= 0);
  if (child == 0)
    _exit(3);
  siginfo_t info;
  CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
  CHECK(info.si_pid == child && info.si_code == CLD_EXITED && info.si_status == 3);
  CHECK(kill(child, 0) == 0);
  struct rusage usage;
  CHECK(wait4(child, &status, 0, &usage) == child && WEXITSTATUS(status) == 3);
  CHECK(usage.ru_minflt > 0);
  CHECK_ERRNO(kill(child, 0), ESRCH);
  CHECK_ERRNO(waitpid(child, &status, 0), ECHILD);
  CHECK_ERRNO(wait(&status), ECHILD);
  SAY("a zombie, waitid, ECHILD");

  /* With SIGCHLD ignored nobody has to wait. */
  signal(SIGCHLD, SIG_IGN);
  child = fork();
  CHECK(child >= 0);
  if (child == 0)
    _exit(0);
  CHECK_ERRNO(waitpid(child, &status, 0), ECHILD);
  SAY("SIGCHLD ignored: no zombie");
  return 0;
}
