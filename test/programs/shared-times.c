/* When a file of a tmpfs counts as changed through a mapping. Run in an empty directory of a tmpfs. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 8

static int fd;

/* Whether it was changed since the last time. */
static void changed(const char *by)
{
  struct stat st;
  struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
  fstat(fd, &st);
  SAY("%-50s %s", by, st.st_mtime == 2000 ? "as before" : st.st_mtim.tv_sec == st.st_ctim.tv_sec ? "changed" : "partly");
  futimens(fd, old);
}

static void all(const char *name)
{
  SAY("-- %s", name);
  changed("-");
  volatile char *shared = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  volatile char *private = mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  changed("mmap");
  shared[0] = 1;
  changed("first write");
  shared[1] = 2;
  changed("second write");
  (void)shared[4096];
  changed("read");
  shared[4096] = 3;
  changed("write after read");
  private[8192] = 4;
  changed("private write");
  mprotect((void *)shared, PAGES * 4096, PROT_READ);
  mprotect((void *)shared, PAGES * 4096, PROT_READ | PROT_WRITE);
  shared[0] = 5;
  changed("write after mprotect");
  mprotect((void *)shared, PAGES * 4096, PROT_READ);
  (void)shared[3 * 4096];
  mprotect((void *)shared, PAGES * 4096, PROT_READ | PROT_WRITE);
  shared[3 * 4096] = 5;
  changed("write of what was mapped for reading alone");
  if (fork() == 0) {
    shared[0] = 6;
    _exit(0);
  }
  wait(0);
  changed("write of a child");
  madvise((void *)shared, 4096, MADV_DONTNEED);
  shared[0] = 7;
  changed("write after MADV_DONTNEED");
  msync((void *)shared, PAGES * 4096, MS_SYNC);
  changed("msync");
  pread(fd, (void *)(shared + 5 * 4096), 10, 0);
  changed("the kernel writes");
  mmap(0, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  changed("populated");
  munmap((void *)shared, PAGES * 4096);
  munmap((void *)private, PAGES * 4096);
  changed("munmap");
}

int main(void)
{
  fd = open("file", O_RDWR | O_CREAT, 0600);
  if (ftruncate(fd, PAGES * 4096))
    return 1;
  all("file");
  fd = memfd_create("memfd", 0);
  if (ftruncate(fd, PAGES * 4096))
    return 1;
  all("memfd");
  return 0;
}
