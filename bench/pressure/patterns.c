/*
 * patterns PATTERN LIMIT [FILE]: uses memory in one of eleven ways, against a limit of LIMIT bytes that somebody
 * else sets, and prints what it cost: faults (its own and its children's), pages swapped in and out and other counters of
 * reclaim (of the whole system), from behind its start to its end, as one line of JSON.
 *
 * Every word that is written is known from its page's number and how often the page was written, and is checked when it
 * is read: a wrong byte ends the program with status 1. FILE is at least 4 x LIMIT long, and holds
 * at each page's start the page's number; only the patterns on files need it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

/* Lines of /proc/vmstat that say what reclaim and swap did. */
static const char *const counters[] = {
    "pswpin",          "pswpout",         "pgscan_anon",           "pgscan_file",
    "pgsteal_anon",    "pgsteal_file",    "pgrefill",              "pgactivate",
    "pgdeactivate",    "swap_ra",         "swap_ra_hit",           "workingset_refault_anon",
    "workingset_refault_file", "workingset_activate_anon", "workingset_activate_file",
};
#define COUNTERS ((int)(sizeof counters / sizeof *counters))

struct cost {
  long majflt, minflt, counter[COUNTERS];
};

static long limit_pages;
static const char *file_name;
static uint64_t state = 88172645463325252u;

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static long below(long n) {
  return (long)((next_random() >> 20) % (uint64_t)n);
}

static void fail(const char *what, long page) {
  fprintf(stderr, "%s, page %ld\n", what, page);
  _exit(1);
}

/* Pages with what was last written to each: the number of the page, and how often. */
struct pages {
  char *at;
  uint32_t *written;
  long count;
};

static struct pages new_pages(long count, int flags) {
  struct pages pages = {mmap(0, count * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0),
                        calloc(count, sizeof(uint32_t)), count};
  if (pages.at == MAP_FAILED || pages.written == 0) fail("no memory", count);
  return pages;
}

static void write_page(struct pages *pages, long i) {
  uint64_t *word = (uint64_t *)(pages->at + i * PAGE);
  pages->written[i]++;
  word[0] = i;
  word[PAGE / 8 - 1] = pages->written[i];
}

static void read_page(struct pages *pages, long i) {
  uint64_t *word = (uint64_t *)(pages->at + i * PAGE);
  if (pages->written[i] == 0 ? word[0] != 0 : word[0] != (uint64_t)i) fail("wrong start", i);
  if (word[PAGE / 8 - 1] != pages->written[i]) fail("wrong end", i);
}

static void fill(struct pages *pages) {
  for (long i = 0; i < pages->count; i++) write_page(pages, i);
}

static void read_all(struct pages *pages) {
  for (long i = 0; i < pages->count; i++) read_page(pages, i);
}

static void read_or_write(struct pages *pages, long i) {
  read_page(pages, i);
  if (below(2) == 0) write_page(pages, i);
}

static void sequential(void) {
  struct pages pages = new_pages(2 * limit_pages, MAP_PRIVATE);
  fill(&pages);
  for (int pass = 0; pass < 3; pass++) read_all(&pages);
}

static void uniform(void) {
  struct pages pages = new_pages(2 * limit_pages, MAP_PRIVATE);
  fill(&pages);
  for (long n = 3 * pages.count; n > 0; n--) read_or_write(&pages, below(pages.count));
}

/* Rank r is used in proportion to 1/r; the ranks lie all over the memory. */
static void zipf(void) {
  struct pages pages = new_pages(4 * limit_pages, MAP_PRIVATE);
  double log_count = log((double)pages.count);
  fill(&pages);
  for (long n = 6 * pages.count; n > 0; n--) {
    long rank = (long)exp(log_count * ((double)below(1L << 30) / (1L << 30)));
    read_or_write(&pages, rank * 7919 % pages.count);
  }
}

static void loop(void) {
  struct pages pages = new_pages(limit_pages * 11 / 10, MAP_PRIVATE);
  fill(&pages);
  for (int pass = 0; pass < 10; pass++) read_all(&pages);
}

/* Up to three times the limit deep, back by half, up again: what is on top is used most. */
static void stack(void) {
  struct pages pages = new_pages(3 * limit_pages, MAP_PRIVATE);
  long top = 0;
  for (int swing = 0; swing < 6; swing++) {
    for (; top < pages.count; top++) write_page(&pages, top);
    for (; top > pages.count / 2; top--) read_page(&pages, top - 1);
  }
}

