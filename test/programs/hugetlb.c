/*
 * Huge pages where there is none to be had: what can be mapped, cut, moved and advised all the same, files of them, and
 * segments of them. A line for each call; mappings are told by size, rights, offset and name.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define H (2L << 20)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB)
#define NR MAP_NORESERVE
#define FIX MAP_FIXED
#define MOVE 1
#define MOVE_TO 3
#define DONTUNMAP 4
#define SIZE_CODE(log) ((int)((unsigned)(log) << 26))
#define HUGE_FILE 4
#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif
#ifndef SHM_NORESERVE
#define SHM_NORESERVE 010000
#endif
#define SHM_NEW (IPC_CREAT | SHM_HUGETLB | 0600)
#define NR_mseal 462

static sigjmp_buf back;
static siginfo_t last;

static void caught(int signal, siginfo_t *info, void *context)
{
  (void)signal;
  (void)context;
  last = *info;
  siglongjmp(back, 1);
}

static void touch(const char *what, volatile char *at, int writes)
{
  if (sigsetjmp(back, 1) == 0) {
    if (writes) *at = 1;
    else (void)*at;
    SAY("%s: fine", what);
    return;
  }
  SAY("%s: signal %d, code %d, at %ld", what, last.si_signo, last.si_code, (long)((char *)last.si_addr - at));
}

/* Every mapping that lies in `from` … `to`, with the line of smaps that begins with `also`. */
static void mappings(const char *from, const char *to, const char *also)
{
  FILE *file = fopen("/proc/self/smaps", "r");
  char line[300], rights[8], name[100];
  unsigned long start, end, offset;
  int inside = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    name[0] = 0;
    if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %99[^\n]", &start, &end, rights, &offset, name) >= 4) {
      inside = start < (unsigned long)to && end > (unsigned long)from;
      if (inside)
        SAY("  %+ld: %ld %s at %lx %s", (long)(start - (unsigned long)from) / 4096, (long)(end - start) / 4096, rights, offset, name);
    } else if (inside && also != NULL && strncmp(line, also, strlen(also)) == 0) {
      line[strcspn(line, "\n")] = 0;
      SAY("    %s", line);
    }
  }
  fclose(file);
}

/* Whether the address is a huge page's, or what is wrong. */
static void place(const char *call, char *at)
{
  if (at == MAP_FAILED) show(call, -1);
  else SAY("%-76s %s", call, (unsigned long)at % H == 0 ? "aligned" : "not aligned");
}

#define PLACE(call) place(#call, (char *)(call))
#define WHOLE(at) mappings(at, (at) + 16 * H, NULL)

static char *reserve(void)
{
  char *at = mmap(NULL, 65 * H, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | NR, -1, 0);
  CHECK(at != MAP_FAILED && munmap(at, 65 * H) == 0);
  return (char *)(((unsigned long)at + H - 1) & -H);
}

