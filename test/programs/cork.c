/* Datagrams of UDP that are sent in parts: MSG_MORE and UDP_CORK. */
#define _GNU_SOURCE
#include "show.h"
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static char text[70000], got[70000];
static int to, other, from;
static struct sockaddr_in here = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};

static void received(void)
{
  for (;;) {
    ssize_t length = recv(to, got, sizeof got, MSG_DONTWAIT);
    if (length < 0)
      break;
    SAY("  got %zd: %.*s", length, length > 20 ? 20 : (int)length, got);
  }
  while (recv(other, got, sizeof got, MSG_DONTWAIT) >= 0)
    SAY("  the other got one");
}

static int receiver(struct sockaddr_in *address)
{
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  socklen_t length = sizeof *address;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(fd >= 0 && bind(fd, (struct sockaddr *)address, sizeof *address) == 0);
  CHECK(getsockname(fd, (struct sockaddr *)address, &length) == 0);
  return fd;
}

static int cork(int value)
{
  return setsockopt(from, IPPROTO_UDP, 1, &value, sizeof value);
}

static ssize_t sendTo(const char *bytes, size_t length, int flags, struct sockaddr_in *address)
{
  return sendto(from, bytes, length, flags, (struct sockaddr *)address, sizeof *address);
}

int main(void)
{
  memset(text, 'x', sizeof text);
  to = receiver(&here);
  other = receiver(&there);
  from = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(send(from, "a", 1, MSG_MORE));
  SHOW(sendTo("one ", 4, MSG_MORE, &here));
  received();
  SHOW(sendTo("two ", 4, MSG_MORE, &there));
  SHOW(send(from, "three ", 6, MSG_MORE));
  SHOW(send(from, "", 0, MSG_MORE));
  received();
  SHOW(send(from, "four", 4, 0));
  received();
  SHOW(send(from, "a", 1, 0));

  CHECK(connect(from, (struct sockaddr *)&here, sizeof here) == 0);
  SHOW(cork(1));
  SHOW(send(from, "corked ", 7, 0));
  SHOW(send(from, "again", 5, 0));
  received();
  SHOW(cork(1));
  received();
  SHOW(cork(0));
  received();
  SHOW(cork(0));
  received();
  SHOW(cork(1));
  SHOW(send(from, "", 0, 0));
  SHOW(cork(0));
  received();

  SHOW(send(from, text, 40000, MSG_MORE));
  SHOW(send(from, text, 25507, 0));
  received();
  SHOW(send(from, text, 40000, MSG_MORE));
  SHOW(send(from, text, 25508, 0));
  received();
  SHOW(send(from, "after", 5, 0));
  received();
  SHOW(send(from, text, 65535, MSG_MORE));
  SHOW(send(from, text, 65536, MSG_MORE));
  SHOW(send(from, (char *)8, 10, MSG_MORE));
  SHOW(send(from, "end", 3, 0));
  received();
  SHOW(send(from, "held", 4, MSG_MORE));
  SHOW(send(from, (char *)8, 10, MSG_MORE));
  SHOW(send(from, "end", 3, 0));
  received();
  SHOW(send(from, "lost", 4, MSG_MORE));
  CHECK(close(from) == 0);
  received();
  return 0;
}
