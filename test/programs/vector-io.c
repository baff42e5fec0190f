/*
 * readv, writev and their relatives with an offset and with flags: what they move, in which order they look at what is
 * wrong, and what they answer. Works with a file vector-io.tmp that it makes and removes. With an argument it also says
 * what differs between file systems.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define HIPRI 1
#define DSYNC 2
#define SYNC 4
#define NOWAIT 8
#define APPEND 16
#define NOAPPEND 32
#define ATOMIC 64
#define DONTCACHE 128

#define READV(fd, vec, n) syscall(SYS_readv, (long)(fd), vec, (long)(n))
#define WRITEV(fd, vec, n) syscall(SYS_writev, (long)(fd), vec, (long)(n))
#define PREADV(fd, vec, n, pos) syscall(SYS_preadv, (long)(fd), vec, (long)(n), (long)(pos), 0L)
#define PWRITEV(fd, vec, n, pos) syscall(SYS_pwritev, (long)(fd), vec, (long)(n), (long)(pos), 0L)
#define PREADV2(fd, vec, n, pos, flags) \
  syscall(SYS_preadv2, (long)(fd), vec, (long)(n), (long)(pos), 0L, (long)(flags))
#define PWRITEV2(fd, vec, n, pos, flags) \
  syscall(SYS_pwritev2, (long)(fd), vec, (long)(n), (long)(pos), 0L, (long)(flags))
#define READ(fd, at, n) syscall(SYS_read, (long)(fd), at, (long)(n))
#define WRITE(fd, at, n) syscall(SYS_write, (long)(fd), at, (long)(n))
#define POSITION(fd) lseek(fd, 0, SEEK_CUR)

static struct iovec vec[1100];
static char buffer[8192];

static struct iovec *one(void *base, size_t len)
{
  vec[0] = (struct iovec){base, len};
  return vec;
}

static struct iovec *two(void *a, size_t alen, void *b, size_t blen)
{
  vec[0] = (struct iovec){a, alen};
  vec[1] = (struct iovec){b, blen};
  return vec;
}

static void content(int fd)
{
  char text[200];
  struct stat st;
  CHECK(fstat(fd, &st) == 0);
  long n = pread(fd, text, sizeof text - 1, 0);
  CHECK(n >= 0);
  for (long i = 0; i < n; i++)
    if (text[i] == 0) text[i] = '.';
  text[n] = 0;
  SAY("  %ld bytes: %s", (long)st.st_size, text);
}

int main(int argc, char **argv)
{
  (void)argv;
  int fd = open("vector-io.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);
  int writeOnly = open("vector-io.tmp", O_WRONLY);
  int readOnly = open("vector-io.tmp", O_RDONLY);
  int path = open("vector-io.tmp", O_PATH);
  int appending = open("vector-io.tmp", O_RDWR | O_APPEND);
  int dir = open(".", O_RDONLY);
  int ends[2];
  CHECK(fd >= 0 && writeOnly >= 0 && readOnly >= 0 && path >= 0 && appending >= 0 && dir >= 0);
  CHECK(pipe2(ends, O_NONBLOCK) == 0);
  char *hole = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *good = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(hole != MAP_FAILED && good != MAP_FAILED && munmap(hole, 4096) == 0);
  char *outside = (char *)0x8000000000000000;
  size_t negative = (size_t)1 << 63, huge = (size_t)1 << 62;

  SHOW(WRITE(fd, "0123456789", 10));
  SHOW(PWRITEV(fd, two("ab", 2, "cde", 3), 2, 4));
  content(fd);
  SHOW(POSITION(fd));
  SHOW(PREADV(fd, two(buffer, 3, buffer + 3, 100), 2, 2));
  SAY("  %.8s", buffer);
  SHOW(PREADV(fd, one(buffer, 5), 1, -1));
  SHOW(PWRITEV(fd, one(buffer, 5), 1, -1));
  SHOW(PREADV(-1, one(buffer, 5), 1, -1));
  SHOW(PREADV2(fd, one(buffer, 5), 1, -2, 0));
  SHOW(PWRITEV2(fd, one(buffer, 5), 1, -2, 0));
  SHOW(lseek(fd, 3, SEEK_SET));
  SHOW(PREADV2(fd, one(buffer, 5), 1, -1, 0));
  SAY("  %.5s", buffer);
  SHOW(POSITION(fd));
  SHOW(PWRITEV2(fd, one("XY", 2), 1, -1, 0));
  SHOW(POSITION(fd));
  content(fd);

  /* Counts. */
  SHOW(READV(fd, vec, 0));
  SHOW(READV(fd, 0, 0));
  SHOW(READV(fd, vec, 1025));
  SHOW(READV(fd, vec, (1L << 40) + 1));
  SHOW(READV(fd, 0, 1025));
  SHOW(READV(fd, vec, -1));
  SHOW(READV(fd, hole, 1));
  SHOW(READV(-1, vec, 1025));
  SHOW(READV(path, vec, 1025));
  SHOW(READV(writeOnly, vec, 1025));
  SHOW(READV(writeOnly, hole, 1));
  SHOW(READV(dir, vec, 1025));
  SHOW(WRITEV(readOnly, vec, 1025));
  SHOW(READV(writeOnly, one(buffer, 1), 1));
  SHOW(READV(dir, one(buffer, 1), 1));
  SHOW(READV(dir, one(buffer, 1), 0));
  SHOW(WRITEV(dir, one(buffer, 1), 1));
  SHOW(WRITEV(readOnly, one(buffer, 1), 1));
  SHOW(WRITEV(readOnly, one(buffer, 1), 0));
  SHOW(WRITEV(fd, one(buffer, 1), 0));
  for (int i = 0; i < 1024; i++) vec[i] = (struct iovec){buffer, 0};
  vec[1023].iov_len = 3;
  SHOW(PREADV(fd, vec, 1024, 0));

  /* Lengths. */
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(READV(fd, one(buffer, negative), 1));
  SHOW(READV(fd, one(outside, negative), 1));
  SHOW(READV(fd, one(buffer, huge), 1));
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(READV(fd, two(buffer, 2, good, huge), 2));
  SHOW(READV(fd, two(buffer, huge, good, 2), 2));
  SHOW(READV(fd, two(buffer, 2, good, negative), 2));
  SHOW(READV(fd, two(outside, 2, good, negative), 2));
  SHOW(READV(fd, two(buffer, 2, outside, 2), 2));
  SHOW(READV(fd, two(buffer, 2, outside, 0), 2));
  SHOW(READV(fd, two(buffer, 2, hole, 2), 2));
  SHOW(READV(fd, two(hole, 2, buffer, 2), 2));
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(READV(fd, two(buffer, 0x7ffff000, buffer, 2), 2));
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(READ(fd, buffer, huge));
  SHOW(READ(fd, buffer, negative));
  SHOW(READ(fd, outside, 1));
  SHOW(READ(fd, outside, 0));
  SHOW(READ(fd, buffer, 0x7ffffffff));
  SHOW(READ(writeOnly, outside, 1));
  SHOW(READ(dir, outside, 1));
  SHOW(WRITE(readOnly, outside, 1));
  SHOW(WRITE(fd, outside, 1));
  SHOW(WRITE(fd, buffer, negative));
  SHOW(READV(writeOnly, one(outside, 1), 1));
  SHOW(READV(dir, one(outside, 1), 1));
  SHOW(WRITEV(readOnly, one(outside, 1), 1));
  SHOW(WRITEV(readOnly, one(buffer, negative), 1));
  SHOW(PREADV(writeOnly, one(buffer, negative), 1, -1));
  SHOW(PREADV(ends[0], one(buffer, negative), 1, 0));
  SHOW(PREADV(ends[0], one(buffer, 1), 1, 0));
  SHOW(PREADV(ends[1], one(buffer, 1), 1, 0));
  SHOW(PWRITEV(ends[1], one(buffer, 1), 1, 0));
  SHOW(PREADV2(ends[0], one(buffer, 1), 1, 0, 0));
  SHOW(PREADV2(ends[0], one(buffer, 1), 1, -1, 0));
  SHOW(PWRITEV2(ends[1], one("p", 1), 1, -1, 0));
  SHOW(PREADV2(ends[0], one(buffer, 1), 1, -1, NOWAIT));
  SHOW(PREADV2(ends[0], one(buffer, 1), 1, -1, NOWAIT));
  SHOW(PREADV2(ends[0], one(buffer, 1), 1, -1, HIPRI));
  SHOW(PWRITEV2(ends[1], one("p", 1), 1, -1, NOWAIT));
  SHOW(PWRITEV2(ends[1], one("p", 1), 1, -1, DSYNC));
  SHOW(PWRITEV2(ends[1], one("p", 1), 1, -1, APPEND));
  SHOW(PWRITEV2(ends[1], one("p", 1), 1, -1, NOAPPEND));

  /* Flags. */
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, HIPRI));
  if (argc > 1) SHOW(PREADV2(fd, one(buffer, 4), 1, 0, NOWAIT));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, DSYNC));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, SYNC));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, APPEND));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, NOAPPEND));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, APPEND | NOAPPEND));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, ATOMIC));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, 256));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, 512));
  SHOW(PREADV2(fd, one(buffer, 0), 1, 0, 512));
  SHOW(PREADV2(fd, one(buffer, 4), 0, 0, 512));
  SHOW(PREADV2(fd, one(outside, 4), 1, 0, 512));
  SHOW(PREADV2(writeOnly, one(buffer, 4), 1, 0, 512));
  SHOW(PREADV2(-1, one(buffer, 4), 1, 0, 512));
  SHOW(PREADV2(dir, one(buffer, 4), 1, 0, 512));
  SHOW(PREADV2(fd, one(buffer, 4), 1, 0, -1));
  if (argc > 1) SHOW(PREADV2(fd, one(buffer, 4), 1, 0x100, NOWAIT));
  SHOW(PWRITEV2(fd, one("1", 1), 1, 0, DSYNC));
  SHOW(PWRITEV2(fd, one("2", 1), 1, 1, SYNC));
  SHOW(PWRITEV2(fd, one("3", 1), 1, 2, DSYNC | SYNC));
  SHOW(PWRITEV2(fd, one("4", 1), 1, 3, HIPRI));
  SHOW(PWRITEV2(fd, one("6", 1), 1, 5, 512));
  SHOW(PWRITEV2(fd, one("6", 1), 1, 5, APPEND | NOAPPEND));
  SHOW(PWRITEV2(readOnly, one("6", 1), 1, 5, APPEND | NOAPPEND));
  SHOW(PWRITEV2(fd, one("6", 1), 1, 5, ATOMIC));
  content(fd);
  SHOW(lseek(fd, 1, SEEK_SET));
  SHOW(PWRITEV2(fd, one("end", 3), 1, 0, APPEND));
  SHOW(POSITION(fd));
  SHOW(PWRITEV2(fd, one("END", 3), 1, -1, APPEND));
  SHOW(POSITION(fd));
  content(fd);
  SHOW(PWRITEV(appending, one("++", 2), 1, 0));
  SHOW(POSITION(appending));
  SHOW(PWRITEV2(appending, one("--", 2), 1, 0, NOAPPEND));
  SHOW(PWRITEV2(appending, one("==", 2), 1, 0, 0));
  SHOW(lseek(appending, 5, SEEK_SET));
  SHOW(PWRITEV2(appending, one("!", 1), 1, -1, NOAPPEND));
  SHOW(POSITION(appending));
  SHOW(PWRITEV2(appending, one("?", 1), 1, -1, 0));
  SHOW(POSITION(appending));
  content(fd);
  SHOW(pwrite(appending, "#", 1, 0));
  content(fd);

  /* What is good up to the bad page moves. */
  memset(good, 'g', 8192);
  CHECK(munmap(good + 4096, 4096) == 0);
  SHOW(ftruncate(fd, 0));
  SHOW(PWRITEV(fd, two(good + 4090, 10, good, 3), 2, 0));
  content(fd);
  SHOW(PWRITEV(fd, two(good + 4096, 10, good, 3), 2, 0));
  SHOW(PREADV(fd, two(good + 4092, 3, good + 4096, 3), 2, 0));
  unlink("vector-io.tmp");
  SAY("done");
  return 0;
}
