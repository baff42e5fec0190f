// A program that means harm, one way for each argument. None of them may hurt the machine's host.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char block[65536];

static void say(const char *what, long count) {
  printf("%s after %ld: %s\n", what, count, strerror(errno));
  fflush(stdout);
}

static void deaf(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  for (int i = 1; i < 65; i++) signal(i, SIG_IGN);
}

// Children that live on, until there can be no more.
static void forks(void) {
  long n = 0;
  for (;;) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) for (;;) pause();
    n++;
  }
  say("fork", n);
  kill(0, SIGKILL);
}

// Every child forks as well.
static void bomb(void) {
  deaf();
  for (;;) fork();
}

static void zombies(void) {
  long n = 0;
  for (;;) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) _exit(0);
    n++;
  }
  say("zombies", n);
}

static void *sleeper(void *unused) { for (;;) pause(); return unused; }

static void threads(void) {
  long n = 0;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 16384);
  pthread_t thread;
  while ((errno = pthread_create(&thread, &attr, sleeper, 0)) == 0) n++;
  say("thread", n);
  _exit(0);
}

static void memory(void) {
  for (long n = 0;; n++) {
    char *p = mmap(0, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) { say("mmap", n); return; }
    memset(p, 1, 1 << 24);
  }
}

static void vmas(void) {
  long n = 0;
  while (mmap(0, 4096, n % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) n++;
  say("mmap", n);
}

// The mappings of many processes.
static void vmas_forked(void) {
  for (long n = 0; n < 60000; n++) mmap(0, 4096, n % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  forks();
}

static long fill_descriptors(int (*open_one)(void)) {
  long n = 0;
  while (open_one() >= 0) n++;
  return n;
}
static int open_null(void) { return open("/dev/null", O_RDWR); }
static int open_pipe(void) {
  int fds[2];
  if (pipe2(fds, O_NONBLOCK) < 0) return -1;
  while (write(fds[1], block, sizeof block) > 0) {}
  errno = 0;
  return fds[0];
}
static int open_event(void) { return eventfd(0, 0); }
static int open_memfd(void) { return memfd_create("m", 0); }
static int open_epoll(void) { return epoll_create1(0); }

// Sockets that are full, in one process after the other.
static int open_socket(void) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0) return -1;
  for (int i = 0; i < 2; i++) while (write(fds[i], block, sizeof block) > 0) {}
  return fds[0];
}

// One kind of descriptor, in one process after the other.
static void descriptors(int (*open_one)(void), const char *what) {
  long n = fill_descriptors(open_one);
  say(what, n);
  int rounds = 0;
  for (;; rounds++) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      for (int fd = 3; fd < 65536; fd++) if (close(fd) < 0 && fd > 4096) break;
      fill_descriptors(open_one);
      for (;;) pause();
    }
  }
  say("processes of them", rounds);
  kill(0, SIGKILL);
}

// As many as possible in each of many processes, one after the other: each waits for the end of the one before it.
static void everywhere(int (*open_one)(void), const char *what) {
  struct rlimit limit = {4096, 4096};
  setrlimit(RLIMIT_NOFILE, &limit);
  long total = 0, n = 1;
  for (; n > 0;) {
    int fds[2];
    if (pipe(fds) < 0) break;
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      n = fill_descriptors(open_one);
      write(fds[1], &n, sizeof n);
      for (;;) pause();
    }
    read(fds[0], &n, sizeof n);
    close(fds[0]);
    close(fds[1]);
    total += n;
  }
  say(what, total);
  kill(0, SIGKILL);
}

static void epolls(void) {
  long n = 0;
  for (int i = 0; i < 300; i++) open_event();
  for (int i = 0; i < 300; i++) {
    int ep = epoll_create1(0);
    if (ep < 0) break;
    for (int fd = 3; fd < ep; fd++) {
      struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
      if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0) n++;
    }
  }
  say("epoll", n);
}

static void timers(void) {
  long n = 0;
  timer_t timer;
  struct sigevent ev = {.sigev_notify = SIGEV_NONE};
  while (timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0) {
    struct itimerspec spec = {.it_interval = {0, 1}, .it_value = {0, 1}};
    timer_settime(timer, 0, &spec, 0);
    if (++n == 1000000) break;
  }
  say("timer", n);
}

static void queued(void) {
  long n = 0;
  sigset_t set;
  sigfillset(&set);
  sigprocmask(SIG_BLOCK, &set, 0);
  union sigval value = {0};
  while (sigqueue(getpid(), SIGRTMIN, value) == 0 && n < 5000000) n++;
  say("queued signals", n);
}

static void output(void) { deaf(); for (;;) if (write(1, block, sizeof block) < 0 && errno != EAGAIN) _exit(1); }

