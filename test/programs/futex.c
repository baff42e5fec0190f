/*
 * futex without a library: which error comes first, who is woken and moved, locks with priority inheritance, robust
 * lists, waiting at several.
 */
#define _GNU_SOURCE
#include "show.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT 0
#define WAKE 1
#define REQUEUE 3
#define CMP_REQUEUE 4
#define WAKE_OP 5
#define LOCK_PI 6
#define UNLOCK_PI 7
#define TRYLOCK_PI 8
#define WAIT_BITSET 9
#define WAKE_BITSET 10
#define WAIT_REQUEUE_PI 11
#define CMP_REQUEUE_PI 12
#define LOCK_PI2 13
#define PRIVATE 128
#define REALTIME 256
#define WAITERS 0x80000000u
#define OWNER_DIED 0x40000000u
#define TID_MASK 0x3fffffffu

/* Unaligned words are no error of this program's. */
static long futex(void *word, int op, unsigned value, const void *time, void *word2, unsigned value3)
{
  return syscall(SYS_futex, word, op, value, time, word2, value3);
}

static uint32_t word, other, pi;
static struct timespec soon = {0, 1000000}, past = {0, 0}, bad = {0, 1000000000}, negative = {-1, 0};
static char *hole, *readonly;
static uint32_t *shared;

static pid_t gettid_(void)
{
  return (pid_t)syscall(SYS_gettid);
}

static void errors(void)
{
  char *odd = (char *)&word + 1;
  SHOW(futex(&word, WAIT, 1, NULL, NULL, 0));
  SHOW(futex(&word, WAIT, 0, &soon, NULL, 0));
  SHOW(futex(&word, WAIT | PRIVATE, 0, &soon, NULL, 0));
  SHOW(futex(&word, WAIT, 1, &bad, NULL, 0));
  SHOW(futex(&word, WAIT, 1, &negative, NULL, 0));
  SHOW(futex(&word, WAIT, 1, (void *)8, NULL, 0));
  SHOW(futex(odd, WAIT, 1, &bad, NULL, 0));
  SHOW(futex(odd, WAIT, 1, NULL, NULL, 0));
  SHOW(futex(odd, WAKE, 1, NULL, NULL, 0));
  SHOW(futex(odd, WAKE | PRIVATE, 1, NULL, NULL, 0));
  SHOW(futex(hole, WAIT, 0, NULL, NULL, 0));
  SHOW(futex(hole, WAIT | PRIVATE, 0, NULL, NULL, 0));
  SHOW(futex(hole, WAKE, 1, NULL, NULL, 0));
  SHOW(futex(hole, WAKE | PRIVATE, 1, NULL, NULL, 0));
  SHOW(futex((void *)-4096, WAKE | PRIVATE, 1, NULL, NULL, 0));
  SHOW(futex(readonly, WAIT, 1, NULL, NULL, 0));
  SHOW(futex(readonly, WAIT | PRIVATE, 1, NULL, NULL, 0));
  SHOW(futex(readonly, WAKE, 1, NULL, NULL, 0));
  SHOW(futex(&word, WAIT_BITSET, 0, NULL, NULL, 0));
  SHOW(futex(&word, WAIT_BITSET, 0, &bad, NULL, 0));
  SHOW(futex(&word, WAIT_BITSET, 0, &past, NULL, 1));
  SHOW(futex(&word, WAIT_BITSET | REALTIME, 0, &past, NULL, 1));
  SHOW(futex(&word, WAIT_BITSET, 1, &past, NULL, 1));
  SHOW(futex(&word, WAKE_BITSET, 1, NULL, NULL, 0));
  SHOW(futex(odd, WAKE_BITSET, 1, NULL, NULL, 0));
  SHOW(futex(&word, WAIT | REALTIME, 0, &soon, NULL, 0));
  SHOW(futex(&word, WAIT | REALTIME, 0, &bad, NULL, 0));
  SHOW(futex(&word, WAKE | REALTIME, 1, NULL, NULL, 0));
  SHOW(futex(&word, LOCK_PI | REALTIME, 0, NULL, NULL, 0));
  SHOW(futex(&word, 2, 0, NULL, NULL, 0));
  SHOW(futex(&word, 14, 0, NULL, NULL, 0));
  SHOW(futex(&word, 99, 0, &bad, NULL, 0));
  SHOW(futex(&word, REQUEUE, -1, (void *)1, &other, 0));
  SHOW(futex(&word, REQUEUE, 1, (void *)-1, &other, 0));
  SHOW(futex(&word, REQUEUE, 1, (void *)1, odd, 0));
  SHOW(futex(&word, CMP_REQUEUE, 1, (void *)1, &other, 1));
  SHOW(futex(&word, CMP_REQUEUE, 1, (void *)1, &other, 0));
  SHOW(futex(&word, CMP_REQUEUE, 1, (void *)1, hole, 1));
  SHOW(futex(hole, CMP_REQUEUE | PRIVATE, 1, (void *)1, &other, 1));
  SHOW(futex(&word, WAKE_OP, 1, (void *)1, &other, 5u << 28));
  SHOW(futex(&word, WAKE_OP, 1, (void *)1, &other, 6u << 24));
  SHOW(futex(&word, WAKE_OP, 1, (void *)1, readonly, 0));
  SHOW(futex(&word, WAKE_OP | PRIVATE, 1, (void *)1, readonly, 0));
  SHOW(futex(&word, CMP_REQUEUE_PI, 2, (void *)1, &other, 0));
  SHOW(futex(&word, CMP_REQUEUE_PI, 1, (void *)1, &word, 0));
  SHOW(futex(&word, CMP_REQUEUE_PI, 1, (void *)1, &other, 7));
  SHOW(futex(&word, CMP_REQUEUE_PI, 1, (void *)1, &other, 0));
  SHOW(futex(&word, WAIT_REQUEUE_PI, 0, NULL, &word, 0));
  SHOW(futex(&word, WAIT_REQUEUE_PI, 1, NULL, &other, 0));
  SHOW(futex(&word, WAIT_REQUEUE_PI | PRIVATE, 0, &past, &other, 0));
}

