/*
 * pingpong [ROUNDS]
 *
 * Two processes talk through one page of shared memory: the parent writes "ping 1", the child finds it
 * there, writes "pong 1", and so on. No pipe, no socket, and no system call carries a byte of it; the only
 * calls between the two are sched_yield(), by which whoever has to wait lets the other run.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARENT, CHILD };

/* The page that both see. Only the process whose turn it is may touch `message`; handing on the turn is an
 * atomic store, so that the message is there before the turn is. */
struct table {
  atomic_int turn;
  char message[64];
};

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static void waitFor(struct table *table, int player)
{
  while (atomic_load(&table->turn) != player)
    sched_yield();
}

int main(int argc, char **argv)
{
  int rounds = argc > 1 ? atoi(argv[1]) : 5;

  /* Anonymous memory that is shared reaches the child by fork(): no name, no file. */
  struct table *table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (table == MAP_FAILED)
    fail("mmap");

  pid_t child = fork();
  if (child < 0)
    fail("fork");

  if (child == 0) {
    for (int i = 1; i <= rounds; i++) {
      waitFor(table, CHILD);
      int number;
      if (sscanf(table->message, "ping %d", &number) != 1 || number != i)
        _exit(1);
      sprintf(table->message, "pong %d", number);
      atomic_store(&table->turn, PARENT);
    }
    _exit(0);
  }

  for (int i = 1; i <= rounds; i++) {
    sprintf(table->message, "ping %d", i);
    printf("parent writes \"%s\"", table->message);
    atomic_store(&table->turn, CHILD);
    waitFor(table, PARENT);
    printf(", and reads \"%s\"\n", table->message);
  }

  int status;
  if (waitpid(child, &status, 0) < 0)
    fail("waitpid");
  printf("%d rounds through one shared page\n", rounds);
  return status == 0 ? 0 : 1;
}
