/* Signals instead of waiting: O_ASYNC and whom it tells (F_SETOWN, F_SETSIG), on pipes, sockets and terminals. */
#define _GNU_SOURCE
#include "show.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#ifndef F_SETSIG
#define F_SETSIG 10
#define F_GETSIG 11
#endif
#ifndef F_SETOWN_EX
#define F_SETOWN_EX 15
#define F_GETOWN_EX 16
struct f_owner_ex { int type; pid_t pid; };
#define F_OWNER_TID 0
#define F_OWNER_PID 1
#define F_OWNER_PGRP 2
#endif
#define FIOSETOWN_ 0x8901
#define SIOCSPGRP_ 0x8902
#define FIOGETOWN_ 0x8903
#define SIOCGPGRP_ 0x8904

static int rt;
static sigset_t waited;

/* All signals that are pending. */
static void told(const char *what)
{
  siginfo_t info;
  struct timespec none = {0, 0};
  int count = 0;
  printf("%-52s", what);
  for (;;) {
    memset(&info, 0, sizeof info);
    int signal = sigtimedwait(&waited, &info, &none);
    if (signal < 0)
      break;
    count++;
    const char *name = signal == SIGIO ? "SIGIO" : signal == rt ? "RT" : signal == SIGUSR1 ? "USR1"
                     : signal == SIGURG ? "SIGURG" : signal == SIGCHLD ? "SIGCHLD" : "?";
    if (info.si_code == SI_KERNEL)
      printf(" %s", name);
    else
      printf(" %s(code %d band %#lx fd %d)", name, info.si_code, (unsigned long)info.si_band, info.si_fd);
  }
  printf(count ? "\n" : " nothing\n");
  fflush(stdout);
}

/* The file at a number of its own, the same everywhere. */
static int at(int number, int fd)
{
  CHECK(dup2(fd, number) == number);
  close(fd);
  return number;
}

static void async(int fd, int signal)
{
  CHECK(fcntl(fd, F_SETOWN, getpid()) == 0);
  CHECK(fcntl(fd, F_SETSIG, signal) == 0);
  CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC) == 0);
}

