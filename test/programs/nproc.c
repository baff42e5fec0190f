/* RLIMIT_NPROC: how many processes and threads a user may have, and when that is looked at. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *name_of(int error) {
  return error == 0 ? "ok" : error == EAGAIN ? "EAGAIN" : error == ENOENT ? "ENOENT" : error == EFAULT ? "EFAULT" : strerror(error);
}

static const char *outcome(long result) { return name_of(result < 0 ? errno : 0); }

static char program[4096];

static void limit(int most) {
  struct rlimit limit = {most, most};
  setrlimit(RLIMIT_NPROC, &limit);
}

static int become(int uid) { return syscall(SYS_setresuid, uid, uid, uid); }

/* In a process of its own, which prints what it finds. */
static void apart(const char *title, void (*what)(void)) {
  printf("%s\n", title);
  pid_t pid = fork();
  if (pid == 0) {
    what();
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  if (status != 0) printf("  status %x\n", status);
}

static void forks(void) {
  int hold[2];
  char byte;
  pipe(hold);
  limit(3);
  printf("  becoming another: %s\n", outcome(become(12345)));
  for (int i = 0; i < 3; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      close(hold[1]);
      read(hold[0], &byte, 1);
      _exit(0);
    }
    printf("  fork: %s\n", outcome(pid));
  }
  close(hold[1]);
  usleep(20000);
  printf("  beside zombies: %s\n", outcome(fork()));
  wait(NULL);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  printf("  when one was waited for: %s\n", outcome(pid));
  while (wait(NULL) > 0) continue;
}

static void *idle(void *argument) {
  char byte;
  read(*(int *)argument, &byte, 1);
  return NULL;
}

static void threads(void) {
  int hold[2];
  pthread_t some[3];
  pipe(hold);
  limit(3);
  become(12346);
  for (int i = 0; i < 3; i++) printf("  thread: %s\n", name_of(pthread_create(&some[i], NULL, idle, &hold[0])));
  printf("  fork: %s\n", outcome(fork()));
  close(hold[1]);
  pthread_join(some[0], NULL);
  pthread_join(some[1], NULL);
  usleep(20000);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  printf("  fork without them: %s\n", outcome(pid));
}

static void of_root(void) {
  limit(0);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  printf("  fork: %s\n", outcome(pid));
  wait(NULL);
  char *arguments[] = {program, "says it runs", NULL};
  execv(program, arguments);
  printf("  exec: %s\n", outcome(-1));
}

static void many(void) {
  /* One more process of that user than there may be, who becomes it after it was made. */
  int hold[2], ready[2];
  char byte;
  pipe(hold);
  pipe(ready);
  if (fork() == 0) {
    become(12347);
    write(ready[1], "", 1);
    close(hold[1]);
    read(hold[0], &byte, 1);
    _exit(0);
  }
  read(ready[0], &byte, 1);
  limit(0);
  printf("  becoming one too many: %s\n", outcome(become(12347)));
  printf("  fork: %s\n", outcome(fork()));
  char *arguments[] = {program, "says it runs", NULL};
  execv(program, arguments);
  printf("  exec: %s", outcome(-1));
  execv("/nowhere", arguments);
  printf(", of nothing: %s", outcome(-1));
  execv("", arguments);
  printf(", without a path: %s", outcome(-1));
  syscall(SYS_execve, 8, arguments, NULL);
  printf(", of a bad path: %s\n", outcome(-1));
  close(hold[1]);
  usleep(20000);
  execv(program, arguments);
  printf("  exec when the other has ended: %s\n", outcome(-1));
}

static void few(void) {
  limit(2);
  printf("  becoming another: %s\n", outcome(become(12348)));
  limit(0);
  printf("  fork: %s\n", outcome(fork()));
  char *arguments[] = {program, "says it runs", NULL};
  execv(program, arguments);
  printf("  exec: %s\n", outcome(-1));
}

static void raised(void) {
  int hold[2], ready[2];
  char byte;
  struct rlimit none = {0, 5};
  pipe(hold);
  pipe(ready);
  if (fork() == 0) {
    become(12349);
    write(ready[1], "", 1);
    close(hold[1]);
    read(hold[0], &byte, 1);
    _exit(0);
  }
  read(ready[0], &byte, 1);
  setrlimit(RLIMIT_NPROC, &none);
  printf("  becoming one too many: %s\n", outcome(become(12349)));
  none.rlim_cur = 5;
  setrlimit(RLIMIT_NPROC, &none);
  pid_t pid = fork();
  if (pid == 0) {
    char *arguments[] = {program, "says it runs", NULL};
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NPROC, &none);
    execv(program, arguments);
    printf("  exec of the child when it was lowered again: %s\n", outcome(-1));
    _exit(0);
  }
  const char *said = outcome(pid);
  waitpid(pid, NULL, 0);
  printf("  fork when it was raised: %s\n", said);
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NPROC, &none);
  char *arguments[] = {program, "says it runs", NULL};
  execv(program, arguments);
  printf("  exec: %s\n", outcome(-1));
}

static void again(void) {
  int hold[2], ready[2];
  char byte;
  struct rlimit none = {0, 5};
  pipe(hold);
  pipe(ready);
  if (fork() == 0) {
    become(12350);
    write(ready[1], "", 1);
    close(hold[1]);
    read(hold[0], &byte, 1);
    _exit(0);
  }
  read(ready[0], &byte, 1);
  setrlimit(RLIMIT_NPROC, &none);
  syscall(SYS_setresuid, 12350, -1, 12351);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  printf("  fork with root's rights: %s\n", outcome(pid));
  syscall(SYS_setresuid, 0, -1, -1);
  pid = fork();
  if (pid == 0) _exit(0);
  printf("  back again, fork: %s\n", outcome(pid));
  char *arguments[] = {program, "says it runs", NULL};
  execv(program, arguments);
  printf("  exec: %s\n", outcome(-1));
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc > 1 && strcmp(argv[1], "says it runs") == 0) {
    printf("  %s\n", argv[1]);
    return 0;
  }
  readlink("/proc/self/exe", program, sizeof program - 1);
  apart("forks", forks);
  apart("threads", threads);
  apart("root", of_root);
  apart("one too many", many);
  apart("not one too many at that time", few);
  apart("the limit was raised in between", raised);
  apart("back to root", again);
  struct rlimit here, signals;
  getrlimit(RLIMIT_NPROC, &here);
  getrlimit(RLIMIT_SIGPENDING, &signals);
  printf("as many signals as processes: %s\n", here.rlim_cur == signals.rlim_cur && here.rlim_max == signals.rlim_max ? "yes" : "no");
  return 0;
}
