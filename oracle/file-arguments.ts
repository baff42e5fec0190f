/** Arguments of the calls that open, read, write and change files by a descriptor, for the generator. */
import * as fcntl from "../src/mm/uapi/fcntl.ts";
import * as fs from "../src/mm/uapi/fs.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import type { ArgumentSource } from "./arguments.ts";
import type { CallName } from "./operation.ts";
import type { Random } from "./random.ts";
import { MEMFD_NAMES, SPECIAL_FD } from "./subject.ts";
import { EXECUTABLE_NAME, FILE_NAMES, FILE_SIZES, MISSING_NAME } from "./test-files.ts";

const PAGE_SIZE = 4096;

const FILE_CALLS = [
  "open",
  "memfd_create",
  "close",
  "dup",
  "dup2",
  "pipe2",
  "lseek",
  "seals",
  "read",
  "write",
  "pread64",
  "pwrite64",
  "peek",
  "fsync",
  "ftruncate",
  "fallocate",
  "fadvise64",
  "readahead",
] as const;

export type FileCall = (typeof FILE_CALLS)[number];

export function isAboutFiles(call: CallName): call is FileCall {
  return FILE_CALLS.some((name) => name === call);
}

export class FileArguments {
  private readonly random: Random;
  private readonly from: ArgumentSource;

  constructor(random: Random, from: ArgumentSource) {
    this.random = random;
    this.from = from;
  }

  of(call: FileCall): number[] {
    const { random, from } = this;
    switch (call) {
      case "open":
        return this.openArguments();
      case "memfd_create":
        return [
          random.below(MEMFD_NAMES.length),
          random.weighted([
            [6, 0],
            [3, mman.MFD_CLOEXEC],
            [2, mman.MFD_ALLOW_SEALING],
            [1, mman.MFD_NOEXEC_SEAL],
            [1, mman.MFD_HUGETLB],
            [1, mman.MFD_HUGETLB | mman.MFD_ALLOW_SEALING],
            [1, mman.MFD_HUGETLB | (random.pick([16, 21, 30]) << 26)],
            [1, mman.MFD_EXEC],
            [1, mman.MFD_EXEC | mman.MFD_NOEXEC_SEAL],
            [1, 0x80],
          ]),
          ...(random.chance(95) ? [] : [random.pick([2 ** 47, 2 ** 63])]),
        ];
      case "dup":
      case "close":
      case "fsync":
        return [from.descriptor()];
      case "dup2":
        return [from.descriptor(), random.chance(90) ? 9 + random.below(6) : from.descriptor()];
      case "pipe2":
        return [
          random.weighted([
            [4, fcntl.O_NONBLOCK],
            [2, fcntl.O_NONBLOCK | fcntl.O_CLOEXEC],
            [1, fcntl.O_NONBLOCK | fcntl.O_APPEND],
          ]),
        ];
      case "lseek":
        return [
          from.descriptor(),
          random.chance(90) ? from.fileOffset() : random.pick([-1, -4096, 2 ** 20]),
          random.weighted([
            [3, fcntl.SEEK_SET],
            [1, fcntl.SEEK_CUR],
            [1, fcntl.SEEK_END],
            [3, fcntl.SEEK_DATA],
            [3, fcntl.SEEK_HOLE],
            [1, 5],
          ]),
        ];
      case "seals":
        return [
          random.chance(70) ? random.pick([SPECIAL_FD + 8, 9 + random.below(4)]) : from.descriptor(),
          random.weighted([
            [4, 0],
            [3, fs.F_SEAL_SHRINK],
            [3, fs.F_SEAL_GROW],
            [2, fs.F_SEAL_WRITE],
            [3, fs.F_SEAL_FUTURE_WRITE],
            [1, fs.F_SEAL_EXEC],
            [1, fs.F_SEAL_SEAL],
            [1, fs.F_SEAL_SHRINK | fs.F_SEAL_GROW],
            [1, 0x40],
          ]),
        ];
      case "read":
      case "write":
        return [from.descriptor(), from.mappedAddress(), this.length()];
      case "pread64":
      case "pwrite64":
        return [from.descriptor(), from.mappedAddress(), this.length(), this.position(call === "pread64")];
      case "peek":
        return [from.descriptor(), from.accessLength(), from.fileOffset()];
      case "ftruncate":
        return [
          from.descriptor(),
          random.weighted([
            [85, from.fileOffset()],
            [11, random.pick(FILE_SIZES)],
            [4, random.pick([-1, -4096, 2 ** 45])],
          ]),
        ];
      case "fallocate":
        return this.fallocateArguments();
      case "fadvise64":
        return [
          from.descriptor(),
          this.position(true),
          random.chance(90) ? from.fileOffset() : random.pick([-1, 2 ** 62]),
          random.below(7),
        ];
      case "readahead":
        return [from.descriptor(), this.position(true), this.position(true)];
    }
  }

