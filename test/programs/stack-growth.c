/*
 * The stack grows by page faults: 4 MiB down in small steps, then by one jump of a megabyte; and it grows
 * only as far as RLIMIT_STACK allows. Linux: expand_stack in mm/vma.c, acct_stack_growth.
 */
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define FRAME 4096

static uintptr_t top; /* the address of a local variable of main */

/* Goes `depth` frames down, and on the way back checks that each still holds what it wrote. */
static __attribute__((noinline)) unsigned down(unsigned depth)
{
  volatile unsigned frame[FRAME / sizeof(unsigned)];
  for (unsigned i = 0; i < FRAME / sizeof(unsigned); i += 64)
    frame[i] = depth * 31 + i;
  unsigned below = depth > 1 ? down(depth - 1) : 0;
  for (unsigned i = 0; i < FRAME / sizeof(unsigned); i += 64)
    CHECK(frame[i] == depth * 31 + i);
  return below + 1;
}

/* The lowest byte of a large frame is touched first. */
static __attribute__((noinline)) int jump(void)
{
  volatile char frame[1 << 20];
  frame[0] = 1;
  int zero = 0;
  for (unsigned i = FRAME; i < sizeof frame; i += FRAME)
    frame[i] = 2;
  for (unsigned i = FRAME; i < sizeof frame; i += FRAME)
    zero += frame[i] != 2;
  return frame[0] == 1 && zero == 0;
}

/* Below the stack the limit is met: the handler, on its own stack, sees an address there. */
static void onOverflow(int signal, siginfo_t *info, void *context)
{
  (void)context;
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  uintptr_t depth = top - (uintptr_t)info->si_addr;
  if (signal != SIGSEGV)
    _exit(2);
  if (depth > limit.rlim_cur + 65536 || depth < limit.rlim_cur - (1 << 20))
    _exit(3);
  _exit(77);
}

static __attribute__((noinline)) unsigned forever(unsigned depth)
{
  volatile char frame[FRAME];
  frame[0] = (char)depth;
  unsigned below = depth == UINT32_MAX ? 0 : forever(depth + 1);
  return below + (unsigned)frame[0];
}

int main(void)
{
  volatile char here = 0;
  top = (uintptr_t)&here;

  CHECK(down(1024) == 1024);
  SAY("grew by 1024 frames of 4 KiB");
  CHECK(down(1024) == 1024);
  SAY("and again, where the pages are there already");
  CHECK(jump());
  SAY("a frame of 1 MiB");

  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_STACK, &limit) == 0);
  CHECK(limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur >= (6 << 20));

  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    static char own[65536];
    stack_t stack = {.ss_sp = own, .ss_size = sizeof own};
    struct sigaction action = {.sa_sigaction = onOverflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
    _exit(forever(0) ? 4 : 5);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 77);
  SAY("past RLIMIT_STACK: SIGSEGV, handled on a stack of its own");

  child = fork();
  CHECK(child >= 0);
  if (child == 0)
    _exit(forever(0) ? 4 : 5);
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  SAY("without one: killed by SIGSEGV");
  return 0;
}
