/*
 * Real, effective and saved ids, what a change of user does to capabilities, set-user-id programs, the bounding and the
 * ambient set, securebits. Run as root, in a folder that anybody may enter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUID_PROGRAM "credentials.suid"
#define SECRET "credentials.secret"
#define DO(call) told(#call, call)

enum { CHOWN = 0, FOWNER = 3, SETPCAP = 8, NET_BIND_SERVICE = 10, NET_RAW = 13, SYS_ADMIN = 21, SYS_RESOURCE = 24 };
enum { IS_SET = 1, RAISE, LOWER, CLEAR_ALL };

static long told(const char *call, long result) {
  printf("%s: %ld %s\n", call, result, result < 0 ? strerror(errno) : "");
  return result;
}

/* Without the one that a container's root may lack. */
static unsigned long long set_of(const char *line) {
  return strtoull(line, NULL, 16) & ~(1ULL << SYS_RESOURCE);
}

static void ids(const char *when) {
  unsigned u[3], g[3];
  getresuid(&u[0], &u[1], &u[2]);
  getresgid(&g[0], &g[1], &g[2]);
  printf("%s: %u %u %u, %u %u %u, capabilities", when, u[0], u[1], u[2], g[0], g[1], g[2]);
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  while (status != NULL && fgets(line, sizeof line, status) != NULL) {
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "Cap", 3) == 0) printf(" %.3s %llx", line + 3, set_of(line + 8));
    if (strncmp(line, "Uid", 3) == 0 || strncmp(line, "Gid", 3) == 0) printf(" [%s]", line + 5);
  }
  if (status != NULL) fclose(status);
  printf(", securebits %x, keeps %d, dumpable %d\n", prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS),
         prctl(PR_GET_DUMPABLE));
}

static void in_child(void (*body)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    body();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  if (status != 0) printf("status %x\n", status);
}

static void execute(const char *program) {
  fflush(stdout);
  execl(program, program, "show", NULL);
  printf("exec: %s\n", strerror(errno));
}

static void run(void) { execute("/proc/self/exe"); }

static void run_suid(void) { execute(SUID_PROGRAM); }

static int read_secret(void) {
  int fd = open(SECRET, O_RDONLY);
  if (fd >= 0) close(fd);
  return fd < 0 ? -1 : 0;
}

static int set_inheritable(unsigned bits) {
  struct {
    unsigned version;
    int pid;
  } header = {0x20080522, 0};
  struct {
    unsigned effective, permitted, inheritable;
  } data[2];
  syscall(SYS_capget, &header, data);
  data[0].inheritable = bits;
  return syscall(SYS_capset, &header, data);
}

static void for_a_while(void) {
  DO(seteuid(1000));
  ids("another's rights");
  DO(read_secret());
  DO(seteuid(0));
  ids("root again");
  DO(read_secret());
}

static void user_ids(void) {
  DO(setresuid(1, 2, 3));
  ids("three users");
  DO(setuid(1));
  ids("the real one");
  DO(setuid(3));
  ids("the saved one");
  DO(setuid(2));
  DO(setreuid(3, -1));
  ids("real what was effective");
  DO(setreuid(-1, 1));
  DO(setresuid(9, -1, -1));
  DO(setresuid(3, 3, 3));
  DO(setuid(0));
  DO(setuid(-1));
}

static void group_ids(void) {
  DO(setresgid(1, 2, 3));
  ids("three groups");
  DO(setresuid(5, 5, 5));
  DO(setgid(1));
  DO(setgid(3));
  DO(setgid(2));
  DO(setregid(3, 1));
  ids("exchanged");
  DO(setregid(7, -1));
  DO(setresgid(3, 3, 3));
}

static void keep_capabilities(void) {
  DO(prctl(PR_SET_KEEPCAPS, 1));
  DO(setresuid(7, 7, 7));
  ids("kept");
  in_child(run);
  DO(prctl(PR_SET_KEEPCAPS, 2));
  DO(prctl(PR_SET_KEEPCAPS, 0));
}

static void who_asks(void) {
  DO(setreuid(1000, 0));
  ids("started by a user");
  DO(access(SECRET, R_OK));
  DO(faccessat(AT_FDCWD, SECRET, R_OK, AT_EACCESS));
  in_child(run);
  DO(setreuid(0, 1000));
  ids("started by root");
  DO(access(SECRET, R_OK));
  DO(faccessat(AT_FDCWD, SECRET, R_OK, AT_EACCESS));
  in_child(run);
}

static void set_user_id(void) {
  setgroups(0, NULL);
  setresgid(1000, 1000, 1000);
  setresuid(1000, 1000, 1000);
  in_child(run_suid);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  in_child(run_suid);
}

static void bounding(void) {
  DO(prctl(PR_CAPBSET_READ, CHOWN));
  DO(prctl(PR_CAPBSET_READ, 40));
  DO(prctl(PR_CAPBSET_READ, 41));
  DO(prctl(PR_CAPBSET_DROP, 41));
  DO(prctl(PR_CAPBSET_DROP, SYS_ADMIN));
  DO(prctl(PR_CAPBSET_READ, SYS_ADMIN));
  ids("bounded");
  in_child(run);
  DO(set_inheritable(1u << SYS_ADMIN));
  DO(prctl(PR_CAPBSET_DROP, SETPCAP));
  DO(setuid(1));
  DO(prctl(PR_CAPBSET_DROP, FOWNER));
  DO(prctl(PR_CAPBSET_DROP, 77));
}

