/* The machine's names are set, as /proc/sys and uname show them. Only in the machine: elsewhere they would be somebody's. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

static struct utsname name;

static const char *content(const char *path)
{
  static char text[200];
  int fd = open(path, O_RDONLY);
  ssize_t length = read(fd, text, sizeof text - 1);
  CHECK(fd >= 0 && length >= 0 && close(fd) == 0);
  text[length] = 0;
  return text;
}

static void put(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY);
  CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

int main(void)
{
  char longest[65];
  memset(longest, 'n', 64);
  longest[64] = 0;
  CHECK(uname(&name) == 0);
  if (strstr(name.version, "Faultline") == 0)
    return 0;
  CHECK(strcmp(name.nodename, "faultline") == 0);
  CHECK(sethostname("another.name", 7) == 0 && setdomainname("here", 4) == 0 && uname(&name) == 0);
  CHECK(strcmp(name.nodename, "another") == 0 && strcmp(name.domainname, "here") == 0);
  CHECK(strcmp(content("/proc/sys/kernel/hostname"), "another\n") == 0);
  CHECK(strcmp(content("/proc/sys/kernel/domainname"), "here\n") == 0);
  CHECK(sethostname(longest, 64) == 0 && uname(&name) == 0 && strcmp(name.nodename, longest) == 0);
  CHECK(sethostname("", 0) == 0 && uname(&name) == 0 && name.nodename[0] == 0);
  CHECK_ERRNO(sethostname(longest, 65), EINVAL);
  CHECK_ERRNO(syscall(SYS_sethostname, longest, -1), EINVAL);
  CHECK_ERRNO(syscall(SYS_sethostname, 8, 4), EFAULT);
  put("/proc/sys/kernel/hostname", "written\nnot this\n");
  CHECK(uname(&name) == 0 && strcmp(name.nodename, "written") == 0);
  put("/proc/sys/kernel/domainname", "");
  CHECK(uname(&name) == 0 && strcmp(name.domainname, "here") == 0);
  CHECK(strcmp(content("/proc/sys/kernel/tainted"), "0\n") == 0);
  CHECK(syscall(SYS_setresuid, 1000, 1000, 1000) == 0);
  CHECK_ERRNO(sethostname("mine", 4), EPERM);
  CHECK_ERRNO(setdomainname(longest, 65), EPERM);
  CHECK_ERRNO(open("/proc/sys/kernel/hostname", O_WRONLY), EACCES);
  return 0;
}
