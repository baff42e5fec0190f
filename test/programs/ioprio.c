/* ioprio_set and ioprio_get. Run as root, in a process group of its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESS = 1, GROUP, USER };
enum { NONE = 0, RT = 1 << 13, BE = 2 << 13, IDLE = 3 << 13 };

#define DO(call) told(#call, call)

static void told(const char *call, long result) { printf("%s: %ld %d\n", call, result, result < 0 ? errno : 0); }

static long get(int which, int who) { return syscall(SYS_ioprio_get, which, who); }

static long set(int which, int who, int priority) { return syscall(SYS_ioprio_set, which, who, priority); }

static void by_nice(int nice) {
  setpriority(PRIO_PROCESS, 0, nice);
  printf("nice %d: %ld %ld\n", nice, get(PROCESS, 0), get(GROUP, 0));
}

static void by_policy(int policy, int priority) {
  struct sched_param param = {.sched_priority = priority};
  syscall(SYS_sched_setscheduler, 0, policy, &param);
  printf("policy %d: %ld %ld\n", policy, get(PROCESS, 0), get(GROUP, 0));
}

int main(void) {
  setpgid(0, 0);
  DO(get(PROCESS, 0));
  DO(get(PROCESS, getpid()));
  DO(get(GROUP, 0));
  by_nice(0);
  by_nice(19);
  by_nice(-20);
  by_nice(0);
  by_policy(5, 0);
  by_policy(1, 1);
  by_policy(0, 0);
  DO(get(0, 0));
  DO(get(4, 0));
  DO(get(PROCESS, 99999));
  DO(get(PROCESS, -1));
  DO(get(GROUP, 99999));
  DO(get(USER, 77));
  static const int wanted[] = {BE | 3,     BE | 7, BE | 8, BE | 15,  BE | 0x1fff, IDLE, IDLE | 5,        RT,
                               RT | 9,     NONE,   1,      8,        4 << 13,     7 << 13, 0x10000 | BE, -1};
  for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    long result = set(PROCESS, 0, wanted[i]);
    int failed = result < 0 ? errno : 0;
    printf("%x: %ld %d, %ld %ld\n", wanted[i], result, failed, get(PROCESS, 0), get(GROUP, 0));
  }
  DO(set(0, 0, 0));
  DO(set(4, 0, 0));
  DO(set(4, 0, 1));
  DO(set(PROCESS, 99999, 0));
  DO(set(GROUP, 99999, 0));
  DO(set(USER, 77, 0));
  DO(set(PROCESS, 0, BE | 5));
  fflush(stdout);
  if (fork() == 0) {
    DO(get(PROCESS, 0));
    DO(set(PROCESS, 0, BE | 1));
    DO(get(GROUP, 0));
    DO(set(GROUP, 0, BE | 6));
    DO(get(PROCESS, getppid()));
    setuid(1000);
    DO(set(PROCESS, 0, RT));
    DO(set(PROCESS, 0, IDLE));
    DO(get(USER, 0));
    DO(set(PROCESS, getppid(), BE));
    DO(set(GROUP, 0, BE));
    DO(get(PROCESS, getppid()));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  DO(get(GROUP, 0));
  return 0;
}
