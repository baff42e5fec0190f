/*
 * Calls that wait while another thread closes their descriptors: they go on with the files that they have. And calls that
 * have to wait in the middle: sendfile, vmsplice.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "show.h"

static void settle(int ms)
{
  struct timespec t = {0, ms * 1000000L};
  nanosleep(&t, NULL);
}

/* What the other thread closes, opens again as something else if `other` is none of its numbers, and then does. */
static int closed, other, told;
static char byte[1];

static void *close_then_tell(void *unused)
{
  settle(50);
  close(closed);
  if (other >= 0) dup2(other, closed);
  settle(50);
  if (told >= 0 && write(told, "x", 1) != 1) SAY("nobody is there");
  return unused;
}

static pthread_t thread;

static void begin(int fd, int instead, int tell)
{
  closed = fd;
  other = instead;
  told = tell;
  pthread_create(&thread, NULL, close_then_tell, NULL);
}

static void streams(void)
{
  int one[2], two[2];
  CHECK(pipe(one) == 0 && pipe(two) == 0);
  begin(one[0], -1, one[1]);
  SHOW(read(one[0], byte, 1));
  pthread_join(thread, NULL);
  SHOW(read(one[0], byte, 1));
  SHOW(write(one[1], byte, 1));
  close(one[1]);
  CHECK(pipe(one) == 0);
  /* The number leads elsewhere by then. */
  begin(one[0], two[0], one[1]);
  SHOW(read(one[0], byte, 1));
  pthread_join(thread, NULL);
  SHOW(write(two[1], "yz", 2));
  SHOW(read(one[0], byte, 1));
  SHOW(byte[0] == 'y');
  close(one[0]);
  close(one[1]);
  close(two[0]);
  close(two[1]);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, one) == 0);
  begin(one[0], -1, one[1]);
  SHOW(recv(one[0], byte, 1, 0));
  pthread_join(thread, NULL);
  SHOW(recv(one[0], byte, 1, 0));
  SHOW(write(one[1], byte, 1));
  close(one[1]);
  CHECK(pipe(one) == 0);
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(poll, EPOLL_CTL_ADD, one[0], &event);
  begin(poll, -1, one[1]);
  SHOW(epoll_wait(poll, &event, 1, 5000));
  pthread_join(thread, NULL);
  SHOW(epoll_wait(poll, &event, 1, 0));
  close(one[0]);
  close(one[1]);
}

static void connections(void)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0waiting-files"};
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(listener, (struct sockaddr *)&name, 16);
  listen(listener, 1);
  pid_t child = fork();
  if (child == 0) {
    close(listener);
    settle(150);
    _exit(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, 16) != 0);
  }
  begin(listener, -1, -1);
  int connection = accept(listener, NULL, NULL);
  SHOW(connection >= 0);
  int status;
  waitpid(child, &status, 0);
  SHOW(status);
  pthread_join(thread, NULL);
  close(connection);
  SHOW(connect(connection = socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, 16) == -1);
  close(connection);
}

static void locks(void)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int status;
  for (int i = 0; i < 2; i++) {
    int fd = open("waiting-lock", O_RDWR | O_CREAT, 0600);
    pid_t child = fork();
    if (child == 0) {
      fcntl(fd, F_SETLK, &lock);
      settle(200);
      _exit(0);
    }
    settle(50);
    begin(fd, -1, -1);
    /* The lock of a descriptor that is closed by then is none. */
    SHOW(fcntl(fd, F_SETLKW, &lock));
    waitpid(child, &status, 0);
    pthread_join(thread, NULL);
  }
  int fd = open("waiting-lock", O_RDWR);
  SHOW(fcntl(fd, F_OFD_SETLK, &lock));
  close(fd);
  unlink("waiting-lock");
}

static void *drain(void *pipe)
{
  static char taken[4096];
  settle(50);
  while (read(*(int *)pipe, taken, sizeof taken) > 0)
    ;
  return NULL;
}

static void on_alarm(int signal)
{
  (void)signal;
}

static void waits_in_the_middle(void)
{
  int one[2], file = open("waiting-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
  char *memory = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct iovec piece = {memory, 65536};
  CHECK(pipe(one) == 0 && ftruncate(file, 2000000) == 0);
  SHOW(syscall(SYS_vmsplice, one[1], &piece, 1, 0));
  pthread_create(&thread, NULL, drain, &one[0]);
  SHOW(syscall(SYS_vmsplice, one[1], &piece, 1, 0) > 0);
  close(one[1]);
  pthread_join(thread, NULL);
  close(one[0]);

  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, one) == 0);
  pthread_create(&thread, NULL, drain, &one[0]);
  off_t at = 100;
  SHOW(sendfile(one[1], file, &at, 2000000));
  SHOW(at);
  SHOW(sendfile(one[1], file, NULL, 1999000));
  SHOW(lseek(file, 0, SEEK_CUR));
  close(one[1]);
  pthread_join(thread, NULL);
  close(one[0]);

  /* Nobody reads: a signal ends it, and says how far it came. */
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, one) == 0);
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  struct itimerval soon = {.it_value = {0, 50000}};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &soon, NULL);
  at = 7;
  long sent = sendfile(one[1], file, &at, 1000000);
  SHOW(sent > 0 && sent < 1000000 && at == 7 + sent);
  close(one[0]);
  signal(SIGPIPE, SIG_IGN);
  SHOW(sendfile(one[1], file, &at, 10));
  close(one[1]);
  close(file);
  unlink("waiting-file");
}

/* A parent chooses the process group of its child, dead or alive, until that executes a program. */
static void groups(void)
{
  int hold[2], status;
  CHECK(pipe(hold) == 0);
  pid_t child = fork();
  if (child == 0) {
    close(hold[1]);
    _exit((int)read(hold[0], byte, 1));
  }
  SHOW(setpgid(child, child));
  SHOW(setpgid(child, getpgrp()));
  close(hold[1]);
  settle(50);
  SHOW(setpgid(child, child));
  waitpid(child, &status, 0);
  SHOW(setpgid(child, child));
  CHECK(pipe(hold) == 0);
  child = fork();
  if (child == 0) {
    close(hold[1]);
    dup2(hold[0], 0);
    execl("/proc/self/exe", "waiting-files", "wait", (char *)NULL);
    _exit(1);
  }
  settle(100);
  SHOW(setpgid(child, child));
  close(hold[1]);
  waitpid(child, &status, 0);
  SHOW(status);
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "wait") == 0) return (int)read(0, byte, 1);
  signal(SIGPIPE, SIG_IGN);
  streams();
  connections();
  locks();
  waits_in_the_middle();
  groups();
  return 0;
}
