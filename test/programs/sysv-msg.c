/* System V message queues: which message a receiver gets, who waits, who may, and what is told of them. Run as root. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
/* C libraries differ in what they call them. */
#define strerror(error) ((error) == ENOMSG ? "ENOMSG" : (error) == EIDRM ? "EIDRM" : strerror(error))
#include "show.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT 11
#define MSG_INFO 12
#define MSG_STAT_ANY 13
#endif

static struct {
  long type;
  char text[70000];
} m;

/* Unknown to the compiler, which would warn. */
static char *volatile nowhere = (char *)8;

static long sends(int q, long type, const char *text, int flags)
{
  m.type = type;
  strcpy(m.text, text);
  return msgsnd(q, &m, strlen(text), flags);
}

static void receives(int q, unsigned long size, long type, int flags)
{
  memset(&m, 0, sizeof m);
  long got = msgrcv(q, &m, size, type, flags);
  if (got < 0)
    SAY("receive %lu, type %ld, flags %#o: %s", size, type, flags, errorName(errno) ? errorName(errno) : "");
  else
    SAY("receive %lu, type %ld, flags %#o: %ld of type %ld, \"%s\"", size, type, flags, got, m.type, m.text);
}

static void tell(int q)
{
  struct msqid_ds ds;
  if (msgctl(q, IPC_STAT, &ds) != 0) {
    SAY("stat: %s", errorName(errno));
    return;
  }
  SAY("stat: mode %o, uid %d %d, bytes %lu, messages %lu of %lu, sent %d %s, received %d %s, changed %d", ds.msg_perm.mode,
      ds.msg_perm.uid, ds.msg_perm.cuid, (unsigned long)ds.msg_cbytes, (unsigned long)ds.msg_qnum,
      (unsigned long)ds.msg_qbytes, ds.msg_stime != 0, ds.msg_lspid == 0 ? "by nobody" : ds.msg_lspid == getpid() ? "here" : "there",
      ds.msg_rtime != 0, ds.msg_lrpid == 0 ? "by nobody" : ds.msg_lrpid == getpid() ? "here" : "there", ds.msg_ctime != 0);
}

static void choosing(int q)
{
  SAY("-- which one");
  for (int i = 0; i < 6; i++) {
    static const long types[] = {5, 3, 9, 3, 1, 7};
    char text[] = "message 0";
    text[8] += i;
    SHOW(sends(q, types[i], text, 0));
  }
  tell(q);
  receives(q, 100, 3, 0);
  receives(q, 100, 3, 0);
  receives(q, 100, 3, IPC_NOWAIT);
  receives(q, 100, -6, 0);
  receives(q, 100, -4, IPC_NOWAIT);
  receives(q, 100, 5, MSG_EXCEPT);
  receives(q, 100, 0, 0);
  receives(q, 100, LONG_MIN, 0);
  receives(q, 100, 0, IPC_NOWAIT);
  SHOW(sends(q, LONG_MAX, "the largest type", 0));
  receives(q, 100, LONG_MIN, 0);
  SHOW(sends(q, 4, "four", 0));
  receives(q, 3, 0, 0);
  receives(q, 3, 0, MSG_NOERROR);
  SHOW(sends(q, 4, "", 0));
  receives(q, 0, 4, 0);
  tell(q);
}

static void refused(int q)
{
  SAY("-- refused");
  SHOW(sends(q, 0, "x", 0));
  SHOW(sends(q, -1, "x", 0));
  SHOW(sends(-1, 1, "x", 0));
  SHOW(sends(q + 32768, 1, "x", 0));
  m.type = 1;
  SHOW(msgsnd(q, &m, 8193, IPC_NOWAIT));
  SHOW(msgsnd(q, &m, 8192, IPC_NOWAIT));
  SHOW(msgsnd(q, &m, -1, IPC_NOWAIT));
  SHOW(msgsnd(q, nowhere, 1, IPC_NOWAIT));
  SHOW(msgsnd(q, &m, 8192, IPC_NOWAIT));
  SHOW(msgsnd(q, &m, 1, IPC_NOWAIT));
  SHOW(msgsnd(q, &m, 0, IPC_NOWAIT));
  tell(q);
  SHOW(msgrcv(q, nowhere, 8192, 0, 0));
  tell(q);
  SHOW(msgrcv(q, &m, -1, 0, 0));
  SHOW(msgrcv(-1, &m, 1, 0, 0));
  SHOW(msgrcv(q + 32768, &m, 1, 0, 0));
  SHOW(msgrcv(q, &m, 8192, 0, 0));
  SHOW(msgrcv(q, &m, 1, 0, IPC_NOWAIT));
  SHOW(msgctl(q, 99, 0));
  SHOW(msgctl(q, -1, 0));
  SHOW(msgctl(-1, IPC_RMID, 0));
  SHOW(msgctl(q, IPC_STAT, (void *)nowhere));
  SHOW(msgctl(q, IPC_SET, (void *)nowhere));
  SHOW(msgctl(q + 32768, IPC_SET, (void *)nowhere));
}

