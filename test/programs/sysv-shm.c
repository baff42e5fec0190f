/*
 * System V shared memory: segments, their ids and keys, attachments whole and in pieces, what fork and exit do to them,
 * and what /proc tells. Ids and addresses differ from machine to machine; everything else is as Linux 6.18 does it.
 */
#define _GNU_SOURCE
#include "show.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define P 4096L
#define BASE ((char *)0x40000000)
#define RW (PROT_READ | PROT_WRITE)
#define KEY 0x5eed0001
#define STAT_ANY 15
#define NR_mseal 462

static int id;
static pid_t self;

static struct shmid_ds stat_of(int of)
{
  struct shmid_ds ds;
  CHECK(shmctl(of, IPC_STAT, &ds) == 0);
  return ds;
}

static const char *who(pid_t pid)
{
  return pid == 0 ? "nobody" : pid == self ? "me" : "another";
}

static void tell(const char *when)
{
  struct shmid_ds ds = stat_of(id);
  SAY("%-32s nattch %ld, mode %o, key %s, by %s, last %s", when, (long)ds.shm_nattch, ds.shm_perm.mode,
      ds.shm_perm.__key == 0 ? "private" : "there", who(ds.shm_cpid), who(ds.shm_lpid));
}

/* The lines of maps about segments, with "id" for the inode where it is the segment's. */
static void maps(void)
{
  char line[512];
  FILE *file = fopen("/proc/self/maps", "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL) {
    char *name = strstr(line, "/SYSV");
    unsigned long start, end, offset;
    char perms[5];
    long inode;
    if (name == NULL) continue;
    CHECK(name - line == 73);
    CHECK(sscanf(line, "%lx-%lx %4s %lx %*s %ld", &start, &end, perms, &offset, &inode) == 5);
    printf("  ");
    if (start >= 0x40000000 && end <= 0x50000000) printf("%lx-%lx", start, end);
    else printf("somewhere, %lx long,", end - start);
    printf(" %s %lx %s %s", perms, offset, inode == id ? "id" : "?", name);
    fflush(stdout);
  }
  fclose(file);
}

/* The segment's line of /proc/sysvipc/shm is the one that the fields of IPC_STAT make. */
static void check_proc(unsigned long rss)
{
  static const char header[] =
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime"
      "      dtime      ctime                   rss                  swap\n";
  char expected[512], line[512];
  int found = 0;
  struct shmid_ds ds = stat_of(id);
  snprintf(expected, sizeof expected,
           "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10llu %10llu %10llu %21lu %21lu\n", ds.shm_perm.__key,
           id, ds.shm_perm.mode, (unsigned long)ds.shm_segsz, ds.shm_cpid, ds.shm_lpid, (unsigned long)ds.shm_nattch,
           ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.cuid, ds.shm_perm.cgid, (unsigned long long)ds.shm_atime,
           (unsigned long long)ds.shm_dtime, (unsigned long long)ds.shm_ctime, rss, 0UL);
  FILE *file = fopen("/proc/sysvipc/shm", "r");
  CHECK(file != NULL && fgets(line, sizeof line, file) != NULL && strcmp(line, header) == 0);
  while (fgets(line, sizeof line, file) != NULL) found += strcmp(line, expected) == 0;
  fclose(file);
  CHECK(found == 1);
}

static void making(void)
{
  SHOW(shmget(IPC_PRIVATE, 0, 0600));
  SHOW(shmget(KEY, P, 0600));
  SHOW(shmget(IPC_PRIVATE, (size_t)-1, 0600));
  SHOW(shmget(IPC_PRIVATE, (size_t)1 << 63, 0600));
  SHOW(shmget(IPC_PRIVATE, ((size_t)1 << 63) - 1, 0600));
  SHOW(shmget(IPC_PRIVATE, (size_t)1 << 47, 0600));
  SHOW(shmget(IPC_PRIVATE, P, 0600 | SHM_HUGETLB));
  SHOW(shmget(IPC_PRIVATE, P, 0600 | SHM_HUGETLB | 21 << 26));
  SHOW(shmget(IPC_PRIVATE, P, 0600 | SHM_HUGETLB | 13 << 26));
  int sparse = shmget(IPC_PRIVATE, (size_t)1 << 40, 0600 | SHM_NORESERVE);
  CHECK(sparse >= 0 && shmctl(sparse, IPC_RMID, NULL) == 0);
  id = shmget(KEY, 5 * P - 100, IPC_CREAT | 0640);
  CHECK(id >= 0);
  tell("made");
  check_proc(0);
  CHECK(stat_of(id).shm_segsz == 5 * P - 100 && stat_of(id).shm_atime == 0 && stat_of(id).shm_dtime == 0);
  CHECK(stat_of(id).shm_ctime != 0 && stat_of(id).shm_perm.__seq == id >> 15);
  SHOW(shmget(KEY, 5 * P, 0));
  SHOW(shmget(KEY, 0, IPC_CREAT | IPC_EXCL));
  SHOW(shmget(KEY, 0, 0) == id);
  SHOW(shmget(KEY, 5 * P - 100, IPC_CREAT | 0777) == id);
}