static char *map_file(long count, int flags) {
  int fd = open(file_name, O_RDWR);
  char *at = mmap(0, count * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (fd < 0 || at == MAP_FAILED) fail("no file", count);
  close(fd);
  return at;
}

static void read_file_page(const char *at, long i) {
  if (*(const uint64_t *)(at + i * PAGE) != (uint64_t)i) fail("wrong page of the file", i);
}

static void file_scan(void) {
  struct pages hot = new_pages(limit_pages / 2, MAP_PRIVATE);
  long count = 4 * limit_pages;
  char *at = map_file(count, MAP_SHARED);
  fill(&hot);
  for (int pass = 0; pass < 3; pass++) {
    for (long i = 0; i < count; i++) {
      read_file_page(at, i);
      read_or_write(&hot, below(hot.count));
    }
  }
}

static void file_loop(void) {
  long count = limit_pages * 3 / 2;
  char *at = map_file(count, MAP_SHARED);
  for (int pass = 0; pass < 5; pass++)
    for (long i = 0; i < count; i++) read_file_page(at, i);
}

static void file_random(void) {
  long count = 3 * limit_pages;
  char *at = map_file(count, MAP_SHARED);
  for (long n = 4 * count; n > 0; n--) read_file_page(at, below(count));
}

/* The child writes half of what it shares with its parent, both read everything. */
static void forked(void) {
  struct pages pages = new_pages(limit_pages, MAP_PRIVATE);
  int status;
  fill(&pages);
  pid_t child = fork();
  if (child == 0) {
    for (long i = 0; i < pages.count; i += 2) write_page(&pages, i);
    read_all(&pages);
    read_all(&pages);
    _exit(0);
  }
  if (waitpid(child, &status, 0) != child || status != 0) fail("the child failed", status);
  read_all(&pages);
  read_all(&pages);
}

static void shared(void) {
  struct pages pages = new_pages(2 * limit_pages, MAP_SHARED);
  fill(&pages);
  for (int pass = 0; pass < 3; pass++) read_all(&pages);
}

/* What is worked on changes three times, and comes back in the end. */
static void phases(void) {
  struct pages pages = new_pages(2 * limit_pages, MAP_PRIVATE);
  long size = limit_pages * 3 / 4;
  fill(&pages);
  for (int phase = 0; phase < 4; phase++) {
    long from = phase % 3 * (pages.count - size) / 2;
    for (long n = 6 * size; n > 0; n--) read_or_write(&pages, from + below(size));
  }
}

static const struct {
  const char *name;
  void (*run)(void);
} patterns[] = {
    {"sequential", sequential}, {"random", uniform},       {"zipf", zipf},
    {"loop", loop},             {"stack", stack},          {"file-scan", file_scan},
    {"file-loop", file_loop},   {"file-random", file_random}, {"fork", forked},
    {"shared", shared},         {"phases", phases},
};

/* A counter of /proc/vmstat, read without memory of its own. */
static long vmstat(const char *text, const char *name) {
  size_t length = strlen(name);
  for (const char *line = text; line != 0; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncmp(line, name, length) == 0 && line[length] == ' ') return atol(line + length);
  }
  return 0;
}

static struct cost cost_so_far(void) {
  static char text[32768];
  struct rusage self, children;
  int fd = open("/proc/vmstat", O_RDONLY);
  size_t length = 0;
  for (ssize_t n; (n = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += n;
  text[length] = 0;
  close(fd);
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &children);
  struct cost cost = {self.ru_majflt + children.ru_majflt, self.ru_minflt + children.ru_minflt, {0}};
  for (int i = 0; i < COUNTERS; i++) cost.counter[i] = vmstat(text, counters[i]);
  return cost;
}

int main(int argc, char **argv) {
  if (argc < 3) fail("usage: patterns PATTERN LIMIT [FILE]", 0);
  limit_pages = atol(argv[2]) / PAGE;
  file_name = argc > 3 ? argv[3] : "";
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    if (strcmp(patterns[i].name, argv[1]) != 0) continue;
    struct cost before = cost_so_far();
    patterns[i].run();
    struct cost after = cost_so_far();
    printf("{\"pattern\":\"%s\",\"majflt\":%ld,\"minflt\":%ld", argv[1], after.majflt - before.majflt,
           after.minflt - before.minflt);
    for (int c = 0; c < COUNTERS; c++) printf(",\"%s\":%ld", counters[c], after.counter[c] - before.counter[c]);
    printf("}\n");
    return 0;
  }
  fail("no such pattern", 0);
}
