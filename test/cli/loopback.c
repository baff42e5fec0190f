// A program that speaks HTTP/1.0 with its machine's host, as a client and as a server.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char bytes[65536];

static int stream(const char *ip, int port, struct sockaddr_storage *at, socklen_t *size) {
  struct sockaddr_in *four = (void *)at;
  struct sockaddr_in6 *six = (void *)at;
  memset(at, 0, sizeof *at);
  int is_six = strchr(ip, ':') != 0;
  if (is_six) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    inet_pton(AF_INET6, ip, &six->sin6_addr);
  } else {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    inet_pton(AF_INET, ip, &four->sin_addr);
  }
  *size = is_six ? sizeof *six : sizeof *four;
  return socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
}

static void send_all(int fd, const char *from, size_t n) {
  for (ssize_t done; n > 0; from += done, n -= done)
    if ((done = write(fd, from, n)) < 0) { perror("write"); exit(1); }
}

// Sends `n` bytes in the body of a request, and prints how the answer begins and how long and what it is.
static int ask(const char *ip, int port, size_t n) {
  struct sockaddr_storage at;
  socklen_t size;
  int fd = stream(ip, port, &at, &size);
  if (connect(fd, (void *)&at, size) < 0) { printf("connect: %s\n", strerror(errno)); return 1; }
  sprintf(bytes, "POST /path HTTP/1.0\r\nContent-Length: %zu\r\n\r\n", n);
  send_all(fd, bytes, strlen(bytes));
  unsigned char *body = malloc(n + 1);
  for (size_t i = 0; i < n; i++) body[i] = i * 31 >> 3;
  send_all(fd, (char *)body, n);
  char *answer = malloc(2 * n + 65536);
  size_t got = 0;
  for (ssize_t more; (more = read(fd, answer + got, 65536)) > 0;) got += more;
  char *end = memmem(answer, got, "\r\n\r\n", 4);
  if (end == 0) { printf("no answer\n"); return 1; }
  size_t length = got - (end + 4 - answer);
  printf("%.*s, %zu bytes, %s\n", (int)strcspn(answer, "\r"), answer, length,
         length == n && memcmp(end + 4, body, n) == 0 ? "as sent" : "others");
  return 0;
}

// Answers `count` requests with their own bodies, several at a time.
static int serve(const char *ip, int port, int count) {
  struct sockaddr_storage at;
  socklen_t size;
  int listener = stream(ip, port, &at, &size);
  if (bind(listener, (void *)&at, size) < 0 || listen(listener, 10) < 0) { perror("listen"); return 1; }
  printf("listening\n");
  fflush(stdout);
  struct pollfd fds[32] = {{.fd = listener, .events = POLLIN}};
  static char *requests[32];
  static size_t lengths[32];
  for (int n = 1, served = 0; served < count;) {
    poll(fds, n, -1);
    for (int i = n - 1; i > 0; i--) {
      if (fds[i].revents == 0) continue;
      ssize_t more = read(fds[i].fd, bytes, sizeof bytes);
      if (more < 0) { perror("read"); return 1; }
      requests[i] = realloc(requests[i], lengths[i] + more + 1);
      memcpy(requests[i] + lengths[i], bytes, more);
      lengths[i] += more;
      requests[i][lengths[i]] = 0;
      char *head = strstr(requests[i], "\r\n\r\n");
      char *wanted = head == 0 ? 0 : strcasestr(requests[i], "content-length: ");
      size_t body = wanted == 0 || wanted > head ? 0 : strtoul(wanted + 16, 0, 10);
      if (head == 0 || requests[i] + lengths[i] < head + 4 + body) continue;
      sprintf(bytes, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
      send_all(fds[i].fd, bytes, strlen(bytes));
      send_all(fds[i].fd, head + 4, body);
      close(fds[i].fd);
      free(requests[i]);
      served++;
      n--;
      fds[i] = fds[n], requests[i] = requests[n], lengths[i] = lengths[n];
      requests[n] = 0, lengths[n] = 0;
    }
    if (fds[0].revents != 0 && n < 32) {
      struct sockaddr_storage from;
      socklen_t room = sizeof from;
      fds[n] = (struct pollfd){.fd = accept(listener, (void *)&from, &room), .events = POLLIN};
      if (fds[n].fd < 0) { perror("accept"); return 1; }
      n++;
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "ask") == 0) return ask(argv[2], atoi(argv[3]), atol(argv[4]));
  if (argc == 5 && strcmp(argv[1], "serve") == 0) return serve(argv[2], atoi(argv[3]), atoi(argv[4]));
  return 2;
}
