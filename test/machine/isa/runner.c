// Executes instructions one at a time under qemu-user, and says what each did to the registers and to memory.
//
// The code area holds nothing but c.ebreak. A case puts its instruction into the middle of it and takes all registers as
// given; whatever comes, the next thing that happens is a signal: SIGTRAP at the next instruction or wherever a jump
// leads, or that of the instruction itself. So the whole program is one signal handler, which finds all registers in its
// ucontext, notes them down, and returns into the next case.
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x20000000ul
#define CODE_BYTES 0x400000ul
#define START (CODE + CODE_BYTES / 2)
#define DATA 0x30000000ul
#define WINDOW (DATA + 4096 - 32)
#define WINDOW_BYTES 64

struct state {
  uint64_t pc, signal, fcsr, pattern;
  uint64_t x[32], f[32];
  uint64_t window[WINDOW_BYTES / 8];
};
struct test {
  uint16_t code[8];
  struct state state;
};

static struct test tests[20000];
static struct state results[20000];
static long nr, at = -1;
static unsigned char alt[1 << 16];
// The C code below may use tp, which the cases change.
uint64_t saved_tp;

// As hart.ts has it.
static unsigned char pattern_byte(unsigned pattern, unsigned i) {
  switch (pattern) {
  case 0: return (i * 37 + 11) & 255;
  case 1: return 255;
  case 2: return i % 4 == 3 ? 128 : 0;
  default: return i % 8 == 7 ? 127 : 255;
  }
}

static void write_all(const void *from, unsigned long n) {
  const char *p = from;
  while (n > 0) {
    long k = write(1, p, n);
    if (k <= 0) _exit(1);
    p += k;
    n -= k;
  }
}

void on_signal(int number, siginfo_t *info, ucontext_t *uc) {
  if (at >= 0) {
    struct state *out = &results[at];
    out->signal = number;
    out->pc = uc->uc_mcontext.__gregs[0];
    for (int i = 1; i < 32; i++) out->x[i] = uc->uc_mcontext.__gregs[i];
    for (int i = 0; i < 32; i++) out->f[i] = uc->uc_mcontext.__fpregs.__d.__f[i];
    out->fcsr = uc->uc_mcontext.__fpregs.__d.__fcsr;
    memcpy(out->window, (void *)WINDOW, WINDOW_BYTES);
  }
  if (++at == nr) {
    write_all(results, nr * sizeof results[0]);
    _exit(0);
  }
  struct test *t = &tests[at];
  for (int i = 0; i < 8; i++) ((volatile uint16_t *)START)[i] = t->code[i];
  __builtin___clear_cache((char *)START, (char *)START + 16);
  for (unsigned i = 0; i < WINDOW_BYTES; i++) ((unsigned char *)WINDOW)[i] = pattern_byte(t->state.pattern, i);
  uc->uc_mcontext.__gregs[0] = START;
  for (int i = 1; i < 32; i++) uc->uc_mcontext.__gregs[i] = t->state.x[i];
  for (int i = 0; i < 32; i++) uc->uc_mcontext.__fpregs.__d.__f[i] = t->state.f[i];
  uc->uc_mcontext.__fpregs.__d.__fcsr = t->state.fcsr;
}

// Without relaxation, which would find saved_tp by way of gp.
__asm__(".globl handler\nhandler:\n .option push\n .option norelax\n lla t0, saved_tp\n ld tp, 0(t0)\n"
        " lla gp, __global_pointer$\n .option pop\n j on_signal\n");
void handler(int, siginfo_t *, void *);

int main(void) {
  unsigned long n = 0;
  long k;
  while (n < sizeof tests && (k = read(0, (char *)tests + n, sizeof tests - n)) > 0) n += k;
  nr = n / sizeof tests[0];
  if (nr == 0) return 1;
  if (mmap((void *)CODE, CODE_BYTES, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != (void *)CODE) return 1;
  if (mmap((void *)DATA, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != (void *)DATA) return 1;
  for (unsigned long i = 0; i < CODE_BYTES / 2; i++) ((uint16_t *)CODE)[i] = 0x9002;
  __asm__ volatile("mv %0, tp" : "=r"(saved_tp));
  stack_t stack = {.ss_sp = alt, .ss_size = sizeof alt};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  int signals[] = {SIGTRAP, SIGILL, SIGSEGV, SIGBUS};
  for (int i = 0; i < 4; i++) sigaction(signals[i], &action, 0);
  ((void (*)(void))START)();
  return 1;
}