static void wakeOps(void)
{
  static const char *const names[] = {"set", "add", "or", "andn", "xor"};
  for (unsigned op = 0; op < 5; op++) {
    other = 0xf0;
    long woken = futex(&word, WAKE_OP, 1, (void *)1, &other, (op << 28) | (0x3c << 12));
    SAY("WAKE_OP %s 0x3c on 0xf0: %ld, 0x%x", names[op], woken, other);
    other = 0xf0;
    woken = futex(&word, WAKE_OP, 1, (void *)1, &other, ((op | 8) << 28) | (9 << 12));
    SAY("WAKE_OP %s 1 << 9 on 0xf0: %ld, 0x%x", names[op], woken, other);
  }
  other = 0xf0;
  SAY("WAKE_OP set −1: %ld", futex(&word, WAKE_OP, 1, (void *)1, &other, 0xfff << 12));
  SAY("it is 0x%x", other);
}

/* Threads that wait, in a known order. */
struct waiter {
  pthread_t thread;
  uint32_t *at;
  int op;
  unsigned bits;
  volatile int state;
  long result;
};

static volatile int order[8];
static int woken;

static void *waits(void *arg)
{
  struct waiter *me = arg;
  me->state = 1;
  me->result = futex(me->at, me->op, 0, NULL, NULL, me->bits);
  order[__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST)] = me->bits;
  me->state = 2;
  return NULL;
}

static struct waiter waiters[4];

static void startWaiters(uint32_t *at, int op)
{
  woken = 0;
  for (int i = 0; i < 4; i++) {
    waiters[i] = (struct waiter){.at = at, .op = op, .bits = 1u << i};
    pthread_create(&waiters[i].thread, NULL, waits, &waiters[i]);
    while (waiters[i].state == 0) sched_yield();
    usleep(10000);
  }
}