  /** Of a transfer. None is so long that it would be, and move gibibytes. */
  private length(): number {
    return this.random.chance(98) ? this.from.accessLength() : this.random.pick([2 ** 47, 2 ** 63]);
  }

  /** @param mayBeFar disks differ in how far they can be written (docs/deviations.md), not in what can be asked */
  private position(mayBeFar: boolean): number {
    const { random, from } = this;
    if (random.chance(97)) return from.fileOffset();
    return random.pick(mayBeFar ? [-1, -PAGE_SIZE, 2 ** 62] : [-1, -PAGE_SIZE]);
  }

  private openArguments(): number[] {
    const { random } = this;
    const file = random.chance(12) ? FILE_NAMES.indexOf(EXECUTABLE_NAME) : random.below(FILE_NAMES.length);
    const flags = random.weighted([
      [8, fcntl.O_RDWR],
      [4, fcntl.O_RDONLY],
      [2, fcntl.O_WRONLY],
      [2, fcntl.O_RDWR | fcntl.O_TRUNC],
      [2, fcntl.O_RDWR | fcntl.O_APPEND],
      [2, fcntl.O_RDWR | fcntl.O_DIRECT],
      [2, fcntl.O_PATH],
      [2, fcntl.O_RDONLY | fcntl.O_DIRECTORY],
      [2, fcntl.O_RDWR | fcntl.O_CLOEXEC],
      [1, fcntl.O_RDWR | fcntl.O_CREAT],
      [1, fcntl.O_RDWR | fcntl.O_CREAT | fcntl.O_EXCL],
      [1, fcntl.O_RDONLY | fcntl.O_CREAT | fcntl.O_DIRECTORY],
      [1, fcntl.O_RDONLY | fcntl.O_NOATIME],
    ]);
    // Nothing new is made.
    return [file, FILE_NAMES[file] === MISSING_NAME ? flags & ~fcntl.O_CREAT : flags];
  }

  private fallocateArguments(): number[] {
    const { random, from } = this;
    const mode = random.weighted([
      [4, 0],
      [3, fs.FALLOC_FL_KEEP_SIZE],
      [8, fs.FALLOC_FL_PUNCH_HOLE | fs.FALLOC_FL_KEEP_SIZE],
      [3, fs.FALLOC_FL_ZERO_RANGE],
      [2, fs.FALLOC_FL_ZERO_RANGE | fs.FALLOC_FL_KEEP_SIZE],
      [2, fs.FALLOC_FL_COLLAPSE_RANGE],
      [2, fs.FALLOC_FL_INSERT_RANGE],
      [1, fs.FALLOC_FL_UNSHARE_RANGE],
      [1, random.pick([fs.FALLOC_FL_PUNCH_HOLE, 4, 0x100, 0x18])],
    ]);
    if (random.chance(3))
      return [from.descriptor(), mode, 2 ** 63 - PAGE_SIZE, (1 + random.below(6)) * PAGE_SIZE];
    return [
      from.descriptor(),
      mode,
      random.chance(96) ? from.fileOffset() : random.pick([-1, -4096]),
      random.chance(60) ? (1 + random.below(6)) * PAGE_SIZE : from.accessLength(),
    ];
  }
}
