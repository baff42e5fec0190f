/*
 * Edges of sockets: what a connection is after both ends have finished, after a reset, after a connect that failed or took too
 * long; who is woken when a full queue has room again; what a call that fails has left as it was.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

#define EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static void answer(const char *call, long result)
{
  int error = errno;
  if (result == -1)
    SAY("  %-66s errno %d", call, error);
  else
    SAY("  %-66s %ld", call, result);
}
#define SHOW(call) answer(#call, (long)(call))

static void settle(int ms)
{
  struct timespec t = {0, ms * 1000000L};
  nanosleep(&t, NULL);
}

static struct sockaddr_in at_port(int port)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

static int connect_in(int fd, struct sockaddr_in to)
{
  return connect(fd, (struct sockaddr *)&to, sizeof to);
}

static int disconnect(int fd)
{
  struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
  return connect(fd, &nowhere, sizeof nowhere);
}

static int tcp(void)
{
  return socket(AF_INET, SOCK_STREAM, 0);
}

static int udp(void)
{
  return socket(AF_INET, SOCK_DGRAM, 0);
}

static int listener(struct sockaddr_in *at, int backlog)
{
  int fd = tcp();
  socklen_t length = sizeof *at;
  *at = at_port(0);
  bind(fd, (struct sockaddr *)at, sizeof *at);
  listen(fd, backlog);
  getsockname(fd, (struct sockaddr *)at, &length);
  return fd;
}

static void tcp_pair(int *a, int *b)
{
  struct sockaddr_in at;
  int fd = listener(&at, 1);
  *a = tcp();
  connect_in(*a, at);
  *b = accept(fd, NULL, NULL);
  close(fd);
}

/* Closes it with a reset. */
static void reset(int fd)
{
  struct linger linger = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

static void wait_at_most(int fd, int option, int ms)
{
  struct timeval time = {0, ms * 1000};
  setsockopt(fd, SOL_SOCKET, option, &time, sizeof time);
}

static int events(int fd)
{
  struct pollfd one = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  poll(&one, 1, 0);
  return one.revents;
}

static int take_error(int fd)
{
  int error = -1;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

static int has_peer(int fd)
{
  struct sockaddr_in at;
  socklen_t length = sizeof at;
  return getpeername(fd, (struct sockaddr *)&at, &length);
}

/* The first number of the own address, and whether there is a port. */
static int own_address(int fd)
{
  struct sockaddr_in at;
  socklen_t length = sizeof at;
  getsockname(fd, (struct sockaddr *)&at, &length);
  return (ntohl(at.sin_addr.s_addr) >> 24) * 10 + (at.sin_port != 0);
}

static int watch(int fd, unsigned wanted)
{
  int poll = epoll_create1(0);
  struct epoll_event event = {.events = wanted};
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  return poll;
}

static int told(int poll)
{
  struct epoll_event event;
  int n = epoll_wait(poll, &event, 1, 20);
  return n > 0 ? (int)event.events : n;
}

static char byte[1];

static int send1(int fd, int flags)
{
  return send(fd, byte, 1, flags);
}

static int recv1(int fd, int flags)
{
  return recv(fd, byte, 1, flags);
}

static void both_ends_finish(void)
{
  int a, b;
  tcp_pair(&a, &b);
  int edges = watch(a, EDGES);
  SHOW(told(edges));
  SHOW(shutdown(a, SHUT_WR));
  SHOW(send1(b, 0));
  SHOW(shutdown(b, SHUT_WR));
  settle(20);
  SHOW(told(edges));
  SHOW(events(a));
  SHOW(events(b));
  SHOW(has_peer(a));
  SHOW(has_peer(b));
  SHOW(shutdown(a, SHUT_RD));
  SHOW(recv1(a, 0));
  SHOW(recv1(a, 0));
  SHOW(send1(a, 0));
  SHOW(connect_in(a, at_port(9)));
  SHOW(close(b));
  settle(20);
  SHOW(told(edges));
  close(a);
  close(edges);
}

static void resets(void)
{
  int a, b;
  struct sockaddr_in at;
  tcp_pair(&a, &b);
  reset(b);
  settle(20);
  SHOW(events(a));
  SHOW(take_error(a));
  int fd = listener(&at, 9);
  SHOW(connect_in(a, at));
  SHOW(disconnect(a));
  SHOW(own_address(a));
  SHOW(connect_in(a, at));
  SHOW(own_address(a));
  SHOW(disconnect(a));
  SHOW(events(a));
  SHOW(recv1(a, 0));
  SHOW(recv1(a, 0));
  SHOW(own_address(a));
  SHOW(listen(a, 1));
  SHOW(disconnect(a));
  SHOW(accept(a, NULL, NULL));
  SHOW(connect_in(a, at));
  close(a);
  close(fd);
}

static void accepts_what_was_reset(void)
{
  struct sockaddr_in at, own, peer;
  socklen_t length = sizeof own;
  int fd = listener(&at, 5);
  int a = tcp();
  SHOW(connect_in(a, at));
  getsockname(a, (struct sockaddr *)&own, &length);
  reset(a);
  settle(20);
  int b = accept(fd, (struct sockaddr *)&peer, &length);
  SHOW(b >= 0 && length == sizeof peer && memcmp(&own, &peer, sizeof own) == 0);
  SHOW(events(b));
  SHOW(take_error(b));
  SHOW(recv1(b, 0));
  SHOW(has_peer(b));
  close(b);
  close(fd);
}

static void connects_to_nobody(void)
{
  struct sockaddr_in at;
  close(listener(&at, 1));
  int a = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  SHOW(connect_in(a, at));
  settle(10);
  SHOW(events(a));
  SHOW(take_error(a));
  SHOW(connect_in(a, at));
  SHOW(own_address(a));
  SHOW(events(a));
  SHOW(recv1(a, 0));
  SHOW(connect_in(a, at));
  settle(10);
  SHOW(connect_in(a, at));
  close(a);
}

static void waits_in_connect(void)
{
  struct sockaddr_in at;
  int fd = listener(&at, 0);
  int a = tcp(), b = tcp();
  SHOW(connect_in(a, at));
  wait_at_most(b, SO_SNDTIMEO, 50);
  SHOW(connect_in(b, at));
  SHOW(connect_in(b, at));
  SHOW(events(b));
  SHOW(send1(b, 0));
  SHOW(has_peer(b));
  close(a);
  close(b);
  close(fd);
}

/* Without a descriptor for it nobody is taken out of the queue, nor waited for. */
static void accepts_without_descriptors(void)
{
  struct sockaddr_in at;
  struct rlimit before, fewer;
  int fd = listener(&at, 5), a = tcp();
  SHOW(connect_in(a, at));
  getrlimit(RLIMIT_NOFILE, &before);
  fewer = before;
  fewer.rlim_cur = a + 1;
  setrlimit(RLIMIT_NOFILE, &fewer);
  SHOW(accept(fd, NULL, NULL));
  SHOW(events(fd));
  setrlimit(RLIMIT_NOFILE, &before);
  int b = accept(fd, NULL, NULL);
  SHOW(b >= 0);
  SHOW(events(b));
  fewer.rlim_cur = b + 1;
  setrlimit(RLIMIT_NOFILE, &fewer);
  SHOW(accept(fd, NULL, NULL));
  int pair[2];
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  setrlimit(RLIMIT_NOFILE, &before);
  close(a);
  close(b);
  close(fd);
}

/* What such a call makes on its way goes with it. */
static void pairs_that_are_none(void)
{
  int pair[2], refused = 0;
  for (int i = 0; i < 5000; i++) refused += socketpair(AF_INET, SOCK_STREAM, 0, pair) == -1 && errno == EOPNOTSUPP;
  SHOW(refused);
  int fd = tcp();
  SHOW(fd >= 0);
  close(fd);
}

static int shut;

static void *shut_later(void *unused)
{
  settle(50);
  shutdown(shut, SHUT_WR);
  return unused;
}

static void shut_while_sending(void)
{
  static char many[1 << 24];
  int b;
  pthread_t thread;
  tcp_pair(&shut, &b);
  pthread_create(&thread, NULL, shut_later, NULL);
  long sent = send(shut, many, sizeof many, 0);
  SHOW(sent > 0 && sent < (long)sizeof many);
  pthread_join(thread, NULL);
  SHOW(send1(shut, 0));
  close(shut);
  close(b);
}

static void sends_nothing(void)
{
  int s[2], a, b;
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  SHOW(send(s[0], byte, 0, 0));
  SHOW(shutdown(s[0], SHUT_WR));
  SHOW(send(s[0], byte, 0, 0));
  SHOW(write(s[0], byte, 0));
  close(s[1]);
  SHOW(send(s[1] = s[0], byte, 0, 0));
  close(s[0]);
  tcp_pair(&a, &b);
  SHOW(send(a, byte, 0, 0));
  SHOW(shutdown(a, SHUT_WR));
  SHOW(send(a, byte, 0, 0));
  close(a);
  close(b);
}

/* The peer ends with bytes that it has not read, while a sender waits for room. */
static void reset_while_sending(void)
{
  int s[2];
  static char many[4096];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  while (send(s[0], many, sizeof many, MSG_DONTWAIT) > 0)
    ;
  SHOW(send1(s[1], 0));
  if (fork() == 0) {
    close(s[0]);
    settle(50);
    _exit(0);
  }
  close(s[1]);
  SHOW(send1(s[0], 0));
  SHOW(send1(s[0], 0));
  SHOW(recv1(s[0], 0));
  SHOW(recv1(s[0], 0));
  wait(NULL);
  close(s[0]);
}

static void udp_ends(void)
{
  int a = udp();
  struct sockaddr_in at = at_port(0);
  socklen_t length = sizeof at;
  bind(a, (struct sockaddr *)&at, sizeof at);
  getsockname(a, (struct sockaddr *)&at, &length);
  SHOW(connect_in(a, at));
  SHOW(shutdown(a, SHUT_WR));
  wait_at_most(a, SO_RCVTIMEO, 50);
  SHOW(recv1(a, 0));
  SHOW(events(a));
  SHOW(shutdown(a, SHUT_RD));
  SHOW(recv1(a, 0));
  SHOW(recv1(a, MSG_DONTWAIT));
  SHOW(disconnect(a));
  SHOW(own_address(a));
  close(a);
  a = udp();
  SHOW(connect_in(a, at_port(9)));
  SHOW(own_address(a));
  SHOW(disconnect(a));
  SHOW(own_address(a));
  SHOW(send1(a, 0));
  close(a);
}

static struct sockaddr_un receiver_name = {.sun_family = AF_UNIX, .sun_path = "\0edges-r"};
static struct sockaddr_un other_name = {.sun_family = AF_UNIX, .sun_path = "\0edges-o"};
#define NAME_BYTES (2 + 8)

static int datagrams(struct sockaddr_un *name)
{
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (name) bind(fd, (struct sockaddr *)name, NAME_BYTES);
  return fd;
}

static int connect_un(int fd, struct sockaddr_un *to)
{
  return connect(fd, (struct sockaddr *)to, NAME_BYTES);
}

/* Two send to one; its queue is full of what the first one has sent. */
static void full_queue(int how)
{
  int r = datagrams(&receiver_name), o = datagrams(&other_name), a = datagrams(NULL), b = datagrams(NULL);
  connect_un(a, &receiver_name);
  connect_un(b, &receiver_name);
  int sent = 0;
  while (send1(a, MSG_DONTWAIT) == 1) sent++;
  SHOW(sent);
  int level = watch(b, EPOLLOUT), edges = watch(b, EPOLLOUT | EPOLLET), of_a = watch(a, EPOLLOUT | EPOLLET);
  SHOW(told(level));
  SHOW(told(edges));
  if (how == 0) SHOW(recv1(r, 0));
  if (how == 1) SHOW(connect_un(b, &other_name));
  if (how == 2) SHOW(shutdown(r, SHUT_RD));
  if (how == 3) close(r);
  SHOW(told(level));
  SHOW(told(edges));
  SHOW(told(edges));
  SHOW(told(of_a));
  SHOW(send1(b, MSG_DONTWAIT));
  SHOW(send1(a, MSG_DONTWAIT));
  SHOW(told(level));
  SHOW(told(edges));
  close(r);
  close(o);
  close(a);
  close(b);
  close(level);
  close(edges);
  close(of_a);
}

static void shut_without_a_peer(void)
{
  struct sockaddr_in at = at_port(0);
  socklen_t length = sizeof at;
  int a = udp();
  bind(a, (struct sockaddr *)&at, sizeof at);
  getsockname(a, (struct sockaddr *)&at, &length);
  SHOW(shutdown(a, SHUT_RD));
  SHOW(events(a));
  SHOW(recv1(a, 0));
  SHOW(sendto(a, byte, 1, 0, (struct sockaddr *)&at, sizeof at));
  SHOW(recv1(a, 0));
  SHOW(shutdown(a, SHUT_WR));
  SHOW(sendto(a, byte, 1, 0, (struct sockaddr *)&at, sizeof at));
  close(a);
  a = tcp();
  int edges = watch(a, EDGES);
  SHOW(told(edges));
  SHOW(shutdown(a, SHUT_WR));
  SHOW(told(edges));
  int fd = listener(&at, 1);
  SHOW(connect_in(a, at));
  SHOW(send1(a, 0));
  SHOW(events(a));
  close(a);
  close(fd);
  close(edges);
}

#define SECTION(call) \
  do { \
    SAY("%s", #call); \
    call; \
  } while (0)

int main(void)
{
  signal(SIGPIPE, SIG_IGN);
  SECTION(both_ends_finish());
  SECTION(resets());
  SECTION(accepts_what_was_reset());
  SECTION(connects_to_nobody());
  SECTION(waits_in_connect());
  SECTION(accepts_without_descriptors());
  SECTION(pairs_that_are_none());
  SECTION(shut_while_sending());
  SECTION(sends_nothing());
  SECTION(reset_while_sending());
  SECTION(udp_ends());
  SECTION(shut_without_a_peer());
  for (int how = 0; how < 4; how++) SECTION(full_queue(how));
  return 0;
}