static void joinWaiters(void)
{
  for (int i = 0; i < 4; i++) pthread_join(waiters[i].thread, NULL);
}

static int howMany(void)
{
  usleep(20000);
  return __atomic_load_n(&woken, __ATOMIC_SEQ_CST);
}

static void wakingAndMoving(void)
{
  startWaiters(&word, WAIT_BITSET | PRIVATE);
  SHOW(futex(&word, WAKE, 4, NULL, NULL, 0));
  SHOW(futex(&word, WAKE_BITSET | PRIVATE, 4, NULL, NULL, 4));
  SAY("woken: %d", howMany());
  SAY("with bit %d", order[0]);
  SHOW(futex(&word, WAKE | PRIVATE, 0, NULL, NULL, 0));
  SAY("woken: %d", howMany());
  SAY("then bit %d", order[1]);
  SHOW(futex(&word, WAKE | PRIVATE, 1000, NULL, NULL, 0));
  joinWaiters();
  startWaiters(&word, WAIT_BITSET | PRIVATE);
  SHOW(futex(&word, CMP_REQUEUE | PRIVATE, 1, (void *)2, &other, 0));
  SAY("woken: %d", howMany());
  SAY("with bit %d", order[0]);
  SHOW(futex(&other, WAKE | PRIVATE, 1, NULL, NULL, 0));
  SAY("woken: %d", howMany());
  SAY("then bit %d", order[1]);
  SHOW(futex(&word, WAKE | PRIVATE, 9, NULL, NULL, 0));
  SHOW(futex(&other, WAKE | PRIVATE, 9, NULL, NULL, 0));
  joinWaiters();
  startWaiters(&word, WAIT_BITSET | PRIVATE);
  other = 5;
  /* Wakes two here, and there nobody: 5 is not greater than 6. */
  SHOW(futex(&word, WAKE_OP | PRIVATE, 2, (void *)2, &word + 0, (1u << 28) | (4u << 24) | 6));
  SHOW(futex(&word, WAKE | PRIVATE, 9, NULL, NULL, 0));
  joinWaiters();
  /* A page that is shared is one futex at every address, and not the private one there. */
  uint32_t *again = mremap(shared, 0, 4096, MREMAP_MAYMOVE);
  startWaiters(shared, WAIT_BITSET);
  SHOW(futex(again, WAKE | PRIVATE, 9, NULL, NULL, 0));
  SHOW(futex(again, WAKE, 2, NULL, NULL, 0));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit((int)futex(again, WAKE, 9, NULL, NULL, 0));
  int status;
  waitpid(child, &status, 0);
  SAY("a child wakes: %d", WEXITSTATUS(status));
  joinWaiters();
}

static void handler(int signal)
{
  (void)signal;
}

static pthread_t mainThread;

static void *interrupts(void *arg)
{
  usleep(20000);
  pthread_kill(mainThread, SIGUSR1);
  usleep(20000);
  futex(&word, WAKE | PRIVATE, 1, NULL, NULL, 0);
  return arg;
}

static void interruption(void)
{
  pthread_t thread;
  struct timespec later = {5, 0};
  mainThread = pthread_self();
  for (int restart = 0; restart < 2; restart++) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0};
    sigaction(SIGUSR1, &action, NULL);
    SAY("with%s SA_RESTART:", restart ? "" : "out");
    pthread_create(&thread, NULL, interrupts, NULL);
    SHOW(futex(&word, WAIT | PRIVATE, 0, NULL, NULL, 0));
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, interrupts, NULL);
    SHOW(futex(&word, WAIT | PRIVATE, 0, &later, NULL, 0));
    pthread_join(thread, NULL);
  }
}

static volatile int step;

