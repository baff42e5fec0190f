/*
 * crc32 [ROUNDS]: the CRC-32 of Ethernet and zip, by table, a byte at a time, over 256 KiB.
 * A chain of dependent loads, shifts and xors of 32 bits.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LENGTH 262144

static uint32_t table[256];
static unsigned char data[LENGTH];

static void makeTable(void)
{
  for (uint32_t n = 0; n < 256; n++) {
    uint32_t c = n;
    for (int bit = 0; bit < 8; bit++)
      c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
    table[n] = c;
  }
}

static uint32_t crc32(uint32_t crc, const unsigned char *bytes, int length)
{
  crc = ~crc;
  for (int i = 0; i < length; i++)
    crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
  return ~crc;
}

int main(int argc, char **argv)
{
  int rounds = argc > 1 ? atoi(argv[1]) : 250;
  makeTable();
  for (int i = 0; i < LENGTH; i++)
    data[i] = (unsigned char)(i * 31 + (i >> 8));
  uint32_t crc = 0;
  for (int round = 0; round < rounds; round++)
    crc = crc32(crc, data, LENGTH);
  printf("crc32 %d: %08x\n", rounds, crc);
  return 0;
}
