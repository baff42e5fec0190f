/* Descriptors that stand for one thread: PIDFD_THREAD, and CLONE_PIDFD of a thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIDFD_THREAD O_EXCL
#define SIGNAL_THREAD 1
#define SIGNAL_GROUP 2
#define SIGNAL_PROCESS_GROUP 4
#define SELF_THREAD -10000
#define SELF_GROUP -10001

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case ESRCH: return "ESRCH";
    case ENOENT: return "ENOENT";
    case EINVAL: return "EINVAL";
    case EAGAIN: return "EAGAIN";
    case EFAULT: return "EFAULT";
    case EMFILE: return "EMFILE";
    case EPERM: return "EPERM";
    case ESPIPE: return "ESPIPE";
    case EBADF: return "EBADF";
    case ECHILD: return "ECHILD";
    case ENOTTY: return "ENOTTY";
    default: return strerror(error);
  }
}

static const char *outcome(long result) { return name_of(result < 0 ? errno : 0); }

static pid_t gettid_(void) { return syscall(SYS_gettid); }
static int open_pid(pid_t pid, unsigned flags) { return syscall(SYS_pidfd_open, pid, flags); }

static void show_poll(const char *title, int fd, int wait_ms) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLRDNORM};
  int ready = poll(&poll_fd, 1, wait_ms);
  printf("  %s: poll %d%s%s%s\n", title, ready, poll_fd.revents & POLLIN ? " IN" : "", poll_fd.revents & POLLRDNORM ? " RDNORM" : "",
         poll_fd.revents & POLLHUP ? " HUP" : "");
}

/* "Pid:" of fdinfo, as whose number it is. */
static void show_info(const char *title, int fd, pid_t leader, pid_t tid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    printf("  %s: no fdinfo\n", title);
    return;
  }
  while (fgets(text, sizeof text, file) != NULL) {
    int pid;
    if (sscanf(text, "flags: %o", &pid) == 1) printf("  %s: flags %o\n", title, pid);
    if (sscanf(text, "Pid: %d", &pid) == 1)
      printf("  %s: Pid %s\n", title, pid == leader ? "the process" : pid == tid ? "the thread" : pid == -1 ? "-1" : "somebody");
    if (sscanf(text, "NSpid: %d", &pid) == 1)
      printf("  %s: NSpid %s\n", title, pid == leader ? "the process" : pid == tid ? "the thread" : pid == -1 ? "-1" : "somebody");
  }
  fclose(file);
}

/* Threads that wait, and end when they are told. */
struct worker {
  pthread_t thread;
  volatile pid_t tid;
  int ready[2], end[2];
};

static volatile pid_t handled_by;
static volatile int handled_code;

static void on_signal(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  handled_code = info->si_code;
  handled_by = gettid_();
}

static void *wait_for_end(void *argument) {
  struct worker *worker = argument;
  char byte = 0;
  worker->tid = gettid_();
  write(worker->ready[1], &byte, 1);
  while (read(worker->end[0], &byte, 1) < 0) continue;
  return NULL;
}

static void start(struct worker *worker) {
  char byte;
  pipe(worker->ready);
  pipe(worker->end);
  pthread_create(&worker->thread, NULL, wait_for_end, worker);
  read(worker->ready[0], &byte, 1);
}

static void end(struct worker *worker) {
  write(worker->end[1], "", 1);
  pthread_join(worker->thread, NULL);
}

static const char *who(pid_t tid, pid_t leader, pid_t worker) {
  return tid == 0 ? "nobody" : tid == leader ? "the leader" : tid == worker ? "the thread" : tid == gettid_() ? "me" : "another";
}

static void send(const char *title, int fd, unsigned flags, pid_t leader, pid_t worker) {
  handled_by = 0;
  handled_code = 0;
  long result = syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, flags);
  const char *said = outcome(result);
  for (int i = 0; i < 1000 && result == 0 && handled_by == 0; i++) usleep(1000);
  printf("  %s, flags %u: %s", title, flags, said);
  if (result == 0) printf(", %s, %s", who(handled_by, leader, worker), handled_code == SI_TKILL ? "SI_TKILL" : handled_code == SI_USER ? "SI_USER" : "?");
  printf("\n");
}