static void *takesPi(void *arg)
{
  long result = futex(&pi, LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
  SAY("the other has it: %ld, word is its tid %d, waiters %d", result, (pi & TID_MASK) == (uint32_t)gettid_(),
      (pi & WAITERS) != 0);
  step = 1;
  if (arg != NULL) return NULL; /* and never lets it go */
  SHOW(futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  return NULL;
}

static void *wantsBoth(void *arg)
{
  (void)arg;
  futex(&other, LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
  step = 1;
  long result = futex(&pi, LOCK_PI | PRIVATE, 0, NULL, NULL, 0);
  SAY("the other has both: %ld", result);
  futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
  futex(&other, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
  return NULL;
}

static void priorityInheritance(void)
{
  pthread_t thread;
  pi = 0;
  SHOW(futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SHOW(futex(&pi, LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SAY("word is tid: %d", pi == (uint32_t)gettid_());
  SHOW(futex(&pi, LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SHOW(futex(&pi, TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SHOW(futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SAY("word: 0x%x", pi);
  pi = 0x3ffffff0; /* nobody's */
  SHOW(futex(&pi, LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SHOW(futex(&pi, TRYLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SHOW(futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  pi = OWNER_DIED;
  SHOW(futex(&pi, LOCK_PI2 | PRIVATE, 0, NULL, NULL, 0));
  SAY("word is tid and OWNER_DIED: %d", pi == ((uint32_t)gettid_() | OWNER_DIED));
  pi = gettid_();
  pthread_create(&thread, NULL, takesPi, NULL);
  while ((*(volatile uint32_t *)&pi & WAITERS) == 0) sched_yield();
  usleep(20000);
  SHOW(futex(&pi, WAKE | PRIVATE, 1, NULL, NULL, 0));
  SHOW(futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  pthread_join(thread, NULL);
  SAY("word: 0x%x", pi);
  /* A deadlock of two is seen by the second. */
  other = 0;
  pi = gettid_();
  step = 0;
  pthread_create(&thread, NULL, wantsBoth, NULL);
  while ((*(volatile uint32_t *)&pi & WAITERS) == 0) sched_yield();
  usleep(20000);
  SHOW(futex(&other, LOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SHOW(futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  pthread_join(thread, NULL);
  /* A time that has passed. */
  pi = gettid_();
  SHOW(futex(&pi, LOCK_PI | PRIVATE, 0, &bad, NULL, 0));
  pi = 0;
}

static const char *named(int error)
{
  return error == 0 ? "0" : errorName(error);
}

static void *holdsAndEnds(void *arg)
{
  pthread_mutex_lock(arg);
  step = 1;
  usleep(40000);
  return NULL;
}

static void robust(int isPi)
{
  pthread_mutex_t mutex;
  pthread_mutexattr_t attributes;
  pthread_t thread;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (isPi) pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&mutex, &attributes);
  for (int waits = 0; waits < 2; waits++) {
    step = 0;
    pthread_create(&thread, NULL, holdsAndEnds, &mutex);
    while (!step) sched_yield();
    if (!waits) pthread_join(thread, NULL);
    int error = pthread_mutex_lock(&mutex);
    SAY("robust%s mutex of a thread that %s: %s", isPi ? " PI" : "", waits ? "ends" : "has ended", named(error));
    if (waits) pthread_join(thread, NULL);
    if (!waits) pthread_mutex_consistent(&mutex);
    SAY("unlock: %s", named(pthread_mutex_unlock(&mutex)));
  }
  SAY("lock, not made consistent: %s", named(pthread_mutex_lock(&mutex)));
}

static void *waitsToMove(void *arg)
{
  struct waiter *me = arg;
  me->state = 1;
  me->result = futex(me->at, WAIT_REQUEUE_PI | PRIVATE, 0, NULL, &pi, 0);
  if (me->result < 0) me->result = -errno;
  SAY("moved waiter %d: %ld, has the lock %d", me->bits, me->result, (pi & TID_MASK) == (uint32_t)gettid_());
  futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0);
  return NULL;
}

static void requeuePi(void)
{
  pi = 0;
  for (int i = 0; i < 3; i++) {
    waiters[i] = (struct waiter){.at = &word, .bits = i};
    pthread_create(&waiters[i].thread, NULL, waitsToMove, &waiters[i]);
    while (waiters[i].state == 0) sched_yield();
    usleep(10000);
  }
  pi = gettid_();
  SHOW(futex(&word, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, &pi, 0));
  SAY("waiters: %d", (pi & WAITERS) != 0);
  SHOW(futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  for (int i = 0; i < 3; i++) pthread_join(waiters[i].thread, NULL);
  SAY("word: 0x%x", pi);
}

static void onSignal(int number)
{
  (void)number;
}

/* A signal before it is moved: it begins anew, whatever the handler says. After that it can't. */
static void requeuePiAndSignals(void)
{
  struct sigaction action = {.sa_handler = onSignal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  pi = gettid_();
  waiters[0] = (struct waiter){.at = &word};
  pthread_create(&waiters[0].thread, NULL, waitsToMove, &waiters[0]);
  while (waiters[0].state == 0) sched_yield();
  usleep(10000);
  pthread_kill(waiters[0].thread, SIGUSR1);
  usleep(10000);
  SHOW(futex(&word, CMP_REQUEUE_PI | PRIVATE, 1, (void *)9, &pi, 0));
  pthread_kill(waiters[0].thread, SIGUSR1);
  pthread_join(waiters[0].thread, NULL);
  SHOW(futex(&pi, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0));
  SAY("word: 0x%x", pi);
}

struct waitv {
  uint64_t value, address;
  uint32_t flags, reserved;
};

static long waitv(struct waitv *list, unsigned count, unsigned flags, struct timespec *time, int clock)
{
  return syscall(449, list, count, flags, time, clock);
}

static void *wakesSecond(void *arg)
{
  usleep(20000);
  futex(arg, WAKE | PRIVATE, 1, NULL, NULL, 0);
  return NULL;
}

static void several(void)
{
  struct waitv list[2] = {{0, (uintptr_t)&word, 2 | 128, 0}, {0, (uintptr_t)&other, 2 | 128, 0}};
  pthread_t thread;
  word = other = 0;
  SHOW(waitv(list, 2, 1, NULL, 0));
  SHOW(waitv(list, 0, 0, NULL, 0));
  SHOW(waitv(list, 129, 0, NULL, 0));
  SHOW(waitv(NULL, 2, 0, NULL, 0));
  SHOW(waitv(list, 2, 0, &past, 7));
  SHOW(waitv(list, 2, 0, &bad, 1));
  SHOW(waitv(list, 2, 0, &past, 1));
  list[1].flags = 3 | 128;
  SHOW(waitv(list, 2, 0, NULL, 0));
  list[1].flags = 2 | 128;
  list[1].reserved = 1;
  SHOW(waitv(list, 2, 0, NULL, 0));
  list[1].reserved = 0;
  list[1].value = 1;
  SHOW(waitv(list, 2, 0, NULL, 0));
  list[1].value = 0;
  pthread_create(&thread, NULL, wakesSecond, &other);
  SHOW(waitv(list, 2, 0, NULL, 0));
  pthread_join(thread, NULL);
  SHOW(syscall(454, &word, 0L, 1, 2 | 128));
  SHOW(syscall(454, &word, 1L, 1, 1 | 128));
  SHOW(syscall(454, &word, 1L, 1, 2 | 128));
  SHOW(syscall(455, &word, 1L, 1L, 2 | 128, NULL, 0));
  SHOW(syscall(455, &word, 0L, 0L, 2 | 128, NULL, 0));
  SHOW(syscall(455, &word, 0L, 1L, 2 | 128, &past, 1));
  SHOW(syscall(456, list, 0, 1, 1));
  SHOW(syscall(456, list, 1, 1, 1));
}

int main(void)
{
  readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  /* The last one, so that nothing is mapped into it. */
  hole = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(hole, 4096);
  errors();
  wakeOps();
  word = other = 0;
  wakingAndMoving();
  interruption();
  priorityInheritance();
  robust(0);
  robust(1);
  word = other = 0;
  requeuePi();
  requeuePiAndSignals();
  several();
  return 0;
}
