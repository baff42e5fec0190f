/*
 * What /proc says of a process that does things: signals, groups, children, adjustments; and what can be written there.
 * Numbers of processes are printed only as whose they are.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096l

static int self;

/* The whole of a file, as text. */
static char *contents(const char *path)
{
  static char text[65536];
  int file = open(path, O_RDONLY);
  long length = 0, got = 0;
  if (file < 0) return strcpy(text, "");
  while (length < (long)sizeof text - 1 && (got = read(file, text + length, sizeof text - 1 - length)) > 0) length += got;
  close(file);
  text[length] = 0;
  return text;
}

static char *of(int pid, const char *name)
{
  static char path[128];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return path;
}

/* What stands behind "Label:" in status. */
static const char *field(int pid, const char *label)
{
  static char found[256];
  char *line = strstr(contents(of(pid, "status")), label);
  if (!line) return "?";
  line += strlen(label);
  while (*line == ':' || *line == '\t' || *line == ' ') line++;
  snprintf(found, sizeof found, "%.*s", (int)strcspn(line, "\n"), line);
  return found;
}

/* The number in column n of stat, counted from 1. */
static long column(int pid, int n)
{
  char *at = strrchr(contents(of(pid, "stat")), ')');
  for (int i = 2; i < n && at; i++) at = strchr(at + 1, ' ');
  return at ? strtol(at + 1, NULL, 10) : -1;
}

/* The answer of writing a text to a file of the process. */
static long put(const char *name, const char *text)
{
  int file = open(of(self, name), O_WRONLY);
  if (file < 0) return -1;
  long done = write(file, text, strlen(text));
  int error = errno;
  close(file);
  errno = error;
  return done;
}

static void handler(int signal) { (void)signal; }

