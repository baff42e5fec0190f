/*
 * Hard and symbolic links. Works in a directory links.tmp that it makes and removes.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>

int main(void)
{
  struct stat st, other;
  char buffer[32] = {0};
  CHECK(mkdir("links.tmp", 0700) == 0 && chdir("links.tmp") == 0);
  int fd = open("file", O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0 && write(fd, "content", 7) == 7 && close(fd) == 0);

  CHECK(link("file", "hard") == 0);
  CHECK(stat("file", &st) == 0 && stat("hard", &other) == 0 && st.st_ino == other.st_ino && st.st_nlink == 2);
  CHECK_ERRNO(link("file", "hard"), EEXIST);
  CHECK(unlink("file") == 0 && stat("hard", &st) == 0 && st.st_nlink == 1);
  CHECK(rename("hard", "file") == 0);
  SAY("hard links");

  CHECK(symlink("file", "soft") == 0);
  CHECK(readlink("soft", buffer, sizeof buffer) == 4 && memcmp(buffer, "file", 4) == 0);
  CHECK(readlink("soft", buffer, 2) == 2);
  CHECK_ERRNO(readlink("file", buffer, sizeof buffer), EINVAL);
  CHECK(lstat("soft", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 4);
  CHECK(stat("soft", &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 7);
  fd = open("soft", O_RDONLY);
  CHECK(fd >= 0 && read(fd, buffer, 7) == 7 && memcmp(buffer, "content", 7) == 0 && close(fd) == 0);
  CHECK_ERRNO(open("soft", O_RDONLY | O_NOFOLLOW), ELOOP);
  SAY("symbolic links");

  CHECK(mkdir("dir", 0700) == 0 && symlink("../file", "dir/up") == 0 && symlink("dir", "to-dir") == 0);
  CHECK(stat("to-dir/up", &st) == 0 && st.st_size == 7);
  CHECK(symlink("round", "round") == 0 && symlink("gone", "dangling") == 0);
  CHECK_ERRNO(stat("round", &st), ELOOP);
  CHECK_ERRNO(stat("dangling", &st), ENOENT);
  CHECK_ERRNO(symlink("x", "dangling"), EEXIST);
  fd = open("dangling", O_WRONLY | O_CREAT, 0600); /* creates what the link names */
  CHECK(fd >= 0 && close(fd) == 0 && stat("gone", &st) == 0);
  SAY("through directories, in a loop, to nowhere");

  /* Owners have 32 bits; only the highest number means that it stays. */
  CHECK(geteuid() != 0 || (chown("file", 3000000000u, 4000000000u) == 0 && stat("file", &st) == 0 &&
                           st.st_uid == 3000000000u && st.st_gid == 4000000000u));
  CHECK(geteuid() != 0 || (chown("file", -1, 7) == 0 && stat("file", &st) == 0 && st.st_uid == 3000000000u &&
                           st.st_gid == 7));
  SAY("owners");

  const char *all[] = {"file", "soft", "dir/up", "to-dir", "round", "dangling", "gone"};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
    CHECK(unlink(all[i]) == 0);
  CHECK(rmdir("dir") == 0 && chdir("..") == 0 && rmdir("links.tmp") == 0);
  return 0;
}
