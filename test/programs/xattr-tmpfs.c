/* Extended attributes of files in memory. Run as root, in an empty directory of a tmpfs. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
/* C libraries differ in what they call them. */
#define strerror(error) ((error) == ERANGE ? "ERANGE" : (error) == ENODATA ? "ENODATA" : strerror(error))
#include "show.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static char value[70000];
static char room[70000];
/* Unknown to the compiler, which would warn. */
static char *volatile nowhere = (char *)8;

static void list(const char *path)
{
  ssize_t size = llistxattr(path, room, sizeof room - 5000);
  printf("%s: %zd", path, size);
  for (ssize_t at = 0; at < size; at += strlen(room + at) + 1) {
    char *name = room + at;
    printf(" ");
    for (; *name; name++)
      *name >= ' ' && *name <= '~' ? printf("%c", *name) : printf("\\%02x", (unsigned char)*name);
    name = room + at;
    char held[100];
    ssize_t length = lgetxattr(path, name, held, sizeof held);
    length < 0 ? printf("=%s", errorName(errno)) : printf("=\"%.*s\"", (int)length, held);
  }
  SAY("%s", "");
}

static void one(const char *path)
{
  SAY("-- %s", path);
  SHOW(lsetxattr(path, "user.a", "first", 5, 0));
  SHOW(lsetxattr(path, "user.a", "second", 6, XATTR_CREATE));
  SHOW(lsetxattr(path, "user.b", "second", 6, XATTR_REPLACE));
  SHOW(lsetxattr(path, "user.b", "second", 6, XATTR_CREATE));
  SHOW(lsetxattr(path, "user.a", "third", 5, XATTR_REPLACE));
  SHOW(lsetxattr(path, "user.a", "third", 5, XATTR_REPLACE | XATTR_CREATE));
  SHOW(lsetxattr(path, "user.c", "third", 5, XATTR_REPLACE | XATTR_CREATE));
  SHOW(lsetxattr(path, "trusted.t", "t", 1, 0));
  SHOW(lsetxattr(path, "security.s", "s", 1, 0));
  SHOW(lsetxattr(path, "system.x", "x", 1, 0));
  SHOW(lsetxattr(path, "none", "x", 1, 0));
  SHOW(lsetxattr(path, "user", "x", 1, 0));
  SHOW(lsetxattr(path, "user.", "x", 1, 0));
  SHOW(lsetxattr(path, "trusted.", "x", 1, 0));
  SHOW(lsetxattr(path, "security.", "x", 1, 0));
  SHOW(lsetxattr(path, "User.x", "x", 1, 0));
  SHOW(lgetxattr(path, "user.", room, 10));
  SHOW(lgetxattr(path, "user.none", room, 10));
  SHOW(lgetxattr(path, "trusted.none", room, 10));
  SHOW(lgetxattr(path, "security.none", room, 10));
  SHOW(lgetxattr(path, "security.capability", room, 10));
  SHOW(lgetxattr(path, "system.x", room, 10));
  SHOW(lgetxattr(path, "x", room, 10));
  list(path);
  SHOW(lremovexattr(path, "user."));
  SHOW(lremovexattr(path, "user.none"));
  SHOW(lremovexattr(path, "security.capability"));
  SHOW(lremovexattr(path, "system.x"));
  SHOW(lremovexattr(path, "user.b"));
  SHOW(lremovexattr(path, "trusted.t"));
  list(path);
}

