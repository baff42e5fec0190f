/*
 * host-reclaim PAGES ROUNDS [CGROUP_PROCS]
 *
 * What the host's own kernel takes to swap, where the swap area is memory: nanoseconds per page that MADV_PAGEOUT swaps out, per
 * page that is swapped in by touching it, and, in a memory cgroup that holds half of the pages, per page touched in a
 * loop and per page that reclaim scanned for that. Prints one object of JSON. bench/suites/reclaim.ts does the same.
 *
 * CGROUP_PROCS is the file to write a process number to, to get into the group. Only it and the swap area take root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PAGE 4096
#define WORDS (PAGE / 4)
#define MOST_ROUNDS 64

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

static double counter(const char *wanted)
{
  FILE *file = fopen("/proc/vmstat", "r");
  char name[64];
  double value, found = 0;
  if (!file)
    fail("/proc/vmstat");
  while (fscanf(file, "%63s %lf", name, &value) == 2)
    if (strcmp(name, wanted) == 0)
      found = value;
  fclose(file);
  return found;
}

static double scanned(void) { return counter("pgscan_anon") + counter("pgscan_file"); }

/* Nothing in it repeats, so that no compression makes it smaller. */
static void fill(uint32_t *page, uint32_t seed)
{
  for (size_t i = 0; i < WORDS; i++) {
    seed = seed * 1664525u + 1013904223u;
    page[i] = seed ^ seed >> 16;
  }
}

static int byValue(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double value[4][MOST_ROUNDS];

int main(int argc, char **argv)
{
  if (argc < 3)
    return 2;
  size_t pages = strtoul(argv[1], NULL, 10);
  int rounds = atoi(argv[2]), round;
  if (rounds < 1 || rounds > MOST_ROUNDS)
    return 2;
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  uint32_t *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    fail("mmap");
  for (size_t i = 0; i < pages; i++)
    fill(at + i * WORDS, (uint32_t)i + 1);

  for (round = 0; round < rounds; round++) {
    /* Written anew: a page that is in swap as it was is dropped for nothing. */
    for (size_t i = 0; i < pages; i++)
      at[i * WORDS]++;
    double out = counter("pswpout"), start = now();
    if (madvise(at, pages * PAGE, MADV_PAGEOUT) < 0)
      fail("madvise");
    double took = now() - start;
    out = counter("pswpout") - out;
    value[0][round] = out > 0 ? took / out : 0;
    double in = counter("pswpin");
    start = now();
    for (size_t i = 0; i < pages; i++)
      (void)*(volatile uint32_t *)(at + i * WORDS);
    took = now() - start;
    in = counter("pswpin") - in;
    value[1][round] = in > 0 ? took / in : 0;
  }
  munmap(at, pages * PAGE);

  if (argc > 3) {
    int fd = open(argv[3], O_WRONLY);
    if (fd < 0 || dprintf(fd, "%d", getpid()) < 0)
      fail(argv[3]);
    close(fd);
    at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
      fail("mmap");
    for (size_t i = 0; i < pages; i++)
      fill(at + i * WORDS, (uint32_t)i + 1);
    for (round = 0; round < rounds; round++) {
      double scans = scanned(), start = now();
      for (size_t i = 0; i < pages; i++)
        at[i * WORDS]++;
      double took = now() - start;
      scans = scanned() - scans;
      value[2][round] = took / (double)pages;
      value[3][round] = scans > 0 ? took / scans : 0;
    }
  }
  static const char *const names[] = {"swapOutPage", "swapInPage", "touchAtLimit", "scannedPage"};
  printf("{ \"figures\": {");
  for (int f = 0; f < (argc > 3 ? 4 : 2); f++) {
    qsort(value[f], (size_t)rounds, sizeof(double), byValue);
    printf("%s \"%s\": { \"median\": %.1f, \"min\": %.1f }", f > 0 ? "," : "", names[f], value[f][rounds / 2], value[f][0]);
  }
  printf(" } }\n");
  return 0;
}