static void owners(void)
{
  SAY("-- owners and signals");
  int p[2];
  CHECK(pipe(p) == 0);
  SHOW(fcntl(p[0], F_GETOWN));
  SHOW(fcntl(p[0], F_GETSIG));
  SHOW(fcntl(p[0], F_SETOWN, 0x7fffffff));
  SHOW(fcntl(p[0], F_SETOWN, -0x7fffffff));
  SHOW(fcntl(p[0], F_SETOWN, 0x80000000));
  SHOW(fcntl(p[0], F_SETOWN, getpid()));
  SHOW(fcntl(p[0], F_GETOWN) == getpid());
  SHOW(fcntl(p[1], F_GETOWN));
  SHOW(fcntl(p[0], F_SETOWN, 0));
  SHOW(fcntl(p[0], F_GETOWN));
  CHECK(setpgid(0, 0) == 0 || getpgrp() == getpid());
  SHOW(syscall(SYS_fcntl, p[0], F_SETOWN, -getpid()));
  struct f_owner_ex ex = {7, 7};
  SHOW(fcntl(p[0], F_GETOWN_EX, &ex));
  SHOW(ex.type);
  SHOW(ex.pid == getpid());
  SHOW(syscall(SYS_fcntl, p[0], F_GETOWN) == -getpid() || errno == getpid());
  ex = (struct f_owner_ex){F_OWNER_TID, getpid()};
  SHOW(fcntl(p[0], F_SETOWN_EX, &ex));
  ex = (struct f_owner_ex){7, 7};
  SHOW(fcntl(p[0], F_GETOWN_EX, &ex));
  SHOW(ex.type);
  SHOW(ex.pid == getpid());
  SHOW(fcntl(p[0], F_GETOWN) == getpid());
  ex = (struct f_owner_ex){3, getpid()};
  SHOW(fcntl(p[0], F_SETOWN_EX, &ex));
  ex = (struct f_owner_ex){F_OWNER_PID, 0x7fffffff};
  SHOW(fcntl(p[0], F_SETOWN_EX, &ex));
  ex = (struct f_owner_ex){F_OWNER_PID, 0};
  SHOW(fcntl(p[0], F_SETOWN_EX, &ex));
  SHOW(fcntl(p[0], F_GETOWN_EX, &ex));
  SHOW(ex.type);
  SHOW(ex.pid);
  SHOW(fcntl(p[0], F_SETOWN_EX, (void *)8));
  SHOW(fcntl(p[0], F_GETOWN_EX, (void *)8));
  SHOW(fcntl(p[0], F_SETSIG, 65));
  SHOW(fcntl(p[0], F_SETSIG, -1));
  SHOW(fcntl(p[0], F_SETSIG, 64));
  SHOW(fcntl(p[0], F_GETSIG));
  int path = open("/", O_PATH);
  SHOW(fcntl(path, F_GETOWN));
  SHOW(fcntl(path, F_SETSIG, 10));
  /* An owner who is gone. */
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    pause();
  }
  SHOW(fcntl(p[0], F_SETOWN, child));
  SHOW(fcntl(p[0], F_GETOWN) == child);
  kill(child, SIGKILL);
  siginfo_t info;
  CHECK(waitid(P_PID, child, &info, WEXITED | WNOWAIT) == 0);
  SHOW(fcntl(p[0], F_GETOWN) == child);
  CHECK(waitpid(child, 0, 0) == child);
  SHOW(fcntl(p[0], F_GETOWN));
  SHOW(fcntl(p[0], F_SETOWN, child));
  /* dup shares it, and ioctl knows it, too, of sockets. */
  SHOW(fcntl(dup(p[0]), F_GETSIG));
  int own = getpid();
  SHOW(ioctl(p[0], FIOSETOWN_, &own));
  SHOW(ioctl(p[0], FIOGETOWN_, &own));
  int s[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
  SHOW(ioctl(s[0], FIOGETOWN_, &own));
  SHOW(own);
  own = getpid();
  SHOW(ioctl(s[0], FIOSETOWN_, &own));
  SHOW(fcntl(s[0], F_GETOWN) == getpid());
  own = -getpid();
  SHOW(ioctl(s[0], SIOCSPGRP_, &own));
  SHOW(ioctl(s[0], SIOCGPGRP_, &own));
  SHOW(own == -getpid());
  own = 0x7fffffff;
  SHOW(ioctl(s[0], SIOCSPGRP_, &own));
  SHOW(ioctl(s[0], SIOCSPGRP_, (void *)8));
  /* What has no fasync of its own. */
  int event = eventfd(0, 0);
  SHOW(fcntl(event, F_SETFL, O_ASYNC));
  SHOW((fcntl(event, F_GETFL) & O_ASYNC) != 0);
  int on = 0;
  SHOW(ioctl(event, FIOASYNC, &on));
  on = 1;
  SHOW(ioctl(event, FIOASYNC, &on));
  SHOW(ioctl(p[0], FIOASYNC, &on));
  SHOW((fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
  SHOW(ioctl(p[0], FIOASYNC, &on));
  on = 0;
  SHOW(ioctl(p[0], FIOASYNC, &on));
  SHOW((fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
  SHOW(ioctl(p[0], FIOASYNC, (void *)8));
  int file = open("/", O_RDONLY);
  SHOW(fcntl(file, F_SETOWN, getpid()));
  SHOW(fcntl(file, F_GETOWN) == getpid());
  close(p[0]), close(p[1]), close(s[0]), close(s[1]), close(event), close(file), close(path);
}

static void pipes(void)
{
  SAY("-- pipes");
  char bytes[70000] = {0};
  int p[2];
  CHECK(pipe2(p, O_NONBLOCK) == 0);
  int r = at(100, p[0]);
  int w = at(110, p[1]);
  async(r, 0);
  CHECK(write(w, "ab", 2) == 2);
  told("SIGIO of a write");
  CHECK(write(w, "ab", 2) == 2);
  told("and of another");
  CHECK(fcntl(r, F_SETSIG, rt) == 0);
  CHECK(write(w, "ab", 2) == 2 && write(w, "c", 1) == 1);
  told("F_SETSIG, two writes");
  int other = dup2(r, 120);
  CHECK(write(w, "ab", 2) == 2);
  told("with another descriptor");
  close(r);
  CHECK(write(w, "ab", 2) == 2);
  told("the one that asked is closed");
  CHECK(fcntl(other, F_SETFL, O_NONBLOCK | O_ASYNC) == 0);
  CHECK(write(w, "ab", 2) == 2);
  told("asked for again, without a change");
  CHECK(fcntl(other, F_SETFL, O_NONBLOCK) == 0);
  CHECK(write(w, "ab", 2) == 2);
  told("switched off");
  CHECK(fcntl(other, F_SETFL, O_NONBLOCK | O_ASYNC) == 0);
  CHECK(write(w, "ab", 2) == 2);
  told("and on by the other descriptor");
  CHECK(fcntl(other, F_SETSIG, SIGIO) == 0);
  CHECK(write(w, "ab", 2) == 2);
  told("F_SETSIG to SIGIO itself");
  CHECK(fcntl(other, F_SETSIG, SIGUSR1) == 0);
  CHECK(write(w, "ab", 2) == 2);
  told("to SIGUSR1");
  CHECK(fcntl(other, F_SETSIG, SIGCHLD) == 0);
  CHECK(write(w, "ab", 2) == 2);
  told("to SIGCHLD, whose codes mean something else");
  CHECK(fcntl(other, F_SETOWN, 0) == 0);
  CHECK(write(w, "ab", 2) == 2);
  told("nobody's");
  async(other, rt);
  CHECK(write(w, "", 0) == 0);
  told("an empty write");
  CHECK(splice(w, 0, other, 0, 0, 0) == 0 || 1);
  told("nothing spliced");
  CHECK(fcntl(other, F_SETFL, O_NONBLOCK) == 0);
  async(w, rt);
  CHECK(read(other, bytes, 1) == 1);
  told("a read, pipe not full");
  while (write(w, bytes, 4096) > 0)
    ;
  told("full");
  CHECK(read(other, bytes, 1) == 1);
  told("a read that makes no room");
  CHECK(read(other, bytes, 8192) > 0);
  told("a read that does");
  while (read(other, bytes, sizeof bytes) > 0)
    ;
  told("all read, up to EAGAIN");
  CHECK(read(other, bytes, 0) == 0);
  told("an empty read");
  async(other, rt);
  CHECK(write(w, "ab", 2) == 2);
  told("both ends, a write");
  CHECK(read(other, bytes, 9) == 2);
  told("both ends, a read");
  close(w);
  told("the writer closes");
  CHECK(read(other, bytes, 9) == 0);
  told("the end is read");
  close(other);
  told("all closed");
  CHECK(pipe2(p, O_NONBLOCK) == 0);
  async(p[1], rt);
  close(p[0]);
  told("the reader closes, the writer is told (no matter the fd)");
  close(p[1]);
  CHECK(mkfifo("async-io.fifo", 0600) == 0);
  int fifo = open("async-io.fifo", O_RDWR | O_NONBLOCK | O_ASYNC);
  unlink("async-io.fifo");
  fifo = at(130, fifo);
  SHOW((fcntl(fifo, F_GETFL) & O_ASYNC) != 0);
  CHECK(fcntl(fifo, F_SETOWN, getpid()) == 0);
  CHECK(write(fifo, "a", 1) == 1);
  told("O_ASYNC at open is only a flag");
  CHECK(fcntl(fifo, F_SETFL, 0) == 0);
  async(fifo, rt);
  CHECK(write(fifo, "a", 1) == 1);
  told("a fifo open for both, a write");
  CHECK(read(fifo, bytes, 9) == 2);
  told("a read");
  close(fifo);
  told("closed");
  int q[2];
  CHECK(pipe2(p, O_NONBLOCK) == 0 && pipe2(q, O_NONBLOCK) == 0);
  for (int i = 0; i < 2; i++) {
    p[i] = at(100 + i, p[i]), async(p[i], rt);
    q[i] = at(110 + i, q[i]), async(q[i], rt);
  }
  CHECK(write(p[1], bytes, 9000) == 9000);
  told("three buffers");
  CHECK(tee(p[0], q[1], 9000, 0) == 9000);
  told("tee");
  CHECK(splice(p[0], 0, q[1], 0, 9000, 0) == 9000);
  told("spliced");
  int null = open("/dev/null", O_WRONLY);
  CHECK(splice(q[0], 0, null, 0, 18000, 0) == 18000);
  told("to /dev/null");
  struct iovec some = {bytes, 5000};
  CHECK(vmsplice(q[1], &some, 1, 0) == 5000);
  told("vmsplice in");
  CHECK(vmsplice(q[0], &some, 1, 0) == 5000);
  told("and out");
  CHECK(splice(q[0], 0, null, 0, 18000, 0) == -1);
  told("nothing left");
  close(p[0]), close(p[1]), close(q[0]), close(q[1]), close(null);
  told("closed");
}

static void unixSockets(int type)
{
  SAY("-- UNIX sockets, type %d", type);
  static char bytes[5000];
  int s[2];
  CHECK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s) == 0);
  int a = at(100, s[0]), b = at(110, s[1]);
  async(a, rt);
  told("nothing yet");
  CHECK(write(b, "ab", 2) == 2);
  told("a message");
  CHECK(write(b, "ab", 2) == 2);
  told("another");
  CHECK(read(a, bytes, 9) > 0);
  told("read");
  while (write(a, bytes, sizeof bytes) > 0)
    ;
  told("filled");
  CHECK(read(b, bytes, 100) > 0);
  told("some read by the other side");
  while (read(b, bytes, sizeof bytes) > 0)
    ;
  told("all read");
  CHECK(write(a, bytes, 1) == 1 && read(b, bytes, 1) == 1);
  told("one more, never full");
  while (write(a, bytes, sizeof bytes) > 0)
    ;
  struct pollfd one = {a, POLLOUT, 0};
  CHECK(poll(&one, 1, 0) >= 0);
  while (read(b, bytes, sizeof bytes) > 0)
    ;
  told("filled, looked at, emptied");
  CHECK(shutdown(b, SHUT_WR) == 0);
  told("the other end sends no more");
  CHECK(shutdown(b, SHUT_RD) == 0);
  told("nor receives");
  close(b);
  told("nor is there");
  close(a);
  told("closed");
  CHECK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s) == 0);
  async(s[0], 0);
  CHECK(write(s[0], "ab", 2) == 2);
  told("SIGIO: sent");
  CHECK(shutdown(s[0], SHUT_RDWR) == 0);
  told("SIGIO: own shutdown");
  close(s[1]);
  told("SIGIO: the other is closed with bytes in it");
  close(s[0]);
}