static void making(char *a)
{
  SHOW(mmap(0, H, RW, PRIVATE, -1, 0));
  PLACE(mmap(0, H, RW, PRIVATE | NR, -1, 0));
  PLACE(mmap(0, 1, RW, PRIVATE | NR, -1, 0));
  PLACE(mmap(0, H + 1, RW, SHARED | NR, -1, 0));
  PLACE(mmap(0, H, RW, PRIVATE | NR, -1, H));
  SHOW(mmap(0, H, RW, PRIVATE | NR, -1, 4096));
  SHOW(mmap(0, 0, RW, PRIVATE | NR, -1, 0));
  PLACE(mmap(0, H, RW, PRIVATE | NR | SIZE_CODE(21), -1, 0));
  SHOW(mmap(0, H, RW, PRIVATE | SIZE_CODE(30), -1, 0));
  PLACE(mmap(0, H, RW, PRIVATE | NR | SIZE_CODE(30), -1, 0));
  SHOW(mmap(0, H, RW, PRIVATE | NR | SIZE_CODE(16), -1, 0));
  SHOW(mmap(0, 1L << 47, RW, PRIVATE | NR, -1, 0));
  SHOW(syscall(SYS_mmap, 0, -1L, RW, PRIVATE | NR, -1, 0L));
  SHOW(syscall(SYS_mmap, 0, -H, RW, PRIVATE | NR, -1, 0L));
  PLACE(mmap(a + 4096, H, RW, PRIVATE | NR, -1, 0));
  SHOW(mmap(a + 4096, H, RW, PRIVATE | NR | FIX, -1, 0));
  SHOW(mmap(a + 2 * H, H, RW, PRIVATE | NR | FIX, -1, 0) == a + 2 * H);
  SHOW(mmap(a + 2 * H, H, RW, PRIVATE | NR | MAP_FIXED_NOREPLACE, -1, 0));
  SHOW(mmap(a + 2 * H + 4096, H, RW, PRIVATE | NR | MAP_FIXED_NOREPLACE, -1, 0));
  SHOW(mmap(a + 2 * H + 4096, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | FIX, -1, 0));
  SHOW(mmap(a + 2 * H, H, RW, PRIVATE | FIX, -1, 0));
  WHOLE(a);
  SHOW(mmap(0, H, RW, PRIVATE | NR | MAP_GROWSDOWN, -1, 0));
  SHOW(mmap(0, H, RW, MAP_ANONYMOUS | MAP_HUGETLB | NR, -1, 0));
  SHOW(mmap(0, H, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_HUGETLB | NR | 0x800000, -1, 0));
  PLACE(mmap(0, H, RW, PRIVATE | NR | MAP_LOCKED, -1, 0));
  PLACE(mmap(0, H, RW, PRIVATE | NR | MAP_POPULATE, -1, 0));
  SHOW(munmap(a, H));
}

static void touching(char *a)
{
  char buffer[16];
  int ends[2];
  unsigned char resident[2] = {7, 7};
  struct iovec here = {buffer, 10}, there = {a, 10};
  mmap(a, 4 * H, RW, PRIVATE | NR | FIX, -1, 0);
  mmap(a + 4 * H, 4 * H, RW, SHARED | NR | FIX, -1, 0);
  mmap(a + 8 * H, H, PROT_NONE, PRIVATE | NR | FIX, -1, 0);
  mmap(a + 9 * H, H, RW, PRIVATE | NR | MAP_LOCKED | FIX, -1, 0);
  mappings(a, a + 10 * H, "VmFlags");
  mappings(a, a + H, "KernelPageSize");
  mappings(a, a + H, "MMUPageSize");
  mappings(a, a + H, "Rss");
  touch("private, read", a + 5000, 0);
  touch("private, write", a + 5000, 1);
  touch("shared, read", a + 5 * H, 0);
  touch("shared, write", a + 5 * H, 1);
  touch("none", a + 8 * H + 77, 0);
  touch("locked", a + 9 * H, 1);
  CHECK(pipe(ends) == 0);
  SHOW(write(ends[1], a, 10));
  SHOW(vmsplice(ends[1], &there, 1, 0));
  SHOW(process_vm_readv(getpid(), &here, 1, &there, 1, 0));
  SHOW(syscall(SYS_futex, a, 1, 1, 0, 0, 0));
  SHOW(syscall(SYS_futex, a, 1 | 128, 1, 0, 0, 0));
  SHOW(mincore(a + 4096, 8192, resident));
  SAY("resident %d %d", resident[0], resident[1]);
  SHOW(mlock(a, 4096));
  SHOW(mlock(a + 4096, 4096));
  SHOW(syscall(SYS_mlock2, a, 4096, 1));
  SHOW(munlock(a + 4096, H));
  SHOW(mlock(a + 8 * H, H));
  SHOW(mlockall(MCL_CURRENT));
  mappings(a, a + H, "VmFlags");
  SHOW(munlockall());
  SHOW(mlockall(MCL_FUTURE));
  SHOW(mmap(a + 10 * H, H, RW, PRIVATE | NR | FIX, -1, 0) == a + 10 * H);
  mappings(a + 10 * H, a + 11 * H, "VmFlags");
  SHOW(munlockall());
  if (fork() == 0) {
    touch("in a child", a, 1);
    mappings(a, a + H, "VmFlags");
    _exit(0);
  }
  wait(NULL);
}

