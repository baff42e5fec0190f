/* unshare: what tasks had in common, and have each for themselves then. Run as root. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char stack[65536] __attribute__((aligned(16)));
static int s;

static int value(void)
{
  return semctl(s, 0, GETVAL);
}

static int up(void)
{
  struct sembuf one = {0, 1, SEM_UNDO};
  return semop(s, &one, 1);
}

/* Runs as a child that shares what the flags say. */
static void shared(const char *what, int (*child)(void *), int flags)
{
  SAY("-- %s", what);
  pid_t pid = clone(child, stack + sizeof stack, flags | SIGCHLD, 0);
  CHECK(pid > 0 && waitpid(pid, 0, 0) == pid);
}

static int alone(void *arg)
{
  (void)arg;
  SHOW(unshare(CLONE_FS));
  SHOW(unshare(CLONE_FILES));
  SHOW(unshare(CLONE_SYSVSEM));
  SHOW(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
  SHOW(unshare(CLONE_THREAD));
  SHOW(unshare(CLONE_SIGHAND));
  SHOW(unshare(CLONE_VM));
  SHOW(unshare(0));
  SHOW(unshare(1));
  SHOW(unshare(CLONE_PARENT));
  SHOW(unshare(CLONE_PTRACE | CLONE_FS));
  SHOW(unshare(CLONE_SETTLS));
  SHOW(unshare(CLONE_CHILD_CLEARTID));
  SHOW(unshare(SIGCHLD));
  return 0;
}

static int directory(void *arg)
{
  (void)arg;
  SHOW(unshare(CLONE_FS));
  SHOW(chdir("/proc"));
  umask(0777);
  return 0;
}

static int descriptors(void *arg)
{
  (void)arg;
  SHOW(unshare(CLONE_FILES));
  SHOW(close(9));
  SHOW(fcntl(9, F_GETFD));
  return 0;
}

static int semaphores(void *arg)
{
  (void)arg;
  SHOW(up());
  SHOW(unshare(CLONE_SYSVSEM));
  SHOW(value());
  SHOW(up());
  SHOW(value());
  SHOW(unshare(CLONE_SYSVSEM));
  SHOW(value());
  SHOW(up());
  return 0;
}

static void *thread(void *arg)
{
  (void)arg;
  SHOW(unshare(0));
  SHOW(unshare(CLONE_THREAD));
  SHOW(unshare(CLONE_SIGHAND));
  SHOW(unshare(CLONE_VM));
  SHOW(up());
  SHOW(value());
  SHOW(unshare(CLONE_SYSVSEM));
  SHOW(value());
  SHOW(up());
  SHOW(value());
  return 0;
}

static int threads(void *arg)
{
  (void)arg;
  pthread_t id;
  CHECK(pthread_create(&id, 0, thread, 0) == 0 && pthread_join(id, 0) == 0);
  SHOW(value());
  return 0;
}

static int user(void *arg)
{
  (void)arg;
  CHECK(setuid(60123) == 0);
  SHOW(unshare(CLONE_NEWNS));
  SHOW(unshare(CLONE_NEWUTS));
  SHOW(unshare(CLONE_NEWIPC | CLONE_FILES));
  SHOW(unshare(CLONE_NEWNET));
  SHOW(unshare(CLONE_NEWPID));
  return 0;
}

int main(void)
{
  s = semget(IPC_PRIVATE, 1, 0666);
  CHECK(s >= 0 && dup2(1, 9) == 9);
  mode_t mask = umask(022);
  shared("nothing shared", alone, 0);
  shared("memory and signals", alone, CLONE_VM | CLONE_SIGHAND);
  shared("memory", alone, CLONE_VM);
  shared("directory", directory, CLONE_FS);
  char here[200];
  CHECK(getcwd(here, sizeof here) != 0);
  SHOW(strcmp(here, "/proc") == 0);
  SHOW(umask(mask));
  shared("descriptors", descriptors, CLONE_FILES);
  SHOW(fcntl(9, F_GETFD));
  shared("semaphores of one's own", semaphores, 0);
  SHOW(value());
  shared("semaphores", semaphores, CLONE_SYSVSEM);
  SHOW(value());
  shared("threads", threads, 0);
  SHOW(value());
  shared("a user", user, 0);
  CHECK(semctl(s, 0, IPC_RMID) == 0);
  return 0;
}
