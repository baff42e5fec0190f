/*
 * cow
 *
 * Copy-on-write made visible: fork() copies no page. Parent and child share every page, write-protected,
 * and the first write of either to a page faults. The kernel's own counter of page faults that needed no
 * disk (ru_minflt) tells, step by step, when that happens.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 64

static size_t pageSize;

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static long faultsSoFar(void)
{
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) < 0)
    fail("getrusage");
  return usage.ru_minflt;
}

/* Reads one byte of each page. Returns the number of faults that this took. */
static long readAll(volatile char *pages)
{
  long before = faultsSoFar();
  for (size_t i = 0; i < PAGES; i++)
    (void)pages[i * pageSize];
  return faultsSoFar() - before;
}

/* Writes one byte of each page. Returns the number of faults that this took. */
static long writeAll(volatile char *pages, char value)
{
  long before = faultsSoFar();
  for (size_t i = 0; i < PAGES; i++)
    pages[i * pageSize] = value;
  return faultsSoFar() - before;
}

static void row(const char *who, const char *what, long faults, char value)
{
  printf("%-7s %-34s %3ld faults   sees '%c'\n", who, what, faults, value);
}

/* What the child measured, in a shared mapping, so that the parent prints it. */
struct results {
  long read, write, again;
  char seenFirst, seenLast;
};

static void *map(size_t length, int flags)
{
  void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    fail("mmap");
  /* One fault per small page, also where the kernel would rather use a huge one. A kernel that has no huge
   * pages answers EINVAL, which is just as well. */
  madvise(at, length, MADV_NOHUGEPAGE);
  return at;
}

/* Writes to the stack, and runs the code, that the measuring needs: their own first faults come here and
 * are not counted. In a child this is more than a nicety, since its stack is copy-on-write as well. */
static void warmUp(volatile char *scratch)
{
  readAll(scratch);
  writeAll(scratch, 'x');
}

int main(void)
{
  pageSize = (size_t)sysconf(_SC_PAGESIZE);
  volatile char *pages = map(PAGES * pageSize, MAP_PRIVATE);
  volatile char *scratch = map(PAGES * pageSize, MAP_PRIVATE);
  volatile struct results *child = map(pageSize, MAP_SHARED);

  printf("%d private anonymous pages\n\n", PAGES);
  warmUp(scratch);
  long faults = readAll(pages);
  row("parent", "reads all: the zero page, shared", faults, pages[0] ? '?' : '0');
  faults = writeAll(pages, 'A');
  row("parent", "writes 'A': a new frame each", faults, pages[0]);
  faults = writeAll(pages, 'A');
  row("parent", "writes 'A' again", faults, pages[0]);

  fflush(stdout); /* or the child would inherit a copy of the text that is still in the buffer */
  pid_t pid = fork();
  if (pid < 0)
    fail("fork");
  if (pid == 0) {
    warmUp(scratch);
    child->read = 0; /* the shared page's own fault */
    child->read = readAll(pages);
    child->seenFirst = pages[0];
    child->write = writeAll(pages, 'B');
    child->again = writeAll(pages, 'B');
    child->seenLast = pages[0];
    _exit(0);
  }
  int status;
  if (waitpid(pid, &status, 0) < 0)
    fail("waitpid");
  printf("         -- fork --\n");
  row("child", "reads all: the parent's frames", child->read, child->seenFirst);
  row("child", "writes 'B': a copy each", child->write, child->seenLast);
  row("child", "writes 'B' again", child->again, child->seenLast);
  printf("         -- the child exits --\n");

  /* The frames are the parent's alone again, but still write-protected. A fault each finds that out, and
   * makes the page writable without a copy. */
  warmUp(scratch);
  faults = readAll(pages);
  row("parent", "reads all", faults, pages[0]);
  faults = writeAll(pages, 'C');
  row("parent", "writes 'C': nobody to copy for", faults, pages[0]);
  return status == 0 ? 0 : 1;
}
