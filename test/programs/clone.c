/*
 * What fork, vfork, clone and exec keep, copy, share and drop: a table with a row for each thing that a process has and a
 * column for each way to make one; then what single flags do, and which combinations are refused.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

/* linux/futex.h, which not every libc brings. */
#define FUTEX_WAIT 0
#define FUTEX_WAITERS 0x80000000u

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef __WCLONE
#define __WCLONE 0x80000000
#define __WALL 0x40000000
#define __WNOTHREAD 0x20000000
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* Libraries word errors differently. */
static const char *why(int error) {
  switch (error) {
    case 0: return "no error";
    case EPERM: return "EPERM";
    case ESRCH: return "ESRCH";
    case E2BIG: return "E2BIG";
    case EBADF: return "EBADF";
    case ECHILD: return "ECHILD";
    case EAGAIN: return "EAGAIN";
    case ENOMEM: return "ENOMEM";
    case EFAULT: return "EFAULT";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case ENOSYS: return "ENOSYS";
    default: return "another error";
  }
}

enum { PAGE = 4096 };
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define ALL_SHARED (CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND)

static char stacks[2][16 * PAGE] __attribute__((aligned(4096)));
#define STACK(i) (stacks[i] + sizeof stacks[i])

static pid_t start(int (*body)(void *), int flags) {
  pid_t pid = clone(body, STACK(0), flags, NULL, NULL, NULL, NULL);
  CHECK(pid > 0);
  return pid;
}

static int status_of(pid_t pid) {
  int status = -1;
  CHECK(waitpid(pid, &status, __WALL) == pid);
  return status;
}

/* The number behind `name` in /proc/self/status, -1 where there is none. */
static long status_number(const char *name) {
  static char text[8192];
  int fd = open("/proc/self/status", O_RDONLY);
  CHECK(fd >= 0);
  long length = read(fd, text, sizeof text - 1);
  close(fd);
  text[length > 0 ? length : 0] = 0;
  char *line = strstr(text, name);
  return line == NULL ? -1 : atol(line + strlen(name));
}

/* ---- The table ---- */

enum { FORK, VFORK, CLONE_VM_ONLY, CLONE_ALL, WAYS };
static const int way_flags[WAYS] = {SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD, CLONE_VM | SIGCHLD,
                                    ALL_SHARED | SIGCHLD};

static volatile int variable;
static char *plain, *dontfork, *wipe, *dropped, *locked, *shared;
static int kept_fd, seen_fd;
static char *old_break;

/* What the child finds, in memory that every kind of child shares. */
struct findings {
  int plain, dontfork, wipe, droppable, locked, future, pending, blocked, handler, alt_stack, nofile, personality,
      umask_kept, cwd_kept, brk_kept;
};
static volatile struct findings *found;

static void on_signal(int number) { (void)number; }
static void on_other_signal(int number) { (void)number; }

static int is_mapped(char *p) {
  unsigned char vec[1];
  return mincore(p, PAGE, vec) == 0;
}

