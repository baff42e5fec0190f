/* Named pipes and other nodes: mknod's rules, how an open waits for its partner, hangups; chroot. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static void nothing(int signal)
{
  (void)signal;
}

static void state(const char *when, int fd)
{
  struct pollfd wanted = {fd, POLLIN | POLLOUT, 0};
  poll(&wanted, 1, 0);
  SAY("%s: %x", when, wanted.revents);
}

static void nodes(void)
{
  struct stat stat;
  umask(022);
  SHOW(mkfifo("fifo", 0666));
  SHOW(mkfifo("fifo", 0666));
  CHECK(lstat("fifo", &stat) == 0);
  SAY("%o, size %ld", stat.st_mode, (long)stat.st_size);
  SHOW(mknod("plain", S_IFREG | 0600, 0));
  SHOW(mknod("zero", 0600, 0));
  SHOW(mknod("directory", S_IFDIR | 0700, 0));
  SHOW(mknod("link", S_IFLNK | 0700, 0));
  SHOW(mknod("socket", S_IFSOCK | 0700, 0));
  SHOW(open("socket", O_RDONLY));
  SHOW(mknod("null", S_IFCHR | 0600, makedev(1, 3)));
  CHECK(lstat("null", &stat) == 0);
  SAY("%o %u:%u", stat.st_mode, major(stat.st_rdev), minor(stat.st_rdev));
  SHOW(mknod("nowhere/fifo", S_IFIFO | 0600, 0));
  SHOW(truncate("fifo", 0));
  SHOW(open("fifo", O_RDONLY | O_DIRECTORY));
  SHOW(mkdir("jail", 0700));
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    SHOW(chroot("fifo"));
    SHOW(chroot("nowhere"));
    SHOW(chroot("jail"));
    SHOW(chdir("/"));
    SHOW(mkdir("/inside", 0700));
    SHOW(access("../../../fifo", F_OK));
    SHOW(setuid(1));
    SHOW(chroot("/"));
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
  SHOW(rmdir("jail/inside"));
  SHOW(rmdir("jail"));
  unlink("plain"), unlink("zero"), unlink("socket"), unlink("null");
}

static void without_waiting(void)
{
  char text[9];
  SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
  int reader = open("fifo", O_RDONLY | O_NONBLOCK);
  CHECK(reader >= 0);
  state("no writer yet", reader);
  SHOW(read(reader, text, 9));
  int writer = open("fifo", O_WRONLY | O_NONBLOCK);
  CHECK(writer >= 0);
  state("a writer", reader);
  SHOW(read(reader, text, 9));
  SHOW(write(writer, "hello", 5));
  state("written", reader);
  SHOW(close(writer));
  state("the writer is gone", reader);
  SHOW(read(reader, text, 9));
  SHOW(read(reader, text, 9));
  state("at the end", reader);
  writer = open("fifo", O_WRONLY);
  state("another writer", reader);
  SHOW(close(reader));
  state("the reader is gone", writer);
  SHOW(write(writer, "x", 1));
  SHOW(close(writer));
  int both = open("fifo", O_RDWR);
  SHOW(write(both, "kept", 4));
  SHOW(read(both, text, 9));
  SHOW(write(both, "lost", 4));
  SHOW(lseek(both, 0, SEEK_SET));
  SHOW(close(both));
  reader = open("fifo", O_RDONLY | O_NONBLOCK);
  SHOW(read(reader, text, 9));
  SHOW(close(reader));
}

static void waiting(void)
{
  char text[9] = "";
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    usleep(20000);
    SAY("the child opens it");
    int writer = open("fifo", O_WRONLY);
    CHECK(writer >= 0 && write(writer, "hello", 5) == 5);
    _exit(0);
  }
  int reader = open("fifo", O_RDONLY);
  CHECK(reader >= 0);
  SHOW(read(reader, text, 9));
  SHOW(read(reader, text, 9));
  SAY("%s", text);
  SHOW(close(reader));
  CHECK(waitpid(child, NULL, 0) == child);
  /* Open and gone again before the first one looks: it was there all the same. */
  child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    usleep(20000);
    CHECK(close(open("fifo", O_RDONLY)) == 0);
    _exit(0);
  }
  int writer = open("fifo", O_WRONLY);
  CHECK(waitpid(child, NULL, 0) == child);
  SHOW(write(writer, "x", 1));
  SHOW(close(writer));
  struct sigaction action = {.sa_handler = nothing};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  ualarm(20000, 0);
  SHOW(open("fifo", O_RDONLY));
  SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
}

int main(void)
{
  signal(SIGPIPE, SIG_IGN);
  nodes();
  without_waiting();
  waiting();
  unlink("fifo");
  return 0;
}
