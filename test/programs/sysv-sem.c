/* System V semaphores: what happens together, who waits for what and in which order, what is taken back. Run as root. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
/* C libraries differ in what they call them. */
#define strerror(error) ((error) == EIDRM ? "EIDRM" : (error) == ERANGE ? "ERANGE" : strerror(error))
#include "show.h"
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#ifndef SEM_STAT
#define SEM_STAT 18
#define SEM_INFO 19
#endif

union semun {
  int val;
  struct semid_ds *buf;
  unsigned short *array;
  struct seminfo *info;
};

/* Unknown to the compiler, which would warn. */
static char *volatile nowhere = (char *)8;

static int set(int s, int num, int value)
{
  return semctl(s, num, SETVAL, (union semun){.val = value});
}

static int get(int s, int num)
{
  return semctl(s, num, GETVAL);
}

/* count operations: number, operation and flags of each. */
static int op(int s, int count, ...)
{
  struct sembuf ops[8];
  va_list list;
  va_start(list, count);
  for (int i = 0; i < count; i++) {
    ops[i].sem_num = va_arg(list, int);
    ops[i].sem_op = va_arg(list, int);
    ops[i].sem_flg = va_arg(list, int);
  }
  va_end(list);
  return semop(s, ops, count);
}

static void values(const char *what, int s)
{
  unsigned short all[8];
  struct semid_ds ds;
  CHECK(semctl(s, 0, IPC_STAT, (union semun){.buf = &ds}) == 0);
  CHECK(ds.sem_nsems <= 8 && semctl(s, 0, GETALL, (union semun){.array = all}) == 0);
  printf("%s:", what);
  for (unsigned i = 0; i < ds.sem_nsems; i++) {
    int pid = semctl(s, i, GETPID);
    printf(" %d(%s, n %d, z %d)", all[i], pid == 0 ? "nobody" : pid == getpid() ? "here" : "there",
           semctl(s, i, GETNCNT), semctl(s, i, GETZCNT));
  }
  SAY(", semop %s", ds.sem_otime == 0 ? "never" : "done");
}

/* Those who wait for any. */
static int waiters(int s)
{
  struct semid_ds ds = {.sem_nsems = 0};
  semctl(s, 0, IPC_STAT, (union semun){.buf = &ds});
  int count = 0;
  for (unsigned i = 0; i < ds.sem_nsems; i++)
    count += semctl(s, i, GETNCNT) + semctl(s, i, GETZCNT);
  return count;
}

/* A child that has to wait for its operations, and exits with `name` when they are done. */
static pid_t waits(int s, int name, int count, ...)
{
  struct sembuf ops[8];
  va_list list;
  va_start(list, count);
  for (int i = 0; i < count; i++) {
    ops[i].sem_num = va_arg(list, int);
    ops[i].sem_op = va_arg(list, int);
    ops[i].sem_flg = va_arg(list, int);
  }
  va_end(list);
  int before = waiters(s);
  pid_t child = fork();
  if (child == 0) {
    int result = semop(s, ops, count);
    _exit(result == 0 ? name : errno == EIDRM ? 101 : errno == EAGAIN ? 102 : errno == ERANGE ? 103 : errno == EINTR ? 104 : 105);
  }
  while (waiters(s) == before)
    sched_yield();
  return child;
}

/* Those that went on, by their names, and that wait still. Whoever can go on is out of the queues when semop returns. */
static void gone(const char *what, int s, int n, pid_t *children)
{
  int names[8] = {0}, there = 0, left = waiters(s);
  for (int i = 0; i < n; i++)
    there += children[i] != 0;
  while (there > left) {
    int status;
    pid_t child = wait(&status);
    CHECK(child > 0);
    for (int i = 0; i < n; i++) {
      if (children[i] != child)
        continue;
      names[i] = WEXITSTATUS(status);
      children[i] = 0;
      there--;
    }
  }
  printf("%s:", what);
  for (int i = 0; i < n; i++)
    names[i] == 0 ? printf(" -") : printf(" %d", names[i]);
  SAY(", %d wait", left);
}

