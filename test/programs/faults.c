/*
 * How many faults does a pattern of accesses take? Each case prepares memory, counts, touches, and counts again: what is
 * printed is the difference in minor and major faults between two points, so that start-up code, which is another one
 * here than on the host, has no part in it. Each case is run twice and the second time is what counts, so that no page
 * of the program's own code or data is touched for the first time in between.
 *
 *   faults [-d DIR]   DIR: where its file is made (default: the working directory)
 *
 * record-faults.sh beside this file records what a host counts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

#ifndef PR_SET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

enum { PAGE = 4096, N = 64, BYTES = N * PAGE };
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED_ANON (MAP_SHARED | MAP_ANONYMOUS)

struct counts {
  long min, maj;
};

static const char *dir = ".";
static int file = -1;
static struct counts before, after;
/* Where a child leaves its counts. */
static volatile struct counts *shared;

static inline struct counts now(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (struct counts){usage.ru_minflt, usage.ru_majflt};
}
#define BEGIN() (before = now())
#define END() (after = now())

/* A place for a mapping that is aligned alike everywhere: what is mapped around a fault depends on it. */
static char *place(int index) { return (char *)0x1000000000 + (long)index * 0x4000000; }

static char *map_at(int index, long bytes, int prot, int flags, int fd) {
  char *p = mmap(place(index), bytes, prot, flags | MAP_FIXED, fd, 0);
  CHECK(p == place(index));
  return p;
}
static char *map(int prot, int flags, int fd) { return map_at(0, BYTES, prot, flags, fd); }

static inline void write_pages(char *p, int count) {
  for (int i = 0; i < count; i++) *(volatile char *)(p + (long)i * PAGE) = 1;
}
static inline void read_pages(char *p, int count) {
  for (int i = 0; i < count; i++) (void)*(volatile char *)(p + (long)i * PAGE);
}
#define WRITE(p) write_pages(p, N)
#define READ(p) read_pages(p, N)

/* A memfd with N pages of data. */
static int full_memfd(void) {
  static char data[BYTES];
  int fd = memfd_create("faults", 0);
  CHECK(fd >= 0 && pwrite(fd, data, BYTES, 0) == BYTES);
  return fd;
}

