/*
 * What execve() leaves on the stack: argc, argv, envp, and the auxiliary vector behind them.
 * Linux: fs/binfmt_elf.c, create_elf_tables. Prints arguments and environment as they are.
 */
#include "check.h"
#include <elf.h>
#include <stdint.h>
#include <sys/auxv.h>

int main(int argc, char **argv, char **envp)
{
  SAY("argc %d", argc);
  for (int i = 0; i < argc; i++)
    SAY("argv[%d] %s", i, i == 0 ? "(the program)" : argv[i]);
  CHECK(argv[argc] == NULL);

  CHECK(envp == argv + argc + 1);
  char **e = envp;
  for (; *e; e++)
    SAY("env %s", *e);

  /* The vector itself, right behind the environment; getauxval() reads the same one (some C libraries have
   * ideas of their own about AT_HWCAP). */
  const unsigned long *entry = (const unsigned long *)(e + 1);
  int entries = 0;
  for (const unsigned long *a = entry; a[0] != AT_NULL; a += 2, entries++)
    CHECK(getauxval(a[0]) == a[1] || a[0] == AT_IGNORE || a[0] == AT_HWCAP || a[0] == AT_HWCAP2);
  CHECK(entries >= 15 && entries < 40);
  SAY("the auxiliary vector follows the environment");

  /* argc lies at the stack pointer of the first instruction, which is aligned to 16 bytes. */
  CHECK(((uintptr_t)argv - 8) % 16 == 0);
  CHECK(*((const long *)argv - 1) == argc);
  SAY("the stack is aligned to 16 bytes at argc");

  /* The strings lie above all of it, in this order: arguments, environment, the file name. */
  if (argc > 0 && *envp) {
    CHECK((uintptr_t)argv[0] > (uintptr_t)entry);
    CHECK(argv[argc - 1] + strlen(argv[argc - 1]) + 1 == envp[0]);
  }
  const char *file = (const char *)getauxval(AT_EXECFN);
  CHECK(file && strlen(file) > 0);
  SAY("strings: arguments, then environment");

  CHECK(getauxval(AT_PAGESZ) == (unsigned long)sysconf(_SC_PAGESIZE));
  SAY("AT_PAGESZ %lu", getauxval(AT_PAGESZ));

  const Elf64_Phdr *phdr = (const Elf64_Phdr *)getauxval(AT_PHDR);
  CHECK(getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
  CHECK(phdr && getauxval(AT_PHNUM) > 0 && getauxval(AT_PHNUM) < 32);
  int loads = 0, entryIsIn = 0;
  unsigned long start = getauxval(AT_ENTRY);
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
    if (phdr[i].p_type != PT_LOAD)
      continue;
    loads++;
    entryIsIn |= (phdr[i].p_flags & PF_X) && start >= phdr[i].p_vaddr && start < phdr[i].p_vaddr + phdr[i].p_memsz;
  }
  CHECK(loads > 0 && entryIsIn);
  SAY("AT_PHDR, AT_PHENT, AT_PHNUM, AT_ENTRY describe this program");

  const unsigned char *seed = (const unsigned char *)getauxval(AT_RANDOM);
  CHECK(seed);
  int different = 0;
  for (int i = 1; i < 16; i++)
    different += seed[i] != seed[0];
  CHECK(different > 0);
  SAY("AT_RANDOM points to 16 bytes");

  CHECK(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
  CHECK(getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
  CHECK(getauxval(AT_SECURE) == 0);
  CHECK(getauxval(AT_CLKTCK) == 100);
  CHECK(getauxval(AT_BASE) == 0); /* static: no interpreter */
  SAY("AT_UID, AT_GID, AT_SECURE, AT_CLKTCK, AT_BASE");

#ifdef __riscv
  /* A bit per letter of the instruction set. */
  const char *letters = "imafdc";
  for (const char *l = letters; *l; l++)
    CHECK(getauxval(AT_HWCAP) & (1UL << (*l - 'a')));
#endif
  SAY("AT_HWCAP");
  return 0;
}
