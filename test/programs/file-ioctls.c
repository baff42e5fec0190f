/* The ioctls that every file answers, whatever it is. Run as root, in an empty directory of a tmpfs. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct space { int16_t type, whence; int64_t start, length; int32_t rest[8]; };
struct clone { int64_t fd; uint64_t from, length, to; };
struct dedupe { uint64_t from, length; uint16_t count, zero; uint32_t zeroes; char targets[4096]; };

#define BMAP 1
#define BLOCK_SIZE 2
#define READABLE 0x541b
#define BYTES 0x5460
#define CLONE (int)0x40049409u
#define CLONE_RANGE (int)0x4020940du
#define DEDUPE_RANGE (int)0xc0189436u
#define FREEZE (int)0xc0045877u
#define THAW (int)0xc0045878u
#define EXTENTS (int)0xc020660bu
#define GET_FLAGS (int)0x80086601u
#define SET_FLAGS (int)0x40086602u
#define SET_XATTR (int)0x401c5820u
#define RESERVE (int)0x40305828u
#define UNRESERVE (int)0x40305829u
#define RESERVE_64 (int)0x4030582au
#define UNRESERVE_64 (int)0x4030582bu
#define ZERO_RANGE (int)0x40305839u

/* Unknown to the compiler, which would warn. */
static char *volatile nowhere = (char *)8;
static int out[32];

static long number(int fd, int command)
{
  memset(out, 0x55, sizeof out);
  long result = ioctl(fd, command, out);
  return result < 0 ? result : out[0];
}

static void all(const char *name, int fd, int regular)
{
  struct dedupe dedupe = {.count = 1};
  SAY("-- %s", name);
  SHOW(number(fd, BLOCK_SIZE));
  SHOW(ioctl(fd, BLOCK_SIZE, nowhere));
  SHOW(ioctl(fd, EXTENTS, out));
  SHOW(ioctl(fd, EXTENTS, nowhere));
  SHOW(number(fd, BYTES));
  SHOW(ioctl(fd, BYTES, nowhere));
  memset(out, 0, sizeof out);
  SHOW(ioctl(fd, BMAP, out));
  SHOW(ioctl(fd, BMAP, nowhere));
  SHOW(ioctl(fd, CLONE, -1));
  SHOW(ioctl(fd, CLONE, fd));
  SHOW(ioctl(fd, CLONE, regular));
  SHOW(ioctl(fd, CLONE_RANGE, nowhere));
  SHOW(ioctl(fd, DEDUPE_RANGE, nowhere));
  SHOW(ioctl(fd, DEDUPE_RANGE, &dedupe));
  SHOW(ioctl(fd, SET_FLAGS, nowhere));
  SHOW(ioctl(fd, SET_XATTR, nowhere));
  SHOW(ioctl(fd, RESERVE, nowhere));
  memset(out, 0, sizeof out);
  SHOW(ioctl(fd, RESERVE, out));
}

static void clones(int a, int b)
{
  struct clone range = {.fd = a, .length = 1};
  int reads = open("a", O_RDONLY), writes = open("a", O_WRONLY), appends = open("b", O_WRONLY | O_APPEND);
  SAY("-- %s", "clones");
  SHOW(ioctl(b, CLONE, a));
  SHOW(ioctl(b, CLONE, reads));
  SHOW(ioctl(b, CLONE, writes));
  SHOW(ioctl(reads, CLONE, b));
  SHOW(ioctl(appends, CLONE, a));
  SHOW(ioctl(b, CLONE_RANGE, &range));
  range.fd = -1;
  SHOW(ioctl(b, CLONE_RANGE, &range));
  struct dedupe dedupe = {.count = 127};
  SHOW(ioctl(b, DEDUPE_RANGE, &dedupe));
  dedupe.count = 128;
  SHOW(ioctl(b, DEDUPE_RANGE, &dedupe));
  dedupe.count = 0;
  SHOW(ioctl(b, DEDUPE_RANGE, &dedupe));
  dedupe.zero = 1;
  SHOW(ioctl(b, DEDUPE_RANGE, &dedupe));
  dedupe.zero = 0;
  SHOW(ioctl(writes, DEDUPE_RANGE, &dedupe));
}

static long blocks(int fd)
{
  struct stat st;
  fstat(fd, &st);
  SAY("%ld bytes in %ld blocks", (long)st.st_size, (long)st.st_blocks);
  return number(fd, BYTES);
}

static void reservations(int fd)
{
  struct space space = {.length = 10000};
  int reads = open("a", O_RDONLY);
  SAY("-- %s", "reservations");
  SHOW(ioctl(fd, RESERVE, &space));
  SHOW(blocks(fd));
  space.whence = 2;
  space.start = 20000;
  SHOW(ioctl(fd, RESERVE_64, &space));
  SHOW(blocks(fd));
  lseek(fd, 4096, SEEK_SET);
  space = (struct space){.whence = 1, .start = -4096, .length = 4096};
  SHOW(ioctl(fd, UNRESERVE, &space));
  SHOW(blocks(fd));
  space.start = -4097;
  SHOW(ioctl(fd, UNRESERVE_64, &space));
  space = (struct space){.length = 40960};
  SHOW(ioctl(fd, UNRESERVE_64, &space));
  SHOW(blocks(fd));
  SHOW(ioctl(fd, ZERO_RANGE, &space));
  space.whence = 3;
  SHOW(ioctl(fd, RESERVE, &space));
  space.whence = -1;
  SHOW(ioctl(fd, RESERVE, &space));
  space.whence = 0;
  SHOW(ioctl(reads, RESERVE, &space));
  space.length = 0;
  SHOW(ioctl(fd, RESERVE, &space));
  lseek(fd, 2, SEEK_SET);
  SHOW(number(fd, READABLE));
  lseek(fd, 20, SEEK_SET);
  SHOW(number(fd, READABLE) + 100);
}

int main(void)
{
  int a = open("a", O_RDWR | O_CREAT, 0600), b = open("b", O_RDWR | O_CREAT, 0600);
  int pipes[2], sockets[2];
  if (write(a, "hello", 5) != 5 || pipe(pipes) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
    return 1;
  all("file", a, a);
  all("directory", open(".", O_RDONLY), a);
  all("memfd", memfd_create("m", 0), a);
  all("pipe", pipes[0], a);
  all("socket", sockets[0], a);
  all("eventfd", eventfd(0, 0), a);
  all("epoll", epoll_create1(0), a);
  all("/dev/null", open("/dev/null", O_RDWR), a);
  all("path", open("a", O_PATH), a);
  clones(a, b);
  reservations(a);
  out[0] = -1;
  SHOW(ioctl(a, BMAP, out));
  out[0] = 7;
  SHOW(ioctl(a, BMAP, out));
  SHOW(out[0]);
  SHOW(ioctl(pipes[0], GET_FLAGS, out));
  int epoll = epoll_create1(0);
  SHOW(ioctl(epoll, READABLE, out));
  SHOW(ioctl(epoll, 0x9999, out));
  if (setresuid(1000, 1000, 1000))
    return 1;
  out[0] = 0;
  SHOW(ioctl(a, FREEZE, 0));
  SHOW(ioctl(a, THAW, 0));
  SHOW(ioctl(a, BMAP, out));
  SHOW(ioctl(a, BMAP, nowhere));
  return 0;
}
