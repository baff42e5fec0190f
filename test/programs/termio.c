/* The settings of terminals as System V had them (struct termio), and terminals that are hung up by who has them. Run as root. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

struct old {
  unsigned short iflag, oflag, cflag, lflag;
  unsigned char line, cc[8];
};

#define GETA 0x5405
#define SETA 0x5406
#define SETAW 0x5407
#define SETAF 0x5408
#define GETS2 0x802c542a
#define SETS2 0x402c542b
#define SETS 0x5402

struct new2 {
  unsigned iflag, oflag, cflag, lflag;
  unsigned char line, cc[19];
  unsigned ispeed, ospeed;
};

static int slave;

static void showOld(struct old t)
{
  printf("  %06o %06o %06o %06o %d", t.iflag, t.oflag, t.cflag, t.lflag, t.line);
  for (int i = 0; i < 8; i++)
    printf(" %d", t.cc[i]);
  printf("\n");
}

static void showAll(void)
{
  struct new2 t;
  CHECK(ioctl(slave, GETS2, &t) == 0);
  printf("  %o %o %o %o %d speeds %u %u:", t.iflag, t.oflag, t.cflag, t.lflag, t.line, t.ispeed, t.ospeed);
  for (int i = 0; i < 19; i++)
    printf(" %d", t.cc[i]);
  printf("\n");
  fflush(stdout);
}

int main(void)
{
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), unlocked = 0;
  CHECK(ioctl(master, TIOCSPTLCK, &unlocked) == 0);
  slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
  CHECK(slave >= 0);
  struct old t;
  SHOW(ioctl(slave, GETA, &t));
  showOld(t);
  showAll();
  SHOW(ioctl(slave, GETA, (void *)8));
  SHOW(ioctl(slave, SETA, (void *)8));
  struct old some = {0x1234, 5, 0x0d, 0x8a31, 9, {1, 2, 3, 4, 5, 6, 7, 8}};
  SHOW(ioctl(slave, SETA, &some));
  SHOW(ioctl(master, GETA, &t));
  showOld(t);
  showAll();
  struct new2 more;
  CHECK(ioctl(slave, GETS2, &more) == 0);
  more.iflag |= 0x40000;
  more.cflag = (more.cflag & ~0x100f) | 0x1000 | 0x80000000;
  more.ispeed = 12345;
  more.ospeed = 6789;
  more.cc[9] = 77;
  SHOW(ioctl(slave, SETS2, &more));
  showAll();
  SHOW(ioctl(slave, GETA, &t));
  showOld(t);
  SHOW(ioctl(slave, SETAW, &t));
  showAll();
  more.oflag = 1;
  SHOW(ioctl(slave, SETS, &more));
  showAll();
  t.cflag = 0xf;
  SHOW(ioctl(slave, SETA, &t));
  showAll();
  t.lflag = 2;
  CHECK(write(master, "typed\n", 6) == 6);
  usleep(20000);
  int unread = -1;
  SHOW(ioctl(slave, SETA, &t));
  CHECK(ioctl(slave, FIONREAD, &unread) == 0);
  SHOW(unread);
  SHOW(ioctl(slave, SETAF, &t));
  CHECK(ioctl(slave, FIONREAD, &unread) == 0);
  SHOW(unread);
  int file = open("/dev/null", O_RDWR);
  SHOW(ioctl(file, GETA, &t));

  SAY("-- vhangup");
  pid_t child = fork();
  if (child == 0) {
    signal(SIGHUP, SIG_IGN);
    CHECK(setsid() == getpid());
    SHOW(syscall(SYS_vhangup));
    SHOW(ioctl(slave, GETA, &t));
    CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
    pid_t user = fork();
    if (user == 0) {
      CHECK(setuid(60123) == 0);
      SHOW(syscall(SYS_vhangup));
      _exit(0);
    }
    CHECK(waitpid(user, 0, 0) == user);
    SHOW(ioctl(slave, GETA, &t));
    SHOW(syscall(SYS_vhangup));
    SHOW(ioctl(slave, GETA, &t));
    char byte;
    SHOW(read(slave, &byte, 1));
    SHOW(open("/dev/tty", O_RDWR));
    SHOW(syscall(SYS_vhangup));
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  SHOW(status);
  SHOW(ioctl(slave, GETA, &t));
  SHOW(ioctl(master, GETA, &t));
  return 0;
}
