/* What a process begins with: limits, how late its timers may be; and the working directory that chroot leaves behind. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void limit(const char *name, int which)
{
  struct rlimit r;
  CHECK(getrlimit(which, &r) == 0);
  SAY("%s %lld %lld", name, (long long)r.rlim_cur, (long long)r.rlim_max);
}

static void child(void (*run)(void))
{
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    run();
    exit(0);
  }
  int status;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* Run as a user: nobody of these raises a priority. */
static void user(void)
{
  struct sched_param param = {.sched_priority = 1}, none = {.sched_priority = 0};
  CHECK(syscall(SYS_setresuid, 65534, 65534, 65534) == 0);
  SHOW(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
  SHOW(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param));
  SHOW(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none));
  SHOW(setpriority(PRIO_PROCESS, 0, 5));
  SHOW(setpriority(PRIO_PROCESS, 0, 4));
  SHOW(setpriority(PRIO_PROCESS, 0, -1));
}

static void slackOfChild(void)
{
  SHOW(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
  SHOW(prctl(PR_SET_TIMERSLACK, 123, 0, 0, 0));
  SHOW(prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0));
  SHOW(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
}

static void outside(void)
{
  char path[4096] = "";
  CHECK(mkdir("beginnings", 0755) == 0 && chroot("beginnings") == 0);
  CHECK(syscall(SYS_getcwd, path, sizeof path) > 13);
  SAY("%.13s", path);
  CHECK(chroot(".") == 0 && chdir("beginnings") == 0 && chroot("..") == 0);
  SHOW(syscall(SYS_getcwd, path, sizeof path));
  SAY("%s", path);
  CHECK(chdir("..") == 0);
  SHOW(syscall(SYS_getcwd, path, sizeof path));
  CHECK(rmdir("beginnings") == 0);
}

static void errors(void)
{
  char byte;
  int stream = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(stream >= 0);
  SHOW(recv(stream, &byte, 1, MSG_ERRQUEUE));
  struct sockaddr_in any = {.sin_family = AF_INET};
  CHECK(bind(stream, (struct sockaddr *)&any, sizeof any) == 0 && listen(stream, 1) == 0);
  SHOW(recv(stream, &byte, 1, MSG_ERRQUEUE));
}

int main(void)
{
  limit("nice", RLIMIT_NICE);
  limit("rtprio", RLIMIT_RTPRIO);
  limit("msgqueue", RLIMIT_MSGQUEUE);
  limit("core", RLIMIT_CORE);
  limit("stack", RLIMIT_STACK);
  limit("memlock", RLIMIT_MEMLOCK);
  child(user);
  SHOW(prctl(PR_SET_TIMERSLACK, 70000, 0, 0, 0));
  child(slackOfChild);
  SHOW(prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0));
  SHOW(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
  child(outside);
  errors();
  return 0;
}