static void sizes(void)
{
  SAY("-- sizes");
  memset(value, 'v', sizeof value);
  int fd = open("sizes", O_RDWR | O_CREAT, 0600);
  SHOW(fsetxattr(fd, "user.empty", 0, 0, 0));
  SHOW(fsetxattr(fd, "user.empty", nowhere, 0, XATTR_REPLACE));
  SHOW(fgetxattr(fd, "user.empty", room, 10));
  SHOW(fgetxattr(fd, "user.empty", nowhere, 10));
  SHOW(fsetxattr(fd, "user.large", value, 65536, 0));
  SHOW(fsetxattr(fd, "user.large", value, 65537, 0));
  SHOW(fgetxattr(fd, "user.large", 0, 0));
  SHOW(fgetxattr(fd, "user.large", room, 65535));
  SHOW(fgetxattr(fd, "user.large", room, 65536));
  SHOW(fgetxattr(fd, "user.large", room, 70000));
  SHOW(fgetxattr(fd, "user.large", nowhere, 70000));
  SHOW(fgetxattr(fd, "user.large", nowhere, 1));
  SHOW(memcmp(room, value, 65536));
  SHOW(flistxattr(fd, 0, 0));
  SHOW(flistxattr(fd, room, 21));
  SHOW(flistxattr(fd, room, 22));
  SHOW(flistxattr(fd, nowhere, 22));
  SHOW(flistxattr(fd, nowhere, 21));
  char name[300];
  memset(name, 'n', sizeof name);
  memcpy(name, "user.", 5);
  name[255] = 0;
  SHOW(fsetxattr(fd, name, "longest", 7, 0));
  SHOW(fgetxattr(fd, name, room, 7));
  name[255] = 'n';
  name[256] = 0;
  SHOW(fsetxattr(fd, name, "too long", 8, 0));
  SHOW(fsetxattr(fd, "", "x", 1, 0));
  name[255] = 0;
  for (int i = 0; i < 300; i++) {
    memcpy(name, "user.", 5);
    sprintf(name + 5, "%03d", i);
    name[8] = '.';
    CHECK(fsetxattr(fd, name, value, 1, 0) == 0);
  }
  SHOW(flistxattr(fd, 0, 0));
  SHOW(flistxattr(fd, room, 65535));
  SHOW(flistxattr(fd, room, 65536));
  SHOW(flistxattr(fd, room, 70000));
  CHECK(unlink("sizes") == 0);
  SHOW(fgetxattr(fd, "user.large", room, 70000));
  SHOW(fsetxattr(fd, "user.other", value, 10, 0));
  close(fd);
}

static void names(void)
{
  SAY("-- names");
  int fd = open("names", O_RDONLY | O_CREAT, 0600);
  SHOW(setxattr("names", "user.b\xff", "1", 1, 0));
  SHOW(setxattr("names", "user.b\xc3\xa4", "2", 1, 0));
  SHOW(setxattr("names", "user.b\xf0\x9f\x98\x80", "3", 1, 0));
  SHOW(setxattr("names", "user.b\xee\x80\x80", "4", 1, 0));
  SHOW(setxattr("names", "user.b", "5", 1, 0));
  SHOW(setxattr("names", "user.a.long", "6", 1, 0));
  SHOW(setxattr("names", "user.A", "7", 1, 0));
  SHOW(fsetxattr(fd, "user.read-only descriptor", "8", 1, 0));
  list("names");
  SHOW(link("names", "other"));
  SHOW(rename("names", "third"));
  list("other");
  SHOW(removexattr("third", "user.b"));
  list("other");
  struct stat before, after;
  CHECK(stat("other", &before) == 0);
  usleep(30000);
  SHOW(removexattr("other", "user.b"));
  SHOW(setxattr("other", "user.A", "7", 1, XATTR_CREATE));
  CHECK(stat("other", &after) == 0);
  SHOW(memcmp(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim) == 0);
  SHOW(setxattr("other", "user.A", "7", 1, 0));
  CHECK(stat("other", &after) == 0);
  SHOW(memcmp(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim) == 0);
  SHOW(memcmp(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim) == 0);
  CHECK(unlink("other") == 0);
  list("third");
  SHOW(fsetxattr(open("third", O_PATH), "user.a", "x", 1, 0));
  SHOW(fgetxattr(open("third", O_PATH), "user.a", room, 1));
  SHOW(flistxattr(open("third", O_PATH), room, 1));
  CHECK(unlink("third") == 0);
}

struct args {
  unsigned long long value;
  unsigned size, flags;
};

