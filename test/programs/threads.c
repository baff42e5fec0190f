/* Threads as a C library makes them: a contended mutex, a condition variable, a barrier, a read-write lock, storage of
 * each thread's own, cancellation, and who is told when a thread ends. What is printed does not depend on who runs when. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>


#define THREADS 8
#define ROUNDS 2000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static int atomic_counter;

static void *count(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&mutex);
    long seen = counter;
    /* A turn may end here: nobody else may come in between. */
    if (i % 64 == 0) sched_yield();
    counter = seen + 1;
    pthread_mutex_unlock(&mutex);
    __atomic_fetch_add(&atomic_counter, 1, __ATOMIC_SEQ_CST);
    int expected = __atomic_load_n(&atomic_counter, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&atomic_counter, &expected, expected + 1, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED)) {
    }
  }
  return arg;
}

static void contended(void) {
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, count, (void *)i);
  long sum = 0;
  for (int i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(threads[i], &result);
    sum += (long)result;
  }
  printf("mutex: %ld, atomic: %d, results: %ld\n", counter, atomic_counter, sum);
}

static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER;
static int queue[4], head, tail, filled, done;

static void *consume(void *arg) {
  long *sum = arg;
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (filled == 0 && !done) pthread_cond_wait(&not_empty, &mutex);
    if (filled == 0) {
      pthread_mutex_unlock(&mutex);
      return NULL;
    }
    *sum += queue[head];
    head = (head + 1) % 4;
    filled--;
    pthread_cond_signal(&not_full);
    pthread_mutex_unlock(&mutex);
  }
}

static void producer_and_consumers(void) {
  pthread_t threads[3];
  long sums[3] = {0};
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, consume, &sums[i]);
  for (int i = 1; i <= 1000; i++) {
    pthread_mutex_lock(&mutex);
    while (filled == 4) pthread_cond_wait(&not_full, &mutex);
    queue[tail] = i;
    tail = (tail + 1) % 4;
    filled++;
    pthread_cond_signal(&not_empty);
    pthread_mutex_unlock(&mutex);
  }
  pthread_mutex_lock(&mutex);
  done = 1;
  pthread_cond_broadcast(&not_empty);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("condition: %ld\n", sums[0] + sums[1] + sums[2]);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec++;
  }
  pthread_mutex_lock(&mutex);
  printf("timed wait: %s\n", pthread_cond_timedwait(&not_empty, &mutex, &until) == ETIMEDOUT ? "ETIMEDOUT" : "woken");
  pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;
static int phases[THREADS];
static int late;

static void *meet(void *arg) {
  int me = (int)(long)arg;
  for (int phase = 1; phase <= 50; phase++) {
    phases[me] = phase;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
      if (phases[i] < phase) __atomic_fetch_add(&late, 1, __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

static void barriers(void) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, meet, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("barrier: %d late\n", late);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int pair[2];
static int torn;

static void *read_pair(void *arg) {
  for (int i = 0; i < 500; i++) {
    pthread_rwlock_rdlock(&rwlock);
    if (pair[0] != pair[1]) torn++;
    pthread_rwlock_unlock(&rwlock);
  }
  return arg;
}

static void *write_pair(void *arg) {
  for (int i = 0; i < 500; i++) {
    pthread_rwlock_wrlock(&rwlock);
    pair[0]++;
    sched_yield();
    pair[1]++;
    pthread_rwlock_unlock(&rwlock);
  }
  return arg;
}

static void rwlocks(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, i < 2 ? write_pair : read_pair, NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  printf("rwlock: %d %d, %d torn\n", pair[0], pair[1], torn);
}

static __thread long own = 7;
static pthread_key_t key;
static int destroyed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int times;

static void destroy(void *value) { destroyed += (int)(long)value; }
static void only_once(void) { times++; }

static void *with_storage(void *arg) {
  pthread_once(&once, only_once);
  pthread_setspecific(key, arg);
  own += (long)arg;
  sched_yield();
  return (void *)own;
}

static void storage(void) {
  pthread_t threads[THREADS];
  long sum = 0;
  pthread_key_create(&key, destroy);
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, with_storage, (void *)(i + 1));
  for (int i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(threads[i], &result);
    sum += (long)result;
  }
  printf("storage: %ld here, %ld there, %d destroyed, once %d\n", own, sum, destroyed, times);
}

static void cleanup(void *arg) { *(int *)arg = 1; }

static void *wait_for_ever(void *arg) {
  pthread_cleanup_push(cleanup, arg);
  for (;;) pause();
  pthread_cleanup_pop(0);
  return NULL;
}

static void *spin_for_ever(void *arg) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (;;) __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
  return NULL;
}

static void cancellation(void) {
  pthread_t thread;
  void *result;
  int cleaned = 0, spins = 0;
  pthread_create(&thread, NULL, wait_for_ever, &cleaned);
  usleep(1000);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  printf("cancelled: %d, cleaned up: %d\n", result == PTHREAD_CANCELED, cleaned);
  pthread_create(&thread, NULL, spin_for_ever, &spins);
  while (__atomic_load_n(&spins, __ATOMIC_RELAXED) == 0) sched_yield();
  pthread_cancel(thread);
  pthread_join(thread, &result);
  printf("cancelled in a loop: %d\n", result == PTHREAD_CANCELED);
}

static void *identity(void *arg) {
  pid_t *out = arg;
  out[0] = getpid();
  out[1] = (pid_t)syscall(SYS_gettid);
  return NULL;
}

static void identities(void) {
  pthread_t thread;
  pid_t other[2];
  pthread_create(&thread, NULL, identity, other);
  pthread_join(thread, NULL);
  printf("leader: tid is pid %d; other: same pid %d, own tid %d\n", getpid() == (pid_t)syscall(SYS_gettid),
         other[0] == getpid(), other[1] != getpid());
}

static void *exit_later(void *arg) {
  usleep(2000);
  if (arg != NULL) _exit(5);
  return NULL;
}

static void status_of(const char *what, void (*body)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    body();
    _exit(99);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) printf("%s: exit %d\n", what, WEXITSTATUS(status));
  else printf("%s: signal %d\n", what, WTERMSIG(status));
}