static void send_info(const char *title, int fd, int code, pid_t leader, pid_t worker) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = SIGUSR1;
  info.si_code = code;
  handled_by = 0;
  long result = syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &info, 0);
  const char *said = outcome(result);
  for (int i = 0; i < 1000 && result == 0 && handled_by == 0; i++) usleep(1000);
  printf("  %s, si_code %d: %s", title, code, said);
  if (result == 0) printf(", %s, %d", who(handled_by, leader, worker), handled_code);
  printf("\n");
}

static void opening(void) {
  struct worker worker;
  struct stat one, other;
  char link[64] = "", path[64];
  pid_t leader = getpid();
  printf("opening\n");
  start(&worker);
  printf("  as a process: %s\n", outcome(open_pid(worker.tid, 0)));
  printf("  as a process, nonblocking: %s\n", outcome(open_pid(worker.tid, O_NONBLOCK)));
  printf("  other flags: %s\n", outcome(open_pid(worker.tid, O_CLOEXEC)));
  int fd = open_pid(worker.tid, PIDFD_THREAD);
  printf("  as a thread: %s, flags %x, %s\n", outcome(fd), fcntl(fd, F_GETFL) & (O_EXCL | O_NONBLOCK | O_ACCMODE),
         fcntl(fd, F_GETFD) & FD_CLOEXEC ? "close-on-exec" : "kept");
  int again = open_pid(worker.tid, PIDFD_THREAD | O_NONBLOCK);
  printf("  nonblocking: %s, flags %x\n", outcome(again), fcntl(again, F_GETFL) & (O_EXCL | O_NONBLOCK | O_ACCMODE));
  int process = open_pid(leader, 0), first = open_pid(leader, PIDFD_THREAD);
  fstat(fd, &one);
  fstat(again, &other);
  printf("  twice the thread: %s\n", one.st_ino == other.st_ino && one.st_dev == other.st_dev ? "one file" : "two files");
  fstat(process, &other);
  printf("  thread and process: %s, %s\n", one.st_ino == other.st_ino ? "one file" : "two files", one.st_dev == other.st_dev ? "one file system" : "two");
  fstat(first, &one);
  printf("  process and first thread: %s\n", one.st_ino == other.st_ino ? "one file" : "two files");
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  readlink(path, link, sizeof link - 1);
  printf("  called %s\n", link);
  show_info("thread", fd, leader, worker.tid);
  show_info("process", process, leader, worker.tid);
  show_info("first thread", first, leader, worker.tid);
  show_poll("thread", fd, 0);
  show_poll("first thread", first, 0);
  pid_t tid = worker.tid;
  end(&worker);
  show_poll("ended thread", fd, 1000);
  show_info("ended thread", fd, leader, tid);
  printf("  opened then: %s, as a process %s\n", outcome(open_pid(tid, PIDFD_THREAD)), outcome(open_pid(tid, 0)));
  close(fd), close(again), close(process), close(first);
}

static void signals(void) {
  struct worker worker;
  pid_t leader = getpid();
  printf("signals\n");
  start(&worker);
  int thread = open_pid(worker.tid, PIDFD_THREAD);
  int process = open_pid(leader, 0), first = open_pid(leader, PIDFD_THREAD);
  static const unsigned flags[] = {0, SIGNAL_THREAD, SIGNAL_GROUP, 3, 8};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    send("thread", thread, flags[i], leader, worker.tid);
    send("process", process, flags[i], leader, worker.tid);
    send("first thread", first, flags[i], leader, worker.tid);
    send("self as thread", SELF_THREAD, flags[i], leader, worker.tid);
    send("self as process", SELF_GROUP, flags[i], leader, worker.tid);
  }
  send("thread", thread, SIGNAL_PROCESS_GROUP, leader, worker.tid);
  static const int codes[] = {SI_QUEUE, SI_USER, SI_TKILL, 5};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    send_info("thread", thread, codes[i], leader, worker.tid);
    send_info("process", process, codes[i], leader, worker.tid);
    send_info("self as thread", SELF_THREAD, codes[i], leader, worker.tid);
    send_info("self as process", SELF_GROUP, codes[i], leader, worker.tid);
  }
  printf("  no signal: %s\n", outcome(syscall(SYS_pidfd_send_signal, thread, 0, NULL, 0)));
  printf("  bad signal: %s\n", outcome(syscall(SYS_pidfd_send_signal, thread, 65, NULL, 0)));
  pid_t tid = worker.tid;
  end(&worker);
  send("ended thread", thread, 0, leader, tid);
  send("ended thread", thread, SIGNAL_GROUP, leader, tid);
  send("ended thread", thread, SIGNAL_PROCESS_GROUP, leader, tid);
  close(thread), close(process), close(first);
}

