/* Options of sockets that say something of the way to the peer, or are kept and told back. Run as root. */
#define _GNU_SOURCE
#include "show.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static int tcp, udp, tcp6, udp6;

static void number(const char *name, int fd, int level, int option)
{
  int value = 0;
  socklen_t length = 4;
  int failed = getsockopt(fd, level, option, &value, &length);
  if (failed != 0)
    show(name, failed);
  else
    SAY("%-60s %d (%u)", name, value, length);
}
#define NUMBER(fd, level, option) number(#fd " " #level " " #option, fd, level, option)

static int set(int fd, int level, int option, int value)
{
  return setsockopt(fd, level, option, &value, sizeof value);
}

static void text(int fd, int level, int option, socklen_t room)
{
  char value[64] = "";
  if (getsockopt(fd, level, option, value, &room) != 0)
    SAY("no text: %s", errorName(errno));
  else
    SAY("\"%s\" (%u)", value, room);
}

static void levels(void)
{
  static const int all[] = {IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6, 255, 500, -1};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    SAY("-- level %d", all[i]);
    NUMBER(tcp, all[i], 60);
    SHOW(set(tcp, all[i], 60, 1));
    NUMBER(udp, all[i], 60);
    SHOW(set(udp, all[i], 60, 1));
    NUMBER(tcp6, all[i], 90);
    SHOW(set(tcp6, all[i], 90, 1));
    NUMBER(udp6, all[i], 90);
    SHOW(set(udp6, all[i], 90, 1));
  }
}

static void kept(const char *name, int fd, int level, int option)
{
  int first = -7, then = -7;
  socklen_t length = 4;
  int unknown = getsockopt(fd, level, option, &first, &length) != 0;
  int refused = set(fd, level, option, 1) != 0 ? errno : 0;
  length = 4;
  unknown |= getsockopt(fd, level, option, &then, &length) != 0;
  SAY("%-40s %s %d, %s, %d", name, unknown ? "unknown" : "first", first, refused ? errorName(refused) : "set", then);
}
#define KEPT(fd, level, option) kept(#fd " " #level " " #option, fd, level, option)

static void keeps(void)
{
  static const int ip[] = {1, 6, 7, 8, 10, 11, 12, 13, 15, 19, 20, 21, 23, 24, 26, 33, 34, 49};
  static const int ipv6[] = {2, 3, 4, 5, 8, 11, 16, 18, 19, 23, 25, 29, 30, 31, 33, 49, 51, 53, 56, 58, 60, 62, 66, 67, 70, 73, 74, 75, 77, 78};
  static const int own[] = {14, 47, 48, 49, 56, 62};
  SAY("-- kept");
  for (unsigned i = 0; i < sizeof ip / sizeof *ip; i++) {
    SAY("%d", ip[i]);
    KEPT(tcp, IPPROTO_IP, ip[i]);
    KEPT(udp, IPPROTO_IP, ip[i]);
  }
  for (unsigned i = 0; i < sizeof ipv6 / sizeof *ipv6; i++) {
    SAY("%d", ipv6[i]);
    KEPT(tcp6, IPPROTO_IPV6, ipv6[i]);
    KEPT(udp6, IPPROTO_IPV6, ipv6[i]);
  }
  for (unsigned i = 0; i < sizeof own / sizeof *own; i++) {
    SAY("%d", own[i]);
    KEPT(tcp, SOL_SOCKET, own[i]);
    KEPT(udp6, SOL_SOCKET, own[i]);
  }
}

