/*
 * host-mappings COUNT...: what the host's kernel takes to map, fault and unmap in a process of COUNT mappings, for each
 * COUNT. Prints JSON: nanoseconds by operation and count. The same steps as suites/mappings.ts.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE = 4096, OPERATIONS = 2000, ROUNDS = 7, KINDS = 4 };

static const char *const NAMES[KINDS] = {"map", "fault", "replace", "search"};
static unsigned state;

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* Neighbours differ in protection, so that they don't merge. */
static void map(char *base, long index)
{
	int prot = index % 2 ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
	must(mmap(base + index * PAGE, PAGE, prot, flags, -1, 0) != MAP_FAILED, "mmap");
}

/* Any writable mapping. */
static long pick(long count)
{
	state = state * 1664525u + 1013904223u;
	return (long)((double)state / 4294967296.0 * (count / 2)) * 2 + 1;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void report(const char *name, double *samples, int n, int last)
{
	qsort(samples, n, sizeof *samples, ascending);
	printf("\"%s\":{\"median\":%.1f,\"min\":%.1f}%s", name, samples[n / 2], samples[0], last ? "" : ",");
}

static void measure(long count)
{
	static double samples[KINDS][ROUNDS];
	char *base = mmap(NULL, count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(base != MAP_FAILED, "mmap");
	double start = now();
	for (long i = 0; i < count; i++)
		map(base, i);
	samples[0][0] = (now() - start) / count;
	for (int round = 0; round < ROUNDS; round++) {
		state = round;
		start = now();
		for (int i = 0; i < OPERATIONS; i++)
			*(volatile char *)(base + pick(count) * PAGE) = 1;
		samples[1][round] = (now() - start) / OPERATIONS;
		must(madvise(base, count * PAGE, MADV_DONTNEED) == 0, "madvise");
		start = now();
		for (int i = 0; i < OPERATIONS; i++) {
			long index = pick(count);
			must(munmap(base + index * PAGE, PAGE) == 0, "munmap");
			map(base, index);
		}
		samples[2][round] = (now() - start) / OPERATIONS;
		start = now();
		for (int i = 0; i < OPERATIONS; i++) {
			char *at = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
			must(at != MAP_FAILED, "mmap");
			must(munmap(at, 3 * PAGE) == 0, "munmap");
		}
		samples[3][round] = (now() - start) / OPERATIONS;
	}
	must(munmap(base, count * PAGE) == 0, "munmap");
	for (int kind = 0; kind < KINDS; kind++)
		report(NAMES[kind], samples[kind], kind == 0 ? 1 : ROUNDS, kind == KINDS - 1);
}

int main(int argc, char **argv)
{
	printf("{");
	for (int i = 1; i < argc; i++) {
		printf("%s\"%s\":{", i > 1 ? "," : "", argv[i]);
		measure(atol(argv[i]));
		printf("}");
	}
	printf("}\n");
	return 0;
}
