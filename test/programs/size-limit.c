/*
 * RLIMIT_FSIZE: how far each call makes a file, what it answers at the limit, and when SIGXFSZ comes: also to a call that has
 * moved something before. Works with files size-limit.* that it makes and removes, and with a memfd.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define LIMIT 8192L

static volatile sig_atomic_t signals;
static char bytes[20000];
/* Where nothing is; what stands there is not for the compiler to know. */
static char *volatile nowhere = (char *)8;

static void count(int signal)
{
  (void)signal;
  signals++;
}

static void limit(long most)
{
  struct rlimit rlimit = {most, RLIM_INFINITY};
  CHECK(setrlimit(RLIMIT_FSIZE, &rlimit) == 0);
}

/* A call, what comes of it, and the size of the file. */
#define TRY(fd, call) \
  do { \
    errno = 0; \
    signals = 0; \
    long result = (long)(call); \
    int error = errno; \
    struct stat st; \
    CHECK(fstat(fd, &st) == 0); \
    SAY("%-58s %6ld %-6s signals %d size %ld", #call, result, \
        result >= 0 ? "" : error == EFBIG ? "EFBIG" : error == EFAULT ? "EFAULT" : error == EPERM ? "EPERM" : "other", \
        (int)signals, (long)st.st_size); \
  } while (0)

static void writes(int fd)
{
  struct iovec two[2] = {{bytes, 5000}, {bytes, 5000}}, bad[2] = {{bytes, 100}, {nowhere, 100}};
  TRY(fd, write(fd, bytes, 5000));
  TRY(fd, write(fd, bytes, 5000));
  TRY(fd, write(fd, bytes, 1));
  TRY(fd, write(fd, bytes, 0));
  TRY(fd, pwrite(fd, bytes, 10, LIMIT - 2));
  TRY(fd, pwrite(fd, bytes, 10, LIMIT));
  TRY(fd, pwrite(fd, bytes, 0, LIMIT + 1));
  TRY(fd, pwritev(fd, two, 2, 4000));
  TRY(fd, pwritev(fd, bad, 2, LIMIT - 92));
  TRY(fd, pwrite(fd, nowhere, 10, LIMIT));
  TRY(fd, pwrite(fd, nowhere, 10, 0));
}

static void sizes(int fd, const char *path)
{
  TRY(fd, ftruncate(fd, LIMIT));
  TRY(fd, ftruncate(fd, LIMIT + 1));
  TRY(fd, ftruncate(fd, 100));
  TRY(fd, truncate(path, LIMIT + 1));
  TRY(fd, truncate(path, LIMIT));
  TRY(fd, syscall(SYS_fallocate, (long)fd, 0L, 0L, LIMIT));
  TRY(fd, syscall(SYS_fallocate, (long)fd, 0L, 0L, LIMIT + 1));
}

static void transfers(int fd, int source)
{
  loff_t from = 0, near = LIMIT - 192, at = LIMIT;
  int pipes[2];
  CHECK(pipe2(pipes, O_NONBLOCK) == 0);
  CHECK(write(pipes[1], bytes, 3000) == 3000);
  CHECK(lseek(fd, LIMIT - 42, SEEK_SET) == LIMIT - 42);
  TRY(fd, sendfile(fd, source, &from, 100));
  TRY(fd, sendfile(fd, source, &from, 100));
  from = 0;
  TRY(fd, copy_file_range(source, &from, fd, &near, 1000, 0));
  TRY(fd, copy_file_range(source, &from, fd, &at, 1000, 0));
  TRY(fd, copy_file_range(source, &from, fd, &at, 0, 0));
  near = LIMIT - 92;
  TRY(fd, splice(pipes[0], 0, fd, &near, 1000, SPLICE_F_NONBLOCK));
  TRY(fd, splice(pipes[0], 0, fd, &near, 1000, SPLICE_F_NONBLOCK));
  close(pipes[0]);
  close(pipes[1]);
}

/* Neither what is no file of a size, nor what mappings store. */
static void others(int fd)
{
  char *shared = mmap(0, LIMIT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED);
  struct iovec own = {bytes, 10}, mapped = {shared, 10};
  int mem = open("/proc/self/mem", O_RDWR), comm = open("/proc/self/comm", O_WRONLY);
  limit(0);
  TRY(fd, (shared[0] = 1));
  TRY(fd, pwrite(mem, bytes, 10, (long)shared));
  TRY(fd, process_vm_writev(getpid(), &own, 1, &mapped, 1, 0));
  TRY(fd, write(comm, "limited", 7));
  TRY(fd, msync(shared, LIMIT, MS_SYNC));
  TRY(fd, write(fd, bytes, 1));
  TRY(fd, ftruncate(fd, 0));
  TRY(fd, ftruncate(fd, 1));
  close(mem);
  close(comm);
  munmap(shared, LIMIT);
}

int main(void)
{
  const char *path = "size-limit.1", *other = "size-limit.2";
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), source = open(other, O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0 && source >= 0);
  memset(bytes, 'b', sizeof bytes);
  CHECK(write(source, bytes, sizeof bytes) == sizeof bytes);
  signal(SIGXFSZ, count);
  limit(LIMIT);
  writes(fd);
  sizes(fd, path);
  transfers(fd, source);
  int end = open(path, O_WRONLY | O_APPEND);
  TRY(fd, write(end, bytes, 10));
  CHECK(ftruncate(fd, LIMIT - 2) == 0);
  TRY(fd, write(end, bytes, 10));
  int memory = memfd_create("size-limit", MFD_ALLOW_SEALING);
  TRY(memory, write(memory, bytes, 9000));
  CHECK(fcntl(memory, F_ADD_SEALS, F_SEAL_GROW) == 0);
  TRY(memory, ftruncate(memory, LIMIT + 1));
  TRY(memory, write(memory, bytes, 10));
  others(fd);
  signal(SIGXFSZ, SIG_DFL);
  fflush(stdout);
  if (fork() == 0) {
    write(fd, bytes, 1);
    _exit(3);
  }
  int status;
  CHECK(wait(&status) > 0);
  SAY("ended by signal %d", WTERMSIG(status));
  unlink(path);
  unlink(other);
  return 0;
}