static int child_of_table(void *argument) {
  (void)argument;
  sigset_t set;
  stack_t stack;
  struct rlimit limit;
  struct sigaction action;
  found->plain = plain[0];
  found->dontfork = is_mapped(dontfork);
  found->wipe = wipe[0];
  found->droppable = dropped[0];
  found->locked = (int)status_number("VmLck:");
  char *fresh = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
  found->future = (int)status_number("VmLck:") - found->locked;
  munmap(fresh, 4 * PAGE);
  sigpending(&set);
  found->pending = sigismember(&set, SIGUSR2);
  sigprocmask(SIG_SETMASK, NULL, &set);
  found->blocked = sigismember(&set, SIGUSR2);
  sigaction(SIGUSR1, NULL, &action);
  found->handler = action.sa_handler == on_signal;
  sigaltstack(NULL, &stack);
  found->alt_stack = (stack.ss_flags & SS_DISABLE) == 0;
  getrlimit(RLIMIT_NOFILE, &limit);
  found->nofile = (int)limit.rlim_cur;
  found->personality = personality(0xffffffff) & ADDR_NO_RANDOMIZE ? 1 : 0;
  mode_t mask = umask(0);
  umask(mask);
  found->umask_kept = mask == 027;
  char cwd[256];
  found->cwd_kept = getcwd(cwd, sizeof cwd) != NULL && strcmp(cwd, "/") == 0;
  found->brk_kept = (char *)syscall(SYS_brk, 0) == old_break;

  /* And now it changes everything: what does its parent see? */
  variable = 2;
  plain[0] = 2;
  syscall(SYS_brk, old_break + 3 * PAGE);
  limit.rlim_cur = 50;
  setrlimit(RLIMIT_NOFILE, &limit);
  struct rlimit little = {PAGE * 3, RLIM_INFINITY};
  setrlimit(RLIMIT_STACK, &little);
  close(kept_fd);
  int fd = open("/", O_RDONLY | O_DIRECTORY);
  seen_fd = fcntl(fd, F_DUPFD, 40);
  close(fd);
  umask(0);
  CHECK(chdir("/proc") == 0);
  action.sa_handler = on_other_signal;
  sigaction(SIGUSR1, &action, NULL);
  sigemptyset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  munmap(shared, PAGE);
  personality(0);
  _exit(7);
}

static void table(void) {
  static const char *rows[] = {
      "sees memory",          "sees DONTFORK memory", "sees WIPEONFORK memory", "sees DROPPABLE memory",
      "locked KiB",           "MCL_FUTURE KiB",       "signal pending",         "signal blocked",
      "handler",              "alternate stack",      "RLIMIT_NOFILE",          "personality",
      "umask",                "working directory",    "break",                  "memory seen by parent",
      "break seen",           "limit seen",           "stack limit seen",       "close seen",
      "open seen",            "umask seen",           "chdir seen",             "sigaction seen",
      "mask seen",            "munmap seen",          "personality seen",       "exit code",
  };
  enum { ROWS = sizeof rows / sizeof *rows };
  static int cells[ROWS][WAYS];
  static char alternate[16384];
  for (int way = 0; way < WAYS; way++) {
    struct rlimit before, limit, stack_before, stack_after;
    plain = mmap(NULL, PAGE, RW, ANON, -1, 0);
    dontfork = mmap(NULL, PAGE, RW, ANON, -1, 0);
    wipe = mmap(NULL, PAGE, RW, ANON, -1, 0);
    dropped = mmap(NULL, PAGE, RW, 8 /* MAP_DROPPABLE */ | MAP_ANONYMOUS, -1, 0);
    locked = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0);
    shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(dropped != MAP_FAILED && shared != MAP_FAILED);
    plain[0] = dontfork[0] = wipe[0] = dropped[0] = locked[0] = 1;
    CHECK(madvise(dontfork, PAGE, MADV_DONTFORK) == 0 && madvise(wipe, PAGE, MADV_WIPEONFORK) == 0);
    CHECK(mlock(locked, 2 * PAGE) == 0 && mlockall(MCL_FUTURE) == 0);
    kept_fd = open("/proc", O_RDONLY | O_DIRECTORY);
    seen_fd = -1;
    old_break = (char *)syscall(SYS_brk, 0);
    CHECK(chdir("/") == 0);
    umask(027);
    personality(ADDR_NO_RANDOMIZE);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0 && getrlimit(RLIMIT_STACK, &stack_before) == 0);
    limit = before;
    limit.rlim_cur = 100;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_SETMASK, &set, NULL);
    raise(SIGUSR2);
    variable = 1;

    pid_t pid = start(child_of_table, way_flags[way]);
    int status = status_of(pid);

    int row = 0;
    cells[row++][way] = found->plain;
    cells[row++][way] = found->dontfork;
    cells[row++][way] = found->wipe;
    cells[row++][way] = found->droppable;
    cells[row++][way] = found->locked;
    cells[row++][way] = found->future;
    cells[row++][way] = found->pending;
    cells[row++][way] = found->blocked;
    cells[row++][way] = found->handler;
    cells[row++][way] = found->alt_stack;
    cells[row++][way] = found->nofile;
    cells[row++][way] = found->personality;
    cells[row++][way] = found->umask_kept;
    cells[row++][way] = found->cwd_kept;
    cells[row++][way] = found->brk_kept;
    cells[row++][way] = plain[0] == 2 && variable == 2;
    cells[row++][way] = (char *)syscall(SYS_brk, 0) == old_break + 3 * PAGE;
    getrlimit(RLIMIT_NOFILE, &limit);
    cells[row++][way] = limit.rlim_cur == 50;
    getrlimit(RLIMIT_STACK, &stack_after);
    cells[row++][way] = stack_after.rlim_cur != stack_before.rlim_cur;
    cells[row++][way] = fcntl(kept_fd, F_GETFD) < 0;
    cells[row++][way] = seen_fd >= 0 && fcntl(seen_fd, F_GETFD) >= 0;
    cells[row++][way] = umask(022) == 0;
    char cwd[256];
    cells[row++][way] = getcwd(cwd, sizeof cwd) != NULL && strcmp(cwd, "/proc") == 0;
    sigaction(SIGUSR1, NULL, &action);
    cells[row++][way] = action.sa_handler == on_other_signal;
    sigprocmask(SIG_SETMASK, NULL, &set);
    cells[row++][way] = !sigismember(&set, SIGUSR2);
    cells[row++][way] = !is_mapped(shared);
    cells[row++][way] = (personality(0xffffffff) & ADDR_NO_RANDOMIZE) == 0;
    cells[row++][way] = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    CHECK(row == ROWS);

    munlockall();
    setrlimit(RLIMIT_NOFILE, &before);
    syscall(SYS_brk, old_break);
    close(kept_fd);
    if (seen_fd >= 0) close(seen_fd);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    signal(SIGUSR2, SIG_DFL);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    personality(0);
    }
  SAY("%-24s %5s %5s %5s %5s", "", "fork", "vfork", "VM", "all");
  for (int row = 0; row < ROWS; row++)
    SAY("%-24s %5d %5d %5d %5d", rows[row], cells[row][0], cells[row][1], cells[row][2], cells[row][3]);
}

