/* What is left of a process whose first thread has ended while another goes on: /proc, and calls that mean it by its number. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char word[16] = "the word";
static pid_t leader, other;

static const char *name_of(int error) {
  switch (error) {
    case 0: return "ok";
    case ESRCH: return "ESRCH";
    case ENOENT: return "ENOENT";
    case EINVAL: return "EINVAL";
    case EACCES: return "EACCES";
    case EPERM: return "EPERM";
    case EIO: return "EIO";
    case EBADF: return "EBADF";
    case ENOTDIR: return "ENOTDIR";
    default: return strerror(error);
  }
}

static const char *outcome(long result) { return name_of(result < 0 ? errno : 0); }

static const char *const texts[] = {"maps", "smaps", "smaps_rollup", "numa_maps", "auxv", "environ", "cmdline", "pagemap",
                                    "limits", "comm", "cgroup", "mounts", "mountinfo", "personality", "statm", "oom_score_adj"};
static const char *const links[] = {"exe", "cwd", "root"};
static const char *const folders[] = {"fd", "fdinfo", "map_files", "task"};

static void show(const char *title, const char *at) {
  static char text[1 << 16];
  char path[128];
  printf("%s\n", title);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    snprintf(path, sizeof path, "%s/%s", at, texts[i]);
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
      printf("  %s: open %s\n", texts[i], outcome(fd));
      continue;
    }
    ssize_t got = read(fd, text, sizeof text - 1);
    if (got < 0) printf("  %s: read %s\n", texts[i], outcome(got));
    else printf("  %s: %s\n", texts[i], got > 0 ? "something" : "empty");
    if (got > 0 && strcmp(texts[i], "statm") == 0) printf("    %s\n", text[0] == '0' ? "no memory" : "memory");
    close(fd);
  }
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
    snprintf(path, sizeof path, "%s/%s", at, links[i]);
    ssize_t got = readlink(path, text, sizeof text);
    printf("  %s: %s", links[i], outcome(got));
    int fd = open(path, O_RDONLY);
    printf(", open %s\n", outcome(fd));
    if (fd >= 0) close(fd);
  }
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    snprintf(path, sizeof path, "%s/%s", at, folders[i]);
    DIR *folder = opendir(path);
    if (folder == NULL) {
      printf("  %s: %s\n", folders[i], outcome(-1));
      continue;
    }
    int count = 0;
    errno = 0;
    while (readdir(folder) != NULL) count++;
    printf("  %s: %s, %s\n", folders[i], name_of(errno), count > 2 ? "entries" : count == 2 ? "no entries" : "not even itself");
    closedir(folder);
    struct stat st;
    if (strcmp(folders[i], "fd") == 0 && stat(path, &st) == 0) printf("    size %s\n", st.st_size > 0 ? "more" : "0");
  }
  snprintf(path, sizeof path, "%s/fd/1", at);
  ssize_t got = readlink(path, text, sizeof text);
  printf("  fd/1: %s\n", outcome(got));
  snprintf(path, sizeof path, "%s/fdinfo/1", at);
  int fd = open(path, O_RDONLY);
  printf("  fdinfo/1: %s\n", outcome(fd));
  if (fd >= 0) close(fd);
  snprintf(path, sizeof path, "%s/mem", at);
  fd = open(path, O_RDWR);
  printf("  mem: open %s", outcome(fd));
  if (fd >= 0) {
    got = pread(fd, text, 8, (off_t)(uintptr_t)word);
    printf(", read %s", outcome(got));
    close(fd);
  }
  printf("\n");
  snprintf(path, sizeof path, "%s/clear_refs", at);
  fd = open(path, O_WRONLY);
  got = write(fd, "1", 1);
  printf("  clear_refs 1: %s", outcome(got));
  got = write(fd, "9", 1);
  printf(", 9: %s\n", outcome(got));
  close(fd);
  snprintf(path, sizeof path, "%s/oom_score", at);
  fd = open(path, O_RDONLY);
  got = read(fd, text, 63);
  text[got < 0 ? 0 : got] = 0;
  printf("  oom_score: %s\n", atoi(text) > 0 ? "some" : text);
  close(fd);
  snprintf(path, sizeof path, "%s/status", at);
  FILE *status = fopen(path, "r");
  static const char *const wanted[] = {"State:", "Umask:", "FDSize:", "Threads:", "VmSize:", "VmLck:", "CoreDumping:"};
  while (fgets(text, sizeof text, status) != NULL)
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
      if (strncmp(text, wanted[i], strlen(wanted[i])) == 0) {
        if (i == 4 || (i == 2 && atoi(text + 7) > 0)) printf("  %s some\n", wanted[i]);
        else if (i == 0 && text[7] == 'R') printf("  %s\tS (sleeping)\n", wanted[i]);
        else printf("  %s", text);
      }
  fclose(status);
  snprintf(path, sizeof path, "%s/stat", at);
  fd = open(path, O_RDONLY);
  got = read(fd, text, sizeof text - 1);
  text[got < 0 ? 0 : got] = 0;
  close(fd);
  char *rest = strrchr(text, ')') + 2;
  int field = 3;
  for (char *part = strtok(rest, " \n"); part != NULL; part = strtok(NULL, " \n"), field++) {
    if (field == 3) printf("  stat: %s", *part == 'R' ? "S" : part);
    if (field == 20) printf(" threads %s", part);
    if (field == 38) printf(" signal %s", part);
    if (field == 23 || field == 24 || field == 26 || field == 28 || field == 45 || field == 47 || field == 48)
      printf(" %d:%s", field, strcmp(part, "0") == 0 ? "0" : strcmp(part, "1") == 0 ? "1" : "some");
  }
  printf("\n");
}

static void calls(const char *title, pid_t pid) {
  char copy[16] = "";
  struct iovec to = {copy, 8}, from = {word, 8};
  long got = process_vm_readv(pid, &to, 1, &from, 1, 0);
  printf("%s\n  process_vm_readv: %s %s\n", title, outcome(got), copy);
  got = process_vm_writev(pid, &to, 1, &from, 1, 0);
  printf("  process_vm_writev: %s\n", outcome(got));
  void *page = (void *)((uintptr_t)word & ~4095ul);
  int node = 77;
  got = syscall(SYS_move_pages, pid, 1, &page, NULL, &node, 0);
  printf("  move_pages: %s %d\n", outcome(got), node);
  unsigned long nodes = 1;
  got = syscall(SYS_migrate_pages, pid, 64, &nodes, &nodes);
  printf("  migrate_pages: %s\n", outcome(got));
  int pidfd = syscall(SYS_pidfd_open, pid, 0);
  printf("  pidfd_open: %s\n", outcome(pidfd));
  if (pidfd >= 0) {
    struct iovec range = {page, 4096};
    got = syscall(SYS_process_madvise, pidfd, &range, 1, MADV_COLD, 0);
    printf("  process_madvise: %s\n", outcome(got));
    got = syscall(SYS_process_mrelease, pidfd, 0);
    printf("  process_mrelease: %s\n", outcome(got));
    got = syscall(SYS_pidfd_getfd, pidfd, 1, 0);
    printf("  pidfd_getfd: %s\n", outcome(got));
    got = syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0);
    printf("  pidfd_send_signal: %s\n", outcome(got));
    close(pidfd);
  }
  struct rlimit limit;
  printf("  prlimit: %s\n", outcome(prlimit(pid, RLIMIT_NOFILE, NULL, &limit)));
  printf("  kill: %s\n", outcome(kill(pid, 0)));
  printf("  getpgid: %s\n", outcome(getpgid(pid)));
  printf("  getpriority: %s\n", outcome((errno = 0, getpriority(PRIO_PROCESS, pid), errno == 0 ? 0 : -1)));
  printf("  sched_getscheduler: %s\n", outcome(syscall(SYS_sched_getscheduler, pid)));
  void *list;
  size_t length;
  printf("  get_robust_list: %s\n", outcome(syscall(SYS_get_robust_list, pid, &list, &length)));
}

static void *rest(void *unused) {
  (void)unused;
  char at[64];
  other = gettid();
  leader = getpid();
  snprintf(at, sizeof at, "/proc/%d/task/%d/stat", leader, leader);
  for (;;) {
    char text[256];
    int fd = open(at, O_RDONLY);
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got < 0 ? 0 : got] = 0;
    char *state = strrchr(text, ')');
    if (state != NULL && state[2] == 'Z') break;
    usleep(1000);
  }
  snprintf(at, sizeof at, "/proc/%d", leader);
  show("the process", at);
  show("itself", "/proc/self");
  snprintf(at, sizeof at, "/proc/%d/task/%d", leader, leader);
  show("its first thread", at);
  show("the other thread", "/proc/thread-self");
  snprintf(at, sizeof at, "/proc/%d", other);
  show("the other thread by its number", at);
  calls("calls of its own about the process", leader);
  calls("calls of its own about the thread", other);
  fflush(stdout);
  pid_t watcher = fork();
  if (watcher == 0) {
    snprintf(at, sizeof at, "/proc/%d", leader);
    show("the process, seen by a child", at);
    snprintf(at, sizeof at, "/proc/%d/task/%d", leader, other);
    show("the other thread, seen by a child", at);
    calls("calls of a child about the process", leader);
    calls("calls of a child about the thread", other);
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(watcher, &status, 0);
  printf("child %d\n", status);
  fflush(stdout);
  exit(0);
}

int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, rest, NULL);
  pthread_exit(NULL);
}
