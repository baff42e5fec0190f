/*
 * fallocate on the file system of the working directory and on a memfd: each mode, what the file holds and how long it
 * is afterwards, what lseek says of holes, what mappings see, and what is refused. Works with files fallocate.* that it
 * makes and removes. With an argument it also says what differs between file systems.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define KEEP 1
#define PUNCH 2
#define COLLAPSE 8
#define ZERO 16
#define INSERT 32
#define UNSHARE 64
#define WRITE_ZEROES 128
#define PAGE 4096L

#define FALLOCATE(fd, mode, offset, len) \
  syscall(SYS_fallocate, (long)(fd), (long)(mode), (long)(offset), (long)(len))

/* Size, and the file page by page: the first byte of each, '.' for 0, and whether the whole page is alike. */
static void content(int fd)
{
  static char page[PAGE];
  char line[200];
  int at = 0;
  struct stat st;
  CHECK(fstat(fd, &st) == 0);
  for (long offset = 0; offset < st.st_size && at < 100; offset += PAGE) {
    long n = pread(fd, page, PAGE, offset);
    CHECK(n > 0);
    long same = 1;
    while (same < n && page[same] == page[0]) same++;
    line[at++] = page[0] ? page[0] : '.';
    if (same < n) line[at++] = '~';
  }
  line[at] = 0;
  SAY("  %ld bytes: %s", (long)st.st_size, line);
}

static void holes(int fd)
{
  long end = lseek(fd, 0, SEEK_END), at = 0;
  while (at < end) {
    long data = lseek(fd, at, SEEK_DATA);
    if (data < 0) {
      SAY("  no data behind %ld: %s", at, errorName(errno));
      return;
    }
    at = lseek(fd, data, SEEK_HOLE);
    SAY("  data %ld to %ld", data, at);
  }
}

static void fill(int fd, int pages)
{
  static char page[PAGE];
  CHECK(ftruncate(fd, 0) == 0);
  for (int i = 0; i < pages; i++) {
    memset(page, 'a' + i, PAGE);
    CHECK(pwrite(fd, page, PAGE, i * PAGE) == PAGE);
  }
}

static volatile int signals;
static void count(int number)
{
  (void)number;
  signals++;
}

static void modes(int fd)
{
  struct stat st;
  CHECK(ftruncate(fd, 0) == 0);
  SHOW(FALLOCATE(fd, 0, 0, 5000));
  content(fd);
  SHOW(FALLOCATE(fd, 0, 100, 10));
  content(fd);
  SHOW(FALLOCATE(fd, KEEP, 10000, 10000));
  content(fd);
  CHECK(fstat(fd, &st) == 0);
  SAY("  %ld blocks", (long)st.st_blocks);
  SHOW(FALLOCATE(fd, 0, 10000, 10000));
  content(fd);

  fill(fd, 6);
  SHOW(FALLOCATE(fd, PUNCH | KEEP, PAGE, PAGE));
  content(fd);
  holes(fd);
  SHOW(FALLOCATE(fd, PUNCH | KEEP, 2 * PAGE + 100, PAGE));
  content(fd);
  SHOW(FALLOCATE(fd, PUNCH | KEEP, 5 * PAGE + 10, 20));
  SHOW(FALLOCATE(fd, PUNCH | KEEP, 5 * PAGE, 100 * PAGE));
  content(fd);
  SHOW(FALLOCATE(fd, PUNCH | KEEP, 50 * PAGE, 100 * PAGE));
  content(fd);
  CHECK(ftruncate(fd, 5 * PAGE + 100) == 0);
  CHECK(pwrite(fd, "zz", 2, 5 * PAGE + 98) == 2);
  SHOW(FALLOCATE(fd, PUNCH | KEEP, 5 * PAGE + 50, PAGE));
  CHECK(ftruncate(fd, 6 * PAGE) == 0);
  content(fd);

  /* A mapping sees the hole; a private copy stays. */
  fill(fd, 4);
  char *shared = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *private = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(shared != MAP_FAILED && private != MAP_FAILED);
  shared[PAGE] = 'S';
  private[PAGE] = 'P';
  private[2 * PAGE] = 'Q';
  SHOW(FALLOCATE(fd, PUNCH | KEEP, PAGE + 2048, PAGE));
  SAY("  shared %c %d %d, private %c %c %c", shared[PAGE], shared[PAGE + 2048], shared[2 * PAGE], private[PAGE],
      private[PAGE + 2048], private[2 * PAGE]);
  SHOW(FALLOCATE(fd, PUNCH | KEEP, PAGE, 2 * PAGE));
  SAY("  shared %d %d %c, private %c %c %c", shared[PAGE], shared[2 * PAGE], shared[3 * PAGE], private[PAGE],
      private[PAGE + 2048], private[2 * PAGE]);
  shared[PAGE] = 'T';
  content(fd);
  SHOW(madvise(shared + 2 * PAGE, 2 * PAGE, MADV_REMOVE));
  content(fd);
  SHOW(madvise(private, PAGE, MADV_REMOVE));
  munmap(shared, 4 * PAGE);
  munmap(private, 4 * PAGE);

  /* Limits. */
  struct rlimit old, low = {5 * PAGE, RLIM_INFINITY};
  CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
  low.rlim_max = old.rlim_max;
  signal(SIGXFSZ, count);
  CHECK(setrlimit(RLIMIT_FSIZE, &low) == 0);
  SHOW(FALLOCATE(fd, 0, 0, 5 * PAGE));
  SHOW(FALLOCATE(fd, 0, 0, 5 * PAGE + 1));
  SAY("  %d signals", signals);
  SHOW(FALLOCATE(fd, KEEP, 0, 6 * PAGE));
  SHOW(ftruncate(fd, 5 * PAGE + 1));
  SAY("  %d signals", signals);
  SHOW(pwrite(fd, "abcdef", 6, 5 * PAGE - 3));
  SHOW(pwrite(fd, "abcdef", 6, 5 * PAGE));
  SAY("  %d signals", signals);
  CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
}

