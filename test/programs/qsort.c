/* The C library's own qsort and bsearch, over elements of several sizes. */
#include "check.h"
#include <stdint.h>

static uint32_t state = 1;
static uint32_t random32(void) { return state = state * 1664525u + 1013904223u; }

struct record {
  char name[20];
  int number;
  double weight;
};

static int byInt(const void *a, const void *b)
{
  int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}
static int byByte(const void *a, const void *b) { return *(const unsigned char *)a - *(const unsigned char *)b; }
static int byName(const void *a, const void *b) { return strcmp(((const struct record *)a)->name, ((const struct record *)b)->name); }
static int byWeight(const void *a, const void *b)
{
  double x = ((const struct record *)a)->weight, y = ((const struct record *)b)->weight;
  return (x > y) - (x < y);
}

static int numbers[20000];
static unsigned char bytes[3001];
static struct record records[5000];

int main(void)
{
  long long sum = 0, after = 0;
  for (int i = 0; i < 20000; i++)
    sum += numbers[i] = (int)random32();
  qsort(numbers, 20000, sizeof *numbers, byInt);
  for (int i = 0; i < 20000; i++) {
    after += numbers[i];
    CHECK(i == 0 || numbers[i - 1] <= numbers[i]);
  }
  CHECK(sum == after);
  SAY("20000 integers from %d to %d", numbers[0], numbers[19999]);
  for (int i = 0; i < 20000; i += 37) {
    const int *found = bsearch(&numbers[i], numbers, 20000, sizeof *numbers, byInt);
    CHECK(found && *found == numbers[i]);
  }
  int missing = numbers[500] + 1;
  CHECK(numbers[501] == missing || bsearch(&missing, numbers, 20000, sizeof *numbers, byInt) == NULL);
  SAY("found again");

  for (int i = 0; i < 3001; i++)
    bytes[i] = (unsigned char)(random32() >> 24);
  qsort(bytes, 3001, 1, byByte);
  for (int i = 1; i < 3001; i++)
    CHECK(bytes[i - 1] <= bytes[i]);
  SAY("3001 bytes");

  for (int i = 0; i < 5000; i++) {
    records[i].number = i;
    records[i].weight = random32() / 7.0;
    snprintf(records[i].name, sizeof records[i].name, "%08x", random32());
  }
  qsort(records, 5000, sizeof *records, byName);
  for (int i = 1; i < 5000; i++)
    CHECK(strcmp(records[i - 1].name, records[i].name) <= 0);
  SAY("5000 records by name: %s to %s", records[0].name, records[4999].name);
  qsort(records, 5000, sizeof *records, byWeight);
  for (int i = 1; i < 5000; i++)
    CHECK(records[i - 1].weight <= records[i].weight);
  SAY("by weight: %.3f to %.3f", records[0].weight, records[4999].weight);
  return 0;
}
