/*
 * Scheduling calls: policies, priorities, nice values and processors of each thread, who inherits them, and which error
 * comes first. What depends on the number of processors is not shown.
 */
#define _GNU_SOURCE
#include "show.h"
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)
#define RESET 0x40000000

struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t utilMin, utilMax;
};

static int none = 0, five = 5, hundred = 100, minus = -1;

static void policies(void)
{
  int priority = 77;
  struct timespec time = {7, 7};
  SHOW(CALL(sched_getscheduler, 0));
  SHOW(CALL(sched_getscheduler, -1));
  SHOW(CALL(sched_getscheduler, 99999));
  SHOW(CALL(sched_getparam, 0, &priority));
  SAY("priority %d", priority);
  SHOW(CALL(sched_getparam, 0, NULL));
  SHOW(CALL(sched_getparam, 0, 8));
  SHOW(CALL(sched_getparam, -1, &priority));
  SHOW(CALL(sched_getparam, 99999, &priority));
  SHOW(CALL(sched_setscheduler, 0, 1, &none));
  SHOW(CALL(sched_setscheduler, 0, 1, &hundred));
  SHOW(CALL(sched_setscheduler, 0, 1, &minus));
  SHOW(CALL(sched_setscheduler, 0, 9, &none));
  SHOW(CALL(sched_setscheduler, 0, -1, &none));
  SHOW(CALL(sched_setscheduler, 0, 0, &five));
  SHOW(CALL(sched_setscheduler, 0, 0, NULL));
  SHOW(CALL(sched_setscheduler, 0, 0, 8));
  SHOW(CALL(sched_setscheduler, -1, 0, &none));
  SHOW(CALL(sched_setscheduler, 99999, 0, 8));
  SHOW(CALL(sched_setscheduler, 99999, 9, &none));
  SHOW(CALL(sched_setscheduler, 0, 3, &none));
  SHOW(CALL(sched_getscheduler, 0));
  SHOW(CALL(sched_setscheduler, 0, 5, &none));
  SHOW(CALL(sched_getscheduler, 0));
  SHOW(CALL(sched_setscheduler, 0, RESET, &none));
  SHOW(CALL(sched_getscheduler, 0));
  SHOW(CALL(sched_setparam, 0, &none));
  SHOW(CALL(sched_getscheduler, 0));
  SHOW(CALL(sched_setscheduler, 0, 1, &five));
  SHOW(CALL(sched_getscheduler, 0));
  SHOW(CALL(sched_rr_get_interval, 0, &time));
  SAY("%ld s %ld ns", (long)time.tv_sec, time.tv_nsec);
  SHOW(CALL(sched_setparam, 0, &none));
  SHOW(CALL(sched_setscheduler, 0, 2 | RESET, &five));
  SHOW(CALL(sched_rr_get_interval, 0, &time));
  SAY("%ld s %ld ns", (long)time.tv_sec, time.tv_nsec);
  SHOW(CALL(sched_rr_get_interval, -1, &time));
  SHOW(CALL(sched_rr_get_interval, 0, 8));
}

static void *inherits(void *arg)
{
  int priority = 77;
  CALL(sched_getparam, 0, &priority);
  SAY("a thread's: %ld, priority %d, nice %ld", CALL(sched_getscheduler, 0), priority, 20 - CALL(getpriority, 0, 0));
  SHOW(CALL(setpriority, 0, 0, 7));
  SHOW(CALL(sched_setscheduler, 0, 3, &none));
  SAY("the leader's: %ld, nice %ld", CALL(sched_getscheduler, getpid()), 20 - CALL(getpriority, 0, getpid()));
  return arg;
}