/* The same, sent by a thread that is not the first. */
struct sender {
  pid_t leader;
  int process;
};

static void *send_as_thread(void *argument) {
  struct sender *sender = argument;
  pid_t me = gettid_();
  int own = open_pid(me, PIDFD_THREAD);
  for (unsigned flags = 0; flags < 3; flags++) {
    send("own thread", own, flags, sender->leader, me);
    send("process", sender->process, flags, sender->leader, me);
    send("self as thread", SELF_THREAD, flags, sender->leader, me);
    send("self as process", SELF_GROUP, flags, sender->leader, me);
  }
  for (int code = 0; code >= SI_TKILL; code += SI_TKILL) {
    send_info("own thread", own, code, sender->leader, me);
    send_info("process", sender->process, code, sender->leader, me);
    send_info("self as thread", SELF_THREAD, code, sender->leader, me);
    send_info("self as process", SELF_GROUP, code, sender->leader, me);
  }
  struct iovec part = {.iov_base = NULL, .iov_len = 0};
  printf("  process_madvise of own thread: %s, self as thread: %s, as process: %s\n",
         outcome(syscall(SYS_process_madvise, own, &part, 1, MADV_COLD, 0)),
         outcome(syscall(SYS_process_madvise, SELF_THREAD, &part, 1, MADV_COLD, 0)),
         outcome(syscall(SYS_process_madvise, SELF_GROUP, &part, 1, MADV_COLD, 0)));
  close(own);
  return NULL;
}

static void from_a_thread(void) {
  pthread_t thread;
  struct sender sender = {.leader = getpid(), .process = open_pid(getpid(), 0)};
  printf("from a thread\n");
  pthread_create(&thread, NULL, send_as_thread, &sender);
  pthread_join(thread, NULL);
  close(sender.process);
}

static void other_calls(void) {
  struct worker worker;
  siginfo_t info;
  struct iovec part = {.iov_base = NULL, .iov_len = 0};
  printf("other calls\n");
  start(&worker);
  int fd = open_pid(worker.tid, PIDFD_THREAD);
  printf("  process_madvise: %s\n", outcome(syscall(SYS_process_madvise, fd, &part, 1, MADV_COLD, 0)));
  printf("  process_mrelease: %s\n", outcome(syscall(SYS_process_mrelease, fd, 0)));
  int got = syscall(SYS_pidfd_getfd, fd, worker.end[1], 0);
  printf("  pidfd_getfd: %s, %s\n", outcome(got), write(got, "", 0) == 0 ? "it writes" : "no use");
  close(got);
  printf("  pidfd_getfd of none: %s\n", outcome(syscall(SYS_pidfd_getfd, fd, 999, 0)));
  printf("  waitid: %s\n", outcome(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG)));
  printf("  waitid for clones: %s\n", outcome(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG | __WALL)));
  char byte;
  printf("  read %s, write %s, lseek %s\n", outcome(read(fd, &byte, 1)), outcome(write(fd, &byte, 1)), outcome(lseek(fd, 0, SEEK_SET)));
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u32 = 7}};
  printf("  epoll: %s", outcome(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)));
  printf(", %d", epoll_wait(epoll, &event, 1, 0));
  end(&worker);
  int count = epoll_wait(epoll, &event, 1, 2000);
  printf(", after its end %d: %x", count, event.events);
  printf(", again %d\n", epoll_wait(epoll, &event, 1, 0));
  printf("  of an ended one: madvise %s", outcome(syscall(SYS_process_madvise, fd, &part, 1, MADV_COLD, 0)));
  printf(", mrelease %s", outcome(syscall(SYS_process_mrelease, fd, 0)));
  printf(", getfd %s", outcome(syscall(SYS_pidfd_getfd, fd, 0, 0)));
  printf(", waitid %s\n", outcome(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG)));
  close(epoll);
  close(fd);
}

