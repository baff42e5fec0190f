/** Arguments of the calls that move bytes from file to file, or to memory with flags (file-transfers.ts), for the generator. */
import * as fs from "../src/mm/uapi/fs.ts";
import type { ArgumentSource } from "./arguments.ts";
import type { FileTransfer } from "./file-transfers.ts";
import type { Random } from "./random.ts";
import { PIPE_FDS } from "./subject.ts";

const PAGE_SIZE = 4096;

export class TransferArguments {
  private readonly random: Random;
  private readonly from: ArgumentSource;

  constructor(random: Random, from: ArgumentSource) {
    this.random = random;
    this.from = from;
  }

  of(call: FileTransfer): number[] {
    const { random, from } = this;
    switch (call) {
      case "sendfile":
        return [this.targetDescriptor(), from.descriptor(), this.offsetOrNone(), this.length()];
      case "splice":
        return this.spliceArguments();
      case "tee":
        return [this.pipeEnd(0), this.pipeEnd(1), this.length(), this.spliceFlags()];
      case "vmsplice":
        return [
          this.pipeEnd(random.chance(75) ? 1 : 0),
          from.mappedAddress(),
          from.accessLength(),
          this.spliceFlags(),
          ...this.furtherSegments(),
        ];
      case "copy_file_range":
        return [
          from.descriptor(),
          this.offsetOrNone(),
          from.descriptor(),
          this.offsetOrNone(),
          this.length(),
          random.chance(97) ? 0 : 1,
        ];
      case "preadv2":
      case "pwritev2":
        return [
          from.descriptor(),
          from.mappedAddress(),
          from.accessLength(),
          random.chance(97) ? this.offsetOrNone() : -2,
          this.transferFlags(),
          ...this.furtherSegments(),
        ];
    }
  }

  private spliceArguments(): number[] {
    const { random, from } = this;
    const intoPipe = random.chance(50);
    const fd = from.descriptor();
    const offset = this.offsetOrNone();
    const none = random.chance(96) ? -1 : 0;
    const rest = [this.length(), this.spliceFlags()];
    return intoPipe
      ? [fd, offset, this.pipeEnd(1), none, ...rest]
      : [this.pipeEnd(0), none, fd, offset, ...rest];
  }

  private spliceFlags(): number {
    return this.random.weighted([
      [8, fs.SPLICE_F_NONBLOCK],
      [2, fs.SPLICE_F_NONBLOCK | fs.SPLICE_F_MOVE],
      [1, fs.SPLICE_F_NONBLOCK | 0x10],
    ]);
  }

  /** No RWF_NOWAIT: whether a page of a disk is cached is the host's own affair. */
  private transferFlags(): number {
    return this.random.weighted([
      [6, 0],
      [2, fs.RWF_HIPRI],
      [2, fs.RWF_APPEND],
      [2, fs.RWF_NOAPPEND],
      [1, fs.RWF_DSYNC],
      [1, fs.RWF_NOSIGNAL],
      [1, fs.RWF_APPEND | fs.RWF_NOAPPEND],
      [1, fs.RWF_ATOMIC],
      [1, 0x200],
    ]);
  }

  private furtherSegments(): number[] {
    const { random, from } = this;
    if (random.chance(60)) return [];
    // None of a length between: two gibibytes of a mapping larger than memory would be moved.
    const lengthOf = (): number => (random.chance(97) ? from.accessLength() : 2 ** 63);
    return Array.from({ length: 1 + random.below(3) }, () => [from.mappedAddress(), lengthOf()]).flat();
  }

  /** Between files. None that is wrong is so short that it would be moved. */
  private length(): number {
    return this.random.chance(98)
      ? this.from.accessLength()
      : this.random.pick([2 ** 63, 2 ** 64 - PAGE_SIZE]);
  }

  /** A place in a file, or -1 for its own position. */
  private offsetOrNone(): number {
    if (this.random.chance(2)) return -PAGE_SIZE;
    return this.random.chance(70) ? this.from.fileOffset() : -1;
  }

  /** One end of the pipes that every sequence begins with (0 for reading, 1 for writing), mostly of the first. */
  private pipeEnd(end: number): number {
    const [often, seldom] = PIPE_FDS;
    return this.random.weighted([
      [60, often + end],
      [20, seldom + end],
      [20, this.from.descriptor()],
    ]);
  }

  private targetDescriptor(): number {
    return this.random.chance(30) ? this.pipeEnd(1) : this.from.descriptor();
  }
}
