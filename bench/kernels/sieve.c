/*
 * sieve [ROUNDS]: the sieve of Eratosthenes over a million bytes.
 * Byte stores in long strides, simple loops.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 1000000

static unsigned char composite[LIMIT];

static int sieve(void)
{
  memset(composite, 0, sizeof composite);
  int count = 0;
  for (int n = 2; n < LIMIT; n++) {
    if (composite[n])
      continue;
    count++;
    for (long long m = (long long)n * n; m < LIMIT; m += n)
      composite[m] = 1;
  }
  return count;
}

int main(int argc, char **argv)
{
  int rounds = argc > 1 ? atoi(argv[1]) : 60;
  long long sum = 0;
  for (int round = 0; round < rounds; round++)
    sum += sieve() + round;
  printf("sieve %d: %lld\n", rounds, sum);
  return 0;
}
