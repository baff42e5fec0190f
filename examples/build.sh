#!/bin/sh
# Builds the C programs of this repository.
#
#   examples/build.sh                for riscv64, into the folders whose content stands in the repository:
#                                    examples/bin, test/programs/bin, bench/kernels/bin and bench/pressure/bin
#   examples/build.sh --native DIR   the same sources for this machine, into DIR/examples, DIR/programs
#                                    and DIR/kernels, to compare with
#
# For riscv64 it needs a cross gcc (on Debian and Ubuntu: the package gcc-riscv64-linux-gnu), or the one
# that CC names. That gcc comes with glibc. A statically linked glibc program takes 420 KiB, one with musl 30:
# so `append` and a few tests are built with glibc, the tests once more with musl, and all the rest with musl
# only. MUSL names the folder where a musl for riscv64 lies; without it only the glibc programs are built.
#
# musl for riscv64 is a package of Debian 13, musl-dev. With riscv64 as a second architecture
# (dpkg --add-architecture riscv64; apt-get update):
#
#   apt-get download musl-dev:riscv64 && dpkg-deb -x musl-dev_*_riscv64.deb musl
#   MUSL=$PWD/musl examples/build.sh
#
# On another release, give apt a configuration of its own (the environment variable APT_CONFIG) with
# APT::Architecture "riscv64", its own Dir::Etc, Dir::State, Dir::State::status (an empty file) and
# Dir::Cache, and the suite "trixie" in its sources.list; nothing of the machine itself changes.
#
# The same compiler makes the same bytes, wherever the repository lies. What stands in the repository
# was made by Debian's gcc 12.2.0, binutils 2.40 and glibc 2.36, with Debian's musl 1.2.5.
set -eu
here=$PWD
cd "$(dirname "$0")/.."

EXAMPLES='append four-mappings cow pingpong count-lines sigbus fork-snapshot larger-than-ram'
TESTS='hello args-env-auxv stack-growth segv-handler signals fork-wait malloc-stress file-io links mmap-errors
  float setjmp qsort pipe time madvise proc-self waiting timers advice vector-io fallocate transfer file-states
  sysv-shm clone capabilities faults layout pidfd proc-status epoll threads futex sched thread-signals sockets file-locks fifo
  thread-memory event-clocks thread-proc messages groups openat2 xattr hugetlb pty pty-edges cachestat mdwe nodes
  socket-edges waiting-files async-io self-connect termio turns sysv-msg names sysv-sem xattr-tmpfs unshare credentials
  interfaces ioprio newcomers clocks set-time beginnings file-ioctls options mounts set-names
  timer-signals cork shared-times packet-info packet-head mempolicy gone-leader size-limit thread-pidfd pid-numbers nproc'
KERNELS='hash sieve qsort matmul crc32 memory'

# These are built with glibc: an example under its own name, a test as NAME-glibc beside the one with musl.
GLIBC_EXAMPLES='append'
GLIBC_TESTS='hello signals malloc-stress file-io float qsort threads'

# What changes the meaning of a program is the same everywhere: no fused multiply-add that isn't written, and
# no floating-point operation moved over a change of the rounding mode. Kernels aren't vectorised, since
# RV64GC has no vectors.
COMMON='-std=gnu11 -O2 -Wall -Wextra'
TEST_FLAGS='-ffp-contract=off -frounding-math'
KERNEL_FLAGS='-fno-tree-vectorize'

# Small, and the same each time: stripped, without the compiler's name or a build id. Sources are named from
# the root of the repository, so that its own place is in none of them.
SMALL='-static -s -fno-ident -Wl,--build-id=none -ffile-prefix-map=./='

# native OUTPUT SOURCE [FLAG…]
native() {
  out=$1; shift
  "${CC:-cc}" $COMMON -o "$out" "$@" -lm
}

# glibc OUTPUT SOURCE [FLAG…]
glibc() {
  out=$1; shift
  "$CC" $COMMON $SMALL -o "$out" "$@" -lm
  ls -l "$out"
}

# musl OUTPUT SOURCE [FLAG…]: gcc's own headers (stddef.h and such) and libgcc, everything else musl's.
musl() {
  [ "$MUSL" ] || return 0
  out=$1; shift
  lib=$MUSL/usr/lib/riscv64-linux-musl
  "$CC" $COMMON $SMALL -nostdinc -isystem "$MUSL/usr/include/riscv64-linux-musl" \
    -isystem "$("$CC" -print-file-name=include)" -nostdlib -o "$out" "$lib/crt1.o" "$lib/crti.o" "$@" \
    -Wl,--start-group "$lib/libc.a" -lgcc -Wl,--end-group "$lib/crtn.o"
  ls -l "$out"
}

if [ "${1-}" = --native ]; then
  to=${2:?a folder for the programs}
  case $to in /*) ;; *) to=$here/$to ;; esac
  mkdir -p "$to/examples" "$to/programs" "$to/kernels"
  for name in $EXAMPLES; do native "$to/examples/$name" "examples/$name/$name.c"; done
  for name in $TESTS; do native "$to/programs/$name" "test/programs/$name.c" $TEST_FLAGS -static; done
  for name in $KERNELS; do native "$to/kernels/$name" "bench/kernels/$name.c" $KERNEL_FLAGS; done
  exit
fi

CC=${CC:-riscv64-linux-gnu-gcc}
case ${MUSL-} in '' | /*) ;; *) MUSL=$here/$MUSL ;; esac
MUSL=${MUSL-}
[ "$MUSL" ] || echo "MUSL is not set: only the programs with glibc are built (this file tells how)" >&2
mkdir -p examples/bin test/programs/bin bench/kernels/bin bench/pressure/bin

for name in $EXAMPLES; do
  case " $GLIBC_EXAMPLES " in
  *" $name "*) glibc "examples/bin/$name" "examples/$name/$name.c" ;;
  *) musl "examples/bin/$name" "examples/$name/$name.c" ;;
  esac
done
for name in $TESTS; do musl "test/programs/bin/$name" "test/programs/$name.c" $TEST_FLAGS; done
for name in $GLIBC_TESTS; do glibc "test/programs/bin/$name-glibc" "test/programs/$name.c" $TEST_FLAGS; done
for name in $KERNELS; do musl "bench/kernels/bin/$name" "bench/kernels/$name.c" $KERNEL_FLAGS; done
musl bench/pressure/bin/patterns bench/pressure/patterns.c
musl test/cli/four-times-ram/four-times-ram test/cli/four-times-ram/four-times-ram.c $TEST_FLAGS
musl test/machine/hostile/hostile test/machine/hostile/hostile.c
musl test/cli/loopback test/cli/loopback.c -D_GNU_SOURCE