static void anon_read(void) { char *p = map(RW, ANON, -1); BEGIN(); READ(p); END(); }
static void anon_write(void) { char *p = map(RW, ANON, -1); BEGIN(); WRITE(p); END(); }
static void anon_read_write(void) { char *p = map(RW, ANON, -1); BEGIN(); READ(p); WRITE(p); END(); }
static void anon_write_after_read(void) { char *p = map(RW, ANON, -1); READ(p); BEGIN(); WRITE(p); END(); }
static void anon_noreserve(void) { char *p = map(RW, ANON | MAP_NORESERVE, -1); BEGIN(); WRITE(p); END(); }
static void anon_populate(void) { BEGIN(); WRITE(map(RW, ANON | MAP_POPULATE, -1)); END(); }
static void anon_populate_read_only(void) { BEGIN(); READ(map(PROT_READ, ANON | MAP_POPULATE, -1)); END(); }
static void anon_populate_then_write(void) {
  char *p = map(PROT_READ, ANON | MAP_POPULATE, -1);
  mprotect(p, BYTES, RW);
  BEGIN();
  WRITE(p);
  END();
}
static void anon_dontneed(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  madvise(p, BYTES, MADV_DONTNEED);
  BEGIN();
  READ(p);
  WRITE(p);
  END();
}
static void anon_free(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  madvise(p, BYTES, MADV_FREE);
  BEGIN();
  WRITE(p);
  END();
}
static void anon_cold(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  madvise(p, BYTES, MADV_COLD);
  BEGIN();
  WRITE(p);
  END();
}
static void anon_populate_write_advice(void) {
  char *p = map(RW, ANON, -1);
  BEGIN();
  madvise(p, BYTES, 23 /* MADV_POPULATE_WRITE */);
  WRITE(p);
  END();
}
static void anon_populate_read_advice(void) {
  char *p = map(RW, ANON, -1);
  BEGIN();
  madvise(p, BYTES, 22 /* MADV_POPULATE_READ */);
  WRITE(p);
  END();
}
static void anon_mlock(void) {
  char *p = map(RW, ANON, -1);
  BEGIN();
  mlock(p, BYTES);
  WRITE(p);
  END();
  munlock(p, BYTES);
}
static void anon_mlock_read_only(void) {
  char *p = map(PROT_READ, ANON, -1);
  BEGIN();
  mlock(p, BYTES);
  READ(p);
  END();
  munlock(p, BYTES);
}
static int full_memfd(void);
static void anon_system_call(void) {
  char *p = map(RW, ANON, -1);
  int fd = full_memfd();
  BEGIN();
  CHECK(pread(fd, p, BYTES, 0) == BYTES);
  WRITE(p);
  END();
  close(fd);
}
static void protect_round(int prot) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  mprotect(p, BYTES, prot);
  mprotect(p, BYTES, RW);
  BEGIN();
  WRITE(p);
  END();
}
static void mprotect_read_only(void) { protect_round(PROT_READ); }
static void mprotect_none(void) { protect_round(PROT_NONE); }
static void mprotect_zero_page(void) {
  char *p = map(RW, ANON, -1);
  READ(p);
  mprotect(p, BYTES, PROT_READ);
  mprotect(p, BYTES, RW);
  BEGIN();
  WRITE(p);
  END();
}
static void mremap_moved(void) {
  char *p = map(RW, ANON, -1);
  write_pages(p, N / 2);
  p = mremap(p, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, place(1));
  BEGIN();
  WRITE(p);
  END();
}
static void mremap_grown(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  p = mremap(p, BYTES, 2 * BYTES, MREMAP_MAYMOVE);
  BEGIN();
  write_pages(p, 2 * N);
  END();
  munmap(p, 2 * BYTES);
}
static void mremap_dontunmap(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  char *q = mremap(p, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED | 4, place(1));
  BEGIN();
  WRITE(q);
  WRITE(p);
  END();
}

static void shared_anon_read(void) { char *p = map(RW, SHARED_ANON, -1); BEGIN(); READ(p); END(); }
static void shared_anon_write(void) { char *p = map(RW, SHARED_ANON, -1); BEGIN(); WRITE(p); END(); }
static void shared_anon_read_write(void) { char *p = map(RW, SHARED_ANON, -1); BEGIN(); READ(p); WRITE(p); END(); }
static void shared_anon_populate(void) { BEGIN(); WRITE(map(RW, SHARED_ANON | MAP_POPULATE, -1)); END(); }
static void shared_anon_dontneed(void) {
  char *p = map(RW, SHARED_ANON, -1);
  WRITE(p);
  madvise(p, BYTES, MADV_DONTNEED);
  BEGIN();
  READ(p);
  WRITE(p);
  END();
}
static void shared_anon_remove(void) {
  char *p = map(RW, SHARED_ANON, -1);
  WRITE(p);
  madvise(p, BYTES, MADV_REMOVE);
  BEGIN();
  READ(p);
  WRITE(p);
  END();
}
static void shared_anon_mprotect(void) {
  char *p = map(RW, SHARED_ANON, -1);
  WRITE(p);
  mprotect(p, BYTES, PROT_READ);
  mprotect(p, BYTES, RW);
  BEGIN();
  WRITE(p);
  END();
}

