/* openat2: what it refuses that openat takes, and where a walk is not led. In a folder on the same mount as "/". */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* linux/openat2.h, which not every C library has. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef O_PATH
#define O_PATH 010000000
#endif
#define CACHED 0x20

struct how {
  unsigned long long flags, mode, resolve;
};

static long opens(int dir, const char *path, unsigned long long flags, unsigned long long mode, unsigned long long resolve)
{
  struct how how = {flags, mode, resolve};
  long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
  if (fd < 0) return -1;
  close(fd);
  return 0;
}

int main(void)
{
  char base[256], abs[300], into[310];
  CHECK(getcwd(base, sizeof base) != 0);
  sprintf(abs, "%s/o2/d/f", base);
  CHECK(mkdir("o2", 0755) == 0 && chdir("o2") == 0 && mkdir("d", 0755) == 0);
  close(open("d/f", O_CREAT | O_RDWR, 0644));
  CHECK(symlink("d/f", "rel") == 0 && symlink(abs, "abs") == 0 && symlink("..", "up") == 0);
  CHECK(symlink("/proc/self/fd", "fds") == 0);
  CHECK(dup2(open("d/f", O_RDONLY), 100) == 100);

  SHOW(opens(AT_FDCWD, "d/f", O_RDONLY, 0, 0));
  SHOW(opens(AT_FDCWD, "d/f", O_RDONLY, 0644, 0));
  SHOW(opens(AT_FDCWD, "d/g", O_RDWR | O_CREAT, 0100644, 0));
  SHOW(opens(AT_FDCWD, "d/g", O_RDWR | O_CREAT, 0644, 0));
  SHOW(opens(AT_FDCWD, "d/f", 1ull << 40, 0, 0));
  SHOW(opens(AT_FDCWD, "d/f", 1ull << 63, 0, 0));
  SHOW(opens(AT_FDCWD, "d/f", 0x10000000, 0, 0));
  SHOW(opens(AT_FDCWD, "d/f", 0, 0, 0x40));
  SHOW(opens(AT_FDCWD, "d/f", 0, 0, 1ull << 63));
  SHOW(opens(AT_FDCWD, "d/f", 0, 0, 0x18));
  SHOW(opens(AT_FDCWD, "d/f", O_PATH | O_RDWR, 0, 0));
  SHOW(opens(AT_FDCWD, "d/f", O_PATH | O_CREAT, 0600, 0));
  SHOW(opens(AT_FDCWD, "d", O_CREAT | O_DIRECTORY, 0600, 0));
  SHOW(opens(AT_FDCWD, "d/f", 3, 0, 0));
  SHOW(opens(AT_FDCWD, "d/f", O_CLOEXEC | O_NONBLOCK | O_SYNC | O_NOATIME, 0, 0));
  SHOW(opens(AT_FDCWD, "", O_RDONLY, 0, 0));
  SHOW(opens(99, "d", O_RDONLY, 0, 8));
  SHOW(opens(99, "/tmp", O_RDONLY, 0, 8));
  SHOW(opens(99, "/tmp", O_RDONLY, 0, 16));
  SHOW(opens(99, "/tmp", O_RDONLY, 0, 0));
  char how[8192] = {0};
  SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", how, 0));
  SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", how, 23));
  SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", how, 4096) >= 0);
  SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", how, 4097));
  how[30] = 1;
  SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", how, 64));
  SHOW(syscall(SYS_openat2, AT_FDCWD, "d/f", 1, 24));

  int dir = open(".", O_DIRECTORY);
  SHOW(opens(dir, "abs", O_PATH | O_NOFOLLOW, 0, 4));
  SHOW(opens(dir, "rel", O_PATH | O_NOFOLLOW, 0, 4));
  SHOW(opens(dir, "rel", O_RDONLY | O_NOFOLLOW, 0, 0));
  SHOW(opens(dir, "d/n", O_CREAT | O_RDWR, 0600, CACHED));
  SHOW(opens(dir, "d/f", O_TRUNC | O_RDWR, 0, CACHED));
  SHOW(opens(dir, "d/f", O_RDONLY, 0, CACHED));
  SHOW(opens(dir, "d", O_TMPFILE | O_RDWR, 0600, CACHED));
  SHOW(opens(dir, "d/never-asked-for", O_RDONLY, 0, CACHED));
  SHOW(opens(dir, "no/such", O_RDONLY, 0, CACHED));
  SHOW(opens(dir, "d/f/no", O_RDONLY, 0, CACHED));
  SHOW(opens(dir, "rel", O_RDONLY, 0, CACHED));
  SHOW(opens(dir, "d/../d/f", O_RDONLY, 0, CACHED));
  SHOW(opens(dir, "../new", O_CREAT | O_RDWR, 0600, 8));
  SHOW(opens(dir, "up/new", O_CREAT | O_RDWR, 0600, 8));
  SHOW(opens(dir, "d/../d/new", O_CREAT | O_RDWR, 0600, 8));
  SHOW(opens(dir, "/../../d/new", O_CREAT | O_EXCL | O_RDWR, 0600, 16));
  sprintf(into, "/../..%s", abs);

  const char *paths[] = {"d/f", "rel", "abs", "up/o2/d/f", "../o2/d/f", abs, "fds/100", "/proc/self/fd/100", "d/../d/f",
    "d/../../o2/d/f", "/", "/d/f", "none", "d/f/", "/proc/self/exe", "/proc/self/status", ".", "..", into};
  for (unsigned resolve = 0; resolve < CACHED; resolve++) {
    printf("%02x:", resolve);
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
      printf(" %s", opens(dir, paths[i], O_RDONLY, 0, resolve) == 0 ? "ok" : errorName(errno));
    printf("\n");
  }
  CHECK(unlink("d/f") == 0 && unlink("d/g") == 0 && unlink("d/new") == 0 && unlink("rel") == 0 && unlink("abs") == 0);
  CHECK(unlink("up") == 0 && unlink("fds") == 0 && rmdir("d") == 0 && chdir("..") == 0 && rmdir("o2") == 0);
  return 0;
}