/* ---- Running at once ---- */

static volatile int turn, sum;
static int other_player(void *argument) {
  (void)argument;
  for (int i = 0; i < 100; i++) {
    while (turn != 1) sched_yield();
    sum += i;
    turn = 0;
  }
  _exit(3);
}
static void both_run(void) {
  pid_t pid = start(other_player, CLONE_VM | SIGCHLD);
  for (int i = 0; i < 100; i++) {
    while (turn != 0) sched_yield();
    sum += i;
    turn = 1;
  }
  CHECK(WEXITSTATUS(status_of(pid)) == 3);
  SAY("two in one memory count to %d", sum);
}

/* A mapping that one of them makes, protects or takes away is so for the other at once. */
static char *volatile made;
static int mapper(void *argument) {
  (void)argument;
  made = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
  made[0] = 5;
  while (made[PAGE] != 6) sched_yield();
  mprotect(made, PAGE, PROT_READ);
  munmap(made + PAGE, PAGE);
  _exit(0);
}
static void mapping_is_seen(void) {
  made = NULL;
  pid_t pid = start(mapper, CLONE_VM | SIGCHLD);
  while (made == NULL || made[0] != 5) sched_yield();
  made[PAGE] = 6;
  status_of(pid);
  int fd = open("/proc/self/comm", O_RDONLY);
  ssize_t got = read(fd, made, 1);
  SAY("write to what the other protected: %s", got < 0 && errno == EFAULT ? "EFAULT" : "done");
  close(fd);
  SAY("what the other took away is %s", is_mapped(made + PAGE) ? "there" : "gone");
}

