/* RLIMIT_NPROC: how many processes and threads a user may have, and when execve and execveat look at that. */
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
  return error == 0 ? "ok" : error == EAGAIN ? "EAGAIN" : error == ENOENT ? "ENOENT" : error == EFAULT ? "EFAULT" : error == EINVAL ? "EINVAL" : error == ENAMETOOLONG ? "ENAMETOOLONG" : strerror(error);
}

static const char *outcome(long result) { return name_of(result < 0 ? errno : 0); }

static char program[4096];

static void limit(int most) {
  struct rlimit limit = {most, most};
  setrlimit(RLIMIT_NPROC, &limit);
}

static int become(int uid) { return syscall(SYS_setresuid, uid, uid, uid); }

/* Starts a process that becomes this user, and ends when what is answered is closed. */
static int another(int uid) {
  int hold[2], ready[2];
  char byte;
  pipe(hold);
  pipe(ready);
  if (fork() == 0) {
    become(uid);
    write(ready[1], "", 1);
    close(hold[1]);
    read(hold[0], &byte, 1);
    _exit(0);
  }
  read(ready[0], &byte, 1);
  close(ready[0]), close(ready[1]), close(hold[0]);
  return hold[1];
}

static void run_itself(const char *title) {
  char *arguments[] = {program, "says it runs", NULL};
  execv(program, arguments);
  printf("  %s: %s\n", title, outcome(-1));
}

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
  run_itself("exec");
}

static void many(void) {
  /* One more process of that user than there may be, who becomes it after it was made. */
  int other = another(12347);
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
  printf("  exec with flags that there are not: %s\n", outcome(syscall(SYS_execveat, -100, program, arguments, NULL, 0x8000)));
  close(other);
  usleep(20000);
  run_itself("exec when the other has ended");
}

/* What execveat looks at first. */
static void execveat_order(void) {
  static char longest[5000];
  char *arguments[] = {program, NULL};
  memset(longest, 'a', sizeof longest - 1);
  printf("  with a bad path: %s\n", outcome(syscall(SYS_execveat, -100, 8, arguments, NULL, 0x8000)));
  printf("  without a path: %s\n", outcome(syscall(SYS_execveat, -100, "", arguments, NULL, 0x8000)));
  printf("  with one too long: %s\n", outcome(syscall(SYS_execveat, -100, longest, arguments, NULL, 0x8000)));
  printf("  with one of nothing: %s\n", outcome(syscall(SYS_execveat, -100, "/nowhere", arguments, NULL, 0x8000)));
  printf("  with bad arguments: %s\n", outcome(syscall(SYS_execveat, -100, "/nowhere", 8, NULL, 0x8000)));
}

static void few(void) {
  limit(2);
  printf("  becoming another: %s\n", outcome(become(12348)));
  limit(0);
  printf("  fork: %s\n", outcome(fork()));
  run_itself("exec");
}

static void raised(void) {
  struct rlimit none = {0, 5};
  another(12349);
  setrlimit(RLIMIT_NPROC, &none);
  printf("  becoming one too many: %s\n", outcome(become(12349)));
  none.rlim_cur = 5;
  setrlimit(RLIMIT_NPROC, &none);
  pid_t pid = fork();
  if (pid == 0) {
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NPROC, &none);
    run_itself("exec of the child when it was lowered again");
    _exit(0);
  }
  const char *said = outcome(pid);
  waitpid(pid, NULL, 0);
  printf("  fork when it was raised: %s\n", said);
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NPROC, &none);
  run_itself("exec");
}

static void again(void) {
  struct rlimit none = {0, 5};
  another(12350);
  setrlimit(RLIMIT_NPROC, &none);
  syscall(SYS_setresuid, 12350, -1, 12351);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  printf("  fork with root's rights: %s\n", outcome(pid));
  syscall(SYS_setresuid, 0, -1, -1);
  pid = fork();
  if (pid == 0) _exit(0);
  printf("  back again, fork: %s\n", outcome(pid));
  run_itself("exec");
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
  apart("flags that execveat does not know", execveat_order);
  apart("not one too many at that time", few);
  apart("the limit was raised in between", raised);
  apart("back to root", again);
  struct rlimit here, signals;
  getrlimit(RLIMIT_NPROC, &here);
  getrlimit(RLIMIT_SIGPENDING, &signals);
  printf("as many signals as processes: %s\n", here.rlim_cur == signals.rlim_cur && here.rlim_max == signals.rlim_max ? "yes" : "no");
  return 0;
}