static void cutting(char *a)
{
  SHOW(munmap(a, 4096));
  SHOW(munmap(a + 4096, H));
  SHOW(munmap(a + 3 * H, H - 4096));
  SHOW(munmap(a + H, H));
  SHOW(mprotect(a, 4096, PROT_READ));
  SHOW(mprotect(a, H, PROT_READ));
  SHOW(mprotect(a, 4096, PROT_READ));
  SHOW(mprotect(a + 2 * H, H, PROT_READ));
  SHOW(mprotect(a + 2 * H, H, RW));
  SHOW(syscall(NR_mseal, a + 8 * H, 4096, 0));
  mappings(a, a + 9 * H, NULL);
  SHOW(msync(a, 4096, MS_SYNC));
  SHOW(munmap(a, 16 * H));
}

static void moving(char *a)
{
  char *b = a + 32 * H;
  mmap(a, 4 * H, RW, PRIVATE | NR | FIX, -1, 0);
  SHOW(mremap(a, 4 * H, 5 * H, 0));
  SHOW(mremap(a, 4 * H, 5 * H, MOVE));
  SHOW(mremap(a, 4 * H, 4 * H - 1, 0) == a);
  SHOW(syscall(SYS_mremap, a, H, H, 0, 4096L));
  SHOW(mremap(a, 4096, H, 0) == a);
  SHOW(mremap(a, H, H, MOVE | DONTUNMAP, 0));
  SHOW(mremap(a, 4 * H, 3 * H - 4096, 0) == a);
  mappings(a, a + 4 * H, NULL);
  SHOW(mremap(a, 4096, 4096, MOVE_TO, b + 4096));
  SHOW(mremap(a + 4096, H, H, MOVE_TO, b));
  SHOW(mremap(a, 4096, 4096, MOVE_TO, b) == b);
  SHOW(mremap(a + H, H, 2 * H, MOVE_TO, b + 2 * H));
  SHOW(mremap(a + H, 2 * H, H, MOVE_TO, b + 2 * H) == b + 2 * H);
  SHOW(mremap(a, 0, H, MOVE));
  mappings(a, b + 4 * H, NULL);
  SHOW(mprotect(b + 2 * H, H, PROT_READ));
  SHOW(mremap(b, 3 * H, 3 * H, MOVE_TO, a) == a);
  mappings(a, b + 4 * H, NULL);
  mmap(a, 4 * H, RW, SHARED | NR | FIX, -1, 0);
  SHOW(mremap(a, 0, H, MOVE));
  SHOW(mremap(a, 0, 4096, MOVE_TO, b));
  SHOW(munmap(a, 4 * H) | munmap(b, 4 * H));
}

static void advising(char *a)
{
  static const int advice[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, 8, MADV_REMOVE,
    MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP, 18, 19, 20, 21, 22, 23, 24, 102, 103};
  mmap(a, 4 * H, RW, PRIVATE | NR | FIX, -1, 0);
  mmap(a + 4 * H, 4 * H, RW, SHARED | NR | FIX, -1, 0);
  for (unsigned i = 0; i < sizeof advice / sizeof *advice; i++) {
    SAY("advice %d", advice[i]);
    SHOW(madvise(a, H, advice[i]));
    SHOW(madvise(a, 4096, advice[i]));
    SHOW(madvise(a + H + 4096, H, advice[i]));
    SHOW(madvise(a + 4 * H, H, advice[i]));
    SHOW(madvise(a + 5 * H + 4096, 4096, advice[i]));
  }
  mappings(a, a + 8 * H, "VmFlags");
  SHOW(munmap(a, 8 * H));
}

