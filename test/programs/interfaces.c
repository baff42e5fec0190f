/*
 * The network's interfaces, as ioctl and netlink tell of them. What Linux prints is from a network of its own in which lo is
 * up: unshare -n sh -c 'ip link set lo up; ./interfaces'. Run as root.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/sockios.h, linux/netlink.h and linux/rtnetlink.h, which musl does not bring. */
#define GIFTXQLEN 0x8942
#define GIFMAP 0x8970
#define SETHTOOL 0x8946

typedef struct {
  unsigned short family, pad;
  unsigned port, groups;
} netlink_address;

typedef struct {
  unsigned length;
  unsigned short type, flags;
  unsigned sequence, port;
} header;

enum { REQUEST = 1, ACK = 4, DUMP = 0x300, NEWLINK = 16, GETLINK = 18, NEWADDR = 20, GETADDR = 22, GETROUTE = 26, GETNEIGH = 30 };

/* By number: libraries have different words for some. */
static const char *error(int result) {
  static char text[16];
  snprintf(text, sizeof text, "errno %d", errno);
  return result < 0 ? text : "ok";
}

static void hex(const void *bytes, int count) {
  for (int i = 0; i < count; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
}

static void ask(int fd, const char *name, unsigned long cmd, const char *device, int index) {
  struct ifreq request;
  memset(&request, 0x55, sizeof request);
  memset(request.ifr_name, 0, sizeof request.ifr_name);
  strcpy(request.ifr_name, device);
  if (index >= 0) request.ifr_ifindex = index;
  int result = ioctl(fd, cmd, &request);
  printf("%s %s: %s ", name, device, error(result));
  if (result == 0) hex(&request, sizeof request);
  printf("\n");
}

static void by_ioctl(int family) {
  int fd = socket(family, SOCK_DGRAM, 0);
  printf("-- family %d\n", family);
  static const struct {
    const char *name;
    unsigned long cmd;
  } all[] = {{"flags", SIOCGIFFLAGS},      {"address", SIOCGIFADDR},    {"netmask", SIOCGIFNETMASK},
             {"broadcast", SIOCGIFBRDADDR}, {"peer", SIOCGIFDSTADDR},   {"mtu", SIOCGIFMTU},
             {"metric", SIOCGIFMETRIC},    {"hardware", SIOCGIFHWADDR}, {"index", SIOCGIFINDEX},
             {"queue", GIFTXQLEN},         {"map", GIFMAP},             {"ethtool", SETHTOOL}};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) ask(fd, all[i].name, all[i].cmd, "lo", -1);
  ask(fd, "flags", SIOCGIFFLAGS, "nope", -1);
  ask(fd, "address", SIOCGIFADDR, "nope", -1);
  ask(fd, "flags", SIOCGIFFLAGS, "lo:1", -1);
  ask(fd, "address", SIOCGIFADDR, "lo:1", -1);
  ask(fd, "name", SIOCGIFNAME, "", 1);
  ask(fd, "name", SIOCGIFNAME, "", 9);
  printf("bad memory: %s\n", error(ioctl(fd, SIOCGIFFLAGS, (void *)8)));
  struct ifreq found[3];
  static const int lengths[] = {0, 39, 40, 80, -1};
  for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    memset(found, 0x55, sizeof found);
    struct ifconf conf = {.ifc_len = lengths[i], .ifc_req = found};
    int result = ioctl(fd, SIOCGIFCONF, &conf);
    printf("list into %d: %s %d ", lengths[i], error(result), conf.ifc_len);
    hex(found, sizeof *found);
    printf("\n");
  }
  struct ifconf conf = {.ifc_len = 0, .ifc_req = NULL};
  int result = ioctl(fd, SIOCGIFCONF, &conf);
  printf("length of the list: %s %d\n", error(result), conf.ifc_len);
  close(fd);
}

