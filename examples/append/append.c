/*
 * append FILE TEXT
 *
 * Appends TEXT and a newline to FILE, without one write(): the file is made longer, its new end is mapped
 * into memory, and the text is copied there as if it were an array.
 *
 *        old file                     new text
 *   ├──────────┬──────────┬────────┼───────────────┤
 *   0        4096       8192       │               new end
 *                         ▲        old end
 *                         └ the mapping starts here: at the page that holds the old end
 */
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
  if (argc != 3) {
    fprintf(stderr, "usage: append FILE TEXT\n");
    return 2;
  }
  const char *path = argv[1];
  const char *text = argv[2];
  size_t added = strlen(text) + 1; /* the text and a newline */

  /* A shared mapping that is written to needs a descriptor open for reading and writing. */
  int fd = open(path, O_RDWR | O_CREAT, 0644);
  if (fd < 0)
    fail(path);

  struct stat st;
  if (fstat(fd, &st) < 0)
    fail("fstat");
  off_t oldSize = st.st_size;
  off_t newSize = oldSize + (off_t)added;

  /* A mapping cannot make a file longer: past the last page of the file an access is a SIGBUS. So the file
   * gets its new length first; the new bytes read as zero until the copy below. */
  if (ftruncate(fd, newSize) < 0)
    fail("ftruncate");
  if (fsync(fd) < 0)
    fail("fsync");

  /* The offset of a mapping is a multiple of the page size, the old end of the file rarely is. */
  off_t pageSize = sysconf(_SC_PAGESIZE);
  off_t start = oldSize - oldSize % pageSize;
  size_t length = (size_t)(newSize - start);
  char *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, start);
  if (map == MAP_FAILED)
    fail("mmap");

  /* The mapping holds the file by itself; the descriptor is no longer needed. */
  if (close(fd) < 0)
    fail("close");

  /* No page is there yet. The first byte that is copied faults: the kernel puts the page of the file into
   * the page cache, maps it, marks it dirty, and the copy goes on as if nothing had happened. */
  char *end = map + (oldSize - start);
  memcpy(end, text, added - 1);
  end[added - 1] = '\n';

  /* The dirty pages stay in the page cache, and reach the disk by writeback. */
  if (munmap(map, length) < 0)
    fail("munmap");

  printf("%s: %zu bytes appended at %lld, now %lld bytes\n", path, added, (long long)oldSize,
         (long long)newSize);
  return 0;
}
