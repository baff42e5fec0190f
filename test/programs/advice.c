/* What programs say of their files in advance: fadvise, readahead, sync_file_range; and close_range, nice values. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int main(void)
{
  char name[] = "advice-XXXXXX";
  int fd = mkstemp(name);
  CHECK(fd >= 0 && unlink(name) == 0);
  char page[4096];
  memset(page, 'a', sizeof page);
  for (int i = 0; i < 16; i++) CHECK(write(fd, page, sizeof page) == sizeof page);
  int ends[2];
  CHECK(pipe(ends) == 0);

  for (int advice = POSIX_FADV_NORMAL; advice <= POSIX_FADV_NOREUSE; advice++) {
    CHECK(posix_fadvise(fd, 0, 0, advice) == 0);
    CHECK(posix_fadvise(fd, 5000, 20000, advice) == 0);
    CHECK(posix_fadvise(ends[0], 0, 0, advice) == ESPIPE);
  }
  CHECK(posix_fadvise(fd, 0, 0, 6) == EINVAL && posix_fadvise(fd, 0, 0, -1) == EINVAL);
  CHECK(posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL) == EINVAL);
  CHECK(posix_fadvise(fd, -4096, 8192, POSIX_FADV_DONTNEED) == 0);
  CHECK(posix_fadvise(99, 0, 0, POSIX_FADV_NORMAL) == EBADF);
  SAY("fadvise");

  CHECK(readahead(fd, 0, 65536) == 0 && readahead(fd, 1 << 30, 65536) == 0);
  CHECK_ERRNO(readahead(ends[0], 0, 1), EINVAL);
  CHECK_ERRNO(readahead(ends[1], 0, 1), EBADF);
  CHECK_ERRNO(readahead(99, 0, 1), EBADF);
  CHECK_ERRNO(readahead(fd, 0, (size_t)-1), EINVAL);
  SAY("readahead");

  CHECK(sync_file_range(fd, 0, 0, 0) == 0);
  CHECK(sync_file_range(fd, 4096, 8192, 7) == 0 && sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) == 0);
  CHECK_ERRNO(sync_file_range(fd, 0, 0, 8), EINVAL);
  CHECK_ERRNO(sync_file_range(fd, -1, 0, 2), EINVAL);
  CHECK_ERRNO(sync_file_range(fd, 1, -1, 2), EINVAL);
  CHECK_ERRNO(sync_file_range(ends[0], 0, 0, 2), ESPIPE);
  CHECK_ERRNO(sync_file_range(99, 0, 0, 8), EBADF);
  SAY("sync_file_range");

  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  for (int i = 0; i < 16; i++) CHECK(read(fd, page, sizeof page) == sizeof page && page[i] == 'a');
  SAY("what was written is there");

  int first = dup(fd), last = dup(fd), kept = dup(fd);
  CHECK(last == first + 1 && kept == last + 1);
  CHECK(syscall(SYS_close_range, first, last, 4) == 0);
  CHECK(fcntl(first, F_GETFD) == FD_CLOEXEC && fcntl(last, F_GETFD) == FD_CLOEXEC && fcntl(kept, F_GETFD) == 0);
  CHECK(syscall(SYS_close_range, first, last, 0) == 0);
  CHECK_ERRNO(fcntl(first, F_GETFD), EBADF);
  CHECK_ERRNO(fcntl(last, F_GETFD), EBADF);
  CHECK(fcntl(kept, F_GETFD) == 0);
  CHECK(syscall(SYS_close_range, kept, ~0u, 2) == 0);
  CHECK_ERRNO(fcntl(kept, F_GETFD), EBADF);
  CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_close_range, 50, 60, 1), EINVAL);
  SAY("close_range");

  errno = 0;
  int before = getpriority(PRIO_PROCESS, 0);
  CHECK(errno == 0 && setpriority(PRIO_PROCESS, 0, before + 3) == 0);
  CHECK(getpriority(PRIO_PROCESS, getpid()) == before + 3);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(getpriority(PRIO_PROCESS, 0) == before + 3);
    CHECK(setpriority(PRIO_PROCESS, 0, 100) == 0 && getpriority(PRIO_PROCESS, 0) == 19);
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK_ERRNO(getpriority(3, 0), EINVAL);
  CHECK_ERRNO(getpriority(PRIO_PROCESS, 999999), ESRCH);
  SAY("nice");
  return 0;
}
