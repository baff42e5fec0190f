/*
 * Pseudo-terminals and their line discipline: what the two sides read after each other's writes, with which settings; who
 * is stopped and signalled; and what happens when a side goes away.
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
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int master, slave;
static char slave_name[64];

static const char *err(long result)
{
  static char text[32];
  if (result >= 0)
    snprintf(text, sizeof text, "%ld", result);
  else
    snprintf(text, sizeof text, "errno %d", errno);
  return text;
}

static void show(const char *what, const char *bytes, ssize_t n)
{
  printf("%s: ", what);
  if (n < 0) {
    printf("errno %d\n", errno);
    return;
  }
  printf("%zd \"", n);
  for (ssize_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c >= 32 && c < 127 && c != '\\' && c != '"')
      putchar(c);
    else
      printf("\\%02x", c);
  }
  printf("\"\n");
}

static void set_nonblocking(int fd)
{
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* A side is given time to hear of what the other did: the host's kernel hands it on in a thread of its own. */
static void settle(int fd)
{
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 30);
}

static void show_read(const char *what, int fd)
{
  char buffer[512];
  settle(fd);
  ssize_t n = read(fd, buffer, sizeof buffer);
  show(what, buffer, n);
}

static void type(const char *keys)
{
  if (write(master, keys, strlen(keys)) != (ssize_t)strlen(keys))
    printf("typing: errno %d\n", errno);
}

/* Opens a new pair, both sides non-blocking. */
static void open_pair(void)
{
  master = posix_openpt(O_RDWR | O_NOCTTY);
  grantpt(master);
  unlockpt(master);
  strcpy(slave_name, ptsname(master));
  slave = open(slave_name, O_RDWR | O_NOCTTY);
  if (master < 0 || slave < 0)
    printf("opening: errno %d\n", errno);
  set_nonblocking(master);
  set_nonblocking(slave);
}

static void close_pair(void)
{
  close(slave);
  close(master);
}

static void settings(const char *what, int fd)
{
  struct termios t;
  int result = tcgetattr(fd, &t);
  printf("%s: %s i %o o %o c %o l %o, speeds %o %o, cc", what, err(result), t.c_iflag, t.c_oflag, t.c_cflag,
         t.c_lflag, cfgetispeed(&t), cfgetospeed(&t));
  for (int i = 0; i < 17; i++)
    printf(" %d", t.c_cc[i]);
  printf("\n");
}

static void change(int fd, tcflag_t input, tcflag_t not_input, tcflag_t output, tcflag_t not_output, tcflag_t local,
                   tcflag_t not_local)
{
  struct termios t;
  tcgetattr(fd, &t);
  t.c_iflag = (t.c_iflag | input) & ~not_input;
  t.c_oflag = (t.c_oflag | output) & ~not_output;
  t.c_lflag = (t.c_lflag | local) & ~not_local;
  if (tcsetattr(fd, TCSANOW, &t) != 0)
    printf("tcsetattr: errno %d\n", errno);
}

static void set_key(int fd, int index, int value)
{
  struct termios t;
  tcgetattr(fd, &t);
  t.c_cc[index] = (cc_t)value;
  tcsetattr(fd, TCSANOW, &t);
}

