/*
 * What a program may say of its memory, and what comes of it; and the memory of another process. What only a kernel with
 * KSM or huge pages knows is left out.
 */
#define _GNU_SOURCE
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define P 4096L
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define ADVISE_COLD 20
#define ADVISE_PAGEOUT 21
#define ADVISE_POPULATE_READ 22
#define ADVISE_DONTNEED_LOCKED 24
#define ADVISE_HWPOISON 100
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103
#define NR_process_madvise 440
#define SELF (-10000)

static sigjmp_buf back;
static volatile int code;

static void caught(int signal, siginfo_t *info, void *context)
{
  (void)signal;
  (void)context;
  code = info->si_code;
  siglongjmp(back, 1);
}

/* The si_code of the SIGSEGV that reading there is; 0 for none. */
static int touch(volatile char *at)
{
  code = 0;
  if (sigsetjmp(back, 1) == 0) (void)*at;
  return code;
}

static char *map(long pages, int prot, int flags, int fd)
{
  char *at = mmap(NULL, pages * P, prot, flags, fd, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static void guards(void)
{
  char *a = map(8, RW, ANON, -1);
  memset(a, 1, 8 * P);
  CHECK(madvise(a + P, 2 * P, GUARD_INSTALL) == 0);
  CHECK(touch(a) == 0 && touch(a + P) == SEGV_MAPERR && touch(a + 2 * P) == SEGV_MAPERR && touch(a + 3 * P) == 0);
  CHECK(madvise(a, 8 * P, MADV_DONTNEED) == 0);
  CHECK(mprotect(a, 8 * P, PROT_NONE) == 0 && touch(a + P) == SEGV_ACCERR);
  CHECK(mprotect(a, 8 * P, RW) == 0 && touch(a + P) == SEGV_MAPERR);
  CHECK_ERRNO(madvise(a, 8 * P, ADVISE_POPULATE_READ), EFAULT);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(touch(a + P) == SEGV_MAPERR);
    CHECK(madvise(a + P, P, GUARD_REMOVE) == 0 && touch(a + P) == 0);
    _exit(0);
  }
  int status = -1;
  CHECK(wait(&status) == child && status == 0);
  CHECK(touch(a + P) == SEGV_MAPERR);
  char *b = mremap(a, 8 * P, 16 * P, MREMAP_MAYMOVE);
  CHECK(b != MAP_FAILED && touch(b + 2 * P) == SEGV_MAPERR);
  CHECK(mlock(b, P) == 0);
  CHECK_ERRNO(madvise(b, P, GUARD_INSTALL), EINVAL);
  CHECK(madvise(b, 16 * P, GUARD_REMOVE) == 0 && touch(b + P) == 0 && b[3 * P] == 0);
  SAY("guards: met by accesses, kept by everything but their removal");
}

static void lazily(void)
{
  char *a = map(4, RW, ANON, -1);
  memset(a, 9, 4 * P);
  CHECK(madvise(a, 4 * P, MADV_FREE) == 0);
  a[P] = 5;
  CHECK(a[P] == 5);
  /* No memory is short, but to page out takes what was given up. */
  CHECK(madvise(a, 4 * P, ADVISE_COLD) == 0 && madvise(a, 4 * P, ADVISE_PAGEOUT) == 0);
  CHECK(a[0] == 0 && a[P] == 5 && a[P + 1] == 9 && a[2 * P] == 0);
  char *shared = map(1, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
  CHECK_ERRNO(madvise(shared, P, MADV_FREE), EINVAL);
  CHECK(mlock(a, P) == 0);
  CHECK_ERRNO(madvise(a, P, MADV_FREE), EINVAL);
  CHECK_ERRNO(madvise(a, P, MADV_DONTNEED), EINVAL);
  CHECK_ERRNO(madvise(a, P, ADVISE_COLD), EINVAL);
  CHECK_ERRNO(madvise(a, P, ADVISE_PAGEOUT), EINVAL);
  a[0] = 3;
  CHECK(madvise(a, P, ADVISE_DONTNEED_LOCKED) == 0 && a[0] == 0);
  CHECK_ERRNO(madvise(a, P, ADVISE_HWPOISON), EINVAL);
  SAY("given up: gone, but for what was written since");
}

static void holes(void)
{
  int fd = memfd_create("holes", 0);
  CHECK(fd >= 0 && ftruncate(fd, 4 * P) == 0);
  char *shared = map(4, RW, MAP_SHARED, fd);
  memset(shared, 4, 4 * P);
  char *own = map(4, RW, MAP_PRIVATE, fd);
  own[0] = 7;
  CHECK(own[P] == 4);
  CHECK(madvise(shared, 2 * P, MADV_REMOVE) == 0);
  CHECK(shared[0] == 0 && shared[2 * P] == 4 && own[0] == 7 && own[P] == 0);
  CHECK_ERRNO(madvise(own, P, MADV_REMOVE), EACCES);
  CHECK_ERRNO(madvise(map(1, RW, ANON, -1), P, MADV_REMOVE), EINVAL);
  SAY("holes: seen by everybody, but not by copies");
}

static void others(void)
{
  char *a = map(8, RW, ANON, -1);
  char *here = map(8, RW, ANON, -1);
  memset(a, 1, 8 * P);
  int down[2], up[2];
  char byte = 0;
  CHECK(pipe(down) == 0 && pipe(up) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    memset(a, 2, 8 * P);
    CHECK(munmap(a + 4 * P, P) == 0);
    CHECK(write(up[1], &byte, 1) == 1 && read(down[0], &byte, 1) == 1);
    CHECK(a[0] == 6 && a[P - 1] == 6 && a[P] == 2);
    _exit(0);
  }
  CHECK(read(up[0], &byte, 1) == 1);
  struct iovec local = {here, 8 * P}, remote = {a, 8 * P};
  CHECK(process_vm_readv(child, &local, 1, &remote, 1, 0) == 4 * P && here[0] == 2 && here[4 * P] == 0);
  memset(here, 6, P);
  local.iov_len = P;
  CHECK(process_vm_writev(child, &local, 1, &remote, 1, 0) == P && a[0] == 1);
  remote.iov_base = a + 4 * P;
  CHECK_ERRNO(process_vm_readv(child, &local, 1, &remote, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_readv(child, &local, 1, &remote, 1, 1), EINVAL);
  CHECK_ERRNO(process_vm_readv(child, &local, 1, &remote, 1025, 0), EINVAL);
  CHECK_ERRNO(process_vm_readv(child, NULL, 1, &remote, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_readv(999999, &local, 1, &remote, 1, 0), ESRCH);
  CHECK(process_vm_readv(999999, &local, 0, &remote, 1, 0) == 0);
  CHECK(write(down[1], &byte, 1) == 1);
  int status = -1;
  siginfo_t info;
  CHECK(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
  remote.iov_base = a;
  CHECK_ERRNO(process_vm_readv(child, &local, 1, &remote, 1, 0), ESRCH);
  CHECK(wait(&status) == child && status == 0);
  SAY("another process: read and written, page by page");
}

static void several(void)
{
  char *a = map(8, RW, ANON, -1);
  memset(a, 1, 8 * P);
  CHECK(munmap(a + 5 * P, P) == 0);
  struct iovec ranges[3] = {{a, P}, {a + 5 * P, P}, {a + 7 * P, P}};
  CHECK(syscall(NR_process_madvise, SELF, ranges, 3L, MADV_DONTNEED, 0L) == P && a[0] == 0 && a[7 * P] == 1);
  CHECK_ERRNO(syscall(NR_process_madvise, SELF, ranges + 1, 2L, MADV_DONTNEED, 0L), ENOMEM);
  CHECK_ERRNO(syscall(NR_process_madvise, SELF, ranges, 3L, MADV_DONTNEED, 1L), EINVAL);
  CHECK_ERRNO(syscall(NR_process_madvise, -1, ranges, 3L, MADV_DONTNEED, 0L), EBADF);
  CHECK_ERRNO(syscall(NR_process_madvise, -1, ranges, 1025L, MADV_DONTNEED, 0L), EINVAL);
  CHECK_ERRNO(syscall(NR_process_madvise, -1, NULL, 1L, MADV_DONTNEED, 0L), EFAULT);
  CHECK(syscall(NR_process_madvise, SELF, ranges, 0L, 9999, 0L) == 0);
  SAY("several ranges: as far as the first that fails");
}

int main(void)
{
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  guards();
  lazily();
  holes();
  others();
  several();
  return 0;
}
