/*
 * Names are bytes: any but NUL and '/', whether they are UTF-8 or not. Files, directories, links, what is executed with
 * its arguments, sockets, memory files, and what /proc says of them. Works in a directory names.tmp that it makes and
 * removes.
 */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

/* Bytes as a line may hold them. */
static const char *shown(const char *text)
{
  static char buffers[4][4 * 4200];
  static int turn;
  char *start = buffers[turn++ & 3], *to = start;
  for (; *text; text++)
    to += sprintf(to, *text > 0x20 && *text < 0x7f ? "%c" : "\\x%02x", (unsigned char)*text);
  return start;
}

/* What is no UTF-8, beside what only looks like it. */
static const char *const awkward[] = {
  "\xff",         "\x80",         "a\xc3",        "\xc3\xa4",         "\xc3",         "\xa4",
  "\xc0\x80",     "\xed\xb2\x80", "\xed\xa0\x80", "\xef\xbf\xbd",     "\xef\xbb\xbf" "b",
  "\xf0\x9f\x98", "\xf0\x9f\x98\x80",             "\xf0\x9f\x98\x80\x80",
  "\xf4\x90\x80\x80",             "\xe2\x82",     "\xe2\x82\xac\xe2", "\xf5",         "\xf8\x88\x80\x80\x80",
  "\xed\xa0\xbd\xed\xb8\x80",     "\x01\xfe\n",
};
#define AWKWARD (sizeof awkward / sizeof *awkward)

static uint32_t seed = 1;
static uint32_t next(void)
{
  seed ^= seed << 13;
  seed ^= seed >> 17;
  return seed ^= seed << 5;
}

/* A name of 8 to 255 random bytes. */
static void random_name(char *name)
{
  int length = 8 + next() % 248;
  for (int i = 0; i < length; i++)
    do
      name[i] = next();
    while (name[i] == 0 || name[i] == '/');
  name[length] = 0;
}

static void make(const char *name)
{
  int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name) && close(fd) == 0);
}

/* The file of that name holds its name, or `content`. */
static void is_there(const char *name, const char *content)
{
  char buffer[256] = {0};
  struct stat st;
  CHECK(stat(name, &st) == 0 && st.st_size == (off_t)strlen(content));
  int fd = open(name, O_RDONLY);
  CHECK(fd >= 0 && read(fd, buffer, sizeof buffer) == st.st_size && close(fd) == 0);
  CHECK(strcmp(buffer, content) == 0);
}

