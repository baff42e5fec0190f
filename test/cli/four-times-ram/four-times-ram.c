/*
 * four-times-ram FILE [SWAP-FILE]
 *
 * Uses four times the memory that the machine has: writes it, reads it back and checks every byte, with a file mapped
 * beside it that is half as large as memory. A child shares all of it and rewrites a third, while its parent takes a
 * swap area out of use again, if it was given one: each of them still sees its own bytes. The file is read at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define WORDS (PAGE / 4)
#define TIMES 4

typedef uint32_t page_words[WORDS];

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

/* No two pages are alike, and each is worth compressing. */
static uint32_t word_of(size_t index, unsigned generation, unsigned word)
{
  return (uint32_t)(index + 1) * 2654435761u + generation * 977 + (word >> 3);
}

static void fill(page_words *page, size_t index, unsigned generation)
{
  for (unsigned word = 0; word < WORDS; word++)
    (*page)[word] = word_of(index, generation, word);
}

static void check(const char *who, page_words *page, size_t index, unsigned generation)
{
  for (unsigned word = 0; word < WORDS; word++)
    if ((*page)[word] != word_of(index, generation, word)) {
      printf("%s: page %zu, word %u: %08x, not %08x\n", who, index, word, (*page)[word],
             word_of(index, generation, word));
      exit(1);
    }
}

int main(int argc, char **argv)
{
  if (argc < 2) {
    fprintf(stderr, "usage: four-times-ram FILE [SWAP-FILE]\n");
    return 2;
  }
  struct sysinfo info;
  if (sysinfo(&info) != 0)
    fail("sysinfo");
  if (argc > 2 && swapon(argv[2], SWAP_FLAG_PREFER | 100) != 0)
    fail("swapon");
  size_t frames = (size_t)info.totalram * info.mem_unit / PAGE;
  size_t pages = TIMES * frames, filePages = frames / 2;

  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || ftruncate(fd, (off_t)(filePages * PAGE)) != 0)
    fail(argv[1]);
  page_words *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  page_words *file = mmap(NULL, filePages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED || file == MAP_FAILED)
    fail("mmap");

  for (size_t i = 0; i < pages; i++) {
    fill(&memory[i], i, 1);
    if (i < filePages)
      fill(&file[i], i, 5);
  }
  for (size_t i = 0; i < pages; i++)
    check("after writing", &memory[i], i, 1);

  int gate[2];
  if (pipe(gate) != 0)
    fail("pipe");
  fflush(stdout);
  pid_t child = fork();
  if (child < 0)
    fail("fork");
  if (child == 0) {
    char go;
    for (size_t i = 0; i < pages; i += 3)
      fill(&memory[i], i, 2);
    close(gate[1]);
    if (read(gate[0], &go, 1) != 1)
      fail("read");
    for (size_t i = 0; i < pages; i++)
      check("child", &memory[i], i, i % 3 == 0 ? 2 : 1);
    for (size_t i = 0; i < filePages; i++)
      check("child, file", &file[i], i, 5);
    exit(0);
  }
  if (argc > 2 && swapoff(argv[2]) != 0)
    fail("swapoff");
  if (write(gate[1], "", 1) != 1)
    fail("write");
  for (size_t i = 0; i < pages; i++)
    check("parent", &memory[i], i, 1);
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) {
    printf("child: status %x\n", status);
    return 1;
  }
  for (size_t i = 0; i < pages; i += 2)
    fill(&memory[i], i, 3);
  for (size_t i = 0; i < pages; i++)
    check("alone again", &memory[i], i, i % 2 == 0 ? 3 : 1);

  if (msync(file, filePages * PAGE, MS_SYNC) != 0)
    fail("msync");
  static page_words buffer;
  for (size_t i = 0; i < filePages; i++) {
    if (pread(fd, buffer, PAGE, (off_t)(i * PAGE)) != (ssize_t)PAGE)
      fail("pread");
    check("file", &buffer, i, 5);
  }
  printf("%zu KiB of %zu KiB: every byte right\n", pages * (PAGE / 1024), frames * (PAGE / 1024));
  return 0;
}
