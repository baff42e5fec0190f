/* UNIX sockets and the loopback: what every call answers, what goes along with bytes, and how connections end. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

static int pipes;
static char big[1 << 20];

static void on_pipe(int signal)
{
  (void)signal;
  pipes++;
}

static void on_alarm(int signal)
{
  (void)signal;
}

static const char *why(void)
{
  switch (errno) {
  case ECONNREFUSED: return "ECONNREFUSED";
  case ECONNRESET: return "ECONNRESET";
  case ENOTCONN: return "ENOTCONN";
  case EISCONN: return "EISCONN";
  case EADDRINUSE: return "EADDRINUSE";
  case ENOTSOCK: return "ENOTSOCK";
  case EMSGSIZE: return "EMSGSIZE";
  case EINPROGRESS: return "EINPROGRESS";
  case EDESTADDRREQ: return "EDESTADDRREQ";
  case EAFNOSUPPORT: return "EAFNOSUPPORT";
  case EPROTONOSUPPORT: return "EPROTONOSUPPORT";
  case ESOCKTNOSUPPORT: return "ESOCKTNOSUPPORT";
  default: return errorName(errno);
  }
}

#define TELL(call) \
  do { \
    errno = 0; \
    long answer = (long)(call); \
    int error = errno; \
    errno = error; \
    SAY("%-84s %ld %s", #call, answer, answer == -1 ? why() : ""); \
  } while (0)

static void events(const char *what, int fd)
{
  struct pollfd wanted = {fd, POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLWRBAND, 0};
  int n = poll(&wanted, 1, 0);
  SAY("poll %s: %d %x", what, n, wanted.revents);
}

static struct sockaddr_un name(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, path);
  return address;
}

static void families(void)
{
  TELL(socket(AF_UNIX, SOCK_RDM, 0));
  TELL(socket(AF_UNIX, SOCK_STREAM, 5));
  TELL(socket(AF_UNIX, 11, 0));
  TELL(socket(AF_UNIX, SOCK_STREAM | 0x100000, 0));
  TELL(socket(99, SOCK_STREAM, 0));
  TELL(socket(AF_INET, SOCK_SEQPACKET, 0));
  TELL(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  int s[2];
  TELL(socketpair(AF_INET, SOCK_STREAM, 0, s));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  TELL(fcntl(fd, F_GETFD));
  TELL((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  TELL(lseek(fd, 0, SEEK_SET));
  TELL(bind(0, NULL, 0));
  TELL(listen(fd, 5));
  TELL(accept(fd, NULL, NULL));
  TELL(read(fd, big, 1));
  TELL(write(fd, big, 1));
  TELL(shutdown(fd, 3));
  TELL(listen(999, 1));
  SHOW(fcntl(fd, F_SETFL, 0));
  events("a new stream", fd);
  events("a new datagram socket", socket(AF_UNIX, SOCK_DGRAM, 0));
  events("a new TCP socket", socket(AF_INET, SOCK_STREAM, 0));
  events("a new UDP socket", socket(AF_INET, SOCK_DGRAM, 0));
}

static void pairs(void)
{
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (int i = 0; i < 3; i++) {
    int s[2];
    SAY("-- type %d", types[i]);
    CHECK(socketpair(AF_UNIX, types[i] | SOCK_NONBLOCK, 0, s) == 0);
    char text[16] = "";
    TELL(read(s[0], text, 4));
    events("empty", s[0]);
    CHECK(write(s[1], "abcdef", 6) == 6 && write(s[1], "gh", 2) == 2);
    events("with messages", s[0]);
    int unread = -1;
    CHECK(ioctl(s[0], FIONREAD, &unread) == 0);
    SAY("FIONREAD %d", unread);
    TELL(recv(s[0], text, 4, MSG_PEEK));
    TELL(recv(s[0], text, 4, 0));
    TELL(recv(s[0], text, 9, MSG_TRUNC));
    SAY("%s", text);
    TELL(recv(s[0], text, 9, MSG_DONTWAIT));
    long n = 0;
    while (write(s[0], big, 100) == 100) n++;
    SAY("%ld writes of 100", n);
    events("full", s[0]);
    long reads = 0;
    struct pollfd wanted = {s[0], POLLOUT, 0};
    while (poll(&wanted, 1, 0) == 0 && read(s[1], big, 100) == 100) reads++;
    SAY("writable after %ld reads", reads);
    TELL(write(s[1], big, 300000));
    TELL(shutdown(s[0], SHUT_WR));
    events("half-closed", s[0]);
    events("its peer", s[1]);
    TELL(write(s[0], "x", 1));
    TELL(close(s[0]));
    events("peer gone", s[1]);
    pipes = 0;
    TELL(send(s[1], "x", 1, 0));
    TELL(send(s[1], "x", 1, MSG_NOSIGNAL));
    SAY("SIGPIPE %d", pipes);
    while (read(s[1], big, sizeof big) > 0) continue;
    TELL(read(s[1], text, 1));
    close(s[1]);
  }
}

static void names(void)
{
  struct sockaddr_un path = name("sock-path"), other;
  socklen_t size = sizeof other;
  int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  TELL(connect(client, (struct sockaddr *)&path, sizeof path));
  TELL(bind(listener, (struct sockaddr *)&path, sizeof path));
  TELL(bind(listener, (struct sockaddr *)&path, sizeof path));
  TELL(bind(client, (struct sockaddr *)&path, sizeof path));
  TELL(connect(client, (struct sockaddr *)&path, sizeof path));
  TELL(listen(listener, 1));
  TELL(open("sock-path", O_RDWR));
  TELL(connect(client, (struct sockaddr *)&path, sizeof path));
  TELL(connect(client, (struct sockaddr *)&path, sizeof path));
  int second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), third = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  TELL(connect(second, (struct sockaddr *)&path, sizeof path));
  TELL(connect(third, (struct sockaddr *)&path, sizeof path));
  TELL(write(client, "early", 5));
  events("listener", listener);
  int end = accept4(listener, (struct sockaddr *)&other, &size, SOCK_NONBLOCK);
  CHECK(end >= 0);
  SAY("peer's name: %u bytes", size);
  size = sizeof other;
  TELL(getsockname(end, (struct sockaddr *)&other, &size));
  SAY("%u %s", size, other.sun_path);
  size = 4;
  TELL(getpeername(client, (struct sockaddr *)&other, &size));
  SAY("%u", size);
  struct ucred who;
  size = sizeof who;
  CHECK(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0);
  SAY("peer is me: %d", who.pid == getpid());
  TELL(read(end, big, 9));
  TELL(read(end, big, 9));
  TELL(close(client));
  TELL(read(end, big, 9));
  TELL(close(listener));
  TELL(read(second, big, 1));
  TELL(read(second, big, 1));
  TELL(connect(third, (struct sockaddr *)&path, sizeof path));
  TELL(unlink("sock-path"));
  struct sockaddr_un hidden = {.sun_family = AF_UNIX, .sun_path = "\0faultline-test"};
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + 15;
  int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  TELL(sendto(b, "x", 1, 0, (struct sockaddr *)&hidden, length));
  TELL(bind(a, (struct sockaddr *)&hidden, length));
  TELL(bind(b, (struct sockaddr *)&hidden, length));
  TELL(send(b, "x", 1, 0));
  int n = 0;
  while (sendto(b, "x", 1, 0, (struct sockaddr *)&hidden, length) == 1) n++;
  SAY("%d datagrams, then %s", n, why());
  size = sizeof other;
  TELL(recvfrom(a, big, 9, 0, (struct sockaddr *)&other, &size));
  SAY("from nobody: %u", size);
  TELL(connect(b, (struct sockaddr *)&hidden, length));
  TELL(close(a));
  TELL(send(b, "x", 1, 0));
  TELL(send(b, "x", 1, 0));
}

static void enclosed(void)
{
  int s[2], p[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0 && pipe(p) == 0);
  int on = 1;
  CHECK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
  union {
    char bytes[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control = {0};
  struct iovec iov = {"file", 4};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(2 * sizeof(int))};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(2 * sizeof(int));
  memcpy(CMSG_DATA(head), (int[]){p[0], 999}, 2 * sizeof(int));
  TELL(sendmsg(s[0], &message, 0));
  memcpy(CMSG_DATA(head), (int[]){p[0], p[1]}, 2 * sizeof(int));
  TELL(sendmsg(s[0], &message, 0));
  TELL(write(s[0], "more", 4));
  close(p[0]);
  close(p[1]);
  char text[16] = "";
  struct iovec into = {text, 9};
  struct msghdr got = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  TELL(recvmsg(s[1], &got, MSG_CMSG_CLOEXEC));
  SAY("flags %x, control %ld", got.msg_flags & ~MSG_CMSG_CLOEXEC, (long)got.msg_controllen);
  int fds[2] = {-1, -1};
  for (head = CMSG_FIRSTHDR(&got); head; head = CMSG_NXTHDR(&got, head)) {
    SAY("type %d, length %ld", head->cmsg_type, (long)head->cmsg_len);
    if (head->cmsg_type == SCM_RIGHTS) memcpy(fds, CMSG_DATA(head), sizeof fds);
    if (head->cmsg_type == SCM_CREDENTIALS) {
      struct ucred who;
      memcpy(&who, CMSG_DATA(head), sizeof who);
      SAY("credentials: %d %d", who.pid == getpid(), who.uid == getuid());
    }
  }
  TELL(fcntl(fds[0], F_GETFD));
  TELL(write(fds[1], "through", 7));
  TELL(read(fds[0], text, 9));
  TELL(recv(s[1], text, 9, 0));
  got.msg_control = NULL;
  got.msg_controllen = 0;
  TELL(sendmsg(s[0], &message, 0));
}

static int listening(int family, int backlog, struct sockaddr_storage *address, socklen_t *size)
{
  int fd = socket(family, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  memset(address, 0, sizeof *address);
  if (family == AF_INET) {
    *(struct sockaddr_in *)address = (struct sockaddr_in){AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    *size = sizeof(struct sockaddr_in);
  } else {
    *(struct sockaddr_in6 *)address = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    *size = sizeof(struct sockaddr_in6);
  }
  CHECK(bind(fd, (struct sockaddr *)address, *size) == 0);
  CHECK(getsockname(fd, (struct sockaddr *)address, size) == 0);
  if (backlog >= 0) CHECK(listen(fd, backlog) == 0);
  return fd;
}

static void tcp(int family)
{
  SAY("-- TCP over family %d", family);
  struct sockaddr_storage at, other;
  socklen_t size, length;
  int listener = listening(family, -1, &at, &size);
  int client = socket(family, SOCK_STREAM, 0);
  TELL(recv(client, big, 1, 0));
  pipes = 0;
  TELL(send(client, big, 1, 0));
  SAY("SIGPIPE %d", pipes);
  TELL(connect(client, (struct sockaddr *)&at, size));
  TELL(listen(listener, 5));
  int busy = socket(family, SOCK_STREAM, 0), on = 1;
  TELL(bind(busy, (struct sockaddr *)&at, size));
  CHECK(setsockopt(busy, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
  TELL(bind(busy, (struct sockaddr *)&at, size));
  TELL(connect(client, (struct sockaddr *)&at, 3));
  TELL(connect(client, (struct sockaddr *)&at, size));
  TELL(connect(client, (struct sockaddr *)&at, size));
  events("connected", client);
  length = sizeof other;
  int end = accept(listener, (struct sockaddr *)&other, &length);
  CHECK(end >= 0);
  SAY("length %u, family %d", length, other.ss_family);
  length = sizeof other;
  TELL(getpeername(client, (struct sockaddr *)&other, &length));
  SAY("its port is the listener's: %d", memcmp(&other, &at, size) == 0);
  CHECK(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
  int value = 0;
  length = sizeof value;
  CHECK(getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0);
  SAY("TCP_NODELAY %d", value);
  TELL(write(client, "hello", 5));
  usleep(10000);
  TELL(recv(end, big, 3, MSG_WAITALL));
  TELL(recv(end, big, 9, MSG_PEEK));
  TELL(recv(end, big, 9, MSG_DONTWAIT));
  TELL(recv(end, big, 9, MSG_DONTWAIT));
  TELL(shutdown(client, SHUT_WR));
  usleep(10000);
  TELL(read(end, big, 9));
  events("the one that got the end", end);
  events("the one that sent it", client);
  TELL(write(end, "answer", 6));
  TELL(close(end));
  usleep(10000);
  TELL(read(client, big, 9));
  TELL(read(client, big, 9));
  events("both are done", client);
  TELL(close(client));

  client = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  TELL(connect(client, (struct sockaddr *)&at, size));
  usleep(10000);
  length = sizeof value;
  CHECK(getsockopt(client, SOL_SOCKET, SO_ERROR, &value, &length) == 0);
  SAY("SO_ERROR %d", value);
  end = accept(listener, NULL, NULL);
  TELL(write(client, "unread", 6));
  usleep(10000);
  TELL(close(end));
  usleep(10000);
  events("reset", client);
  TELL(read(client, big, 1));
  TELL(read(client, big, 1));
  pipes = 0;
  TELL(write(client, big, 1));
  SAY("SIGPIPE %d", pipes);
  TELL(close(client));

  client = socket(family, SOCK_STREAM, 0);
  TELL(connect(client, (struct sockaddr *)&at, size));
  end = accept(listener, NULL, NULL);
  TELL(close(end));
  usleep(10000);
  events("peer gone", client);
  TELL(write(client, "x", 1));
  usleep(10000);
  pipes = 0;
  TELL(write(client, "x", 1));
  SAY("SIGPIPE %d", pipes);
  TELL(read(client, big, 1));
  TELL(close(client));

  struct timeval soon = {0, 20000};
  client = socket(family, SOCK_STREAM, 0);
  TELL(connect(client, (struct sockaddr *)&at, size));
  CHECK(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0);
  TELL(read(client, big, 1));
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  soon.tv_usec = 0;
  soon.tv_sec = 10;
  CHECK(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0);
  ualarm(20000, 0);
  TELL(read(client, big, 1));
  TELL(close(client));
  TELL(close(listener));
  client = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  TELL(connect(client, (struct sockaddr *)&at, size) == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
  TELL(close(client));
}

/* A child sends a megabyte; a file goes through sendfile. */
static void transfer(void)
{
  struct sockaddr_storage at;
  socklen_t size;
  int listener = listening(AF_INET, 1, &at, &size);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(client, (struct sockaddr *)&at, size) == 0);
    for (size_t i = 0; i < sizeof big; i++) big[i] = i * 7;
    for (int i = 0; i < 8; i++) CHECK(write(client, big, sizeof big) == sizeof big);
    int file = open("socket-file", O_CREAT | O_RDWR | O_TRUNC, 0600);
    CHECK(file >= 0 && write(file, "from the file", 13) == 13);
    off_t from = 5;
    CHECK(sendfile(client, file, &from, 100) == 8 && from == 13);
    _exit(0);
  }
  int end = accept(listener, NULL, NULL);
  unsigned long total = 0, sum = 0;
  long n;
  char last[9] = "";
  while ((n = read(end, big, 100000)) > 0) {
    for (long i = 0; i < n; i++) sum = sum * 31 + (unsigned char)big[i];
    total += n;
    if (n >= 8) memcpy(last, big + n - 8, 8);
  }
  SAY("%lu bytes, sum %lx, the last %s", total, sum & 0xffffffff, last);
  CHECK(waitpid(child, NULL, 0) == child);
  unlink("socket-file");
}