/* How many names the directory has, each of which leads to a file that holds it. */
static int listed(void)
{
  DIR *dir = opendir(".");
  struct dirent *entry;
  int count = 0;
  CHECK(dir != NULL);
  while ((entry = readdir(dir)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    is_there(entry->d_name, entry->d_name);
    CHECK(entry->d_reclen == ((offsetof(struct dirent, d_name) + strlen(entry->d_name) + 1 + 7) & ~7u));
    count++;
  }
  closedir(dir);
  return count;
}

static void files(void)
{
  char name[256], other[256];
  for (unsigned i = 0; i < AWKWARD; i++)
    make(awkward[i]);
  for (unsigned i = 0; i < AWKWARD; i++)
    is_there(awkward[i], awkward[i]);
  SAY("awkward names: %d of %zu", listed(), AWKWARD);
  for (unsigned i = 0; i < AWKWARD; i++) {
    snprintf(name, sizeof name, "%s\xfd", awkward[i]);
    CHECK_ERRNO(unlink(name), ENOENT);
    CHECK(rename(awkward[i], name) == 0 && link(name, awkward[i]) == 0);
    is_there(name, awkward[i]);
    CHECK(unlink(name) == 0 && unlink(awkward[i]) == 0);
    CHECK_ERRNO(access(awkward[i], F_OK), ENOENT);
  }
  uint32_t first = seed;
  for (int i = 0; i < 100; i++) {
    random_name(name);
    make(name);
  }
  SAY("random names: %d", listed());
  seed = first;
  for (int i = 0; i < 100; i++) {
    random_name(name);
    CHECK(unlink(name) == 0);
  }
  CHECK(listed() == 0);
  memset(name, 0xff, 255);
  name[255] = 0;
  make(name);
  CHECK(listed() == 1 && unlink(name) == 0);
  char longer[257];
  memset(longer, 0xff, 256);
  longer[256] = 0;
  CHECK_ERRNO(creat(longer, 0600), ENAMETOOLONG);
  /* 85 characters of three bytes, and one byte more that belongs to none */
  for (int i = 0; i < 85; i++)
    memcpy(name + 3 * i, "\xe2\x82\xac", 3);
  memcpy(longer, name, 255);
  make(name);
  CHECK_ERRNO(creat(longer, 0600), ENAMETOOLONG);
  strcpy(other, name);
  memcpy(other, "\xe2\x82\xff", 3);
  CHECK(rename(name, other) == 0 && unlink(other) == 0);
  SAY("names of 255 bytes, and none of 256");
}

static void links(void)
{
  char buffer[4200], target[4200];
  struct stat st;
  make("\xfe" "file");
  for (unsigned i = 0; i < AWKWARD; i++) {
    memset(buffer, 0, sizeof buffer);
    CHECK(symlink(awkward[i], "link\xfd") == 0);
    ssize_t length = strlen(awkward[i]);
    CHECK(readlink("link\xfd", buffer, sizeof buffer) == length && strcmp(buffer, awkward[i]) == 0);
    CHECK(lstat("link\xfd", &st) == 0 && st.st_size == length);
    memset(buffer, 0, sizeof buffer);
    CHECK(readlink("link\xfd", buffer, 1) == 1 && buffer[0] == awkward[i][0]);
    CHECK(unlink("link\xfd") == 0);
  }
  CHECK(symlink("\xfe" "file", "\xfc") == 0);
  is_there("\xfc", "\xfe" "file");
  /* Of bytes that are none of UTF-8, as many as of others. */
  for (int i = 0; i < 4096; i++)
    target[i] = i % 8 == 7 ? '/' : 0xff;
  target[4095] = 0;
  int made = symlink(target, "long");
  if (made == 0)
    CHECK(readlink("long", buffer, sizeof buffer) == 4095 && memcmp(buffer, target, 4095) == 0 && unlink("long") == 0);
  CHECK_ERRNO(access(target, F_OK), ENOENT);
  strcpy(target + 4095, "x");
  CHECK_ERRNO(access(target, F_OK), ENAMETOOLONG);
  CHECK_ERRNO(symlink(target, "long"), ENAMETOOLONG);
  CHECK(unlink("\xfc") == 0 && unlink("\xfe" "file") == 0);
  SAY("symbolic links");
}

static char top[4200];

static const char *link_of(const char *link)
{
  static char target[4200];
  ssize_t length = readlink(link, target, sizeof target - 1);
  CHECK(length > 0);
  target[length] = 0;
  CHECK(strncmp(target, top, strlen(top)) == 0);
  return shown(target + strlen(top));
}

/* The lines of a text of /proc that have `part` in them, from there on. */
static void lines(const char *path, const char *part)
{
  static char line[8192];
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    char *at = strstr(line, part);
    if (at != NULL)
      SAY("%s: %s", path, shown(at));
  }
  fclose(file);
}