static void single(void)
{
  SAY("-- one at a time");
  int s = semget(IPC_PRIVATE, 3, 0600);
  CHECK(s >= 0);
  values("new", s);
  SHOW(op(s, 1, 0, 3, 0));
  SHOW(op(s, 1, 0, -2, 0));
  SHOW(op(s, 1, 0, -2, IPC_NOWAIT));
  SHOW(op(s, 1, 0, 0, IPC_NOWAIT));
  SHOW(op(s, 1, 1, 0, 0));
  values("then", s);
  SHOW(op(s, 1, 3, 0, 0));
  SHOW(op(s, 1, 0, 32767, 0));
  SHOW(op(s, 1, 0, 32766, 0));
  SHOW(op(s, 1, 0, 1, 0));
  SHOW(op(s, 1, 0, -32767, 0));
  SHOW(op(s, 1, 0, -32768, IPC_NOWAIT));
  SHOW(set(s, 1, 32767));
  SHOW(set(s, 1, 32768));
  SHOW(set(s, 1, -1));
  SHOW(set(s, 3, 1));
  SHOW(set(s, -1, 1));
  values("then", s);
  SAY("-- several at a time");
  unsigned short all[3] = {1, 2, 3};
  SHOW(semctl(s, 0, SETALL, (union semun){.array = all}));
  SHOW(op(s, 3, 0, -1, 0, 1, -2, 0, 2, -3, 0));
  values("all", s);
  SHOW(op(s, 2, 0, 1, 0, 1, -1, IPC_NOWAIT));
  values("none", s);
  SHOW(op(s, 3, 0, 2, 0, 0, -1, 0, 0, -1, 0));
  SHOW(op(s, 2, 0, -1, IPC_NOWAIT, 0, 1, 0));
  SHOW(op(s, 2, 0, 1, 0, 0, 0, IPC_NOWAIT));
  SHOW(op(s, 2, 0, 0, 0, 0, 1, 0));
  SHOW(op(s, 3, 1, 5, 0, 0, 1, 0, 1, 32767, 0));
  SHOW(op(s, 4, 1, 5, 0, 0, 1, 0, 1, -5, 0, 2, -1, IPC_NOWAIT));
  values("then", s);
  all[1] = 32768;
  SHOW(semctl(s, 0, SETALL, (union semun){.array = all}));
  values("not set", s);
  SHOW(semctl(s, 0, IPC_RMID));
}

static void refused(void)
{
  SAY("-- refused");
  int s = semget(IPC_PRIVATE, 2, 0600);
  struct sembuf one = {0, 1, 0};
  static struct sembuf many[501];
  SHOW(semop(s, &one, 0));
  SHOW(semop(-1, &one, 1));
  SHOW(semop(-1, many, 501));
  SHOW(semop(-1, (void *)nowhere, 1));
  SHOW(semop(s, many, 501));
  SHOW(semop(s, many, 500));
  SHOW(semop(s, (void *)nowhere, 501));
  SHOW(semop(s, (void *)nowhere, 1));
  SHOW(semop(s + 32768, (void *)nowhere, 1));
  SHOW(semop(s + 32768, &one, 1));
  SHOW(op(s + 32768, 1, 60000, 1, SEM_UNDO));
  SHOW(op(s, 1, 60000, 1, SEM_UNDO));
  struct timespec bad = {0, 1000000000}, negative = {-1, 0};
  SHOW(semtimedop(s, &one, 1, &bad));
  SHOW(semtimedop(s, &one, 1, &negative));
  SHOW(semtimedop(s, (void *)nowhere, 1, &bad));
  SHOW(semtimedop(s + 32768, &one, 1, &bad));
  SHOW(syscall(SYS_semtimedop, s, &one, 0, nowhere));
  SHOW(syscall(SYS_semtimedop, s, &one, 1, nowhere));
  SHOW(semctl(s, 0, 99));
  SHOW(semctl(s, 0, -1));
  SHOW(semctl(s, 0, 0x100));
  SHOW(semctl(-1, 0, IPC_RMID));
  SHOW(semctl(-1, 0, GETVAL));
  SHOW(semctl(s, 2, GETVAL));
  SHOW(semctl(s, -1, GETPID));
  SHOW(semctl(s, 2, GETNCNT));
  SHOW(semctl(s, 2, GETZCNT));
  SHOW(semctl(s + 32768, 0, GETVAL));
  SHOW(semctl(s, 99, GETALL, (union semun){.array = (void *)nowhere}));
  SHOW(semctl(s, 99, SETALL, (union semun){.array = (void *)nowhere}));
  SHOW(semctl(s, 0, IPC_STAT, (union semun){.buf = (void *)nowhere}));
  SHOW(semctl(s, 0, IPC_SET, (union semun){.buf = (void *)nowhere}));
  SHOW(semctl(s + 32768, 0, IPC_SET, (union semun){.buf = (void *)nowhere}));
  SHOW(semctl(s + 32768, 0, SETVAL, (union semun){.val = -1}));
  SHOW(semctl(s, 0, SETVAL, (union semun){.val = INT_MIN}));
  values("as new", s);
  SHOW(semctl(s, 0, IPC_RMID));
  SHOW(semctl(s, 0, IPC_RMID));
  SHOW(semop(s, &one, 1));
}

