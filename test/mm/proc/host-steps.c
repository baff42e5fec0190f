/*
 * Runs the steps on standard input with the host's kernel and prints what its /proc says of the memory between LOW and
 * HIGH. The steps are those of steps.ts; one a line, numbers in any base that strtoul knows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOW 0x600000000000ul
#define HIGH 0x610000000000ul

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* Prints the records of a file that begin with an address in range, up to the next such line. */
static void show(const char *path, int headed) {
  FILE *file = fopen(path, "r");
  if (!file) die(path);
  char line[4096];
  int in_range = 0;
  while (fgets(line, sizeof line, file)) {
    char *end;
    unsigned long start = strtoul(line, &end, 16);
    if (!headed || *end == '-') in_range = start >= LOW && start < HIGH;
    if (in_range) fputs(line, stdout);
  }
  fclose(file);
}

static void show_pagemap(unsigned long addr, unsigned long pages) {
  int fd = open("/proc/self/pagemap", O_RDONLY);
  for (unsigned long i = 0; i < pages; i++) {
    uint64_t entry = 0;
    if (pread(fd, &entry, 8, (addr / 4096 + i) * 8) != 8) die("pagemap");
    printf("%lx%s", (unsigned long)(entry >> 55), i + 1 < pages ? " " : "\n");
  }
  close(fd);
}

/* PAGEMAP_SCAN of the twelve fields that the step gives; a vec of 1 stands for an array. */
static void show_scan(const char *fields) {
  static uint64_t arg[12], regions[3 * 512];
  for (int i = 0; i < 12; i++) arg[i] = strtoull(fields, (char **)&fields, 0);
  if (arg[5] == 1) arg[5] = (uint64_t)regions;
  int fd = open("/proc/self/pagemap", O_RDONLY);
  errno = 0;
  long found = ioctl(fd, 0xc0606610, arg);
  printf("scan %ld %d %lx", found, errno, (unsigned long)arg[4]);
  for (long i = 0; i < found; i++)
    printf(" %lx-%lx:%lx", (unsigned long)regions[3 * i], (unsigned long)regions[3 * i + 1],
           (unsigned long)regions[3 * i + 2]);
  printf("\n");
  close(fd);
}

int main(void) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  int fds[16], nfds = 0;
  pid_t children[16];
  int nchildren = 0;
  char line[256], word[32], name[64];
  while (fgets(line, sizeof line, stdin)) {
    unsigned long a[4] = {0};
    long fd = 0;
    if (sscanf(line, "%31s", word) != 1) continue;
    if (!strcmp(word, "memfd")) {
      sscanf(line, "%*s %63s %li", name, (long *)&a[0]);
      fds[nfds] = memfd_create(name, 0);
      if (ftruncate(fds[nfds++], a[0])) die("ftruncate");
      continue;
    }
    sscanf(line, "%*s %li %li %li %li %li", (long *)&a[0], (long *)&a[1], (long *)&a[2], (long *)&a[3], &fd);
    if (!strcmp(word, "map")) {
      int flags = (int)a[3] | MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_ANONYMOUS : 0);
      if (mmap((void *)a[0], a[1], a[2], flags, fd < 0 ? -1 : fds[fd], 0) == MAP_FAILED) die("mmap");
    } else if (!strcmp(word, "read")) {
      for (unsigned long i = 0; i < a[1]; i++) *(volatile char *)(a[0] + i * 4096);
    } else if (!strcmp(word, "write")) {
      for (unsigned long i = 0; i < a[1]; i++) *(volatile char *)(a[0] + i * 4096) = 1;
    } else if (!strcmp(word, "unmap")) {
      if (munmap((void *)a[0], a[1])) die("munmap");
    } else if (!strcmp(word, "protect")) {
      if (mprotect((void *)a[0], a[1], a[2])) die("mprotect");
    } else if (!strcmp(word, "advise")) {
      if (madvise((void *)a[0], a[1], a[2])) die("madvise");
    } else if (!strcmp(word, "lock")) {
      if (mlock((void *)a[0], a[1])) die("mlock");
    } else if (!strcmp(word, "fork")) {
      fflush(stdout);
      pid_t child = fork();
      if (child == 0) for (;;) pause();
      children[nchildren++] = child;
    } else if (!strcmp(word, "reap")) {
      kill(children[--nchildren], SIGKILL);
      waitpid(children[nchildren], NULL, 0);
    } else if (!strcmp(word, "clear")) {
      FILE *file = fopen("/proc/self/clear_refs", "w");
      fprintf(file, "%lu", a[0]);
      if (fclose(file)) die("clear_refs");
    } else if (!strcmp(word, "poke")) {
      int mem = open("/proc/self/mem", O_RDWR);
      char byte = 7;
      long done = pwrite(mem, &byte, 1, a[0]);
      printf("poke %ld\n", done);
      close(mem);
    } else if (!strcmp(word, "show")) {
      show("/proc/self/smaps", 1);
      show("/proc/self/numa_maps", 0);
    } else if (!strcmp(word, "scan")) {
      show_scan(line + 4);
    } else if (!strcmp(word, "pagemap")) {
      show_pagemap(a[0], a[1]);
    } else {
      fprintf(stderr, "no such step: %s", line);
      return 1;
    }
  }
  while (nchildren > 0) kill(children[--nchildren], SIGKILL);
  return 0;
}
