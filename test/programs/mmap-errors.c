/*
 * What the system calls of memory say to wrong arguments. Each line of output is a call and the name of its
 * errno, or its result; it is the kernel's answer, not the C library's: the calls are made by number.
 * Works with a file mmap-errors.tmp that it makes and removes.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static const char *errorName(int error)
{
  switch (error) {
  case EBADF: return "EBADF";
  case ENOMEM: return "ENOMEM";
  case EACCES: return "EACCES";
  case EFAULT: return "EFAULT";
  case EEXIST: return "EEXIST";
  case ENODEV: return "ENODEV";
  case EINVAL: return "EINVAL";
  case EPERM: return "EPERM";
  case EOVERFLOW: return "EOVERFLOW";
  case EOPNOTSUPP: return "EOPNOTSUPP";
  case EBUSY: return "EBUSY";
  case EAGAIN: return "EAGAIN";
  case ENOSYS: return "ENOSYS";
  default: return strerror(error);
  }
}

/* Small results are printed, addresses only as such. */
static void show(const char *call, long result)
{
  int error = errno;
  if (result == -1)
    SAY("%-72s %s", call, errorName(error));
  else if (result >= 0 && result < 65536)
    SAY("%-72s %ld", call, result);
  else
    SAY("%-72s an address", call);
}

/* One page that stays unmapped. A mapping made without an address may well land there, so it is unmapped
 * anew before each call. */
static char *hole;
static void punchHole(void)
{
  CHECK(syscall(SYS_munmap, hole, 4096L) == 0);
}

#define SHOW(call) (punchHole(), show(#call, call))
#define MMAP(...) syscall(SYS_mmap, __VA_ARGS__)
#define MUNMAP(...) syscall(SYS_munmap, __VA_ARGS__)
#define MPROTECT(...) syscall(SYS_mprotect, __VA_ARGS__)
#define MREMAP(...) syscall(SYS_mremap, __VA_ARGS__)
#define MSYNC(...) syscall(SYS_msync, __VA_ARGS__)
#define MADVISE(...) syscall(SYS_madvise, __VA_ARGS__)
#define MINCORE(...) syscall(SYS_mincore, __VA_ARGS__)

#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE_ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED_ANON (MAP_SHARED | MAP_ANONYMOUS)
#define PAGE 4096L
#define TOP 0x7fffffffffff0000L /* not an address of any process */