static void names_and_opening(void)
{
  struct stat st;
  master = posix_openpt(O_RDWR | O_NOCTTY);
  int number = -1, locked = -1;
  printf("TIOCGPTN %s\n", err(ioctl(master, TIOCGPTN, &number)));
  snprintf(slave_name, sizeof slave_name, "/dev/pts/%d", number);
  printf("lock %s", err(ioctl(master, TIOCGPTLCK, &locked)));
  printf(" %d\n", locked);
  printf("open locked %s\n", err(open(slave_name, O_RDWR | O_NOCTTY)));
  unlockpt(master);
  slave = open(slave_name, O_RDWR | O_NOCTTY);
  printf("opened %d, isatty %d %d\n", slave >= 0, isatty(slave), isatty(master));
  fstat(slave, &st);
  printf("slave mode %o, major %u, own minor %d\n", st.st_mode & S_IFMT, major(st.st_rdev),
         (int)minor(st.st_rdev) == number);
  fstat(master, &st);
  printf("master mode %o, %u:%u\n", st.st_mode & S_IFMT, major(st.st_rdev), minor(st.st_rdev));
  printf("ttyname is it %d\n", ttyname(slave) != NULL && strcmp(ttyname(slave), slave_name) == 0);
  int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  printf("peer %d, is a terminal %d\n", peer >= 0, isatty(peer));
  close(peer);
  printf("seek %s", err(lseek(slave, 0, SEEK_SET)));
  char c;
  printf(", pread %s\n", err(pread(slave, &c, 1, 0)));
  settings("slave", slave);
  settings("seen by the master", master);
  int line = -1;
  printf("TIOCGETD %s", err(ioctl(slave, TIOCGETD, &line)));
  printf(" %d\n", line);
  line = 99;
  printf("TIOCSETD 99 %s\n", err(ioctl(slave, TIOCSETD, &line)));
  printf("TIOCMGET %s\n", err(ioctl(slave, TIOCMGET, &line)));
  printf("TIOCGPTN of the slave %s\n", err(ioctl(slave, TIOCGPTN, &line)));
  printf("TIOCGSID %s\n", err(ioctl(slave, TIOCGSID, &line)));
  printf("tcgetpgrp %s\n", err(tcgetpgrp(slave)));
  printf("tcgetpgrp of the master %s\n", err(tcgetpgrp(master)));
  printf("tcsetpgrp %s\n", err(tcsetpgrp(slave, getpgrp())));
  printf("TIOCNOTTY %s\n", err(ioctl(slave, TIOCNOTTY)));
  printf("drain %s, break %s\n", tcdrain(slave) == 0 ? "0" : "?", tcsendbreak(slave, 0) == 0 ? "0" : "?");
  printf("unknown %s\n", err(ioctl(slave, 0x54ff, &line)));
  printf("flush 3 %s", err(ioctl(slave, TCFLSH, 3)));
  printf(", flow 9 %s\n", err(ioctl(slave, TCXONC, 9)));
  close_pair();
}

static void lines(void)
{
  open_pair();
  show_read("nothing", slave);
  type("ab");
  show_read("echo", master);
  show_read("half a line", slave);
  type("c\n");
  show_read("line", slave);
  show_read("its echo", master);
  type("one\ntwo\n");
  show_read("first", slave);
  show_read("second", slave);
  show_read("echoes", master);
  type("x\r");
  show_read("return", slave);
  show_read("echo", master);
  type("abc\177\177d\n");
  show_read("erased", slave);
  show_read("echo", master);
  type("foo bar\027baz\n");
  show_read("word erased", slave);
  show_read("echo", master);
  type("a lost line\025kept\n");
  show_read("line erased", slave);
  show_read("echo", master);
  type("a\tb\177\177c\n");
  show_read("tab erased", slave);
  show_read("echo", master);
  type("\001\002\177x\n");
  show_read("control", slave);
  show_read("echo", master);
  type("q\026\003r\026\n\n");
  show_read("literal", slave);
  show_read("rest", slave);
  show_read("echo", master);
  type("re\022print\n");
  show_read("reprinted", slave);
  show_read("echo", master);
  type("end\004");
  show_read("ended", slave);
  type("\004");
  show_read("end of file", slave);
  show_read("nothing", slave);
  type("abcdef\n");
  char buffer[8];
  settle(slave);
  show("part", buffer, read(slave, buffer, 3));
  int unread = -1;
  ioctl(slave, FIONREAD, &unread);
  printf("unread %d\n", unread);
  show("rest", buffer, read(slave, buffer, 8));
  type("abc\004");
  settle(slave);
  show("fits", buffer, read(slave, buffer, 3));
  show("then", buffer, read(slave, buffer, 3));
  show_read("echo", master);
  close_pair();

  open_pair();
  change(slave, 0, 0, 0, 0, 0, ECHO);
  type("silent\n");
  show_read("no echo", master);
  show_read("line", slave);
  change(slave, 0, 0, 0, 0, ECHONL, 0);
  type("nl\n");
  show_read("newline only", master);
  show_read("line", slave);
  change(slave, 0, 0, 0, 0, ECHO | ECHOPRT, ECHONL);
  type("abc\177\177x\n");
  show_read("shown erased", master);
  show_read("line", slave);
  change(slave, 0, 0, 0, 0, 0, ECHOPRT | ECHOKE);
  type("kill\025x\n");
  show_read("killed", master);
  show_read("line", slave);
  change(slave, 0, 0, 0, 0, 0, ECHOE);
  type("ab\177\n");
  show_read("no ECHOE", master);
  show_read("line", slave);
  change(slave, 0, 0, 0, 0, 0, ECHOCTL);
  type("a\001b\n");
  show_read("no ECHOCTL", master);
  show_read("line", slave);
  set_key(slave, VEOL, ';');
  type("p;q\n");
  show_read("ends by ;", slave);
  show_read("then", slave);
  change(slave, IUTF8, 0, 0, 0, ECHOE | ECHOKE | ECHOCTL, 0);
  show_read("so far", master);
  type("\303\244\303\266\177x\n");
  show_read("utf8", slave);
  show_read("echo", master);
  change(slave, INLCR | IGNCR, ICRNL, 0, 0, 0, 0);
  type("a\nb\rc\n\004");
  show_read("turned", slave);
  show_read("echo", master);
  change(slave, ISTRIP | IUCLC, INLCR | IGNCR | IUTF8, 0, 0, 0, 0);
  type("\301BC\n");
  show_read("stripped", slave);
  show_read("echo", master);
  close_pair();
}

