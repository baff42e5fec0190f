/* Extended attributes of files whose file system has none (proc's), and of what is no file. Run as root. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
/* C libraries differ in what they call it. */
#define strerror(error) ((error) == ERANGE ? "ERANGE" : strerror(error))
#include "show.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static char value[70000];
/* Unknown to the compiler, which would warn. */
static char *volatile nowhere = (char *)1;

static void ask(const char *path, int fd)
{
  SAY("-- %s", path);
  SHOW(getxattr(path, "user.a", value, 100));
  SHOW(setxattr(path, "user.a", value, 3, 0));
  SHOW(removexattr(path, "user.a"));
  SHOW(getxattr(path, "trusted.a", value, 100));
  SHOW(setxattr(path, "trusted.a", value, 3, 0));
  SHOW(getxattr(path, "security.capability", value, 100));
  SHOW(setxattr(path, "security.a", value, 3, 0));
  SHOW(getxattr(path, "system.posix_acl_access", value, 100));
  SHOW(getxattr(path, "none", value, 100));
  SHOW(listxattr(path, value, 100));
  SHOW(listxattr(path, 0, 0));
  SHOW(llistxattr(path, value, 100));
  SHOW(lgetxattr(path, "user.a", value, 100));
  SHOW(fgetxattr(fd, "user.a", value, 100));
  SHOW(fsetxattr(fd, "user.a", value, 3, 0));
  SHOW(flistxattr(fd, value, 100));
  SHOW(fremovexattr(fd, "user.a"));
}

static const char status[] = "/proc/self/status";

struct args {
  unsigned long long value;
  unsigned size, flags;
  unsigned long long more;
};

static long set(int fd, const char *path, unsigned flags, const char *name, struct args args, unsigned long size)
{
  return syscall(463, fd, path, flags, name, &args, size);
}

static long get(int fd, const char *path, unsigned flags, const char *name, struct args args, unsigned long size)
{
  return syscall(464, fd, path, flags, name, &args, size);
}

#define EMPTY 0x1000
#define NOFOLLOW 0x100

static void at(void)
{
  SAY("-- by descriptor and path");
  int proc = open("/proc", O_RDONLY | O_DIRECTORY), fd = open(status, O_RDONLY), path = open("/proc", O_PATH);
  struct args args = {(unsigned long)value, 3, 0, 0};
  SHOW(set(proc, "version", 0, "user.a", args, 16));
  SHOW(set(proc, "none", 0, "user.a", args, 16));
  SHOW(set(proc, "self", NOFOLLOW, "user.a", args, 16));
  SHOW(set(proc, "self", 0, "user.a", args, 16));
  SHOW(set(fd, "", EMPTY, "user.a", args, 16));
  SHOW(set(fd, 0, EMPTY, "user.a", args, 16));
  SHOW(set(fd, "", 0, "user.a", args, 16));
  SHOW(set(fd, 0, 0, "user.a", args, 16));
  SHOW(set(fd, "x", EMPTY, "user.a", args, 16));
  SHOW(set(path, "", EMPTY, "user.a", args, 16));
  SHOW(set(path, "version", EMPTY, "user.a", args, 16));
  SHOW(set(-1, "", EMPTY, "user.a", args, 16));
  SHOW(set(-7, "", EMPTY, "user.a", args, 16));
  SHOW(set(99, "", EMPTY, "user.a", args, 16));
  SHOW(set(-1, "/proc/version", 0, "user.a", args, 16));
  SHOW(set(proc, "version", 1, "user.a", args, 16));
  SHOW(set(proc, "version", 1, "user.a", args, 8));
  SHOW(set(proc, "version", 0, "user.a", args, 15));
  SHOW(set(proc, "version", 0, "user.a", args, 24));
  SHOW(set(proc, "version", 0, "user.a", args, 4097));
  SHOW(set(proc, "version", 0, "", args, 16));
  args.more = 1;
  SHOW(set(proc, "version", 0, "user.a", args, 24));
  SHOW(set(proc, "version", 0, "user.a", args, 16));
  args.flags = 4;
  SHOW(set(proc, "version", 1, "", args, 16));
  SHOW(set(proc, "none", 0, "", args, 16));
  SHOW(get(proc, "none", 0, "", args, 16));
  args.flags = 1;
  SHOW(get(proc, "version", 1, "user.a", args, 16));
  args.flags = 0;
  args.size = 65537;
  SHOW(set(proc, "none", 0, "user.a", args, 16));
  args.value = 1;
  args.size = 3;
  SHOW(set(proc, "none", 0, "user.a", args, 16));
  SHOW(get(proc, "none", 0, "user.a", args, 16));
  SHOW(get(proc, "version", 0, "user.a", args, 16));
  SHOW(get(fd, "", EMPTY, "user.a", args, 16));
  SHOW(get(proc, "version", 2, "", args, 16));
  SHOW(syscall(464, proc, "version", 0, "user.a", nowhere, 16));
  SHOW(syscall(464, proc, "version", 0, "user.a", nowhere, 8));
  SHOW(syscall(465, proc, "version", 0, value, 100));
  SHOW(syscall(465, proc, "none", 0, value, 100));
  SHOW(syscall(465, proc, "none", 1, value, 100));
  SHOW(syscall(465, proc, "self", NOFOLLOW, value, 100));
  SHOW(syscall(465, fd, "", EMPTY, value, 100));
  SHOW(syscall(465, path, "", EMPTY, value, 100));
  SHOW(syscall(465, AT_FDCWD, "/proc", 0, 0, 0));
  SHOW(syscall(466, proc, "version", 0, "user.a"));
  SHOW(syscall(466, proc, "version", 1, ""));
  SHOW(syscall(466, proc, "version", 0, ""));
  SHOW(syscall(466, proc, "none", 0, "user.a"));
  SHOW(syscall(466, proc, "none", 0, nowhere));
  SHOW(syscall(466, fd, "", EMPTY, "trusted.a"));
  CHECK(chdir("/proc") == 0);
  SHOW(set(AT_FDCWD, "", EMPTY, "user.a", (struct args){(unsigned long)value, 3, 0, 0}, 16));
  SHOW(set(AT_FDCWD, 0, EMPTY, "user.a", (struct args){(unsigned long)value, 3, 0, 0}, 16));
  CHECK(chdir("/") == 0);
}

