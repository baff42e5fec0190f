/* What a receiver of datagrams is told beside their bytes: where they were sent to, what their heads say, when they came. */
#define _GNU_SOURCE
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#ifndef IP_RECVORIGDSTADDR
#define IP_RECVORIGDSTADDR 20
#endif
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR 74
#endif
/* The names that C libraries give these two depend on their age. */
#define TIMESTAMP_NAME 29
#define TIMESTAMPNS_NAME 35

static void on(int fd, int level, int name)
{
  CHECK(setsockopt(fd, level, name, &(int){1}, sizeof(int)) == 0);
}

static void set(int fd, int level, int name, int value)
{
  CHECK(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

static time_t clock_seconds(void)
{
  struct timespec now;
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
  return now.tv_sec;
}

/* Ports are not the same each time. */
static void show_data(const struct cmsghdr *c, unsigned port)
{
  const unsigned char *data = CMSG_DATA(c);
  size_t length = c->cmsg_len - CMSG_LEN(0);
  if (c->cmsg_level == SOL_SOCKET && (c->cmsg_type == TIMESTAMP_NAME || c->cmsg_type == TIMESTAMPNS_NAME)) {
    long time[2];
    memcpy(time, data, sizeof time);
    time_t time_now = clock_seconds();
    int is_now = time[0] <= time_now && time[0] >= time_now - 60;
    SAY("  level %d type %d length %zu: %s", c->cmsg_level, c->cmsg_type, length, is_now ? "now" : "another time");
    return;
  }
  char text[200] = "";
  for (size_t i = 0; i < length; i++) {
    int is_port = length >= 16 && length != 20 && (i == 2 || i == 3);
    unsigned byte = is_port && data[2] * 256u + data[3] == port ? 0xee : data[i];
    sprintf(text + strlen(text), " %02x", byte);
  }
  SAY("  level %d type %d length %zu:%s", c->cmsg_level, c->cmsg_type, length, text);
}

/* Receives one and shows what came along, with so much room for it. */
static void show(const char *what, int fd, unsigned port, size_t room)
{
  union {
    char bytes[512];
    struct cmsghdr align;
  } control;
  char byte[8];
  struct iovec part = {byte, sizeof byte};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = room};
  CHECK(recvmsg(fd, &message, 0) == 1);
  SAY("%s: room %zu, used %zu, flags %x", what, room, (size_t)message.msg_controllen, message.msg_flags);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) show_data(c, port);
}

static unsigned port_of(int fd)
{
  struct sockaddr_in6 name;
  socklen_t length = sizeof name;
  CHECK(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
  return ntohs(name.sin6_port);
}

static void send4(int fd, const char *ip, unsigned port)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  CHECK(inet_pton(AF_INET, ip, &to.sin_addr) == 1);
  CHECK(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) == 1);
}

static void send6(int fd, const char *ip, unsigned port)
{
  struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  CHECK(inet_pton(AF_INET6, ip, &to.sin6_addr) == 1);
  CHECK(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) == 1);
}

static void ipv4(void)
{
  int to = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in any = {.sin_family = AF_INET};
  CHECK(to >= 0 && from >= 0 && bind(to, (struct sockaddr *)&any, sizeof any) == 0);
  unsigned port = port_of(to);
  send4(from, "127.0.0.1", port);
  show("nothing asked", to, port, 512);
  send4(from, "127.0.0.1", port);
  on(to, IPPROTO_IP, IP_PKTINFO);
  show("pktinfo", to, port, 512);
  on(to, IPPROTO_IP, IP_RECVTTL);
  on(to, IPPROTO_IP, IP_RECVTOS);
  on(to, IPPROTO_IP, IP_RECVORIGDSTADDR);
  set(from, IPPROTO_IP, IP_TTL, 9);
  set(from, IPPROTO_IP, IP_TOS, 0x10);
  for (int i = 0; i < 6; i++) send4(from, "127.0.0.5", port);
  show("all", to, port, 512);
  show("little room", to, port, 40);
  show("no room", to, port, 8);
  on(to, SOL_SOCKET, TIMESTAMP_NAME);
  show("time", to, port, 512);
  on(to, SOL_SOCKET, TIMESTAMPNS_NAME);
  show("time in ns", to, port, 512);
  set(to, SOL_SOCKET, TIMESTAMP_NAME, 0);
  show("no time", to, port, 512);
  close(to);
  close(from);
}

static void ipv6(void)
{
  int to = socket(AF_INET6, SOCK_DGRAM, 0), from = socket(AF_INET6, SOCK_DGRAM, 0);
  int from4 = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in6 any = {.sin6_family = AF_INET6};
  CHECK(to >= 0 && from >= 0 && bind(to, (struct sockaddr *)&any, sizeof any) == 0);
  unsigned port = port_of(to);
  on(to, IPPROTO_IPV6, IPV6_RECVPKTINFO);
  on(to, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
  on(to, IPPROTO_IPV6, IPV6_RECVTCLASS);
  on(to, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR);
  send6(from, "::1", port);
  show("v6", to, port, 512);
  set(from, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 5);
  set(from, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
  send6(from, "::1", port);
  show("v6, set", to, port, 512);
  send6(from, "::ffff:127.0.0.1", port);
  show("v4 on v6", to, port, 512);
  on(to, IPPROTO_IP, IP_PKTINFO);
  on(to, IPPROTO_IP, IP_RECVTTL);
  send4(from4, "127.0.0.2", port);
  send6(from, "::1", port);
  show("v4 on v6, asked", to, port, 512);
  show("v6 again", to, port, 512);
  close(to);
  close(from);
  close(from4);
}

/* So many were lost by the time that the next one came. */
static void lost(void)
{
  int to = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in any = {.sin_family = AF_INET};
  CHECK(to >= 0 && from >= 0 && bind(to, (struct sockaddr *)&any, sizeof any) == 0);
  set(to, SOL_SOCKET, SO_RCVBUF, 0);
  on(to, SOL_SOCKET, SO_RXQ_OVFL);
  unsigned port = port_of(to);
  int kept = 0;
  for (int i = 0; i < 20; i++) send4(from, "127.0.0.1", port);
  show("the first", to, port, 512);
  char byte;
  for (kept = 1; recv(to, &byte, 1, MSG_DONTWAIT) == 1; kept++) {}
  send4(from, "127.0.0.1", port);
  SAY("kept %d", kept);
  show("the next", to, port, 512);
  close(to);
  close(from);
}

int main(void)
{
  ipv4();
  ipv6();
  lost();
  return 0;
}
