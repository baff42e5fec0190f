/* epoll: level and edge, one-shot, exclusive, nested; on pipes, event files, pidfds; what it refuses. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

static int add(int epoll, int fd, unsigned events, unsigned long data)
{
  struct epoll_event event = {.events = events, .data.u64 = data};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int mod(int epoll, int fd, unsigned events, unsigned long data)
{
  struct epoll_event event = {.events = events, .data.u64 = data};
  return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

/* What is ready now, in order. */
static void ready(const char *when, int epoll, int max, int timeout)
{
  struct epoll_event events[8];
  int n = epoll_wait(epoll, events, max, timeout);
  printf("%s: %d", when, n);
  if (n < 0) printf(" %s", errorName(errno));
  for (int i = 0; i < n; i++) printf(" [%lx: %x]", (unsigned long)events[i].data.u64, events[i].events);
  SAY("%s", "");
}

static void nothing(int signal)
{
  (void)signal;
}

static void refusals(void)
{
  struct epoll_event event = {.events = EPOLLIN};
  SHOW(epoll_create1(1));
  int e = epoll_create1(EPOLL_CLOEXEC);
  CHECK(e >= 0 && fcntl(e, F_GETFD) == FD_CLOEXEC);
  int p[2];
  CHECK(pipe(p) == 0);
  int file = open("epoll-file", O_CREAT | O_RDWR, 0600);
  CHECK(file >= 0);
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, file, &event));
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, open("/dev/null", O_RDWR), &event));
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, open(".", O_RDONLY), &event));
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, 999, &event));
  SHOW(epoll_ctl(999, EPOLL_CTL_ADD, p[0], &event));
  SHOW(epoll_ctl(p[1], EPOLL_CTL_ADD, p[0], &event));
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, e, &event));
  SHOW(epoll_ctl(e, 9, p[0], &event));
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, p[0], NULL));
  SHOW(epoll_ctl(e, EPOLL_CTL_DEL, p[0], NULL));
  SHOW(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &event));
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &event));
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &event));
  SHOW(epoll_wait(e, &event, 0, 0));
  SHOW(epoll_wait(p[0], &event, 1, 0));
  SHOW(epoll_wait(999, &event, 1, 0));
  event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP;
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, p[1], &event));
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  SHOW(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &event));
  SHOW(epoll_ctl(e, EPOLL_CTL_ADD, p[1], &event));
  event.events = EPOLLIN;
  SHOW(epoll_ctl(e, EPOLL_CTL_MOD, p[1], &event));
  close(p[0]);
  SHOW(epoll_ctl(e, EPOLL_CTL_DEL, p[0], NULL));
  unlink("epoll-file");
}

static void level_and_edge(void)
{
  int e = epoll_create1(0), level[2], edge[2], once[2];
  CHECK(pipe2(level, O_NONBLOCK) == 0 && pipe2(edge, O_NONBLOCK) == 0 && pipe2(once, O_NONBLOCK) == 0);
  CHECK(add(e, edge[0], EPOLLIN | EPOLLET, 0xed) == 0);
  CHECK(add(e, level[0], EPOLLIN, 0x1e) == 0);
  CHECK(add(e, once[0], EPOLLIN | EPOLLONESHOT, 0x100000001) == 0);
  ready("nothing", e, 8, 0);
  CHECK(write(level[1], "ab", 2) == 2 && write(once[1], "a", 1) == 1 && write(edge[1], "a", 1) == 1);
  ready("all, in the order of the writes", e, 8, 0);
  ready("level alone", e, 8, 0);
  CHECK(write(edge[1], "b", 1) == 1);
  ready("edge again", e, 8, 0);
  char byte;
  CHECK(read(edge[0], &byte, 1) == 1);
  ready("reading is no edge", e, 8, 0);
  CHECK(mod(e, once[0], EPOLLIN | EPOLLONESHOT, 2) == 0);
  CHECK(mod(e, edge[0], EPOLLIN | EPOLLET, 3) == 0);
  ready("both asked for anew", e, 8, 0);
  CHECK(mod(e, once[0], EPOLLIN, 2) == 0);
  ready("one of two", e, 1, 0);
  ready("the other", e, 1, 0);
  ready("the first", e, 1, 0);
  CHECK(close(level[1]) == 0 && close(once[1]) == 0);
  ready("hung up", e, 8, 0);
  CHECK(read(level[0], &byte, 1) == 1 && read(level[0], &byte, 1) == 1);
  ready("at the end", e, 8, 0);
  CHECK(close(level[0]) == 0 && close(once[0]) == 0);
  ready("closed", e, 8, 0);
  int copy = dup(edge[0]);
  CHECK(close(edge[0]) == 0);
  CHECK(write(edge[1], "c", 1) == 1);
  ready("closed, but for a copy", e, 8, 0);
  CHECK(close(copy) == 0);
  ready("gone", e, 8, 0);
}