static void files(char *a)
{
  struct stat st;
  struct statfs fs;
  char buffer[200], path[40];
  int fd, plain, ends[2];
  loff_t from = 0, to = 0;
  char *volatile bad = (char *)8;
  SHOW(syscall(SYS_memfd_create, "a", HUGE_FILE | SIZE_CODE(16)));
  SHOW(syscall(SYS_memfd_create, "a", SIZE_CODE(21)));
  SHOW(syscall(SYS_memfd_create, "a", HUGE_FILE | SIZE_CODE(30)) > 2);
  fd = syscall(SYS_memfd_create, "huge", HUGE_FILE | 2);
  plain = syscall(SYS_memfd_create, "plain", 0);
  CHECK(fd > 2 && plain > 2 && pipe(ends) == 0 && fstat(fd, &st) == 0 && fstatfs(fd, &fs) == 0);
  SAY("mode %o, size %ld, blocks of %ld, %ld blocks, %ld links", st.st_mode, (long)st.st_size, (long)st.st_blksize,
    (long)st.st_blocks, (long)st.st_nlink);
  SAY("type %lx, blocks of %ld, %ld blocks, names of %ld", (long)fs.f_type, (long)fs.f_bsize, (long)fs.f_blocks,
    (long)fs.f_namelen);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  buffer[readlink(path, buffer, sizeof buffer)] = 0;
  SAY("%s", buffer);
  SHOW(open(path, O_RDWR | O_DIRECT));
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(read(fd, buffer, 10));
  SHOW(write(fd, buffer, 10));
  SHOW(write(fd, buffer, 0));
  SHOW(ftruncate(fd, 1));
  SHOW(ftruncate(fd, H + 4096));
  SHOW(ftruncate(fd, 2 * H));
  memset(buffer, 7, sizeof buffer);
  SHOW(read(fd, buffer, 100));
  SAY("%d", buffer[99]);
  SHOW(pread(fd, buffer, 100, 2 * H - 50));
  SHOW(pread(fd, buffer, 100, 2 * H));
  SHOW(pread(fd, bad, 10, 0));
  SHOW(lseek(fd, 0, SEEK_DATA));
  SHOW(lseek(fd, 5, SEEK_HOLE));
  SHOW(lseek(fd, 2 * H, SEEK_DATA));
  SHOW(lseek(fd, 0, SEEK_SET));
  SHOW(fallocate(fd, 0, 0, H));
  SHOW(fallocate(fd, 1, 0, H));
  SHOW(fallocate(fd, 3, 4096, 4096));
  SHOW(fallocate(fd, 16, 0, H));
  SHOW(fallocate(fd, 8, 0, H));
  SHOW(splice(fd, &from, ends[1], NULL, 100, 0));
  SHOW(copy_file_range(fd, &from, plain, &to, 100, 0));
  SHOW((from = 0, to = H, copy_file_range(fd, &from, fd, &to, 100, 0)));
  SHOW((from = 2 * H, to = H, copy_file_range(fd, &from, fd, &to, 100, 0)));
  SHOW(fsync(fd));
  SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
  SHOW(mmap(0, H, RW, MAP_SHARED, fd, 0));
  SHOW(mmap(0, H, RW, MAP_SHARED | NR, fd, 4096));
  SHOW(mmap(a, 3 * H - 4096, RW, MAP_SHARED | NR | FIX, fd, 0) == a);
  SHOW((fstat(fd, &st), st.st_size / H));
  SHOW(mmap(a + 3 * H, H, PROT_READ, MAP_SHARED | NR | FIX, fd, 9 * H) == a + 3 * H);
  SHOW((fstat(fd, &st), st.st_size / H));
  SHOW(mmap(a + H, H, RW, MAP_SHARED | NR | FIX, fd, H) == a + H);
  mappings(a, a + 8 * H, "VmFlags");
  touch("of a file", a + 100, 0);
  touch("past its end", a + 3 * H, 0);
  SHOW(remap_file_pages(a, 4096, 0, 0, 0));
  SHOW(remap_file_pages(a, H, 0, 512, 0));
  SHOW(remap_file_pages(a + H, H, 0, 1, 0));
  mappings(a, a + 8 * H, NULL);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(munmap(a, 8 * H));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
  SHOW(mmap(0, H, RW, MAP_SHARED | NR, fd, 0));
  PLACE(mmap(0, H, PROT_READ, MAP_SHARED | NR, fd, 0));
  SHOW(ftruncate(fd, H));
  SHOW(ftruncate(fd, 4 * H));
  SHOW(fallocate(fd, 0, 0, 4 * H));
  SHOW(fallocate(fd, 3, 0, H));
}

