/* Several messages in one call, how long such a call waits, and descriptors that meet a bad address or no room. */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define COUNT 24

static struct mmsghdr messages[COUNT];
static struct iovec pieces[COUNT];
static char bytes[COUNT][16];
static char *bad;

static void on_alarm(int signal)
{
  (void)signal;
}

static void prepare(void)
{
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < COUNT; i++) {
    pieces[i] = (struct iovec){bytes[i], sizeof bytes[i]};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
}

static void pair(int type, int fds[2])
{
  CHECK(socketpair(AF_UNIX, type, 0, fds) == 0);
}

static void sleep_ms(int ms)
{
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, 0);
}

/* A child that sends single messages after so many milliseconds each, up to a negative number. */
static pid_t sender(int fd, const int *waits)
{
  pid_t pid = fork();
  if (pid != 0) return pid;
  for (; *waits >= 0; waits++) {
    sleep_ms(*waits);
    send(fd, "m", 1, 0);
  }
  _exit(0);
}

static int lowest(void)
{
  int fd = dup(0);
  close(fd);
  return fd;
}

static void many(void)
{
  int fds[2];
  SAY("-- recvmmsg");
  pair(SOCK_DGRAM, fds);
  prepare();
  send(fds[0], "one", 3, 0);
  send(fds[0], "three", 5, 0);
  SHOW(recvmmsg(fds[1], messages, 4, MSG_WAITFORONE, 0));
  SAY("%u %u", messages[0].msg_len, messages[1].msg_len);
  send(fds[0], "one", 3, 0);
  SHOW(recvmmsg(fds[1], messages, 4, MSG_DONTWAIT, 0));
  SHOW(recvmmsg(fds[1], messages, 4, MSG_DONTWAIT, 0));
  SHOW(recvmmsg(fds[1], messages, 0, 0, 0));

  /* All of them are waited for, unless one is enough. */
  pid_t pid = sender(fds[0], (int[]){20, 20, 20, -1});
  SHOW(recvmmsg(fds[1], messages, 3, 0, 0));
  waitpid(pid, 0, 0);
  pid = sender(fds[0], (int[]){20, 200, -1});
  SHOW(recvmmsg(fds[1], messages, 2, MSG_WAITFORONE, 0));
  SHOW(recvmmsg(fds[1], messages, 1, 0, 0));
  waitpid(pid, 0, 0);

  /* The time is looked at after each message, and at no other time. */
  struct timespec time = {0, 100000000};
  pid = sender(fds[0], (int[]){0, 200, 0, -1});
  SHOW(recvmmsg(fds[1], messages, 4, 0, &time));
  SAY("left %ld %ld", (long)time.tv_sec, time.tv_nsec);
  waitpid(pid, 0, 0);
  SHOW(recvmmsg(fds[1], messages, 4, MSG_DONTWAIT, 0));
  time = (struct timespec){10, 0};
  send(fds[0], "m", 1, 0);
  SHOW(recvmmsg(fds[1], messages, 1, 0, &time));
  SAY("left about ten: %d", time.tv_sec == 9 || time.tv_sec == 10);
  time = (struct timespec){0, 0};
  send(fds[0], "m", 1, 0);
  send(fds[0], "m", 1, 0);
  SHOW(recvmmsg(fds[1], messages, 2, 0, &time));
  SHOW(recvmmsg(fds[1], messages, 2, MSG_DONTWAIT, &time));
  time = (struct timespec){0, 1000000000};
  SHOW(recvmmsg(fds[1], messages, 2, MSG_DONTWAIT, &time));
  time = (struct timespec){-1, 0};
  SHOW(recvmmsg(fds[1], messages, 2, MSG_DONTWAIT, &time));
  SHOW(recvmmsg(fds[1], messages, 2, MSG_DONTWAIT, (struct timespec *)bad));

  /* A signal ends it with what is there; what went wrong is told by the next call. */
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, 0);
  send(fds[0], "m", 1, 0);
  setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 50000}}, 0);
  SHOW(recvmmsg(fds[1], messages, 2, 0, 0));
  send(fds[0], "m", 1, 0);
  pieces[1].iov_base = bad;
  send(fds[0], "m", 1, 0);
  /* Linux tells a number that is its own affair (ERESTARTSYS). */
  CHECK(recvmmsg(fds[1], messages, 2, MSG_DONTWAIT, 0) == -1);
  SAY("the signal: %d", errno);
  SHOW(recvmmsg(fds[1], messages, 2, MSG_DONTWAIT, 0));
  SHOW(recv(fds[1], bytes, 16, MSG_DONTWAIT));
  SHOW(recv(fds[1], bytes, 16, MSG_DONTWAIT));
  SHOW(recv(fds[1], bytes, 16, MSG_DONTWAIT));
  prepare();
  messages[1].msg_hdr.msg_iovlen = 100000;
  send(fds[0], "m", 1, 0);
  send(fds[0], "m", 1, 0);
  SHOW(recvmmsg(fds[1], messages, 2, MSG_DONTWAIT, 0));
  CHECK(recv(fds[1], bytes, 16, MSG_DONTWAIT) == -1);
  SAY("too many pieces: %s", errno == EMSGSIZE ? "EMSGSIZE" : errorName(errno));
  SHOW(recv(fds[1], bytes, 16, MSG_DONTWAIT));

  SAY("-- sendmmsg");
  prepare();
  SHOW(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){0}, sizeof(int)));
  for (int i = 0; i < COUNT; i++) pieces[i].iov_len = i % 5 + 1;
  pid = fork();
  if (pid == 0) {
    char into[16];
    for (int i = 0; i < COUNT; i++) {
      if (i % 7 == 0) sleep_ms(10);
      if (recv(fds[1], into, 16, 0) != i % 5 + 1) _exit(1);
    }
    _exit(0);
  }
  SHOW(sendmmsg(fds[0], messages, COUNT, 0));
  int status;
  waitpid(pid, &status, 0);
  SAY("in order: %d", status == 0);
  SAY("%u %u", messages[4].msg_len, messages[COUNT - 1].msg_len);
  setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 50000}}, 0);
  int sent = sendmmsg(fds[0], messages, COUNT, 0);
  SAY("a signal: some %d", sent > 0 && sent < COUNT);
  SHOW(sendmmsg(fds[0], messages, COUNT, MSG_DONTWAIT));
  SHOW(recv(fds[1], bytes, 16, MSG_DONTWAIT));
  SHOW(sendmmsg(fds[0], messages, COUNT, MSG_DONTWAIT));
  while (recv(fds[1], bytes, 16, MSG_DONTWAIT) > 0) {}
  messages[2].msg_hdr.msg_iov = (struct iovec *)bad;
  SHOW(sendmmsg(fds[0], messages, 4, MSG_DONTWAIT));
  SHOW(sendmmsg(fds[0], messages + 2, 1, MSG_DONTWAIT));
  close(fds[0]);
  close(fds[1]);
}

