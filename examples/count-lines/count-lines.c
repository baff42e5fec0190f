/*
 * count-lines FILE
 *
 * Counts the newlines of a file by mapping it whole and walking through memory. No buffer, no read loop:
 * the kernel brings in pages ahead of the walk and drops them behind it, so the file may be far larger than
 * the machine's RAM.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: count-lines FILE\n");
    return 2;
  }
  int fd = open(argv[1], O_RDONLY);
  if (fd < 0)
    fail(argv[1]);
  struct stat st;
  if (fstat(fd, &st) < 0)
    fail("fstat");
  size_t length = (size_t)st.st_size;

  size_t lines = 0;
  if (length > 0) { /* a mapping of no bytes is an error (EINVAL) */
    const char *text = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
      fail("mmap");
    /* A promise to go from front to back: more readahead, and pages behind us may go first. */
    if (madvise((void *)text, length, MADV_SEQUENTIAL) < 0)
      fail("madvise");

    const char *end = text + length;
    for (const char *at = text; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
      lines++;

    if (munmap((void *)text, length) < 0)
      fail("munmap");
  }
  close(fd);

  printf("%s: %zu lines, %zu bytes\n", argv[1], lines, length);
  return 0;
}
