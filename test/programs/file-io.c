/*
 * Files and directories by system call, and one truth for read, write and mappings of the same file.
 * Works in a directory file-io.tmp that it makes and removes.
 */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

static void readAndWrite(void)
{
  char buffer[64] = {0};
  int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0640);
  CHECK(fd >= 3);
  CHECK_ERRNO(open("a", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
  CHECK(write(fd, "0123456789", 10) == 10);
  CHECK(lseek(fd, 0, SEEK_CUR) == 10);
  CHECK(read(fd, buffer, 10) == 0);
  CHECK(lseek(fd, 2, SEEK_SET) == 2 && read(fd, buffer, 3) == 3 && memcmp(buffer, "234", 3) == 0);
  CHECK(lseek(fd, -1, SEEK_END) == 9 && read(fd, buffer, 9) == 1 && buffer[0] == '9');
  CHECK_ERRNO(lseek(fd, -100, SEEK_CUR), EINVAL);
  CHECK(pread(fd, buffer, 4, 6) == 4 && memcmp(buffer, "6789", 4) == 0);
  CHECK(pwrite(fd, "AB", 2, 4) == 2);
  CHECK(lseek(fd, 0, SEEK_CUR) == 10); /* pread and pwrite leave it alone */
  SAY("read, write, lseek, pread, pwrite");

  struct stat st;
  CHECK(fstat(fd, &st) == 0 && st.st_size == 10 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640);
  CHECK(st.st_nlink == 1 && st.st_uid == geteuid());
  CHECK(pwrite(fd, "end", 3, 10000) == 3); /* leaves a hole of zeros */
  CHECK(fstat(fd, &st) == 0 && st.st_size == 10003);
  CHECK(pread(fd, buffer, 8, 5000) == 8 && memcmp(buffer, "\0\0\0\0\0\0\0", 8) == 0);
  CHECK(ftruncate(fd, 5) == 0 && fstat(fd, &st) == 0 && st.st_size == 5);
  CHECK(ftruncate(fd, 12) == 0 && pread(fd, buffer, 20, 0) == 12);
  CHECK(memcmp(buffer, "0123A\0\0\0\0\0\0", 12) == 0);
  CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
  CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
  SAY("fstat, holes, ftruncate, fsync");

  struct iovec out[3] = {{"one ", 4}, {"", 0}, {"two", 3}};
  struct iovec in[2] = {{buffer, 2}, {buffer + 10, 30}};
  CHECK(lseek(fd, 0, SEEK_SET) == 0 && writev(fd, out, 3) == 7);
  CHECK(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, in, 2) == 12);
  CHECK(memcmp(buffer, "on", 2) == 0 && memcmp(buffer + 10, "e two", 5) == 0);
  SAY("readv, writev");

  int twin = dup(fd), other = open("a", O_RDONLY);
  CHECK(twin > fd && other > twin);
  CHECK(lseek(fd, 4, SEEK_SET) == 4);
  CHECK(lseek(twin, 0, SEEK_CUR) == 4 && lseek(other, 0, SEEK_CUR) == 0);
  CHECK(close(twin) == 0);
  CHECK_ERRNO(close(twin), EBADF);
  CHECK_ERRNO(write(other, "x", 1), EBADF);
  int append = open("a", O_WRONLY | O_APPEND);
  CHECK(append >= 0 && write(append, "!", 1) == 1 && lseek(append, 0, SEEK_CUR) == 13);
  CHECK_ERRNO(read(append, buffer, 1), EBADF);
  CHECK((fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND));
  CHECK(fcntl(append, F_GETFD) == 0 && fcntl(append, F_SETFD, FD_CLOEXEC) == 0 && fcntl(append, F_GETFD) == FD_CLOEXEC);
  CHECK(close(append) == 0 && close(other) == 0 && close(fd) == 0);
  SAY("dup, O_APPEND, EBADF");
}

static void names(void)
{
  char buffer[16] = {0};
  struct stat st;
  CHECK(stat("a", &st) == 0);
  ino_t inode = st.st_ino;
  CHECK(rename("a", "b") == 0);
  CHECK_ERRNO(stat("a", &st), ENOENT);
  CHECK(stat("b", &st) == 0 && st.st_ino == inode);

  int fd = open("c", O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0 && write(fd, "old c", 5) == 5);
  CHECK(rename("b", "c") == 0); /* the old c has no name any more, but is still open */
  CHECK(stat("c", &st) == 0 && st.st_ino == inode);
  CHECK(pread(fd, buffer, 5, 0) == 5 && memcmp(buffer, "old c", 5) == 0);
  CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && close(fd) == 0);

  CHECK(unlink("c") == 0);
  CHECK_ERRNO(unlink("c"), ENOENT);
  CHECK_ERRNO(open("c", O_RDONLY), ENOENT);
  CHECK_ERRNO(access("c", F_OK), ENOENT);
  SAY("rename, unlink, access");

  CHECK(mkdir("d", 0755) == 0);
  CHECK_ERRNO(mkdir("d", 0755), EEXIST);
  CHECK(stat("d", &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0755);
  CHECK_ERRNO(open("d", O_WRONLY), EISDIR);
  CHECK_ERRNO(unlink("d"), EISDIR);
  CHECK((fd = open("d/file", O_WRONLY | O_CREAT, 0600)) >= 0 && close(fd) == 0);
  CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
  CHECK_ERRNO(open("d/file/x", O_RDONLY), ENOTDIR);
  CHECK_ERRNO(open("d/file", O_RDONLY | O_DIRECTORY), ENOTDIR);
  int dir = open("d", O_RDONLY | O_DIRECTORY);
  CHECK(dir >= 0);
  CHECK_ERRNO(read(dir, buffer, 1), EISDIR);
  CHECK(faccessat(dir, "file", R_OK, 0) == 0 && unlinkat(dir, "file", 0) == 0 && close(dir) == 0);
  CHECK(rmdir("d") == 0);
  CHECK_ERRNO(rmdir("d"), ENOENT);
  SAY("mkdir, rmdir");
}

