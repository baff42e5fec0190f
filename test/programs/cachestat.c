/*
 * cachestat: how much of a file of memory is there, and who may ask of what. Then renames that leave a whiteout behind, and who
 * may make what kind of node.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define P 4096L
#define WHITEOUT 4
#define NOREPLACE 1
#define EXCHANGE 2

static uint64_t range[2], answer[5];

static long cachestat(int fd, uint64_t offset, uint64_t length, unsigned flags)
{
  range[0] = offset;
  range[1] = length;
  long result = syscall(451, fd, range, answer, flags);
  if (result == 0) SAY("%d cached, %d dirty, %d evicted", (int)answer[0], (int)answer[1], (int)answer[3]);
  return result;
}

static long move(const char *from, const char *to, unsigned flags)
{
  return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void node(const char *name)
{
  struct stat st;
  if (lstat(name, &st) != 0) SAY("%s is not there", name);
  else SAY("%s: mode %o, device %d, user %d, %d links", name, st.st_mode, (int)st.st_rdev, (int)st.st_uid, (int)st.st_nlink);
}

static void file(const char *name)
{
  close(open(name, O_CREAT | O_RDWR, 0600));
}

static void asking(void)
{
  int memory = syscall(SYS_memfd_create, "m", 0), huge = syscall(SYS_memfd_create, "h", 4), ends[2], reader;
  char name[40];
  CHECK(memory > 2 && huge > 2 && pipe(ends) == 0 && ftruncate(memory, 8 * P) == 0);
  SHOW(cachestat(memory, 0, 0, 0));
  CHECK(pwrite(memory, "x", 1, 2 * P) == 1 && pwrite(memory, "x", 1, 5 * P) == 1);
  SHOW(cachestat(memory, 0, 0, 0));
  SHOW(cachestat(memory, 2 * P, P, 0));
  SHOW(cachestat(memory, 2 * P + 1, 3 * P, 0));
  SHOW(cachestat(memory, 3 * P, 2 * P, 0));
  SHOW(cachestat(memory, 100 * P, 0, 0));
  SHOW(cachestat(memory, 2 * P, UINT64_MAX, 0));
  SHOW(cachestat(memory, 2 * P + 5, UINT64_MAX, 0));
  SHOW(cachestat(memory, 0, 0, 1));
  SHOW(syscall(451, memory, NULL, answer, 1));
  SHOW(syscall(451, memory, range, (void *)8, 0));
  SHOW(cachestat(-1, 0, 0, 0));
  SHOW(cachestat(huge, 0, 0, 1));
  SHOW(cachestat(ends[0], 0, 0, 0));
  SHOW(cachestat(open("/", O_RDONLY), 0, 0, 0));
  SHOW(cachestat(open("/dev/null", O_RDONLY), 0, 0, 0));
  SHOW(cachestat(open("/dev/null", O_PATH), 0, 0, 0));
  CHECK(fchmod(memory, 0444) == 0);
  snprintf(name, sizeof name, "/proc/self/fd/%d", memory);
  reader = open(name, O_RDONLY);
  if (fork() == 0) {
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    SHOW(cachestat(reader, 0, 0, 0));
    SHOW(cachestat(memory, 0, 0, 0));
    SHOW(fchmod(reader, 0));
    _exit(0);
  }
  wait(NULL);
}

static void renaming(void)
{
  file("a");
  file("b");
  CHECK(mkdir("d", 0700) == 0 && mkdir("e", 0700) == 0);
  file("e/x");
  SHOW(move("a", "c", WHITEOUT));
  node("a");
  node("c");
  SHOW(move("b", "c", WHITEOUT | NOREPLACE));
  SHOW(move("b", "c", WHITEOUT | EXCHANGE));
  SHOW(move("b", "c", WHITEOUT));
  node("b");
  SHOW(move("d", "e", WHITEOUT));
  SHOW(move("d", "f", WHITEOUT));
  node("d");
  SHOW(open("d", O_RDONLY));
  SHOW(move("c", "c", WHITEOUT));
  SHOW(move("c", "g", 8));
  CHECK(chmod(".", 0777) == 0);
  if (fork() == 0) {
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    file("u");
    SHOW(move("u", "v", WHITEOUT));
    node("u");
    SHOW(mknod("n1", S_IFCHR | 0600, 0));
    SHOW(mknod("n2", S_IFCHR | 0600, 0x103));
    SHOW(mknod("n3", S_IFBLK | 0600, 0));
    SHOW(mknod("n4", S_IFSOCK | 0600, 0));
    SHOW(mknod("n5", S_IFIFO | 0600, 0));
    _exit(0);
  }
  wait(NULL);
}

int main(void)
{
  asking();
  char folder[] = "whiteXXXXXX";
  CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
  renaming();
  return 0;
}
