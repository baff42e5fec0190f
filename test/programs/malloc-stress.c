/*
 * malloc, realloc and free at random, every byte checked; small blocks come from brk, large ones from mmap,
 * and realloc of a large one is mremap. Then the same calls by hand.
 */
#define _GNU_SOURCE
#include "check.h"
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define BLOCKS 400
#define STEPS 20000

static struct {
  unsigned char *bytes;
  size_t size;
  unsigned char mark;
} block[BLOCKS];

static uint64_t state = 88172645463325252u;
static uint64_t random64(void)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/* Mostly small, sometimes large enough for a mapping of its own. */
static size_t randomSize(void)
{
  switch (random64() % 20) {
  case 0: return 1 + random64() % 400000;
  case 1:
  case 2:
  case 3: return 1 + random64() % 10000;
  default: return 1 + random64() % 300;
  }
}

/* Large blocks are marked at both ends and every 509 bytes, small ones everywhere. */
static size_t stride(size_t size) { return size > 4096 ? 509 : 1; }

static void fill(int i)
{
  for (size_t k = 0; k < block[i].size; k += stride(block[i].size))
    block[i].bytes[k] = (unsigned char)(block[i].mark + k);
  block[i].bytes[block[i].size - 1] = block[i].mark;
}

static void verify(int i, size_t upTo, int lastToo)
{
  for (size_t k = 0; k < upTo; k += stride(block[i].size))
    CHECK(block[i].bytes[k] == (unsigned char)(block[i].mark + k) || k == block[i].size - 1);
  if (lastToo)
    CHECK(block[i].bytes[block[i].size - 1] == block[i].mark);
}

static void randomSteps(void)
{
  uint64_t total = 0;
  for (int step = 0; step < STEPS; step++) {
    int i = (int)(random64() % BLOCKS);
    if (!block[i].bytes) {
      block[i].size = randomSize();
      block[i].mark = (unsigned char)random64();
      block[i].bytes = random64() % 4 ? malloc(block[i].size) : calloc(1, block[i].size);
      CHECK(block[i].bytes && (uintptr_t)block[i].bytes % 16 == 0);
      total += block[i].size;
      fill(i);
    } else if (random64() % 3) {
      verify(i, block[i].size, 1);
      free(block[i].bytes);
      block[i].bytes = NULL;
    } else {
      size_t size = randomSize();
      size_t kept = size < block[i].size ? size : block[i].size;
      size_t before = block[i].size;
      unsigned char *moved = realloc(block[i].bytes, size);
      CHECK(moved);
      block[i].bytes = moved;
      verify(i, kept, size >= before);
      block[i].size = size;
      fill(i);
    }
  }
  for (int i = 0; i < BLOCKS; i++) {
    if (block[i].bytes)
      verify(i, block[i].size, 1);
    free(block[i].bytes);
  }
  SAY("%d steps, %llu bytes in all", STEPS, (unsigned long long)total);
}

/* A large block that grows by realloc keeps its bytes and gets new ones. */
static void growing(void)
{
  size_t size = 200000;
  unsigned char *bytes = malloc(size);
  CHECK(bytes);
  memset(bytes, 7, size);
  while (size < 8u << 20) {
    size_t larger = size + size / 2;
    bytes = realloc(bytes, larger);
    CHECK(bytes);
    CHECK(bytes[0] == 7 && bytes[size / 2] == 7 && bytes[size - 1] == 7);
    memset(bytes + size, 7, larger - size);
    size = larger;
  }
  bytes = realloc(bytes, 1000);
  CHECK(bytes && bytes[999] == 7);
  free(bytes);

  unsigned char *zeros = calloc(1000, 1000);
  CHECK(zeros);
  for (size_t k = 0; k < 1000000; k += 97)
    CHECK(zeros[k] == 0);
  free(zeros);

  void *aligned = NULL;
  CHECK(posix_memalign(&aligned, 65536, 100) == 0 && (uintptr_t)aligned % 65536 == 0);
  free(aligned);
  CHECK(malloc(SIZE_MAX / 2 - 100) == NULL && errno == ENOMEM);
  SAY("realloc, calloc, posix_memalign, ENOMEM");
}

static void byMremap(void)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *at = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  for (size_t i = 0; i < 4; i++)
    at[i * page] = (char)('a' + i);
  at = mremap(at, 4 * page, 64 * page, MREMAP_MAYMOVE);
  CHECK(at != MAP_FAILED);
  for (size_t i = 0; i < 64; i++)
    CHECK(at[i * page] == (i < 4 ? (char)('a' + i) : 0));
  CHECK(mremap(at, 64 * page, 2 * page, 0) == at); /* shrinks in place */
  CHECK(at[page] == 'b');

  char *to = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(to != MAP_FAILED);
  CHECK(mremap(at, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
  CHECK(to[0] == 'a' && to[page] == 'b');
  CHECK(munmap(to, 2 * page) == 0);
  SAY("mremap");
}

static void byBrk(void)
{
  /* The C library's own heap ends here; nothing is allocated after this. */
  char *start = (char *)syscall(SYS_brk, 0);
  CHECK((char *)syscall(SYS_brk, start + 1000000) == start + 1000000);
  memset(start, 'x', 1000000);
  CHECK((char *)syscall(SYS_brk, start) == start);
  CHECK((char *)syscall(SYS_brk, start + 1000000) == start + 1000000);
  /* What lies in the page of the break itself was never given back. */
  for (char *p = (char *)(((uintptr_t)start + 4095) & ~(uintptr_t)4095); p < start + 1000000; p += 4096)
    CHECK(*p == 0);
  CHECK((char *)syscall(SYS_brk, start) == start);
  /* Failure is the old break, not an errno. */
  CHECK((char *)syscall(SYS_brk, (char *)16) == start);
  SAY("brk");
}

int main(void)
{
  randomSteps();
  growing();
  byMremap();
  byBrk();
  return 0;
}