/* Modes that file systems may lack. */
static void rare(int fd)
{
  fill(fd, 6);
  SHOW(FALLOCATE(fd, ZERO, PAGE + 5, 2 * PAGE));
  content(fd);
  SHOW(FALLOCATE(fd, ZERO | KEEP, 5 * PAGE, 5 * PAGE));
  content(fd);
  SHOW(FALLOCATE(fd, ZERO, 5 * PAGE, 5 * PAGE));
  content(fd);
  fill(fd, 6);
  SHOW(FALLOCATE(fd, COLLAPSE, PAGE, 2 * PAGE));
  content(fd);
  SHOW(FALLOCATE(fd, COLLAPSE, PAGE, 2 * PAGE + 1));
  SHOW(FALLOCATE(fd, COLLAPSE, 1, PAGE));
  SHOW(FALLOCATE(fd, COLLAPSE, PAGE, 3 * PAGE));
  SHOW(FALLOCATE(fd, COLLAPSE, PAGE, 30 * PAGE));
  SHOW(FALLOCATE(fd, INSERT, PAGE, 2 * PAGE));
  content(fd);
  SHOW(FALLOCATE(fd, INSERT, 0, PAGE));
  content(fd);
  SHOW(FALLOCATE(fd, INSERT, PAGE + 1, PAGE));
  SHOW(FALLOCATE(fd, INSERT, PAGE, 10));
  SHOW(FALLOCATE(fd, INSERT, 100 * PAGE, PAGE));
  SHOW(FALLOCATE(fd, UNSHARE, 0, PAGE));
  SHOW(FALLOCATE(fd, WRITE_ZEROES, 0, PAGE));
  SHOW(FALLOCATE(fd, 0, 0, 100 * PAGE));
  holes(fd);
}

