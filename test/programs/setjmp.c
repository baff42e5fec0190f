/* setjmp and longjmp: out of deep calls, again and again, out of a signal handler, with the mask or not. */
#include "check.h"
#include <setjmp.h>
#include <signal.h>

static jmp_buf out;
static sigjmp_buf outOfHandler;

static __attribute__((noinline)) int deep(int depth)
{
  volatile char frame[256];
  frame[0] = (char)depth;
  if (depth > 0)
    return deep(depth - 1) + frame[0];
  if (frame[0] == 0)
    longjmp(out, 42);
  return 0;
}

static void handler(int signal)
{
  siglongjmp(outOfHandler, signal);
}

/* Values kept in registers across the call of setjmp, floating-point ones among them. */
static __attribute__((noinline)) double kept(double a, double b, long c, long d)
{
  jmp_buf here;
  double x = a * b, y = a + b;
  long z = c * d, w = c - d;
  if (setjmp(here) == 0) {
    memcpy(&out, &here, sizeof out);
    deep(10);
  }
  return x + y + (double)(z + w);
}

int main(void)
{
  volatile int rounds = 0;
  int value = setjmp(out);
  if (value == 0)
    deep(100);
  CHECK(value == 42);
  SAY("out of 100 calls");

  value = setjmp(out);
  if (rounds < 1000) {
    rounds++;
    longjmp(out, rounds);
  }
  CHECK(rounds == 1000 && value == 1000);
  SAY("1000 times");

  if ((value = setjmp(out)) == 0)
    longjmp(out, 0);
  CHECK(value == 1);
  SAY("longjmp with 0 is 1");

  CHECK(kept(2.5, 4, 100, 7) == 10 + 6.5 + 793);
  SAY("values in registers are kept");

  signal(SIGUSR1, handler);
  sigset_t set;
  for (volatile int i = 0; i < 3; i++) {
    if ((value = sigsetjmp(outOfHandler, 1)) == 0)
      raise(SIGUSR1);
    CHECK(value == SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && !sigismember(&set, SIGUSR1));
  }
  SAY("out of a handler, with the mask");

  if ((value = sigsetjmp(outOfHandler, 0)) == 0)
    raise(SIGUSR1);
  CHECK(value == SIGUSR1);
  CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGUSR1));
  SAY("and without");
  return 0;
}