static void raw(void)
{
  open_pair();
  struct termios t;
  tcgetattr(slave, &t);
  cfmakeraw(&t);
  tcsetattr(slave, TCSANOW, &t);
  settings("raw", slave);
  type("a\r\n\003\177");
  show_read("raw", slave);
  show_read("no echo", master);
  set_key(slave, VMIN, 3);
  struct pollfd p = {slave, POLLIN, 0};
  type("ab");
  printf("poll %d", poll(&p, 1, 20));
  type("c");
  printf(" %d\n", poll(&p, 1, 1000));
  show_read("three", slave);
  type("xy");
  settle(slave);
  show_read("fewer, non-blocking", slave);
  set_key(slave, VMIN, 0);
  show_read("VMIN 0", slave);

  /* Blocking, with times. */
  fcntl(slave, F_SETFL, O_RDWR);
  char buffer[16];
  show("VMIN 0, blocking", buffer, read(slave, buffer, 16));
  set_key(slave, VTIME, 1);
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  show("after a tenth", buffer, read(slave, buffer, 16));
  clock_gettime(CLOCK_MONOTONIC, &after);
  double seconds = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
  printf("waited %d\n", seconds > 0.08 && seconds < 1);
  set_key(slave, VMIN, 5);
  type("pq");
  show("as many as came in time", buffer, read(slave, buffer, 16));
  type("0123456789");
  show("more", buffer, read(slave, buffer, 4));
  show("and more", buffer, read(slave, buffer, 16));

  /* Typed raw, then read by lines. */
  set_key(slave, VTIME, 0);
  set_key(slave, VMIN, 1);
  type("typed");
  usleep(20000);
  change(slave, 0, 0, 0, 0, ICANON, 0);
  show("now a line", buffer, read(slave, buffer, 16));
  type("line\nrest\n");
  usleep(20000);
  change(slave, 0, 0, 0, 0, 0, ICANON);
  show("no lines any more", buffer, read(slave, buffer, 16));
  close_pair();
}