/* Sends two descriptors, and receives them in `room` bytes at `control`. */
static void receive(const char *what, int fds[2], void *name, void *control, size_t room)
{
  char space[CMSG_SPACE(8)] = {0};
  struct iovec piece = {bytes, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(8);
  memcpy(CMSG_DATA(head), (int[2]){0, 1}, 8);
  CHECK(sendmsg(fds[0], &message, 0) == 1);
  int before = lowest();
  message = (struct msghdr){.msg_name = name, .msg_namelen = name == 0 ? 0 : 16, .msg_iov = &piece, .msg_iovlen = 1,
    .msg_control = control, .msg_controllen = room};
  errno = 0;
  long got = recvmsg(fds[1], &message, 0);
  int error = errno;
  int after = lowest();
  // At the limit.
  if (after < 0) after = before + 1;
  SAY("%-40s %ld %s, flags %x, control %zu, %d new", what, got, got < 0 ? errorName(error) : "", message.msg_flags,
    (size_t)message.msg_controllen, after - before);
  for (int fd = before; fd < after; fd++) close(fd);
}

static void rights(void)
{
  int fds[2];
  SAY("-- descriptors");
  pair(SOCK_DGRAM, fds);
  char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  receive("all", fds, 0, page, 4096);
  receive("no room at all", fds, 0, 0, 0);
  receive("a head alone", fds, 0, page, 16);
  receive("half of one", fds, 0, page, 18);
  receive("one", fds, 0, page, 20);
  receive("one and a half", fds, 0, page, 23);
  receive("both, and no space behind", fds, 0, page, 24);
  receive("a bad address", fds, 0, bad, 64);
  receive("a head on a good page, one on a bad", fds, 0, page + 4096 - 16, 64);
  receive("the second on a bad page", fds, 0, page + 4096 - 20, 64);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = lowest() + 1;
  setrlimit(RLIMIT_NOFILE, &limit);
  receive("a limit of one more", fds, 0, page, 64);
  limit.rlim_cur = before;
  setrlimit(RLIMIT_NOFILE, &limit);

  /* More under way than the limit: a user is refused. Root is exempt. */
  pid_t pid = fork();
  if (pid == 0) {
    if (geteuid() == 0) CHECK(setgid(60123) == 0 && setuid(60123) == 0);
    limit.rlim_cur = 20;
    setrlimit(RLIMIT_NOFILE, &limit);
    int flags = fcntl(fds[0], F_GETFL);
    fcntl(fds[0], F_SETFL, flags | O_NONBLOCK);
    char space[CMSG_SPACE(4 * 10)] = {0};
    struct iovec piece = {bytes, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(40);
    for (int i = 0; i < 4; i++) {
      long sent = sendmsg(fds[0], &message, 0);
      SAY("ten more under way: %ld %s", sent, sent >= 0 ? "" : errno == ETOOMANYREFS ? "ETOOMANYREFS" : errorName(errno));
    }
    _exit(0);
  }
  waitpid(pid, 0, 0);

  /* A socket under way in itself is collected when another ends: the other end of its pipe says so. */
  int ends[2], ring[2];
  CHECK(pipe(ends) == 0);
  pair(SOCK_STREAM, ring);
  char space[CMSG_SPACE(12)] = {0};
  struct iovec piece = {bytes, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(12);
  memcpy(CMSG_DATA(head), (int[3]){ring[1], ends[1], ring[0]}, 12);
  SHOW(sendmsg(ring[0], &message, 0));
  close(ends[1]);
  close(ring[0]);
  close(ring[1]);
  pair(SOCK_STREAM, ring);
  close(ring[0]);
  struct pollfd wait = {.fd = ends[0], .events = POLLIN};
  SHOW(poll(&wait, 1, 5000));
  SHOW(read(ends[0], bytes, 1));
}

int main(void)
{
  bad = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  many();
  rights();
  return 0;
}
