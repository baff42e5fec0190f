/*
 * What comes with time and by descriptor: timers of timer_create and timerfd, the three of setitimer, eventfd and signalfd.
 * Nothing that is printed depends on how long anything took.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)
#define QUEUED 40
#define NONE SIGEV_NONE

struct event {
  union sigval value;
  int signal, notify, tid, padding[11];
};

struct setting {
  int64_t intervalS, intervalNs, valueS, valueNs;
};

static struct setting never, soon = {0, 0, 0, 2000000}, fast = {0, 1000000, 0, 1000000}, far = {7, 5, 9, 8};
static struct setting bad = {0, 0, 0, 1000000000}, negative = {0, 0, -1, 0}, badInterval = {0, -1, 0, 0}, old;

static void shown(const char *what)
{
  SAY("%s: interval %d s %d ns, %s left", what, (int)old.intervalS, (int)old.intervalNs,
      old.valueS == 0 && old.valueNs == 0 ? "nothing"
      : old.valueS >= 9                   ? "9 seconds"
      : old.valueS >= 8                   ? "more than 8 seconds"
                                          : "a little");
}

static void timers(void)
{
  int id, first;
  struct event event = {.signal = QUEUED, .notify = SIGEV_SIGNAL, .value.sival_int = 77};
  siginfo_t info;
  struct timespec zero = {0, 0};
  sigset_t set, alarms;
  sigemptyset(&set);
  sigaddset(&set, QUEUED);
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  sigprocmask(SIG_BLOCK, &alarms, NULL);
  SHOW(CALL(timer_create, 99, &event, &id));
  SHOW(CALL(timer_create, CLOCK_MONOTONIC_RAW, &event, &id));
  SHOW(CALL(timer_create, CLOCK_MONOTONIC, 8, &id));
  SHOW(CALL(timer_create, CLOCK_MONOTONIC, &event, 8));
  event.signal = 0;
  SHOW(CALL(timer_create, CLOCK_MONOTONIC, &event, &id));
  event.signal = 65;
  SHOW(CALL(timer_create, CLOCK_MONOTONIC, &event, &id));
  event.signal = QUEUED;
  event.notify = 9;
  SHOW(CALL(timer_create, CLOCK_MONOTONIC, &event, &id));
  event.notify = SIGEV_THREAD_ID;
  event.tid = 1 << 20;
  SHOW(CALL(timer_create, CLOCK_MONOTONIC, &event, &id));
  event.notify = SIGEV_SIGNAL;
  SHOW(CALL(timer_create, CLOCK_MONOTONIC, &event, &id));
  first = id;
  SHOW(CALL(timer_settime, 12345, 0, &soon, NULL));
  SHOW(CALL(timer_settime, id, 0, NULL, NULL));
  SHOW(CALL(timer_settime, id, 0, 8, NULL));
  SHOW(CALL(timer_settime, id, 0, &bad, NULL));
  SHOW(CALL(timer_settime, id, 0, &negative, NULL));
  SHOW(CALL(timer_settime, id, 0, &badInterval, NULL));
  SHOW(CALL(timer_gettime, id, &old));
  shown("at first");
  SHOW(CALL(timer_settime, id, 0, &far, NULL));
  SHOW(CALL(timer_gettime, id, &old));
  shown("far");
  SHOW(CALL(timer_settime, id, 0, &soon, &old));
  shown("was");
  SHOW(CALL(rt_sigtimedwait, &set, &info, NULL, 8));
  SAY("code %d, own id %d, overrun %d, value %d", info.si_code, info.si_timerid == first, info.si_overrun,
      info.si_value.sival_int);
  SHOW(CALL(timer_gettime, id, &old));
  shown("expired");
  SHOW(CALL(timer_getoverrun, id));
  /* One signal, whatever the number of intervals that go by. */
  SHOW(CALL(timer_settime, id, 0, &fast, NULL));
  usleep(20000);
  SHOW(CALL(rt_sigtimedwait, &set, &info, &zero, 8));
  SAY("overrun: %d", info.si_overrun >= 10);
  SHOW(CALL(timer_getoverrun, id) == info.si_overrun);
  SHOW(CALL(rt_sigtimedwait, &set, &info, NULL, 8));
  SHOW(CALL(timer_settime, id, 0, &never, &old));
  SAY("interval %d", (int)old.intervalNs);
  SHOW(CALL(rt_sigtimedwait, &set, &info, &zero, 8));
  SHOW(CALL(timer_getoverrun, id));
  /* A signal that waits goes with its timer. */
  SHOW(CALL(timer_settime, id, 0, &soon, NULL));
  usleep(10000);
  SHOW(CALL(timer_settime, id, 0, &never, NULL));
  SHOW(CALL(rt_sigtimedwait, &set, &info, &zero, 8));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct setting absolute = {0, 0, now.tv_sec - 5, 0};
  SHOW(CALL(timer_create, CLOCK_REALTIME, NULL, &id));
  SHOW(CALL(timer_settime, id, TIMER_ABSTIME, &absolute, NULL));
  SHOW(CALL(rt_sigtimedwait, &alarms, &info, NULL, 8));
  SAY("code %d, own id %d, value is id %d", info.si_code, info.si_timerid == id, info.si_value.sival_int == id);
  SHOW(CALL(timer_delete, id));
  SHOW(CALL(timer_delete, id));
  event.notify = NONE;
  SHOW(CALL(timer_create, CLOCK_BOOTTIME, &event, &id));
  SHOW(CALL(timer_settime, id, 0, &fast, NULL));
  usleep(5000);
  SHOW(CALL(timer_gettime, id, &old));
  shown("silent");
  SHOW(CALL(rt_sigtimedwait, &set, &info, &zero, 8));
  SHOW(CALL(timer_getoverrun, id));
  SHOW(CALL(timer_delete, id));
  fflush(stdout);
  if (fork() == 0) {
    SHOW(CALL(timer_gettime, first, &old));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  SHOW(CALL(timer_delete, first));
}