static void spin(void) { deaf(); for (;;) {} }
static void tiny_sleeps(void) { deaf(); struct timespec t = {0, 1}; for (;;) nanosleep(&t, 0); }
static void timer_storm(void) {
  deaf();
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec spec = {.it_interval = {0, 1}, .it_value = {0, 1}};
  timerfd_settime(fd, 0, &spec, 0);
  unsigned long long n;
  for (;;) if (read(fd, &n, 8) < 0) _exit(1);
}

static void files(void) {
  long n = 0;
  char name[32];
  mkdir("/tmp/f", 0755);
  for (;; n++) {
    sprintf(name, "/tmp/f/%ld", n);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    if (fd < 0) break;
    close(fd);
  }
  say("files", n);
}

static void deep(void) {
  long n = 0;
  chdir("/tmp");
  while (n < 200000 && mkdir("d", 0755) == 0 && chdir("d") == 0) n++;
  say("deep", n);
  static char cwd[65536];
  printf("getcwd %s\n", getcwd(cwd, sizeof cwd) ? "yes" : strerror(errno));
  while (chdir("..") == 0 && n-- > 0) rmdir("d");
}

static void file_pages(void) {
  int fd = open("/tmp/big", O_CREAT | O_RDWR, 0600);
  long n = 0;
  while (write(fd, block, sizeof block) > 0) n++;
  say("tmpfs", n);
}

static void sparse(void) {
  int fd = open("/tmp/sparse", O_CREAT | O_RDWR, 0600);
  long n = 0;
  for (off_t at = 1; at > 0 && at < (1LL << 62); at += at / 64 + 1) if (pwrite(fd, "x", 1, at) == 1) n++;
  say("sparse", n);
}

static void args(void) {
  // Twice as many each time, until execve refuses.
  char **argv = malloc(sizeof(char *) * 3000000);
  char *word = malloc(131072);
  memset(word, 'a', 131071);
  word[131071] = 0;
  for (int i = 0; i < 2999999; i++) argv[i] = i % 2 ? word : "";
  argv[2999999] = 0;
  execv("/proc/self/exe", argv);
  say("execve", 1);
  execv("/proc/self/exe", (char *[]){"hostile", "again", word, 0});
  say("execve", 2);
}

static void locks(void) {
  long n = 0;
  int fd = open("/tmp/l", O_CREAT | O_RDWR, 0600);
  for (; n < 2000000; n++) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2 * n, .l_len = 1};
    if (fcntl(fd, F_SETLK, &lock) < 0) break;
  }
  say("locks", n);
}

// Sockets under way in sockets, which nobody has otherwise; and rings of them.
static void rights(int is_ring) {
  char space[CMSG_SPACE(8)] = {0};
  struct iovec piece = {block, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(8);
  int held[2] = {0, 1};
  long n = 0;
  for (; n < 30000; n++) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds) < 0) break;
    memcpy(CMSG_DATA(head), is_ring ? fds : held, 8);
    if (sendmsg(fds[0], &message, 0) < 0) break;
    if (n > 0 || is_ring) { close(is_ring ? fds[0] : held[0]); close(is_ring ? fds[1] : held[1]); }
    memcpy(held, fds, 8);
  }
  say(is_ring ? "rings" : "rights", n);
}

static void watches(void) {
  long n = 0;
  for (int i = 0; i < 500; i++) open_event();
  for (;;) {
    int ep = epoll_create1(0);
    if (ep < 0) break;
    for (int fd = 3; fd < 500; fd++, n++) {
      struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
      if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0) { say("watches", n); return; }
    }
  }
  say("event polls", n);
}

static void jumps(void) {
  // Into every odd place: a fault, a signal, and on.
  struct sigaction ign = {.sa_handler = SIG_DFL};
  sigaction(SIGSEGV, &ign, 0);
  long targets[] = {0, 1, 3, -1, -2, 0x7fffffffffffffffL, 1L << 47, (1L << 47) - 2, 0xffff, (long)block + 1};
  for (unsigned i = 0; i < sizeof targets / sizeof *targets; i++) {
    pid_t pid = fork();
    if (pid == 0) { ((void (*)(void))targets[i])(); _exit(0); }
    int status;
    waitpid(pid, &status, 0);
    printf("%lx: %d\n", targets[i], status & 127);
  }
}

