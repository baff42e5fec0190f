/* capget and capset: all that root has or nothing, versions of the structure, and what is refused. Run as root. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* linux/capability.h, which musl does not bring. */
#define VERSION_1 0x19980330
#define VERSION_2 0x20071026
#define VERSION_3 0x20080522

typedef struct {
  unsigned version;
  int pid;
} header;

typedef struct {
  unsigned effective, permitted, inheritable;
} data;

static data held[2];

static const char *what(unsigned value, unsigned of_root) {
  return value == 0x55555555 ? "untouched" : value == 0 ? "none" : value == of_root ? "all" : "some";
}

static void get(const char *name, unsigned version, int pid) {
  header h = {version, pid};
  data d[2];
  memset(d, 0x55, sizeof d);
  long result = syscall(SYS_capget, &h, d);
  printf("get %s: %ld %s, version %x", name, result, result < 0 ? strerror(errno) : "", h.version);
  for (int i = 0; i < 2; i++)
    printf(", %s %s %s", what(d[i].effective, held[i].permitted), what(d[i].permitted, held[i].permitted),
           what(d[i].inheritable, held[i].permitted));
  printf("\n");
}

static void set(const char *name, unsigned version, int pid, data low, data high) {
  header h = {version, pid};
  data d[2] = {low, high};
  long result = syscall(SYS_capset, &h, d);
  printf("set %s: %ld %s, version %x\n", name, result, result < 0 ? strerror(errno) : "", h.version);
}

static void pointers(void) {
  header h = {0, 0};
  printf("unknown version, no data: %ld", syscall(SYS_capget, &h, NULL));
  printf(", version %x\n", h.version);
  h.version = VERSION_3;
  printf("no data: %ld\n", syscall(SYS_capget, &h, NULL));
  long bad_header = syscall(SYS_capget, (void *)8, NULL);
  printf("bad header: %ld %s\n", bad_header, strerror(errno));
  long bad_data = syscall(SYS_capget, &h, (void *)8);
  printf("bad data: %ld %s\n", bad_data, strerror(errno));
  long bad_set = syscall(SYS_capset, &h, NULL);
  printf("set without data: %ld %s\n", bad_set, strerror(errno));
}

#define BIT(capability) (1u << (capability))
enum { CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, KILL, SETGID, SETUID, SYS_CHROOT = 18 };

static void tell(const char *name, long result) {
  printf("%s: %s\n", name, result < 0 ? strerror(errno) : "yes");
}

/* What each of a few capabilities is for. */
static void attempts(void) {
  int fd = open("capabilities.tmp", O_RDONLY);
  tell("read a file of nobody's", fd);
  if (fd >= 0) close(fd);
  fd = open("capabilities.tmp", O_WRONLY);
  tell("write it", fd);
  if (fd >= 0) close(fd);
  tell("change its mode", chmod("capabilities.tmp", 0));
  tell("change its owner", chown("capabilities.tmp", 4321, 4321));
  tell("chroot", chroot("/"));
  tell("change user", setresuid(0, 0, 0));
}

static int in_child(void (*body)(const char *), const char *arg) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    body(arg);
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  return status;
}

static void without_some(const char *program) {
  unsigned dropped = BIT(CHOWN) | BIT(DAC_OVERRIDE) | BIT(FOWNER) | BIT(SYS_CHROOT);
  data low = {held[0].permitted & ~dropped, held[0].permitted & ~BIT(FOWNER), BIT(CHOWN)};
  set("a part", VERSION_3, 0, low, held[1]);
  header h = {VERSION_3, 0};
  data now[2];
  syscall(SYS_capget, &h, now);
  printf("as asked: %d %d\n", now[0].effective == low.effective && now[0].permitted == low.permitted,
         now[0].inheritable == low.inheritable);
  attempts();
  set("effective what is permitted", VERSION_3, 0, (data){low.permitted, low.permitted, low.inheritable}, held[1]);
  attempts();
  set("what was dropped", VERSION_3, 0, held[0], held[1]);
  fflush(stdout);
  if (fork() == 0) {
    execl(program, program, "after exec", (char *)NULL);
    _exit(1);
  }
  wait(NULL);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  execl(program, program, "after exec without new privileges", (char *)NULL);
  _exit(1);
}

static void after_exec(const char *name) {
  header h = {VERSION_3, 0};
  data now[2];
  syscall(SYS_capget, &h, now);
  printf("%s: CAP_FOWNER %d %d, CAP_DAC_OVERRIDE %d %d, inheritable %x\n", name, (now[0].effective >> FOWNER) & 1,
         (now[0].permitted >> FOWNER) & 1, (now[0].effective >> DAC_OVERRIDE) & 1,
         (now[0].permitted >> DAC_OVERRIDE) & 1, now[0].inheritable);
}

/* A user that keeps what was inheritable, and gets nothing else back. */
static void as_user(const char *unused) {
  (void)unused;
  set("inheritable", VERSION_3, 0, (data){held[0].effective, held[0].permitted, BIT(KILL)}, held[1]);
  if (setresuid(1000, 1000, 1000) != 0) printf("setresuid: %s\n", strerror(errno));
  after_exec("a user");
  tell("back to root", setresuid(0, 0, 0));
}

int main(int argc, char **argv) {
  if (argc == 2 && strncmp(argv[1], "after", 5) == 0) {
    after_exec(argv[1]);
    return 0;
  }
  unsigned v1 = VERSION_1, v2 = VERSION_2, v3 = VERSION_3;
  data none = {0, 0, 0};
  header h = {v3, 0};
  if (syscall(SYS_capget, &h, held) != 0) return 1;
  get("version 3", v3, 0);
  get("version 2", v2, 0);
  get("version 1", v1, 0);
  get("version 0", 0, 0);
  get("by its id", v3, getpid());
  get("a negative id", v3, -1);
  get("nobody", v3, 0x7ffffff);
  pointers();
  set("another's", v3, getpid() + 1, none, none);
  set("version 0", 0, 0, none, none);
  set("what is so", v3, 0, held[0], held[1]);
  set("more effective than permitted", v3, 0, (data){held[0].permitted, 1, 0}, held[1]);
  fflush(stdout);
  if (fork() == 0) {
    if (syscall(SYS_setresuid, 1000, 1000, 1000) != 0) return 1;
    get("of a user", v3, 0);
    get("of root, as a user", v3, getppid());
    set("none", v3, 0, none, none);
    set("a permitted one", v3, 0, (data){1, 1, 0}, none);
    set("an effective one", v3, 0, (data){1, 0, 0}, none);
    set("an inheritable one", v3, 0, (data){0, 0, 1}, none);
    fflush(stdout);
    _exit(0);
  }
  int status;
  wait(&status);
  printf("the user's end: %d\n", status);
  int fd = open("capabilities.tmp", O_CREAT | O_RDWR, 0);
  close(fd);
  struct stat st;
  if (chown("capabilities.tmp", 0x80000001, 0xfffffffe) != 0 || chown("capabilities.tmp", -1, -1) != 0) return 1;
  if (stat("capabilities.tmp", &st) != 0) return 1;
  printf("large ids: %x %x\n", st.st_uid, st.st_gid);
  if (chown("capabilities.tmp", 4321, 4321) != 0) return 1;
  attempts();
  printf("its end: %d\n", in_child(without_some, "/proc/self/exe"));
  printf("its end: %d\n", in_child(as_user, NULL));
  unlink("capabilities.tmp");
}
