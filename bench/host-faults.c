/*
 * host-faults [DIRECTORY]
 *
 * What the host's own kernel takes for the things that Faultline does: nanoseconds per page fault of each
 * kind, per mapping, per page of a fork. Prints one object of JSON. The file for the file mappings is made in
 * DIRECTORY (/tmp by default) and has no name.
 *
 * Each figure is measured WARMUP + REPEATS times over many pages; the median and the smallest are printed.
 * Huge pages are off, so that a fault is a fault of one page.
 *
 *   cc -O2 -o host-faults bench/host-faults.c && ./host-faults
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARMUP 3
#define REPEATS 15

#define PAGES 4096        /* of one measurement: 16 MiB of 4 KiB pages */
#define FORK_PAGES 16384  /* 64 MiB */
#define PAIRS 20000       /* of mmap and munmap */
#define VMAS 60000        /* beside which mprotect splits; the limit (vm.max_map_count) is 65530 */
#define STRIPE 4          /* pages per VMA there */
#define SPLITS 1000       /* two VMAs more each */

static size_t page;

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static long faultsSoFar(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

static volatile char *map(size_t pages, int prot, int flags, int fd)
{
  void *at = mmap(NULL, pages * page, prot, flags, fd, 0);
  if (at == MAP_FAILED)
    fail("mmap");
  madvise(at, pages * page, MADV_NOHUGEPAGE); /* EINVAL where there are none */
  return at;
}

static volatile char *mapAnonymous(size_t pages)
{
  return map(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void unmap(volatile char *at, size_t pages)
{
  if (munmap((void *)at, pages * page) < 0)
    fail("munmap");
}

/* Nanoseconds per page. */
static double writeAll(volatile char *at, size_t pages)
{
  double start = now();
  for (size_t i = 0; i < pages; i++)
    at[i * page] = 1;
  return (now() - start) / (double)pages;
}

static double readAll(volatile char *at, size_t pages)
{
  double start = now();
  for (size_t i = 0; i < pages; i++)
    (void)at[i * page];
  return (now() - start) / (double)pages;
}

/* The figures, each with a value per repeat. */
enum figure {
  ANON_WRITE_FAULT,
  ZERO_READ_FAULT,
  ZERO_UPGRADE_FAULT,
  COW_FAULT,
  REUSE_FAULT,
  CACHED_FILE_FAULT,
  CACHED_FILE_PAGE,
  SHARED_FILE_WRITE_FAULT,
  MMAP_MUNMAP_PAIR,
  MPROTECT_SPLIT,
  MPROTECT_MERGE,
  FORK_BASE,
  FORK_PER_PAGE,
  MUNMAP_PER_PAGE,
  FIGURES
};

static const struct {
  const char *name, *what;
} described[FIGURES] = {
    {"anonWriteFault", "first write to a private anonymous page"},
    {"zeroReadFault", "first read of one: the zero page"},
    {"zeroUpgradeFault", "first write after that"},
    {"cowFault", "a child's first write to a page that it shares with its parent"},
    {"reuseFault", "the parent's first write after the child is gone"},
    {"cachedFileFault", "first read of a mapped file in the page cache, per fault (with fault-around)"},
    {"cachedFilePage", "the same, per page"},
    {"sharedFileWriteFault", "first write to a clean, cached page of a shared file mapping"},
    {"mmapMunmapPair", "mmap and munmap of one anonymous page, not touched"},
    {"mprotectSplit", "mprotect in the middle of a VMA, beside 60,000 others"},
    {"mprotectMerge", "mprotect back, which merges three into one"},
    {"fork", "fork of this process with nothing mapped besides itself"},
    {"forkPerPage", "fork, more per private page that is present"},
    {"munmapPerPage", "munmap of present private anonymous pages"},
};

static double value[FIGURES][WARMUP + REPEATS];
static int repeat;

static void set(enum figure figure, double ns) { value[figure][repeat] = ns; }

static void anonymousFaults(void)
{
  volatile char *at = mapAnonymous(PAGES);
  set(ANON_WRITE_FAULT, writeAll(at, PAGES));
  double start = now();
  unmap(at, PAGES);
  set(MUNMAP_PER_PAGE, (now() - start) / PAGES);

  at = mapAnonymous(PAGES);
  set(ZERO_READ_FAULT, readAll(at, PAGES));
  set(ZERO_UPGRADE_FAULT, writeAll(at, PAGES));
  unmap(at, PAGES);
}

static void copyOnWrite(void)
{
  volatile char *at = mapAnonymous(PAGES);
  volatile double *measured = (volatile double *)map(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  writeAll(at, PAGES);
  pid_t child = fork();
  if (child < 0)
    fail("fork");
  if (child == 0) {
    *measured = 0;
    *measured = writeAll(at, PAGES);
    _exit(0);
  }
  if (waitpid(child, NULL, 0) < 0)
    fail("waitpid");
  set(COW_FAULT, *measured);
  set(REUSE_FAULT, writeAll(at, PAGES));
  unmap(at, PAGES);
  unmap((volatile char *)measured, 1);
}

static void fileFaults(int fd)
{
  volatile char *at = map(PAGES, PROT_READ, MAP_PRIVATE, fd);
  long before = faultsSoFar();
  double ns = readAll(at, PAGES);
  long faults = faultsSoFar() - before;
  set(CACHED_FILE_PAGE, ns);
  set(CACHED_FILE_FAULT, faults > 0 ? ns * PAGES / (double)faults : 0);
  unmap(at, PAGES);

  if (fsync(fd) < 0) /* clean pages: the first write to each is told to the file system */
    fail("fsync");
  at = map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
  before = faultsSoFar();
  ns = writeAll(at, PAGES);
  faults = faultsSoFar() - before;
  set(SHARED_FILE_WRITE_FAULT, faults > 0 ? ns * PAGES / (double)faults : 0);
  unmap(at, PAGES);
}

static void pairs(void)
{
  double start = now();
  for (int i = 0; i < PAIRS; i++) {
    void *at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || munmap(at, page) < 0)
      fail("mmap");
  }
  set(MMAP_MUNMAP_PAIR, (now() - start) / PAIRS);
}

/* VMAS stripes that cannot merge, since each second one has another protection. */
static char *stripes(void)
{
  char *at = (char *)map((size_t)VMAS * STRIPE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  for (size_t i = 0; i < VMAS; i += 2)
    if (mprotect(at + i * STRIPE * page, STRIPE * page, PROT_READ | PROT_WRITE) < 0)
      return NULL;
  return at;
}

static void splits(char *at)
{
  static char *middle[SPLITS];
  for (size_t i = 0; i < SPLITS; i++) /* far apart, in no order */
    middle[i] = at + ((i * 7919 % SPLITS) * (VMAS / SPLITS) * STRIPE + 1) * page;
  double start = now();
  for (int i = 0; i < SPLITS; i++)
    if (mprotect(middle[i], page, PROT_READ) < 0)
      fail("mprotect");
  set(MPROTECT_SPLIT, (now() - start) / SPLITS);
  start = now();
  for (int i = 0; i < SPLITS; i++)
    if (mprotect(middle[i], page, PROT_READ | PROT_WRITE) < 0)
      fail("mprotect");
  set(MPROTECT_MERGE, (now() - start) / SPLITS);
}

static double timeOfFork(void)
{
  double start = now();
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  double ns = now() - start;
  if (child < 0 || waitpid(child, NULL, 0) < 0)
    fail("fork");
  return ns;
}

static void forks(void)
{
  double base = timeOfFork();
  volatile char *at = mapAnonymous(FORK_PAGES);
  writeAll(at, FORK_PAGES);
  double full = timeOfFork();
  unmap(at, FORK_PAGES);
  set(FORK_BASE, base);
  set(FORK_PER_PAGE, (full - base) / FORK_PAGES);
}

static int byValue(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
  page = (size_t)sysconf(_SC_PAGESIZE);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);

  const char *directory = argc > 1 ? argv[1] : "/tmp";
  int fd = open(directory, O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) { /* a file system without unnamed files */
    char path[4096];
    snprintf(path, sizeof path, "%s/host-faults-XXXXXX", directory);
    if ((fd = mkstemp(path)) < 0 || unlink(path) < 0)
      fail(directory);
  }
  /* A page at a time: larger writes would make larger folios in the page cache, of which one write fault maps
   * all pages at once. */
  char *bytes = malloc(page);
  if (!bytes)
    fail("malloc");
  memset(bytes, 'f', page);
  for (size_t i = 0; i < PAGES; i++)
    if (write(fd, bytes, page) != (ssize_t)page)
      fail("write");

  for (repeat = 0; repeat < WARMUP + REPEATS; repeat++) {
    anonymousFaults();
    copyOnWrite();
    fileFaults(fd);
    pairs();
    forks();
  }
  char *at = stripes(); /* last: so many mappings would weigh on every fork */
  for (repeat = 0; at && repeat < WARMUP + REPEATS; repeat++)
    splits(at);

  struct utsname host;
  uname(&host);
  printf("{\n  \"kernel\": \"%s %s %s\",\n  \"pageSize\": %zu,\n  \"repeats\": %d,\n  \"unit\": \"ns\",\n  \"figures\": {\n",
         host.sysname, host.release, host.machine, page, REPEATS);
  const char *separator = "";
  for (int f = 0; f < FIGURES; f++) {
    if (!at && (f == MPROTECT_SPLIT || f == MPROTECT_MERGE))
      continue; /* the limit of mappings is too low here */
    qsort(value[f] + WARMUP, REPEATS, sizeof(double), byValue);
    printf("%s    \"%s\": { \"median\": %.1f, \"min\": %.1f, \"what\": \"%s\" }", separator, described[f].name,
           value[f][WARMUP + REPEATS / 2], value[f][WARMUP], described[f].what);
    separator = ",\n";
  }
  printf("\n  }\n}\n");
  return 0;
}
