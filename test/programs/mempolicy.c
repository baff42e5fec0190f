/*
 * Memory policy (mbind, set_mempolicy, get_mempolicy, set_mempolicy_home_node, migrate_pages, move_pages) on a machine with
 * one memory node: which policies there can be, how mappings split and merge by them, what numa_maps says, who inherits them,
 * which pages move, and which error comes first.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY, WEIGHTED };
enum { STATIC = 1 << 15, RELATIVE = 1 << 14, BALANCING = 1 << 13 };
enum { STRICT = 1, MOVE = 2, MOVE_ALL = 4, LAZY = 8 };
enum { NODE = 1, ADDR = 2, ALLOWED = 4 };

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif
#define MBIND(...) syscall(SYS_mbind, __VA_ARGS__)
#define SET(...) syscall(SYS_set_mempolicy, __VA_ARGS__)
#define GET(...) syscall(SYS_get_mempolicy, __VA_ARGS__)
#define HOME(...) syscall(SYS_set_mempolicy_home_node, __VA_ARGS__)
#define MOVE_PAGES(...) syscall(SYS_move_pages, __VA_ARGS__)
#define MIGRATE(...) syscall(SYS_migrate_pages, __VA_ARGS__)

static uint64_t none[17], first[17] = {1}, second[17] = {2}, both[17] = {3}, far[17] = {[16] = 1};

/* The lines of numa_maps in a range: where each begins, its policy, and how many pages of a kind. */
static void maps(const char *what, char *from, size_t pages)
{
  static char text[1 << 20];
  int fd = open("/proc/self/numa_maps", O_RDONLY);
  size_t size = 0;
  for (ssize_t got; (got = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += got;
  close(fd);
  text[size] = 0;
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    char *rest;
    uintptr_t at = strtoull(line, &rest, 16);
    if (at < (uintptr_t)from || at >= (uintptr_t)from + pages * PAGE) continue;
    char *file = strstr(rest, " file=");
    if (file) {
      char *end = strchr(file + 1, ' ');
      if (end) memmove(file, end, strlen(end) + 1);
      else *file = 0;
    }
    SAY("%s +%zu%s", what, (at - (uintptr_t)from) / PAGE, rest);
  }
}

/* What the thread's policy is, or that of an address. */
static void policy(const char *what, void *at)
{
  int mode = -1;
  uint64_t nodes[16];
  memset(nodes, 0xff, sizeof nodes);
  long got = GET(&mode, nodes, 1024, at, at ? ADDR : 0);
  SAY("%s: %ld mode %x nodes %llx %llx", what, got, mode, (long long)nodes[0], (long long)nodes[15]);
}

static void modes(void)
{
  static const int all[] = {DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY, WEIGHTED, 7, -1};
  static const int flags[] = {0, STATIC, RELATIVE, BALANCING, STATIC | RELATIVE, STATIC | BALANCING, RELATIVE | BALANCING, 1 << 12};
  static uint64_t *const masks[] = {NULL, none, first, second, both};
  char *at = mmap(NULL, PAGE, RW, ANON, -1, 0);
  *at = 1;
  for (unsigned m = 0; m < 9; m++)
    for (unsigned f = 0; f < 8; f++)
      for (unsigned n = 0; n < 5; n++) {
        errno = 0;
        long set = SET(all[m] | flags[f], masks[n], 64);
        int setError = errno;
        errno = 0;
        long bound = MBIND(at, PAGE, all[m] | flags[f], masks[n], 64, 0);
        if (set < 0 && bound < 0 && setError == errno) {
          if (errno != EINVAL) SAY("%d %x %u: %d", all[m], flags[f], n, errno);
          continue;
        }
        SAY("mode %d flags %x nodes %u: %ld %ld %d %d", all[m], flags[f], n, set, bound, setError, errno);
        policy("  thread", NULL);
        policy("  page", at);
        maps("  shown", at, 1);
      }
  SHOW(SET(DEFAULT, NULL, 0));
  munmap(at, PAGE);
}

static void masks(void)
{
  int mode;
  static uint64_t nodes[1024];
  SHOW(SET(BIND, first, 0));
  SHOW(SET(BIND, first, 1));
  SHOW(SET(BIND, first, 2));
  SHOW(SET(BIND, both, 2));
  SHOW(SET(BIND, second, 2));
  SHOW(SET(BIND, second, 3));
  SHOW(SET(BIND, first, 1024));
  SHOW(SET(BIND, first, 1025));
  SHOW(SET(BIND, first, 1026));
  SHOW(SET(BIND, far, 1025));
  SHOW(SET(BIND, far, 1026));
  SHOW(SET(BIND, far, 1089));
  SHOW(SET(BIND, first, 32769));
  SHOW(SET(BIND, first, 32770));
  SHOW(SET(BIND, first, -1));
  SHOW(SET(BIND, 8, 64));
  SHOW(SET(BIND, 8, 0));
  SHOW(SET(DEFAULT, 8, 64));
  SHOW(SET(77, 8, 64));
  SHOW(SET(DEFAULT, none, 64));
  SHOW(SET(DEFAULT, first, 64));
  SHOW(SET(PREFERRED | STATIC, NULL, 0));
  SHOW(SET(BIND | STATIC, both, 64));
  policy("static", NULL);
  SHOW(GET(&mode, nodes, 0, 0, 0));
  SHOW(GET(&mode, nodes, 1, 0, 0));
  memset(nodes, 0xff, sizeof nodes);
  SHOW(GET(&mode, nodes, 2, 0, 0));
  SAY("%llx", (long long)nodes[0]);
  SHOW(GET(&mode, nodes, 66, 0, 0));
  SAY("%llx %llx", (long long)nodes[0], (long long)nodes[1]);
  SHOW(GET(&mode, nodes, 1026, 0, 0));
  SAY("%llx %llx", (long long)nodes[15], (long long)nodes[16]);
  SHOW(GET(&mode, nodes, 32769, 0, 0));
  SHOW(GET(&mode, nodes, 32770, 0, 0));
  SHOW(GET(&mode, 8, 64, 0, 0));
  SHOW(GET(&mode, 8, 1, 0, 0));
  SHOW(GET(8, nodes, 64, 0, 0));
  SHOW(GET(NULL, NULL, 0, 0, 0));
  SHOW(GET(&mode, NULL, 0, nodes, 0));
  SHOW(GET(&mode, NULL, 0, 0, 8));
  SHOW(GET(&mode, NULL, 0, 0, ALLOWED | NODE));
  SHOW(GET(&mode, NULL, 0, 0, ALLOWED | ADDR));
  mode = 99;
  memset(nodes, 0xff, sizeof nodes);
  SHOW(GET(&mode, nodes, 1024, 8, ALLOWED));
  SAY("allowed %d %llx %llx", mode, (long long)nodes[0], (long long)nodes[15]);
  SHOW(GET(&mode, NULL, 0, 0, ADDR));
  SHOW(GET(&mode, NULL, 0, 0, ADDR | NODE));
  SHOW(GET(&mode, NULL, 0, 0, NODE));
  SHOW(SET(INTERLEAVE, first, 64));
  mode = 99;
  SHOW(GET(&mode, NULL, 0, 0, NODE));
  SAY("next %d", mode);
  SHOW(SET(WEIGHTED, first, 64));
  mode = 99;
  SHOW(GET(&mode, NULL, 0, 0, NODE));
  SAY("next %d", mode);
  SHOW(SET(DEFAULT, NULL, 0));
  char *at = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);
  munmap(at + PAGE, PAGE);
  mode = 99;
  SHOW(GET(&mode, NULL, 0, at, ADDR | NODE));
  SAY("node %d", mode);
  mprotect(at + 2 * PAGE, PAGE, PROT_NONE);
  SHOW(GET(&mode, NULL, 0, at + PAGE, ADDR | NODE));
  SHOW(GET(&mode, NULL, 0, at + PAGE, ADDR));
  SHOW(GET(&mode, NULL, 0, at + 2 * PAGE, ADDR | NODE));
  SHOW(GET(&mode, NULL, 0, at + 2 * PAGE + 5, ADDR));
  munmap(at, 3 * PAGE);
}