static void directories(void)
{
  char cwd[4200], link[64];
  CHECK(mkdir("d\xe9", 0700) == 0 && mkdir("d\xe9/\xed\xb2\x80", 0700) == 0 && chdir("d\xe9") == 0);
  CHECK(chdir("\xed\xb2\x80") == 0 && getcwd(cwd, sizeof cwd) == cwd && strncmp(cwd, top, strlen(top)) == 0);
  size_t length = strlen(cwd);
  SAY("cwd %s", shown(cwd + strlen(top)));
  CHECK(getcwd(cwd, length) == NULL && errno == ERANGE);
  CHECK(getcwd(cwd, length + 1) == cwd);
  SAY("cwd %s", link_of("/proc/self/cwd"));
  int fd = open("m\xff\n\\p", O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
  char *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(at != MAP_FAILED);
  sprintf(link, "/proc/self/fd/%d", fd);
  SAY("fd %s", link_of(link));
  sprintf(link, "/proc/self/map_files/%lx-%lx", (long)at, (long)at + 4096);
  SAY("map_files %s", link_of(link));
  lines("/proc/self/maps", "/d\xe9/");
  lines("/proc/self/numa_maps", "/d\xe9/");
  CHECK(unlink("m\xff\n\\p") == 0);
  sprintf(link, "/proc/self/fd/%d", fd);
  SAY("fd %s", link_of(link));
  CHECK(munmap(at, 4096) == 0 && close(fd) == 0);
  CHECK(chdir("../..") == 0 && rename("d\xe9", "d\xe8") == 0 && rmdir("d\xe8/\xed\xb2\x80") == 0);
  CHECK_ERRNO(rmdir("d\xe9"), ENOENT);
  CHECK(rmdir("d\xe8") == 0);
}

static void names_of_tasks(void)
{
  char name[32] = {0}, text[64] = {0};
  CHECK(prctl(PR_SET_NAME, "f\xfc" "nfzehn\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac") == 0);
  CHECK(prctl(PR_GET_NAME, name) == 0);
  SAY("comm %s", shown(name));
  int fd = open("/proc/self/comm", O_RDWR);
  CHECK(fd >= 0 && read(fd, text, sizeof text) > 0);
  SAY("comm %s", shown(text));
  CHECK(write(fd, "\xed\xb2\x80 \xff\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 17) == 17 && close(fd) == 0);
  memset(name, 0, sizeof name);
  CHECK(prctl(PR_GET_NAME, name) == 0);
  SAY("comm %s", shown(name));
  lines("/proc/self/status", "Name:");
  CHECK((fd = open("/proc/self/stat", O_RDONLY)) >= 0 && read(fd, text, sizeof text - 1) > 0 && close(fd) == 0);
  char *end = strrchr(text, ')');
  CHECK(end != NULL);
  *end = 0;
  SAY("stat %s", shown(strchr(text, '(') + 1));
}

static void sockets(void)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\xef\xbb\xbfs\xff"}, got;
  socklen_t length = sizeof got;
  int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(bind(server, (struct sockaddr *)&name, sizeof name) == 0 && listen(server, 1) == 0);
  CHECK_ERRNO(bind(client, (struct sockaddr *)&name, sizeof name), EADDRINUSE);
  CHECK(getsockname(server, (struct sockaddr *)&got, &length) == 0);
  SAY("socket %s of %d bytes", shown(got.sun_path), (int)length);
  CHECK(connect(client, (struct sockaddr *)&name, sizeof name) == 0);
  memset(&got, 0, length = sizeof got);
  CHECK(getpeername(client, (struct sockaddr *)&got, &length) == 0);
  SAY("peer %s of %d bytes", shown(got.sun_path), (int)length);
  CHECK(close(client) == 0 && close(server) == 0 && unlink(name.sun_path) == 0);
}

static void memory_files(void)
{
  char link[64], target[300] = {0}, name[260];
  int fd = memfd_create("m\xff\xed\xb2\x80", 0);
  CHECK(fd >= 0);
  sprintf(link, "/proc/self/fd/%d", fd);
  CHECK(readlink(link, target, sizeof target) > 0 && close(fd) == 0);
  SAY("%s", shown(target));
  memset(name, 0xff, sizeof name);
  name[250] = 0;
  CHECK_ERRNO(memfd_create(name, 0), EINVAL);
  name[249] = 0;
  fd = memfd_create(name, 0);
  CHECK(fd >= 0 && close(fd) == 0);
}

/* Copies this program. */
static void copy(const char *to)
{
  static char bytes[65536];
  int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0700);
  CHECK(in >= 0 && out >= 0);
  for (ssize_t n; (n = read(in, bytes, sizeof bytes)) != 0;)
    CHECK(n > 0 && write(out, bytes, n) == n);
  CHECK(close(in) == 0 && close(out) == 0);
}

static void run(const char *path, char *const argv[], char *const envp[])
{
  fflush(stdout);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    execve(path, argv, envp);
    SAY("execve: %s", strerror(errno));
    _exit(2);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* What a program that was started sees of its names. */
static int report(int argc, char **argv, char **envp)
{
  char text[4200];
  CHECK(getcwd(top, sizeof top) == top);
  for (int i = 0; i < argc; i++)
    SAY("  argv[%d] %s", i, shown(argv[i]));
  for (; *envp; envp++)
    SAY("  env %s", shown(*envp));
  SAY("  execfn %s", shown((char *)getauxval(AT_EXECFN)));
  SAY("  exe %s", link_of("/proc/self/exe"));
  CHECK(prctl(PR_GET_NAME, text) == 0);
  SAY("  comm %s", shown(text));
  int fd = open("/proc/self/cmdline", O_RDONLY);
  ssize_t length = read(fd, text, sizeof text - 1);
  CHECK(length > 0);
  for (ssize_t i = 0; i < length; i++)
    if (text[i] == 0)
      text[i] = '|';
  text[length] = 0;
  SAY("  cmdline %s", shown(text));
  return 0;
}

static void programs(void)
{
  char *const argv[] = {"\xff", "report", "\xed\xb2\x80", "\xc3\xa4\xc3", NULL};
  char *const envp[] = {"\xfe=\xfd", NULL};
  copy("./\xffprogram\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
  run("./\xffprogram\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", argv, envp);
  int fd = open("\x80script", O_WRONLY | O_CREAT, 0700);
  CHECK(dprintf(fd, "#! ./\xffprogram\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac report\xfe \n") > 0 && close(fd) == 0);
  run("./\x80script", argv, envp);
  CHECK(unlink("\x80script") == 0 && unlink("\xffprogram\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac") == 0);
}

int main(int argc, char **argv, char **envp)
{
  if (argc > 1 && strncmp(argv[1], "report", 6) == 0)
    return report(argc, argv, envp);
  CHECK(mkdir("names.tmp", 0700) == 0 && chdir("names.tmp") == 0 && getcwd(top, sizeof top) == top);
  files();
  links();
  directories();
  names_of_tasks();
  sockets();
  memory_files();
  programs();
  CHECK(chdir("..") == 0 && rmdir("names.tmp") == 0);
  return 0;
}