int main(void)
{
  CHECK(sysconf(_SC_PAGESIZE) == PAGE);
  int file = open("mmap-errors.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
  int readOnly = open("mmap-errors.tmp", O_RDONLY);
  int writeOnly = open("mmap-errors.tmp", O_WRONLY);
  int path = open("mmap-errors.tmp", O_PATH);
  int directory = open(".", O_RDONLY | O_DIRECTORY);
  int ends[2];
  CHECK(file >= 0 && readOnly >= 0 && writeOnly >= 0 && path >= 0 && directory >= 0 && pipe(ends) == 0);
  CHECK(ftruncate(file, 2 * PAGE) == 0);
  int bad = 999, none = -1;

  /* Three pages, then a hole of one, then one more. */
  char *area = (char *)MMAP(NULL, 16 * PAGE, PROT_NONE, PRIVATE_ANON, none, 0);
  CHECK((long)area != -1);
  CHECK(MMAP(area, 3 * PAGE, RW, PRIVATE_ANON | MAP_FIXED, none, 0) == (long)area);
  CHECK(MMAP(area + 4 * PAGE, PAGE, RW, PRIVATE_ANON | MAP_FIXED, none, 0) == (long)area + 4 * PAGE);
  char *shared = (char *)MMAP(NULL, PAGE, PROT_READ, MAP_SHARED, readOnly, 0L);
  char *sharedAnon = (char *)MMAP(NULL, PAGE, RW, SHARED_ANON, none, 0L);
  char *target = (char *)MMAP(NULL, 8 * PAGE, PROT_NONE, PRIVATE_ANON, none, 0L);
  char *past = (char *)MMAP(NULL, 4 * PAGE, RW, MAP_SHARED, file, 0L);
  CHECK((long)shared != -1 && (long)sharedAnon != -1 && (long)target != -1 && (long)past != -1);
  hole = area + 3 * PAGE;

  SHOW(MMAP(NULL, 0L, RW, PRIVATE_ANON, none, 0L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_ANONYMOUS, none, 0L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, none, 0L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED_VALIDATE, file, 0L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 0x400000, file, 0L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED | 0x400000, file, 0L));
  SHOW(MMAP(NULL, PAGE, RW, PRIVATE_ANON, none, 1L));
  SHOW(MMAP(NULL, PAGE, RW, PRIVATE_ANON, bad, PAGE));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, file, 100L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, bad, 0L));
  SHOW(MMAP(NULL, 0L, RW, MAP_PRIVATE, bad, 0L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, path, 0L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED, readOnly, 0L));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, readOnly, 0L));
  SHOW(MMAP(NULL, PAGE, PROT_WRITE, MAP_SHARED, writeOnly, 0L));
  SHOW(MMAP(NULL, PAGE, PROT_NONE, MAP_PRIVATE, writeOnly, 0L));
  SHOW(MMAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0L));
  SHOW(MMAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0L));
  SHOW(MMAP(NULL, PAGE, PROT_READ | 0x100, PRIVATE_ANON, none, 0L));
  SHOW(MMAP(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, file, 0x7ffffffffffff000L));
  SHOW(MMAP(NULL, TOP, RW, PRIVATE_ANON, none, 0L));
  SHOW(MMAP(NULL, -1L, RW, PRIVATE_ANON, none, 0L));
  SHOW(MMAP(TOP, PAGE, RW, PRIVATE_ANON, none, 0L));
  SHOW(MMAP(TOP, PAGE, RW, PRIVATE_ANON | MAP_FIXED, none, 0L));
  SHOW(MMAP(area + 1, PAGE, RW, PRIVATE_ANON | MAP_FIXED, none, 0L));
  SHOW(MMAP(area, PAGE, RW, PRIVATE_ANON | MAP_FIXED_NOREPLACE, none, 0L));
  SHOW(MMAP(area, PAGE, RW, PRIVATE_ANON | MAP_FIXED | MAP_FIXED_NOREPLACE, none, 0L));
  SHOW(MMAP(area + 1, PAGE, RW, PRIVATE_ANON | MAP_FIXED_NOREPLACE, none, 0L));

  SHOW(MUNMAP(area, 0L));
  SHOW(MUNMAP(area + 1, PAGE));
  SHOW(MUNMAP(hole, PAGE));
  SHOW(MUNMAP(TOP, PAGE));

  SHOW(MPROTECT(area + 1, PAGE, RW));
  SHOW(MPROTECT(area, 0L, RW));
  SHOW(MPROTECT(area, PAGE, 0x100));
  SHOW(MPROTECT(area, PAGE, PROT_READ | PROT_GROWSDOWN));
  SHOW(MPROTECT(area, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
  SHOW(MPROTECT(hole, PAGE, RW));
  SHOW(MPROTECT(area, 5 * PAGE, PROT_READ));
  SHOW(read(ends[0], area, 0));
  CHECK(write(ends[1], "12345678", 8) == 8);
  SHOW(read(ends[0], area, 1));             /* read-only now: before the hole it has worked */
  SHOW(read(ends[0], area + 4 * PAGE, 1));  /* after it, not */
  CHECK(MPROTECT(area, 3 * PAGE, RW) == 0);
  SHOW(MPROTECT(shared, PAGE, RW));
  SHOW(MPROTECT(shared, PAGE, PROT_NONE));

  SHOW(MREMAP(area + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
  SHOW(MREMAP(area, PAGE, 0L, MREMAP_MAYMOVE));
  SHOW(MREMAP(area, PAGE, PAGE, 8));
  SHOW(MREMAP(area, PAGE, PAGE, MREMAP_FIXED, target));
  SHOW(MREMAP(area, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + 1));
  SHOW(MREMAP(area, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + PAGE));
  SHOW(MREMAP(hole, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
  SHOW(MREMAP(area + 2 * PAGE, 3 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
  SHOW(MREMAP(area, PAGE, 2 * PAGE, 0)); /* the next page is taken */
  SHOW(MREMAP(area, 0L, PAGE, MREMAP_MAYMOVE));
  SHOW(MREMAP(sharedAnon, 0L, PAGE, MREMAP_MAYMOVE));

  SHOW(MSYNC(area + 1, PAGE, MS_SYNC));
  SHOW(MSYNC(area, PAGE, MS_SYNC | MS_ASYNC));
  SHOW(MSYNC(area, PAGE, 8));
  SHOW(MSYNC(area, PAGE, 0));
  SHOW(MSYNC(area, 0L, MS_SYNC));
  SHOW(MSYNC(area, 5 * PAGE, MS_SYNC));
  SHOW(MSYNC(hole, PAGE, MS_SYNC));

  SHOW(MADVISE(area + 1, PAGE, MADV_NORMAL));
  SHOW(MADVISE(area, PAGE, 77));
  SHOW(MADVISE(area, 0L, 77));
  SHOW(MADVISE(hole, 0L, MADV_DONTNEED));
  SHOW(MADVISE(hole, PAGE, MADV_DONTNEED));
  SHOW(MADVISE(area, 5 * PAGE, MADV_DONTNEED));
  SHOW(MADVISE(sharedAnon, PAGE, MADV_WIPEONFORK));
  SHOW(MADVISE(area, PAGE, MADV_WIPEONFORK));
  SHOW(MADVISE(area, -1L, MADV_NORMAL));

  unsigned char vector[8] = {0};
  SHOW(MINCORE(area + 1, PAGE, vector));
  SHOW(MINCORE(area, 5 * PAGE, vector));
  SHOW(MINCORE(area, PAGE, hole));
  SHOW(MINCORE(hole, 0L, vector));
  SHOW(MINCORE(TOP, PAGE, vector));
  SHOW(MINCORE(area, 3 * PAGE, vector));

  SHOW(syscall(SYS_memfd_create, "name", 0x100));
  SHOW(syscall(SYS_memfd_create, hole, 0));
  SHOW(syscall(SYS_memfd_create, "name", 0) > 2);

  /* Buffers: what fits up to the bad page is transferred and counted. */
  SHOW(read(file, hole, 10));
  SHOW(read(file, hole - 10, 100));
  SHOW(write(file, hole - 5, 100));
  SHOW(write(file, hole, 5));
  SHOW(read(file, hole, 0));
  SHOW(syscall(SYS_openat, AT_FDCWD, hole, O_RDONLY));

  /* A page past the end of a mapped file is EFAULT too, and no SIGBUS. A pipe takes all of a page's worth
   * or nothing. */
  int memory = (int)syscall(SYS_memfd_create, "name", 0);
  CHECK(memory > 2 && ftruncate(file, 2 * PAGE) == 0);
  SHOW(write(memory, past + 2 * PAGE, 5));
  SHOW(write(memory, past + 2 * PAGE - 5, 10));
  SHOW(write(ends[1], past + 2 * PAGE - 5, 10));

  CHECK(unlink("mmap-errors.tmp") == 0);
  return 0;
}
