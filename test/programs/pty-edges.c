/*
 * Edges of terminals: reads that wait for more bytes than there is room for, that are interrupted or go to bad addresses;
 * hanging up; numbers of pairs; what a session's jobs hear when their terminal is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int master, slave;

static void show(const char *what, long result)
{
  if (result >= 0)
    printf("%s: %ld\n", what, result);
  else
    printf("%s: errno %d\n", what, errno);
  fflush(stdout);
}

static void settle(int ms)
{
  struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&t, NULL);
}

static void open_slave(void)
{
  slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
}

static void open_pair(void)
{
  int unlocked = 0;
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  ioctl(master, TIOCSPTLCK, &unlocked);
  open_slave();
}

static void close_pair(void)
{
  close(master);
  close(slave);
}

static void set_raw(int minimum)
{
  struct termios t;
  tcgetattr(slave, &t);
  cfmakeraw(&t);
  t.c_cc[VMIN] = (cc_t)minimum;
  t.c_cc[VTIME] = 0;
  tcsetattr(slave, TCSANOW, &t);
}

static void type(const char *keys)
{
  if (write(master, keys, strlen(keys)) < 0)
    printf("typing: errno %d\n", errno);
  settle(30);
}

static long unread(int fd)
{
  int bytes = -1;
  return ioctl(fd, FIONREAD, &bytes) < 0 ? -1 : bytes;
}

static int events(int fd)
{
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  poll(&p, 1, 0);
  return p.revents;
}

static void on_alarm(int signal)
{
  (void)signal;
}

/* A child reads `room` bytes and is interrupted after a second; meanwhile `keys` are typed. */
static void read_while(const char *what, size_t room, const char *keys)
{
  char buffer[100];
  pid_t child = fork();
  if (child == 0) {
    alarm(1);
    show(what, read(slave, buffer, room));
    show("unread", unread(slave));
    _exit(0);
  }
  settle(30);
  type(keys);
  waitpid(child, NULL, 0);
  tcflush(slave, TCIFLUSH);
}

static void reading(void)
{
  struct sigaction sa = {.sa_handler = on_alarm};
  struct termios t;
  char byte;
  sigaction(SIGALRM, &sa, NULL);
  open_pair();
  show("close on exec", ioctl(slave, FIOCLEX));
  show("it is", fcntl(slave, F_GETFD));
  show("not any more", ioctl(slave, FIONCLEX));
  show("no room", read(slave, &byte, 0));
  set_raw(10);
  read_while("VMIN 10, room for 5", 5, "12345");
  read_while("VMIN 10, interrupted after 3", 50, "123");
  tcgetattr(slave, &t);
  t.c_lflag |= ICANON | 0200000; /* EXTPROC */
  tcsetattr(slave, TCSANOW, &t);
  read_while("EXTPROC, no line yet", 50, "xy");
  close_pair();
}

static void bad_addresses(void)
{
  char buffer[8192];
  long got = 0;
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(pages, 'x', 4096);
  mprotect(pages + 4096, 4096, PROT_NONE);
  open_pair();
  set_raw(1);
  show("write 5 good, 5 bad", write(slave, pages + 4091, 10));
  show("write 3000 good, 10 bad", write(slave, pages + 1096, 3010));
  fcntl(master, F_SETFL, O_NONBLOCK);
  for (long n; (n = read(master, buffer, sizeof buffer)) > 0;)
    got += n;
  show("arrived", got);
  type("hello");
  show("read to a bad address", read(slave, pages + 4096, 5));
  show("left", unread(slave));
  type("hello");
  show("read 4 good, 1 bad", read(slave, pages + 4092, 5));
  show("left", unread(slave));
  close_pair();
}

static void numbers(void)
{
  int first = -1, second = -1;
  open_pair();
  ioctl(master, TIOCGPTN, &first);
  close(master);
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  ioctl(master, TIOCGPTN, &second);
  printf("number of a slave that is open, taken again: %d\n", first == second);
  show("close on exec of what is hung up", ioctl(slave, FIOCLEX));
  close_pair();
}

