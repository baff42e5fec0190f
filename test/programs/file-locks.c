/* flock, and the locks of fcntl: ranges, owners, waiting, deadlock. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static void nothing(int signal)
{
  (void)signal;
}

static int lock(int fd, int cmd, int type, long start, long len)
{
  struct flock wanted = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  return fcntl(fd, cmd, &wanted);
}

/* What another process finds in its way. */
static void ask(int fd, const char *what, int type, long start, long len)
{
  pid_t parent = getpid(), child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    struct flock wanted = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    CHECK(fcntl(fd, F_GETLK, &wanted) == 0);
    if (wanted.l_type == F_UNLCK)
      SAY("%s: free", what);
    else
      SAY("%s: %s %ld+%ld, %s", what, wanted.l_type == F_WRLCK ? "write" : "read", (long)wanted.l_start,
          (long)wanted.l_len, wanted.l_pid == parent ? "the parent's" : wanted.l_pid == -1 ? "a file's" : "another's");
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
}

static int in_child(int fd, int cmd, int type, long start, long len)
{
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) _exit(lock(fd, cmd, type, start, len) == 0 ? 0 : errno);
  int status;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  errno = WEXITSTATUS(status);
  return errno == 0 ? 0 : -1;
}

static void far(int fd)
{
  const long last = 0x7fffffffffffffff;
  SHOW(lock(fd, F_SETLK, F_WRLCK, last, 1));
  ask(fd, "the last byte", F_WRLCK, last - 1, 0);
  ask(fd, "the one before", F_WRLCK, last - 1, 1);
  SHOW(lock(fd, F_SETLK, F_WRLCK, last, 2));
  SHOW(lock(fd, F_SETLK, F_WRLCK, last - 1, 1));
  ask(fd, "both", F_WRLCK, 0, 0);
  SHOW(lock(fd, F_SETLK, F_UNLCK, last, 0));
  ask(fd, "one of them", F_WRLCK, 0, 0);
  SHOW(lock(fd, F_SETLK, F_RDLCK, 0x20000000000001, 1));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0x20000000000002, 1));
  SHOW(lock(fd, F_SETLK, F_RDLCK, 0x20000000000003, 1));
  ask(fd, "in the middle", F_WRLCK, 0x20000000000002, 1);
  ask(fd, "at the end", F_WRLCK, 0x20000000000003, 1);
  SHOW(lock(fd, F_SETLK, F_UNLCK, last, -last));
  ask(fd, "but the last byte", F_WRLCK, 0, 0);
  SHOW(lock(fd, F_SETLK, F_UNLCK, last, -last - 1));
  CHECK(lseek(fd, 5, SEEK_SET) == 5);
  struct flock here = {.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = last - 5};
  SHOW(fcntl(fd, F_SETLK, &here));
  here.l_start++;
  SHOW(fcntl(fd, F_SETLK, &here));
  here.l_start = -6;
  SHOW(fcntl(fd, F_SETLK, &here));
  SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
}

static void ranges(int fd, const char *path)
{
  SHOW(lock(fd, F_SETLK, F_WRLCK, 10, 10));
  ask(fd, "write", F_RDLCK, 0, 0);
  SHOW(lock(fd, F_SETLK, F_RDLCK, 20, 10));
  ask(fd, "read behind", F_WRLCK, 20, 0);
  ask(fd, "reading what is read", F_RDLCK, 20, 5);
  SHOW(lock(fd, F_SETLK, F_RDLCK, 10, 10));
  ask(fd, "merged", F_WRLCK, 0, 0);
  SHOW(lock(fd, F_SETLK, F_UNLCK, 15, 5));
  ask(fd, "first part", F_WRLCK, 0, 0);
  ask(fd, "second part", F_WRLCK, 12, 0);
  ask(fd, "the hole", F_WRLCK, 15, 5);
  SHOW(lock(fd, F_SETLK, F_WRLCK, 100, 0));
  ask(fd, "to the end", F_RDLCK, 1L << 40, 1);
  SHOW(in_child(fd, F_SETLK, F_RDLCK, 12, 1));
  SHOW(in_child(fd, F_SETLK, F_WRLCK, 12, 1));
  SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  ask(fd, "all given back", F_WRLCK, 0, 0);
  SHOW(lock(fd, F_SETLK, F_WRLCK, 50, -10));
  ask(fd, "a negative length", F_WRLCK, 0, 0);
  SHOW(lock(fd, F_SETLK, F_WRLCK, 5, -10));
  SHOW(lock(fd, F_SETLK, F_WRLCK, -5, 10));
  SHOW(lock(fd, F_SETLK, 7, 0, 10));
  SHOW(lock(fd, F_GETLK, F_UNLCK, 0, 10));
  SHOW(lock(999, F_SETLK, F_WRLCK, 0, 10));
  int reader = open(path, O_RDONLY), writer = open(path, O_WRONLY);
  SHOW(lock(reader, F_SETLK, F_WRLCK, 200, 1));
  SHOW(lock(writer, F_SETLK, F_RDLCK, 200, 1));
  ask(fd, "before a close", F_WRLCK, 0, 0);
  SHOW(close(writer));
  ask(fd, "any close gives all back", F_WRLCK, 0, 0);
  close(reader);
}