/* ---- exec ---- */

static char *self;
static char *const exec_argv[] = {"clone", "-exec", NULL};
static int executor(void *argument) {
  (void)argument;
  variable = 9;
  execv(self, exec_argv);
  _exit(1);
}
static void exec_cases(void) {
  static const struct {
    const char *name;
    int flags;
  } ways[] = {{"vfork", CLONE_VM | CLONE_VFORK | SIGCHLD},
              {"VM", CLONE_VM | SIGCHLD},
              {"all", ALL_SHARED | SIGCHLD},
              {"all, SIGUSR1", ALL_SHARED | SIGUSR1}};
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    variable = 8;
    pid_t pid = start(executor, ways[i].flags);
    int status;
    /* It sends SIGCHLD, whatever was asked for, once it is another program. */
    while (waitpid(pid, &status, 0) != pid) CHECK(errno == ECHILD || errno == EINTR);
    sigaction(SIGUSR1, NULL, &action);
    SAY("exec after %-13s exit %d, memory %d, close-on-exec %s, handler %s", ways[i].name, WEXITSTATUS(status),
        variable, fcntl(fd, F_GETFD) >= 0 ? "open here" : "closed", action.sa_handler == on_signal ? "kept" : "lost");
    close(fd);
  }
}
static int after_exec(void) {
  struct sigaction action;
  sigaction(SIGUSR1, NULL, &action);
  return (action.sa_handler == SIG_DFL ? 1 : 0) + (status_number("VmLck:") == 0 ? 2 : 0) + 40;
}

/* ---- Flags ---- */

struct args {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static volatile int tid_in_child, tid_of_parent, tid_to_clear;
static int looks_at_tid(void *argument) {
  (void)argument;
  return tid_in_child == (int)syscall(SYS_gettid) && tid_of_parent == tid_in_child ? 11 : 12;
}
static int just_ends(void *argument) { return (int)(long)argument; }
/* As CLONE_CHILD_CLEARTID, which not every libc lets through. */
static int clears_tid(void *argument) {
  (void)argument;
  syscall(SYS_set_tid_address, &tid_to_clear);
  usleep(30000);
  return 0;
}
static int tells_parent(void *argument) {
  *(volatile int *)argument = getppid();
  return 0;
}
static volatile int told;
static void note(int number) { told = number; }

static void flag_cases(void) {
  int flags = CLONE_VM | CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | SIGCHLD;
  pid_t pid = clone(looks_at_tid, STACK(0), flags, NULL, &tid_of_parent, NULL, &tid_in_child);
  SAY("SETTID: %d", WEXITSTATUS(status_of(pid)));

  tid_to_clear = 1;
  pid = start(clears_tid, CLONE_VM | SIGCHLD);
  long woken = syscall(SYS_futex, &tid_to_clear, FUTEX_WAIT, 1, NULL, NULL, 0);
  SAY("CLEARTID: futex %ld, then %d", woken, tid_to_clear);
  status_of(pid);
  tid_to_clear = 1;
  struct args alone = {.flags = CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_PARENT_SETTID,
                       .exit_signal = SIGCHLD,
                       .child_tid = (uint64_t)&tid_to_clear,
                       .parent_tid = (uint64_t)&tid_of_parent};
  pid = (pid_t)syscall(435, &alone, sizeof alone);
  if (pid == 0) _exit(tid_to_clear == (int)syscall(SYS_gettid));
  int had_its_own = WEXITSTATUS(status_of(pid));
  SAY("SETTID, CLEARTID without VM: %d, %d, %s", had_its_own, tid_to_clear, tid_of_parent == pid ? "told" : "not told");

  volatile int parent_of_child = 0;
  pid = clone(tells_parent, STACK(0), CLONE_VM | SIGCHLD, (void *)&parent_of_child);
  status_of(pid);
  SAY("parent: %s", parent_of_child == getpid() ? "me" : "another");
  pid = fork();
  if (pid == 0) {
    /* A sibling: its parent is mine, and so is the signal that it sends. */
    pid = clone(tells_parent, STACK(0), CLONE_VM | CLONE_PARENT, (void *)&parent_of_child);
    int status;
    CHECK(waitpid(pid, &status, __WALL) == -1 && errno == ECHILD);
    _exit(pid & 0x7f);
  }
  int low = WEXITSTATUS(status_of(pid));
  int other = waitpid(-1, NULL, 0);
  SAY("CLONE_PARENT: %s", (other & 0x7f) == low ? "mine to wait for" : "lost");

  static const struct {
    int signal, options;
  } waits[] = {{SIGCHLD, 0}, {SIGCHLD, __WCLONE}, {SIGCHLD, __WALL}, {0, 0},       {0, __WCLONE},
               {0, __WALL},  {SIGUSR1, 0},        {SIGUSR1, __WCLONE}, {SIGUSR1, __WALL},
               {SIGUSR1, __WCLONE | __WNOTHREAD}, {SIGURG, __WALL}, {100, __WALL}};
  struct sigaction action = {.sa_handler = note}, old;
  sigaction(SIGUSR1, &action, &old);
  sigaction(SIGCHLD, &action, NULL);
  sigaction(SIGURG, &action, NULL);
  for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
    told = 0;
    pid = start(just_ends, waits[i].signal);
    int got;
    while ((got = waitpid(pid, NULL, waits[i].options)) < 0 && errno == EINTR) continue;
    int error = errno;
    if (got < 0) status_of(pid);
    SAY("exit signal %3d, options %8x: %s, told %d", waits[i].signal, (unsigned)waits[i].options,
        got == pid ? "waited" : why(error), told);
  }
  signal(SIGCHLD, SIG_DFL);
  signal(SIGURG, SIG_DFL);
  sigaction(SIGUSR1, &old, NULL);

