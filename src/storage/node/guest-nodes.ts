/**
 * Named pipes and sockets that the guest makes in a directory of the host.
 *
 * Such a name is a place where processes meet, and those of the guest can meet nobody of the host's there. So the host
 * never hears of it: these names stand in memory beside the directory's own, hide what the host gets under the same name
 * later, and are gone with the mount.
 *
 * Invariant: a directory with such names is held (igrab), so that it stays the same inode while nobody uses it; `#names` is
 * their number in all directories, which a program can't raise without bound.
 */
import { ENOSPC, EPERM } from "../../mm/uapi/errno.ts";
import { S_IFIFO, S_IFMT, S_IFSOCK, S_ISGID } from "../../mm/uapi/fcntl.ts";
import { type Credentials, Inode, igrab, iput } from "../../mm/vfs/inode.ts";
import { fifoOps, openFifo } from "../../mm/vfs/pipe-file.ts";
import type { MountContext } from "../../mm/vfs/super-block.ts";
import type { NodeSuperBlock } from "./node-fs.ts";
import type { NodeInode } from "./node-inode.ts";

/** Numbers from here on are no host's, nor those that files of its other devices get. */
const FIRST_INO = 2 ** 49;

const NONE: ReadonlyMap<string, GuestNode> = new Map();

export class GuestNode extends Inode {
  declare readonly sb: NodeSuperBlock;
}

export class GuestNodes {
  readonly #sb: NodeSuperBlock;
  readonly #byDirectory: Map<NodeInode, Map<string, GuestNode>> = new Map();
  readonly #fifoInodeOps: Inode["ops"];
  readonly #maxNames: number;
  #names = 0;
  #nextIno = FIRST_INO;

  constructor(sb: NodeSuperBlock, { phys }: MountContext) {
    this.#sb = sb;
    this.#fifoInodeOps = { open: openFifo(phys) };
    // As many as a tmpfs of this machine may have.
    this.#maxNames = Math.floor(phys.totalFrames / 2);
  }

  /** The names in a directory, in order of creation. */
  in(dir: NodeInode): ReadonlyMap<string, GuestNode> {
    return this.#byDirectory.get(dir) ?? NONE;
  }

  /** Devices would lead out of the machine: EPERM, as without CAP_MKNOD. */
  make(dir: NodeInode, name: string, mode: number, owner: Credentials): GuestNode | number {
    const type = mode & S_IFMT;
    if (type !== S_IFIFO && type !== S_IFSOCK) return -EPERM;
    if (this.#names >= this.#maxNames) return -ENOSPC;
    const isFifo = type === S_IFIFO;
    // A socket can't be opened, which the VFS knows.
    const [ops, fops] = isFifo ? [this.#fifoInodeOps, fifoOps] : [{}, {}];
    const node = new GuestNode(this.#sb, this.#nextIno++, mode, ops, fops);
    node.uid = owner.uid;
    node.gid = (dir.mode & S_ISGID) !== 0 ? dir.gid : owner.gid;
    node.nlink = 0;
    node.ctimeNs = this.#sb.now();
    node.atimeNs = node.ctimeNs;
    node.mtimeNs = node.ctimeNs;
    this.link(node, dir, name);
    return node;
  }

  link(node: GuestNode, dir: NodeInode, name: string): number {
    if (this.#names >= this.#maxNames) return -ENOSPC;
    let names = this.#byDirectory.get(dir);
    if (names === undefined) {
      names = new Map();
      this.#byDirectory.set(dir, names);
      igrab(dir);
    }
    names.set(name, node);
    this.#names++;
    node.nlink++;
    node.ctimeNs = this.#sb.now();
    return 0;
  }

  unlink(node: GuestNode, dir: NodeInode, name: string): void {
    const names = this.#byDirectory.get(dir);
    if (names?.get(name) !== node) return;
    names.delete(name);
    this.#names--;
    node.nlink--;
    node.ctimeNs = this.#sb.now();
    if (names.size > 0) return;
    this.#byDirectory.delete(dir);
    iput(dir);
  }
}
