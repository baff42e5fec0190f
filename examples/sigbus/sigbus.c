/*
 * sigbus [FILE]
 *
 * A mapping of a file does not keep the file long. When somebody truncates it, the pages past its new end
 * are gone, and touching them is a bus error (SIGBUS), not a segmentation fault: the mapping is fine, it is
 * the file that has nothing there. This program truncates its own file, gets the signal and survives it.
 *
 * FILE (sigbus.tmp by default) is made for this and removed at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the handler saw, and where it returns to. */
static sigjmp_buf escape;
static volatile sig_atomic_t code;
static void *volatile address;

/* Returning from here would run the faulting instruction again, and the signal would come again. So it
 * jumps out, back to the sigsetjmp() in peek(); sigsetjmp's second argument 1 restores the signal mask too,
 * in which SIGBUS is blocked while its handler runs. */
static void onBusError(int signal, siginfo_t *info, void *context)
{
  (void)signal;
  (void)context;
  code = info->si_code;
  address = info->si_addr;
  siglongjmp(escape, 1);
}

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

/* Reads the byte at `offset` of the mapping, and says what came of it. */
static void peek(const char *map, long offset)
{
  if (sigsetjmp(escape, 1) == 0) {
    char byte = *(volatile const char *)(map + offset);
    if (byte)
      printf("  byte %5ld: '%c'\n", offset, byte);
    else
      printf("  byte %5ld: zero\n", offset);
  } else {
    printf("  byte %5ld: SIGBUS, si_code %d (%s), si_addr = mapping + %ld\n", offset, (int)code,
           code == BUS_ADRERR ? "BUS_ADRERR" : "?", (long)((char *)address - map));
  }
}

int main(int argc, char **argv)
{
  const char *path = argc > 1 ? argv[1] : "sigbus.tmp";
  long page = sysconf(_SC_PAGESIZE);

  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = onBusError;
  action.sa_flags = SA_SIGINFO; /* the handler is told code and address */
  if (sigaction(SIGBUS, &action, NULL) < 0)
    fail("sigaction");

  /* Three pages of 'x', mapped shared. */
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0)
    fail(path);
  if (ftruncate(fd, 3 * page) < 0)
    fail("ftruncate");
  char *map = mmap(NULL, (size_t)(3 * page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    fail("mmap");
  memset(map, 'x', (size_t)(3 * page));

  printf("file of 3 pages:\n");
  peek(map, 99);
  peek(map, 100);
  peek(map, page);
  peek(map, 2 * page + 5);

  /* The rest of the page that holds the new end reads as zero; the pages after it are a bus error. */
  if (ftruncate(fd, 100) < 0)
    fail("ftruncate");
  printf("truncated to 100 bytes:\n");
  peek(map, 99);
  peek(map, 100);
  peek(map, page);
  peek(map, 2 * page + 5);

  /* Made longer again, the file has pages there again: new ones, of zeros. */
  if (ftruncate(fd, 2 * page) < 0)
    fail("ftruncate");
  printf("extended to 2 pages:\n");
  peek(map, 99);
  peek(map, 100);
  peek(map, page);
  peek(map, 2 * page + 5);

  if (munmap(map, (size_t)(3 * page)) < 0 || close(fd) < 0 || unlink(path) < 0)
    fail(path);
  return 0;
}