  int pidfd = -1;
  pid = clone(just_ends, STACK(0), CLONE_PIDFD | SIGCHLD, NULL, &pidfd);
  SAY("PIDFD: %s, flags %d", pidfd >= 0 ? "open" : "none", fcntl(pidfd, F_GETFD));
  status_of(pid);
  close(pidfd);
}

/* ---- Refusals ---- */

static void say_result(const char *name, long result) {
  if (result == 0) _exit(0);
  int error = errno;
  if (result > 0) status_of((pid_t)result);
  SAY("%-44s %s", name, result > 0 ? "child" : why(error));
}
static void clone3_case(const char *name, struct args args, size_t size) {
  fflush(stdout);
  say_result(name, syscall(435, &args, size));
}
/* The raw call, with flags first on either architecture. */
static void clone_case(const char *name, unsigned long flags) {
  fflush(stdout);
  say_result(name, syscall(SYS_clone, flags, 0, 0, 0, 0));
}

static void refusals(void) {
#define CLONE(flags) clone_case("clone " #flags, flags)
  CLONE(CLONE_SIGHAND | SIGCHLD);
  CLONE(CLONE_THREAD | SIGCHLD);
  CLONE(CLONE_THREAD | CLONE_VM | SIGCHLD);
  CLONE(CLONE_THREAD | CLONE_SIGHAND | SIGCHLD);
  CLONE(CLONE_NEWNS | CLONE_FS | SIGCHLD);
  CLONE(CLONE_NEWUSER | CLONE_FS | SIGCHLD);
  CLONE(CLONE_DETACHED | SIGCHLD);
  CLONE(CLONE_DETACHED | CLONE_PIDFD | SIGCHLD);
  CLONE(CLONE_UNTRACED | CLONE_PTRACE | SIGCHLD);
  CLONE(CLONE_IO | CLONE_SYSVSEM | SIGCHLD);
  CLONE(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD);
  CLONE(0xc8);
#define CLONE3(...) clone3_case("clone3 " #__VA_ARGS__, (struct args){__VA_ARGS__}, sizeof(struct args))
  CLONE3(.exit_signal = SIGCHLD);
  CLONE3(.exit_signal = 0);
  signal(64, SIG_IGN);
  CLONE3(.exit_signal = 64);
  CLONE3(.exit_signal = 65);
  CLONE3(.exit_signal = 256);
  CLONE3(.flags = SIGCHLD);
  CLONE3(.flags = CLONE_DETACHED);
  CLONE3(.flags = 1ULL << 40);
  CLONE3(.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD);
  CLONE3(.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM);
  CLONE3(.flags = CLONE_PARENT, .exit_signal = SIGCHLD);
  CLONE3(.flags = CLONE_THREAD, .exit_signal = SIGCHLD);
  CLONE3(.stack = 0x100000);
  CLONE3(.stack_size = 0x1000);
  CLONE3(.stack = 1ULL << 63, .stack_size = 0x1000);
  CLONE3(.set_tid_size = 1);
  CLONE3(.set_tid = 1);
  CLONE3(.set_tid = 1, .set_tid_size = 33);
  CLONE3(.set_tid = 1, .set_tid_size = 1);
  CLONE3(.flags = CLONE_INTO_CGROUP, .cgroup = 1ULL << 31);
  CLONE3(.flags = CLONE_INTO_CGROUP, .cgroup = 1000);
  CLONE3(.flags = CLONE_SIGHAND);
  CLONE3(.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = 64, .parent_tid = 64);
  struct args plain = {.exit_signal = SIGCHLD};
  clone3_case("clone3 of 63 bytes", plain, 63);
  clone3_case("clone3 of 64 bytes", plain, 64);
  clone3_case("clone3 of 72 bytes", plain, 72);
  clone3_case("clone3 of 80 bytes", plain, 80);
  char large[4200] = {0};
  memcpy(large, &plain, sizeof plain);
  fflush(stdout);
  say_result("clone3 of 4096 bytes", syscall(435, large, 4096));
  say_result("clone3 of 4097 bytes", syscall(435, large, 4097));
  large[100] = 1;
  say_result("clone3 of 4096 bytes, one unknown", syscall(435, large, 4096));
  say_result("clone3 of nothing", syscall(435, 8, 88));
}

