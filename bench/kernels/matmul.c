/*
 * matmul [ROUNDS]: the product of two matrices of 160 x 160 doubles. The numbers are whole and small, so
 * that each product and sum is exact, and the result the same whether or not the compiler fuses them.
 * Floating-point multiplies and adds, loads in two directions.
 */
#include <stdio.h>
#include <stdlib.h>

#define N 160

static double a[N][N], b[N][N], c[N][N];

static void multiply(void)
{
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) {
      double sum = 0;
      for (int k = 0; k < N; k++)
        sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  }
}

int main(int argc, char **argv)
{
  int rounds = argc > 1 ? atoi(argv[1]) : 60;
  double checksum = 0;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < N; j++) {
        a[i][j] = (i * 7 + j * 3 + round) % 101 - 50;
        b[i][j] = (i * 5 + j * 11 + round) % 97 - 48;
      }
    }
    multiply();
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++)
        checksum += c[i][j] * ((i + j) % 13 + 1);
  }
  printf("matmul %d: %.0f\n", rounds, checksum);
  return 0;
}