static void keys(void)
{
  SAY("-- keys");
  key_t key = 0x46415558;
  int old = msgget(key, 0);
  if (old >= 0)
    msgctl(old, IPC_RMID, 0);
  SHOW(msgget(key, 0600));
  int q = msgget(key, IPC_CREAT | IPC_EXCL | 0640);
  CHECK(q >= 0);
  SHOW(msgget(key, 0) == q);
  SHOW(msgget(key, IPC_CREAT) == q);
  SHOW(msgget(key, IPC_CREAT | IPC_EXCL) == q);
  SHOW(msgget(key, 0777) == q);
  int private = msgget(IPC_PRIVATE, 0);
  CHECK(private >= 0 && private != q);
  tell(private);
  pid_t child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    SHOW(msgget(key, 0) == q);
    SHOW(msgget(key, 0400) == q);
    SHOW(msgget(key, IPC_CREAT | IPC_EXCL | 0400) == q);
    SHOW(sends(q, 1, "x", 0));
    receives(q, 1, 0, 0);
    tell(q);
    SHOW(msgctl(q, IPC_RMID, 0));
    struct msqid_ds ds = {.msg_perm = {.uid = 60123}};
    SHOW(msgctl(q, IPC_SET, &ds));
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  struct msqid_ds ds;
  CHECK(msgctl(q, IPC_STAT, &ds) == 0);
  ds.msg_perm.uid = 60123;
  ds.msg_perm.mode = 07622;
  ds.msg_qbytes = 10000;
  SHOW(msgctl(q, IPC_SET, &ds));
  tell(q);
  SHOW(sends(q, 1, "x", 0));
  child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    tell(q);
    receives(q, 1, 0, 0);
    ds.msg_qbytes = 16385;
    SHOW(msgctl(q, IPC_SET, &ds));
    ds.msg_qbytes = 10;
    SHOW(msgctl(q, IPC_SET, &ds));
    ds.msg_perm.uid = -1;
    SHOW(msgctl(q, IPC_SET, &ds));
    tell(q);
    SHOW(sends(q, 1, "more than ten", IPC_NOWAIT));
    SHOW(msgctl(q, IPC_RMID, 0));
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  SHOW(msgget(key, 0) == q);
  SHOW(msgctl(q, IPC_STAT, &ds));
  CHECK(msgctl(private, IPC_RMID, 0) == 0);
}

static void nothing(int signal)
{
  (void)signal;
}

static void waiting(void)
{
  SAY("-- waiting");
  int q = msgget(IPC_PRIVATE, 0600);
  pid_t child = fork();
  if (child == 0) {
    receives(q, 100, 7, 0);
    receives(q, 100, 0, 0);
    receives(q, 2, 0, 0);
    receives(q, 100, 0, 0);
    receives(q, 100, 0, 0);
    _exit(0);
  }
  usleep(30000);
  CHECK(sends(q, 1, "not yet", 0) == 0);
  CHECK(sends(q, 7, "first", 0) == 0);
  usleep(30000);
  CHECK(sends(q, 1, "long", 0) == 0);
  usleep(30000);
  tell(q);
  usleep(30000);
  CHECK(msgctl(q, IPC_RMID, 0) == 0);
  CHECK(waitpid(child, 0, 0) == child);
  q = msgget(IPC_PRIVATE, 0600);
  m.type = 1;
  CHECK(msgsnd(q, &m, 8192, 0) == 0 && msgsnd(q, &m, 8192, 0) == 0);
  child = fork();
  if (child == 0) {
    SHOW(msgsnd(q, &m, 8000, 0));
    SHOW(msgsnd(q, &m, 8000, 0));
    _exit(0);
  }
  usleep(30000);
  CHECK(msgrcv(q, &m, 8192, 0, 0) == 8192);
  usleep(30000);
  CHECK(msgrcv(q, &m, 8192, 0, 0) == 8192);
  CHECK(waitpid(child, 0, 0) == child);
  tell(q);
  struct sigaction act = {.sa_handler = nothing, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &act, 0) == 0);
  child = fork();
  if (child == 0) {
    m.type = 1;
    SHOW(msgsnd(q, &m, 8000, 0));
    receives(q, 10, 99, 0);
    _exit(0);
  }
  while (waitpid(child, 0, WNOHANG) == 0) {
    usleep(30000);
    kill(child, SIGUSR1);
  }
  CHECK(msgctl(q, IPC_RMID, 0) == 0);
}