/* ---- A child that outlives its parent ---- */

static volatile int stage;
static int survivor(void *argument) {
  (void)argument;
  while (stage == 0) sched_yield();
  /* The parent is gone; its memory is not. */
  while (getppid() != (int)(long)variable) sched_yield();
  char *p = mmap(NULL, PAGE, RW, ANON, -1, 0);
  p[0] = 1;
  plain[0] = 33;
  _exit(plain[0]);
}
static void orphans(void) {
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  stage = 0;
  variable = getpid();
  plain = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t middle = fork();
  if (middle == 0) {
    start(survivor, CLONE_VM | SIGCHLD);
    stage = 1;
    _exit(0);
  }
  status_of(middle);
  int status;
  pid_t orphan = waitpid(-1, &status, 0);
  SAY("an orphan in its parent's memory: %s, exit %d, wrote %d", orphan > 0 ? "waited for" : "lost",
      WEXITSTATUS(status), plain[0]);
  /* One that is dead already when its parent goes. */
  middle = fork();
  if (middle == 0) {
    pid_t dead = fork();
    if (dead == 0) _exit(21);
    siginfo_t info;
    waitid(P_PID, dead, &info, WEXITED | WNOWAIT);
    _exit(0);
  }
  status_of(middle);
  CHECK(waitpid(-1, &status, 0) > 0);
  SAY("a dead orphan: exit %d", WEXITSTATUS(status));
  int is_reaper = -1;
  prctl(PR_GET_CHILD_SUBREAPER, &is_reaper);
  SAY("subreaper: %d", is_reaper);
  prctl(PR_SET_CHILD_SUBREAPER, 0);

  /* The signal that comes when the parent ends. */
  int ends[2];
  CHECK(pipe(ends) == 0);
  middle = fork();
  if (middle == 0) {
    pid_t child = fork();
    if (child == 0) {
      sigset_t set;
      siginfo_t info;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR2);
      sigprocmask(SIG_BLOCK, &set, NULL);
      prctl(PR_SET_PDEATHSIG, SIGUSR2);
      stage = 0;
      plain[0] = 44;
      int got = sigwaitinfo(&set, &info);
      char byte = (char)(got == SIGUSR2 && info.si_code == SI_USER ? 'y' : 'n');
      _exit(write(ends[1], &byte, 1) == 1 ? 0 : 1);
    }
    while (plain[0] != 44) sched_yield();
    _exit(0);
  }
  status_of(middle);
  char byte = '?';
  CHECK(read(ends[0], &byte, 1) == 1);
  SAY("parent's death is told: %c", byte);
}