static void output(void)
{
  open_pair();
  dprintf(slave, "a\nb\tc\r\n");
  show_read("processed", master);
  change(slave, 0, 0, TABDLY, 0, 0, 0);
  dprintf(slave, "a\tb\n\tc\bd\n");
  show_read("tabs", master);
  change(slave, 0, 0, OCRNL | ONOCR, TABDLY, 0, 0);
  dprintf(slave, "\rx\ry\n");
  show_read("returns", master);
  change(slave, 0, 0, ONLRET, OCRNL, 0, 0);
  dprintf(slave, "ab\n\rx\n");
  show_read("ONLRET", master);
  change(slave, 0, 0, OLCUC, ONLRET | ONOCR, 0, 0);
  dprintf(slave, "upper\n");
  show_read("OLCUC", master);
  change(slave, 0, 0, 0, OPOST, 0, 0);
  dprintf(slave, "plain\n\ttab\n");
  show_read("no OPOST", master);
  change(slave, 0, 0, OPOST, OLCUC, 0, 0);

  type("\023");
  usleep(20000);
  show("stopped", "", write(slave, "x", 1));
  struct pollfd p = {slave, POLLOUT, 0};
  printf("poll %d\n", poll(&p, 1, 0));
  type("e");
  show_read("no echo", master);
  type("\021");
  show_read("echo now", master);
  show("goes on", "", write(slave, "y", 1));
  show_read("y", master);
  printf("TCOOFF %s", err(tcflow(slave, TCOOFF)));
  show(", stopped", "", write(slave, "x", 1));
  printf("TCOON %s\n", err(tcflow(slave, TCOON)));
  show("goes on", "", write(slave, "z", 1));
  show_read("z", master);
  printf("TCIOFF %s", err(tcflow(slave, TCIOFF)));
  show_read(", the key", master);
  type("flushed\n");
  usleep(20000);
  tcflush(slave, TCIFLUSH);
  show_read("flushed", slave);
  close_pair();
}

