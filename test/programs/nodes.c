/* Named pipes and sockets as names: links, renames over and by files, listings, attributes; who is met behind which name. */
#define _GNU_SOURCE
#include "show.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static int meet(int (*how)(int, const struct sockaddr *, socklen_t), int fd, const char *path)
{
  struct sockaddr_un name = {AF_UNIX, ""};
  strcpy(name.sun_path, path);
  return how(fd, (struct sockaddr *)&name, sizeof name);
}

static int client(void)
{
  return socket(AF_UNIX, SOCK_STREAM, 0);
}

static void list(const char *path)
{
  struct dirent **names;
  int count = scandir(path, &names, NULL, alphasort);
  CHECK(count >= 0);
  for (int at = 0; at < count; at++) {
    struct stat stat;
    int directory = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(fstatat(directory, names[at]->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0);
    CHECK(close(directory) == 0);
    if (names[at]->d_name[0] == '.')
      continue;
    CHECK(stat.st_ino == names[at]->d_ino);
    CHECK((stat.st_mode & S_IFMT) >> 12 == names[at]->d_type);
    SAY("  %s/%s: %o, %ld names", path, names[at]->d_name, stat.st_mode, (long)stat.st_nlink);
    free(names[at]);
  }
  free(names);
}

static void talk(const char *path)
{
  char text[6] = "";
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    int writer = open(path, O_WRONLY);
    CHECK(write(writer, "hello", 5) == 5);
    _exit(0);
  }
  int reader = open(path, O_RDONLY);
  CHECK(reader >= 0);
  CHECK(read(reader, text, 5) == 5);
  CHECK(waitpid(child, NULL, 0) == child);
  CHECK(close(reader) == 0);
  SAY("  through %s: %s", path, text);
}

static void pipes(void)
{
  SHOW(mkfifo("pipe", 0664));
  SHOW(open("pipe", O_WRONLY | O_NONBLOCK));
  talk("pipe");
  SHOW(link("pipe", "second"));
  SHOW(mkdir("folder", 0755));
  SHOW(rename("second", "folder/third"));
  talk("folder/third");
  list(".");
  list("folder");
  SHOW(rmdir("folder"));
  SHOW(mkdir("other", 0755));
  SHOW(rename("other", "folder"));
  SHOW(rename("folder", "other"));
  list("other");
  SHOW(symlink("other/third", "link"));
  talk("link");
  SHOW(chmod("link", 0600));
  SHOW(open("pipe", O_CREAT | O_EXCL | O_RDWR, 0600));
  SHOW(mkdir("pipe", 0755));
  SHOW(symlink("x", "pipe"));
  SHOW(truncate("pipe", 0));
  SHOW(open("pipe", O_RDONLY | O_DIRECTORY));
  list(".");
}

static void files(void)
{
  int file = open("file", O_CREAT | O_RDWR, 0644);
  CHECK(file >= 0);
  CHECK(write(file, "file", 4) == 4);
  CHECK(close(file) == 0);
  SHOW(rename("file", "pipe"));
  list(".");
  SHOW(rename("other/third", "pipe"));
  list(".");
  talk("pipe");
  SHOW(rmdir("other"));
  SHOW(rename("pipe", "link"));
  list(".");
  int open_pipe = open("link", O_RDWR);
  SHOW(unlink("link"));
  struct stat stat;
  CHECK(fstat(open_pipe, &stat) == 0);
  SAY("  %o, %ld names", stat.st_mode, (long)stat.st_nlink);
  SHOW(write(open_pipe, "abc", 3));
  CHECK(close(open_pipe) == 0);
  list(".");
}

static void sockets(void)
{
  int server = client();
  SHOW(meet(bind, server, "socket"));
  CHECK(meet(bind, client(), "socket") == -1 && errno == EADDRINUSE);
  SHOW(listen(server, 5));
  SHOW(open("socket", O_RDWR));
  SHOW(link("socket", "again"));
  SHOW(meet(connect, client(), "again"));
  SHOW(rename("socket", "moved"));
  SHOW(meet(connect, client(), "socket"));
  SHOW(meet(connect, client(), "moved"));
  list(".");
  SHOW(chmod("moved", 0700));
  SHOW(unlink("again"));
  CHECK(close(server) == 0);
  CHECK(meet(connect, client(), "moved") == -1 && errno == ECONNREFUSED);
  SHOW(meet(bind, client(), "folder/none"));
  list(".");
  SHOW(unlink("moved"));
}

int main(void)
{
  umask(022);
  pipes();
  files();
  sockets();
  return 0;
}
