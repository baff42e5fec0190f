/*
 * Where things lie: mappings from the top down and from the bottom up, the heap, the stack at its start and as it grows,
 * page 0, and what personality changes. Each case executes this program anew, since a layout is chosen then; it says
 * what holds on every architecture: which is above which, and how far.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGE = 4096 };
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

extern char end[];

static const char *result(void *p) {
  if (p != MAP_FAILED) return "mapped";
  return errno == EPERM ? "EPERM" : errno == ENOMEM ? "ENOMEM" : errno == EINVAL ? "EINVAL" : "another error";
}

/* The line of /proc/self/maps that `addr` lies in, or that ends in `name`. */
static int find_line(uintptr_t addr, const char *name, uintptr_t *from, uintptr_t *to, char perms[5]) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[512];
  int found = 0;
  CHECK(maps != NULL);
  while (!found && fgets(line, sizeof line, maps)) {
    unsigned long start, stop;
    CHECK(sscanf(line, "%lx-%lx %4s", &start, &stop, perms) == 3);
    line[strcspn(line, "\n")] = 0;
    size_t length = strlen(line), wanted = name == NULL ? 0 : strlen(name);
    found = name == NULL ? start <= addr && addr < stop : length >= wanted && strcmp(line + length - wanted, name) == 0;
    *from = start;
    *to = stop;
  }
  fclose(maps);
  return found;
}

static long least_address(void) {
  char text[32] = "";
  int fd = open("/proc/sys/vm/mmap_min_addr", O_RDONLY);
  CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
  close(fd);
  return atol(text);
}

static const char *perms_at(void *p) {
  static char perms[5];
  uintptr_t from, to;
  return find_line((uintptr_t)p, NULL, &from, &to, perms) ? perms : "none";
}

static int show_layout(void) {
  char perms[5];
  uintptr_t from, to;
  char *first = mmap(NULL, PAGE, RW, ANON, -1, 0);
  char *second = mmap(NULL, PAGE, PROT_READ, ANON, -1, 0);
  SAY("  a second mapping lies %s", second + PAGE == first ? "right below" : second == first + PAGE ? "right above" : "elsewhere");
  char *grows = mmap(NULL, PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0);
  char *next = mmap(NULL, PAGE, RW, ANON, -1, 0);
  long gap = grows > next ? grows - next - PAGE : next - grows - PAGE;
  SAY("  one that grows down keeps %ld KiB below it", grows > next ? gap / 1024 : -1L);
  char *heap = (char *)syscall(SYS_brk, 0);
  SAY("  the heap begins %s", heap >= end && heap - end < 64 * PAGE ? "behind the program" : "elsewhere");
  CHECK(find_line(0, "[stack]", &from, &to, perms));
  SAY("  the stack has %lu KiB, %s", (unsigned long)(to - from) / 1024, perms);
  char *zero = mmap((void *)PAGE, PAGE, RW, ANON, -1, 0);
  SAY("  a hint too low: %s", (long)(uintptr_t)zero == least_address() ? "the least address" : "elsewhere");
  return 0;
}

static int show_page_zero(void) {
  SAY("  page 0 is %s", perms_at((void *)0));
  if (perms_at((void *)0)[0] == 'r') SAY("  and can't be taken away: %s", munmap(0, PAGE) < 0 && errno == EPERM ? "EPERM" : "it can");
  return 0;
}

static int show_exec(void) {
  char *p = mmap(NULL, PAGE, PROT_READ, ANON, -1, 0), *w = mmap(NULL, PAGE, PROT_WRITE, ANON, -1, 0);
  SAY("  readable %s", perms_at(p));
  SAY("  writable alone %s", perms_at(w));
  CHECK(mprotect(w, PAGE, PROT_READ) == 0);
  SAY("  made readable %s", perms_at(w));
  CHECK(mprotect(w, PAGE, PROT_NONE) == 0);
  SAY("  made neither %s", perms_at(w));
  int fd = open("/proc/self/exe", O_RDONLY);
  char *f = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  SAY("  a file %s", perms_at(f));
  return 0;
}

static void run(const char *name, const char *what, unsigned long flags, long stack) {
  SAY("%s", name);
  pid_t pid = fork();
  if (pid == 0) {
    if (stack != 0) {
      struct rlimit limit;
      getrlimit(RLIMIT_STACK, &limit);
      limit.rlim_cur = (rlim_t)stack;
      CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
    }
    CHECK(personality(flags) != -1);
    execl("/proc/self/exe", "layout", what, (char *)NULL);
    _exit(1);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* How deep the stack can go: children touch one page each, until one dies. */
static long depth(long limit) {
  long reached = 0;
  for (long step = PAGE * 16; step <= 4 * limit; step += PAGE * 16) {
    pid_t pid = fork();
    if (pid == 0) {
      struct rlimit now;
      getrlimit(RLIMIT_STACK, &now);
      now.rlim_cur = (rlim_t)limit;
      setrlimit(RLIMIT_STACK, &now);
      char *here = __builtin_frame_address(0);
      *(volatile char *)(here - step) = 1;
      _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    if (status != 0) break;
    reached = step;
  }
  return reached;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "-layout") == 0) return show_layout();
  if (argc == 2 && strcmp(argv[1], "-zero") == 0) return show_page_zero();
  run("top down", "-layout", ADDR_NO_RANDOMIZE, 0);
  run("bottom up", "-layout", ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT, 0);
  run("a stack of 64 KiB", "-layout", ADDR_NO_RANDOMIZE, 65536);
  run("no page 0", "-zero", ADDR_NO_RANDOMIZE, 0);
  run("page 0", "-zero", ADDR_NO_RANDOMIZE | MMAP_PAGE_ZERO, 0);
  SAY("what is readable is executable");
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    personality(READ_IMPLIES_EXEC);
    _exit(show_exec());
  }
  CHECK(waitpid(pid, NULL, 0) == pid);
  int before = personality(0x0240000), after = personality(0xffffffff);
  SAY("personality is told: %x, then %x", before, after);
  personality(0);
  long limit = 1 << 20, reached = depth(limit);
  SAY("a stack of 1 MiB reaches %s", reached > limit - 64 * PAGE && reached <= limit ? "its limit" : "elsewhere");
  if (getuid() == 0) {
    char *p = mmap(0, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    SAY("page 0 as root: %s", result(p));
    if (p != MAP_FAILED) munmap(p, PAGE);
    pid = fork();
    if (pid == 0) {
      CHECK(syscall(SYS_setresuid, 1234, 1234, 1234) == 0);
      SAY("page 0 as a user: %s", result(mmap(0, PAGE, RW, ANON | MAP_FIXED, -1, 0)));
      char *least = (char *)least_address();
      SAY("below the least address as a user: %s", result(mmap(least - PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0)));
      char *map = mmap(NULL, PAGE, RW, ANON, -1, 0);
      SAY("moved below it: %s", result(mremap(map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, least - PAGE)));
      _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
  }
  return 0;
}
