/* What a sender says of the head of one datagram (control messages of IP and IPv6), and what its receiver sees of that. */
#define _GNU_SOURCE
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* The kernel's names; some C libraries lack them. */
#define PROTOCOL 52
#define DONTFRAG 62

static const char *name_of(int error)
{
  switch (error) {
    case EINVAL: return "EINVAL";
    case ENODEV: return "ENODEV";
    case ENETUNREACH: return "ENETUNREACH";
    default: return strerror(error);
  }
}

static void show_received(int fd)
{
  union {
    char bytes[512];
    struct cmsghdr align;
  } control;
  char byte[8], from[INET6_ADDRSTRLEN], text[200] = "";
  struct sockaddr_in6 name;
  struct iovec part = {byte, sizeof byte};
  struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &part, .msg_iovlen = 1,
                           .msg_control = &control, .msg_controllen = sizeof control};
  CHECK(recvmsg(fd, &message, MSG_DONTWAIT) == 1);
  if (name.sin6_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)&name)->sin_addr, from, sizeof from);
  else inet_ntop(AF_INET6, &name.sin6_addr, from, sizeof from);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    sprintf(text + strlen(text), "; %d/%d:", c->cmsg_level, c->cmsg_type);
    for (size_t i = 0; i < c->cmsg_len - CMSG_LEN(0); i++) sprintf(text + strlen(text), " %02x", CMSG_DATA(c)[i]);
  }
  SAY("  from %s%s", from, text);
}

static struct {
  int from, to;
  struct sockaddr_in6 address;
  socklen_t length;
} way;

