/* Supplementary groups and capabilities. Run as root; what root may not do everywhere is not asked. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* linux/capability.h, which not every C library has. */
#define VERSION_1 0x19980330
#define VERSION_2 0x20071026
#define VERSION_3 0x20080522

struct header {
  unsigned version;
  int pid;
};

static struct header head;
static struct {
  unsigned effective, permitted, inheritable;
} data[2];

/* Unknown to the compiler, which would warn. */
static gid_t *volatile nowhere = (gid_t *)1;
static volatile int minus_one = -1;

static void line_of(const char *name)
{
  char line[4096];
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status) != 0)
    if (strncmp(line, name, strlen(name)) == 0) printf("%s", line);
  fflush(stdout);
  fclose(status);
}

static void capabilities(int version)
{
  head = (struct header){version, 0};
  SHOW(syscall(SYS_capget, &head, data));
  SHOW(syscall(SYS_capset, &head, data));
  head.pid = getpid();
  SHOW(syscall(SYS_capset, &head, data));
  head.pid = getppid();
  SHOW(syscall(SYS_capget, &head, data));
  SHOW(syscall(SYS_capset, &head, data));
  head.pid = -1;
  SHOW(syscall(SYS_capget, &head, data));
  SHOW(syscall(SYS_capset, &head, data));
  head.pid = 0x7fffffff;
  SHOW(syscall(SYS_capget, &head, data));
  head.pid = 0;
  SHOW(syscall(SYS_capget, &head, 0));
  SHOW(syscall(SYS_capget, &head, 1));
  SHOW(syscall(SYS_capset, &head, 1));
  head.version = 7;
  SHOW(syscall(SYS_capget, &head, data));
  SAY("%x", head.version);
  head.version = 7;
  SHOW(syscall(SYS_capget, &head, 0));
  SHOW(syscall(SYS_capset, &head, data));
  SHOW(syscall(SYS_capget, 0, data));
  SHOW(syscall(SYS_capset, 0, data));
}

static void user(void)
{
  gid_t groups[8] = {0};
  SHOW(setgid(1000));
  SHOW(setuid(1000));
  SHOW(getgroups(8, groups));
  SHOW(setgroups(1, groups));
  SHOW(setgroups(70000, groups));
  line_of("Groups:");
  SHOW(access("of-nine", X_OK));
  SHOW(access("of-seven", X_OK));
  int file = open("of-nine/file", O_CREAT | O_RDWR, 0600);
  SHOW(file >= 0);
  SHOW(fchown(file, -1, 9));
  SHOW(fchmod(file, 02755));
  struct stat stat;
  SHOW(fstat(file, &stat));
  SAY("%o", stat.st_mode);
  SHOW(fchown(file, -1, 7));
  SHOW(fchown(file, -1, 1000));
  capabilities(VERSION_3);
  /* The parent's: root's, of which a container may have taken some of the lower ones. */
  SAY("%d %x, %x %x %x", data[0].effective == data[0].permitted, data[0].inheritable, data[1].effective,
    data[1].permitted, data[1].inheritable);
  capabilities(VERSION_2);
  capabilities(VERSION_1);
  head = (struct header){VERSION_3, 0};
  data[1].permitted = 1;
  SHOW(syscall(SYS_capset, &head, data));
  line_of("CapEff:");
  line_of("CapPrm:");
}

int main(void)
{
  gid_t groups[8] = {0}, wanted[] = {5, 3, 9, 3};
  CHECK(geteuid() == 0);
  umask(0);
  SHOW(setgroups(0, 0));
  SHOW(getgroups(0, 0));
  SHOW(getgroups(minus_one, groups));
  line_of("Groups:");
  SHOW(setgroups(4, wanted));
  SHOW(getgroups(8, groups));
  SAY("%d %d %d %d", groups[0], groups[1], groups[2], groups[3]);
  SHOW(getgroups(3, groups));
  SHOW(getgroups(0, groups));
  SHOW(getgroups(4, nowhere));
  SHOW(setgroups(65537, wanted));
  SHOW(setgroups(2, nowhere));
  SHOW(setgroups(2, (gid_t[]){1, -1}));
  line_of("Groups:");
  CHECK(mkdir("of-nine", 0770) == 0 && chown("of-nine", 0, 9) == 0);
  CHECK(mkdir("of-seven", 0770) == 0 && chown("of-seven", 0, 7) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    user();
    _exit(0);
  }
  waitpid(pid, 0, 0);
  unlink("of-nine/file");
  rmdir("of-nine");
  rmdir("of-seven");
  return 0;
}