/* Who waits has a message when it is sent: nobody else gets it, whoever runs first. */
static void handedOver(void)
{
  SAY("-- handed over");
  int q = msgget(IPC_PRIVATE, 0666);
  pid_t child = fork();
  if (child == 0) {
    receives(q, 100, 0, 0);
    _exit(0);
  }
  usleep(30000);
  SHOW(sends(q, 1, "for the child", 0));
  SHOW(msgrcv(q, &m, 100, 0, IPC_NOWAIT));
  CHECK(waitpid(child, 0, 0) == child);
  child = fork();
  if (child == 0) {
    receives(q, 2, 0, 0);
    _exit(0);
  }
  usleep(30000);
  SHOW(sends(q, 1, "too long", 0));
  SHOW(msgrcv(q, &m, 100, 0, IPC_NOWAIT));
  CHECK(waitpid(child, 0, 0) == child);
  pid_t first = fork();
  if (first == 0)
    _exit(msgrcv(q, &m, 100, 0, 0));
  usleep(30000);
  pid_t second = fork();
  if (second == 0)
    _exit(msgrcv(q, &m, 100, -5, 0));
  usleep(30000);
  CHECK(sends(q, 5, "1", 0) == 0 && sends(q, 5, "22", 0) == 0);
  int status;
  CHECK(waitpid(first, &status, 0) == first);
  SHOW(WEXITSTATUS(status));
  CHECK(waitpid(second, &status, 0) == second);
  SHOW(WEXITSTATUS(status));

  SAY("-- not to whom is stopped");
  child = fork();
  if (child == 0) {
    receives(q, 100, 0, 0);
    _exit(0);
  }
  usleep(30000);
  CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, 0, WUNTRACED) == child);
  SHOW(sends(q, 1, "for anybody", 0));
  receives(q, 100, 0, IPC_NOWAIT);
  CHECK(sends(q, 1, "when it goes on", 0) == 0);
  CHECK(kill(child, SIGCONT) == 0 && waitpid(child, 0, 0) == child);

  SAY("-- changed while somebody waits");
  struct msqid_ds ds;
  CHECK(msgctl(q, IPC_STAT, &ds) == 0);
  child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    receives(q, 100, 0, 0);
    CHECK(sends(q, 1, "", IPC_NOWAIT) < 0);
    _exit(0);
  }
  usleep(30000);
  ds.msg_perm.mode = 0600;
  CHECK(msgctl(q, IPC_SET, &ds) == 0);
  CHECK(waitpid(child, 0, 0) == child);
  ds.msg_perm.mode = 0666;
  ds.msg_qbytes = 3;
  CHECK(msgctl(q, IPC_SET, &ds) == 0);
  child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    SHOW(sends(q, 1, "four", 0));
    SHOW(sends(q, 1, "five", 0));
    _exit(0);
  }
  usleep(30000);
  ds.msg_qbytes = 4;
  CHECK(msgctl(q, IPC_SET, &ds) == 0);
  usleep(30000);
  ds.msg_perm.mode = 0600;
  CHECK(msgctl(q, IPC_SET, &ds) == 0);
  usleep(30000);
  CHECK(waitpid(child, 0, WNOHANG) == 0);
  ds.msg_qbytes = 8;
  CHECK(msgctl(q, IPC_SET, &ds) == 0);
  CHECK(waitpid(child, 0, 0) == child);
  tell(q);
  CHECK(msgctl(q, IPC_RMID, 0) == 0);
}

