/*
 * four-mappings [FILE]
 *
 * mmap knows four kinds of mapping: shared or private, of a file or of nothing (anonymous). After fork()
 * parent and child both have all four. Then each of them writes a word into its own slot of each mapping:
 * who sees whose word, and which words are in the file?
 *
 * FILE (four-mappings.tmp by default) is made for this and removed at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOT 16 /* bytes of a slot: a word and its terminating zero */

/* What lies at the start of each mapping. */
struct slots {
  char parent[SLOT]; /* the parent's word, written after the fork */
  char child[SLOT];  /* the child's word, written after it has looked at the parent's */
};

/* How parent and child take turns, and how the child reports: in a shared anonymous page of its own. */
struct report {
  atomic_int parentHasWritten;
  char childSees[4][SLOT];
};

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static void *map(size_t length, int flags, int fd, size_t offset)
{
  void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset);
  if (at == MAP_FAILED)
    fail("mmap");
  return at;
}

int main(int argc, char **argv)
{
  const char *path = argc > 1 ? argv[1] : "four-mappings.tmp";
  size_t page = (size_t)sysconf(_SC_PAGESIZE);

  /* A file of two pages: the first is mapped shared, the second private, so that they don't mix. */
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0)
    fail(path);
  if (ftruncate(fd, (off_t)(2 * page)) < 0)
    fail("ftruncate");

  const char *name[4] = {"shared file", "private file", "shared anonymous", "private anonymous"};
  struct slots *mapping[4] = {
      map(page, MAP_SHARED, fd, 0),
      map(page, MAP_PRIVATE, fd, page),
      map(page, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
      map(page, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
  };
  struct report *report = map(page, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  /* Written before the fork, these words are seen by both in every mapping. */
  for (int i = 0; i < 4; i++) {
    strcpy(mapping[i]->parent, "old");
    strcpy(mapping[i]->child, "old");
  }

  pid_t child = fork();
  if (child < 0)
    fail("fork");

  if (child == 0) {
    while (!atomic_load(&report->parentHasWritten))
      sched_yield();
    for (int i = 0; i < 4; i++) {
      strcpy(report->childSees[i], mapping[i]->parent);
      strcpy(mapping[i]->child, "child's");
    }
    _exit(0);
  }

  for (int i = 0; i < 4; i++)
    strcpy(mapping[i]->parent, "parent's");
  atomic_store(&report->parentHasWritten, 1);
  int status;
  if (waitpid(child, &status, 0) < 0)
    fail("waitpid");

  printf("After fork the parent writes \"parent's\" over \"old\", then the child \"child's\" over \"old\".\n\n");
  printf("%-18s  %-16s  %-16s  %s\n", "mapping", "child reads", "parent reads", "the file holds");
  for (int i = 0; i < 4; i++) {
    char inFile[64] = "-";
    if (i < 2) { /* read() sees the page cache, as a shared mapping does */
      struct slots s;
      if (pread(fd, &s, sizeof s, i * (off_t)page) != sizeof s)
        fail("pread");
      snprintf(inFile, sizeof inFile, "%s, %s", s.parent[0] ? s.parent : "nothing",
               s.child[0] ? s.child : "nothing");
    }
    printf("%-18s  %-16s  %-16s  %s\n", name[i], report->childSees[i], mapping[i]->child, inFile);
  }
  printf("\nShared: one page for both, and for the file. Private: a copy for whoever writes.\n");

  if (close(fd) < 0 || unlink(path) < 0)
    fail(path);
  return status == 0 ? 0 : 1;
}
