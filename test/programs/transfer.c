/*
 * Bytes that go from file to file without passing through the program: sendfile, splice, tee, vmsplice and
 * copy_file_range between files, memfds and pipes. Works with files transfer.* that it makes and removes.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SENDFILE(out, in, offset, count) \
  syscall(SYS_sendfile, (long)(out), (long)(in), offset, (long)(count))
#define SPLICE(in, inOffset, out, outOffset, len, flags) \
  syscall(SYS_splice, (long)(in), inOffset, (long)(out), outOffset, (long)(len), (long)(flags))
#define TEE(in, out, len, flags) syscall(SYS_tee, (long)(in), (long)(out), (long)(len), (long)(flags))
#define VMSPLICE(fd, vec, n, flags) syscall(SYS_vmsplice, (long)(fd), vec, (long)(n), (long)(flags))
#define COPY(in, inOffset, out, outOffset, len, flags) \
  syscall(SYS_copy_file_range, (long)(in), inOffset, (long)(out), outOffset, (long)(len), (long)(flags))
#define POSITION(fd) lseek(fd, 0, SEEK_CUR)
#define NONBLOCK 2
#define PAGE 4096L

static long off, off2;
static char buffer[70000];

static long *at(long offset)
{
  off = offset;
  return &off;
}

static long *at2(long offset)
{
  off2 = offset;
  return &off2;
}

static void put(int fd, const char *text)
{
  CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
  CHECK(write(fd, text, strlen(text)) == (long)strlen(text));
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
}

static void content(int fd)
{
  char text[100];
  struct stat st;
  CHECK(fstat(fd, &st) == 0);
  long n = pread(fd, text, sizeof text - 1, 0);
  CHECK(n >= 0);
  for (long i = 0; i < n; i++)
    if (text[i] == 0) text[i] = '.';
  text[n] = 0;
  SAY("  %ld bytes at %ld: %s", (long)st.st_size, (long)POSITION(fd), text);
}

static void unread(int fd)
{
  int n;
  CHECK(ioctl(fd, FIONREAD, &n) == 0);
  SAY("  %d bytes in the pipe", n);
}

static void drain(int fd)
{
  char text[100];
  long n = read(fd, text, sizeof text - 1);
  if (n < 0) {
    SAY("  the pipe: %s", errorName(errno));
    return;
  }
  for (long i = 0; i < n; i++)
    if (text[i] == 0) text[i] = '.';
  text[n] = 0;
  SAY("  from the pipe: %s", text);
}

int main(void)
{
  int in = open("transfer.in", O_RDWR | O_CREAT | O_TRUNC, 0644);
  int out = open("transfer.out", O_RDWR | O_CREAT | O_TRUNC, 0644);
  int writeOnly = open("transfer.in", O_WRONLY);
  int readOnly = open("transfer.in", O_RDONLY);
  int appending = open("transfer.out", O_RDWR | O_APPEND);
  int path = open("transfer.in", O_PATH);
  int dir = open(".", O_RDONLY);
  int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
  int mem = memfd_create("transfer", MFD_ALLOW_SEALING);
  int p[2], q[2];
  CHECK(in >= 0 && out >= 0 && writeOnly >= 0 && readOnly >= 0 && appending >= 0 && path >= 0 && dir >= 0);
  CHECK(null >= 0 && zero >= 0 && full >= 0 && mem >= 0);
  CHECK(pipe2(p, O_NONBLOCK) == 0 && pipe2(q, O_NONBLOCK) == 0);
  char *outside = (char *)0x8000000000000000;
  long *badOff = (long *)outside;
  signal(SIGPIPE, SIG_IGN);

  SAY("sendfile:");
  put(in, "0123456789");
  SHOW(SENDFILE(out, in, NULL, 4));
  content(in);
  content(out);
  SHOW(SENDFILE(out, in, at(2), 5));
  SAY("  offset %ld", off);
  content(in);
  content(out);
  SHOW(SENDFILE(out, in, at(8), 100));
  SAY("  offset %ld", off);
  SHOW(SENDFILE(out, in, at(100), 100));
  SAY("  offset %ld", off);
  SHOW(SENDFILE(out, in, at(-1), 1));
  SHOW(SENDFILE(out, in, at(-1), 0));
  SHOW(SENDFILE(out, in, at(0), 0));
  SHOW(SENDFILE(out, in, at(0), -1));
  SHOW(SENDFILE(out, in, at(0), 0x7fffffffffff0000));
  SAY("  offset %ld", off);
  int endless = open("/dev/zero", O_RDONLY), sink = open("/dev/null", O_WRONLY);
  SHOW(SENDFILE(sink, endless, NULL, 1l << 40));
  SHOW(SENDFILE(out, in, badOff, 1));
  SHOW(SENDFILE(-1, in, badOff, 1));
  SHOW(SENDFILE(out, -1, badOff, 1));
  SHOW(SENDFILE(-1, in, NULL, 1));
  SHOW(SENDFILE(out, -1, NULL, 1));
  SHOW(SENDFILE(out, writeOnly, NULL, 1));
  SHOW(SENDFILE(readOnly, in, NULL, 1));
  SHOW(SENDFILE(out, path, NULL, 1));
  SHOW(SENDFILE(out, dir, NULL, 1));
  SHOW(SENDFILE(dir, in, NULL, 1));
  SHOW(SENDFILE(appending, in, NULL, 1));
  SHOW(SENDFILE(appending, in, at(-1), 1));
  SHOW(SENDFILE(appending, in, NULL, 0));
  SHOW(SENDFILE(appending, writeOnly, NULL, 0));
  SHOW(SENDFILE(null, in, at(0), 5));
  SHOW(SENDFILE(full, in, at(0), 5));
  SHOW(SENDFILE(out, zero, NULL, 3));
  SHOW(SENDFILE(out, zero, at(5), 3));
  SHOW(SENDFILE(out, null, NULL, 3));
  SHOW(SENDFILE(out, full, NULL, 3));
  SHOW(SENDFILE(out, p[0], NULL, 3));
  SHOW(SENDFILE(out, p[0], at(0), 3));
  SHOW(SENDFILE(p[1], in, at(1), 3));
  drain(p[0]);
  SHOW(SENDFILE(p[0], in, at(1), 3));
  SHOW(SENDFILE(mem, in, at(0), 10));
  content(mem);
  content(out);
  SHOW(lseek(in, 3, SEEK_SET));
  SHOW(lseek(out, 2, SEEK_SET));
  SHOW(SENDFILE(out, in, NULL, 2));
  content(in);
  content(out);
  SHOW(SENDFILE(in, in, at(0), 4));
  content(in);
  SHOW(SENDFILE(in, in, at(2), 6));
  content(in);
  put(in, "0123456789");
  memset(buffer, 'x', sizeof buffer);
  CHECK(pwrite(in, buffer, sizeof buffer, 0) == sizeof buffer);
  SHOW(SENDFILE(p[1], in, at(0), 100000));
  SAY("  offset %ld", off);
  unread(p[0]);
  SHOW(SENDFILE(p[1], in, at(0), 10));
  SHOW(read(p[0], buffer, sizeof buffer));
  SHOW(SENDFILE(out, in, at(0), 70000));
  content(in);
  put(in, "0123456789");
  put(out, "");

  SAY("splice:");
  SHOW(SPLICE(in, NULL, p[1], NULL, 4, 0));
  content(in);
  unread(p[0]);
  SHOW(SPLICE(in, at(6), p[1], NULL, 100, 0));
  SAY("  offset %ld", off);
  content(in);
  SHOW(SPLICE(p[0], NULL, out, NULL, 3, 0));
  SHOW(SPLICE(p[0], NULL, out, at(8), 100, 0));
  SAY("  offset %ld", off);
  content(out);
  SHOW(SPLICE(p[0], NULL, out, NULL, 100, 0));
  SHOW(SPLICE(in, at(100), p[1], NULL, 100, 0));
  SHOW(SPLICE(in, at(0), p[1], NULL, 0, 0));
  SHOW(SPLICE(in, at(0), p[1], NULL, 1, 16));
  SHOW(SPLICE(in, at(0), p[1], NULL, 0, 16));
  SHOW(SPLICE(-1, at(0), p[1], NULL, 0, 16));
  SHOW(SPLICE(-1, at(0), p[1], NULL, 0, 0));
  SHOW(SPLICE(-1, at(0), p[1], NULL, 1, 0));
  SHOW(SPLICE(in, at(0), -1, NULL, 1, 0));
  SHOW(SPLICE(in, NULL, out, NULL, 1, 0));
  SHOW(SPLICE(in, at(0), p[1], at2(0), 1, 0));
  SHOW(SPLICE(p[0], at(0), out, at2(0), 1, 0));
  SHOW(SPLICE(p[0], at(0), q[1], NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, q[1], at(0), 1, 0));
  SHOW(SPLICE(in, badOff, p[1], NULL, 1, 0));
  SHOW(SPLICE(writeOnly, badOff, p[1], NULL, 1, 0));
  SHOW(SPLICE(in, badOff, p[1], badOff, 1, 0));
  SHOW(SPLICE(in, at(-1), p[1], NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, out, at(-1), 1, 0));
  SHOW(SPLICE(writeOnly, NULL, p[1], NULL, 1, 0));
  SHOW(SPLICE(in, NULL, p[0], NULL, 1, 0));
  SHOW(SPLICE(p[1], NULL, out, NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, readOnly, NULL, 1, 0));
  SHOW(SPLICE(path, NULL, p[1], NULL, 1, 0));
  SHOW(SPLICE(dir, NULL, p[1], NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, dir, NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, p[1], NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, appending, NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, appending, at(0), 1, 0));
  SHOW(SPLICE(p[0], NULL, q[1], NULL, 1, 0));
  SHOW(write(p[1], "abcdef", 6));
  SHOW(SPLICE(p[0], NULL, appending, NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, q[1], NULL, 2, 0));
  unread(p[0]);
  drain(q[0]);
  SHOW(SPLICE(p[0], NULL, null, NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, full, NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, zero, NULL, 1, 0));
  SHOW(SPLICE(zero, NULL, p[1], NULL, 2, 0));
  SHOW(SPLICE(null, NULL, p[1], NULL, 2, 0));
  drain(p[0]);
  SHOW(SPLICE(zero, NULL, p[1], NULL, 0x7fffffff, NONBLOCK));
  unread(p[0]);
  SHOW(SPLICE(in, at(0), p[1], NULL, 1, 0));
  SHOW(SPLICE(p[0], NULL, q[1], NULL, 5000, 0));
  SHOW(SPLICE(p[0], NULL, q[1], NULL, 0x7fffffff, 0));
  unread(p[0]);
  unread(q[0]);
  CHECK(read(q[0], buffer, sizeof buffer) > 0);
  while (read(p[0], buffer, sizeof buffer) > 0) {}

  SAY("pages that a pipe shares with a file:");
  put(in, "original content");
  CHECK(pwrite(in, "second page", 11, PAGE) == 11);
  SHOW(SPLICE(in, at(0), p[1], NULL, 16, 0));
  SHOW(pwrite(in, "REWRITTEN", 9, 0));
  drain(p[0]);
  SHOW(SPLICE(in, at(0), p[1], NULL, 16, 0));
  SHOW(ftruncate(in, 3));
  drain(p[0]);
  put(in, "original content");
  SHOW(SPLICE(in, at(0), p[1], NULL, 16, 0));
  SHOW(ftruncate(in, 0));
  SHOW(pwrite(in, "after", 5, 0));
  drain(p[0]);
  put(in, "original content");
  SHOW(SENDFILE(p[1], in, at(0), 16));
  SHOW(pwrite(in, "REWRITTEN", 9, 0));
  drain(p[0]);
  put(mem, "original content");
  SHOW(SPLICE(mem, at(0), p[1], NULL, 16, 0));
  SHOW(pwrite(mem, "REWRITTEN", 9, 0));
  char *shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
  CHECK(shared != MAP_FAILED);
  shared[12] = '!';
  SHOW(TEE(p[0], q[1], 16, 0));
  drain(p[0]);
  shared[13] = '?';
  drain(q[0]);
  munmap(shared, PAGE);
  /* A write behind what was spliced goes to a buffer of its own. */
  SHOW(SPLICE(mem, at(0), p[1], NULL, 4, 0));
  SHOW(write(p[1], "own", 3));
  drain(p[0]);
  content(mem);
  SHOW(ftruncate(mem, 3 * PAGE));
  SHOW(SPLICE(mem, at(2 * PAGE - 1), p[1], NULL, 3, 0));
  SHOW(pwrite(mem, "hole", 4, 2 * PAGE - 1));
  drain(p[0]);

  SAY("tee:");
  SHOW(write(p[1], "abcdef", 6));
  SHOW(TEE(p[0], q[1], 4, 0));
  unread(p[0]);
  unread(q[0]);
  SHOW(TEE(p[0], q[1], 100, 0));
  drain(q[0]);
  drain(p[0]);
  SHOW(TEE(p[0], q[1], 4, 0));
  SHOW(TEE(p[0], q[1], 0, 0));
  SHOW(TEE(p[0], q[1], 0, 16));
  SHOW(TEE(p[0], q[1], 1, 16));
  SHOW(TEE(p[0], p[1], 1, 0));
  SHOW(TEE(in, q[1], 1, 0));
  SHOW(TEE(p[0], in, 1, 0));
  SHOW(TEE(-1, q[1], 1, 0));
  SHOW(TEE(p[1], q[1], 1, 0));
  SHOW(TEE(p[0], q[0], 1, 0));

  SAY("vmsplice:");
  static char own[3 * 4096] __attribute__((aligned(4096)));
  strcpy(own, "from memory");
  struct iovec vec[2] = {{own, 5}, {own + 5, 6}};
  SHOW(VMSPLICE(p[1], vec, 2, 0));
  drain(p[0]);
  SHOW(VMSPLICE(p[1], vec, 2, 0));
  memcpy(own, "FROM", 4);
  drain(p[0]);
  SHOW(write(p[1], "xyz", 3));
  SHOW(VMSPLICE(p[0], vec, 1, 0));
  SAY("  %s", own);
  SHOW(VMSPLICE(p[0], vec, 1, NONBLOCK));
  SHOW(VMSPLICE(p[1], vec, 0, 0));
  SHOW(VMSPLICE(p[1], vec, 0, 16));
  SHOW(VMSPLICE(p[1], vec, 1025, 0));
  SHOW(VMSPLICE(-1, vec, 1, 0));
  SHOW(VMSPLICE(in, vec, 1, 0));
  vec[0].iov_base = outside;
  SHOW(VMSPLICE(p[1], vec, 1, 0));

  SAY("copy_file_range:");
  put(in, "0123456789");
  put(out, "");
  SHOW(COPY(in, NULL, out, NULL, 4, 0));
  content(in);
  content(out);
  SHOW(COPY(in, at(6), out, at2(2), 100, 0));
  SAY("  offsets %ld %ld", off, off2);
  content(in);
  content(out);
  SHOW(COPY(in, at(10), out, at2(2), 100, 0));
  SHOW(COPY(in, at(100), out, at2(2), 100, 0));
  SHOW(COPY(in, at(0), out, at2(20), 3, 0));
  content(out);
  SHOW(COPY(in, at(0), out, at2(0), 3, 1));
  SHOW(COPY(-1, at(0), out, at2(0), 3, 1));
  SHOW(COPY(in, badOff, out, at2(0), 3, 1));
  SHOW(COPY(in, badOff, out, at2(0), 3, 0));
  SHOW(COPY(in, at(0), -1, at2(0), 3, 0));
  SHOW(COPY(in, at(-1), out, at2(0), 3, 0));
  SHOW(COPY(in, at(0), out, at2(-1), 3, 0));
  SHOW(COPY(in, at(-1), out, at2(0), 0, 0));
  SHOW(COPY(in, at(0), out, at2(0), 0, 0));
  SHOW(COPY(in, at(0), out, at2(0), -1, 0));
  SHOW(COPY(in, at(0), out, at2(0x7fffffffffffffff), 3, 0));
  SHOW(COPY(in, at(0x7fffffffffffffff), out, at2(0), 3, 0));
  SHOW(COPY(writeOnly, at(0), out, at2(0), 3, 0));
  SHOW(COPY(in, at(0), readOnly, at2(0), 3, 0));
  SHOW(COPY(in, at(0), appending, at2(0), 3, 0));
  SHOW(COPY(path, at(0), out, at2(0), 3, 0));
  SHOW(COPY(dir, at(0), out, at2(0), 3, 0));
  SHOW(COPY(in, at(0), dir, at2(0), 3, 0));
  SHOW(COPY(in, at(0), p[1], NULL, 3, 0));
  SHOW(COPY(p[0], NULL, out, NULL, 3, 0));
  SHOW(COPY(p[0], at(0), out, NULL, 3, 0));
  SHOW(COPY(null, NULL, out, NULL, 3, 0));
  SHOW(COPY(in, NULL, null, NULL, 3, 0));
  SHOW(COPY(in, at(0), in, at2(2), 3, 0));
  SHOW(COPY(in, at(0), in, at2(5), 5, 0));
  SHOW(COPY(in, at(0), in, at2(4), 5, 0));
  SHOW(COPY(in, at(3), in, at2(0), 3, 0));
  SHOW(COPY(in, at(3), in, at2(0), 4, 0));
  SHOW(COPY(in, at(8), in, at2(11), 100, 0));
  content(in);
  SHOW(COPY(in, at(5), readOnly, at2(5), 100, 0));
  SHOW(COPY(readOnly, at(5), in, at2(0), 100, 0));
  SHOW(COPY(mem, at(0), out, at2(0), 4, 0));
  SHOW(COPY(in, at(0), mem, at2(0), 4, 0));
  int mem2 = memfd_create("second", MFD_ALLOW_SEALING);
  SHOW(COPY(mem, at(0), mem2, at2(0), 4, 0));
  content(mem2);
  SHOW(fcntl(mem2, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(COPY(mem, at(0), mem2, at2(0), 4, 0));
  SHOW(SENDFILE(mem2, mem, at(0), 4));

  /* Limits of the file's size. */
  struct rlimit old, low;
  CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
  low = (struct rlimit){8, old.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  put(in, "0123456789");
  put(out, "");
  CHECK(setrlimit(RLIMIT_FSIZE, &low) == 0);
  SHOW(COPY(in, at(0), out, at2(0), 10, 0));
  SHOW(COPY(in, at(0), out, at2(8), 10, 0));
  SHOW(lseek(out, 4, SEEK_SET));
  SHOW(SENDFILE(out, in, at(0), 10));
  SHOW(SENDFILE(out, in, at(0), 10));
  SHOW(write(p[1], "0123456789", 10));
  SHOW(SPLICE(p[0], NULL, out, at(4), 10, 0));
  unread(p[0]);
  SHOW(SPLICE(p[0], NULL, out, at(8), 10, 0));
  CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
  drain(p[0]);

  /* Ends. */
  SHOW(close(p[1]));
  SHOW(SPLICE(p[0], NULL, out, NULL, 10, 0));
  SHOW(TEE(p[0], q[1], 10, 0));
  SHOW(SPLICE(p[0], NULL, q[1], NULL, 10, 0));
  SHOW(VMSPLICE(p[0], vec, 1, 0));
  SHOW(close(q[0]));
  SHOW(SPLICE(in, at(0), q[1], NULL, 10, 0));
  SHOW(SENDFILE(q[1], in, at(0), 10));
  vec[0].iov_base = own;
  SHOW(VMSPLICE(q[1], vec, 1, 0));
  SHOW(TEE(p[0], q[1], 10, 0));
  unlink("transfer.in");
  unlink("transfer.out");
  SAY("done");
  return 0;
}