int main(int argc, char **argv)
{
  (void)argv;
  int fd = open("fallocate.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);
  int readOnly = open("fallocate.tmp", O_RDONLY);
  int writeOnly = open("fallocate.tmp", O_WRONLY);
  int path = open("fallocate.tmp", O_PATH);
  int appending = open("fallocate.tmp", O_RDWR | O_APPEND);
  int dir = open(".", O_RDONLY);
  int null = open("/dev/null", O_RDWR);
  int ends[2];
  CHECK(fd >= 0 && readOnly >= 0 && writeOnly >= 0 && path >= 0 && appending >= 0 && dir >= 0 && null >= 0);
  CHECK(pipe(ends) == 0);
  long last = 0x7fffffffffffffff;

  SHOW(FALLOCATE(-1, 0, 0, 1));
  SHOW(FALLOCATE(-1, 0, 0, 0));
  SHOW(FALLOCATE(path, 0, 0, 1));
  SHOW(FALLOCATE(fd, 0, 0, 0));
  SHOW(FALLOCATE(fd, 0, -1, 1));
  SHOW(FALLOCATE(fd, 0, 0, -1));
  SHOW(FALLOCATE(fd, 512, 0, 0));
  SHOW(FALLOCATE(fd, 512, 0, 1));
  SHOW(FALLOCATE(fd, 4, 0, 1));
  SHOW(FALLOCATE(readOnly, 512, 0, 1));
  SHOW(FALLOCATE(readOnly, PUNCH, 0, 1));
  SHOW(FALLOCATE(readOnly, 0, 0, 1));
  SHOW(FALLOCATE(writeOnly, 0, 0, 1));
  SHOW(FALLOCATE(fd, PUNCH, 0, 1));
  SHOW(FALLOCATE(fd, PUNCH | ZERO, 0, 1));
  SHOW(FALLOCATE(fd, PUNCH | ZERO | KEEP, 0, 1));
  SHOW(FALLOCATE(fd, COLLAPSE | KEEP, 0, PAGE));
  SHOW(FALLOCATE(fd, INSERT | KEEP, 0, PAGE));
  SHOW(FALLOCATE(fd, COLLAPSE | INSERT, 0, PAGE));
  SHOW(FALLOCATE(fd, WRITE_ZEROES | KEEP, 0, PAGE));
  SHOW(FALLOCATE(fd, UNSHARE | PUNCH, 0, PAGE));
  SHOW(FALLOCATE(dir, 0, 0, 1));
  SHOW(FALLOCATE(ends[0], 0, 0, 1));
  SHOW(FALLOCATE(ends[1], 0, 0, 1));
  SHOW(FALLOCATE(null, 0, 0, 1));
  SHOW(FALLOCATE(null, 0, last, 1));
  SHOW(FALLOCATE(fd, 0, last, 1));
  SHOW(FALLOCATE(fd, 0, 1, last));
  SHOW(FALLOCATE(fd, PUNCH | KEEP, last, 1));
  SHOW(FALLOCATE(appending, 0, 0, 10));
  SHOW(FALLOCATE(appending, PUNCH | KEEP, 0, 10));
  SAY("file:");
  modes(fd);
  if (argc > 1) rare(fd);
  unlink("fallocate.tmp");

  int mem = memfd_create("fallocate", MFD_ALLOW_SEALING);
  CHECK(mem >= 0);
  SAY("memfd:");
  signals = 0;
  modes(mem);
  fill(mem, 4);
  SHOW(FALLOCATE(mem, ZERO, 0, PAGE));
  SHOW(FALLOCATE(mem, COLLAPSE, 0, PAGE));
  SHOW(FALLOCATE(mem, INSERT, 0, PAGE));
  SHOW(FALLOCATE(mem, UNSHARE, 0, PAGE));
  SHOW(FALLOCATE(mem, WRITE_ZEROES, 0, PAGE));
  SHOW(FALLOCATE(mem, PUNCH | KEEP, PAGE, PAGE));
  SHOW(FALLOCATE(mem, KEEP, 0, 6 * PAGE));
  holes(mem);
  SHOW(ftruncate(mem, 8 * PAGE));
  holes(mem);
  SHOW(FALLOCATE(mem, PUNCH | KEEP, PAGE, 2 * PAGE + 5));
  holes(mem);
  SHOW(lseek(mem, 8 * PAGE, SEEK_DATA));
  SHOW(lseek(mem, 8 * PAGE, SEEK_HOLE));
  SHOW(lseek(mem, 8 * PAGE - 1, SEEK_HOLE));
  SHOW(lseek(mem, 3, SEEK_DATA));
  SHOW(lseek(mem, PAGE + 3, SEEK_HOLE));
  SHOW(lseek(mem, PAGE + 3, SEEK_DATA));
  SHOW(lseek(mem, -1, SEEK_DATA));
  SHOW(fcntl(mem, F_ADD_SEALS, F_SEAL_GROW));
  SHOW(FALLOCATE(mem, 0, 0, 8 * PAGE));
  SHOW(FALLOCATE(mem, 0, 0, 8 * PAGE + 1));
  SHOW(FALLOCATE(mem, KEEP, 0, 8 * PAGE + 1));
  SHOW(FALLOCATE(mem, PUNCH | KEEP, 0, 80 * PAGE));
  SHOW(pwrite(mem, "ab", 2, 8 * PAGE - 1));
  SHOW(pwrite(mem, "ab", 2, 8 * PAGE - 2));
  SHOW(pwrite(mem, "ab", 2, 8 * PAGE));
  SHOW(fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK));
  SHOW(ftruncate(mem, PAGE));
  SHOW(FALLOCATE(mem, PUNCH | KEEP, 0, 8 * PAGE));
  SHOW(fcntl(mem, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(FALLOCATE(mem, PUNCH | KEEP, 0, PAGE));
  SHOW(FALLOCATE(mem, 0, 0, PAGE));
  SHOW(FALLOCATE(mem, 4, 0, PAGE));
  SHOW(FALLOCATE(mem, ZERO, 0, PAGE));
  int future = memfd_create("future", MFD_ALLOW_SEALING);
  CHECK(future >= 0 && ftruncate(future, PAGE) == 0);
  SHOW(fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  SHOW(FALLOCATE(future, PUNCH | KEEP, 0, PAGE));
  SHOW(FALLOCATE(future, 0, 0, PAGE));
  SHOW(ftruncate(future, 2 * PAGE));
  SAY("done");
  return 0;
}