/* ---- Locks whose owner dies ---- */

static struct {
  struct {
    void *next;
    long offset;
    void *pending;
  } head;
  struct {
    void *next;
    volatile int word;
  } locks[3];
} *robust;

static void robust_list(void) {
  robust = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid == 0) {
    int tid = (int)syscall(SYS_gettid);
    robust->head.offset = (char *)&robust->locks[0].word - (char *)&robust->locks[0];
    robust->head.next = &robust->locks[0];
    robust->locks[0].next = &robust->locks[1];
    robust->locks[1].next = &robust->head;
    robust->head.pending = &robust->locks[2];
    robust->locks[0].word = tid;
    robust->locks[1].word = tid + 1;
    robust->locks[2].word = (int)((unsigned)tid | FUTEX_WAITERS);
    CHECK(syscall(SYS_set_robust_list, &robust->head, 24) == 0);
    CHECK(syscall(SYS_set_robust_list, &robust->head, 25) == -1 && errno == EINVAL);
    _exit(0);
  }
  status_of(pid);
  SAY("robust list: %x, %s, %x", (unsigned)robust->locks[0].word,
      robust->locks[1].word == pid + 1 ? "another's" : "taken", (unsigned)robust->locks[2].word);
}

/* ---- Limits ---- */

static void limits(void) {
  struct rlimit limit = {7, 9}, old;
  volatile int *ready = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = fork();
  if (child == 0) {
    while (ready[0] == 0) sched_yield();
    struct rlimit mine;
    getrlimit(RLIMIT_CORE, &mine);
    _exit((int)mine.rlim_cur * 10 + (int)mine.rlim_max);
  }
  SAY("prlimit of a child: %ld", syscall(SYS_prlimit64, child, RLIMIT_CORE, &limit, &old));
  pid_t stranger = fork();
  if (stranger == 0) {
    CHECK(syscall(SYS_setresgid, 4321, 4321, 4321) == 0 && syscall(SYS_setresuid, 4321, 4321, 4321) == 0);
    errno = 0;
    long other = syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, NULL, &old);
    SAY("prlimit of another user's: %ld %s", other, why(errno));
    errno = 0;
    other = syscall(SYS_prlimit64, 30000, RLIMIT_CORE, NULL, &old);
    SAY("prlimit of nobody: %ld %s", other, why(errno));
    limit = (struct rlimit){1, 1};
    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    errno = 0;
    pid_t one = fork();
    if (one == 0) _exit(0);
    SAY("fork past RLIMIT_NPROC: %s", one > 0 ? "child" : why(errno));
    limit = (struct rlimit){1, 2};
    SAY("raising a hard limit: %s", setrlimit(RLIMIT_NPROC, &limit) == 0 ? "done" : why(errno));
    SAY("the limit of a child's: %ld", syscall(SYS_prlimit64, 0, RLIMIT_NPROC, NULL, &old));
    _exit(0);
  }
  status_of(stranger);
  ready[0] = 1;
  SAY("the child's limit: %d", WEXITSTATUS(status_of(child)));
}

