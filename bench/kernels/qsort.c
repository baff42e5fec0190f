/*
 * qsort [ROUNDS]: quicksort with a comparison function, over 50,000 integers. The sort is this file's own,
 * so that every C library runs the same one.
 * Recursion, indirect calls, branches that nobody can predict.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT 50000

typedef int compareFn(const void *, const void *);

static int compareInts(const void *a, const void *b)
{
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

static void swap(int32_t *a, int32_t *b)
{
  int32_t t = *a;
  *a = *b;
  *b = t;
}

static void sort(int32_t *low, int32_t *high, compareFn *compare)
{
  while (high - low > 8) {
    int32_t pivot = low[(high - low) / 2];
    int32_t *i = low, *j = high;
    while (i <= j) {
      while (compare(i, &pivot) < 0)
        i++;
      while (compare(j, &pivot) > 0)
        j--;
      if (i <= j)
        swap(i++, j--);
    }
    if (j - low < high - i) { /* the smaller part by recursion, the larger by the loop */
      sort(low, j, compare);
      low = i;
    } else {
      sort(i, high, compare);
      high = j;
    }
  }
  for (int32_t *i = low + 1; i <= high; i++)
    for (int32_t *j = i; j > low && compare(j - 1, j) > 0; j--)
      swap(j - 1, j);
}

static int32_t numbers[COUNT];

int main(int argc, char **argv)
{
  int rounds = argc > 1 ? atoi(argv[1]) : 40;
  compareFn *volatile compare = compareInts; /* volatile: the calls stay indirect */
  uint32_t state = 12345;
  uint64_t sum = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < COUNT; i++) {
      state = state * 1664525u + 1013904223u;
      numbers[i] = (int32_t)state;
    }
    sort(numbers, numbers + COUNT - 1, compare);
    for (int i = 1; i < COUNT; i++) {
      if (numbers[i - 1] > numbers[i]) {
        printf("qsort: out of order at %d\n", i);
        return 1;
      }
    }
    for (int i = 0; i < COUNT; i += 97)
      sum = sum * 31 + (uint32_t)numbers[i];
  }
  printf("qsort %d: %016llx\n", rounds, (unsigned long long)sum);
  return 0;
}
