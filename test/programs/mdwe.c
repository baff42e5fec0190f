/* PR_SET_MDWE: no memory that is written becomes code, whatever the way; and what is handed on to children. */
#define _GNU_SOURCE
#include "show.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define P 4096L
#define R PROT_READ
#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SET 65
#define GET 66

static char *map(int prot)
{
  char *at = mmap(NULL, 4 * P, prot, ANON, -1, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

static void forbidden(void)
{
  char *data = map(RW), *code, *none;
  int id = shmget(IPC_PRIVATE, P, IPC_CREAT | 0700);
  CHECK(id >= 0);
  SHOW(prctl(SET, 1, 0, 0, 0));
  SHOW(prctl(GET, 0, 0, 0, 0));
  SHOW(prctl(SET, 1, 0, 0, 0));
  SHOW(prctl(SET, 0, 0, 0, 0));
  SHOW(prctl(SET, 3, 0, 0, 0));
  code = map(RX);
  none = map(PROT_NONE);
  SHOW(mmap(NULL, P, RWX, ANON, -1, 0));
  SHOW(mmap(NULL, P, PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  SHOW(mmap(data, P, RWX, ANON | MAP_FIXED, -1, 0));
  SHOW(data[0]);
  SHOW(mprotect(data, P, RX));
  SHOW(mprotect(data, P, RWX));
  SHOW(mprotect(none, P, PROT_EXEC));
  SHOW(mprotect(code, P, RWX));
  SHOW(mprotect(code, P, RX));
  SHOW(mprotect(code, P, R));
  SHOW(mprotect(code, P, RX));
  SHOW(mprotect(code, 4 * P, RX));
  SHOW(mprotect(code + P, 3 * P, RW));
  SHOW(shmat(id, NULL, SHM_EXEC));
  SHOW(shmat(id, NULL, SHM_EXEC | SHM_RDONLY) != (void *)-1);
  SHOW(shmctl(id, IPC_RMID, NULL));
  if (fork() == 0) {
    SHOW(prctl(GET, 0, 0, 0, 0));
    SHOW(mmap(NULL, P, RWX, ANON, -1, 0));
    _exit(0);
  }
  wait(NULL);
}

static void alone(void)
{
  SHOW(prctl(SET, 3, 0, 0, 0));
  SHOW(prctl(GET, 0, 0, 0, 0));
  SHOW(prctl(SET, 1, 0, 0, 0));
  if (fork() == 0) {
    SHOW(prctl(GET, 0, 0, 0, 0));
    SHOW(mprotect(map(RW), P, RWX));
    _exit(0);
  }
  wait(NULL);
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "again") == 0) {
    SHOW(prctl(GET, 0, 0, 0, 0));
    return 0;
  }
  SHOW(prctl(GET, 0, 0, 0, 0));
  SHOW(prctl(GET, 1, 0, 0, 0));
  SHOW(prctl(SET, 2, 0, 0, 0));
  SHOW(prctl(SET, 4, 0, 0, 0));
  SHOW(prctl(SET, 1, 1, 0, 0));
  if (fork() == 0) {
    forbidden();
    execl("/proc/self/exe", argv[0], "again", NULL);
    _exit(1);
  }
  wait(NULL);
  if (fork() == 0) {
    alone();
    execl("/proc/self/exe", argv[0], "again", NULL);
    _exit(1);
  }
  wait(NULL);
  return 0;
}
