/*
 * hash [ROUNDS]: an open-addressing hash table of 64-bit integers, filled and searched.
 * 64-bit multiplies, shifts and xors, loads and stores that jump about 1 MiB.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 65536u /* a power of two */
#define KEYS 40000u

struct slot {
  uint64_t key; /* 0: empty */
  uint64_t value;
};
static struct slot table[SLOTS];

/* The finaliser of splitmix64: every bit of the key reaches every bit of the hash. */
static uint64_t mix(uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static struct slot *find(uint64_t key)
{
  uint64_t i = mix(key) & (SLOTS - 1);
  while (table[i].key != 0 && table[i].key != key)
    i = (i + 1) & (SLOTS - 1);
  return &table[i];
}

int main(int argc, char **argv)
{
  int rounds = argc > 1 ? atoi(argv[1]) : 150;
  uint64_t sum = 0;
  for (int round = 0; round < rounds; round++) {
    uint64_t first = (uint64_t)round * 977 + 1;
    memset(table, 0, sizeof table);
    for (uint64_t k = 0; k < KEYS; k++) {
      struct slot *s = find(first + k * 3);
      s->key = first + k * 3;
      s->value = k ^ sum;
    }
    for (uint64_t k = 0; k < KEYS; k++) {
      const struct slot *s = find(first + k * 4); /* some are there, most are not */
      sum = sum * 31 + (s->key ? s->value : k);
    }
  }
  printf("hash %d: %016llx\n", rounds, (unsigned long long)sum);
  return 0;
}