int main(void)
{
  int fd = open(status, O_RDONLY);
  ask(status, fd);
  ask("/proc", open("/proc", O_RDONLY | O_DIRECTORY));
  SAY("-- a link, and what is refused");
  SHOW(lgetxattr("/proc/self", "user.a", value, 100));
  SHOW(lsetxattr("/proc/self", "user.a", value, 3, 0));
  SHOW(lsetxattr("/proc/self", "trusted.a", value, 3, 0));
  SHOW(llistxattr("/proc/self", value, 100));
  SHOW(setxattr(status, "user.a", value, 3, 4));
  SHOW(setxattr(status, "", value, 3, 4));
  SHOW(setxattr(status, "", value, 3, 0));
  SHOW(setxattr(status, nowhere, value, 3, 0));
  SHOW(setxattr(status, "user.a", value, 65537, 0));
  SHOW(setxattr(status, "user.a", value, 65536, 0));
  SHOW(setxattr(status, "user.a", nowhere, 3, 0));
  SHOW(setxattr("none", "user.a", nowhere, 3, 0));
  SHOW(setxattr("none", "user.a", value, 3, 0));
  SHOW(getxattr("none", "", value, 3));
  SHOW(getxattr("none", "user.a", value, 3));
  SHOW(getxattr("", "user.a", value, 3));
  SHOW(getxattr(nowhere, "user.a", value, 3));
  SHOW(listxattr("none", value, 3));
  SHOW(fgetxattr(99, "user.a", value, 3));
  SHOW(fgetxattr(open(status, 010000000), "user.a", value, 3));
  char name[300];
  memset(name, 'a', sizeof name);
  memcpy(name, "user.", 5);
  name[256] = 0;
  SHOW(getxattr(status, name, value, 3));
  name[255] = 0;
  SHOW(getxattr(status, name, value, 3));
  int ends[2];
  CHECK(pipe(ends) == 0);
  SHOW(fgetxattr(ends[0], "user.a", value, 3));
  SHOW(fsetxattr(ends[0], "user.a", value, 3, 0));
  at();
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(setuid(60123) == 0);
    ask("/proc/version", open("/proc/version", O_RDONLY));
    _exit(0);
  }
  waitpid(pid, 0, 0);
  return 0;
}
