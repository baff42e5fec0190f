/* Extended attributes of files whose file system has none (proc's), and of what is no file. Run as root. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
/* C libraries differ in what they call it. */
#define strerror(error) ((error) == ERANGE ? "ERANGE" : strerror(error))
#include "show.h"
#include <fcntl.h>
#include <sys/wait.h>
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
  pid_t pid = fork();
  if (pid == 0) {
    CHECK(setuid(60123) == 0);
    ask("/proc/version", open("/proc/version", O_RDONLY));
    _exit(0);
  }
  waitpid(pid, 0, 0);
  return 0;
}
