/* Which numbers processes and threads get: in turn, again from 300 on behind the highest, and none that anybody bears. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int hold[2];

static int set(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  int result = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;
  close(fd);
  return result;
}

static long get(const char *path) {
  char text[32] = "";
  int fd = open(path, O_RDONLY);
  read(fd, text, sizeof text - 1);
  close(fd);
  return atol(text);
}

static const char *name_of(int error) {
  return error == 0 ? "ok" : error == EINVAL ? "EINVAL" : error == EEXIST ? "EEXIST" : error == EAGAIN ? "EAGAIN" : strerror(error);
}

/* A process that ends when the pipe is closed, or at once. */
static pid_t start(int stays) {
  pid_t pid = fork();
  if (pid == 0) {
    char byte;
    close(hold[1]);
    if (stays) read(hold[0], &byte, 1);
    _exit(0);
  }
  return pid;
}

static pid_t one_more(void) {
  pid_t pid = start(0);
  if (pid > 0) waitpid(pid, NULL, 0);
  return pid;
}

static void *number(void *tid) {
  *(pid_t *)tid = syscall(SYS_gettid);
  return NULL;
}

/* clone3 with a number of the caller's choice (struct clone_args: set_tid, set_tid_size). */
static const char *chosen(pid_t pid) {
  uint64_t arguments[11] = {[4] = SIGCHLD, [8] = (uintptr_t)&pid, [9] = 1};
  int got = syscall(435, arguments, sizeof arguments);
  if (got == 0) _exit(0);
  if (got > 0) waitpid(got, NULL, 0);
  return name_of(got < 0 ? errno : 0);
}

static void numbers(void) {
  static const char *const maxima[] = {"300", "301", "4194304", "4194305", "310"};
  pipe(hold);
  printf("pid_max %ld\n", get("/proc/sys/kernel/pid_max"));
  for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++)
    printf("  set to %s: %s\n", maxima[i], name_of(set("/proc/sys/kernel/pid_max", maxima[i])));
  printf("pid_max %ld\n", get("/proc/sys/kernel/pid_max"));
  pid_t last = one_more();
  while (last < 309) last = one_more();
  printf("behind %d comes %d\n", last, one_more());
  pid_t stays = start(1);
  printf("%d stays\n", stays);
  for (int i = 0; i < 11; i++) printf("%d ", last = one_more());
  printf("\n");

  /* A group keeps its number when the first of it is gone. */
  pid_t leader = fork();
  if (leader == 0) {
    setpgid(0, 0);
    if (fork() == 0) {
      char byte;
      close(hold[1]);
      read(hold[0], &byte, 1);
    }
    _exit(0);
  }
  waitpid(leader, NULL, 0);
  printf("group %d stays\n", leader);
  printf("  its number: %s, a process's %s, mine %s", chosen(leader), chosen(stays), chosen(getpid()));
  printf(", a free one %s, the highest %s, beyond %s, 0 %s\n", chosen(302), chosen(309), chosen(310), chosen(0));
  for (int i = 0; i < 11; i++) printf("%d ", last = one_more());
  printf("\n");

  /* And a zombie, until it was waited for. */
  pid_t zombie = start(0);
  siginfo_t info;
  waitid(P_PID, zombie, &info, WEXITED | WNOWAIT);
  printf("zombie %d\n", zombie);
  for (int i = 0; i < 8; i++) printf("%d ", last = one_more());
  printf("\n");
  waitpid(zombie, NULL, 0);
  for (int i = 0; i < 8; i++) printf("%d ", last = one_more());
  printf("\n");

  pid_t tid = 0;
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, number, &tid);
    pthread_join(thread, NULL);
    usleep(10000);
    printf("thread %d\n", tid);
  }

  /* Until there are none. */
  int count = 0;
  errno = 0;
  while (count < 20 && start(1) > 0) count++;
  printf("%d more: %s\n", count, name_of(errno));
  pthread_t thread;
  printf("a thread: %s\n", name_of(pthread_create(&thread, NULL, number, &tid)));
  close(hold[1]);
  while (wait(NULL) > 0) continue;
  printf("and again: %s\n", one_more() > 0 ? "ok" : name_of(errno));
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc > 1 && strcmp(argv[1], "apart") == 0) {
    /* On a kernel that is not the program's own: in a namespace of numbers, whose first process this is. */
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return 1;
    if (fork() != 0) return wait(NULL) < 0;
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    set("/proc/sys/kernel/pid_max", "32768");
  }
  numbers();
  printf("threads-max: 0 %s, more than can be %s\n", name_of(set("/proc/sys/kernel/threads-max", "0")),
         name_of(set("/proc/sys/kernel/threads-max", "1073741824")));
  return 0;
}
