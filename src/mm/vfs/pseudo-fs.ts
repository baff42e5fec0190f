/**
 * File systems that only the kernel uses (init_pseudo, fs/libfs.c): their inodes need a home, a device number and a clock,
 * but no path leads to them. Pipes and standard streams live in one each.
 */
import type { FileOperations } from "./file.ts";
import { Inode } from "./inode.ts";
import type { FileSystem, MountContext, SuperBlock } from "./super-block.ts";

export class PseudoSuperBlock implements SuperBlock {
  readonly fsName: string;
  readonly magic: number;
  readonly dev: number;
  readonly now: () => number;
  readonly root: Inode;
  /** SB_I_NOEXEC */
  readonly noExec = true;
  /** Number of the next inode; the root has 1. */
  nextIno = 2;

  constructor(context: MountContext, fsName: string, magic: number, mode: number, ops: FileOperations) {
    this.fsName = fsName;
    this.magic = magic;
    this.dev = context.dev;
    this.now = context.now;
    this.root = new Inode(this, 1, mode, {}, ops);
  }

  /** There is no storage. */
  sync(): number {
    return 0;
  }
}

/** A file system called `name` of inodes of one kind: S_IF… `mode`, used through `ops`. */
export function pseudoFs(name: string, magic: number, mode: number, ops: FileOperations): FileSystem {
  return { name, mount: (context) => new PseudoSuperBlock(context, name, magic, mode, ops) };
}
