/*
 * A line of output for each system call: the call as it stands in the source, and what the kernel answers: a number,
 * or the name of the errno. Included by programs whose output is the same everywhere that Linux runs.
 */
#ifndef SHOW_H
#define SHOW_H

#include "check.h"

static const char *errorName(int error)
{
  switch (error) {
  case EPERM: return "EPERM";
  case ENOENT: return "ENOENT";
  case ESRCH: return "ESRCH";
  case ECHILD: return "ECHILD";
  case EIO: return "EIO";
  case ENXIO: return "ENXIO";
  case E2BIG: return "E2BIG";
  case ENOEXEC: return "ENOEXEC";
  case EBADF: return "EBADF";
  case EAGAIN: return "EAGAIN";
  case ENOMEM: return "ENOMEM";
  case EACCES: return "EACCES";
  case EFAULT: return "EFAULT";
  case EBUSY: return "EBUSY";
  case EEXIST: return "EEXIST";
  case EXDEV: return "EXDEV";
  case ENODEV: return "ENODEV";
  case ENOTDIR: return "ENOTDIR";
  case EISDIR: return "EISDIR";
  case EINVAL: return "EINVAL";
  case EMFILE: return "EMFILE";
  case ENOTTY: return "ENOTTY";
  case ETXTBSY: return "ETXTBSY";
  case EFBIG: return "EFBIG";
  case ENOSPC: return "ENOSPC";
  case ESPIPE: return "ESPIPE";
  case EROFS: return "EROFS";
  case EPIPE: return "EPIPE";
  case EOVERFLOW: return "EOVERFLOW";
  case EOPNOTSUPP: return "EOPNOTSUPP";
  case ENOSYS: return "ENOSYS";
  case EINTR: return "EINTR";
  case EDEADLK: return "EDEADLK";
  case ETIMEDOUT: return "ETIMEDOUT";
  case EOWNERDEAD: return "EOWNERDEAD";
  case ENOTRECOVERABLE: return "ENOTRECOVERABLE";
  case ECANCELED: return "ECANCELED";
  case ELOOP: return "ELOOP";
  case EMSGSIZE: return "EMSGSIZE";
  case ENOPROTOOPT: return "ENOPROTOOPT";
  case ENOTCONN: return "ENOTCONN";
  default: return strerror(error);
  }
}

/* The answer of a call; addresses, which differ, only as such. */
static void show(const char *call, long result)
{
  int error = errno;
  if (result == -1)
    SAY("%-76s %s", call, errorName(error));
  else if (result >= 0 && result <= 0x7fffffff)
    SAY("%-76s %ld", call, result);
  else
    SAY("%-76s an address", call);
}

#define SHOW(call) show(#call, (long)(call))

#endif