enum { READS = 1, WRITES = 2 };
static void touch(char *p, int what) {
  BEGIN();
  if (what & READS) READ(p);
  if (what & WRITES) WRITE(p);
  END();
}
static void memfd(int flags, int what) {
  int fd = full_memfd();
  touch(map(RW, flags, fd), what);
  close(fd);
}
static void memfd_shared_read(void) { memfd(MAP_SHARED, READS); }
static void memfd_shared_write(void) { memfd(MAP_SHARED, WRITES); }
static void memfd_shared_read_write(void) { memfd(MAP_SHARED, READS | WRITES); }
static void memfd_private_read(void) { memfd(MAP_PRIVATE, READS); }
static void memfd_private_write(void) { memfd(MAP_PRIVATE, WRITES); }
static void memfd_private_read_write(void) { memfd(MAP_PRIVATE, READS | WRITES); }
static void memfd_populate_private(void) { memfd(MAP_PRIVATE | MAP_POPULATE, READS | WRITES); }
static void memfd_hole(int flags, int what) {
  int fd = memfd_create("hole", 0);
  CHECK(ftruncate(fd, BYTES) == 0);
  touch(map(RW, flags, fd), what);
  close(fd);
}
static void memfd_hole_read(void) { memfd_hole(MAP_SHARED, READS); }
static void memfd_hole_read_write(void) { memfd_hole(MAP_SHARED, READS | WRITES); }
static void memfd_hole_private_write(void) { memfd_hole(MAP_PRIVATE, WRITES); }
static void memfd_misaligned(void) {
  int fd = full_memfd();
  char *p = mmap(place(0) + 3 * PAGE, BYTES - 5 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 5 * PAGE);
  BEGIN();
  read_pages(p, N - 5);
  END();
  munmap(p, BYTES - 5 * PAGE);
  close(fd);
}
static void memfd_backwards(void) {
  int fd = full_memfd();
  char *p = map(RW, MAP_SHARED, fd);
  BEGIN();
  for (int i = N - 1; i >= 0; i--) (void)*(volatile char *)(p + i * PAGE);
  END();
  close(fd);
}
static void memfd_random_advice(void) {
  int fd = full_memfd();
  char *p = map(RW, MAP_SHARED, fd);
  madvise(p, BYTES, MADV_RANDOM);
  touch(p, READS);
  close(fd);
}

static void new_file(void) {
  static char data[BYTES];
  char name[4096];
  snprintf(name, sizeof name, "%s/faults.data", dir);
  if (file >= 0) close(file);
  unlink(name);
  file = open(name, O_RDWR | O_CREAT, 0600);
  CHECK(file >= 0);
  CHECK(pwrite(file, data, BYTES, 0) == BYTES && fsync(file) == 0);
  CHECK(unlink(name) == 0);
}
static void file_case(int flags, int what) { new_file(); touch(map(RW, flags, file), what); }
static void file_shared_read(void) { file_case(MAP_SHARED, READS); }
static void file_shared_write(void) { file_case(MAP_SHARED, WRITES); }
static void file_shared_read_write(void) { file_case(MAP_SHARED, READS | WRITES); }
static void file_private_read(void) { file_case(MAP_PRIVATE, READS); }
static void file_private_write(void) { file_case(MAP_PRIVATE, WRITES); }
static void file_private_read_write(void) { file_case(MAP_PRIVATE, READS | WRITES); }
static void file_populate_shared(void) { file_case(MAP_SHARED | MAP_POPULATE, READS | WRITES); }
static void file_write_msync_write(void) {
  new_file();
  char *p = map(RW, MAP_SHARED, file);
  WRITE(p);
  CHECK(msync(p, BYTES, MS_SYNC) == 0);
  touch(p, WRITES);
}
static void file_write_msync_read(void) {
  new_file();
  char *p = map(RW, MAP_SHARED, file);
  WRITE(p);
  CHECK(msync(p, BYTES, MS_SYNC) == 0);
  touch(p, READS);
}
static void file_write_twice_mapped(void) {
  new_file();
  char *p = map(RW, MAP_SHARED, file);
  char *q = map_at(1, BYTES, RW, MAP_SHARED, file);
  WRITE(p);
  touch(q, READS | WRITES);
}
static void file_dontneed(void) {
  new_file();
  char *p = map(RW, MAP_SHARED, file);
  WRITE(p);
  madvise(p, BYTES, MADV_DONTNEED);
  touch(p, READS | WRITES);
}
static void file_truncated_and_extended(void) {
  new_file();
  char *p = map(RW, MAP_SHARED, file);
  WRITE(p);
  CHECK(ftruncate(file, BYTES / 2) == 0 && ftruncate(file, BYTES) == 0);
  touch(p, WRITES);
}