static void ranges(void)
{
  char *at = mmap(NULL, 16 * PAGE, RW, ANON, -1, 0);
  SHOW(MBIND(at, 0, BIND, first, 64, 0));
  SHOW(MBIND(at + 1, PAGE, BIND, first, 64, 0));
  SHOW(MBIND(at, PAGE, BIND, first, 64, LAZY));
  SHOW(MBIND(at, PAGE, BIND, first, 64, 16));
  SHOW(MBIND(at, -1ul, BIND, first, 64, 0));
  SHOW(MBIND(at, -2 * PAGE, BIND, first, 64, 0));
  SHOW(MBIND(1, -1ul, 77, 8, 64, 99));
  SHOW(MBIND(1, -1ul, BIND, 8, 64, 99));
  SHOW(MBIND(1, -1ul, BIND, none, 64, 99));
  SHOW(MBIND(at, PAGE, BIND, none, 64, 0));
  SHOW(MBIND(at, 0, BIND, none, 64, 0));
  SHOW(MBIND(at, 0, BIND, second, 64, 0));
  SHOW(MBIND(at + 4 * PAGE, 4 * PAGE, BIND, first, 64, 0));
  maps("cut", at, 16);
  SHOW(MBIND(at + 8 * PAGE, PAGE + 1, BIND, first, 64, 0));
  maps("grown", at, 16);
  SHOW(MBIND(at, 4 * PAGE, PREFERRED, first, 64, 0));
  SHOW(MBIND(at + 2 * PAGE, 4 * PAGE, BIND | STATIC, both, 64, 0));
  maps("two", at, 16);
  SHOW(MBIND(at + 2 * PAGE, 2 * PAGE, BIND | STATIC, first, 64, 0));
  maps("other nodes", at, 16);
  SHOW(HOME(at, 16 * PAGE, 0, 0));
  SHOW(HOME(at + 2 * PAGE, 2 * PAGE, 0, 0));
  SHOW(MBIND(at + 4 * PAGE, 2 * PAGE, BIND | STATIC, first, 64, 0));
  maps("home", at, 16);
  SHOW(MBIND(at, 16 * PAGE, DEFAULT, NULL, 0, STRICT));
  maps("default", at, 16);
  SHOW(mprotect(at + PAGE, PAGE, PROT_READ));
  SHOW(MBIND(at, 2 * PAGE, LOCAL, NULL, 0, 0));
  SHOW(mprotect(at + PAGE, PAGE, RW));
  maps("merged", at, 16);
  munmap(at + 6 * PAGE, PAGE);
  SHOW(MBIND(at, 16 * PAGE, BIND, first, 64, 0));
  maps("hole", at, 16);
  SHOW(MBIND(at + 6 * PAGE, 2 * PAGE, BIND, first, 64, 0));
  SHOW(MBIND(at + 6 * PAGE, PAGE, BIND, first, 64, 0));
  SHOW(MBIND(at + 6 * PAGE, PAGE, DEFAULT, NULL, 0, 0));
  SHOW(MBIND(at + 4 * PAGE, 3 * PAGE, BIND, first, 64, 0));
  SHOW(MBIND(at, 16 * PAGE, DEFAULT, NULL, 0, 0));
  maps("over the hole", at, 16);
  SHOW(MBIND(at, 6 * PAGE, INTERLEAVE, first, 64, 0));
  void *again = mmap(at + 6 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
  SAY("%d", again == at + 6 * PAGE);
  maps("new neighbour", at, 16);
  SHOW(mremap(at + 4 * PAGE, 2 * PAGE, PAGE, 0) == at + 4 * PAGE);
  char *moved = mremap(at + 2 * PAGE, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
  maps("moved", moved, 4);
  SHOW(HOME(at + 1, PAGE, 0, 0));
  SHOW(HOME(at, PAGE, 0, 1));
  SHOW(HOME(at, PAGE, 1, 0));
  SHOW(HOME(at, PAGE, 1024, 0));
  SHOW(HOME(at, PAGE, -1, 0));
  SHOW(HOME(at, 0, 0, 0));
  SHOW(HOME(at, -1ul, 0, 0));
  SHOW(HOME(at, -2 * PAGE, 0, 0));
  SHOW(HOME(at, PAGE, 0, 0));
  SHOW(HOME(at + 8 * PAGE, PAGE, 0, 0));
  SHOW(HOME(at + 2 * PAGE, PAGE, 0, 0));
  SHOW(MBIND(at + 8 * PAGE, PAGE, PREFERRED_MANY, first, 64, 0));
  SHOW(HOME(at + 7 * PAGE, 3 * PAGE, 0, 0));
  SHOW(HOME(at, 16 * PAGE, 0, 0));
  munmap(at, 16 * PAGE);
  munmap(moved, 4 * PAGE);
}

static void strict(void)
{
  char *at = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0);
  static const int flags[] = {0, STRICT, MOVE, STRICT | MOVE, MOVE_ALL, STRICT | MOVE_ALL};
  for (unsigned f = 0; f < 6; f++) {
    SAY("flags %d", flags[f]);
    munmap(at, 8 * PAGE);
    mmap(at, 8 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
    SHOW(MBIND(at, 8 * PAGE, LOCAL, NULL, 0, flags[f]));
    memset(at, 'x', 3 * PAGE);
    maps("filled", at, 8);
    SHOW(MBIND(at, 8 * PAGE, BIND, first, 64, flags[f]));
    SHOW(MBIND(at, 8 * PAGE, BIND | RELATIVE, second, 64, flags[f]));
    SHOW(MBIND(at, 8 * PAGE, BIND | STATIC, both, 64, flags[f]));
    SHOW(MBIND(at + 3 * PAGE, 4 * PAGE, LOCAL, NULL, 0, flags[f]));
    SHOW(MBIND(at, 2 * PAGE, PREFERRED, NULL, 0, flags[f]));
    SHOW(MBIND(at, 8 * PAGE, DEFAULT, NULL, 0, flags[f]));
    maps("after", at, 8);
    SAY("%c%c%c", at[0], at[2 * PAGE - 1], at[3 * PAGE - 1]);
  }
  SHOW(mlock(at, 2 * PAGE));
  SHOW(MBIND(at, 8 * PAGE, LOCAL, NULL, 0, STRICT | MOVE));
  maps("locked", at, 8);
  SAY("%c%c%c", at[0], at[2 * PAGE - 1], at[3 * PAGE - 1]);
  munmap(at, 8 * PAGE);
}

/* Pages that a child shares stay where they are, but for who may move all. */
static void shared(void)
{
  char *at = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
  memset(at, 'p', 4 * PAGE);
  SHOW(MBIND(at, 4 * PAGE, INTERLEAVE, first, 64, 0));
  SHOW(SET(PREFERRED, first, 64));
  int go[2], back[2];
  char byte;
  if (pipe(go) || pipe(back)) return;
  fflush(stdout);
  if (fork() == 0) {
    policy("child", NULL);
    policy("child's page", at);
    at[0] = 'c';
    SHOW(MBIND(at, 4 * PAGE, LOCAL, NULL, 0, STRICT | MOVE));
    maps("child", at, 4);
    SHOW(MBIND(at, 4 * PAGE, PREFERRED, NULL, 0, STRICT | MOVE_ALL));
    maps("child", at, 4);
    SAY("%c%c", at[0], at[PAGE]);
    at[PAGE] = 'd';
    fflush(stdout);
    if (write(back[1], "", 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  if (read(back[0], &byte, 1) != 1) return;
  SAY("%c%c", at[0], at[PAGE]);
  maps("parent", at, 4);
  policy("parent", at);
  if (write(go[1], "", 1) != 1) return;
  wait(NULL);
  close(go[0]);
  close(go[1]);
  close(back[0]);
  close(back[1]);
  SHOW(SET(DEFAULT, NULL, 0));
  munmap(at, 4 * PAGE);
}

/* The policy of shared memory belongs to it, not to who maps it. */
static void objects(void)
{
  int fd = memfd_create("m", 0);
  SHOW(ftruncate(fd, 16 * PAGE));
  char *one = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
  char *two = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 4 * PAGE);
  char *private = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);
  SHOW(MBIND(one + 4 * PAGE, 2 * PAGE, BIND, first, 64, 0));
  maps("one", one, 8);
  maps("two", two, 8);
  policy("two +0", two);
  policy("two +1", two + PAGE);
  policy("two +2", two + 2 * PAGE);
  maps("private", private, 8);
  policy("private +5", private + 5 * PAGE);
  SHOW(MBIND(two + PAGE, 2 * PAGE, INTERLEAVE, first, 64, 0));
  policy("one +4", one + 4 * PAGE);
  policy("one +5", one + 5 * PAGE);
  policy("one +6", one + 6 * PAGE);
  policy("one +7", one + 7 * PAGE);
  SHOW(MBIND(private + 4 * PAGE, PAGE, PREFERRED, first, 64, 0));
  policy("two +0", two);
  SHOW(MBIND(one + 4 * PAGE, 2 * PAGE, BIND, first, 64, 0));
  policy("two +1", two + PAGE);
  SHOW(MBIND(one, 8 * PAGE, DEFAULT, NULL, 0, 0));
  policy("two +0", two);
  policy("two +2", two + 2 * PAGE);
  maps("one", one, 8);
  munmap(one, 8 * PAGE);
  one = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 4 * PAGE);
  policy("again +2", one + 2 * PAGE);
  SHOW(MBIND(one, 8 * PAGE, LOCAL, NULL, 0, 0));
  munmap(one, 8 * PAGE);
  munmap(two, 8 * PAGE);
  munmap(private, 8 * PAGE);
  one = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 4 * PAGE);
  policy("nobody had it", one);
  maps("nobody had it", one, 8);
  munmap(one, 8 * PAGE);
  close(fd);

  char *anonymous = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset(anonymous, 's', 4 * PAGE);
  SHOW(MBIND(anonymous + PAGE, PAGE, BIND | STATIC, both, 64, 0));
  maps("shared anonymous", anonymous, 4);
  SHOW(MBIND(anonymous, 4 * PAGE, LOCAL, NULL, 0, STRICT | MOVE));
  maps("moved", anonymous, 4);
  SAY("%c", anonymous[3 * PAGE]);
  munmap(anonymous, 4 * PAGE);

  int id = shmget(IPC_PRIVATE, 4 * PAGE, IPC_CREAT | 0600);
  char *segment = shmat(id, NULL, 0);
  char *other = shmat(id, NULL, 0);
  SHOW(MBIND(segment + 2 * PAGE, 2 * PAGE, WEIGHTED, first, 64, 0));
  maps("segment", segment, 4);
  policy("other +1", other + PAGE);
  policy("other +2", other + 2 * PAGE);
  shmdt(segment);
  shmdt(other);
  shmctl(id, IPC_RMID, NULL);

  char *heap = (char *)syscall(SYS_brk, 0);
  heap += -(uintptr_t)heap % PAGE;
  syscall(SYS_brk, heap + 2 * PAGE);
  SHOW(MBIND(heap, 2 * PAGE, BIND, first, 64, 0));
  syscall(SYS_brk, heap + 4 * PAGE);
  maps("heap", heap, 4);
  SHOW(MBIND(heap, 4 * PAGE, DEFAULT, NULL, 0, 0));
  syscall(SYS_brk, heap);

  fd = open("/proc/self/exe", O_RDONLY);
  char *file = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
  SHOW(MBIND(file, PAGE, PREFERRED_MANY, first, 64, 0));
  policy("file +0", file);
  policy("file +1", file + PAGE);
  munmap(file, 2 * PAGE);
  close(fd);
}

static void *thread(void *at)
{
  policy("new thread", NULL);
  SHOW(SET(INTERLEAVE, first, 64));
  maps("shows the first thread's", at, 1);
  return NULL;
}

static void threads(void)
{
  char *at = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, ANON, -1, 0);
  pthread_t one;
  SHOW(SET(BIND, first, 64));
  pthread_create(&one, NULL, thread, at);
  pthread_join(one, NULL);
  policy("first thread", NULL);
  maps("thread's", at, 1);
  SHOW(SET(DEFAULT, NULL, 0));
  munmap(at, PAGE);
}