static void signals(void)
{
  signal(SIGUSR1, handler);
  signal(SIGUSR2, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, 40);
  sigprocmask(SIG_SETMASK, &set, NULL);
  kill(self, SIGTERM);
  kill(self, 40);
  syscall(SYS_tgkill, self, self, 40);
  const char *labels[] = {"SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"};
  for (int i = 0; i < 5; i++) SAY("%s %s", labels[i], field(self, labels[i]));
  SAY("stat: pending %lx, blocked %lx, ignored %lx, caught %lx", column(self, 31), column(self, 32), column(self, 33),
      column(self, 34));
  signal(40, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  sigemptyset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  SAY("ShdPnd %s", field(self, "ShdPnd"));
}

static void groups(void)
{
  int child = fork();
  if (child == 0) {
    setsid();
    setpriority(PRIO_PROCESS, 0, 5);
    personality(ADDR_NO_RANDOMIZE);
    raise(SIGSTOP);
    _exit(3);
  }
  int status;
  CHECK(waitpid(child, &status, WUNTRACED) == child);
  SAY("child: %s, group %d, session %d", field(child, "State"), column(child, 5) == child, column(child, 6) == child);
  SAY("NSpgid %d, NSsid %d, PPid %d, Threads %d", atoi(field(child, "NSpgid")) == child,
      atoi(field(child, "NSsid")) == child, atoi(field(child, "PPid")) == self, atoi(field(child, "Threads")));
  SAY("priority %ld, nice %ld, threads %ld, exit signal %ld", column(child, 18), column(child, 19), column(child, 20),
      column(child, 38));
  SAY("personality %s", strtok(contents(of(child, "personality")), "\n"));
  char children[64], expected[64];
  snprintf(children, sizeof children, "task/%d/children", self);
  snprintf(expected, sizeof expected, "%d ", child);
  SAY("children: %d", !strcmp(contents(of(self, children)), expected));
  int open_status = open(of(child, "status"), O_RDONLY), open_maps = open(of(child, "maps"), O_RDONLY),
      open_stat = open(of(child, "statm"), O_RDONLY);
  kill(child, SIGCONT);
  siginfo_t info;
  CHECK(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
  SAY("ended: %s, exit code %ld", field(child, "State"), column(child, 52));
  SAY("FDSize %s", field(child, "FDSize"));
  SAY("statm %s", strtok(contents(of(child, "statm")), "\n"));
  CHECK(waitpid(child, &status, 0) == child);
  char byte;
  SHOW(read(open_status, &byte, 1));
  SHOW(read(open_stat, &byte, 1));
  SHOW(read(open_maps, &byte, 1));
  SHOW(open(of(child, "status"), O_RDONLY));
}

static void adjustments(void)
{
  /* Only upwards: not every host's root may go back. */
  const char *adj[] = {"0", "16", "-18", "x", "", "5", "10\n", "15", "17"};
  for (int i = 0; i < 9; i++) {
    errno = 0;
    long done = put("oom_adj", adj[i]);
    const char *error = done < 0 ? errorName(errno) : "";
    int old = atoi(contents(of(self, "oom_adj")));
    SAY("oom_adj \"%s\": %ld %s, now %d, oom_score_adj %d", strcmp(adj[i], "10\n") ? adj[i] : "10", done, error, old,
        atoi(contents(of(self, "oom_score_adj"))));
  }
  const char *score[] = {"1000", "500", "1001", "59", "58", "0"};
  for (int i = 0; i < 6; i++) {
    long done = put("oom_score_adj", score[i]);
    SAY("oom_score_adj %s: %ld, oom_adj %d", score[i], done, atoi(contents(of(self, "oom_adj"))));
  }
  const char *refs[] = {"0", "1", "2", "3", "4", "5", "6", "-1", "x", "0x1", " 1\n", "1 1"};
  for (int i = 0; i < 12; i++) {
    long done = put("clear_refs", refs[i]);
    SAY("clear_refs %s: %ld %s", refs[i][0] == ' ' ? "1 with spaces" : refs[i], done, done < 0 ? errorName(errno) : "");
  }
  SHOW(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
  SAY("timerslack_ns %s", strtok(contents(of(self, "timerslack_ns")), "\n"));
  SHOW(put("timerslack_ns", "70000"));
  SHOW(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0));
  SAY("timerslack_ns %s", strtok(contents(of(self, "timerslack_ns")), "\n"));
  SHOW(put("timerslack_ns", "x"));
  SHOW(put("timerslack_ns", "0"));
  SAY("timerslack_ns %s", strtok(contents(of(self, "timerslack_ns")), "\n"));
  SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  SHOW(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
  SHOW(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
  SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0));
  SHOW(prctl(PR_SET_THP_DISABLE, 1, 2, 0, 0));
  SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_THP_DISABLE, 0, 2, 0, 0));
  SHOW(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 1));
  SHOW(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
  SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

/* The figure behind a label of status, in kB. */
static long kilobytes(const char *label) { return atol(field(self, label)); }

static void memory(void)
{
  long size = kilobytes("VmSize"), resident = kilobytes("RssAnon");
  long pages = strtol(contents(of(self, "statm")), NULL, 10);
  SAY("statm and status agree: %d", pages * 4 == size);
  char *area = mmap(0, 1024 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (long i = 0; i < 512; i++) area[i * PAGE] = 1;
  SAY("VmSize +%ld, RssAnon by about 2048: %d", kilobytes("VmSize") - size,
      labs(kilobytes("RssAnon") - resident - 2048) < 64);
  munmap(area, 1024 * PAGE);
  SAY("RssAnon as before: %d, VmHWM more by over 1500: %d", labs(kilobytes("RssAnon") - resident) < 64,
      kilobytes("VmHWM") - kilobytes("VmRSS") > 1500);
  CHECK(put("clear_refs", "5") == 1);
  SAY("VmHWM more by under 200: %d", kilobytes("VmHWM") - kilobytes("VmRSS") < 200);

  int file = memfd_create("some", 0);
  CHECK(ftruncate(file, 4 * PAGE) == 0);
  char *shown = mmap(0, 2 * PAGE, PROT_READ, MAP_SHARED, file, PAGE);
  char name[64], link[128], target[128];
  snprintf(name, sizeof name, "%lx-%lx", (long)shown, (long)shown + 2 * PAGE);
  snprintf(link, sizeof link, "/proc/self/map_files/%s", name);
  long length = readlink(link, target, sizeof target);
  SAY("map_files: %.*s", (int)length, target);
  int again = open(link, O_RDWR);
  CHECK(again >= 0);
  SHOW(pwrite(again, "q", 1, PAGE));
  SAY("%c", shown[0]);
  snprintf(link, sizeof link, "/proc/self/map_files/%lx-%lx", (long)shown, (long)shown + PAGE);
  SHOW(readlink(link, target, sizeof target));
  SHOW(readlink("/proc/self/map_files/0-1000", target, sizeof target));
  SHOW(readlink("/proc/self/map_files/x", target, sizeof target));

  int mem = open("/proc/self/mem", O_RDWR);
  char *guarded = mmap(0, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(guarded + PAGE, PAGE);
  char bytes[3 * PAGE];
  SHOW(pread(mem, bytes, 10, (long)guarded));
  SHOW(pwrite(mem, "abc", 3, (long)guarded));
  SHOW(pread(mem, bytes, 3 * PAGE, (long)guarded));
  SHOW(pread(mem, bytes, PAGE, (long)guarded + PAGE));
  SHOW(pwrite(mem, "x", 1, (long)shown));
  SHOW(pread(mem, bytes, 2 * PAGE, (long)shown));
  SHOW(pread(mem, bytes, 1, 0));
  SHOW(pread(mem, bytes, 0, 0));
  char *volatile nowhere = (char *)8;
  SHOW(pread(mem, nowhere, 8, (long)guarded));
  SHOW(lseek(mem, 5, SEEK_SET));
  SHOW(lseek(mem, 5, SEEK_END));

  uint64_t regions[3 * 8];
  uint64_t arg[12] = {96, 0, (uint64_t)guarded, (uint64_t)guarded + 4 * PAGE, 0, (uint64_t)regions, 8, 0, 0, 8, 0, 0x1ff};
  int pagemap = open("/proc/self/pagemap", O_RDONLY);
  SHOW(ioctl(pagemap, 0xc0606610, arg));
  SAY("pages %ld, categories %lx, end %ld", (long)(regions[1] - regions[0]) / PAGE, (long)regions[2],
      ((long)arg[4] - (long)guarded) / PAGE);
  arg[1] = 2;
  SHOW(ioctl(pagemap, 0xc0606610, arg));
  SHOW(ioctl(pagemap, 0xc0606611, arg));
  SHOW(ioctl(pagemap, 0xc0606610, (void *)8));
}

static void files(void)
{
  int file = memfd_create("positioned", MFD_CLOEXEC);
  CHECK(write(file, "0123456789", 10) == 10);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", file);
  char *text = contents(path);
  SAY("%.*s", (int)(strstr(text, "mnt_id") - text - 1), text);
  char link[64], expected[64];
  long length = readlink("/proc/thread-self", link, sizeof link - 1);
  link[length > 0 ? length : 0] = 0;
  snprintf(expected, sizeof expected, "%d/task/%d", self, self);
  SAY("thread-self %d", !strcmp(link, expected));
  SAY("cgroup has a line of 0: %d", strstr(contents("/proc/self/cgroup"), "0::/") != NULL);
  unsigned long auxv[128] = {0};
  int vector = open("/proc/self/auxv", O_RDONLY);
  length = read(vector, auxv, sizeof auxv);
  CHECK(length > 0 && length % 16 == 0);
  long page = 0, uid = -1;
  for (int i = 0; i * 8 < length; i += 2) {
    if (auxv[i] == 6) page = auxv[i + 1];
    if (auxv[i] == 11) uid = auxv[i + 1];
  }
  SAY("auxv: page size %ld, uid %ld, ends with AT_NULL %d", page, uid, auxv[length / 8 - 2] == 0);
  double up = 0, idle = -1;
  SAY("uptime: %d numbers", sscanf(contents("/proc/uptime"), "%lf %lf", &up, &idle));
  float load[3];
  int running, threads, last;
  SAY("loadavg: %d numbers", sscanf(contents("/proc/loadavg"), "%f %f %f %d/%d %d", load, load + 1, load + 2, &running,
      &threads, &last));
}

int main(void)
{
  setvbuf(stdout, NULL, _IONBF, 0);
  self = getpid();
  signals();
  groups();
  adjustments();
  memory();
  files();
  return 0;
}
