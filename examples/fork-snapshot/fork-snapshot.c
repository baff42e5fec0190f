/*
 * fork-snapshot [FILE]
 *
 * How an in-memory database writes a consistent copy of itself to disk without standing still: it forks.
 * The child has all memory as it was at that instant, and takes its time to write it to FILE, while the
 * parent goes on changing its own. Nothing is copied up front; each page that the parent changes meanwhile
 * is copied at its first change, and only those.
 *
 * The database here is an array of accounts, and every change moves money from one to another: the sum is
 * always the same, in any copy that is consistent.
 *
 * FILE is fork-snapshot.tmp by default; it is removed at the end only then.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACCOUNTS 32768 /* 256 KiB: 64 pages of 4 KiB */
#define MONEY 1000     /* in each account, at first */
#define TRANSFERS 20000

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

/* A small generator of our own, so that every run makes the same transfers. */
static uint64_t state = 1;
static uint64_t random64(void)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void transfer(int64_t *accounts, int times)
{
  for (int i = 0; i < times; i++) {
    int64_t amount = (int64_t)(random64() % 100);
    accounts[random64() % ACCOUNTS] -= amount;
    accounts[random64() % ACCOUNTS] += amount;
  }
}

static int64_t sum(const int64_t *accounts)
{
  int64_t total = 0;
  for (int i = 0; i < ACCOUNTS; i++)
    total += accounts[i];
  return total;
}

/* A fingerprint of every account (FNV-1a). */
static uint64_t fingerprint(const int64_t *accounts)
{
  uint64_t hash = 0xcbf29ce484222325u;
  for (int i = 0; i < ACCOUNTS; i++)
    hash = (hash ^ (uint64_t)accounts[i]) * 0x100000001b3u;
  return hash;
}

static void row(const char *what, const int64_t *accounts)
{
  printf("%-30s sum %lld, fingerprint %016llx\n", what, (long long)sum(accounts),
         (unsigned long long)fingerprint(accounts));
}

static void writeAll(int fd, const char *from, size_t count)
{
  while (count > 0) {
    ssize_t n = write(fd, from, count);
    if (n < 0)
      fail("write");
    from += n;
    count -= (size_t)n;
  }
}

/* What the two tell each other, in a shared mapping. */
struct progress {
  atomic_int halfWritten;   /* the child has written half of the file */
  atomic_int parentChanged; /* the parent has made all its changes */
};

int main(int argc, char **argv)
{
  const char *path = argc > 1 ? argv[1] : "fork-snapshot.tmp";
  size_t size = ACCOUNTS * sizeof(int64_t);

  int64_t *accounts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct progress *progress =
      mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (accounts == MAP_FAILED || progress == MAP_FAILED)
    fail("mmap");

  for (int i = 0; i < ACCOUNTS; i++)
    accounts[i] = MONEY;
  transfer(accounts, TRANSFERS);
  row("parent, when it forks", accounts);
  fflush(stdout);

  pid_t child = fork();
  if (child < 0)
    fail("fork");

  if (child == 0) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
      fail(path);
    /* Half now, and half when the parent has changed nearly everything. Both halves are of one instant. */
    writeAll(fd, (const char *)accounts, size / 2);
    atomic_store(&progress->halfWritten, 1);
    while (!atomic_load(&progress->parentChanged))
      sched_yield();
    writeAll(fd, (const char *)accounts + size / 2, size / 2);
    if (fsync(fd) < 0 || close(fd) < 0)
      fail(path);
    _exit(0);
  }

  while (!atomic_load(&progress->halfWritten))
    sched_yield();
  transfer(accounts, TRANSFERS);
  row("parent, while the child writes", accounts);
  atomic_store(&progress->parentChanged, 1);

  int status;
  if (waitpid(child, &status, 0) < 0)
    fail("waitpid");
  if (status != 0) {
    fprintf(stderr, "the child failed\n");
    return 1;
  }

  /* And what is in the file? Mapped, it is an array of accounts again. */
  int fd = open(path, O_RDONLY);
  if (fd < 0)
    fail(path);
  int64_t *snapshot = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (snapshot == MAP_FAILED)
    fail("mmap");
  row("snapshot in the file", snapshot);

  if (munmap(snapshot, size) < 0 || close(fd) < 0 || (argc < 2 && unlink(path) < 0))
    fail(path);
  return 0;
}
