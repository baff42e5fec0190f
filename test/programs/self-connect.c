/* TCP sockets in places where few come: connected to themselves, and listening again after a shutdown. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
/* C libraries differ in what they call them. */
#define NAMED(name) error == name ? #name:
static const char *nameOf(int error)
{
  return NAMED(ENOTCONN) NAMED(EISCONN) NAMED(EINPROGRESS) NAMED(EADDRINUSE) NAMED(ECONNREFUSED) NAMED(ECONNRESET)
    NAMED(ECONNABORTED) strerror(error);
}
#define strerror(error) nameOf(error)
#include "show.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_in name;
static socklen_t size = sizeof name;

static int bound(void)
{
  int s = socket(AF_INET, SOCK_STREAM, 0);
  name = (struct sockaddr_in){AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
  CHECK(bind(s, (void *)&name, size) == 0);
  CHECK(getsockname(s, (void *)&name, &size) == 0);
  return s;
}

static int events(int s)
{
  struct pollfd one = {s, POLLIN | POLLOUT | POLLRDHUP, 0};
  poll(&one, 1, 0);
  return one.revents;
}

static int error(int s)
{
  int value;
  socklen_t length = sizeof value;
  CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &value, &length) == 0);
  return value;
}

static void self(int flags)
{
  SAY("-- to itself, flags %#x", flags);
  char bytes[100] = "";
  int s = bound();
  CHECK(fcntl(s, F_SETFL, flags) == 0);
  struct sockaddr_in me = name, peer;
  SHOW(connect(s, (void *)&me, size));
  SHOW(events(s));
  SHOW(error(s));
  if (flags) {
    SHOW(connect(s, (void *)&me, size));
    SHOW(connect(s, (void *)&me, size));
  }
  CHECK(getpeername(s, (void *)&peer, &size) == 0);
  SHOW(peer.sin_port == me.sin_port && peer.sin_addr.s_addr == me.sin_addr.s_addr);
  SHOW(connect(s, (void *)&me, size));
  SHOW(listen(s, 1));
  SHOW(write(s, "hello", 5));
  SHOW(events(s));
  int count = -1;
  SHOW(ioctl(s, FIONREAD, &count));
  SHOW(count);
  SHOW(read(s, bytes, 3));
  SHOW(write(s, " you", 4));
  SHOW(read(s, bytes, 100));
  SHOW(events(s));
  SHOW(recv(s, bytes, 1, MSG_DONTWAIT));
  SHOW(write(s, "last", 4));
  SHOW(shutdown(s, SHUT_WR));
  SHOW(events(s));
  SHOW(write(s, "more", 4));
  SHOW(read(s, bytes, 100));
  SHOW(read(s, bytes, 100));
  SHOW(events(s));
  SHOW(shutdown(s, SHUT_RD));
  SHOW(shutdown(s, SHUT_RDWR));
  SHOW(getpeername(s, (void *)&peer, &size));
  close(s);
  s = bound();
  me = name;
  CHECK(connect(s, (void *)&me, size) == 0);
  CHECK(write(s, "unread", 6) == 6);
  close(s);
  s = bound();
  me = name;
  CHECK(connect(s, (void *)&me, size) == 0);
  struct sockaddr none = {AF_UNSPEC, ""};
  SHOW(connect(s, &none, sizeof none));
  SHOW(events(s));
  SHOW(error(s));
  SHOW(connect(s, (void *)&me, size));
  SHOW(write(s, "x", 1));
  SHOW(read(s, bytes, 9));
  close(s);
}

static void fill(void)
{
  SAY("-- more than fits");
  static char bytes[100000];
  int s = bound();
  struct sockaddr_in me = name;
  CHECK(connect(s, (void *)&me, size) == 0);
  CHECK(fcntl(s, F_SETFL, O_NONBLOCK) == 0);
  long sent = 0, got = 0, n;
  while ((n = write(s, bytes, sizeof bytes)) > 0)
    sent += n;
  SHOW(sent > 100000);
  int idle = 0;
  while (idle < 100)
    if ((n = read(s, bytes, sizeof bytes)) > 0)
      got += n, idle = 0;
    else
      usleep(1000), idle++;
  SHOW(got == sent);
  SHOW(events(s));
  close(s);
}

/* Bound to a port that was named. */
static int boundByName(void)
{
  close(bound());
  int s = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(s, (void *)&name, size) == 0);
  return s;
}

static void tryListener(int l)
{
  struct sockaddr_in me = name;
  int c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(c, (void *)&me, size));
  SHOW(events(l));
  CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
  int e = accept(l, 0, 0);
  SHOW(e >= 0);
  SHOW(events(e));
  SHOW(events(c));
  SHOW(write(c, "abc", 3));
  SHOW(events(e));
  char three[3];
  SHOW(read(e, three, 3));
  SHOW(recv(e, three, 3, MSG_DONTWAIT));
  SHOW(write(e, "def", 3));
  SHOW(recv(c, three, 3, MSG_DONTWAIT));
  close(c), close(e);
}

static void listening(int how, int named)
{
  SAY("-- a listener, shutdown %d, its port %s", how, named ? "named" : "any");
  int l = named ? boundByName() : bound();
  struct sockaddr_in me = name;
  SHOW(shutdown(l, how));
  SHOW(events(l));
  SHOW(error(l));
  SHOW(listen(l, 3));
  SHOW(events(l));
  tryListener(l);
  int c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(c, (void *)&me, size));
  SHOW(shutdown(l, how));
  SHOW(events(l));
  SHOW(error(l));
  SHOW((events(c) & POLLERR) != 0);
  close(c);
  SHOW(accept(l, 0, 0) >= 0);
  SHOW(getsockname(l, (void *)&me, &size));
  SHOW(me.sin_port == name.sin_port && me.sin_addr.s_addr == name.sin_addr.s_addr);
  int other = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(bind(other, (void *)&name, size));
  close(other);
  c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(c, (void *)&name, size));
  close(c);
  SHOW(listen(l, 3));
  SHOW(getsockname(l, (void *)&me, &size));
  SHOW(me.sin_port == name.sin_port);
  name = me;
  if (how != SHUT_WR)
    tryListener(l);
  close(l);
}