static void attaching(void)
{
  SHOW(shmat(-1, NULL, 0));
  SHOW(shmat(id ^ 1 << 15, NULL, 0));
  SHOW(shmat(id, BASE + 1, 0));
  SHOW(shmat(id, NULL, SHM_REMAP));
  SHOW(shmat(id, (void *)100, SHM_RND | SHM_REMAP));
  SHOW(shmat(id, (void *)-P, 0));
  SHOW(shmat(id, (void *)(1UL << 63), 0));
  CHECK(mmap(BASE + 4 * P, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == BASE + 4 * P);
  SHOW(shmat(id, BASE, 0));
  tell("refused");
  CHECK(shmat(id, BASE + 123, SHM_RND | SHM_REMAP) == BASE);
  tell("attached");
  maps();
  CHECK(shmat(id, BASE, SHM_REMAP | SHM_EXEC) == BASE);
  tell("attached over itself");
  maps();
  SHOW(shmdt(BASE));
  CHECK(shmat(id, BASE, SHM_RDONLY) == BASE);
  maps();
  SHOW(mprotect(BASE, P, RW));
  SHOW(mprotect(BASE, P, PROT_READ | PROT_EXEC));
  tell("read-only in two pieces");
  SHOW(shmdt(BASE));
  char *anywhere = shmat(id, NULL, 0);
  CHECK(anywhere != (char *)-1);
  char *before = mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SHOW(before == anywhere - P);
  memset(anywhere, 7, 2 * P);
  check_proc(2 * P);
  CHECK(munmap(before, P) == 0 && shmdt(anywhere) == 0);
  check_proc(2 * P);
  CHECK(stat_of(id).shm_atime != 0 && stat_of(id).shm_dtime != 0);
}

/* Whether reading the byte ends with this signal. */
static int dies(volatile char *at, int signal)
{
  int status;
  pid_t child = fork();
  if (child == 0) {
    (void)*at;
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static void pieces(void)
{
  CHECK(shmat(id, BASE, 0) == BASE);
  CHECK(mprotect(BASE + P, P, PROT_READ) == 0);
  tell("three pieces");
  CHECK(mprotect(BASE + P, P, RW) == 0);
  tell("which never merge again");
  maps();
  CHECK(munmap(BASE + 2 * P, P) == 0);
  tell("the third page gone");
  CHECK(mremap(BASE + 3 * P, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 256 * P) == BASE + 256 * P);
  tell("the fourth moved");
  CHECK(mremap(BASE + 256 * P, 0, P, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 512 * P) == BASE + 512 * P);
  tell("and doubled");
  CHECK(mremap(BASE + 256 * P, P, 3 * P, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 768 * P) == BASE + 768 * P);
  tell("and grown");
  maps();
  SHOW(dies(BASE + 768 * P + P, SIGBUS));
  SHOW(dies(BASE + 768 * P + 2 * P, SIGBUS));
  tell("children gone");
  SHOW(madvise(BASE, P, MADV_FREE));
  SHOW(madvise(BASE, P, MADV_DONTNEED));
  SHOW(BASE[0]);
  SHOW(madvise(BASE, P, MADV_REMOVE));
  SHOW(BASE[0]);
  SHOW(msync(BASE, P, MS_SYNC));
  SHOW(remap_file_pages(BASE, P, 0, 3, 0));
  tell("pages rearranged");
  maps();
  SHOW(shmdt(BASE + P));
  SHOW(shmdt(BASE + 1));
  SHOW(shmdt(BASE - P));
  SHOW(shmdt(BASE));
  tell("what was in place is gone");
  maps();
  SHOW(shmdt(BASE + 253 * P));
  SHOW(shmdt(BASE + 765 * P));
  SHOW(shmdt(BASE + 509 * P));
  SHOW(shmdt(BASE - 3 * P));
  tell("and the rest");
  maps();

  /* A seal is for ever, but for no longer than the process. */
  pid_t child = fork();
  if (child == 0) {
    CHECK(shmat(id, BASE, SHM_RDONLY) == BASE && syscall(NR_mseal, BASE, P, 0) == 0);
    SHOW(shmdt(BASE));
    tell("sealed in part");
    maps();
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
}

static void rights(void)
{
  struct shmid_ds ds = stat_of(id);
  ds.shm_perm.uid = -1;
  SHOW(shmctl(id, IPC_SET, &ds));
  ds.shm_perm.uid = 5;
  ds.shm_perm.gid = 6;
  ds.shm_perm.mode = 07777;
  SHOW(shmctl(id, IPC_SET, &ds));
  tell("all for all");
  ds.shm_perm.mode = 0640;
  SHOW(shmctl(id, IPC_SET, &ds));
  SHOW(stat_of(id).shm_perm.uid * 100 + stat_of(id).shm_perm.gid * 10 + stat_of(id).shm_perm.cuid);
  pid_t child = fork();
  if (child == 0) {
    struct rlimit limit = {2 * P, 2 * P};
    CHECK(setgid(6) == 0 && setuid(7) == 0);
    SHOW(shmat(id, NULL, 0));
    SHOW(shmget(IPC_PRIVATE, P, 0600 | SHM_HUGETLB));
    SHOW(shmat(id, NULL, SHM_RDONLY | SHM_EXEC));
    SHOW(shmat(id, NULL, SHM_RDONLY) != (void *)-1);
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmctl(id, IPC_SET, &ds));
    SHOW(shmctl(id, SHM_LOCK, NULL));
    SHOW(shmctl(id, SHM_UNLOCK, NULL));
    SHOW(shmget(KEY, 0, 0600));
    SHOW(shmget(KEY, 0, 0004) == id);
    int own = shmget(IPC_PRIVATE, 3 * P, 0);
    CHECK(own >= 0);
    SHOW(shmat(own, NULL, SHM_RDONLY));
    SHOW(shmctl(own, IPC_STAT, &ds));
    SHOW(shmctl(own & 0x7fff, SHM_STAT, &ds));
    SHOW(shmctl(own & 0x7fff, STAT_ANY, &ds) == own);
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    SHOW(shmctl(own, SHM_LOCK, NULL));
    int two = shmget(IPC_PRIVATE, 2 * P, 0);
    SHOW(shmctl(two, SHM_LOCK, NULL));
    SHOW(shmctl(two, SHM_LOCK, NULL));
    SHOW(shmctl(own, SHM_LOCK, NULL));
    int one = shmget(IPC_PRIVATE, 1, 0);
    SHOW(shmctl(one, SHM_LOCK, NULL));
    CHECK(shmctl(two, IPC_RMID, NULL) == 0);
    SHOW(shmctl(one, SHM_LOCK, NULL));
    limit.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    SHOW(shmctl(one, SHM_LOCK, NULL));
    SHOW(shmctl(one, SHM_UNLOCK, NULL));
    CHECK(shmctl(one, IPC_RMID, NULL) == 0 && shmctl(own, IPC_RMID, NULL) == 0);
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
  tell("the other user gone");
  SHOW(shmctl(id, SHM_LOCK, NULL));
  tell("locked");
  SHOW(shmctl(id, SHM_LOCK, NULL));
  SHOW(shmctl(id, SHM_UNLOCK, NULL));
  SHOW(shmctl(id, SHM_UNLOCK, NULL));
  tell("unlocked");
}

static void asking(void)
{
  struct shminfo limits;
  struct shm_info info;
  struct shmid_ds ds;
  SHOW(shmctl(id, 99, NULL));
  SHOW(shmctl(id, -1, NULL));
  SHOW(shmctl(-1, IPC_INFO, NULL));
  SHOW(shmctl(0, IPC_INFO, NULL));
  SHOW(shmctl(id, IPC_STAT, (void *)1));
  SHOW(shmctl(id, IPC_SET, (void *)1));
  SHOW(shmctl(id ^ 1 << 15, IPC_STAT, (void *)1));
  SHOW(shmctl(id ^ 1 << 15, IPC_SET, (void *)1));
  CHECK(shmctl(0, IPC_INFO, (void *)&limits) >= (id & 0x7fff));
  SAY("max %lu, min %lu, segments %lu and %lu, all %lu", limits.shmmax, limits.shmmin, limits.shmmni, limits.shmseg,
      limits.shmall);
  CHECK(shmctl(0, SHM_INFO, (void *)&info) >= (id & 0x7fff));
  CHECK(info.used_ids >= 1 && info.shm_tot >= 5 && info.shm_rss >= 1 && info.shm_swp == 0);
  SHOW(shmctl(id & 0x7fff, SHM_STAT, &ds) == id && ds.shm_segsz == 5 * P - 100);
  SHOW(shmctl(id & 0x7fff, STAT_ANY, &ds) == id && ds.shm_segsz == 5 * P - 100);
}

/* A segment that is removed while it is attached, by a program whose grandchild has it longest. */
static void ending(void)
{
  int ready[2], go[2];
  char byte;
  char *at = shmat(id, NULL, 0);
  CHECK(at != (char *)-1 && pipe(ready) == 0 && pipe(go) == 0);
  tell("attached again");
  SHOW(shmctl(id, IPC_RMID, NULL));
  tell("removed");
  /* Pages 0, 1 and 4 were touched, and remap_file_pages brings in what it shows. */
  check_proc(4 * P);
  SHOW(shmctl(id, IPC_RMID, NULL));
  SHOW(shmget(KEY, 0, 0));
  char *more = shmat(id, NULL, 0);
  SHOW(more != (char *)-1);
  tell("attached though removed");
  SHOW(shmdt(more));
  pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) {
      /* The parent ends first, then the program's own attachment. */
      CHECK(write(ready[1], "x", 1) == 1 && read(go[0], &byte, 1) == 1);
      at[3 * P] = 99;
      struct shmid_ds ds = stat_of(id);
      SAY("the last one: nattch %ld, byte %d", (long)ds.shm_nattch, at[3 * P]);
      SHOW(shmdt(at));
      SHOW(shmctl(id, IPC_STAT, &ds));
      SHOW(shmat(id, NULL, 0));
      CHECK(write(ready[1], "x", 1) == 1);
      _exit(0);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    tell("two generations");
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
  tell("the child gone");
  SHOW(shmdt(at));
  maps();
  CHECK(write(go[1], "x", 1) == 1 && read(ready[0], &byte, 1) == 1);
}

/* shm has no map_pages: each page of it is a fault of its own. */
static void faults(void)
{
  struct rusage before, after;
  int many = shmget(IPC_PRIVATE, 64 * P, 0600);
  volatile char *at = shmat(many, NULL, 0);
  CHECK(at != (char *)-1 && shmctl(many, IPC_RMID, NULL) == 0);
  getrusage(RUSAGE_SELF, &before);
  for (int page = 0; page < 64; page++) at[page * P] = 1;
  getrusage(RUSAGE_SELF, &after);
  SAY("writing 64 pages: %ld faults", after.ru_minflt - before.ru_minflt);
  volatile char *again = shmat(many, NULL, SHM_RDONLY);
  getrusage(RUSAGE_SELF, &before);
  for (int page = 0; page < 64; page++) CHECK(again[page * P] == 1);
  getrusage(RUSAGE_SELF, &after);
  SAY("reading them elsewhere: %ld faults", after.ru_minflt - before.ru_minflt);
}

/* exec leaves the attachment behind. */
static void exec(void)
{
  char number[16];
  int status;
  id = shmget(IPC_PRIVATE, P, 0600);
  snprintf(number, sizeof number, "%d", id);
  char *at = shmat(id, NULL, 0);
  CHECK(at != (char *)-1);
  pid_t child = fork();
  if (child == 0) {
    tell("about to exec");
    execl("/proc/self/exe", "executed", number, NULL);
    _exit(1);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  SHOW(shmctl(id, IPC_RMID, NULL));
  SHOW(shmdt(at));
  struct shmid_ds ds;
  SHOW(shmctl(id, IPC_STAT, &ds));
}

int main(int argc, char **argv)
{
  self = getpid();
  if (argc == 2 && strcmp(argv[0], "executed") == 0) {
    id = atoi(argv[1]);
    tell("executed");
    return 0;
  }
  making();
  attaching();
  pieces();
  rights();
  asking();
  ending();
  exec();
  faults();
  return 0;
}