static void writing_end(void)
{
  static char page[65536];
  int e = epoll_create1(0), p[2];
  CHECK(pipe2(p, O_NONBLOCK) == 0 && add(e, p[1], EPOLLOUT | EPOLLET, 7) == 0);
  ready("room", e, 8, 0);
  CHECK(write(p[1], page, sizeof page) == sizeof page);
  ready("full", e, 8, 0);
  CHECK(read(p[0], page, 100) == 100);
  ready("not a page free", e, 8, 0);
  CHECK(read(p[0], page, 4000) == 4000);
  ready("a page free", e, 8, 0);
  CHECK(close(p[0]) == 0);
  ready("no reader", e, 8, 0);
}

static void event_files(void)
{
  int e = epoll_create1(0), counter = eventfd(0, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
  int signals = signalfd(-1, &set, 0);
  CHECK(add(e, counter, EPOLLIN | EPOLLOUT | EPOLLET, 1) == 0 && add(e, timer, EPOLLIN, 2) == 0 &&
        add(e, signals, EPOLLIN | EPOLLET, 3) == 0);
  ready("counter has room", e, 8, 0);
  eventfd_t value = 5;
  CHECK(eventfd_write(counter, value) == 0);
  ready("counter written", e, 8, 0);
  CHECK(eventfd_read(counter, &value) == 0);
  ready("counter read", e, 8, 0);
  struct itimerspec soon = {.it_value = {0, 2000000}};
  CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0);
  ready("timer", e, 8, -1);
  unsigned long long ticks;
  CHECK(read(timer, &ticks, 8) == 8);
  CHECK(raise(SIGUSR1) == 0);
  ready("signal", e, 8, -1);
  ready("signal still there", e, 8, 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    usleep(10000);
    _exit(0);
  }
  int pidfd = syscall(SYS_pidfd_open, child, 0);
  CHECK(pidfd >= 0 && add(e, pidfd, EPOLLIN | EPOLLET, 4) == 0);
  ready("child ended", e, 8, -1);
  CHECK(waitpid(child, NULL, 0) == child);
  struct signalfd_siginfo info;
  CHECK(read(signals, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void nested(void)
{
  int e[7], p[2];
  for (int i = 0; i < 7; i++) CHECK((e[i] = epoll_create1(0)) >= 0);
  CHECK(pipe(p) == 0);
  for (int i = 0; i < 6; i++) SHOW(add(e[i + 1], e[i], EPOLLIN, i + 1));
  SHOW(add(e[0], e[1], EPOLLIN, 9));
  SHOW(add(e[0], e[4], EPOLLIN, 9));
  SHOW(add(e[0], p[0], EPOLLIN, 0xb));
  ready("inner empty", e[2], 8, 0);
  CHECK(write(p[1], "x", 1) == 1);
  ready("outer", e[2], 8, 0);
  ready("inner", e[0], 8, 0);
  struct pollfd wanted = {e[1], POLLIN, 0};
  SHOW(poll(&wanted, 1, 0));
  SAY("%x", wanted.revents);
}

static void waiting(void)
{
  int e = epoll_create1(0), p[2];
  CHECK(pipe(p) == 0 && add(e, p[0], EPOLLIN, 1) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    usleep(20000);
    CHECK(write(p[1], "x", 1) == 1);
    _exit(0);
  }
  ready("from the child", e, 8, -1);
  CHECK(waitpid(child, NULL, 0) == child);
  char byte;
  CHECK(read(p[0], &byte, 1) == 1);
  struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  ualarm(20000, 0);
  ready("a signal ends it in any case", e, 8, -1);
  ready("its time is up", e, 8, 5);
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0 && raise(SIGALRM) == 0);
  struct epoll_event event;
  SHOW(epoll_pwait(e, &event, 1, 5, NULL));
  SHOW(epoll_pwait(e, &event, 1, -1, &none));
  SHOW(epoll_pwait(e, &event, 1, 0, &none));
  sigset_t now;
  CHECK(sigprocmask(SIG_UNBLOCK, &blocked, &now) == 0 && sigismember(&now, SIGALRM));
  struct timespec time = {0, 3000000}, bad = {0, 1000000000};
  SHOW(syscall(SYS_epoll_pwait2, e, &event, 1, &time, NULL, 8));
  SHOW(syscall(SYS_epoll_pwait2, e, &event, 1, &bad, NULL, 8));
}

/* Two watch one pipe. Shared, both are told; exclusively, at least one of those that wait. */
static void exclusive(void)
{
  int *woken = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(woken != MAP_FAILED);
  for (int round = 0; round < 2; round++) {
    int p[2];
    pid_t children[2];
    CHECK(pipe(p) == 0);
    *woken = 0;
    for (int i = 0; i < 2; i++) {
      children[i] = fork();
      CHECK(children[i] >= 0);
      if (children[i] == 0) {
        int e = epoll_create1(0);
        CHECK(add(e, p[0], EPOLLIN | EPOLLET | (round == 0 ? 0 : EPOLLEXCLUSIVE), 1) == 0);
        struct epoll_event event;
        if (epoll_wait(e, &event, 1, 300) == 1) __sync_fetch_and_add(woken, 1);
        _exit(0);
      }
    }
    usleep(100000);
    CHECK(write(p[1], "x", 1) == 1);
    for (int i = 0; i < 2; i++) CHECK(waitpid(children[i], NULL, 0) == children[i]);
    if (round == 0)
      SAY("shared: woken %d", *woken);
    else
      SAY("exclusive: %s", *woken >= 1 ? "woken" : "lost");
    close(p[0]);
    close(p[1]);
  }
}

static void show_fds(const char *name, fd_set *set)
{
  printf(" %s:", name);
  for (int fd = 0; fd < 64; fd++)
    if (FD_ISSET(fd, set)) printf(" %d", fd);
}

static void selecting(void)
{
  int a[2], b[2];
  CHECK(pipe(a) == 0 && pipe(b) == 0);
  CHECK(dup2(a[0], 40) == 40 && dup2(a[1], 41) == 41 && dup2(b[0], 42) == 42 && dup2(b[1], 43) == 43);
  close(a[0]), close(a[1]), close(b[0]), close(b[1]);
  fd_set in, out, except;
  for (int step = 0; step < 4; step++) {
    if (step == 1) CHECK(write(41, "x", 1) == 1);
    if (step == 2) close(43);
    if (step == 3) close(40);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    if (step < 3) FD_SET(40, &in);
    FD_SET(42, &in), FD_SET(41, &out), FD_SET(42, &except);
    struct timeval time = {0, 1000};
    int n = select(44, &in, &out, &except, &time);
    printf("select %d", n);
    show_fds("in", &in);
    show_fds("out", &out);
    show_fds("except", &except);
    SAY("%s", "");
  }
  FD_ZERO(&in);
  FD_SET(43, &in);
  SHOW(select(44, &in, NULL, NULL, NULL));
  SHOW(select(-1, &in, NULL, NULL, NULL));
  FD_ZERO(&in);
  FD_SET(42, &in);
  SHOW(select(42, &in, NULL, NULL, &(struct timeval){0, 0}));
  FD_SET(42, &in);
  SHOW(select(43, &in, NULL, NULL, &(struct timeval){100, 0}));
  struct pollfd fds[4] = {{42, POLLIN, 0}, {41, POLLOUT | POLLIN, 0}, {43, POLLIN, 0}, {-1, POLLIN, 7}};
  SHOW(poll(fds, 4, 0));
  for (int i = 0; i < 4; i++) SAY("revents %x", fds[i].revents);
  int file = open("/dev/null", O_RDWR), path = open(".", O_PATH);
  struct pollfd more[2] = {{file, -1, 0}, {path, POLLIN, 0}};
  SHOW(poll(more, 2, 0));
  for (int i = 0; i < 2; i++) SAY("revents %x", more[i].revents);
}

int main(void)
{
  signal(SIGPIPE, SIG_IGN);
  refusals();
  level_and_edge();
  writing_end();
  event_files();
  nested();
  waiting();
  exclusive();
  selecting();
  return 0;
}