static void segments(char *a)
{
  struct shmid_ds ds;
  int id;
  SHOW(shmget(IPC_PRIVATE, H, SHM_NEW));
  SHOW(shmget(IPC_PRIVATE, H, SHM_NEW | SHM_NORESERVE | SIZE_CODE(16)));
  id = shmget(IPC_PRIVATE, H + 1, SHM_NEW | SHM_NORESERVE);
  CHECK(id >= 0 && shmctl(id, IPC_STAT, &ds) == 0);
  SAY("size %ld", (long)ds.shm_segsz);
  PLACE(shmat(id, 0, 0));
  SHOW(shmat(id, a, 0) == (void *)a);
  SHOW(shmat(id, a + 4 * H + 4096, 0));
  SHOW(shmat(id, a + 4 * H + 4096, SHM_RND));
  mappings(a, a + 8 * H, "VmFlags");
  touch("of a segment", a + 100, 1);
  SHOW(munmap(a, 4096));
  SHOW(mprotect(a, H, PROT_READ));
  SHOW(mremap(a, 2 * H, 2 * H, MOVE_TO, a + 4 * H) == a + 4 * H);
  mappings(a, a + 8 * H, NULL);
  SHOW(shmctl(id, SHM_LOCK, 0));
  CHECK(shmctl(id, IPC_STAT, &ds) == 0);
  SAY("mode %o, attached %ld times", ds.shm_perm.mode, (long)ds.shm_nattch);
  SHOW(shmdt(a + 4 * H));
  SHOW(shmctl(id, IPC_RMID, 0));
}

static void limits(void)
{
  struct rlimit low = {8 * H, 8 * H}, lowest = {H, H};
  if (fork() == 0) {
    CHECK(setrlimit(RLIMIT_AS, &low) == 0);
    SHOW(mmap(0, 16 * H, RW, PRIVATE | NR, -1, 0));
    _exit(0);
  }
  wait(NULL);
  if (fork() == 0) {
    CHECK(setrlimit(RLIMIT_DATA, &low) == 0);
    SHOW(mmap(0, 16 * H, RW, PRIVATE | NR, -1, 0));
    PLACE(mmap(0, 16 * H, RW, SHARED | NR, -1, 0));
    _exit(0);
  }
  wait(NULL);
  if (fork() == 0) {
    CHECK(setrlimit(RLIMIT_MEMLOCK, &lowest) == 0 && setgid(1000) == 0 && setuid(1000) == 0);
    SHOW(mmap(0, 16 * H, RW, PRIVATE | NR | MAP_LOCKED, -1, 0));
    PLACE(mmap(0, H, RW, PRIVATE | NR | MAP_LOCKED, -1, 0));
    SHOW(shmget(IPC_PRIVATE, H, SHM_NEW | SHM_NORESERVE));
    _exit(0);
  }
  wait(NULL);
}

int main(void)
{
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  char *a = reserve();
  CHECK(sigaction(SIGBUS, &action, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
  making(a);
  a = reserve();
  touching(a);
  cutting(a);
  a = reserve();
  moving(a);
  advising(a);
  files(a);
  segments(reserve());
  limits();
  return 0;
}