static void udp(void)
{
  struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}}, from;
  socklen_t size = sizeof at;
  int a = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), b = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  TELL(bind(a, (struct sockaddr *)&at, sizeof at));
  CHECK(getsockname(a, (struct sockaddr *)&at, &size) == 0);
  TELL(bind(b, (struct sockaddr *)&at, sizeof at));
  TELL(send(b, "x", 1, 0));
  TELL(sendto(b, "hello", 5, 0, (struct sockaddr *)&at, sizeof at));
  TELL(sendto(b, big, 65508, 0, (struct sockaddr *)&at, sizeof at));
  TELL(sendto(b, "", 0, 0, (struct sockaddr *)&at, sizeof at));
  size = sizeof from;
  TELL(recvfrom(a, big, 3, 0, (struct sockaddr *)&from, &size));
  SAY("%u %x", size, ntohl(from.sin_addr.s_addr));
  TELL(recv(a, big, 3, 0));
  TELL(recv(a, big, 3, 0));
  TELL(connect(a, (struct sockaddr *)&from, sizeof from));
  TELL(send(a, "back", 4, 0));
  TELL(recv(b, big, 9, 0));
  TELL(close(b));
  TELL(send(a, "lost", 4, 0));
  events("refused", a);
  TELL(recv(a, big, 9, 0));
  TELL(recv(a, big, 9, 0));
  TELL(shutdown(a, SHUT_RDWR));
  TELL(recv(a, big, 9, 0));
}

int main(void)
{
  signal(SIGPIPE, on_pipe);
  families();
  pairs();
  names();
  enclosed();
  tcp(AF_INET);
  tcp(AF_INET6);
  transfer();
  udp();
  return 0;
}