static void leader_first(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, exit_later, NULL);
  syscall(SYS_exit, 3);
}

static void leader_first_then_group(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, exit_later, (void *)1);
  syscall(SYS_exit, 3);
}

static void *raw_exit(void *arg) {
  usleep(2000);
  syscall(SYS_exit, 4);
  return arg;
}

static void last_thread_code(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, raw_exit, NULL);
  syscall(SYS_exit, 3);
}

static void *group_exit(void *arg) {
  syscall(SYS_exit_group, 6);
  return arg;
}

static void other_ends_all(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, group_exit, NULL);
  for (;;) pause();
}

static void *do_abort(void *arg) {
  abort();
  return arg;
}

static void other_aborts(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, do_abort, NULL);
  for (;;) pause();
}

static void *do_exec(void *arg) {
  char *argv[] = {"threads", arg, NULL};
  execv("/proc/self/exe", argv);
  _exit(98);
}

static void exec_from_thread(void) {
  pthread_t threads[3];
  char pid[32];
  snprintf(pid, sizeof pid, "%d", getpid());
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, wait_for_ever, &times);
  pthread_create(&threads[2], NULL, do_exec, pid);
  for (;;) pause();
}

static void *fork_here(void *arg) {
  pid_t child = fork();
  if (child == 0) _exit(getpid() == (pid_t)syscall(SYS_gettid) ? 21 : 22);
  int status;
  waitpid(child, &status, 0);
  printf("fork from a thread: exit %d\n", WEXITSTATUS(status));
  return arg;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  /* Executed by a thread: the number is the process's, and there is one thread again. */
  if (argc == 2 && atoi(argv[1]) != 0) {
    char line[128];
    FILE *status = fopen("/proc/self/status", "r");
    int threads = 0;
    while (fgets(line, sizeof line, status)) sscanf(line, "Threads: %d", &threads);
    printf("after exec: same number %d, tid %d, threads %d\n", atoi(argv[1]) == getpid(),
           getpid() == (pid_t)syscall(SYS_gettid), threads);
    return 17;
  }
  contended();
  producer_and_consumers();
  barriers();
  rwlocks();
  storage();
  cancellation();
  identities();
  pthread_t thread;
  pthread_create(&thread, NULL, fork_here, NULL);
  pthread_join(thread, NULL);
  status_of("leader exits first", leader_first);
  status_of("leader exits first, then all", leader_first_then_group);
  status_of("last thread's code", last_thread_code);
  status_of("another thread ends all", other_ends_all);
  status_of("another thread aborts", other_aborts);
  status_of("another thread executes", exec_from_thread);
  return 0;
}
