/*
 * One address space, changed by a thread while others use it: what mprotect, munmap, mremap, madvise and fork take away is
 * gone for all of them when the call returns; and locks whose owner is gone with its process.
 */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define THREADS 4
#define PAGE 4096L
#define ROUNDS 30

static volatile long *volatile pages;
static volatile int stop, faulted;
static volatile long rounds[THREADS];

static void onFault(int signal, siginfo_t *info, void *context)
{
  (void)signal;
  (void)info;
  (void)context;
  __atomic_fetch_add(&faulted, 1, __ATOMIC_SEQ_CST);
  sched_yield();
}

/* Writes to a page of its own, for ever; a store that is refused is tried again by the return from the handler. */
static void *writes(void *arg)
{
  long me = (long)arg;
  while (!stop) {
    pages[me * PAGE / 8]++;
    rounds[me]++;
    if (rounds[me] % 5000 == 0) sched_yield();
  }
  return NULL;
}

static pthread_t threads[THREADS];

static void start(void)
{
  stop = 0;
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, writes, (void *)i);
}

static void finish(void)
{
  stop = 1;
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* All have gone on since. */
static void everybody(void)
{
  long before[THREADS];
  for (int i = 0; i < THREADS; i++) before[i] = rounds[i];
  for (int i = 0; i < THREADS; i++)
    while (rounds[i] == before[i]) sched_yield();
}

static void sum(const char *what, int bad)
{
  SAY("%s: %d wrong", what, bad);
}

static void protecting(void)
{
  int bad = 0;
  start();
  for (int round = 0; round < ROUNDS; round++) {
    everybody();
    mprotect((void *)pages, THREADS * PAGE, PROT_READ);
    long seen[THREADS];
    for (int i = 0; i < THREADS; i++) seen[i] = pages[i * PAGE / 8];
    int before = faulted;
    while (faulted < before + 4) sched_yield();
    for (int i = 0; i < THREADS; i++) bad += seen[i] != pages[i * PAGE / 8];
    mprotect((void *)pages, THREADS * PAGE, PROT_READ | PROT_WRITE);
  }
  finish();
  sum("mprotect", bad);
}

static void forking(void)
{
  int bad = 0;
  start();
  for (int round = 0; round < ROUNDS / 3; round++) {
    everybody();
    pid_t child = fork();
    if (child == 0) {
      /* No other thread is here. */
      long seen[THREADS];
      int wrong = 0;
      for (int i = 0; i < THREADS; i++) seen[i] = pages[i * PAGE / 8];
      for (int i = 0; i < 50; i++) sched_yield();
      for (int i = 0; i < THREADS; i++) wrong |= seen[i] != pages[i * PAGE / 8];
      for (int i = 0; i < THREADS; i++) pages[i * PAGE / 8] = -1000000000;
      _exit(wrong);
    }
    everybody();
    int status;
    waitpid(child, &status, 0);
    bad += status != 0;
    for (int i = 0; i < THREADS; i++) bad += pages[i * PAGE / 8] < 0;
  }
  finish();
  sum("fork", bad);
}

static void dropping(void)
{
  int bad = 0;
  start();
  for (int round = 0; round < ROUNDS; round++) {
    everybody();
    for (int i = 0; i < THREADS; i++) pages[i * PAGE / 8] = 2000000000;
    everybody();
    madvise((void *)pages, THREADS * PAGE, MADV_DONTNEED);
    /* One addition may have read before and written after; the next ones see the new page, or what that one wrote. */
    mprotect((void *)pages, THREADS * PAGE, PROT_READ);
    madvise((void *)pages, THREADS * PAGE, MADV_DONTNEED);
    for (int i = 0; i < THREADS; i++) bad += pages[i * PAGE / 8] != 0;
    mprotect((void *)pages, THREADS * PAGE, PROT_READ | PROT_WRITE);
  }
  finish();
  sum("madvise", bad);
}

static void replacing(void)
{
  int bad = 0;
  start();
  for (int round = 0; round < ROUNDS; round++) {
    everybody();
    munmap((void *)pages, THREADS * PAGE);
    int before = faulted;
    while (faulted < before + 4) sched_yield();
    /* What comes into the place is new. */
    long *fresh = mmap((void *)pages, THREADS * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int i = 0; i < THREADS; i++) bad += fresh[i * PAGE / 8] != 0;
    mprotect(fresh, THREADS * PAGE, PROT_READ | PROT_WRITE);
  }
  everybody();
  /* Moved away, and another in its place: whoever still wrote to the old frames would be seen there. */
  for (int round = 0; round < ROUNDS; round++) {
    long *moved = mmap(NULL, THREADS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mremap((void *)pages, THREADS * PAGE, THREADS * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, moved);
    long seen[THREADS];
    for (int i = 0; i < THREADS; i++) seen[i] = moved[i * PAGE / 8];
    everybody();
    for (int i = 0; i < THREADS; i++) bad += seen[i] != moved[i * PAGE / 8];
    munmap(moved, THREADS * PAGE);
  }
  finish();
  sum("munmap and mremap", bad);
}

static void *maps(void *arg)
{
  long me = (long)arg;
  for (int round = 0; round < 200; round++) {
    char *own = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(own, (int)me + 1, 8 * PAGE);
    munmap(own + 2 * PAGE, 2 * PAGE);
    mprotect(own + 5 * PAGE, PAGE, PROT_READ);
    sched_yield();
    for (long i = 0; i < 8 * PAGE; i += 512)
      if ((i < 2 * PAGE || i >= 4 * PAGE) && own[i] != me + 1) rounds[me]++;
    munmap(own, 2 * PAGE);
    munmap(own + 4 * PAGE, 4 * PAGE);
  }
  return NULL;
}

static void mapping(void)
{
  for (int i = 0; i < THREADS; i++) rounds[i] = 0;
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, maps, (void *)i);
  long bad = 0;
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    bad += rounds[i];
  }
  sum("mappings of many threads", (int)bad);
}

