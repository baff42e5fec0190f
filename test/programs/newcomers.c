/* Calls that Linux has had for a few years only: close_range, fchmodat2, and what fcntl tells of a descriptor. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#define UNSHARE 2
#define CLOEXEC 4
#define DUPFD_QUERY 1027
#define CREATED_QUERY 1028

static char stack[65536] __attribute__((aligned(16)));

static long closeRange(unsigned first, unsigned last, unsigned flags)
{
  return syscall(436, first, last, flags);
}

static long chmodAt(int dir, const char *path, int mode, int flags)
{
  return syscall(452, dir, path, mode, flags);
}

static int bits(const char *path)
{
  struct stat s;
  CHECK(lstat(path, &s) == 0);
  return s.st_mode & 07777;
}

static int closes(void *arg)
{
  (void)arg;
  SHOW(closeRange(60, 61, UNSHARE));
  SHOW(fcntl(60, F_GETFD));
  SHOW(closeRange(62, 62, UNSHARE | CLOEXEC));
  SHOW(fcntl(62, F_GETFD));
  return 0;
}

static int closesForAll(void *arg)
{
  (void)arg;
  SHOW(closeRange(60, 61, 0));
  SHOW(closeRange(62, 62, CLOEXEC));
  return 0;
}

/* In a child that has one table of descriptors with this process. */
static void together(const char *what, int (*child)(void *))
{
  SAY("-- %s", what);
  pid_t pid = clone(child, stack + sizeof stack, CLONE_FILES | SIGCHLD, 0);
  CHECK(pid > 0 && waitpid(pid, 0, 0) == pid);
  for (int fd = 60; fd < 63; fd++)
    SHOW(fcntl(fd, F_GETFD));
}

static void ranges(void)
{
  int fd = open("/", O_PATH);
  CHECK(fd >= 0 && dup2(fd, 60) == 60 && dup2(fd, 61) == 61 && dup2(fd, 62) == 62);
  SHOW(closeRange(4, 3, 0));
  SHOW(closeRange(60, 61, 1));
  SHOW(closeRange(60, 61, 8 | UNSHARE));
  together("the child parts from the table first", closes);
  together("the child goes on with it", closesForAll);
  CHECK(close(fd) == 0 && close(62) == 0);
}

static void queries(void)
{
  SAY("-- queries");
  int made = open("newcomers.tmp", O_RDWR | O_CREAT, 0600);
  int found = open("newcomers.tmp", O_RDWR | O_CREAT, 0600);
  int other = dup(made);
  int path = open("newcomers.tmp", O_PATH);
  int temporary = open(".", O_TMPFILE | O_RDWR, 0600);
  CHECK(made >= 0 && found >= 0 && other >= 0 && path >= 0 && temporary >= 0);
  SHOW(fcntl(made, CREATED_QUERY, 0));
  SHOW(fcntl(other, CREATED_QUERY, 1));
  SHOW(fcntl(found, CREATED_QUERY, 0));
  SHOW(fcntl(path, CREATED_QUERY, 0));
  SHOW(fcntl(temporary, CREATED_QUERY, 0));
  SHOW(fcntl(-1, CREATED_QUERY, 0));
  SHOW(fcntl(made, DUPFD_QUERY, made));
  SHOW(fcntl(made, DUPFD_QUERY, other));
  SHOW(fcntl(made, DUPFD_QUERY, found));
  SHOW(fcntl(path, DUPFD_QUERY, path));
  SHOW(fcntl(path, DUPFD_QUERY, made));
  SHOW(fcntl(made, DUPFD_QUERY, 63));
  SHOW(fcntl(made, DUPFD_QUERY, -1));
  SHOW(fcntl(-1, DUPFD_QUERY, made));
}

static void modes(void)
{
  SAY("-- fchmodat2");
  CHECK(symlink("newcomers.tmp", "newcomers.link") == 0);
  int path = open("newcomers.tmp", O_PATH);
  int link = open("newcomers.link", O_PATH | O_NOFOLLOW);
  CHECK(path >= 0 && link >= 0);
  SHOW(chmodAt(AT_FDCWD, "newcomers.tmp", 0640, 0));
  SAY("%o", bits("newcomers.tmp"));
  SHOW(chmodAt(AT_FDCWD, "newcomers.link", 0604, 0));
  SAY("%o", bits("newcomers.tmp"));
  SHOW(chmodAt(AT_FDCWD, "newcomers.tmp", 0600, AT_SYMLINK_NOFOLLOW));
  SAY("%o", bits("newcomers.tmp"));
  SHOW(chmodAt(AT_FDCWD, "newcomers.link", 0600, AT_SYMLINK_NOFOLLOW));
  SHOW(chmodAt(link, "", 0600, AT_EMPTY_PATH));
  SHOW(chmodAt(path, "", 0611, AT_EMPTY_PATH));
  SAY("%o", bits("newcomers.tmp"));
  SHOW(chmodAt(path, "", 0611, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
  SHOW(chmodAt(path, "", 0611, 0));
  SHOW(chmodAt(path, "x", 0611, 0));
  SHOW(chmodAt(-1, "", 0611, AT_EMPTY_PATH));
  SHOW(chmodAt(path, 0, 0611, AT_EMPTY_PATH));
  SHOW(chmodAt(path, (char *)8, 0611, AT_EMPTY_PATH));
  SHOW(chmodAt(AT_FDCWD, "newcomers.tmp", 0600, AT_SYMLINK_FOLLOW));
  SHOW(chmodAt(AT_FDCWD, "newcomers.none", 0600, 0));
  CHECK(unlink("newcomers.tmp") == 0 && unlink("newcomers.link") == 0);
}

int main(void)
{
  ranges();
  queries();
  modes();
  return 0;
}