static void unixListener(void)
{
  SAY("-- a UNIX listener");
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name = {AF_UNIX, "\0async-io"};
  socklen_t size = sizeof(sa_family_t) + 9;
  CHECK(bind(l, (void *)&name, size) == 0 && listen(l, 3) == 0);
  l = at(100, l);
  async(l, rt);
  int c = at(110, socket(AF_UNIX, SOCK_STREAM, 0));
  async(c, rt);
  CHECK(connect(c, (void *)&name, size) == 0);
  told("connected");
  int e = at(120, accept(l, 0, 0));
  told("accepted");
  SHOW((fcntl(e, F_GETFL) & O_ASYNC) != 0);
  close(l);
  CHECK(write(e, "a", 1) == 1);
  told("bytes");
  close(e), close(c);
}

static void tcp(void)
{
  SAY("-- TCP");
  static char bytes[100000];
  int l = at(100, socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in name = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
  socklen_t size = sizeof name;
  CHECK(bind(l, (void *)&name, size) == 0 && listen(l, 3) == 0);
  CHECK(getsockname(l, (void *)&name, &size) == 0);
  async(l, rt);
  told("listening");
  int c = at(110, socket(AF_INET, SOCK_STREAM, 0));
  async(c, rt);
  CHECK(connect(c, (void *)&name, size) == 0);
  told("connected");
  int e = at(120, accept(l, 0, 0));
  told("accepted");
  CHECK(write(e, "abc", 3) == 3);
  told("bytes");
  CHECK(read(c, bytes, 1) == 1);
  told("read");
  CHECK(write(c, "abc", 3) == 3);
  told("sent");
  CHECK(read(e, bytes, 9) == 3);
  told("received there");
  CHECK(fcntl(c, F_SETFL, O_NONBLOCK | O_ASYNC) == 0 && fcntl(e, F_SETFL, O_NONBLOCK) == 0);
  while (write(c, bytes, sizeof bytes) > 0)
    usleep(1000);
  told("filled");
  int tries = 0;
  while (tries < 50)
    if (read(e, bytes, sizeof bytes) <= 0)
      usleep(1000), tries++;
  told("emptied");
  CHECK(shutdown(e, SHUT_WR) == 0);
  told("the other end sends no more");
  CHECK(shutdown(c, SHUT_WR) == 0);
  told("nor this one");
  close(c), close(e);
  told("closed");
  c = at(110, socket(AF_INET, SOCK_STREAM, 0));
  CHECK(connect(c, (void *)&name, size) == 0);
  e = at(120, accept(l, 0, 0));
  async(c, rt);
  told("again");
  CHECK(shutdown(c, SHUT_WR) == 0);
  told("half closed");
  close(e);
  told("then the other end closes");
  close(c);
  c = at(110, socket(AF_INET, SOCK_STREAM, 0));
  CHECK(connect(c, (void *)&name, size) == 0);
  e = at(120, accept(l, 0, 0));
  async(c, rt);
  CHECK(write(c, "a", 1) == 1);
  told("again");
  struct linger hard = {1, 0};
  CHECK(setsockopt(e, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0);
  close(e);
  told("reset");
  close(c), close(l);
  told("closed");
  c = at(110, socket(AF_INET, SOCK_STREAM, 0));
  async(c, rt);
  CHECK_ERRNO(connect(c, (void *)&name, size), ECONNREFUSED);
  told("refused");
  close(c);
}

static void udp(void)
{
  SAY("-- UDP");
  int r = at(100, socket(AF_INET, SOCK_DGRAM, 0));
  int w = at(110, socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in name = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
  socklen_t size = sizeof name;
  CHECK(bind(r, (void *)&name, size) == 0);
  CHECK(getsockname(r, (void *)&name, &size) == 0);
  async(r, rt);
  async(w, SIGUSR1);
  CHECK(connect(w, (void *)&name, size) == 0);
  told("connected");
  CHECK(write(w, "a", 1) == 1);
  told("a datagram");
  close(r);
  CHECK(write(w, "a", 1) == 1);
  told("to nobody");
  close(w);
}

static void waitingReader(void)
{
  SAY("-- a reader who waits");
  int s[2], p[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
  async(s[0], 0);
  pid_t child = fork();
  if (child == 0) {
    char c;
    close(s[1]);
    CHECK(read(s[0], &c, 1) == 1);
    CHECK(write(p[1], "x", 1) == 1);
    CHECK(read(s[0], &c, 1) == 1);
    _exit(0);
  }
  usleep(100000);
  CHECK(write(s[1], "a", 1) == 1);
  char c;
  CHECK(read(p[0], &c, 1) == 1);
  usleep(100000);
  CHECK(write(s[1], "b", 1) == 1);
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  told("a socket");
  close(s[0]), close(s[1]);
  async(p[0], 0);
  child = fork();
  if (child == 0) {
    CHECK(read(p[0], &c, 1) == 1);
    _exit(0);
  }
  usleep(100000);
  CHECK(write(p[1], "a", 1) == 1);
  CHECK(waitpid(child, &status, 0) == child);
  told("a pipe");
  close(p[0]), close(p[1]);
}

static void terminals(void)
{
  SAY("-- terminals");
  char bytes[5000];
  int m = at(100, posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK));
  CHECK(grantpt(m) == 0 && unlockpt(m) == 0);
  int s = at(110, open(ptsname(m), O_RDWR | O_NOCTTY | O_NONBLOCK));
  SHOW(fcntl(s, F_GETOWN));
  CHECK(fcntl(s, F_SETFL, O_NONBLOCK | O_ASYNC) == 0);
  SHOW(fcntl(s, F_GETOWN) == getpid());
  CHECK(fcntl(s, F_SETSIG, rt) == 0);
  struct termios t;
  CHECK(tcgetattr(s, &t) == 0);
  t.c_lflag &= ~ECHO;
  CHECK(tcsetattr(s, TCSANOW, &t) == 0);
  CHECK(write(m, "a", 1) == 1);
  usleep(20000);
  told("half a line");
  CHECK(write(m, "b\n", 2) == 2);
  usleep(20000);
  told("a line");
  CHECK(write(m, "c\nd\n", 4) == 4);
  usleep(20000);
  told("two lines");
  while (read(s, bytes, sizeof bytes) > 0)
    ;
  usleep(20000);
  told("read");
  cfmakeraw(&t);
  CHECK(tcsetattr(s, TCSANOW, &t) == 0);
  told("raw");
  CHECK(write(m, "abc", 3) == 3);
  usleep(20000);
  told("three bytes");
  CHECK(write(m, "d", 1) == 1);
  usleep(20000);
  told("one more");
  CHECK(fcntl(s, F_SETFL, O_NONBLOCK) == 0);
  async(m, rt);
  CHECK(write(s, "xyz", 3) == 3);
  usleep(20000);
  told("output, told to the master");
  CHECK(read(m, bytes, 9) == 3);
  CHECK(fcntl(m, F_SETFL, O_NONBLOCK) == 0);
  async(s, rt);
  CHECK(write(s, "xyz", 3) == 3 && read(m, bytes, 9) == 3);
  usleep(20000);
  told("output that has room");
  while (write(s, bytes, 1000) > 0)
    ;
  usleep(20000);
  told("none left");
  while (read(m, bytes, sizeof bytes) > 0)
    usleep(1000);
  usleep(20000);
  told("read by the master");
  CHECK(fcntl(s, F_SETFL, O_NONBLOCK) == 0);
  async(m, rt);
  close(s);
  usleep(20000);
  told("the slave is closed");
  close(m);
}

static void *own(void *fd)
{
  CHECK(write(*(int *)fd, "a", 1) == 1);
  told("the thread that writes");
  return 0;
}

static void threads(void)
{
  SAY("-- a thread of its own");
  int p[2];
  CHECK(pipe(p) == 0);
  p[0] = dup2(p[0], 100);
  struct f_owner_ex ex = {F_OWNER_TID, syscall(SYS_gettid)};
  CHECK(fcntl(p[0], F_SETOWN_EX, &ex) == 0);
  CHECK(fcntl(p[0], F_SETSIG, rt) == 0 && fcntl(p[0], F_SETFL, O_ASYNC) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, 0, own, &p[1]) == 0);
  CHECK(pthread_join(thread, 0) == 0);
  told("the owner");
}

static void otherUser(void)
{
  SAY("-- whom one may tell");
  int p[2];
  CHECK(pipe(p) == 0);
  pid_t child = fork();
  if (child == 0) {
    CHECK(setuid(1000) == 0);
    SHOW(fcntl(p[0], F_SETOWN, getppid()));
    SHOW(fcntl(p[0], F_SETFL, O_ASYNC));
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(write(p[1], "a", 1) == 1);
  told("what another user asked for");
  CHECK(fcntl(p[0], F_SETOWN, getpid()) == 0);
  CHECK(write(p[1], "a", 1) == 1);
  told("what was asked for here");
  /* To a group. */
  signal(SIGUSR1, SIG_DFL);
  CHECK(syscall(SYS_fcntl, p[0], F_SETOWN, -getpgrp()) == 0);
  child = fork();
  if (child == 0) {
    siginfo_t info;
    CHECK(sigwaitinfo(&waited, &info) == SIGIO);
    _exit(7);
  }
  usleep(50000);
  CHECK(write(p[1], "a", 1) == 1);
  CHECK(waitpid(child, &status, 0) == child);
  SHOW(WEXITSTATUS(status));
  told("and the group's leader");
}

int main(void)
{
  rt = SIGRTMIN + 3;
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&waited);
  sigaddset(&waited, SIGIO), sigaddset(&waited, SIGURG), sigaddset(&waited, SIGUSR1), sigaddset(&waited, rt);
  CHECK(sigprocmask(SIG_BLOCK, &waited, 0) == 0);
  owners();
  sigaddset(&waited, SIGCHLD);
  CHECK(sigprocmask(SIG_BLOCK, &waited, 0) == 0);
  told("what came of that");
  pipes();
  sigdelset(&waited, SIGCHLD);
  unixSockets(SOCK_STREAM);
  unixSockets(SOCK_DGRAM);
  unixSockets(SOCK_SEQPACKET);
  unixListener();
  tcp();
  udp();
  waitingReader();
  terminals();
  threads();
  otherUser();
  return 0;
}