static volatile pid_t tookIt;
static volatile int rung;

static void took(int signal)
{
  (void)signal;
  tookIt = (pid_t)syscall(SYS_gettid);
  rung++;
}

static void *burns(void *arg)
{
  int id;
  volatile long *spins = arg;
  struct event event = {.signal = QUEUED, .notify = SIGEV_THREAD_ID, .tid = (int)syscall(SYS_gettid)};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, QUEUED);
  tookIt = 0;
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  SHOW(CALL(timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &id));
  SHOW(CALL(timer_settime, id, 0, &soon, NULL));
  while (tookIt == 0) ++*spins;
  SAY("taken by itself: %d", tookIt == event.tid);
  SHOW(CALL(timer_delete, id));
  event.notify = SIGEV_SIGNAL;
  tookIt = 0;
  SHOW(CALL(timer_create, CLOCK_PROCESS_CPUTIME_ID, &event, &id));
  SHOW(CALL(timer_settime, id, 0, &fast, NULL));
  rung = 0;
  while (rung < 3) ++*spins;
  SAY("three times, by this one: %d", tookIt == event.tid);
  SHOW(CALL(timer_delete, id));
  return NULL;
}

static void cpuTime(void)
{
  pthread_t thread;
  static volatile long spins;
  signal(QUEUED, took);
  pthread_create(&thread, NULL, burns, (void *)&spins);
  pthread_join(thread, NULL);
}

static void intervals(void)
{
  struct itimerval short_ = {{0, 1000}, {0, 2000}}, off = {{0, 0}, {0, 0}}, was;
  static const int signals[] = {SIGALRM, SIGVTALRM, SIGPROF};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  for (int which = 0; which < 3; which++) {
    signal(signals[which], took);
    rung = 0;
    SHOW(setitimer(which, &short_, NULL));
    for (volatile long i = 0; rung < 3; i++)
      if (which == 0) pause();
    SHOW(setitimer(which, &off, &was));
    SAY("interval %d us", (int)was.it_interval.tv_usec);
    SHOW(getitimer(which, &was));
    SAY("off: %d", was.it_value.tv_sec == 0 && was.it_value.tv_usec == 0 && was.it_interval.tv_usec == 0);
  }
  SHOW(setitimer(3, &off, NULL));
  SHOW(alarm(100));
  SHOW(alarm(0));
  SHOW(alarm(0));
}

static uint64_t counts[2];
#define count counts[0]

static void descriptors(void)
{
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct pollfd wanted = {.events = POLLIN};
  SHOW(CALL(timerfd_create, CLOCK_PROCESS_CPUTIME_ID, 0));
  SHOW(CALL(timerfd_create, CLOCK_MONOTONIC, 1));
  SHOW(read(fd, &count, 8));
  SHOW(read(fd, &count, 7));
  SHOW(write(fd, &count, 8));
  SHOW(CALL(timerfd_settime, fd, 8, &soon, NULL));
  SHOW(CALL(timerfd_settime, fd, 0, &bad, NULL));
  SHOW(CALL(timerfd_settime, fd, 0, 8, NULL));
  SHOW(CALL(timerfd_settime, 1, 0, &soon, NULL));
  SHOW(CALL(timerfd_settime, 99, 0, &soon, NULL));
  SHOW(CALL(timerfd_settime, fd, 0, &far, NULL));
  SHOW(CALL(timerfd_gettime, fd, &old));
  shown("far");
  SHOW(CALL(timerfd_settime, fd, 0, &soon, &old));
  shown("was");
  wanted.fd = fd;
  SHOW(poll(&wanted, 1, -1));
  SHOW(read(fd, &count, 8));
  SAY("expired %d", (int)count);
  SHOW(CALL(timerfd_settime, fd, 0, &fast, NULL));
  usleep(20000);
  SHOW(read(fd, counts, 16));
  SAY("expired often: %d", count >= 10);
  fcntl(fd, F_SETFL, 0);
  SHOW(read(fd, &count, 8));
  SAY("expired %d", count >= 1);
  close(fd);
}

static int events;

