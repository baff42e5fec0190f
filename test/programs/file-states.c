/*
 * What a file's state forbids or changes: a program that runs, set-user-ID bits, seals, O_DIRECT, O_TRUNC under a mapping,
 * devices that can be mapped. Works with files file-states.* that it makes and removes.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define MMAP(at, len, prot, flags, fd, off) \
  syscall(SYS_mmap, at, (long)(len), (long)(prot), (long)(flags), (long)(fd), (long)(off))
#define MEMFD(name, flags) (fd = memfd_create(name, flags), fd < 0 ? fd : 0)
#define OPEN(path, flags) opened(open(path, flags))
/* Without the C library, which would not let a wrong address pass uncommented. */
#define WRITE(fd, at, n) syscall(SYS_write, (long)(fd), (long)(at), (long)(n))

static int fd;

/* 0, or −1: the number does not matter. */
static int opened(int descriptor)
{
  if (descriptor < 0) return -1;
  fd = descriptor;
  close(descriptor);
  return 0;
}

static void mode(const char *path)
{
  struct stat st;
  CHECK(stat(path, &st) == 0);
  SAY("  mode %o", st.st_mode);
}

static void copyProgram(const char *to)
{
  static char buffer[65536];
  int from = open("/proc/self/exe", O_RDONLY);
  int target = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  CHECK(from >= 0 && target >= 0);
  for (long n; (n = read(from, buffer, sizeof buffer)) > 0;) CHECK(write(target, buffer, n) == n);
  close(from);
  close(target);
}

/* What execve of the program with an argument answers, or its exit status. */
static long execute(const char *path)
{
  int status;
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    char *argv[] = {(char *)path, "end", NULL}, *env[] = {NULL};
    execve(path, argv, env);
    _exit(errno);
  }
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) return 77;
  errno = WEXITSTATUS(status);
  return -1;
}

static void programs(void)
{
  SAY("a program that runs:");
  copyProgram("file-states.run");
  SHOW(execute("file-states.run"));
  int writing = open("file-states.run", O_WRONLY);
  SHOW(execute("file-states.run"));
  SHOW(execute("file-states.missing"));
  close(writing);
  SHOW(execute("file-states.run"));
  int rdwr = open("file-states.run", O_RDWR);
  char *map = mmap(0, PAGE, RW, MAP_SHARED, rdwr, 0);
  CHECK(map != MAP_FAILED);
  close(rdwr);
  SHOW(execute("file-states.run"));
  munmap(map, PAGE);
  SHOW(execute("file-states.run"));
  int ends[2], back[2];
  char byte;
  CHECK(pipe(ends) == 0 && pipe(back) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    dup2(ends[0], 0);
    dup2(back[1], 1);
    close(ends[1]);
    char *argv[] = {"file-states.run", "wait", NULL}, *env[] = {NULL};
    execve("file-states.run", argv, env);
    _exit(1);
  }
  CHECK(read(back[0], &byte, 1) == 1);
  SHOW(OPEN("file-states.run", O_RDONLY));
  SHOW(OPEN("file-states.run", O_WRONLY));
  SHOW(OPEN("file-states.run", O_RDWR));
  SHOW(OPEN("file-states.run", O_RDONLY | O_TRUNC));
  SHOW(OPEN("file-states.run", O_RDWR | O_CREAT | O_EXCL));
  SHOW(OPEN("file-states.run", O_PATH | O_RDWR));
  SHOW(OPEN("file-states.run", 3));
  SHOW(truncate("file-states.run", 0));
  SHOW(truncate("file-states.run", -1));
  SHOW(chmod("file-states.run", 0700));
  SHOW(rename("file-states.run", "file-states.ran"));
  SHOW(OPEN("file-states.ran", O_WRONLY));
  SHOW(execute("file-states.ran"));
  int running = open("file-states.ran", O_RDONLY);
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE | MAP_DENYWRITE, running, 0));
  close(running);
  CHECK(write(ends[1], "x", 1) == 1);
  int status;
  CHECK(waitpid(pid, &status, 0) == pid);
  SHOW(OPEN("file-states.ran", O_WRONLY));
  unlink("file-states.ran");
  /* MAP_DENYWRITE alone denies nothing. */
  int plain = open("file-states.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK(ftruncate(plain, PAGE) == 0);
  SHOW(MMAP(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_DENYWRITE, plain, 0));
  SHOW(OPEN("file-states.tmp", O_WRONLY));
  close(plain);
}