static void sizes(void)
{
  open_pair();
  struct winsize size = {0, 0, 0, 0};
  ioctl(slave, TIOCGWINSZ, &size);
  printf("size %d %d\n", size.ws_row, size.ws_col);
  size = (struct winsize){24, 80, 640, 480};
  printf("set %s\n", err(ioctl(master, TIOCSWINSZ, &size)));
  memset(&size, 0, sizeof size);
  ioctl(slave, TIOCGWINSZ, &size);
  printf("size %d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
  close_pair();
}

static void packets(void)
{
  open_pair();
  int on = 1;
  printf("TIOCPKT %s", err(ioctl(master, TIOCPKT, &on)));
  on = 0;
  ioctl(master, TIOCGPKT, &on);
  printf(" %d\n", on);
  dprintf(slave, "data\n");
  show_read("data", master);
  tcflush(slave, TCIFLUSH);
  show_read("flush", master);
  type("\023");
  show_read("stop", master);
  type("\021");
  show_read("start", master);
  change(slave, 0, IXON, 0, 0, 0, 0);
  show_read("no stop", master);
  change(slave, IXON, 0, 0, 0, 0, 0);
  struct pollfd p = {master, POLLIN | POLLPRI, 0};
  poll(&p, 1, 20);
  printf("poll %x\n", p.revents & (POLLIN | POLLPRI));
  show_read("do stop", master);
  close_pair();
}

static void going_away(void)
{
  open_pair();
  struct pollfd p = {master, POLLIN, 0};
  printf("before %d\n", poll(&p, 1, 0));
  dprintf(slave, "last words");
  close(slave);
  show_read("last words", master);
  show_read("nobody there", master);
  poll(&p, 1, 0);
  printf("poll %x\n", p.revents);
  slave = open(slave_name, O_RDWR | O_NOCTTY | O_NONBLOCK);
  show_read("somebody again", master);
  type("unread\n");
  close(master);
  show_read("hung up", slave);
  show("write", "", write(slave, "x", 1));
  struct termios t;
  printf("tcgetattr %s\n", err(tcgetattr(slave, &t)));
  p = (struct pollfd){slave, POLLIN | POLLOUT, 0};
  poll(&p, 1, 0);
  printf("poll %x\n", p.revents);
  printf("open %s\n", err(open(slave_name, O_RDWR | O_NOCTTY)));
  close(slave);
}

static volatile int caught;

static void note(int signal)
{
  caught = signal;
}

static void wait_for(pid_t child, const char *what)
{
  int status = 0;
  waitpid(child, &status, WUNTRACED | WCONTINUED);
  if (WIFSTOPPED(status))
    printf("%s: stopped by %d\n", what, WSTOPSIG(status));
  else if (WIFCONTINUED(status))
    printf("%s: continued\n", what);
  else if (WIFSIGNALED(status))
    printf("%s: ended by %d\n", what, WTERMSIG(status));
  else
    printf("%s: exit %d\n", what, WEXITSTATUS(status));
  fflush(stdout);
}

/* The leader of a new session, whose terminal the slave becomes. */
static void session(void)
{
  char buffer[64];
  printf("setsid %d\n", setsid() == getpid());
  printf("no terminal: /dev/tty %s\n", err(open("/dev/tty", O_RDWR)));
  int mine = open(slave_name, O_RDWR);
  printf("opened; pgrp %d, sid %d\n", tcgetpgrp(mine) == getpid(), tcgetsid(mine) == getpid());
  int tty = open("/dev/tty", O_RDWR);
  printf("/dev/tty %d, same size of it %d\n", tty >= 0, isatty(tty));
  printf("TIOCSCTTY again %s\n", err(ioctl(mine, TIOCSCTTY, 0)));
  printf("tcsetpgrp of nobody %s\n", err(tcsetpgrp(mine, 999999)));
  printf("tcsetpgrp -1 %s\n", err(tcsetpgrp(mine, -1)));
  fflush(stdout);

  signal(SIGINT, note);
  signal(SIGQUIT, note);
  signal(SIGWINCH, note);
  type("\003");
  for (int i = 0; i < 200 && caught == 0; i++)
    usleep(1000);
  printf("^C: %d\n", caught);
  caught = 0;
  type("typed\034");
  for (int i = 0; i < 200 && caught == 0; i++)
    usleep(1000);
  printf("^\\: %d\n", caught);
  caught = 0;
  struct winsize size = {10, 20, 0, 0};
  ioctl(master, TIOCSWINSZ, &size);
  printf("SIGWINCH: %d\n", caught == SIGWINCH);
  set_nonblocking(mine);
  show("flushed by it", buffer, read(mine, buffer, sizeof buffer));
  fcntl(mine, F_SETFL, O_RDWR);
  show_read("echoes", master);
  fflush(stdout);

  /* A job in the background. */
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    char byte;
    ssize_t n = read(mine, &byte, 1);
    _exit(n == 1 ? byte : 99);
  }
  setpgid(child, child);
  wait_for(child, "background read");
  type("k\n");
  signal(SIGTTOU, SIG_IGN);
  printf("to the front %s\n", err(tcsetpgrp(mine, child)));
  fflush(stdout);
  kill(-child, SIGCONT);
  wait_for(child, "job");
  wait_for(child, "job");
  printf("its group is gone: %d\n", tcgetpgrp(mine) == child);
  tcsetpgrp(mine, getpid());
  signal(SIGTTOU, SIG_DFL);

  change(mine, 0, 0, 0, 0, TOSTOP, 0);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    ssize_t n = write(mine, "x", 1);
    _exit(n == 1 ? 7 : 98);
  }
  setpgid(child, child);
  wait_for(child, "background write");
  kill(child, SIGKILL);
  wait_for(child, "killed");
  change(mine, 0, 0, 0, 0, 0, TOSTOP);
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    signal(SIGTTIN, SIG_IGN);
    char byte;
    ssize_t n = read(mine, &byte, 1);
    _exit(n < 0 ? errno : 97);
  }
  setpgid(child, child);
  wait_for(child, "ignores SIGTTIN");
  child = fork();
  if (child == 0) {
    struct termios t;
    setpgid(0, 0);
    tcgetattr(mine, &t);
    tcsetattr(mine, TCSANOW, &t);
    _exit(5);
  }
  setpgid(child, child);
  wait_for(child, "background tcsetattr");
  kill(child, SIGKILL);
  wait_for(child, "killed");

  /* ^Z stops what is in front, and an orphan is not stopped. */
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    for (;;)
      pause();
  }
  setpgid(child, child);
  signal(SIGTTOU, SIG_IGN);
  tcsetpgrp(mine, child);
  type("\032");
  wait_for(child, "^Z");
  /* Its leader ends: a stopped orphan is told, and its terminal is gone. */
  printf("leader ends\n");
  fflush(stdout);
  _exit(3);
}

int main(void)
{
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  names_and_opening();
  lines();
  raw();
  output();
  sizes();
  packets();
  going_away();
  open_pair();
  close(slave);
  fcntl(master, F_SETFL, O_RDWR);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0)
    session();
  int status;
  waitpid(child, &status, 0);
  printf("session: %x\n", status);
  close(master);
  return 0;
}
