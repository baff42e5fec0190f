/*
 * Descriptors for processes: what they are, what they answer while the process lives, as a zombie and afterwards.
 * Process numbers are not printed: they differ from run to run.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define SELF_THREAD -10000
#define SELF_GROUP -10001

static long pidfdOpen(int pid, unsigned flags) { return syscall(434, pid, flags); }
static long sendSignal(int fd, int signal, void *info, unsigned flags) { return syscall(424, fd, signal, info, flags); }
static long getFd(int fd, int target, unsigned flags) { return syscall(438, fd, target, flags); }
static long release(int fd, unsigned flags) { return syscall(448, fd, flags); }
static long advise(int fd, struct iovec *ranges, long count, int advice)
{
  return syscall(440, fd, ranges, count, advice, 0);
}
static long waitPidfd(int fd, siginfo_t *info, int options) { return syscall(SYS_waitid, 3, fd, info, options, 0); }

/* Prints the file with the process number replaced. */
static void showFdinfo(int fd, int pid)
{
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  int file = open(path, O_RDONLY);
  long length = file < 0 ? 0 : read(file, text, sizeof text - 1);
  text[length > 0 ? length : 0] = 0;
  close(file);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    int number;
    if (sscanf(line, "Pid:\t%d", &number) == 1) SAY("Pid %s", number == pid ? "its own" : number == -1 ? "-1" : "?");
    if (sscanf(line, "NSpid:\t%d", &number) == 1) SAY("NSpid %s", number == pid ? "its own" : number == -1 ? "-1" : "?");
    if (!strncmp(line, "flags:", 6) || !strncmp(line, "pos:", 4)) SAY("%s", line);
  }
}

static void showPoll(const char *when, int fd)
{
  struct pollfd one = {fd, (short)0xffff, 0};
  int ready = poll(&one, 1, 0);
  SAY("%s: poll %d, %x", when, ready, one.revents);
}

