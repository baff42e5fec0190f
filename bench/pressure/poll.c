/* poll FILE: reads a file over and over until it is killed (see host.ts for what that is good for). */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
  static char text[16384];
  int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
  while (pread(fd, text, sizeof text, 0) >= 0) usleep(200);
  return 1;
}