static void hanging_up(void)
{
  struct termios t;
  char buffer[100];
  open_pair();
  fcntl(slave, F_SETFL, O_NONBLOCK);
  show("the master hangs up", ioctl(master, TIOCVHANGUP));
  show("master reads", read(master, buffer, 1));
  show("slave writes", write(slave, "a", 1));
  close(master);
  show("slave reads", read(slave, buffer, 1));
  show("slave writes", write(slave, "a", 1));
  printf("poll %x\n", events(slave));
  close(slave);

  open_pair();
  set_raw(1);
  fcntl(master, F_SETFL, O_NONBLOCK);
  show("the slave hangs up", ioctl(slave, TIOCVHANGUP));
  show("slave reads", read(slave, buffer, 1));
  show("master reads", read(master, buffer, 1));
  type("ab");
  printf("poll %x\n", events(master));
  close(slave);
  show("closed, master reads", read(master, buffer, 1));
  printf("poll %x\n", events(master));
  open_slave();
  tcgetattr(slave, &t);
  printf("again with lines: %d\n", (t.c_lflag & ICANON) != 0);
  show("slave writes", write(slave, "zz", 2));
  show("master reads", read(master, buffer, 10));
  type("c\n");
  show("slave reads", read(slave, buffer, 10));
  show("master reads", read(master, buffer, 10));
  close_pair();
}

static void flow(void)
{
  struct termios t;
  open_pair();
  tcgetattr(slave, &t);
  t.c_lflag &= ~(tcflag_t)ECHO;
  tcsetattr(slave, TCSANOW, &t);
  fcntl(slave, F_SETFL, O_NONBLOCK);
  type("\023");
  show("^S", write(slave, "a", 1));
  show("TCOON", tcflow(slave, TCOON));
  show("write", write(slave, "a", 1));
  type("\021");
  show("^Q", write(slave, "a", 1));
  tcflow(slave, TCOOFF);
  type("\021");
  show("TCOOFF, ^Q", write(slave, "a", 1));
  tcflow(slave, TCOON);
  show("TCOON", write(slave, "a", 1));
  static const int signals[] = {0, SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTSTP, SIGWINCH};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    show("TIOCSIG", ioctl(master, TIOCSIG, signals[i]));
  close_pair();
  int path = open("/dev/ptmx", O_PATH), bytes = 0;
  show("FIONBIO of a path", ioctl(path, FIONBIO, &bytes));
  close(path);
  show("a new file in /dev/pts", open("/dev/pts/new", O_CREAT | O_RDWR, 0600));
}

static void job(int ready)
{
  sigset_t set;
  struct timespec second = {1, 0};
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGCONT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  settle(50);
  close(slave);
  close(ready);
  for (int i = 0; i < 2; i++)
    show("the job hears", sigtimedwait(&set, NULL, &second));
  _exit(0);
}

static void sessions(void)
{
  int ready[2], done[2], status;
  char byte;
  open_pair();
  if (pipe(ready) != 0 || pipe(done) != 0)
    exit(1);
  pid_t leader = fork();
  if (leader == 0) {
    close(master);
    close(ready[0]);
    close(done[0]);
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    pid_t child = fork();
    if (child == 0) {
      setpgid(0, 0);
      job(ready[1]);
    }
    setpgid(child, child);
    tcsetpgrp(slave, child);
    close(ready[1]);
    for (;;)
      pause();
  }
  close(slave);
  close(ready[1]);
  close(done[1]);
  if (read(ready[0], &byte, 1) != 0)
    exit(1);
  close(master);
  waitpid(leader, &status, 0);
  /* The job has ended, too. */
  if (read(done[0], &byte, 1) != 0)
    exit(1);
  printf("leader: %x\n", status);

  open_pair();
  leader = fork();
  if (leader == 0) {
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    pid_t child = fork();
    if (child == 0)
      for (;;)
        pause();
    settle(30);
    show("a process that leads no group in front", tcsetpgrp(slave, child));
    printf("it is: %d\n", tcgetpgrp(slave) == child);
    signal(SIGTTOU, SIG_IGN);
    show("nobody", tcsetpgrp(slave, 4000000));
    show("another session", tcsetpgrp(slave, getppid()));
    kill(child, SIGKILL);
    _exit(0);
  }
  waitpid(leader, NULL, 0);
  close_pair();
}