static void at(void)
{
  SAY("-- by descriptor and path");
  int dir = open(".", O_RDONLY | O_DIRECTORY), fd = open("at", O_RDWR | O_CREAT, 0600);
  CHECK(symlink("at", "link") == 0);
  struct args args = {(unsigned long)"value", 5, 0};
  SHOW(syscall(463, dir, "link", 0, "user.a", &args, 16));
  SHOW(syscall(463, dir, "link", AT_SYMLINK_NOFOLLOW, "user.a", &args, 16));
  SHOW(syscall(463, dir, "link", AT_SYMLINK_NOFOLLOW, "trusted.link", &args, 16));
  SHOW(syscall(463, fd, "", AT_EMPTY_PATH, "user.b", &args, 16));
  args.flags = XATTR_CREATE;
  SHOW(syscall(463, fd, "", AT_EMPTY_PATH, "user.b", &args, 16));
  list("at");
  list("link");
  args = (struct args){(unsigned long)room, 100, 0};
  SHOW(syscall(464, dir, "at", 0, "user.a", &args, 16));
  SHOW(syscall(464, fd, 0, AT_EMPTY_PATH, "user.b", &args, 16));
  args.size = 0;
  SHOW(syscall(464, fd, 0, AT_EMPTY_PATH, "user.b", &args, 16));
  args.size = 4;
  SHOW(syscall(464, fd, 0, AT_EMPTY_PATH, "user.b", &args, 16));
  SHOW(syscall(465, dir, "link", 0, room, 100));
  SHOW(syscall(465, dir, "link", AT_SYMLINK_NOFOLLOW, room, 100));
  SHOW(syscall(465, fd, "", AT_EMPTY_PATH, room, 5));
  SHOW(syscall(466, dir, "link", 0, "user.a"));
  SHOW(syscall(466, dir, "link", AT_SYMLINK_NOFOLLOW, "trusted.link"));
  SHOW(syscall(466, fd, "", AT_EMPTY_PATH, "user.a"));
  list("at");
  CHECK(unlink("at") == 0 && unlink("link") == 0);
}

static void users(void)
{
  SAY("-- who may");
  CHECK(mkdir("sticky", 0777) == 0 && chmod("sticky", 01777) == 0 && mkdir("open", 0777) == 0 && chmod("open", 0777) == 0);
  int fd = open("theirs", O_RDWR | O_CREAT, 0600);
  CHECK(fchown(fd, 60123, 60123) == 0);
  CHECK(close(open("readable", O_RDWR | O_CREAT, 0644)) == 0);
  CHECK(close(open("writable", O_RDWR | O_CREAT, 0600)) == 0 && chmod("writable", 0602) == 0);
  SHOW(setxattr("theirs", "trusted.t", "t", 1, 0));
  SHOW(setxattr("theirs", "security.s", "s", 1, 0));
  SHOW(setxattr("theirs", "user.u", "u", 1, 0));
  SHOW(setxattr("readable", "user.u", "u", 1, 0));
  SHOW(setxattr("writable", "user.u", "u", 1, 0));
  SHOW(setxattr("sticky", "user.u", "u", 1, 0));
  SHOW(setxattr("open", "user.u", "u", 1, 0));
  pid_t child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    static const char *files[] = {"theirs", "readable", "writable", "sticky", "open"};
    for (int i = 0; i < 5; i++) {
      list(files[i]);
      SHOW(setxattr(files[i], "user.v", "v", 1, 0));
      SHOW(removexattr(files[i], "user.u"));
      SHOW(getxattr(files[i], "user.none", room, 10));
      SHOW(setxattr(files[i], "trusted.v", "v", 1, 0));
      SHOW(getxattr(files[i], "trusted.t", room, 10));
      SHOW(removexattr(files[i], "trusted.t"));
      SHOW(setxattr(files[i], "security.v", "v", 1, 0));
      SHOW(getxattr(files[i], "security.s", room, 10));
      SHOW(removexattr(files[i], "security.s"));
      SHOW(removexattr(files[i], "security.capability"));
      list(files[i]);
    }
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  list("theirs");
  CHECK(rmdir("sticky") == 0 && rmdir("open") == 0 && unlink("theirs") == 0 && unlink("readable") == 0 && unlink("writable") == 0);
}

int main(void)
{
  CHECK(close(open("file", O_RDWR | O_CREAT, 0600)) == 0);
  one("file");
  CHECK(mkdir("dir", 0700) == 0);
  one("dir");
  CHECK(symlink("file", "link") == 0);
  one("link");
  CHECK(mkfifo("fifo", 0600) == 0);
  one("fifo");
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name = {AF_UNIX, "socket"};
  CHECK(bind(fd, (void *)&name, sizeof name) == 0);
  one("socket");
  SAY("-- a memory file");
  int memory = memfd_create("m", 0);
  SHOW(fsetxattr(memory, "user.a", "abc", 3, 0));
  SHOW(fgetxattr(memory, "user.a", room, 10));
  SHOW(flistxattr(memory, room, 10));
  SHOW(fremovexattr(memory, "user.a"));
  CHECK(unlink("file") == 0 && rmdir("dir") == 0 && unlink("link") == 0 && unlink("fifo") == 0 && unlink("socket") == 0);
  sizes();
  names();
  at();
  users();
  return 0;
}