static void inheritance(void)
{
  pthread_t thread;
  int status;
  for (int i = 0; i < 2; i++) {
    pthread_create(&thread, NULL, inherits, NULL);
    pthread_join(thread, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit((int)CALL(sched_getscheduler, 0) * 40 + (int)CALL(getpriority, 0, 0));
    waitpid(child, &status, 0);
    SAY("a child's: %d, nice %d", WEXITSTATUS(status) / 40, 20 - WEXITSTATUS(status) % 40);
    SHOW(CALL(sched_setscheduler, 0, 0, &none));
    SHOW(CALL(setpriority, 0, 0, 3));
  }
  SHOW(CALL(getpriority, 0, 99999));
  /* All threads of the group are meant. */
  SHOW(CALL(setpriority, 1, 0, 0));
  SHOW(CALL(getpriority, 0, 0));
}

static void attributes(void)
{
  struct attributes a = {0};
  char big[200];
  SHOW(CALL(sched_getattr, 0, &a, sizeof a, 0));
  SAY("size %u, policy %u, nice %d, priority %u", a.size, a.policy, a.nice, a.priority);
  SHOW(CALL(sched_getattr, 0, &a, 47, 0));
  SHOW(CALL(sched_getattr, 0, &a, 4097, 0));
  SHOW(CALL(sched_getattr, 0, &a, 48, 1));
  SHOW(CALL(sched_getattr, 0, NULL, 48, 0));
  SHOW(CALL(sched_getattr, 99999, &a, 48, 0));
  SHOW(CALL(sched_getattr, 0, 8, 48, 0));
  SHOW(CALL(sched_getattr, 0, &a, 48, 0));
  SAY("size %u", a.size);
  memset(big, 1, sizeof big);
  SHOW(CALL(sched_getattr, 0, big, 200, 0));
  SAY("size %d, last byte %d", big[0], big[199]);
  a = (struct attributes){.size = 10};
  SHOW(CALL(sched_setattr, 0, &a, 0));
  SAY("size %u", a.size);
  memset(big, 0, sizeof big);
  big[0] = 100;
  big[70] = 1;
  SHOW(CALL(sched_setattr, 0, big, 0));
  SHOW(CALL(sched_setattr, 0, 8, 0));
  SHOW(CALL(sched_setattr, 0, NULL, 0));
  SHOW(CALL(sched_setattr, 0, &a, 1));
  a = (struct attributes){.size = 48, .nice = 5};
  SHOW(CALL(sched_setattr, -1, &a, 0));
  SHOW(CALL(sched_setattr, 99999, &a, 0));
  SHOW(CALL(sched_setattr, 0, &a, 0));
  SHOW(CALL(getpriority, 0, 0));
  a.flags = 0x100;
  SHOW(CALL(sched_setattr, 0, &a, 0));
  a.flags = 8;
  a.nice = 30;
  SHOW(CALL(sched_setattr, 0, &a, 0));
  SHOW(CALL(getpriority, 0, 0));
  a.policy = -1;
  SHOW(CALL(sched_setattr, 0, &a, 0));
  a.policy = 1;
  a.flags = 0;
  SHOW(CALL(sched_setattr, 0, &a, 0));
  a.priority = 9;
  SHOW(CALL(sched_setattr, 0, &a, 0));
  SHOW(CALL(sched_getattr, 0, &a, 48, 0));
  SAY("policy %u, nice %d, priority %u, runtime %d", a.policy, a.nice, a.priority, (int)a.runtime);
  a.flags = 0x20;
  SHOW(CALL(sched_setattr, 0, &a, 0));
  a = (struct attributes){.size = 0, .runtime = 5000000};
  SHOW(CALL(sched_setattr, 0, &a, 0));
  SHOW(CALL(sched_getattr, 0, &a, 48, 0));
  SAY("policy %u, nice %d, runtime %d", a.policy, a.nice, (int)a.runtime);
  for (int policy = -1; policy < 9; policy++) {
    SHOW(CALL(sched_get_priority_max, policy));
    SHOW(CALL(sched_get_priority_min, policy));
  }
}

static void processors(void)
{
  unsigned long all = ~0UL, nobody = 0, mask = 0;
  SHOW(CALL(sched_setaffinity, 0, 8, &all));
  SHOW(CALL(sched_setaffinity, 0, 8, &nobody));
  SHOW(CALL(sched_setaffinity, 0, 0, &all));
  SHOW(CALL(sched_setaffinity, 0, 1, &all));
  SHOW(CALL(sched_setaffinity, 0, 8, 8));
  SHOW(CALL(sched_setaffinity, -1, 8, &all));
  SHOW(CALL(sched_setaffinity, 99999, 8, &nobody));
  SHOW(CALL(sched_getaffinity, 0, 0, &mask));
  SHOW(CALL(sched_getaffinity, 0, 7, &mask));
  SHOW(CALL(sched_getaffinity, 0, 8, &mask));
  SAY("the first one: %lu", mask & 1);
  SHOW(CALL(sched_getaffinity, -1, 8, &mask));
  SHOW(CALL(sched_getaffinity, 0, 8, 8));
  unsigned cpu = 99, node = 99;
  mask = 1;
  SHOW(CALL(sched_setaffinity, 0, 8, &mask));
  SHOW(CALL(getcpu, &cpu, &node, NULL));
  SAY("cpu %u, node %u", cpu, node);
  SHOW(CALL(getcpu, NULL, NULL, NULL));
  SHOW(CALL(getcpu, 8, NULL, NULL));
  SHOW(CALL(sched_yield, 0));
}

int main(void)
{
  policies();
  inheritance();
  attributes();
  processors();
  return 0;
}