static void keys(void)
{
  SAY("-- keys");
  key_t key = 0x46415559;
  int old = semget(key, 0, 0);
  if (old >= 0)
    semctl(old, 0, IPC_RMID);
  SHOW(semget(key, 1, 0600));
  SHOW(semget(key, 0, IPC_CREAT | 0600));
  SHOW(semget(key, -1, IPC_CREAT | 0600));
  SHOW(semget(key, 32001, IPC_CREAT | 0600));
  SHOW(semget(IPC_PRIVATE, 0, 0600));
  int s = semget(key, 3, IPC_CREAT | IPC_EXCL | 0640);
  CHECK(s >= 0);
  SHOW(semget(key, 0, 0) == s);
  SHOW(semget(key, 3, IPC_CREAT) == s);
  SHOW(semget(key, 4, 0) == s);
  SHOW(semget(key, 4, IPC_CREAT | IPC_EXCL) == s);
  SHOW(semget(key, 0, 0777) == s);
  int large = semget(IPC_PRIVATE, 32000, 0600);
  CHECK(large >= 0);
  SHOW(op(large, 1, 31999, 7, SEM_UNDO));
  SHOW(get(large, 31999));
  SHOW(op(large, 1, 32000, 7, 0));
  SHOW(semctl(large, 0, IPC_RMID));
  pid_t child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    SHOW(semget(key, 0, 0) == s);
    SHOW(semget(key, 9, 0400));
    SHOW(semget(key, 0, 0400));
    SHOW(semget(key, 0, IPC_CREAT | IPC_EXCL | 0400));
    SHOW(op(s, 1, 0, 1, 0));
    SHOW(op(s, 1, 0, 0, 0));
    SHOW(op(s, 1, 9, 0, 0));
    SHOW(get(s, 0));
    SHOW(get(s, 9));
    SHOW(set(s, 0, 1));
    SHOW(set(s, 9, 1));
    SHOW(set(s, 0, -1));
    unsigned short all[3] = {0};
    SHOW(semctl(s, 0, GETALL, (union semun){.array = all}));
    SHOW(semctl(s, 0, SETALL, (union semun){.array = (void *)nowhere}));
    SHOW(semctl(s, 0, IPC_RMID));
    struct semid_ds ds = {.sem_perm = {.uid = 60123}};
    SHOW(semctl(s, 0, IPC_SET, (union semun){.buf = &ds}));
    SHOW(semctl(s, 0, IPC_STAT, (union semun){.buf = &ds}));
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  struct semid_ds ds;
  CHECK(semctl(s, 0, IPC_STAT, (union semun){.buf = &ds}) == 0);
  SAY("mode %o, uid %d %d, %lu semaphores, changed %d, semop %d", ds.sem_perm.mode, ds.sem_perm.uid, ds.sem_perm.cuid,
      (unsigned long)ds.sem_nsems, ds.sem_ctime != 0, ds.sem_otime != 0);
  ds.sem_perm.uid = 60123;
  ds.sem_perm.mode = 07444;
  ds.sem_nsems = 9;
  SHOW(semctl(s, 0, IPC_SET, (union semun){.buf = &ds}));
  child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    CHECK(semctl(s, 0, IPC_STAT, (union semun){.buf = &ds}) == 0);
    SAY("mode %o, uid %d %d, %lu semaphores", ds.sem_perm.mode, ds.sem_perm.uid, ds.sem_perm.cuid, (unsigned long)ds.sem_nsems);
    SHOW(op(s, 1, 0, 1, 0));
    SHOW(op(s, 2, 0, 0, 0, 1, 0, 0));
    SHOW(op(s, 2, 0, 0, 0, 1, 1, 0));
    SHOW(set(s, 0, 1));
    SHOW(get(s, 0));
    ds.sem_perm.uid = -1;
    SHOW(semctl(s, 0, IPC_SET, (union semun){.buf = &ds}));
    SHOW(semctl(s, 0, IPC_RMID));
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  SHOW(semget(key, 0, 0) == s);
}

