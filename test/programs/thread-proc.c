/*
 * Threads in /proc, under their process and by their own numbers; calls that a stop ends in whichever thread; and the
 * limit of CPU time.
 */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static volatile int step;
static volatile pid_t other;
static sigset_t usr2;
static int never[2];

static void line(const char *path, const char *key)
{
  char text[512];
  size_t length = strlen(key);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    SAY("no such file: %d", errno == ENOENT);
    return;
  }
  while (fgets(text, sizeof text, file)) {
    int number;
    if (strncmp(text, key, length) != 0) continue;
    if (strcmp(key, "Pid:") == 0 || strcmp(key, "Tgid:") == 0) {
      sscanf(text + length, "%d", &number);
      SAY("%s the process %d, the other %d", key, number == getpid(), number == other);
    } else
      printf("%s", text);
  }
  fclose(file);
}

static void show(const char *folder)
{
  static const char *const keys[] = {"Name:", "Pid:", "Tgid:", "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:"};
  char path[128];
  snprintf(path, sizeof path, "%s/status", folder);
  for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) line(path, keys[i]);
}

static int lists(const char *folder, int *count)
{
  int found = 0;
  DIR *dir = opendir(folder);
  struct dirent *entry;
  *count = 0;
  while ((entry = readdir(dir)) != NULL) {
    int number = atoi(entry->d_name);
    if (number == 0) continue;
    ++*count;
    found |= number == other;
  }
  closedir(dir);
  return found;
}

static void *worker(void *arg)
{
  char byte;
  prctl(PR_SET_NAME, "worker");
  other = (pid_t)syscall(SYS_gettid);
  pthread_sigmask(SIG_BLOCK, &usr2, NULL);
  pthread_kill(pthread_self(), SIGUSR2);
  step = 1;
  if (read(never[0], &byte, 1) != 1) SAY("no read");
  return arg;
}

static void directories(void)
{
  pthread_t thread;
  char path[128];
  int count, found;
  pthread_create(&thread, NULL, worker, NULL);
  while (step != 1) usleep(1000);
  usleep(10000);
  SAY("its own:");
  snprintf(path, sizeof path, "/proc/self/task/%d", other);
  show(path);
  SAY("by its number:");
  snprintf(path, sizeof path, "/proc/%d", other);
  show(path);
  snprintf(path, sizeof path, "/proc/%d/task", other);
  found = lists(path, &count);
  SAY("%d threads, itself %d", count, found);
  SAY("the process:");
  show("/proc/self");
  found = lists("/proc/self/task", &count);
  SAY("%d threads, the other %d", count, found);
  SAY("in the list of processes: %d", lists("/proc", &count));
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", other);
  FILE *file = fopen(path, "w");
  fputs("renamed", file);
  fclose(file);
  line(path, "");
  if (write(never[1], "x", 1) != 1) SAY("no write");
  pthread_join(thread, NULL);
  usleep(10000);
  line(path, "");
}

static void *polls(void *arg)
{
  struct epoll_event event;
  int fd = epoll_create1(0);
  step = 1;
  int result = epoll_wait(fd, &event, 1, -1);
  SAY("epoll_wait of another thread: %d, EINTR %d", result, errno == EINTR);
  step = 2;
  return arg;
}

static void *takes(void *arg)
{
  pthread_sigmask(SIG_BLOCK, &usr2, NULL);
  step = 1;
  long result = syscall(SYS_rt_sigtimedwait, &usr2, NULL, NULL, 8);
  SAY("sigtimedwait of another thread: %ld, EINTR %d", result, errno == EINTR);
  step = 2;
  return arg;
}

static void *reads(void *arg)
{
  char byte;
  step = 1;
  SAY("read of another thread: %d", (int)read(never[0], &byte, 1));
  step = 2;
  return arg;
}

static void stopped(void *(*body)(void *), int restarts)
{
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    step = 0;
    pthread_create(&thread, NULL, body, NULL);
    while (step != 2) usleep(1000);
    fflush(stdout);
    _exit(0);
  }
  int status;
  usleep(50000);
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  kill(child, SIGCONT);
  usleep(30000);
  if (restarts) {
    SAY("goes on: %d", waitpid(child, &status, WNOHANG) == 0);
    if (write(never[1], "x", 1) != 1) SAY("no write");
  }
  waitpid(child, &status, 0);
  SAY("ended: %d", status);
}

static volatile int reminded;

static void remind(int signal)
{
  reminded = signal;
}

static void cpuLimit(void)
{
  struct rlimit limit = {0, 100};
  signal(SIGXCPU, remind);
  setrlimit(RLIMIT_CPU, &limit);
  while (reminded == 0) {
  }
  getrlimit(RLIMIT_CPU, &limit);
  SAY("reminded by %d, again after %d s", reminded, (int)limit.rlim_cur);
}

int main(void)
{
  prctl(PR_SET_NAME, "leader");
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  if (pipe(never) != 0) return 1;
  directories();
  stopped(polls, 0);
  stopped(takes, 0);
  stopped(reads, 1);
  cpuLimit();
  return 0;
}