static void ofTcp(void)
{
  SAY("-- TCP");
  NUMBER(tcp, IPPROTO_TCP, TCP_MAXSEG);
  SHOW(set(tcp, IPPROTO_TCP, TCP_MAXSEG, 87));
  SHOW(set(tcp, IPPROTO_TCP, TCP_MAXSEG, 88));
  NUMBER(tcp, IPPROTO_TCP, TCP_MAXSEG);
  SHOW(set(tcp, IPPROTO_TCP, TCP_MAXSEG, 32767));
  SHOW(set(tcp, IPPROTO_TCP, TCP_MAXSEG, 32768));
  SHOW(set(tcp, IPPROTO_TCP, TCP_MAXSEG, 0));
  NUMBER(tcp, IPPROTO_TCP, TCP_MAXSEG);
  NUMBER(tcp, IPPROTO_TCP, TCP_WINDOW_CLAMP);
  SHOW(set(tcp, IPPROTO_TCP, TCP_WINDOW_CLAMP, 1));
  NUMBER(tcp, IPPROTO_TCP, TCP_WINDOW_CLAMP);
  SHOW(set(tcp, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000));
  NUMBER(tcp, IPPROTO_TCP, TCP_WINDOW_CLAMP);
  SHOW(setsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, "nothing", 7));
  SHOW(setsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, "", 0));
  SHOW(setsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
  text(tcp, IPPROTO_TCP, TCP_CONGESTION, 64);
  text(tcp, IPPROTO_TCP, TCP_CONGESTION, 3);
  text(tcp, IPPROTO_TCP, 31, 64);
  SHOW(setsockopt(tcp, IPPROTO_TCP, 31, "nothing", 7));
  NUMBER(tcp, IPPROTO_TCP, 16);
  SHOW(set(tcp, IPPROTO_TCP, 16, 2));
  SHOW(set(tcp, IPPROTO_TCP, 16, 1));
  NUMBER(tcp, IPPROTO_TCP, 16);
}

static void ofDevices(void)
{
  SAY("-- devices");
  text(udp, SOL_SOCKET, SO_BINDTODEVICE, 64);
  SHOW(setsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, "none0", 5));
  SHOW(setsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
  text(udp, SOL_SOCKET, SO_BINDTODEVICE, 64);
  text(udp, SOL_SOCKET, SO_BINDTODEVICE, 15);
  NUMBER(udp, SOL_SOCKET, 62);
  SHOW(setsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
  text(udp, SOL_SOCKET, SO_BINDTODEVICE, 64);
  SHOW(set(udp, SOL_SOCKET, 62, -1));
  SHOW(set(udp, SOL_SOCKET, 62, 1));
  text(udp, SOL_SOCKET, SO_BINDTODEVICE, 64);
  SHOW(set(udp, SOL_SOCKET, 62, 0));
}

/* Those that tell of the way need a peer. */
static void connected(void)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof at;
  SAY("-- connected");
  int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
  NUMBER(fd, IPPROTO_IP, IP_MTU);
  CHECK(bind(other, (struct sockaddr *)&at, sizeof at) == 0 && listen(other, 1) == 0);
  CHECK(getsockname(other, (struct sockaddr *)&at, &length) == 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
  NUMBER(fd, IPPROTO_TCP, TCP_MAXSEG);
  NUMBER(fd, IPPROTO_IP, IP_MTU);
  SHOW(set(fd, IPPROTO_IP, IP_MTU, 1500));
  CHECK(connect(udp, (struct sockaddr *)&at, sizeof at) == 0);
  NUMBER(udp, IPPROTO_IP, IP_MTU);
  NUMBER(udp6, IPPROTO_IPV6, 24);
  unsigned long long cookie[3] = {0};
  length = 8;
  CHECK(getsockopt(fd, SOL_SOCKET, 57, cookie, &length) == 0 && length == 8);
  CHECK(getsockopt(udp, SOL_SOCKET, 57, cookie + 1, &length) == 0 && getsockopt(fd, SOL_SOCKET, 57, cookie + 2, &length) == 0);
  SAY("%s", cookie[0] == cookie[2] && cookie[0] != cookie[1] && cookie[0] != 0 ? "cookies" : "no cookies");
  NUMBER(fd, SOL_SOCKET, 57);
  unsigned info[10];
  length = sizeof info;
  CHECK(getsockopt(fd, SOL_SOCKET, 55, info, &length) == 0);
  SAY("%u bytes of memory: %u %u %u", length, info[0], info[2], info[7]);
}

int main(void)
{
  tcp = socket(AF_INET, SOCK_STREAM, 0);
  udp = socket(AF_INET, SOCK_DGRAM, 0);
  tcp6 = socket(AF_INET6, SOCK_STREAM, 0);
  udp6 = socket(AF_INET6, SOCK_DGRAM, 0);
  CHECK(tcp >= 0 && udp >= 0 && tcp6 >= 0 && udp6 >= 0);
  levels();
  keeps();
  ofTcp();
  ofDevices();
  connected();
  return 0;
}