/* Directories of /proc that signals can be sent by. */
static void directories(void) {
  struct worker worker;
  char path[64];
  pid_t leader = getpid();
  printf("directories\n");
  start(&worker);
  snprintf(path, sizeof path, "/proc/self/task/%d", worker.tid);
  int task = open(path, O_RDONLY | O_DIRECTORY);
  snprintf(path, sizeof path, "/proc/%d", worker.tid);
  int thread = open(path, O_RDONLY | O_DIRECTORY);
  int process = open("/proc/self", O_RDONLY | O_DIRECTORY);
  send("task/TID", task, 0, leader, worker.tid);
  for (unsigned flags = 0; flags < 3; flags++) {
    send("thread", thread, flags, leader, worker.tid);
    send("process", process, flags, leader, worker.tid);
  }
  send("thread", thread, SIGNAL_PROCESS_GROUP, leader, worker.tid);
  pid_t tid = worker.tid;
  end(&worker);
  send("ended thread", thread, 0, leader, tid);
  close(task), close(thread), close(process);
}

/* Threads that the program clones itself; they do without a C library. musl's clone refuses them, and its __clone answers -errno. */
extern int __clone(int (*)(void *), void *, int, void *, ...);

static char stack[1 << 16] __attribute__((aligned(16)));
static volatile int may_end;
static volatile pid_t cloned_tid;

static int run_cloned(void *argument) {
  (void)argument;
  while (!may_end) syscall(SYS_sched_yield);
  return 0;
}

static int clone_thread(int flags, int *fd) {
  int tid = __clone(run_cloned, stack + sizeof stack, flags, NULL, fd, NULL, NULL);
  if (tid >= -1) return tid;
  errno = -tid;
  return -1;
}

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static void clones(void) {
  int fd = -1;
  pid_t leader = getpid();
  printf("clones\n");
  may_end = 0;
  pid_t tid = clone_thread(THREAD_FLAGS | CLONE_PIDFD, &fd);
  printf("  a thread with a pidfd: %s, flags %x, %s\n", outcome(tid), fcntl(fd, F_GETFL) & (O_EXCL | O_NONBLOCK | O_ACCMODE),
         fcntl(fd, F_GETFD) & FD_CLOEXEC ? "close-on-exec" : "kept");
  show_info("thread", fd, leader, tid);
  show_poll("thread", fd, 0);
  may_end = 1;
  show_poll("ended thread", fd, 2000);
  close(fd);
  may_end = 1;
  tid = clone_thread(THREAD_FLAGS | CLONE_PIDFD, (int *)8);
  printf("  nowhere to put it: %s\n", outcome(tid));
  tid = clone_thread(THREAD_FLAGS | CLONE_PIDFD | CLONE_PARENT_SETTID, &fd);
  printf("  the number, too: %s\n", outcome(tid));
  tid = clone_thread(THREAD_FLAGS | CLONE_PIDFD | CLONE_DETACHED, &fd);
  printf("  detached: %s\n", outcome(tid));
  struct rlimit limit, none;
  getrlimit(RLIMIT_NOFILE, &limit);
  none = limit;
  none.rlim_cur = 3;
  setrlimit(RLIMIT_NOFILE, &none);
  tid = clone_thread(THREAD_FLAGS | CLONE_PIDFD, &fd);
  setrlimit(RLIMIT_NOFILE, &limit);
  printf("  no descriptor for it: %s\n", outcome(tid));
  int next = dup(1);
  close(next);
  printf("  a descriptor is %s\n", next == fd || next < 16 ? "free again" : "lost");
}

/* A group whose first process has ended and was waited for. */
static void group(void) {
  int ready[2], report[2];
  char byte = 0;
  pipe(ready);
  pipe(report);
  printf("a group without its first process\n");
  /* Whoever it belongs to must wait for it, or it stays in its group. */
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    if (fork() == 0) {
      write(ready[1], &byte, 1);
      while (handled_by == 0) pause();
      byte = handled_code == SI_USER ? 'u' : '?';
      write(report[1], &byte, 1);
      _exit(0);
    }
    pause();
  }
  close(ready[1]), close(report[1]);
  read(ready[0], &byte, 1);
  int fd = open_pid(child, 0);
  handled_by = 0;
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  printf("  to the process: %s", outcome(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0)));
  printf(", to the group: %s", outcome(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, SIGNAL_PROCESS_GROUP)));
  read(report[0], &byte, 1);
  printf(", which hears of it: %c", byte);
  read(report[0], &byte, 1);
  while (wait(NULL) > 0) continue;
  printf(", when that has ended: %s\n", outcome(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, SIGNAL_PROCESS_GROUP)));
  close(fd), close(ready[0]), close(report[0]);
}

