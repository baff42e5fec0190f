/*
 * Locked and sealed memory, promises and limits, by the numbers of the calls where the C library has none. As root, then
 * as nobody: a limit of locked memory binds only the latter.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define P 4096L
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define NR_mlock2 SYS_mlock2
#define NR_mseal 462
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

static char *map(long pages, int prot, int flags)
{
  char *at = mmap(NULL, pages * P, prot, flags, -1, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static int resident(char *at)
{
  unsigned char vec = 0;
  CHECK(mincore(at, P, &vec) == 0);
  return vec & 1;
}

static void locks(void)
{
  char *a = map(8, RW, ANON);
  CHECK_ERRNO(mlock((void *)1, 1), ENOMEM);
  CHECK(mlock(a, (size_t)-1) == 0);
  CHECK_ERRNO(munlock((void *)-P, P), EINVAL);
  CHECK_ERRNO(syscall(NR_mlock2, a, P, 2), EINVAL);
  CHECK(syscall(NR_mlock2, a, 2 * P, 1) == 0 && !resident(a));
  CHECK(mlock(a + P + 1, P) == 0 && !resident(a) && resident(a + P) && resident(a + 2 * P));
  CHECK_ERRNO(madvise(a, P, MADV_DONTNEED), EINVAL);
  CHECK_ERRNO(msync(a, P, MS_INVALIDATE), EBUSY);
  CHECK(munmap(a + 4 * P, P) == 0);
  CHECK_ERRNO(mlock(a, 8 * P), ENOMEM);
  CHECK_ERRNO(madvise(a + 3 * P, P, MADV_DONTNEED), EINVAL);
  CHECK(madvise(a + 5 * P, P, MADV_DONTNEED) == 0);
  CHECK_ERRNO(mlockall(0), EINVAL);
  CHECK_ERRNO(mlockall(MCL_ONFAULT), EINVAL);
  CHECK(munlockall() == 0);
  CHECK(mlockall(MCL_FUTURE) == 0);
  char *b = map(2, RW, ANON);
  CHECK(resident(b) && resident(b + P));
  CHECK(munlockall() == 0);
  SAY("locks");
}

static void limits(void)
{
  struct rlimit few = {4 * P, 4 * P}, none = {0, 4 * P};
  CHECK(setrlimit(RLIMIT_MEMLOCK, &few) == 0);
  char *a = map(8, RW, ANON);
  CHECK_ERRNO(mlock(a, 5 * P), ENOMEM);
  CHECK(mlock(a, 4 * P) == 0 && mlock(a + P, 2 * P) == 0);
  CHECK_ERRNO(mmap(NULL, P, RW, ANON | MAP_LOCKED, -1, 0), EAGAIN);
  CHECK_ERRNO(mlockall(MCL_CURRENT), ENOMEM);
  CHECK(munlock(a, 4 * P) == 0);
  CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
  CHECK_ERRNO(mlock(a, 0), EPERM);
  CHECK_ERRNO(mlockall(MCL_FUTURE), EPERM);
  /* musl's own mmap makes ENOMEM of it. */
  CHECK_ERRNO(syscall(SYS_mmap, NULL, P, RW, ANON | MAP_LOCKED, -1L, 0L), EPERM);
  SAY("limits");
}

static void seals(void)
{
  char *a = map(4, PROT_READ, ANON);
  CHECK_ERRNO(syscall(NR_mseal, a, P, 1L), EINVAL);
  CHECK_ERRNO(syscall(NR_mseal, a + 1, P, 0L), EINVAL);
  CHECK(syscall(NR_mseal, a + P, P, 0L) == 0);
  CHECK_ERRNO(munmap(a, 4 * P), EPERM);
  CHECK_ERRNO(mprotect(a + P, P, RW), EPERM);
  CHECK_ERRNO(mremap(a + P, P, 2 * P, MREMAP_MAYMOVE), EPERM);
  CHECK_ERRNO(mmap(a + P, P, RW, ANON | MAP_FIXED, -1, 0), EPERM);
  CHECK_ERRNO(madvise(a + P, P, MADV_DONTNEED), EPERM);
  CHECK(madvise(a, P, MADV_DONTNEED) == 0 && munmap(a, P) == 0);
  SAY("seals");
}

static void otherMappings(void)
{
  char *a = map(4, RW, MAP_SHARED | MAP_ANONYMOUS);
  for (int i = 0; i < 4; i++)
    a[i * P] = i;
  CHECK(syscall(SYS_remap_file_pages, a, P, 0L, 3L, 0L) == 0);
  CHECK(a[0] == 3 && a[P] == 1);
  CHECK_ERRNO(syscall(SYS_remap_file_pages, a, P, 1L, 3L, 0L), EINVAL);
  CHECK_ERRNO(mmap(NULL, P, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EINVAL);
  char *d = map(2, RW, MAP_DROPPABLE | MAP_ANONYMOUS);
  d[0] = 7;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0)
    _exit(d[0]);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  SAY("other mappings");
}

int main(void)
{
  locks();
  seals();
  otherMappings();
  if (getuid() == 0) {
    struct rlimit limit = {P, 8 * P};
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    CHECK(mlock(map(4, RW, ANON), 4 * P) == 0);
    CHECK(munlockall() == 0);
    CHECK(setresuid(65534, 65534, 65534) == 0);
  }
  limits();
  return 0;
}
