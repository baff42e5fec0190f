/*
 * memory [ROUNDS]: what a program does to its memory rather than to numbers. Each round maps 24 MiB and touches every
 * page, writes to words all over it, forks a child that changes a quarter of the pages under copy-on-write and is asked
 * for a sum, moves and grows the mapping, gives half of it back and takes it again, and goes through a shared file in memory.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES 6144u
#define SHARED_PAGES 1024u
#define WRITES 400000u

static void *checked(void *at, const char *what)
{
  if (at == MAP_FAILED) {
    perror(what);
    exit(1);
  }
  return at;
}

static uint64_t sum_of(const uint8_t *memory, unsigned pages)
{
  uint64_t sum = 0;
  for (unsigned page = 0; page < pages; page++)
    sum = sum * 31 + *(const uint64_t *)(memory + (size_t)page * PAGE);
  return sum;
}

/* A child changes every fourth page of what it shares with us, and tells what it sees then. */
static uint64_t child_sum(uint8_t *memory)
{
  int ends[2];
  uint64_t sum = 0;
  if (pipe(ends) != 0)
    return 0;
  pid_t child = fork();
  if (child == 0) {
    for (unsigned page = 0; page < PAGES; page += 4)
      memory[(size_t)page * PAGE] ^= 0x55;
    sum = sum_of(memory, PAGES);
    _exit(write(ends[1], &sum, sizeof sum) == (ssize_t)sizeof sum ? 0 : 1);
  }
  if (read(ends[0], &sum, sizeof sum) != (ssize_t)sizeof sum)
    sum = 0;
  waitpid(child, NULL, 0);
  close(ends[0]);
  close(ends[1]);
  return sum;
}

int main(int argc, char **argv)
{
  int rounds = argc > 1 ? atoi(argv[1]) : 4;
  uint64_t sum = 0, state = 1;
  int fd = memfd_create("shared", 0);
  if (fd < 0 || ftruncate(fd, (off_t)SHARED_PAGES * PAGE) != 0) {
    perror("memfd");
    return 1;
  }
  for (int round = 0; round < rounds; round++) {
    uint8_t *memory = checked(
        mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "mmap");
    for (unsigned page = 0; page < PAGES; page++)
      memory[(size_t)page * PAGE] = (uint8_t)(page + (unsigned)round);
    for (unsigned i = 0; i < WRITES; i++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      *(uint32_t *)(memory + ((state >> 33) % (PAGES * (PAGE / 4))) * 4) += (uint32_t)i;
    }
    sum = sum * 31 + child_sum(memory);

    memory = checked(mremap(memory, (size_t)PAGES * PAGE, (size_t)(PAGES + 256) * PAGE, MREMAP_MAYMOVE), "mremap");
    madvise(memory, (size_t)PAGES / 2 * PAGE, MADV_DONTNEED);
    sum = sum * 31 + sum_of(memory, PAGES + 256);

    uint8_t *shared = checked(
        mmap(NULL, (size_t)SHARED_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), "mmap shared");
    memcpy(shared, memory + (size_t)PAGES / 2 * PAGE, (size_t)SHARED_PAGES * PAGE);
    sum = sum * 31 + sum_of(shared, SHARED_PAGES);
    munmap(shared, (size_t)SHARED_PAGES * PAGE);
    munmap(memory, (size_t)(PAGES + 256) * PAGE);
  }
  printf("memory %016llx\n", (unsigned long long)sum);
  return 0;
}