static void moving(void)
{
  char *at = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0);
  memset(at, 'm', 2 * PAGE);
  mprotect(at + 4 * PAGE, PAGE, PROT_NONE);
  munmap(at + 5 * PAGE, PAGE);
  void *pages[8] = {at, at + PAGE + 7, at + 2 * PAGE, at + 3 * PAGE, at + 4 * PAGE, at + 5 * PAGE, (void *)8, (void *)-8};
  int status[8], nodes[8] = {0}, wrong[8] = {0, 1, 0, -1, 1024, 0, 0, 0};
  for (int flag = 0; flag <= 8; flag += flag ? flag : 1) {
    memset(status, 'q', sizeof status);
    SHOW(MOVE_PAGES(0, 8, pages, NULL, status, flag));
    for (int i = 0; i < 8; i++) SAY("  %d", status[i]);
    memset(status, 'q', sizeof status);
    SHOW(MOVE_PAGES(0, 8, pages, nodes, status, flag));
    for (int i = 0; i < 8; i++) SAY("  %d", status[i]);
  }
  memset(status, 'q', sizeof status);
  SHOW(MOVE_PAGES(0, 8, pages, wrong, status, MOVE));
  for (int i = 0; i < 8; i++) SAY("  %d", status[i]);
  wrong[1] = 0;
  memset(status, 'q', sizeof status);
  SHOW(MOVE_PAGES(0, 8, pages, wrong, status, MOVE));
  for (int i = 0; i < 8; i++) SAY("  %d", status[i]);
  wrong[3] = 0;
  memset(status, 'q', sizeof status);
  SHOW(MOVE_PAGES(0, 8, pages, wrong, status, MOVE));
  for (int i = 0; i < 8; i++) SAY("  %d", status[i]);
  SHOW(MOVE_PAGES(0, 0, pages, nodes, status, 0));
  SHOW(MOVE_PAGES(0, 0, NULL, NULL, NULL, 0));
  SHOW(MOVE_PAGES(0, 1, 8, NULL, status, 0));
  SHOW(MOVE_PAGES(0, 1, pages, 8, status, 0));
  SHOW(MOVE_PAGES(0, 1, pages, NULL, 8, 0));
  SHOW(MOVE_PAGES(0, 1, pages, nodes, 8, 0));
  SHOW(MOVE_PAGES(0, 1, pages, nodes, NULL, 0));
  SHOW(MOVE_PAGES(-1, 1, pages, nodes, status, 0));
  SHOW(MOVE_PAGES(99999, 1, pages, nodes, status, 0));
  SHOW(MOVE_PAGES(99999, 1, pages, nodes, status, 1));
  SHOW(MOVE_PAGES(getpid(), 1, pages, nodes, status, 0));
  SAY("%c", *at);

  SHOW(MIGRATE(0, 64, first, first));
  SHOW(MIGRATE(0, 64, both, first));
  SHOW(MIGRATE(0, 64, second, first));
  SHOW(MIGRATE(0, 64, none, first));
  SHOW(MIGRATE(0, 64, first, second));
  SHOW(MIGRATE(0, 64, first, both));
  SHOW(MIGRATE(0, 64, first, none));
  SHOW(MIGRATE(0, 0, first, first));
  SHOW(MIGRATE(0, 64, NULL, first));
  SHOW(MIGRATE(0, 64, 8, first));
  SHOW(MIGRATE(0, 64, first, 8));
  SHOW(MIGRATE(0, 32770, first, first));
  SHOW(MIGRATE(-1, 64, first, first));
  SHOW(MIGRATE(99999, 64, first, first));
  SHOW(MIGRATE(99999, 64, first, 8));
  SHOW(MIGRATE(99999, 64, first, none));
  SHOW(MIGRATE(getpid(), 64, first, first));
  fflush(stdout);
  if (fork() == 0) {
    if (setgid(1000) || setuid(1000)) _exit(1);
    SHOW(MIGRATE(0, 64, first, first));
    SHOW(MIGRATE(0, 64, first, second));
    SHOW(MIGRATE(0, 64, first, both));
    SHOW(MIGRATE(getppid(), 64, first, first));
    SHOW(MOVE_PAGES(0, 1, pages, nodes, status, MOVE_ALL));
    SHOW(MOVE_PAGES(getppid(), 1, pages, nodes, status, MOVE));
    SHOW(MBIND(at, PAGE, LOCAL, NULL, 0, MOVE_ALL));
    SHOW(MBIND(at + 1, PAGE, LOCAL, NULL, 0, MOVE_ALL));
    SHOW(MBIND(at, PAGE, LOCAL, first, 64, MOVE_ALL));
    SHOW(MBIND(at, PAGE, 77, NULL, 0, MOVE_ALL));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  munmap(at, 8 * PAGE);
}

int main(void)
{
  modes();
  masks();
  ranges();
  strict();
  shared();
  objects();
  threads();
  moving();
  return 0;
}