/* Who is served, and in which order, where all can't be. */
static void order(void)
{
  SAY("-- order");
  pid_t c[8] = {0};
  int s = semget(IPC_PRIVATE, 4, 0600);
  c[0] = waits(s, 1, 1, 0, -2, 0);
  c[1] = waits(s, 2, 1, 0, -1, 0);
  c[2] = waits(s, 3, 1, 0, -1, 0);
  values("three wait", s);
  CHECK(op(s, 1, 0, 1, 0) == 0);
  gone("1", s, 3, c);
  CHECK(op(s, 1, 0, 2, 0) == 0);
  gone("2 more", s, 3, c);
  CHECK(op(s, 1, 0, 1, 0) == 0);
  gone("1 more", s, 3, c);
  values("nobody waits", s);

  SAY("-- zeros");
  memset(c, 0, sizeof c);
  CHECK(set(s, 0, 2) == 0);
  c[0] = waits(s, 1, 1, 0, 0, 0);
  c[1] = waits(s, 2, 2, 1, 0, 0, 0, 0, 0);
  c[2] = waits(s, 3, 2, 0, 0, 0, 1, 1, 0);
  c[3] = waits(s, 4, 1, 0, 0, 0);
  values("four wait", s);
  CHECK(op(s, 1, 0, -1, 0) == 0);
  gone("not yet", s, 4, c);
  CHECK(op(s, 1, 0, -1, 0) == 0);
  gone("zero", s, 4, c);
  values("then", s);
  CHECK(set(s, 1, 0) == 0);

  SAY("-- one serves the next");
  memset(c, 0, sizeof c);
  c[0] = waits(s, 1, 2, 0, -1, 0, 1, 1, 0);
  c[1] = waits(s, 2, 2, 1, -1, 0, 2, 1, 0);
  c[2] = waits(s, 3, 2, 2, -1, 0, 3, 1, 0);
  c[3] = waits(s, 4, 1, 3, -1, 0);
  c[4] = waits(s, 5, 1, 3, -1, 0);
  values("five wait", s);
  CHECK(op(s, 1, 0, 1, 0) == 0);
  gone("one after the other", s, 5, c);
  values("then", s);
  CHECK(set(s, 3, 1) == 0);
  gone("the last", s, 5, c);

  SAY("-- simple ones behind a complex one");
  memset(c, 0, sizeof c);
  CHECK(set(s, 3, 0) == 0);
  c[0] = waits(s, 1, 1, 1, -1, 0);
  c[1] = waits(s, 2, 2, 0, -1, 0, 1, -1, 0);
  c[2] = waits(s, 3, 1, 0, -1, 0);
  c[3] = waits(s, 4, 1, 1, -1, 0);
  values("four wait", s);
  CHECK(op(s, 2, 1, 1, 0, 0, 1, 0) == 0);
  gone("one of each", s, 4, c);
  CHECK(op(s, 2, 1, 1, 0, 0, 1, 0) == 0);
  gone("one of each", s, 4, c);
  values("then", s);
  CHECK(op(s, 1, 1, 1, 0) == 0);
  gone("one", s, 4, c);
  values("nobody waits", s);

  SAY("-- a raise that waits with a complex one");
  memset(c, 0, sizeof c);
  c[0] = waits(s, 1, 2, 0, 1, 0, 1, -1, 0);
  c[1] = waits(s, 2, 1, 0, -1, 0);
  c[2] = waits(s, 3, 2, 0, 0, 0, 2, -1, 0);
  values("three wait", s);
  CHECK(op(s, 1, 1, 1, 0) == 0);
  gone("two", s, 3, c);
  CHECK(op(s, 1, 2, 1, 0) == 0);
  gone("one", s, 3, c);
  values("nobody waits", s);

  SAY("-- fails while it waits");
  memset(c, 0, sizeof c);
  c[0] = waits(s, 1, 2, 0, -1, 0, 1, -1, IPC_NOWAIT);
  c[1] = waits(s, 2, 2, 0, -1, 0, 2, 32767, 0);
  c[2] = waits(s, 3, 2, 0, 1, 0, 2, -1, 0);
  CHECK(op(s, 2, 2, 2, 0, 0, 1, 0) == 0);
  gone("no room, no wait", s, 3, c);
  values("then", s);
  CHECK(semctl(s, 0, IPC_RMID) == 0);
}