static void *adds(void *arg)
{
  for (int i = 0; i < 3; i++) {
    usleep(2000);
    uint64_t one = 1;
    if (write(events, &one, 8) != 8) SAY("no write");
  }
  return arg;
}

static void *takesAll(void *arg)
{
  usleep(5000);
  uint64_t all;
  if (read(events, &all, 8) != 8) SAY("no read");
  SAY("taken: %d", all == 0xfffffffffffffffe);
  return arg;
}

static void counters(void)
{
  pthread_t thread;
  uint64_t five = 5, most = 0xfffffffffffffffe, tooMuch = 0xffffffffffffffff;
  SHOW(CALL(eventfd2, 0, 8));
  events = eventfd(3, EFD_NONBLOCK);
  SHOW(read(events, &count, 7));
  SHOW(read(events, &count, 8));
  SAY("count %d", (int)count);
  SHOW(read(events, &count, 8));
  SHOW(write(events, &tooMuch, 8));
  SHOW(write(events, &five, 4));
  SHOW(write(events, &most, 8));
  SHOW(write(events, &five, 8));
  struct pollfd wanted = {.fd = events, .events = POLLIN | POLLOUT};
  SHOW(poll(&wanted, 1, 0));
  SAY("events %d", wanted.revents);
  fcntl(events, F_SETFL, 0);
  pthread_create(&thread, NULL, takesAll, NULL);
  SHOW(write(events, &five, 8));
  pthread_join(thread, NULL);
  SHOW(read(events, &count, 8));
  SAY("count %d", (int)count);
  close(events);
  events = eventfd(2, EFD_SEMAPHORE);
  pthread_create(&thread, NULL, adds, NULL);
  for (int i = 0; i < 5; i++) {
    SHOW(read(events, &count, 8));
    SAY("count %d", (int)count);
  }
  pthread_join(thread, NULL);
  close(events);
}

static void *raisesLater(void *arg)
{
  usleep(3000);
  pthread_kill(*(pthread_t *)arg, SIGUSR1);
  return arg;
}

static void bySignal(void)
{
  pthread_t thread, self = pthread_self();
  struct signalfd_siginfo infos[3];
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, QUEUED);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = (int)CALL(signalfd4, -1, &set, 8, O_NONBLOCK);
  SHOW(CALL(signalfd4, -1, &set, 4, 0));
  SHOW(CALL(signalfd4, -1, 8, 8, 0));
  SHOW(CALL(signalfd4, -1, &set, 8, 1));
  SHOW(CALL(signalfd4, 99, &set, 8, 0));
  SHOW(CALL(signalfd4, 1, &set, 8, 0));
  SHOW(read(fd, infos, sizeof infos));
  SHOW(read(fd, infos, 100));
  siginfo_t info;
  memset(&info, 0, sizeof info);
  for (int i = 1; i <= 2; i++) {
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_value.sival_int = i;
    CALL(rt_sigqueueinfo, getpid(), QUEUED, &info);
  }
  kill(getpid(), SIGUSR1);
  struct pollfd wanted = {.fd = fd, .events = POLLIN};
  SHOW(poll(&wanted, 1, 0));
  SHOW(read(fd, infos, sizeof infos));
  for (int i = 0; i < 3; i++)
    SAY("signal %u, code %d, own pid %d, int %d", infos[i].ssi_signo, infos[i].ssi_code,
        infos[i].ssi_pid == (uint32_t)getpid(), infos[i].ssi_int);
  SHOW(poll(&wanted, 1, 0));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(5);
  fcntl(fd, F_SETFL, 0);
  SHOW(read(fd, infos, sizeof infos[0]));
  SAY("signal %u, code %d, child %d, status %d", infos[0].ssi_signo, infos[0].ssi_code,
      infos[0].ssi_pid == (uint32_t)child, infos[0].ssi_status);
  wait(NULL);
  pthread_create(&thread, NULL, raisesLater, &self);
  SHOW(read(fd, infos, sizeof infos[0]));
  SAY("signal %u, code %d", infos[0].ssi_signo, infos[0].ssi_code);
  pthread_join(thread, NULL);
  sigdelset(&set, SIGUSR1);
  SHOW(CALL(signalfd4, fd, &set, 8, 0) == fd);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  raise(SIGUSR1);
  SHOW(read(fd, infos, sizeof infos[0]));
}

/* What has no name can't be opened by what /proc calls it, and has nothing that could be set. */
static void nameless(int fd)
{
  char name[40];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  SHOW(open(name, O_RDONLY));
  SHOW(fchmod(fd, 0777));
  SHOW(fchown(fd, 1, 1));
  SHOW(futimens(fd, NULL));
  SHOW(lseek(fd, 0, SEEK_SET));
  close(fd);
}

int main(void)
{
  timers();
  cpuTime();
  intervals();
  descriptors();
  counters();
  bySignal();
  sigset_t none;
  sigemptyset(&none);
  nameless(eventfd(0, 0));
  nameless(timerfd_create(CLOCK_MONOTONIC, 0));
  nameless(signalfd(-1, &none, 0));
  nameless(epoll_create1(0));
  return 0;
}
