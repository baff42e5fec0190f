/* What statx tells of mounts, and what is told of changes of files in /proc. In a tmpfs. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SIOCATMARK_ 0x8905

struct statx_ {
  uint32_t mask, blksize;
  uint64_t attributes;
  uint32_t nlink, uid, gid;
  uint16_t mode, pad;
  uint64_t ino, size, blocks, attributesMask;
  struct {
    int64_t seconds;
    uint32_t ns, pad;
  } atime, btime, ctime, mtime;
  uint32_t devices[4];
  uint64_t mount;
  uint64_t rest[13];
};

static uint64_t mountOf(int dir, const char *path, int flags, unsigned mask)
{
  struct statx_ s;
  memset(&s, 0, sizeof s);
  CHECK(syscall(SYS_statx, dir, path, flags, mask, &s) == 0);
  /* A time of birth is not there everywhere. */
  SAY("%-16s %6x: %x, attributes %x of %x%s", path, mask, s.mask & ~0x800u, (unsigned)s.attributes,
      (unsigned)s.attributesMask, s.ctime.seconds == 0 ? ", not when it changed" : "");
  return s.mount;
}

static void mounts(void)
{
  static const unsigned masks[] = {0, 1, 0x40, 0x80, 0x7ff, 0xfff, 0x1000, 0x4000, 0x5000};
  int fd = open("mounts.tmp", O_CREAT | O_RDWR, 0600);
  CHECK(fd >= 0);
  for (unsigned i = 0; i < sizeof masks / sizeof *masks; i++) {
    uint64_t file = mountOf(AT_FDCWD, "mounts.tmp", 0, masks[i]), dir = mountOf(AT_FDCWD, ".", 0, masks[i]);
    uint64_t proc = mountOf(AT_FDCWD, "/proc", 0, masks[i]), self = mountOf(AT_FDCWD, "/proc/self/maps", 0, masks[i]);
    CHECK(file == dir && proc == self && file != proc && file != 0);
    CHECK(mountOf(fd, "", 0x1000, masks[i]) == file);
  }
  char text[500], id[32];
  uint64_t mount = mountOf(AT_FDCWD, "mounts.tmp", 0, 0);
  sprintf(text, "/proc/self/fdinfo/%d", fd);
  int info = open(text, O_RDONLY);
  ssize_t length = read(info, text, sizeof text - 1);
  CHECK(length > 0);
  text[length] = 0;
  sprintf(id, "mnt_id:\t%d\n", (int)mount);
  CHECK(strstr(text, id) != 0);
  CHECK(unlink("mounts.tmp") == 0);
}

static void changes(void)
{
  static const char *paths[] = {"/proc/mounts", "/proc/self/mountinfo", "/proc/swaps", "/proc/self/maps", "/proc/self/status",
                                "/proc/sys/kernel/hostname", "/proc/sys/kernel/pid_max", "/proc/meminfo", "/proc/stat",
                                "/proc/uptime", "/proc/loadavg", "/proc/self"};
  int epoll = epoll_create1(0);
  for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
    struct pollfd one = {open(paths[i], O_RDONLY), POLLIN | POLLOUT | POLLPRI | POLLERR | POLLRDNORM | POLLWRNORM, 0};
    struct epoll_event event = {.events = EPOLLIN | EPOLLPRI};
    CHECK(one.fd >= 0);
    int ready = poll(&one, 1, 0);
    SAY("%s: %d %x", paths[i], ready, one.revents);
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, one.fd, &event));
    close(one.fd);
  }
}

static void marks(void)
{
  int value = 7, tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0);
  SHOW(ioctl(tcp, SIOCATMARK_, &value));
  SAY("%d", value);
  SHOW(ioctl(tcp, SIOCATMARK_, 8));
  SHOW(ioctl(udp, SIOCATMARK_, &value));
  value = 7;
  SHOW(ioctl(local, SIOCATMARK_, &value));
  SAY("%d", value);
}

int main(void)
{
  mounts();
  changes();
  marks();
  return 0;
}