static void by_library(void) {
  struct if_nameindex *names = if_nameindex();
  for (struct if_nameindex *one = names; one != NULL && one->if_name != NULL; one++)
    printf("interface %u %s\n", one->if_index, one->if_name);
  if_freenameindex(names);
  char name[IF_NAMESIZE];
  printf("%u %u %s\n", if_nametoindex("lo"), if_nametoindex("nope"), if_indextoname(1, name));
  struct ifaddrs *list, *one;
  printf("getifaddrs: %s\n", error(getifaddrs(&list)));
  for (one = list; one != NULL; one = one->ifa_next) {
    int family = one->ifa_addr == NULL ? -1 : one->ifa_addr->sa_family;
    char address[INET6_ADDRSTRLEN] = "", mask[INET6_ADDRSTRLEN] = "";
    if (family == AF_INET) {
      inet_ntop(family, &((struct sockaddr_in *)one->ifa_addr)->sin_addr, address, sizeof address);
      inet_ntop(family, &((struct sockaddr_in *)one->ifa_netmask)->sin_addr, mask, sizeof mask);
    }
    if (family == AF_INET6) {
      inet_ntop(family, &((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr, address, sizeof address);
      inet_ntop(family, &((struct sockaddr_in6 *)one->ifa_netmask)->sin6_addr, mask, sizeof mask);
    }
    printf("%s %x %d %s %s\n", one->ifa_name, one->ifa_flags, family, address, mask);
  }
  freeifaddrs(list);
}

/* When an address came, in hundredths of a second since boot, is different each time. */
static void without_times(header *address) {
  unsigned char *bytes = (unsigned char *)address;
  for (unsigned at = 24; at + 4 <= address->length; at += (bytes[at] + 3) & ~3)
    if (bytes[at + 2] == 6) memset(bytes + at + 12, 0, 8);
}

/* Of links the fixed part only: what else is told of them differs from release to release. */
static void answers(int fd) {
  static unsigned char bytes[65536];
  for (;;) {
    netlink_address from;
    socklen_t size = sizeof from;
    int got = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &size);
    if (got < 0) {
      printf("  end: %s\n", error(got));
      return;
    }
    printf("  from %d %u, %u bytes of address\n", from.family, from.port, size);
    for (int at = 0; at + 16 <= got;) {
      header *one = (header *)(bytes + at);
      if (one->type == NEWADDR) without_times(one);
      printf("  type %d flags %x sequence %u port is own %d: ", one->type, one->flags, one->sequence,
             one->port == (unsigned)getpid());
      hex(one + 1, one->type == NEWLINK ? 16 : one->length - 16);
      printf("\n");
      at += (one->length + 3) & ~3;
    }
  }
}

static void request(int fd, const char *name, int type, int flags, const void *body, int size) {
  unsigned char message[256] = {0};
  header *head = (header *)message;
  *head = (header){.length = 16 + size, .type = type, .flags = flags, .sequence = 77};
  memcpy(head + 1, body, size);
  netlink_address kernel = {.family = AF_NETLINK};
  int sent = sendto(fd, message, head->length, 0, (void *)&kernel, sizeof kernel);
  printf("%s: %d %s\n", name, sent, error(sent));
  answers(fd);
}

static void bound(int fd, const char *name, int port) {
  netlink_address address = {.family = AF_NETLINK, .port = port}, now;
  int result = bind(fd, (void *)&address, sizeof address);
  socklen_t size = sizeof now;
  printf("%s: %s", name, error(result));
  getsockname(fd, (void *)&now, &size);
  printf(", %u bytes, family %d, port %s, groups %x\n", size, now.family,
         now.port == 0                      ? "none"
         : now.port == (unsigned)getpid()   ? "of the process"
         : (int)now.port < 0                ? "of the kernel's choice"
                                            : "of its own",
         now.groups);
}

static void by_netlink(void) {
  printf("stream: %s\n", error(socket(AF_NETLINK, SOCK_STREAM, 0)));
  printf("protocol 99: %s\n", error(socket(AF_NETLINK, SOCK_RAW, 99)));
  int fd = socket(AF_NETLINK, SOCK_RAW, 0), other = socket(AF_NETLINK, SOCK_DGRAM, 0), third = socket(AF_NETLINK, SOCK_RAW, 0);
  bound(fd, "the first", 0);
  bound(other, "another", 0);
  bound(third, "the first's port", getpid());
  bound(third, "a port", 4242);
  bound(third, "another port", 4243);
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLOUT};
  poll(&poll_fd, 1, 0);
  printf("ready %x\n", poll_fd.revents);
  unsigned char link[40] = {0};
  int *index = (int *)(link + 4);
  request(fd, "links", GETLINK, REQUEST | DUMP, link, 16);
  request(fd, "links of a family", GETLINK, REQUEST | DUMP, link, 1);
  *index = 1;
  request(fd, "a link", GETLINK, REQUEST, link, 16);
  request(fd, "a link, acknowledged", GETLINK, REQUEST | ACK, link, 16);
  *index = 9;
  request(fd, "no such link", GETLINK, REQUEST, link, 16);
  *index = 0;
  request(fd, "no link said", GETLINK, REQUEST, link, 16);
  request(fd, "too short", GETLINK, REQUEST, link, 1);
  memcpy(link + 16, "\7\0\3\0lo", 7);
  request(fd, "a link by name", GETLINK, REQUEST, link, 24);
  memcpy(link + 16, "\7\0\3\0nx", 7);
  request(fd, "no such name", GETLINK, REQUEST, link, 24);
  unsigned char family[12] = {0};
  static const int families[] = {0, AF_INET, AF_INET6, AF_UNIX};
  for (unsigned i = 0; i < 4; i++) {
    family[0] = families[i];
    char name[32];
    sprintf(name, "addresses of %d", families[i]);
    request(fd, name, GETADDR, REQUEST | DUMP, family, 8);
  }
  family[0] = AF_INET;
  request(fd, "an address", GETADDR, REQUEST, family, 8);
  request(fd, "routes", GETROUTE, REQUEST | DUMP, family, 12);
  family[0] = AF_INET6;
  request(fd, "routes of IPv6", GETROUTE, REQUEST | DUMP, family, 12);
  request(fd, "neighbours", GETNEIGH, REQUEST | DUMP, family, 12);
  request(fd, "no request", GETLINK, DUMP, link, 16);
  request(fd, "no request, acknowledged", GETLINK, DUMP | ACK, link, 16);
  request(fd, "netlink's own type", 3, REQUEST | ACK, link, 16);
  request(fd, "no such type", 300, REQUEST, link, 16);
  printf("nothing: %s\n", error(send(fd, link, 0, 0)));
  printf("no message: %s\n", error(send(fd, link, 4, 0)));
  answers(fd);
  netlink_address to = {.family = AF_NETLINK, .port = 4242}, none = {.family = AF_NETLINK, .port = 4244};
  printf("among programs: %s\n", error(sendto(fd, "hello", 6, 0, (void *)&to, sizeof to)));
  printf("to nobody: %s\n", error(sendto(fd, "hello", 6, 0, (void *)&none, sizeof none)));
  char got[8] = "";
  recv(third, got, sizeof got, 0);
  printf("it got %s\n", got);
  int one = 1, group = 40;
  printf("brief acknowledgements: %s\n", error(setsockopt(fd, 270, 10, &one, sizeof one)));
  request(fd, "no such type, briefly", 300, REQUEST, link, 16);
  printf("membership: %s\n", error(setsockopt(fd, 270, 1, &one, sizeof one)));
  printf("of no group: %s\n", error(setsockopt(fd, 270, 1, &group, sizeof group)));
  printf("shutdown: %s\n", error(shutdown(fd, SHUT_RDWR)));
  printf("listen: %s\n", error(listen(fd, 1)));
  printf("connect: %s\n", error(connect(fd, (void *)&to, sizeof to)));
  if (setuid(1000) != 0) printf("setuid: %s\n", error(-1));
  printf("a user, to another program: %s\n", error(sendto(other, "hello", 6, 0, (void *)&to, sizeof to)));
  request(other, "a user, a new link", NEWLINK, REQUEST, link, 16);
}

int main(void) {
  by_ioctl(AF_INET);
  by_ioctl(AF_INET6);
  by_ioctl(AF_UNIX);
  by_library();
  by_netlink();
  return 0;
}