static void send_with(const char *what, int level, int type, const void *data, size_t length)
{
  union {
    char bytes[128];
    struct cmsghdr align;
  } control = {.bytes = ""};
  struct iovec part = {"x", 1};
  struct msghdr message = {.msg_name = &way.address, .msg_namelen = way.length, .msg_iov = &part, .msg_iovlen = 1,
                           .msg_control = &control, .msg_controllen = CMSG_SPACE(length)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(length);
  memcpy(CMSG_DATA(c), data, length);
  if (sendmsg(way.from, &message, 0) == 1) {
    SAY("%s: sent", what);
    show_received(way.to);
  } else SAY("%s: %s", what, name_of(errno));
}

static void send_int(const char *what, int level, int type, int value, size_t length)
{
  char text[80];
  sprintf(text, "%s %d, %zu bytes", what, value, length);
  send_with(text, level, type, &value, length);
}

static void send_info(const char *ip, unsigned index)
{
  struct in_pktinfo info = {.ipi_ifindex = (int)index};
  char text[80];
  CHECK(inet_pton(AF_INET, ip, &info.ipi_spec_dst) == 1);
  sprintf(text, "packet info %s %u", ip, index);
  send_with(text, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}

static void send_info6(const char *ip, unsigned index)
{
  struct in6_pktinfo info = {.ipi6_ifindex = index};
  char text[80];
  CHECK(inet_pton(AF_INET6, ip, &info.ipi6_addr) == 1);
  sprintf(text, "packet info %s %u", ip, index);
  send_with(text, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

static unsigned short port_of(int fd)
{
  struct sockaddr_in6 name;
  socklen_t length = sizeof name;
  CHECK(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
  return name.sin6_port;
}

static void on(int level, int name)
{
  CHECK(setsockopt(way.to, level, name, &(int){1}, sizeof(int)) == 0);
}

static void begin4(void)
{
  struct sockaddr_in any = {.sin_family = AF_INET}, to = any;
  way.from = socket(AF_INET, SOCK_DGRAM, 0);
  way.to = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(way.from >= 0 && bind(way.to, (struct sockaddr *)&any, sizeof any) == 0);
  to.sin_port = port_of(way.to);
  CHECK(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr) == 1);
  memcpy(&way.address, &to, sizeof to);
  way.length = sizeof to;
  on(IPPROTO_IP, IP_RECVTTL);
  on(IPPROTO_IP, IP_RECVTOS);
}

static void begin6(void)
{
  struct sockaddr_in6 any = {.sin6_family = AF_INET6};
  way.from = socket(AF_INET6, SOCK_DGRAM, 0);
  way.to = socket(AF_INET6, SOCK_DGRAM, 0);
  CHECK(way.from >= 0 && bind(way.to, (struct sockaddr *)&any, sizeof any) == 0);
  way.address = any;
  way.address.sin6_port = port_of(way.to);
  way.length = sizeof way.address;
  on(IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
  on(IPPROTO_IPV6, IPV6_RECVTCLASS);
  on(IPPROTO_IP, IP_RECVTTL);
}

static void to6(const char *ip)
{
  SAY("to %s", ip);
  CHECK(inet_pton(AF_INET6, ip, &way.address.sin6_addr) == 1);
}

int main(void)
{
  static const int TTLS[] = {7, 0, 256, -1}, TOS[] = {12, 256, -1}, HOPS[] = {7, -1, 256, -2, 0}, CLASSES[] = {32, -1, 256};
  begin4();
  for (int i = 0; i < 4; i++) send_int("ttl", IPPROTO_IP, IP_TTL, TTLS[i], 4);
  send_int("ttl", IPPROTO_IP, IP_TTL, 7, 1);
  for (int i = 0; i < 3; i++) send_int("tos", IPPROTO_IP, IP_TOS, TOS[i], 4);
  send_int("tos", IPPROTO_IP, IP_TOS, 12, 1);
  send_int("tos", IPPROTO_IP, IP_TOS, 12, 2);
  send_info("0.0.0.0", 0);
  send_info("127.0.0.9", 0);
  send_info("127.0.0.9", 1);
  send_info("127.0.0.9", 999);
  send_info("9.9.9.9", 0);
  send_int("packet info", IPPROTO_IP, IP_PKTINFO, 1, 4);
  send_int("recvttl", IPPROTO_IP, IP_RECVTTL, 1, 4);
  send_int("protocol", IPPROTO_IP, PROTOCOL, 17, 4);
  send_int("protocol", IPPROTO_IP, PROTOCOL, 0, 4);
  send_int("unknown", IPPROTO_IP, 99, 1, 4);
  send_int("of IPv6", IPPROTO_IPV6, IPV6_HOPLIMIT, 9, 4);
  send_int("of nobody", 77, 1, 9, 4);
  begin6();
  to6("::1");
  for (int i = 0; i < 5; i++) send_int("hops", IPPROTO_IPV6, IPV6_HOPLIMIT, HOPS[i], 4);
  send_int("hops", IPPROTO_IPV6, IPV6_HOPLIMIT, 7, 1);
  for (int i = 0; i < 3; i++) send_int("class", IPPROTO_IPV6, IPV6_TCLASS, CLASSES[i], 4);
  send_info6("::", 0);
  send_info6("::", 1);
  send_info6("::1", 1);
  send_info6("::1", 999);
  send_info6("2001::9", 0);
  send_info6("::ffff:127.0.0.7", 0);
  send_int("packet info", IPPROTO_IPV6, IPV6_PKTINFO, 1, 4);
  send_int("don't fragment", IPPROTO_IPV6, DONTFRAG, 1, 4);
  send_int("don't fragment", IPPROTO_IPV6, DONTFRAG, 2, 4);
  send_int("unknown", IPPROTO_IPV6, 99, 1, 4);
  send_int("of IPv4", IPPROTO_IP, IP_TTL, 5, 4);
  to6("::ffff:127.0.0.1");
  send_int("ttl", IPPROTO_IP, IP_TTL, 5, 4);
  send_int("hops", IPPROTO_IPV6, IPV6_HOPLIMIT, 5, 4);
  send_info6("::ffff:127.0.0.7", 0);
  send_info6("::ffff:127.0.0.7", 999);
  send_info6("::ffff:9.9.9.9", 0);
  send_info6("::1", 0);
  send_info("127.0.0.8", 0);
  return 0;
}