static void descriptions(int fd, const char *path)
{
  int other = open(path, O_RDWR);
  CHECK(other >= 0);
  SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
  SHOW(lock(other, F_OFD_SETLK, F_WRLCK, 5, 10));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 5, 1));
  ask(fd, "an open file's", F_WRLCK, 0, 0);
  struct flock wanted = {.l_type = F_WRLCK, .l_pid = 1};
  SHOW(fcntl(fd, F_OFD_SETLK, &wanted));
  int copy = dup(fd);
  CHECK(close(copy) == 0);
  SHOW(lock(other, F_OFD_SETLK, F_WRLCK, 5, 10));
  SHOW(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
  SHOW(lock(other, F_OFD_SETLK, F_WRLCK, 5, 10));
  SHOW(close(other));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 5, 1));
  SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void whole_files(int fd, const char *path)
{
  int other = open(path, O_RDONLY);
  SHOW(flock(fd, LOCK_SH));
  SHOW(flock(-1, 32)); /* LOCK_MAND */
  SHOW(flock(other, LOCK_SH | LOCK_NB));
  SHOW(flock(other, LOCK_EX | LOCK_NB));
  SHOW(flock(fd, LOCK_EX | LOCK_NB));
  SHOW(flock(other, LOCK_EX | LOCK_NB));
  SHOW(flock(fd, LOCK_SH | LOCK_NB));
  SHOW(flock(fd, LOCK_SH | LOCK_EX));
  SHOW(flock(fd, 0));
  SHOW(flock(999, LOCK_SH));
  int copy = dup(fd);
  SHOW(flock(copy, LOCK_EX | LOCK_NB));
  SHOW(close(copy));
  SHOW(flock(other, LOCK_SH | LOCK_NB));
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  SHOW(flock(fd, LOCK_UN));
  SHOW(flock(other, LOCK_SH | LOCK_NB));
  SHOW(close(other));
  SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
}

static void waiting(int fd)
{
  int p[2];
  CHECK(pipe(p) == 0);
  SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 10) == 0);
    SAY("the child has it");
    CHECK(lock(fd, F_SETLKW, F_WRLCK, 20, 10) == 0);
    CHECK(write(p[1], "x", 1) == 1);
    CHECK(lock(fd, F_SETLKW, F_WRLCK, 40, 10) == 0);
    SAY("the child has all");
    _exit(0);
  }
  usleep(20000);
  SAY("the parent lets go");
  CHECK(lock(fd, F_SETLK, F_WRLCK, 40, 10) == 0);
  CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 10) == 0);
  char byte;
  CHECK(read(p[0], &byte, 1) == 1);
  usleep(20000);
  SAY("each waits for the other:");
  errno = 0;
  int result = lock(fd, F_SETLKW, F_WRLCK, 20, 10);
  SAY("%d %s", result, result == 0 || errno == 0 ? "" : errno == EDEADLK ? "EDEADLK" : errorName(errno));
  struct sigaction action = {.sa_handler = nothing};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  int other = open("/proc/self/exe", O_RDONLY), mine = open("/proc/self/exe", O_RDONLY);
  CHECK(other >= 0 && mine >= 0);
  CHECK(flock(other, LOCK_EX) == 0);
  ualarm(20000, 0);
  SHOW(flock(mine, LOCK_EX));
  CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
  CHECK(waitpid(child, NULL, 0) == child);
  ask(fd, "the child is gone", F_WRLCK, 0, 0);
}

static void told(int fd)
{
  CHECK(lock(fd, F_SETLK, F_WRLCK, 3, 4) == 0 && flock(fd, LOCK_SH) == 0);
  char path[64], line[200];
  sprintf(path, "/proc/self/fdinfo/%d", fd);
  FILE *info = fopen(path, "r");
  CHECK(info != NULL);
  while (fgets(line, sizeof line, info)) {
    int pid, first, last;
    char kind[16], type[16];
    if (sscanf(line, "lock: %*d: %15s ADVISORY %15s %d %*s %d %d", kind, type, &pid, &first, &last) == 5)
      SAY("%s %s %d %d %d", kind, type, pid == getpid(), first, last);
    else if (sscanf(line, "lock: %*d: %15s ADVISORY %15s %d %*s %d EOF", kind, type, &pid, &first) == 4)
      SAY("%s %s %d %d EOF", kind, type, pid == getpid(), first);
  }
  fclose(info);
}

int main(void)
{
  const char *path = "lock-file";
  int fd = open(path, O_CREAT | O_RDWR, 0600);
  CHECK(fd >= 0);
  far(fd);
  ranges(fd, path);
  descriptions(fd, path);
  whole_files(fd, path);
  waiting(fd);
  told(fd);
  unlink(path);
  return 0;
}
