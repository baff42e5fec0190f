/*
 * SIGSEGV and SIGBUS delivered to a handler: code, address, the alternate stack; leaving the handler by
 * siglongjmp, by repairing the mapping so that the access runs again, and by changing the saved registers.
 */
#define _GNU_SOURCE
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

static size_t page;
static char alternate[65536];

static sigjmp_buf escape;
static volatile int seenSignal, seenCode, seenOnStack, seenFlags;
static char *volatile seenAddress;

static void look(int signal, siginfo_t *info)
{
  char local;
  stack_t stack;
  seenSignal = signal;
  seenCode = info->si_code;
  seenAddress = info->si_addr;
  seenOnStack = (uintptr_t)&local >= (uintptr_t)alternate && (uintptr_t)&local < (uintptr_t)alternate + sizeof alternate;
  seenFlags = sigaltstack(NULL, &stack) == 0 ? stack.ss_flags : -1;
}

static void jumpOut(int signal, siginfo_t *info, void *context)
{
  (void)context;
  look(signal, info);
  siglongjmp(escape, 1);
}

static volatile int repairs;
static void repair(int signal, siginfo_t *info, void *context)
{
  (void)context;
  look(signal, info);
  repairs++;
  char *at = (char *)((uintptr_t)info->si_addr & ~(page - 1));
  if (info->si_code == SEGV_ACCERR)
    CHECK(mprotect(at, page, PROT_READ | PROT_WRITE) == 0);
  else
    CHECK(mmap(at, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  CHECK(sigaction(signal, &action, NULL) == 0);
}

static char *map(size_t length, int prot)
{
  char *at = mmap(NULL, length, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  return at;
}

/* One bad access each; `jumpOut` brings them back here. */
static void expect(char *address, int code, void (*access)(char *))
{
  seenSignal = 0;
  if (sigsetjmp(escape, 1) == 0) {
    access(address);
    CHECK(!"the access to go wrong");
  }
  CHECK(seenSignal == SIGSEGV);
  CHECK(seenCode == code);
  CHECK(seenAddress == address);
  CHECK(seenOnStack && seenFlags == SS_ONSTACK);
}

static void readByte(char *at) { (void)*(volatile char *)at; }
static void writeByte(char *at) { *(volatile char *)at = 1; }
static void readLong(char *at) { (void)*(volatile long *)at; }
static void writeDouble(char *at) { *(volatile double *)at = 1.5; }
static void execute(char *at) { ((void (*)(void))(uintptr_t)at)(); }

/* What a child that makes a bad access dies of. */
static int deathOf(void (*prepare)(void), char *address)
{
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    prepare();
    readByte(address);
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static void byDefault(void) { signal(SIGSEGV, SIG_DFL); }
static void ignored(void) { signal(SIGSEGV, SIG_IGN); }
static void blocked(void)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGSEGV);
  sigprocmask(SIG_BLOCK, &set, NULL);
}

#ifdef __riscv
/* Answers the load with a value of its own, and goes on behind it. */
static void answer(int signal, siginfo_t *info, void *context)
{
  look(signal, info);
  ucontext_t *uc = context;
  uc->uc_mcontext.__gregs[10] = 4711; /* a0 */
  uc->uc_mcontext.__gregs[REG_PC] += 4;
}

static long loadAt(char *at)
{
  register long value __asm__("a0") = 0;
  register char *from __asm__("a1") = at;
  __asm__ volatile(".option push\n.option norvc\nld a0, 0(a1)\n.option pop" : "+r"(value) : "r"(from) : "memory");
  return value;
}
#endif

int main(void)
{
  page = (size_t)sysconf(_SC_PAGESIZE);
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  CHECK(sigaltstack(&stack, NULL) == 0);

  char *none = map(page, PROT_NONE);
  char *readOnly = map(page, PROT_READ);
  char *writable = map(page, PROT_READ | PROT_WRITE);
  char *hole = map(page, PROT_READ);
  CHECK(munmap(hole, page) == 0);

  handle(SIGSEGV, jumpOut);
  expect(hole + 123, SEGV_MAPERR, readByte);
  expect(hole + 8, SEGV_MAPERR, readLong);
  expect(hole + 4095, SEGV_MAPERR, writeByte);
  expect((char *)16, SEGV_MAPERR, writeDouble);
  SAY("SEGV_MAPERR: no mapping there");
  expect(none + 7, SEGV_ACCERR, readByte);
  expect(readOnly + 1000, SEGV_ACCERR, writeByte);
  expect(readOnly + 16, SEGV_ACCERR, writeDouble);
  CHECK(readOnly[1000] == 0);
  SAY("SEGV_ACCERR: the mapping doesn't allow it");
  expect(writable, SEGV_ACCERR, execute);
  expect(hole, SEGV_MAPERR, execute);
  SAY("the same for a jump there");

  sigset_t mask;
  CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGSEGV));
  CHECK(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == 0);
  SAY("after siglongjmp: mask restored, off the alternate stack");

  handle(SIGSEGV, repair);
  *(volatile char *)(readOnly + 5) = 'r';
  CHECK(readOnly[5] == 'r' && repairs == 1);
  *(volatile char *)(none + 6) = 'n';
  CHECK(none[6] == 'n' && repairs == 2);
  *(volatile long *)(hole + 64) = 0x1122334455667788;
  CHECK(*(volatile long *)(hole + 64) == 0x1122334455667788 && repairs == 3);
  SAY("repaired by mprotect or mmap, the access runs again");

  /* Each access of a loop repairs one page: registers and loop counter survive the handler. */
  volatile char *many = map(32 * page, PROT_READ);
  double sum = 0; /* in a floating-point register, as like as not */
  for (int i = 0; i < 32; i++) {
    many[(size_t)i * page + (size_t)i] = (char)i;
    sum += i * 0.5;
  }
  CHECK(repairs == 35 && sum == 248);
  for (int i = 0; i < 32; i++)
    CHECK(many[(size_t)i * page + (size_t)i] == i);
  SAY("32 times in a loop");

  /* A store that lies across two pages, of which only the first may be written. */
  char *two = map(2 * page, PROT_READ | PROT_WRITE);
  CHECK(mprotect(two + page, page, PROT_READ) == 0);
  memset(two, 'a', page);
  struct __attribute__((packed)) unaligned {
    volatile uint64_t value;
  } *across = (struct unaligned *)(two + page - 3);
  across->value = 0x0102030405060708;
  CHECK(across->value == 0x0102030405060708 && two[page - 4] == 'a' && two[page + 5] == 0 && repairs == 36);
  SAY("a store across the boundary of two pages");

#ifdef __riscv
  handle(SIGSEGV, answer);
  CHECK(munmap(hole, page) == 0);
  CHECK(loadAt(hole + 8) == 4711 && seenAddress == hole + 8);
#endif
  SAY("a handler that changes saved registers");

  CHECK(munmap((void *)many, 32 * page) == 0);
  char *gone = (char *)many;
  CHECK(deathOf(byDefault, gone) == SIGSEGV);
  CHECK(deathOf(ignored, gone) == SIGSEGV);
  handle(SIGSEGV, jumpOut);
  CHECK(deathOf(blocked, gone) == SIGSEGV);
  SAY("default, ignored or blocked: killed by SIGSEGV");

  /* The kernel's own accesses don't signal, they answer EFAULT. */
  int ends[2];
  CHECK(pipe(ends) == 0);
  seenSignal = 0;
  CHECK_ERRNO(write(ends[1], gone, 10), EFAULT);
  CHECK(write(ends[1], "hello", 5) == 5);
  CHECK_ERRNO(read(ends[0], gone, 5), EFAULT);
  CHECK(seenSignal == 0);
  SAY("a bad buffer in a system call: EFAULT, no signal");
  return 0;
}