static volatile long reserved = 5, turn;

/* Stores what is there already, between the two halves of the other's attempt, and does nothing else meanwhile. */
static void *storesTheSame(void *arg)
{
  turn = 10;
  while (turn != 1) {
  }
  reserved = 5;
  turn = 2;
  while (turn != 3) {
  }
  return arg;
}

/* A conditional store must fail after another thread's store to the word, even if that changed nothing. */
static void reserving(void)
{
  int succeeded = 0;
  for (int round = 0; round < 20; round++) {
    turn = 0;
    pthread_create(&threads[0], NULL, storesTheSame, NULL);
    while (turn != 10) {
    }
#ifdef __riscv
    long seen, failed;
    __asm__ volatile("lr.d %0, (%2)\n\tli %1, 1\n\tsd %1, (%3)\n0:\tld %1, (%3)\n\taddi %1, %1, -2\n\tbnez %1, 0b\n\t"
                     "sc.d %1, %0, (%2)"
                     : "=&r"(seen), "=&r"(failed)
                     : "r"(&reserved), "r"(&turn)
                     : "memory");
    succeeded += failed == 0;
#else
    turn = 1;
    while (turn != 2) {
    }
#endif
    turn = 3;
    pthread_join(threads[0], NULL);
  }
  SAY("conditional stores after another's: %d succeeded", succeeded);
}

struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  int ready, count;
};

static void betweenProcesses(int isPi)
{
  struct shared *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t attributes;
  pthread_condattr_t conditions;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (isPi) pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&shared->mutex, &attributes);
  pthread_condattr_init(&conditions);
  pthread_condattr_setpshared(&conditions, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->condition, &conditions);
  fflush(stdout);
  pid_t children[3];
  for (int i = 0; i < 3; i++) {
    children[i] = fork();
    if (children[i] != 0) continue;
    for (int round = 0; round < 200; round++) {
      pthread_mutex_lock(&shared->mutex);
      int seen = shared->count;
      if (round % 16 == 0) sched_yield();
      shared->count = seen + 1;
      pthread_mutex_unlock(&shared->mutex);
    }
    _exit(0);
  }
  int status;
  for (int i = 0; i < 3; i++) waitpid(children[i], &status, 0);
  SAY("%s of processes: %d", isPi ? "PI mutex" : "mutex", shared->count);
  /* The owner is killed while others wait for it. */
  pid_t owner = fork();
  if (owner == 0) {
    pthread_mutex_lock(&shared->mutex);
    shared->ready = 1;
    for (;;) pause();
  }
  while (!((volatile struct shared *)shared)->ready) usleep(1000);
  fflush(stdout);
  pid_t waiter = fork();
  if (waiter == 0) {
    int error = pthread_mutex_lock(&shared->mutex);
    SAY("the owner was killed: EOWNERDEAD %d", error == EOWNERDEAD);
    SAY("made consistent: %d", pthread_mutex_consistent(&shared->mutex));
    shared->ready = 2;
    pthread_cond_signal(&shared->condition);
    pthread_mutex_unlock(&shared->mutex);
    fflush(stdout);
    _exit(0);
  }
  usleep(20000);
  kill(owner, SIGKILL);
  waitpid(owner, &status, 0);
  waitpid(waiter, &status, 0);
  pthread_mutex_lock(&shared->mutex);
  while (shared->ready != 2) pthread_cond_wait(&shared->condition, &shared->mutex);
  pthread_mutex_unlock(&shared->mutex);
  SAY("and used again");
}

int main(void)
{
  struct sigaction action = {.sa_sigaction = onFault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  pages = mmap(NULL, THREADS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  protecting();
  forking();
  dropping();
  replacing();
  mapping();
  reserving();
  betweenProcesses(0);
  betweenProcesses(1);
  return 0;
}