static int byName(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void directory(void)
{
  char name[16];
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "file-%02d", i);
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
  }
  char *list[200];
  int n = 0;
  DIR *dir = opendir(".");
  CHECK(dir);
  for (struct dirent *entry; n < 200 && (entry = readdir(dir)); )
    list[n++] = strdup(entry->d_name);
  CHECK(closedir(dir) == 0 && n == 102);
  qsort(list, (size_t)n, sizeof *list, byName);
  CHECK(strcmp(list[0], ".") == 0 && strcmp(list[1], "..") == 0);
  CHECK(strcmp(list[2], "file-00") == 0 && strcmp(list[101], "file-99") == 0);
  for (int i = 0; i < n; i++) {
    if (i >= 2)
      CHECK(unlink(list[i]) == 0);
    free(list[i]);
  }
  char cwd[4096];
  CHECK(getcwd(cwd, sizeof cwd) && strcmp(strrchr(cwd, '/'), "/file-io.tmp") == 0);
  SAY("readdir, getcwd");
}

/* The same bytes, whichever way one looks at them. */
static void coherence(void)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char buffer[16] = {0};
  int fd = open("m", O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)(2 * page)) == 0);
  char *shared = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *twin = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 0);
  char *private = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(shared != MAP_FAILED && twin != MAP_FAILED && private != MAP_FAILED);

  CHECK(pwrite(fd, "written", 7, 10) == 7);
  CHECK(memcmp(shared + 10, "written", 7) == 0 && memcmp(twin + 10, "written", 7) == 0);
  memcpy(shared + page - 3, "mapped", 6);
  CHECK(pread(fd, buffer, 6, (off_t)page - 3) == 6 && memcmp(buffer, "mapped", 6) == 0);
  CHECK(memcmp(twin + page - 3, "mapped", 6) == 0);

  /* A private page not yet written follows the file; a copied one doesn't. */
  CHECK(memcmp(private + 10, "written", 7) == 0);
  CHECK(pwrite(fd, "changed", 7, 10) == 7 && memcmp(private + 10, "changed", 7) == 0);
  private[0] = 'p';
  CHECK(pwrite(fd, "another", 7, 10) == 7 && memcmp(private + 10, "changed", 7) == 0);
  CHECK(pread(fd, buffer, 1, 0) == 1 && buffer[0] == 0);

  /* A mapping as the buffer of a system call, and of a read into itself. */
  CHECK(pread(fd, shared + 100, 7, 10) == 7 && memcmp(twin + 100, "another", 7) == 0);
  CHECK(pwrite(fd, shared + 100, 7, (off_t)page + 100) == 7 && memcmp(twin + page + 100, "another", 7) == 0);

  /* The rest of the last page reads zero, can be written, and never reaches the file. */
  CHECK(ftruncate(fd, 50) == 0);
  CHECK(shared[49] == 0 && shared[10] == 'a' && shared[50] == 0 && shared[100] == 0);
  shared[60] = 'z';
  struct stat st;
  CHECK(twin[60] == 'z' && fstat(fd, &st) == 0 && st.st_size == 50 && pread(fd, buffer, 16, 50) == 0);

  CHECK(msync(shared, page, MS_SYNC) == 0 && close(fd) == 0);
  CHECK(shared[11] == 'n'); /* the mapping holds the file */
  CHECK(unlink("m") == 0 && shared[12] == 'o');
  CHECK(munmap(shared, 2 * page) == 0 && munmap(twin, 2 * page) == 0 && munmap(private, 2 * page) == 0);
  SAY("read, write and mappings agree");
}

static void streams(void)
{
  FILE *file = fopen("s", "w+");
  CHECK(file);
  for (int i = 0; i < 1000; i++)
    CHECK(fprintf(file, "line %d\n", i) > 0);
  CHECK(fseek(file, 0, SEEK_SET) == 0);
  char line[64];
  int n = 0;
  for (; fgets(line, sizeof line, file); n++) {
    char expected[64];
    snprintf(expected, sizeof expected, "line %d\n", n);
    CHECK(strcmp(line, expected) == 0);
  }
  CHECK(n == 1000 && feof(file) && ftell(file) == 8890);
  CHECK(fclose(file) == 0 && remove("s") == 0);
  CHECK(fopen("s", "r") == NULL && errno == ENOENT);
  SAY("streams");
}

int main(void)
{
  umask(022);
  CHECK(mkdir("file-io.tmp", 0700) == 0 && chdir("file-io.tmp") == 0);
  readAndWrite();
  names();
  directory();
  coherence();
  streams();
  CHECK(chdir("..") == 0 && rmdir("file-io.tmp") == 0);
  return 0;
}