static void ends(void)
{
  SAY("-- the end of a set");
  pid_t c[8] = {0};
  int s = semget(IPC_PRIVATE, 2, 0600);
  CHECK(set(s, 1, 1) == 0);
  c[0] = waits(s, 1, 1, 0, -1, 0);
  c[1] = waits(s, 2, 1, 1, 0, 0);
  c[2] = waits(s, 3, 2, 1, -1, 0, 0, -1, SEM_UNDO);
  c[3] = waits(s, 4, 2, 1, 0, 0, 0, 0, 0);
  values("four wait", s);
  CHECK(kill(c[1], SIGKILL) == 0 && waitpid(c[1], 0, 0) == c[1]);
  values("one was killed", s);
  CHECK(kill(c[2], SIGKILL) == 0 && waitpid(c[2], 0, 0) == c[2]);
  c[1] = c[2] = 0;
  values("and one", s);
  SHOW(semctl(s, 0, IPC_RMID));
  gone("the others", s, 4, c);
}

static volatile int caught;

static void catches(int signal)
{
  caught = signal;
}

static void untilOneWaits(int s, int num)
{
  while (semctl(s, num, GETNCNT) == 0)
    sched_yield();
}

static void interrupted(void)
{
  SAY("-- interrupted");
  int s = semget(IPC_PRIVATE, 3, 0600);
  struct sigaction act = {.sa_handler = catches, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &act, 0) == 0);
  pid_t child = fork();
  if (child == 0) {
    SHOW(op(s, 1, 0, -1, 0));
    SAY("caught %d", caught == SIGUSR1);
    struct sembuf one = {1, -1, 0}, two = {2, -1, 0};
    struct timespec minute = {60, 0};
    SHOW(semtimedop(s, &one, 1, &minute));
    SHOW(semtimedop(s, &two, 1, &minute));
    _exit(0);
  }
  untilOneWaits(s, 0);
  CHECK(kill(child, SIGUSR1) == 0);
  untilOneWaits(s, 1);
  CHECK(kill(child, SIGUSR1) == 0);
  untilOneWaits(s, 2);
  values("waits for the last", s);
  CHECK(op(s, 1, 2, 1, 0) == 0);
  CHECK(waitpid(child, 0, 0) == child);
  SAY("-- stopped and continued");
  child = fork();
  if (child == 0) {
    SHOW(op(s, 1, 0, -1, 0));
    SHOW(op(s, 1, 1, -1, 0));
    _exit(0);
  }
  int status;
  untilOneWaits(s, 0);
  CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
  CHECK(kill(child, SIGCONT) == 0);
  untilOneWaits(s, 1);
  CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
  values("stopped", s);
  SHOW(op(s, 1, 1, 1, 0));
  values("raised", s);
  CHECK(kill(child, SIGCONT) == 0 && waitpid(child, &status, 0) == child);
  SAY("-- time");
  struct sembuf one = {0, -1, 0}, up = {0, 1, 0};
  struct timespec none = {0, 0}, soon = {0, 20000000};
  SHOW(semtimedop(s, &one, 1, &none));
  SHOW(semtimedop(s, &one, 1, &soon));
  SHOW(semtimedop(s, &up, 1, &none));
  SHOW(semtimedop(s, &one, 1, &none));
  values("then", s);
  CHECK(semctl(s, 0, IPC_RMID) == 0);
}

