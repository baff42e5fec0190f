/*
 * What the test programs share. Each is an ordinary Linux program: it prints what it has found in order, one
 * line each and the same on every machine, and exits with 0; the first thing that is not as Linux does it
 * is printed with its line number, and the exit status is 1.
 */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CHECK(condition): what has to be true. */
#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      int error = errno; \
      fflush(stdout); \
      fprintf(stderr, "line %d: not so: %s (errno %d, %s)\n", __LINE__, #condition, error, \
              strerror(error)); \
      _exit(1); \
    } \
  } while (0)

/* CHECK_ERRNO(call, ENAME): a system call that has to fail in this way. */
#define CHECK_ERRNO(call, expected) \
  do { \
    errno = 0; \
    long result = (long)(call); \
    if (result != -1 || errno != (expected)) { \
      int error = errno; \
      fflush(stdout); \
      fprintf(stderr, "line %d: %s is %ld with errno %d, not -1 with %s\n", __LINE__, #call, result, error, \
              #expected); \
      _exit(1); \
    } \
  } while (0)

/* A line of output, complete before anything else happens: before a fork, above all. */
#define SAY(...) \
  do { \
    printf(__VA_ARGS__); \
    printf("\n"); \
    fflush(stdout); \
  } while (0)

#endif