static void aboutSelf(void)
{
  int self = getpid();
  SHOW(pidfdOpen(0, 0));
  SHOW(pidfdOpen(-1, 0));
  SHOW(pidfdOpen(4000000, 0));
  SHOW(pidfdOpen(getpid(), 1));
  int fd = pidfdOpen(self, 0), thread = pidfdOpen(self, O_NONBLOCK | O_EXCL);
  CHECK(fd >= 0 && thread >= 0);
  struct stat status, other;
  CHECK(fstat(fd, &status) == 0 && fstat(thread, &other) == 0);
  SAY("mode %o, size %ld, links %ld, same inode %d", status.st_mode, (long)status.st_size, (long)status.st_nlink,
      status.st_ino == other.st_ino && status.st_dev == other.st_dev);
  SAY("flags %x %x, close-on-exec %d", fcntl(fd, F_GETFL) & 0xfff, fcntl(thread, F_GETFL) & 0xfff, fcntl(fd, F_GETFD));
  char path[64], name[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  long length = readlink(path, name, sizeof name);
  SAY("%.*s", (int)length, name);
  showFdinfo(fd, self);
  char byte;
  SHOW(read(fd, &byte, 1));
  SHOW(write(fd, &byte, 1));
  SHOW(pread(fd, &byte, 1, 0));
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(fchmod(fd, 0777));
  SHOW((long)mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
  SHOW(ioctl(fd, 0x1234, 0));
  SHOW(fsync(fd));
  showPoll("alive", fd);

  SHOW(sendSignal(fd, 0, 0, 0));
  SHOW(sendSignal(fd, 0, 0, 1));
  SHOW(sendSignal(fd, 0, 0, 2));
  SHOW(sendSignal(fd, 0, 0, 3));
  SHOW(sendSignal(fd, 0, 0, 8));
  SHOW(sendSignal(fd, 65, 0, 0));
  SHOW(sendSignal(fd, -1, 0, 0));
  SHOW(sendSignal(-1, 0, 0, 0));
  SHOW(sendSignal(-1, 0, 0, 8));
  SHOW(sendSignal(SELF_GROUP, 0, 0, 0));
  SHOW(sendSignal(SELF_THREAD, 65, 0, 0));
  SHOW(sendSignal(fd, 10, (void *)8, 0));
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = 10;
  SHOW(sendSignal(fd, 11, &info, 0));
  signal(10, SIG_IGN);
  SHOW(sendSignal(fd, 10, &info, 0));
  int directory = open("/proc/self", O_RDONLY), comm = open("/proc/self/comm", O_RDONLY);
  CHECK(directory >= 0);
  SHOW(sendSignal(directory, 0, 0, 0));
  SHOW(sendSignal(comm, 0, 0, 0));

  int copy = getFd(fd, 1, 0);
  CHECK(copy >= 0);
  SAY("copy of 1: close-on-exec %d", fcntl(copy, F_GETFD));
  SHOW(getFd(fd, 1, 1));
  SHOW(getFd(fd, 999, 0));
  SHOW(getFd(fd, -1, 0));
  SHOW(getFd(-1, 1, 0));
  SHOW(getFd(0, 1, 0));
  SHOW(getFd(SELF_THREAD, 1, 0));
  SHOW(getFd(directory, 1, 0));
  SHOW(release(fd, 0));
  SHOW(release(fd, 1));
  SHOW(release(-1, 0));
  SHOW(release(directory, 0));
  SHOW(release(SELF_GROUP, 0));
  SHOW(waitPidfd(fd, &info, WEXITED | WNOHANG));
  SHOW(waitPidfd(-1, &info, WEXITED | WNOHANG));
  SHOW(waitPidfd(0, &info, WEXITED | WNOHANG));
  SHOW(waitPidfd(SELF_GROUP, &info, WEXITED | WNOHANG));
  SHOW(waitPidfd(900, &info, WEXITED | WNOHANG));
  char *memory = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct iovec range = {memory, 4096};
  memory[0] = 1;
  SHOW(advise(fd, &range, 1, MADV_DONTNEED));
  SAY("and now %d", memory[0]);
  SHOW(advise(SELF_GROUP, &range, 1, MADV_DONTNEED));
  SHOW(advise(directory, &range, 1, MADV_DONTNEED));
  SHOW(advise(0, &range, 1, MADV_DONTNEED));
  SHOW(advise(-1, &range, 1, MADV_DONTNEED));
}

static void aboutChild(void)
{
  char *memory = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memory[0] = 1;
  int ends[2];
  CHECK(pipe(ends) == 0);
  int child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    int file = open("/proc/self/comm", O_RDONLY);
    dup2(file, 50);
    CHECK(write(ends[1], "x", 1) == 1);
    for (;;) pause();
  }
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  int fd = pidfdOpen(child, 0), nonBlocking = pidfdOpen(child, O_NONBLOCK);
  struct iovec range = {memory, 4096}, nothing = {0, 4096};
  siginfo_t info;
  showPoll("alive", fd);
  memset(&info, 0x55, sizeof info);
  SHOW(waitPidfd(fd, &info, WEXITED | WNOHANG));
  SAY("si_pid %d, si_signo %d", info.si_pid, info.si_signo);
  SHOW(waitPidfd(nonBlocking, &info, WEXITED));
  SHOW(waitPidfd(nonBlocking, &info, WEXITED | WNOHANG));
  SHOW(release(fd, 0));
  int theirs = getFd(fd, 50, 0);
  CHECK(theirs >= 0);
  char comm[32] = "";
  CHECK(read(theirs, comm, sizeof comm - 1) > 0);
  memset(&info, 0, sizeof info);
  info.si_signo = 10;
  SHOW(sendSignal(fd, 10, &info, 0));
  info.si_code = -6;
  SHOW(sendSignal(fd, 10, &info, 0));
  info.si_code = -1;
  info.si_signo = SIGCHLD;
  SHOW(sendSignal(fd, SIGCHLD, &info, 0));
  SHOW(advise(fd, &range, 1, MADV_DONTNEED));
  SHOW(advise(fd, &range, 1, 20));
  SHOW(advise(fd, &nothing, 1, 20));
  SHOW(advise(fd, &range, 0, 20));
  SHOW(advise(fd, &range, 0, 999));
  SHOW(advise(fd, &range, 0, 22));
  SHOW(advise(fd, &range, 0, MADV_WILLNEED));
  SHOW(advise(fd, &range, 0, 21));
  SHOW(sendSignal(fd, SIGKILL, 0, 0));
  /* It has not ended yet, or only just. */
  CHECK(release(fd, 0) == 0 || errno == ESRCH);
  struct pollfd ended = {fd, POLLIN, 0};
  SAY("poll %d", poll(&ended, 1, -1));
  showPoll("zombie", fd);
  showFdinfo(fd, child);
  SHOW(sendSignal(fd, 9, 0, 0));
  SHOW(getFd(fd, 0, 0));
  SHOW(release(fd, 0));
  SHOW(advise(fd, &range, 1, 20));
  int late = pidfdOpen(child, 0);
  CHECK(late >= 0);
  memset(&info, 0, sizeof info);
  SHOW(waitPidfd(fd, &info, WEXITED));
  SAY("its own %d, code %d, status %d", info.si_pid == child, info.si_code, info.si_status);
  showPoll("waited for", fd);
  showFdinfo(fd, child);
  SHOW(sendSignal(fd, 0, 0, 0));
  SHOW(sendSignal(fd, 65, 0, 0));
  SHOW(getFd(fd, 0, 0));
  SHOW(release(fd, 0));
  SHOW(advise(fd, &range, 1, 20));
  SHOW(waitPidfd(fd, &info, WEXITED | WNOHANG));
  SHOW(pidfdOpen(child, 0));
}

int main(void)
{
  aboutSelf();
  aboutChild();
  return 0;
}