/* Used again after it was shut down, refused, disconnected. */
static void again(void)
{
  char bytes[9];
  struct sockaddr_in server, nobody;
  struct sockaddr none = {AF_UNSPEC, ""};
  close(bound());
  nobody = name;
  int l = bound();
  server = name;
  CHECK(listen(l, 9) == 0);
  for (int how = 0; how < 3; how++) {
    SAY("-- shutdown %d before connect", how);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(shutdown(c, how));
    SHOW(events(c));
    SHOW(connect(c, (void *)&server, size));
    SHOW(events(c));
    SHOW(write(c, "a", 1));
    SHOW(recv(c, bytes, 1, MSG_DONTWAIT));
    close(c);
    close(accept(l, 0, 0));
  }
  SAY("-- refused");
  int c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(c, (void *)&nobody, size));
  SHOW(events(c));
  SHOW(error(c));
  SHOW(connect(c, (void *)&server, size));
  SHOW(events(c));
  int e = accept(l, 0, 0);
  SHOW(write(c, "a", 1));
  SHOW(read(e, bytes, 9));
  SAY("-- disconnected");
  SHOW(connect(c, &none, sizeof none));
  SHOW(events(c));
  SHOW(events(e));
  SHOW(error(e));
  SHOW(connect(e, (void *)&server, size));
  SHOW(listen(e, 1));
  SHOW(shutdown(e, SHUT_RDWR));
  SHOW(write(c, "a", 1));
  SHOW(error(c));
  SHOW(connect(c, (void *)&server, size));
  SHOW(write(c, "a", 1));
  close(c), close(e), close(accept(l, 0, 0));
  SAY("-- refused without waiting");
  c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  SHOW(connect(c, (void *)&nobody, size));
  SHOW(events(c));
  SHOW(listen(c, 1));
  SHOW(error(c));
  SHOW(events(c));
  SHOW(connect(c, (void *)&server, size));
  SHOW(events(c));
  SHOW(connect(c, (void *)&server, size));
  SHOW(connect(c, (void *)&server, size));
  SHOW(connect(c, (void *)&server, size));
  close(c), close(accept(l, 0, 0));
  SAY("-- both ends finished");
  c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(c, (void *)&server, size));
  e = accept(l, 0, 0);
  CHECK(write(c, "abc", 3) == 3);
  SHOW(shutdown(c, SHUT_WR));
  SHOW(getpeername(c, (void *)&nobody, &size));
  SHOW(shutdown(e, SHUT_WR));
  SHOW(getpeername(c, (void *)&nobody, &size));
  SHOW(getpeername(e, (void *)&nobody, &size));
  SHOW(events(c));
  SHOW(events(e));
  SHOW(shutdown(c, SHUT_WR));
  SHOW(shutdown(e, SHUT_RD));
  SHOW(read(e, bytes, 2));
  SHOW(read(e, bytes, 2));
  SHOW(read(e, bytes, 2));
  SHOW(read(c, bytes, 2));
  SHOW(write(c, bytes, 2));
  SHOW(write(e, bytes, 2));
  SHOW(connect(c, (void *)&server, size));
  SHOW(connect(e, (void *)&server, size));
  close(c), close(e), close(l);
}

static void automatic(void)
{
  SAY("-- a listener that was not bound, and one of IPv6");
  int l = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(listen(l, 3));
  struct sockaddr_in me, again;
  CHECK(getsockname(l, (void *)&me, &size) == 0);
  SHOW(shutdown(l, SHUT_RD));
  SHOW(getsockname(l, (void *)&again, &size));
  SHOW(again.sin_port != 0);
  SHOW(listen(l, 3));
  CHECK(getsockname(l, (void *)&again, &size) == 0);
  SHOW(again.sin_port != 0);
  close(l);
  /* A connecting one is put back, too. */
  int s = bound();
  struct sockaddr_in mine = name;
  struct sockaddr none = {AF_UNSPEC, ""};
  SHOW(connect(s, &none, sizeof none));
  SHOW(listen(s, 3));
  SHOW(connect(s, &none, sizeof none));
  SHOW(events(s));
  SHOW(getsockname(s, (void *)&again, &size));
  SHOW(again.sin_port == mine.sin_port);
  close(s);
}

static void unixListener(int how)
{
  SAY("-- a UNIX listener, shutdown %d", how);
  struct sockaddr_un un = {AF_UNIX, "\0self-connect"};
  socklen_t length = sizeof(sa_family_t) + 13;
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(bind(l, (void *)&un, length) == 0 && listen(l, 3) == 0);
  SHOW(shutdown(l, how));
  SHOW(events(l));
  SHOW(listen(l, 3));
  SHOW(events(l));
  int c = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(connect(c, (void *)&un, length));
  CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
  SHOW(accept(l, 0, 0) >= 0);
  close(c), close(l);
}

int main(void)
{
  signal(SIGPIPE, SIG_IGN);
  alarm(20);
  self(0);
  self(O_NONBLOCK);
  fill();
  for (int how = 0; how < 3; how++)
    listening(how, 0), listening(how, 1);
  again();
  automatic();
  unixListener(SHUT_RD);
  return 0;
}