/* What is not in the page cache is read from storage: a major fault for each piece that readahead takes. */
static char *cold_file(int flags) {
  new_file();
  CHECK(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
  return map(RW, flags, file);
}
static void cold_read(void) { touch(cold_file(MAP_SHARED), READS); }
static void cold_write(void) { touch(cold_file(MAP_SHARED), WRITES); }
static void cold_private_write(void) { touch(cold_file(MAP_PRIVATE), WRITES); }
static void cold_random(void) {
  char *p = cold_file(MAP_SHARED);
  madvise(p, BYTES, MADV_RANDOM);
  touch(p, READS);
}
static void cold_sequential(void) {
  char *p = cold_file(MAP_SHARED);
  madvise(p, BYTES, MADV_SEQUENTIAL);
  touch(p, READS);
}
static void cold_willneed(void) {
  char *p = cold_file(MAP_SHARED);
  madvise(p, BYTES, MADV_WILLNEED);
  usleep(20000);
  touch(p, READS);
}
static void cold_backwards(void) {
  char *p = cold_file(MAP_SHARED);
  BEGIN();
  for (int i = N - 1; i >= 0; i--) (void)*(volatile char *)(p + i * PAGE);
  END();
}
static void cold_populate(void) {
  new_file();
  CHECK(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
  BEGIN();
  READ(map(RW, MAP_PRIVATE | MAP_POPULATE, file));
  END();
}

static void cold_populate_shared(void) {
  new_file();
  CHECK(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
  BEGIN();
  READ(map(RW, MAP_SHARED | MAP_POPULATE, file));
  END();
}
static void cold_populate_read_advice(void) {
  char *p = cold_file(MAP_SHARED);
  BEGIN();
  madvise(p, BYTES, 22 /* MADV_POPULATE_READ */);
  END();
}
static void cold_mlock(void) {
  char *p = cold_file(MAP_SHARED);
  BEGIN();
  CHECK(mlock(p, BYTES) == 0);
  END();
  munlock(p, BYTES);
}
static void cold_system_call(void) {
  char *p = cold_file(MAP_SHARED);
  int fd = memfd_create("copy", 0);
  BEGIN();
  CHECK(write(fd, p, BYTES) == BYTES);
  END();
  close(fd);
}

static void heap(void) {
  char *end = (char *)syscall(SYS_brk, 0);
  char *start = (char *)(((long)end + PAGE - 1) & -PAGE);
  CHECK((char *)syscall(SYS_brk, start + BYTES) == start + BYTES);
  touch(start, WRITES);
  CHECK((char *)syscall(SYS_brk, end) == end);
}
static void growing_mapping(void) {
  munmap(place(0), BYTES);
  char *p = mmap(place(0) + BYTES - PAGE, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
  CHECK(p != MAP_FAILED);
  BEGIN();
  for (int i = 0; i < N; i++) *(volatile char *)(p - (long)i * PAGE) = 1;
  END();
  munmap(place(0), BYTES);
}
static __attribute__((noinline)) void descend(int pages) {
  char frame[pages * PAGE];
  for (int i = pages - 1; i >= 0; i--) *(volatile char *)(frame + (long)i * PAGE) = 1;
}
/* The stack has grown when the case runs for the second time: it goes deeper then. */
static void stack(void) {
  static int pages = 70;
  BEGIN();
  descend(pages);
  END();
  pages += N;
}

/* Runs `body` in a child, which counts. */
static void in_child(void (*body)(char *), char *p) {
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    /* Code and data of its own that the child uses are touched by a first run on other memory. */
    char *other = map_at(7, BYTES, RW, ANON, -1);
    BEGIN();
    body(other);
    END();
    BEGIN();
    body(p);
    END();
    shared->min = after.min - before.min;
    shared->maj = after.maj - before.maj;
    _exit(0);
  }
  CHECK(waitpid(pid, NULL, 0) == pid);
  before = (struct counts){0, 0};
  after = (struct counts){shared->min, shared->maj};
}
static void write_body(char *p) { WRITE(p); }
static void read_body(char *p) { READ(p); }
static void read_write_body(char *p) { READ(p); WRITE(p); }

static void fork_child_writes(void) { char *p = map(RW, ANON, -1); WRITE(p); in_child(write_body, p); }
static void fork_child_reads(void) { char *p = map(RW, ANON, -1); WRITE(p); in_child(read_body, p); }
static void fork_child_reads_writes(void) { char *p = map(RW, ANON, -1); WRITE(p); in_child(read_write_body, p); }
static void fork_child_writes_zero_pages(void) { char *p = map(RW, ANON, -1); READ(p); in_child(write_body, p); }
static void fork_child_wiped(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  CHECK(madvise(p, BYTES, MADV_WIPEONFORK) == 0);
  in_child(read_write_body, p);
}
static void fork_child_shared_read(void) { char *p = map(RW, SHARED_ANON, -1); WRITE(p); in_child(read_body, p); }
static void fork_child_shared_write(void) { char *p = map(RW, SHARED_ANON, -1); WRITE(p); in_child(write_body, p); }
static void fork_child_file_read(void) { new_file(); char *p = map(RW, MAP_PRIVATE, file); READ(p); in_child(read_body, p); }
static void fork_child_file_mixed(void) {
  new_file();
  char *p = map(RW, MAP_PRIVATE, file);
  READ(p);
  *p = 1;
  in_child(read_body, p);
}
static void fork_child_file_shared_write(void) {
  new_file();
  char *p = map(RW, MAP_SHARED, file);
  WRITE(p);
  in_child(write_body, p);
}
static void fork_child_locked(void) {
  char *p = map(RW, ANON, -1);
  CHECK(mlock(p, BYTES) == 0);
  in_child(write_body, p);
  munlock(p, BYTES);
}
static void nothing(char *p) { (void)p; }
static void fork_parent_writes_after(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  in_child(nothing, p);
  touch(p, WRITES);
}
/* A child that lives while the parent counts. */
static void fork_parent_writes_meanwhile(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    char byte;
    close(ends[1]);
    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(ends[0]);
  /* The pages of stack and data that counting itself writes have to be copied, too. */
  touch(p, 0);
  touch(p, 0);
  touch(p, WRITES);
  close(ends[1]);
  CHECK(waitpid(pid, NULL, 0) == pid);
}
/* After the parent has its own copies, the child is the only one left with the old pages. */
static void fork_child_writes_after_parent(void) {
  char *p = map(RW, ANON, -1);
  WRITE(p);
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    char byte;
    char *other = map_at(7, BYTES, RW, ANON, -1);
    BEGIN(); WRITE(other); END();
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 0) _exit(1);
    BEGIN();
    WRITE(p);
    END();
    shared->min = after.min - before.min;
    shared->maj = after.maj - before.maj;
    _exit(0);
  }
  close(ends[0]);
  WRITE(p);
  close(ends[1]);
  CHECK(waitpid(pid, NULL, 0) == pid);
  before = (struct counts){0, 0};
  after = (struct counts){shared->min, shared->maj};
}
/* A child that shares the memory: its faults are its own, and what it made present stays. */
static char child_stack[16 * PAGE] __attribute__((aligned(4096)));
static int sharing_child(void *p) {
  BEGIN();
  WRITE((char *)p);
  END();
  _exit(0);
}
static void share_memory(int parent) {
  char *p = map(RW, ANON, -1);
  struct counts start = now();
  pid_t pid = clone(sharing_child, child_stack + sizeof child_stack, CLONE_VM | SIGCHLD, p);
  CHECK(pid > 0);
  CHECK(waitpid(pid, NULL, 0) == pid);
  if (parent) {
    READ(p);
    before = start;
    after = now();
  }
}
static void clone_vm_child_writes(void) { share_memory(0); }
static void clone_vm_parent_sees(void) { share_memory(1); }

static void after_exec(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    char number[16];
    snprintf(number, sizeof number, "%d", ends[1]);
    execl("/proc/self/exe", "faults", "-x", number, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  struct counts got[2];
  CHECK(read(ends[0], got, sizeof got) == sizeof got);
  close(ends[0]);
  CHECK(waitpid(pid, NULL, 0) == pid);
  before = got[0];
  after = got[1];
}

#define CASE(f) {#f, f}
static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
    CASE(anon_read), CASE(anon_write), CASE(anon_read_write), CASE(anon_write_after_read), CASE(anon_noreserve),
    CASE(anon_populate), CASE(anon_populate_read_only), CASE(anon_populate_then_write), CASE(anon_dontneed),
    CASE(anon_free), CASE(anon_cold), CASE(anon_populate_write_advice), CASE(anon_populate_read_advice),
    CASE(anon_mlock), CASE(anon_mlock_read_only), CASE(anon_system_call), CASE(mprotect_read_only),
    CASE(mprotect_none), CASE(mprotect_zero_page), CASE(mremap_moved), CASE(mremap_grown), CASE(mremap_dontunmap),
    CASE(shared_anon_read), CASE(shared_anon_write), CASE(shared_anon_read_write), CASE(shared_anon_populate),
    CASE(shared_anon_dontneed), CASE(shared_anon_remove), CASE(shared_anon_mprotect), CASE(memfd_shared_read),
    CASE(memfd_shared_write), CASE(memfd_shared_read_write), CASE(memfd_private_read), CASE(memfd_private_write),
    CASE(memfd_private_read_write), CASE(memfd_populate_private), CASE(memfd_hole_read),
    CASE(memfd_hole_read_write), CASE(memfd_hole_private_write), CASE(memfd_misaligned), CASE(memfd_backwards),
    CASE(memfd_random_advice), CASE(file_shared_read), CASE(file_shared_write), CASE(file_shared_read_write),
    CASE(file_private_read), CASE(file_private_write), CASE(file_private_read_write), CASE(file_populate_shared),
    CASE(file_write_msync_write), CASE(file_write_msync_read), CASE(file_write_twice_mapped), CASE(file_dontneed),
    CASE(file_truncated_and_extended), CASE(cold_read), CASE(cold_write), CASE(cold_private_write), CASE(cold_random),
    CASE(cold_sequential), CASE(cold_willneed), CASE(cold_backwards), CASE(cold_populate),
    CASE(cold_populate_shared), CASE(cold_populate_read_advice), CASE(cold_mlock), CASE(cold_system_call), CASE(heap), CASE(growing_mapping), CASE(stack), CASE(fork_child_writes),
    CASE(fork_child_reads), CASE(fork_child_reads_writes), CASE(fork_child_writes_zero_pages),
    CASE(fork_child_wiped), CASE(fork_child_shared_read), CASE(fork_child_shared_write),
    CASE(fork_child_file_read), CASE(fork_child_file_mixed), CASE(fork_child_file_shared_write),
    CASE(fork_child_locked), CASE(fork_parent_writes_after), CASE(fork_parent_writes_meanwhile),
    CASE(fork_child_writes_after_parent), CASE(clone_vm_child_writes), CASE(clone_vm_parent_sees),
    CASE(after_exec),
};

int main(int argc, char **argv) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  if (argc == 3 && strcmp(argv[1], "-x") == 0) {
    anon_read_write();
    anon_read_write();
    struct counts result[2] = {before, after};
    return write(atoi(argv[2]), result, sizeof result) == sizeof result ? 0 : 1;
  }
  if (argc == 3 && strcmp(argv[1], "-d") == 0) dir = argv[2];
  shared = mmap(NULL, PAGE, RW, SHARED_ANON, -1, 0);
  CHECK(shared != MAP_FAILED);
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int round = 0; round < 2; round++) cases[i].run();
    SAY("%-32s %4ld minor %4ld major", cases[i].name, after.min - before.min, after.maj - before.maj);
  }
  return 0;
}