static void ambient(void) {
  DO(prctl(PR_CAP_AMBIENT, RAISE, NET_BIND_SERVICE, 0, 0));
  DO(set_inheritable(1u << NET_BIND_SERVICE | 1u << NET_RAW));
  DO(prctl(PR_CAP_AMBIENT, RAISE, NET_BIND_SERVICE, 0, 0));
  DO(prctl(PR_CAP_AMBIENT, IS_SET, NET_BIND_SERVICE, 0, 0));
  DO(prctl(PR_CAP_AMBIENT, IS_SET, NET_RAW, 0, 0));
  DO(prctl(PR_CAP_AMBIENT, IS_SET, 41, 0, 0));
  DO(prctl(PR_CAP_AMBIENT, 5, CHOWN, 0, 0));
  DO(prctl(PR_CAP_AMBIENT, RAISE, NET_RAW, 0, 0));
  ids("two");
  DO(prctl(PR_CAP_AMBIENT, LOWER, NET_RAW, 0, 0));
  DO(prctl(PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 1));
  DO(prctl(PR_CAP_AMBIENT, CLEAR_ALL, 1, 0, 0));
  prctl(PR_SET_KEEPCAPS, 1);
  DO(setresuid(7, 7, 7));
  ids("gone with the user");
  DO(prctl(PR_CAP_AMBIENT, RAISE, NET_BIND_SERVICE, 0, 0));
  in_child(run);
  in_child(run_suid);
  DO(set_inheritable(0));
  ids("gone with the inheritable");
  DO(prctl(PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0));
}

static void securebits(void) {
  DO(prctl(PR_SET_SECUREBITS, 1 << 30));
  DO(prctl(PR_SET_SECUREBITS, 0x10));
  ids("keeps");
  DO(prctl(PR_SET_SECUREBITS, 0x2f));
  in_child(run);
  DO(prctl(PR_SET_SECUREBITS, 0));
  DO(prctl(PR_SET_SECUREBITS, 0x6f));
  DO(prctl(PR_SET_KEEPCAPS, 1));
  DO(setresuid(7, 7, 7));
  ids("nothing follows the user");
  DO(set_inheritable(1));
  DO(prctl(PR_CAP_AMBIENT, RAISE, CHOWN, 0, 0));
  DO(prctl(PR_SET_SECUREBITS, 0x2f | 0x30));
  DO(prctl(PR_SET_SECUREBITS, 0x6f | 0xc00));
  DO(prctl(PR_SET_SECUREBITS, 0x6f));
}

static void securebits_of_a_user(void) {
  DO(prctl(PR_SET_SECUREBITS, 0x40));
  setuid(3);
  DO(prctl(PR_SET_SECUREBITS, 0x40));
  DO(prctl(PR_SET_SECUREBITS, 0x140));
  DO(prctl(PR_SET_SECUREBITS, 0x340));
  DO(prctl(PR_SET_SECUREBITS, 0x40));
  DO(prctl(PR_SET_SECUREBITS, 0x41));
}

static void signals(void) {
  int gate[2];
  char byte;
  pipe(gate);
  pid_t pid = fork();
  if (pid == 0) {
    setresuid(1000, 1001, 1002);
    write(gate[1], "", 1);
    pause();
  }
  read(gate[0], &byte, 1);
  static const int senders[][3] = {{1000, 5, 5}, {5, 1000, 5}, {5, 5, 1000}, {1001, 5, 5},
                                   {5, 1001, 5}, {1002, 5, 5}, {5, 1002, 5}, {6, 6, 6}};
  for (unsigned i = 0; i < sizeof senders / sizeof *senders; i++) {
    fflush(stdout);
    if (fork() == 0) {
      const int *who = senders[i];
      setresuid(who[0], who[1], who[2]);
      printf("%d %d %d: ", who[0], who[1], who[2]);
      DO(kill(pid, 0));
      fflush(stdout);
      _exit(0);
    }
    wait(NULL);
  }
  kill(pid, SIGKILL);
  wait(NULL);
}

static void sender(const char *when, int from, int to) {
  char byte, control[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec iov = {&byte, 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct ucred who;
  write(from, "", 1);
  recvmsg(to, &message, 0);
  memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof who);
  printf("%s: sent by %u %u\n", when, who.uid, who.gid);
}

static void sockets(void) {
  int pair[2], one = 1;
  setresgid(11, 12, 13);
  setresuid(1, 2, 3);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
  struct ucred who;
  socklen_t length = sizeof who;
  getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &length);
  printf("peer %u %u\n", who.uid, who.gid);
  setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
  sender("three users", pair[0], pair[1]);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "show") == 0) {
    ids(" executed");
    printf(" secure %lu, users %lu %lu\n", getauxval(AT_SECURE), getauxval(AT_UID), getauxval(AT_EUID));
    return 0;
  }
  static char program[1 << 20];
  int fd = open("/proc/self/exe", O_RDONLY);
  ssize_t size = read(fd, program, sizeof program);
  close(fd);
  fd = open(SUID_PROGRAM, O_CREAT | O_TRUNC | O_WRONLY, 0755);
  if (write(fd, program, size) != size) return 1;
  fchmod(fd, 04755);
  close(fd);
  close(open(SECRET, O_CREAT | O_TRUNC | O_WRONLY, 0600));
  static void (*const all[])(void) = {for_a_while, user_ids,  group_ids,  keep_capabilities,    who_asks, set_user_id,
                                      bounding,    ambient,   securebits, securebits_of_a_user, signals,  sockets};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    printf("-- %u\n", i + 1);
    in_child(all[i]);
  }
  unlink(SUID_PROGRAM);
  unlink(SECRET);
  return 0;
}