static void setIdBits(void)
{
  SAY("set-id bits, for a user without privilege:");
  int file = open("file-states.tmp", O_RDWR | O_CREAT | O_TRUNC, 0666);
  int out = open("file-states.tmp", O_RDWR);
  int in = open("file-states.in", O_RDWR | O_CREAT | O_TRUNC, 0666);
  int ends[2];
  CHECK(file >= 0 && out >= 0 && in >= 0 && pipe(ends) == 0 && write(in, "0123456789", 10) == 10);
  CHECK(fchown(file, 1000, 1000) == 0 && fchmod(file, 0666) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    CHECK(syscall(SYS_setresgid, 1000L, 1000L, 1000L) == 0 && syscall(SYS_setresuid, 1000L, 1000L, 1000L) == 0);
#define AGAIN(bits) CHECK(fchmod(file, bits) == 0)
    AGAIN(06777);
    SHOW(pwrite(file, "x", 0, 0));
    mode("file-states.tmp");
    SHOW(pwrite(file, "x", 1, 0));
    mode("file-states.tmp");
    AGAIN(06767);
    SHOW(pwrite(file, "x", 1, 0));
    mode("file-states.tmp");
    AGAIN(06755);
    SHOW(ftruncate(file, 8192));
    mode("file-states.tmp");
    AGAIN(06755);
    SHOW(ftruncate(file, 8192));
    mode("file-states.tmp");
    AGAIN(06755);
    SHOW(truncate("file-states.tmp", 4096));
    mode("file-states.tmp");
    AGAIN(06755);
    SHOW(OPEN("file-states.tmp", O_RDWR | O_TRUNC));
    mode("file-states.tmp");
    AGAIN(06755);
    SHOW(syscall(SYS_fallocate, (long)file, 0L, 0L, 8192L));
    mode("file-states.tmp");
    AGAIN(06755);
    char *map = mmap(0, PAGE, RW, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED);
    map[0] = 'y';
    msync(map, PAGE, MS_SYNC);
    mode("file-states.tmp");
    AGAIN(06755);
    long off = 0;
    CHECK(lseek(in, 0, SEEK_SET) == 0);
    SHOW(syscall(SYS_copy_file_range, (long)in, &off, (long)out, NULL, 5L, 0L));
    mode("file-states.tmp");
    AGAIN(06755);
    SHOW(WRITE(file, 16, 1));
    mode("file-states.tmp");
    AGAIN(06755);
    CHECK(write(ends[1], "abc", 3) == 3);
    SHOW(syscall(SYS_splice, (long)ends[0], NULL, (long)out, NULL, 3L, 0L));
    mode("file-states.tmp");
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
  CHECK(fchmod(file, 06777) == 0);
  if (getuid() == 0) {
    SHOW(pwrite(file, "x", 1, 0));
    mode("file-states.tmp");
    SHOW(ftruncate(file, 0));
    mode("file-states.tmp");
  }
  close(file);
  close(out);
  close(in);
  unlink("file-states.in");
}

static void seals(void)
{
  SAY("memfds and seals:");
  char name[260];
  memset(name, 'n', sizeof name);
  name[249] = 0;
  SHOW(MEMFD(name, 0));
  name[249] = 'n';
  name[250] = 0;
  SHOW(MEMFD(name, 0));
  SHOW(MEMFD("", 0));
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(fcntl(fd, F_ADD_SEALS, 0));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(MEMFD("a", 0x20));
  SHOW(MEMFD("a", 0x10 | 0x8));
  SHOW(MEMFD("a", MFD_HUGETLB | 0x20));
  SHOW(MEMFD("a", 21 << 26));
  SHOW(memfd_create((char *)16, 0));
  SHOW(memfd_create((char *)16, 0x20));
  SHOW(MEMFD("a", 0x8));
  struct stat st;
  CHECK(fstat(fd, &st) == 0);
  SAY("  mode %o", st.st_mode);
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(fchmod(fd, 0777));
  SHOW(fchmod(fd, 0666));
  SHOW(fchmod(fd, 0600));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  SHOW(MEMFD("a", 0x10 | MFD_ALLOW_SEALING));
  CHECK(fstat(fd, &st) == 0);
  SAY("  mode %o", st.st_mode);
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(fcntl(fd, F_ADD_SEALS, 0x20));
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(fchmod(fd, 0666));
  SHOW(pwrite(fd, "a", 1, 0));

  SHOW(MEMFD("a", MFD_ALLOW_SEALING));
  SHOW(ftruncate(fd, 2 * PAGE));
  SHOW(fcntl(fd, F_ADD_SEALS, 0x40));
  SHOW(fcntl(fd, F_ADD_SEALS, -1));
  char *map = mmap(0, PAGE, RW, MAP_SHARED, fd, 0);
  CHECK(map != MAP_FAILED);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
  SHOW(fcntl(fd, F_GET_SEALS));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  map[0] = 'm';
  SAY("  %c", map[0]);
  SHOW(pwrite(fd, "p", 1, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED, fd, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
  char *readOnly = (char *)MMAP(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
  CHECK((long)readOnly != -1);
  SHOW(mprotect(readOnly, PAGE, RW));
  SHOW(mprotect(map, PAGE, PROT_READ));
  SHOW(mprotect(map, PAGE, RW));
  map[1] = 'm';
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  char *copy = (char *)syscall(SYS_mremap, map, 0L, PAGE, (long)MREMAP_MAYMOVE, 0L);
  CHECK((long)copy != -1);
  munmap(map, PAGE);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  munmap(copy, PAGE);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  SHOW(fcntl(fd, F_ADD_SEALS, 0));
  SHOW(fcntl(fd, F_GET_SEALS));
  char link[40];
  sprintf(link, "/proc/self/fd/%d", fd);
  int reopened = open(link, O_RDONLY);
  CHECK(reopened >= 0);
  SHOW(fcntl(reopened, F_GET_SEALS));
  SHOW(fcntl(reopened, F_ADD_SEALS, F_SEAL_GROW));

  /* A read-only mapping that could be written counts as one that may write; a private one does not. */
  SHOW(MEMFD("a", MFD_ALLOW_SEALING));
  SHOW(ftruncate(fd, PAGE));
  map = mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  munmap(map, PAGE);
  map = mmap(0, PAGE, RW, MAP_PRIVATE, fd, 0);
  SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  int file = open("file-states.tmp", O_RDWR | O_CREAT, 0644);
  SHOW(fcntl(file, F_ADD_SEALS, 0x40));
  int rd = open("file-states.tmp", O_RDONLY);
  SHOW(fcntl(rd, F_ADD_SEALS, 0));
  close(rd);
  close(file);
}

static void direct(void)
{
  SAY("O_DIRECT:");
  static char area[4 * PAGE] __attribute__((aligned(4096)));
  int file = open("file-states.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);
  int straight = open("file-states.tmp", O_RDWR | O_DIRECT);
  CHECK(file >= 0 && straight >= 0);
  memset(area, 'a', sizeof area);
  SHOW(pwrite(straight, area, 2 * PAGE, 0));
  SHOW(pwrite(file, "cached", 6, 0));
  SHOW(pread(straight, area, PAGE, 0));
  SAY("  %.8s", area);
  char *map = mmap(0, 2 * PAGE, RW, MAP_SHARED, file, 0);
  CHECK(map != MAP_FAILED);
  memcpy(map, "mapped", 6);
  SHOW(pread(straight, area, PAGE, 0));
  SAY("  %.8s", area);
  memcpy(area, "direct", 6);
  SHOW(pwrite(straight, area, PAGE, 0));
  SAY("  %.8s", map);
  char *private = mmap(0, 2 * PAGE, RW, MAP_PRIVATE, file, 0);
  CHECK(private != MAP_FAILED);
  SAY("  %.8s", private);
  private[PAGE] = 'P';
  memcpy(area, "second", 6);
  SHOW(pwrite(straight, area, 2 * PAGE, 0));
  SAY("  %.8s %.8s %c", map, private, private[PAGE]);
  SHOW(pread(straight, area, PAGE, 2 * PAGE));
  SHOW(pread(straight, area, PAGE, 1 << 20));
  SHOW(pwrite(straight, area, PAGE, 4 * PAGE));
  SHOW(lseek(straight, 0, SEEK_END));
  SHOW(pread(straight, area, 4 * PAGE, 3 * PAGE));
  SHOW(ftruncate(file, 5000));
  SHOW(pread(straight, area, 2 * PAGE, 0));
  SHOW(pread(straight, area, PAGE, PAGE));
  SHOW(pread(straight, area, 0, 0));
  SHOW(pwrite(straight, area, 0, 0));
  int other = open("file-states.tmp", O_RDWR);
  SHOW(fcntl(other, F_SETFL, O_DIRECT));
  SHOW((fcntl(other, F_GETFL) & O_DIRECT) != 0);
  SHOW(pread(other, area, PAGE, 0));
  SHOW(fcntl(other, F_SETFL, 0));
  SHOW(pread(other, area + 1, 10, 1));
  int app = open("file-states.tmp", O_RDWR | O_DIRECT | O_APPEND);
  CHECK(ftruncate(file, PAGE) == 0);
  SHOW(pwrite(app, area, PAGE, 0));
  SHOW(lseek(app, 0, SEEK_END));
  close(app);
  close(other);
  close(straight);
  close(file);
  munmap(map, 2 * PAGE);
  munmap(private, 2 * PAGE);
}

/* What a file system that transfers straight between storage and memory refuses. */
static void alignment(void)
{
  SAY("alignment:");
  static char area[4 * PAGE] __attribute__((aligned(4096)));
  int straight = open("file-states.tmp", O_RDWR | O_DIRECT | O_CREAT | O_TRUNC, 0644);
  struct iovec vec[2] = {{area, 512}, {area + 512, 512}};
  SHOW(pwrite(straight, area, 2 * PAGE, 0));
  SHOW(pwrite(straight, area, 100, 0));
  SHOW(pwrite(straight, area, 512, 0));
  SHOW(pwrite(straight, area, 512, 100));
  SHOW(pwrite(straight, area, 512, 512));
  SHOW(pwrite(straight, area + 4, 512, 512));
  SHOW(pwrite(straight, area + 2, 512, 512));
  SHOW(pwrite(straight, area + 1, 512, 512));
  SHOW(pwrite(straight, area + 256, 512, 512));
  SHOW(pread(straight, area, 100, 0));
  SHOW(pread(straight, area, 512, 0));
  SHOW(pread(straight, area, 512, 100));
  SHOW(pread(straight, area + 4, 512, 512));
  SHOW(pread(straight, area + 1, 512, 512));
  SHOW(pread(straight, area, 100, 2 * PAGE));
  SHOW(pread(straight, area, 100, 3 * PAGE));
  SHOW(pread(straight, area + 1, 512, 3 * PAGE));
  SHOW(pread(straight, area, 512, 3 * PAGE + 1));
  SHOW(preadv(straight, vec, 2, 0));
  vec[0].iov_len = 256;
  vec[1].iov_len = 256;
  SHOW(preadv(straight, vec, 2, 0));
  vec[1].iov_base = area + 300;
  SHOW(preadv(straight, vec, 2, 0));
  SHOW(pwrite(straight, (char *)4096, 512, 0));
  SHOW(pread(straight, (char *)4096, 512, 0));
  SHOW(ftruncate(straight, 1000));
  SHOW(pread(straight, area, 512, 512));
  SHOW(pread(straight, area, PAGE, 0));
  SHOW(pread(straight, area, 488, 512));
  struct iovec one = {area, 100};
  SHOW(syscall(SYS_preadv2, (long)straight, &one, 1L, 0L, 0L, 8L));
  close(straight);
}

static void truncated(void)
{
  SAY("O_TRUNC under a mapping:");
  int file = open("file-states.tmp", O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK(write(file, "hello", 5) == 5);
  char *map = mmap(0, PAGE, RW, MAP_SHARED, file, 0);
  char *private = mmap(0, PAGE, RW, MAP_PRIVATE, file, 0);
  private[0] = 'J';
  SAY("  %s %s", map, private);
  SHOW(OPEN("file-states.tmp", O_WRONLY | O_TRUNC));
  SHOW(write(1, map, 1));
  SHOW(write(1, private, 1));
  SHOW(pwrite(file, "new", 3, 0));
  SAY("  %s %s", map, private);
  close(file);
}

static void devices(void)
{
  SAY("devices:");
  int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR), full = open("/dev/full", O_RDWR);
  int zeroRead = open("/dev/zero", O_RDONLY), path = open("/dev/zero", O_PATH);
  int dir = open(".", O_RDONLY);
  int ends[2];
  CHECK(pipe(ends) == 0);
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, zero, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED, zero, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED, zero, 64 * PAGE));
  SHOW(MMAP(NULL, PAGE, PROT_READ, MAP_SHARED, zeroRead, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED, zeroRead, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, zeroRead, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, path, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, null, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED, null, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_PRIVATE, full, 0));
  SHOW(MMAP(NULL, PAGE, RW, MAP_SHARED, full, 0));
  SHOW(MMAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0));
  SHOW(MMAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0));
  SHOW(MMAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[1], 0));
  char *a = (char *)MMAP(NULL, PAGE, RW, MAP_SHARED, zero, 0);
  pid_t pid = fork();
  if (pid == 0) {
    a[5] = 7;
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  SAY("  %d", a[5]);
  char buffer[4] = "abc";
  SHOW(write(full, buffer, 3));
  SHOW(write(full, buffer, 0));
  SHOW(read(full, buffer, 3));
  SHOW(WRITE(zero, 16, 3));
  SHOW(WRITE(null, 16, 3));
  SHOW(read(null, buffer, 3));
  SHOW(lseek(null, 100, SEEK_SET));
  SHOW(lseek(zero, 100, SEEK_CUR));
  SHOW(ftruncate(zero, 100));
  SHOW(fsync(null));
}

int main(int argc, char **argv)
{
  if (argc == 2 && strcmp(argv[1], "end") == 0) return 77;
  if (argc == 2 && strcmp(argv[1], "wait") == 0) {
    char byte = 'r';
    CHECK(write(1, &byte, 1) == 1);
    CHECK(read(0, &byte, 1) == 1);
    return 0;
  }
  umask(022);
  programs();
  setIdBits();
  seals();
  direct();
  if (argc > 1 && strcmp(argv[1], "disk") == 0) alignment();
  truncated();
  devices();
  unlink("file-states.tmp");
  SAY("done");
  return 0;
}