static void zombies(void) {
  int hold[2];
  char byte;
  pipe(hold);
  printf("zombies\n");
  pid_t child = fork();
  if (child == 0) {
    close(hold[1]);
    read(hold[0], &byte, 1);
    _exit(3);
  }
  int process = open_pid(child, 0), first = open_pid(child, PIDFD_THREAD);
  show_poll("process", process, 0);
  show_poll("first thread", first, 0);
  close(hold[0]), close(hold[1]);
  show_poll("ended process", process, 2000);
  show_poll("ended first thread", first, 0);
  printf("  opened as a zombie: %s", outcome(open_pid(child, 0)));
  printf(", its thread %s\n", outcome(open_pid(child, PIDFD_THREAD)));
  siginfo_t info;
  printf("  waitid by the first thread: %s", outcome(waitid(P_PIDFD, first, &info, WEXITED)));
  printf(", status %d\n", info.si_status);
  show_poll("reaped process", process, 0);
  show_poll("reaped first thread", first, 0);
  close(process), close(first);
}

/* A process whose first thread ends before another, which then executes a program or ends. */
static int told[2], asked[2];
static char program[4096];

static void *outlive(void *argument) {
  (void)argument;
  pid_t tid = gettid_();
  char what;
  write(told[1], &tid, sizeof tid);
  read(asked[0], &what, 1);
  if (what == 'x') {
    char *arguments[] = {program, "wait", NULL};
    dup2(asked[0], 0);
    execv(program, arguments);
  }
  if (what == 'e') syscall(SYS_exit_group, 4);
  syscall(SYS_exit, 5);
  return NULL;
}

static void first_gone(const char *title, char what, int stays) {
  pid_t tid;
  siginfo_t info;
  printf("%s\n", title);
  pipe(told);
  pipe(asked);
  pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    close(asked[1]);
    pthread_create(&thread, NULL, outlive, NULL);
    if (stays) pause();
    syscall(SYS_exit, 6);
  }
  close(asked[0]);
  read(told[0], &tid, sizeof tid);
  usleep(20000);
  int process = open_pid(child, 0), first = open_pid(child, PIDFD_THREAD), other = open_pid(tid, PIDFD_THREAD);
  show_poll("process", process, 0);
  show_poll("first thread", first, 0);
  show_poll("other", other, 0);
  int got = syscall(SYS_pidfd_getfd, other, 1, 0);
  printf("  pidfd_getfd by the other: %s", outcome(got));
  if (got >= 0) close(got);
  got = syscall(SYS_pidfd_getfd, first, 1, 0);
  printf(", by the first: %s\n", outcome(got));
  if (got >= 0) close(got);
  printf("  a signal of 0 to the first: %s", outcome(syscall(SYS_pidfd_send_signal, first, 0, NULL, 0)));
  printf(", to the other: %s\n", outcome(syscall(SYS_pidfd_send_signal, other, 0, NULL, 0)));
  write(asked[1], &what, 1);
  show_poll("other, then", other, 2000);
  usleep(20000);
  show_poll("process, then", process, 0);
  show_poll("first thread, then", first, 0);
  printf("  the other's number: %s\n", outcome(open_pid(tid, PIDFD_THREAD)));
  show_info("first thread", first, child, tid);
  show_info("other", other, child, tid);
  close(asked[1]);
  memset(&info, 0, sizeof info);
  printf("  waitid by the other: %s", outcome(waitid(P_PIDFD, other, &info, WEXITED | WNOHANG)));
  printf(", by the process: %s", outcome(waitid(P_PIDFD, process, &info, WEXITED)));
  printf(", status %d\n", info.si_status);
  close(told[0]), close(told[1]);
  close(process), close(first), close(other);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "wait") == 0) {
    char byte;
    read(0, &byte, 1);
    return 7;
  }
  readlink("/proc/self/exe", program, sizeof program - 1);
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  opening();
  signals();
  from_a_thread();
  other_calls();
  directories();
  clones();
  group();
  zombies();
  first_gone("the first thread has ended, the other ends", 'q', 0);
  first_gone("the first thread has ended, the other ends the process", 'e', 0);
  first_gone("the first thread has ended, the other executes", 'x', 0);
  first_gone("the first thread waits, the other executes", 'x', 1);
  first_gone("the first thread waits, the other ends the process", 'e', 1);
  return 0;
}
