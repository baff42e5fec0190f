/*
 * A program that reads and writes its own /proc: the figures of one mapping, through a fork, through the pagemap, through
 * mem and PROCMAP_QUERY.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define P 4096L
#define RW (PROT_READ | PROT_WRITE)

/* include/uapi/linux/fs.h, since 6.11 */
struct query {
  uint64_t size, flags, addr, start, end, vma_flags, page_size, offset, inode;
  uint32_t major, minor, name_size, build_id_size;
  uint64_t name_addr, build_id_addr;
};
#define QUERY _IOWR('f', 17, struct query)

/* A figure of the mapping that begins at `at`, in kB. */
static long figure(char *at, const char *label)
{
  FILE *file = fopen("/proc/self/smaps", "r");
  CHECK(file);
  char line[512];
  long value = -1;
  int here = 0;
  while (value < 0 && fgets(line, sizeof line, file)) {
    char *end;
    unsigned long start = strtoul(line, &end, 16);
    if (*end == '-') here = start == (unsigned long)at;
    else if (here && !strncmp(line, label, strlen(label)) && line[strlen(label)] == ':')
      value = atol(line + strlen(label) + 1);
  }
  fclose(file);
  return value;
}

static void say_figures(const char *when, char *at)
{
  SAY("%s: size %ld rss %ld pss %ld shared %ld private %ld anonymous %ld referenced %ld", when, figure(at, "Size"),
      figure(at, "Rss"), figure(at, "Pss"), figure(at, "Shared_Dirty"), figure(at, "Private_Dirty"),
      figure(at, "Anonymous"), figure(at, "Referenced"));
}

static void say_pagemap(const char *when, char *at, int pages)
{
  int fd = open("/proc/self/pagemap", O_RDONLY);
  CHECK(fd >= 0);
  printf("%s:", when);
  for (int i = 0; i < pages; i++) {
    uint64_t entry;
    CHECK(pread(fd, &entry, 8, (uintptr_t)at / P * 8 + i * 8) == 8);
    printf(" %s%s%s", entry >> 63 ? "present" : "none", entry >> 61 & 1 ? "+file" : "", entry >> 56 & 1 ? "+own" : "");
  }
  printf("\n");
  fflush(stdout);
  close(fd);
}

static void write_file(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY);
  CHECK(fd >= 0);
  CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

int main(void)
{
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  char *at = mmap((void *)0x600000000000, 16 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at == (char *)0x600000000000);
  for (int i = 0; i < 5; i++) at[i * P] = 1;
  (void)*(volatile char *)(at + 8 * P);
  say_figures("touched", at);
  say_pagemap("touched", at + 3 * P, 6);

  int go[2];
  CHECK(pipe(go) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char byte;
    close(go[1]);
    _exit(read(go[0], &byte, 1));
  }
  close(go[0]);
  say_figures("forked", at);
  at[0] = 2;
  say_figures("written", at);
  say_pagemap("written", at, 2);
  close(go[1]);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  say_figures("alone", at);

  write_file("/proc/self/clear_refs", "1");
  SAY("after clear_refs: referenced %ld", figure(at, "Referenced"));

  CHECK(mprotect(at, P, PROT_READ) == 0);
  int mem = open("/proc/self/mem", O_RDWR);
  CHECK(mem >= 0);
  CHECK(pwrite(mem, "x", 1, (off_t)(uintptr_t)at) == 1);
  CHECK_ERRNO(pread(mem, at + P, 1, 4096), EIO);
  SAY("mem: %c", at[0]);
  close(mem);

  int maps = open("/proc/self/maps", O_RDONLY);
  char name[64];
  struct query query = { .size = sizeof query, .addr = (uintptr_t)at + P, .flags = 0x10 };
  CHECK(ioctl(maps, QUERY, &query) == 0);
  SAY("query: %lx-%lx flags %lx", (unsigned long)query.start, (unsigned long)query.end, (unsigned long)query.vma_flags);
  int fd = memfd_create("named", 0);
  CHECK(ftruncate(fd, 2 * P) == 0);
  char *shared = mmap(NULL, 2 * P, RW, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED);
  query = (struct query){ .size = sizeof query, .addr = (uintptr_t)shared, .name_addr = (uintptr_t)name,
                          .name_size = sizeof name };
  CHECK(ioctl(maps, QUERY, &query) == 0);
  SAY("query: flags %lx, %u bytes: %s", (unsigned long)query.vma_flags, query.name_size, name);
  query.addr = (uintptr_t)at - P;
  query.name_size = sizeof name;
  query.build_id_size = 0;
  CHECK_ERRNO(ioctl(maps, QUERY, &query), ENOENT);
  close(maps);

  char path[64], target[64] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK(readlink(path, target, sizeof target - 1) > 0);
  SAY("fd: %s", target);
  CHECK(pwrite(fd, "hello", 5, 0) == 5);
  int again = open(path, O_RDONLY);
  char text[6] = "";
  CHECK(again >= 0 && read(again, text, 5) == 5);
  SAY("opened again: %s", text);

  write_file("/proc/self/comm", "new name");
  CHECK(prctl(PR_GET_NAME, name) == 0);
  SAY("name: %s", name);
  FILE *line = fopen("/proc/self/cmdline", "r");
  CHECK(line && fread(text, 1, 5, line) > 0);
  fclose(line);
  struct stat own, exe;
  CHECK(stat("/proc/self/exe", &exe) == 0 && S_ISREG(exe.st_mode));
  CHECK(stat("/proc/self", &own) == 0 && S_ISDIR(own.st_mode));
  CHECK_ERRNO(open("/proc/self/none", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("/proc/self/maps", O_RDONLY | O_DIRECTORY), ENOTDIR);
  return 0;
}