// Code that writes itself: each instruction changes the one after it.
static void self(void) {
  unsigned *code = mmap(0, 8192, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned seed = 1;
  for (int round = 0; round < 2000; round++) {
    for (int i = 0; i < 64; i++) { seed = seed * 1664525 + 1013904223; code[i] = 0x00000013 | (seed & 0xfff00000); }
    code[64] = 0x00008067;
    __asm__ volatile("fence.i" ::: "memory");
    ((void (*)(void))code)();
  }
  printf("self done\n");
  // Without fence.i, across two pages, and over the very page that runs.
  for (int i = 0; i < 2048; i++) code[i] = 0x00008067;
  for (int i = 0; i < 2000; i++) { code[1023] = i % 2 ? 0x00000013 : 0x00008067; ((void (*)(void))&code[1023])(); }
  printf("rewritten\n");
}

static void paths(void) {
  const char *tries[] = {"/../../../etc/passwd", "/proc/self/root/../../etc/passwd", "/proc/self/cwd/../../../../etc/passwd",
    "/tmp/out/etc/passwd", "/tmp/up/etc/passwd", "/proc/1/root/etc/passwd", "/dev/fd/../../../etc/passwd", "/tmp/loop/x"};
  symlink("/", "/tmp/out");
  symlink("../../../../../../../..", "/tmp/up");
  symlink("loop", "/tmp/loop");
  for (unsigned i = 0; i < sizeof tries / sizeof *tries; i++) {
    int fd = open(tries[i], O_RDONLY);
    printf("%s: %s\n", tries[i], fd < 0 ? strerror(errno) : "OPENED");
    if (fd >= 0) close(fd);
  }
  int root = open("/", O_RDONLY | O_DIRECTORY);
  int up = openat(root, "../../../..", O_RDONLY | O_DIRECTORY);
  struct stat a, b;
  fstat(root, &a);
  fstat(up, &b);
  printf("up is root: %d\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
  chdir("/tmp");
  int out = openat(AT_FDCWD, "../../../../../etc/hostname", O_RDONLY);
  printf("hostname: %s\n", out < 0 ? strerror(errno) : "OPENED");
}

/* Calls that are long each, and many in what is a turn for instructions. */
static void populates(void) {
  deaf();
  for (;;) munmap(mmap(0, 40 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0), 40 << 20);
}

static void protects(void) {
  deaf();
  char *p = mmap(0, 40 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  for (int turn = 0;; turn++) mprotect(p, 40 << 20, turn & 1 ? PROT_READ : PROT_READ | PROT_WRITE);
}

/* One call that would be. */
static void copies(void) {
  deaf();
  int from = open("from", O_RDWR | O_CREAT, 0600), to = open("to", O_RDWR | O_CREAT, 0600);
  ftruncate(from, 8l << 30);
  for (;;) copy_file_range(from, &(off_t){0}, to, &(off_t){0}, 2l << 30, 0);
}

static void calls(void) {
  deaf();
  unsigned long s = 88172645463325252ul;
  for (;;) {
    long v[7];
    for (int i = 0; i < 7; i++) { s ^= s << 13; s ^= s >> 7; s ^= s << 17; v[i] = (s >> 60) < 8 ? (long)s : (s >> 60) < 12 ? (long)(s & 63) : (long)(block + (s & 4095)); }
    long nr = (unsigned long)v[6] % 470;
    if (nr == 93 || nr == 94 || nr == 129 || nr == 130 || nr == 131) continue;
    syscall(nr, v[0], v[1], v[2], v[3], v[4], v[5]);
  }
}

int main(int argc, char **argv) {
  const char *way = argc > 1 ? argv[1] : "";
  struct { const char *name; void (*run)(void); } ways[] = {
    {"forks", forks}, {"bomb", bomb}, {"zombies", zombies}, {"threads", threads}, {"memory", memory}, {"vmas", vmas},
    {"vmas-forked", vmas_forked}, {"epolls", epolls}, {"timers", timers}, {"queued", queued}, {"output", output},
    {"spin", spin}, {"sleeps", tiny_sleeps}, {"timer-storm", timer_storm}, {"files", files}, {"deep", deep},
    {"tmpfs", file_pages}, {"sparse", sparse}, {"args", args}, {"locks", locks}, {"jumps", jumps}, {"self", self},
    {"paths", paths}, {"calls", calls}, {"watches", watches},
    {"populates", populates}, {"protects", protects}, {"copies", copies},
  };
  for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) if (strcmp(way, ways[i].name) == 0) { ways[i].run(); return 0; }
  if (strcmp(way, "rights") == 0) { rights(0); return 0; }
  if (strcmp(way, "rings") == 0) { rights(1); return 0; }
  if (strcmp(way, "sockets") == 0) descriptors(open_socket, "sockets");
  if (strcmp(way, "events-everywhere") == 0) everywhere(open_event, "events");
  if (strcmp(way, "sockets-everywhere") == 0) everywhere(open_socket, "sockets");
  if (strcmp(way, "null") == 0) descriptors(open_null, "null");
  if (strcmp(way, "pipes") == 0) descriptors(open_pipe, "pipes");
  if (strcmp(way, "events") == 0) descriptors(open_event, "events");
  if (strcmp(way, "memfds") == 0) descriptors(open_memfd, "memfds");
  if (strcmp(way, "epoll-fds") == 0) descriptors(open_epoll, "epoll-fds");
  printf("no such way: %s\n", way);
  return 2;
}
