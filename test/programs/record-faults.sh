#!/bin/sh
# Records how many faults faults.c counts on this host, for the machine to be compared with:
#
#   test/programs/record-faults.sh            the files of the program on tmpfs (/dev/shm): expected/faults.txt
#   test/programs/record-faults.sh --disk     as root, on ext4 with data=journal over a loop device with a readahead
#                                             of 128 KiB: expected-journal/faults.txt
#
# Both keep one page in each folio of the page cache, as Faultline does; other disk file systems, and ext4 in its other
# modes, take larger ones since Linux 6.16. A disk answers sooner or later, and what it has read by the time of the next
# fault differs: of several runs, the one with the fewest faults counts, in which every read came in time.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
mounted=
cleanup() {
  [ -z "$mounted" ] || umount "$scratch/mnt"
  rm -rf "$scratch"
}
trap cleanup EXIT
"${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra -static -o "$scratch/faults" faults.c

# For each case the line with the fewest faults of ten runs; cases in the order of the program.
fewest() {
  for run in 1 2 3 4 5 6 7 8 9 10; do "$scratch/faults" -d "$1"; done | awk '
    !($1 in best) { order[++count] = $1 }
    !($1 in best) || $2 + $4 < best[$1] { best[$1] = $2 + $4; line[$1] = $0 }
    END { for (i = 1; i <= count; i++) print line[order[i]]; print "exit 0" }'
}

if [ "${1-}" != --disk ]; then
  fewest /dev/shm >expected/faults.txt
  exit
fi

truncate -s 64M "$scratch/image"
mkfs.ext4 -q "$scratch/image"
mkdir "$scratch/mnt"
mount -o loop,data=journal "$scratch/image" "$scratch/mnt"
mounted=yes
device=$(findmnt -no SOURCE "$scratch/mnt")
echo 128 >"/sys/block/$(basename "$device")/queue/read_ahead_kb"
mkdir -p expected-journal
fewest "$scratch/mnt" >expected-journal/faults.txt