/* MSG_COPY: the message of a number, which stays. */
static void copies(void)
{
  SAY("-- copies");
  int q = msgget(IPC_PRIVATE, 0600);
  CHECK(sends(q, 7, "zero", 0) == 0 && sends(q, 3, "first", 0) == 0);
  receives(q, 100, 0, MSG_COPY);
  receives(q, 100, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT);
  receives(q, 100, 0, MSG_COPY | IPC_NOWAIT);
  receives(q, 100, 1, MSG_COPY | IPC_NOWAIT);
  receives(q, 100, 2, MSG_COPY | IPC_NOWAIT);
  receives(q, 100, -1, MSG_COPY | IPC_NOWAIT);
  receives(q, 4, 1, MSG_COPY | IPC_NOWAIT);
  receives(q, 4, 1, MSG_COPY | IPC_NOWAIT | MSG_NOERROR);
  receives(q, 4, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR);
  SHOW(msgrcv(q, nowhere, 4, 0, MSG_COPY | IPC_NOWAIT));
  SHOW(msgrcv(q, nowhere, 0, 9, MSG_COPY | IPC_NOWAIT));
  tell(q);
  receives(q, 100, 0, 0);
  receives(q, 100, 0, 0);
  CHECK(msgctl(q, IPC_RMID, 0) == 0);
}

static void slots(void)
{
  SAY("-- by slot");
  int q = msgget(IPC_PRIVATE, 0600);
  CHECK(q >= 0);
  CHECK(sends(q, 1, "abc", 0) == 0);
  struct msqid_ds ds;
  SHOW(msgctl(q & 32767, MSG_STAT, &ds) == q);
  SHOW(ds.msg_qnum);
  SHOW(msgctl(q & 32767, MSG_STAT_ANY, &ds) == q);
  SHOW(msgctl(q & 32767, IPC_STAT, &ds) == (q < 32768 ? 0 : -1));
  pid_t child = fork();
  if (child == 0) {
    CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    SHOW(msgctl(q & 32767, MSG_STAT, &ds) == q);
    SHOW(msgctl(q & 32767, MSG_STAT_ANY, &ds) == q);
    _exit(0);
  }
  CHECK(waitpid(child, 0, 0) == child);
  struct msginfo info;
  SHOW(msgctl(0, IPC_INFO, (struct msqid_ds *)&info) >= 0);
  SAY("%d %d %d %d %d %d %d %d", info.msgpool, info.msgmap, info.msgmax, info.msgmnb, info.msgmni, info.msgssz,
      info.msgtql, info.msgseg);
  SHOW(msgctl(0, MSG_INFO, (struct msqid_ds *)&info) >= (q & 32767));
  SHOW(info.msgpool >= 1 && info.msgmap >= 1 && info.msgtql >= 3);
  SHOW(msgctl(q, IPC_INFO, (struct msqid_ds *)nowhere));
  char line[300];
  FILE *file = fopen("/proc/sysvipc/msg", "r");
  CHECK(file && fgets(line, sizeof line, file));
  printf("%s", line);
  while (fgets(line, sizeof line, file)) {
    int key, id, uid, gid;
    unsigned mode;
    long bytes, count;
    CHECK(sscanf(line, "%d %d %o %ld %ld %*d %*d %d %d", &key, &id, &mode, &bytes, &count, &uid, &gid) == 7);
    if (id == q)
      SAY("%d %o %ld %ld %d %d, %zu characters", key, mode, bytes, count, uid, gid, strlen(line));
  }
  fclose(file);
  CHECK(msgctl(q, IPC_RMID, 0) == 0);
  SHOW(msgctl(q & 32767, MSG_STAT, &ds));
  SHOW(msgctl(40000, MSG_STAT, &ds));
}

int main(void)
{
  alarm(60);
  int q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  CHECK(q >= 0);
  tell(q);
  choosing(q);
  refused(q);
  SHOW(msgctl(q, IPC_RMID, 0));
  SHOW(msgctl(q, IPC_RMID, 0));
  SHOW(sends(q, 1, "x", 0));
  keys();
  waiting();
  handedOver();
  copies();
  slots();
  return 0;
}