static int shares(void *arg)
{
  return op(*(int *)arg, 1, 1, 1, SEM_UNDO);
}

static void undone(void)
{
  SAY("-- taken back");
  int s = semget(IPC_PRIVATE, 4, 0600);
  unsigned short all[4] = {5, 5, 5, 5};
  CHECK(semctl(s, 0, SETALL, (union semun){.array = all}) == 0);
  pid_t child = fork();
  if (child == 0) {
    CHECK(op(s, 2, 0, -2, SEM_UNDO, 1, 3, SEM_UNDO) == 0);
    CHECK(op(s, 2, 2, -1, SEM_UNDO, 2, -1, 0) == 0);
    CHECK(op(s, 2, 0, 1, SEM_UNDO, 3, -4, 0) == 0);
    SHOW(op(s, 2, 3, 1, SEM_UNDO, 0, -30, SEM_UNDO | IPC_NOWAIT));
    values("before its end", s);
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  values("after it", s);
  child = fork();
  if (child == 0) {
    CHECK(op(s, 2, 0, -2, SEM_UNDO, 1, 3, SEM_UNDO) == 0);
    pause();
  }
  while (get(s, 0) != 3)
    sched_yield();
  CHECK(op(s, 1, 1, -7, 0) == 0);
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, 0, 0) == child);
  values("after a kill, not below 0", s);
  child = fork();
  if (child == 0) {
    CHECK(op(s, 1, 0, -5, SEM_UNDO) == 0);
    pause();
  }
  while (get(s, 0) != 0)
    sched_yield();
  CHECK(op(s, 1, 0, 32765, 0) == 0);
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, 0, 0) == child);
  values("not above 32767", s);

  SAY("-- SETVAL and SETALL forget it, for what they set");
  child = fork();
  if (child == 0) {
    CHECK(op(s, 2, 0, -5, SEM_UNDO, 2, 1, SEM_UNDO) == 0);
    CHECK(set(s, 0, 9) == 0);
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  values("SETVAL", s);
  child = fork();
  if (child == 0) {
    CHECK(op(s, 2, 0, -5, SEM_UNDO, 2, 1, SEM_UNDO) == 0);
    CHECK(semctl(s, 0, SETALL, (union semun){.array = all}) == 0);
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  values("SETALL", s);

  SAY("-- bounds of what is taken back");
  child = fork();
  if (child == 0) {
    CHECK(set(s, 0, 0) == 0);
    SHOW(op(s, 1, 0, 32767, SEM_UNDO));
    SHOW(op(s, 1, 0, -32767, 0));
    SHOW(op(s, 1, 0, 1, SEM_UNDO));
    SHOW(op(s, 1, 0, 1, SEM_UNDO));
    SHOW(op(s, 1, 0, -1, SEM_UNDO));
    values("then", s);
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  values("after it", s);

  SAY("-- who waits goes on when another ends");
  CHECK(set(s, 0, 1) == 0);
  child = fork();
  if (child == 0) {
    CHECK(op(s, 1, 0, -1, SEM_UNDO) == 0);
    pause();
  }
  while (get(s, 0) != 0)
    sched_yield();
  pid_t c[2] = {waits(s, 1, 1, 0, -1, SEM_UNDO), waits(s, 2, 1, 0, -1, 0)};
  CHECK(kill(child, SIGKILL) == 0 && waitpid(child, 0, 0) == child);
  int first, second;
  CHECK(waitpid(c[0], &first, 0) == c[0] && waitpid(c[1], &second, 0) == c[1]);
  SAY("%d %d", WEXITSTATUS(first), WEXITSTATUS(second));
  values("then", s);

  SAY("-- of another program");
  CHECK(set(s, 0, 5) == 0);
  child = fork();
  if (child == 0) {
    CHECK(op(s, 1, 0, -1, SEM_UNDO) == 0);
    char id[20];
    snprintf(id, sizeof id, "%d", s);
    execl("/proc/self/exe", "sysv-sem", id, (char *)0);
    _exit(1);
  }
  CHECK(waitpid(child, 0, 0) == child);
  values("after exec and exit", s);

  SAY("-- shared by clone");
  static char stack[2][16384] __attribute__((aligned(16)));
  child = fork();
  if (child == 0) {
    CHECK(set(s, 1, 0) == 0);
    pid_t one = clone(shares, stack[0] + 16384, CLONE_SYSVSEM | SIGCHLD, &s);
    CHECK(one > 0 && waitpid(one, 0, 0) == one);
    values("with CLONE_SYSVSEM", s);
    one = clone(shares, stack[1] + 16384, SIGCHLD, &s);
    CHECK(one > 0 && waitpid(one, 0, 0) == one);
    values("without", s);
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  values("after all", s);

  SAY("-- of a set that has gone");
  child = fork();
  if (child == 0) {
    CHECK(op(s, 1, 0, -1, SEM_UNDO) == 0);
    CHECK(semctl(s, 0, IPC_RMID) == 0);
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  SHOW(get(s, 0));
}

static void slots(void)
{
  SAY("-- by slot");
  int s = semget(IPC_PRIVATE, 3, 0600);
  struct semid_ds ds;
  SHOW(semctl(s & 32767, 0, SEM_STAT, (union semun){.buf = &ds}) == s);
  SHOW((int)ds.sem_nsems);
  SHOW(semctl(s & 32767, 0, SEM_STAT_ANY, (union semun){.buf = &ds}) == s);
  pid_t child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    SHOW(semctl(s & 32767, 0, SEM_STAT, (union semun){.buf = &ds}) == s);
    SHOW(semctl(s & 32767, 0, SEM_STAT_ANY, (union semun){.buf = &ds}) == s);
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  struct seminfo info;
  SHOW(semctl(0, 0, IPC_INFO, (union semun){.info = &info}) >= (s & 32767));
  SAY("%d %d %d %d %d %d %d %d %d %d", info.semmap, info.semmni, info.semmns, info.semmnu, info.semmsl, info.semopm,
      info.semume, info.semusz, info.semvmx, info.semaem);
  SHOW(semctl(0, 0, SEM_INFO, (union semun){.info = &info}) >= (s & 32767));
  SHOW(info.semusz >= 1 && info.semaem >= 3);
  SHOW(semctl(s, 0, IPC_INFO, (union semun){.info = (void *)nowhere}));
  char line[300];
  FILE *file = fopen("/proc/sysvipc/sem", "r");
  CHECK(file && fgets(line, sizeof line, file));
  printf("%s", line);
  while (fgets(line, sizeof line, file)) {
    int key, id, uid, gid;
    unsigned mode, count;
    CHECK(sscanf(line, "%d %d %o %u %d %d", &key, &id, &mode, &count, &uid, &gid) == 6);
    if (id == s)
      SAY("%d %o %u %d %d, %zu characters", key, mode, count, uid, gid, strlen(line));
  }
  fclose(file);
  file = fopen("/proc/sys/kernel/sem", "r");
  CHECK(file && fgets(line, sizeof line, file));
  printf("%s", line);
  fclose(file);
  CHECK(semctl(s, 0, IPC_RMID) == 0);
  SHOW(semctl(s & 32767, 0, SEM_STAT, (union semun){.buf = &ds}));
  SHOW(semctl(40000, 0, SEM_STAT, (union semun){.buf = &ds}));
}

/* Chance: every choice is the same wherever this runs. */
static unsigned long seed;

static unsigned below(unsigned n)
{
  seed = seed * 6364136223846793005ul + 1442695040888963407ul;
  return (seed >> 33) % n;
}

#define RANDOM_SEMS 4
#define CHILDREN 6

static volatile int *results; /* of each child: 0: it waits, 1: done, or an errno */
static pid_t children[CHILDREN];

static int count(struct sembuf *ops, int flags)
{
  static const int kinds[] = {0, 0, -1, -1, -2, 1, 1, 2};
  int n = 1 + below(2) * below(3);
  for (int i = 0; i < n; i++) {
    ops[i].sem_num = below(RANDOM_SEMS);
    ops[i].sem_op = kinds[below(8)];
    ops[i].sem_flg = (below(3) == 0 ? SEM_UNDO : 0) | (below(10) == 0 ? IPC_NOWAIT : flags);
  }
  return n;
}

static int stillWait(void)
{
  int n = 0;
  for (int i = 0; i < CHILDREN; i++)
    n += children[i] != 0 && results[i] == 0;
  return n;
}

static void end(int i)
{
  CHECK(kill(children[i], SIGKILL) == 0 && waitpid(children[i], 0, 0) == children[i]);
  children[i] = 0;
}

static void step(int s)
{
  struct sembuf ops[4];
  int what = below(11), i = below(CHILDREN), n = 0;
  if (what < 6 && children[i] != 0) {
    printf("end %d", i);
    end(i);
  } else if (what < 6) {
    n = count(ops, 0);
    printf("start %d", i);
    fflush(stdout);
    results[i] = 0;
    children[i] = fork();
    if (children[i] == 0) {
      results[i] = semop(s, ops, n) == 0 ? 1 : errno;
      for (;;)
        pause();
    }
  } else if (what < 10) {
    n = count(ops, IPC_NOWAIT);
    printf("here %d", semop(s, ops, n) == 0 ? 1 : errno);
  } else {
    i = below(RANDOM_SEMS);
    printf("set %d", i);
    CHECK(set(s, i, below(4)) == 0);
  }
  for (int j = 0; j < n; j++)
    printf(" %d%+d/%o", ops[j].sem_num, ops[j].sem_op, ops[j].sem_flg);
  while (stillWait() != waiters(s))
    sched_yield();
  printf(":");
  for (int j = 0; j < RANDOM_SEMS; j++)
    printf(" %d(%d %d)", get(s, j), semctl(s, j, GETNCNT), semctl(s, j, GETZCNT));
  for (int j = 0; j < CHILDREN; j++)
    children[j] == 0 ? printf(" -") : printf(" %d", results[j]);
  SAY("%s", "");
}

static void chance(void)
{
  results = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int round = 0; round < 6; round++) {
    SAY("-- chance %d", round);
    seed = round;
    int s = semget(IPC_PRIVATE, RANDOM_SEMS, 0600);
    for (int i = 0; i < 50; i++)
      step(s);
    CHECK(semctl(s, 0, IPC_RMID) == 0);
    for (int i = 0; i < CHILDREN; i++)
      if (children[i] != 0)
        end(i);
  }
}

int main(int argc, char **argv)
{
  if (argc == 2 && argv[1][0] >= '0' && argv[1][0] <= '9') {
    SHOW(op(atoi(argv[1]), 1, 0, -1, SEM_UNDO));
    values("another program", atoi(argv[1]));
    return 0;
  }
  alarm(60);
  single();
  refused();
  keys();
  order();
  ends();
  interrupted();
  undone();
  slots();
  chance();
  return 0;
}