/* Linux takes 64 bytes at a time, and waits for the first of them only. */
static void pieces(void)
{
  char keys[201], buffer[300];
  memset(keys, 'k', 200);
  open_pair();
  fcntl(slave, F_SETFL, O_NONBLOCK);
  set_raw(100);
  keys[70] = 0;
  type(keys);
  show("VMIN 100, 70 are there", read(slave, buffer, 300));
  show("the rest", read(slave, buffer, 300));
  set_raw(64);
  type(keys);
  show("VMIN 64, 70 are there", read(slave, buffer, 300));
  close_pair();
}

static void keys_of_either_side(void)
{
  struct termios t;
  char buffer[10];
  open_pair();
  type("\026");
  tcflush(slave, TCIFLUSH);
  type("\003\n");
  show("^V, flush, ^C", read(slave, buffer, 10));
  tcgetattr(slave, &t);
  t.c_cc[VSTOP] = 'S';
  t.c_cc[VSTART] = 0;
  tcsetattr(slave, TCSANOW, &t);
  tcflush(master, TCIOFLUSH);
  fcntl(master, F_SETFL, O_NONBLOCK);
  tcflow(master, TCIOFF);
  settle(30);
  show("the master's ^S is none of the slave's keys", read(master, buffer, 10));
  tcflow(slave, TCIOFF);
  show("the slave's own", read(master, buffer, 10));
  tcflow(slave, TCION);
  show("it has none to go on", read(master, buffer, 10));
  close_pair();
}

static void waiting_while_it_ends(void)
{
  char buffer[10];
  for (int i = 0; i < 2; i++) {
    open_pair();
    pid_t child = fork();
    if (child == 0) {
      close(master);
      show(i == 0 ? "waits while the master closes" : "waits while it is hung up", read(slave, buffer, 10));
      show("and again", read(slave, buffer, 10));
      _exit(0);
    }
    settle(50);
    if (i == 0) close(master);
    else ioctl(slave, TIOCVHANGUP);
    waitpid(child, NULL, 0);
    close_pair();
  }
}

static void say_continued(int signal)
{
  (void)signal;
  if (write(1, "continued\n", 10) < 0)
    _exit(1);
}

/* Stopped for what it wants of its terminal, it sees a signal that comes before it tries again. */
static void stopped_twice(void)
{
  int status;
  open_pair();
  pid_t leader = fork();
  if (leader == 0) {
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    pid_t child = fork();
    if (child == 0) {
      struct termios t;
      setpgid(0, 0);
      signal(SIGCONT, say_continued);
      tcgetattr(slave, &t);
      tcsetattr(slave, TCSANOW, &t);
      _exit(0);
    }
    setpgid(child, child);
    waitpid(child, &status, WUNTRACED);
    printf("stopped by SIGTTOU: %d\n", WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
    fflush(stdout);
    kill(child, SIGCONT);
    waitpid(child, &status, WUNTRACED);
    printf("again: %d\n", WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
    fflush(stdout);
    kill(child, SIGKILL);
    _exit(0);
  }
  waitpid(leader, NULL, 0);
  close_pair();
}

int main(void)
{
  /* Whoever forks has nothing left to print. */
  setvbuf(stdout, NULL, _IOLBF, 0);
  reading();
  bad_addresses();
  numbers();
  hanging_up();
  flow();
  sessions();
  pieces();
  keys_of_either_side();
  waiting_while_it_ends();
  stopped_twice();
  return 0;
}