/* ---- What children used ---- */

static long kib(struct rusage *usage) { return usage->ru_maxrss / 4096; }
static void touch_mib(int mib) {
  char *p = mmap(NULL, (size_t)mib << 20, RW, ANON, -1, 0);
  CHECK(p != MAP_FAILED);
  madvise(p, (size_t)mib << 20, MADV_NOHUGEPAGE);
  for (long i = 0; i < (long)mib << 20; i += PAGE) p[i] = 1;
  munmap(p, (size_t)mib << 20);
}
static void usage(void) {
  struct rusage before, after, waited;
  getrusage(RUSAGE_CHILDREN, &before);
  pid_t pid = fork();
  if (pid == 0) {
    pid_t inner = fork();
    if (inner == 0) {
      touch_mib(6);
      _exit(0);
    }
    wait4(inner, NULL, 0, &waited);
    _exit(0);
  }
  int status;
  wait4(pid, &status, 0, &waited);
  getrusage(RUSAGE_CHILDREN, &after);
  SAY("a child's child is counted: %s, %s", after.ru_minflt - before.ru_minflt >= 1536 ? "faults" : "no faults",
      after.ru_minflt - before.ru_minflt == waited.ru_minflt ? "as wait4 says" : "otherwise");
  /* Field 11 of stat. */
  static char text[1024];
  int fd = open("/proc/self/stat", O_RDONLY);
  CHECK(read(fd, text, sizeof text - 1) > 0);
  close(fd);
  unsigned long of_children = 0;
  CHECK(sscanf(strrchr(text, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %lu", &of_children) == 1);
  SAY("cminflt of stat: %s", (long)of_children == after.ru_minflt ? "the same" : "otherwise");
  SAY("peak of children: %ld times 4 MiB", kib(&after));
  touch_mib(10);
  pid = fork();
  if (pid == 0) {
    getrusage(RUSAGE_SELF, &waited);
    _exit((int)kib(&waited));
  }
  SAY("peak of a fresh child: %d times 4 MiB", WEXITSTATUS(status_of(pid)));
  getrusage(RUSAGE_SELF, &waited);
  SAY("peak of its parent: %ld times 4 MiB", kib(&waited));
  pid = fork();
  if (pid == 0) {
    touch_mib(14);
    execl(self, "clone", "-peak", (char *)NULL);
    _exit(99);
  }
  SAY("peak after exec: %d times 4 MiB", WEXITSTATUS(status_of(pid)));
  /* Ignored children are nobody's. */
  signal(SIGCHLD, SIG_IGN);
  getrusage(RUSAGE_CHILDREN, &before);
  pid = fork();
  if (pid == 0) {
    touch_mib(1);
    _exit(0);
  }
  errno = 0;
  pid_t nobody = waitpid(pid, NULL, 0);
  SAY("waiting for one that is ignored: %d %s", (int)nobody, why(errno));
  getrusage(RUSAGE_CHILDREN, &after);
  SAY("its faults: %ld", after.ru_minflt - before.ru_minflt);
  signal(SIGCHLD, SIG_DFL);
}

int main(int argc, char **argv) {
  prctl(41 /* PR_SET_THP_DISABLE */, 1, 0, 0, 0);
  self = "/proc/self/exe";
  if (argc == 2 && strcmp(argv[1], "-exec") == 0) return after_exec();
  if (argc == 2 && strcmp(argv[1], "-peak") == 0) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int)kib(&usage);
  }
  found = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(found != MAP_FAILED);
  table();
  both_run();
  mapping_is_seen();
  exec_cases();
  flag_cases();
  refusals();
  orphans();
  robust_list();
  limits();
  usage();
  return 0;
}
