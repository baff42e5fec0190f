/*
 * larger-than-ram [MIB]
 *
 * A table that is larger than memory, added up along its rows and along its columns: the same numbers, the same sums, but
 * not the same work. A row is one page. Along the rows each page is in memory for one visit, and is used up in it;
 * along the columns every visit takes one number of a page, and by the time that the next column wants that page again
 * it has been swapped out for others. The counter of page faults that had to read from swap (ru_majflt) shows it.
 *
 *   faultline run --ram 4M --swap 32M examples/bin/larger-than-ram 8
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define COLUMNS 512 /* of 8 bytes: a page */
#define SUMMED 4    /* columns that are added up, one after the other */

static size_t rows;
static uint64_t (*table)[COLUMNS];

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static long faultsSoFar(void)
{
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) < 0)
    fail("getrusage");
  return usage.ru_majflt;
}

/* No page of the table is zero, or like another one: each has to be kept as it is. */
static uint64_t number(uint64_t row, uint64_t column)
{
  uint64_t x = (row * COLUMNS + column + 1) * 0x9e3779b97f4a7c15u;
  return x ^ x >> 32;
}

static void tell(const char *what, long before)
{
  printf("%-22s %6ld major faults\n", what, faultsSoFar() - before);
}

int main(int argc, char **argv)
{
  size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 8;
  if (mib < 1 || mib > 65536) {
    fprintf(stderr, "usage: larger-than-ram [MIB]\n");
    return 2;
  }
  rows = (mib << 20) / sizeof *table;
  table = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (table == MAP_FAILED)
    fail("mmap");

  long before = faultsSoFar();
  for (size_t row = 0; row < rows; row++)
    for (size_t column = 0; column < COLUMNS; column++)
      table[row][column] = number(row, column);
  tell("written by rows", before);

  before = faultsSoFar();
  uint64_t byRows = 0;
  for (size_t row = 0; row < rows; row++)
    for (size_t column = 0; column < SUMMED; column++)
      byRows += table[row][column];
  tell("added up by rows", before);

  before = faultsSoFar();
  uint64_t byColumns = 0;
  for (size_t column = 0; column < SUMMED; column++)
    for (size_t row = 0; row < rows; row++)
      byColumns += table[row][column];
  tell("added up by columns", before);

  uint64_t wanted = 0;
  for (size_t row = 0; row < rows; row++)
    for (size_t column = 0; column < SUMMED; column++)
      wanted += number(row, column);
  int isRight = byRows == wanted && byColumns == wanted;
  printf("%zu MiB, %zu rows: sums %s\n", mib, rows, isRight ? "right" : "WRONG");
  return isRight ? 0 : 1;
}
