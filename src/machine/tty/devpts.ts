/** Where programs find terminals: /dev/ptmx and /dev/tty, and /dev/pts with a node for each slave (fs/devpts). */

import type { DeviceNode } from "../../mm/shmem/dev-fs.ts";
import { EIO, ENOENT } from "../../mm/uapi/errno.ts";
import { O_ACCMODE, O_NOCTTY, O_RDWR, S_IFCHR, S_IFDIR } from "../../mm/uapi/fcntl.ts";
import { makedev } from "../../mm/uapi/fs.ts";
import { openDevice } from "../../mm/vfs/char-device.ts";
import { dDelete, newPseudoDentry } from "../../mm/vfs/dentry.ts";
import { File, type FileOperations, FMODE_READ, FMODE_WRITE } from "../../mm/vfs/file.ts";
import { type DirEntry, dirEntryType, Inode, type InodeOperations } from "../../mm/vfs/inode.ts";
import type { MountNamespace } from "../../mm/vfs/mount.ts";
import { pseudoFs } from "../../mm/vfs/pseudo-fs.ts";
import { genericLlseek } from "../../mm/vfs/read-write.ts";
import type { FileSystem, MountContext, SuperBlock } from "../../mm/vfs/super-block.ts";
import { attach, type PtySlave, type Terminals } from "./terminals.ts";
import type { Tty } from "./tty.ts";
import { ttyFileOps } from "./tty-file.ts";

const DEVPTS_SUPER_MAGIC = 0x1cd1;
/** Major number of /dev/tty, /dev/console and /dev/ptmx (TTYAUX_MAJOR). */
const TTYAUX_MAJOR = 5;
const TTY_DEV = makedev(TTYAUX_MAJOR, 0);
const PTMX_DEV = makedev(TTYAUX_MAJOR, 2);
/** As distributions mount it: for the group that may write to terminals. */
const TTY_GID = 5;
const SLAVE_MODE = S_IFCHR | 0o620;
/** Number of the inode of slave 0; 2 is ptmx. */
const FIRST_INO = 3;

/** Where the console's inode lives when no /dev/pts is mounted. */
const CONSOLE_FS = pseudoFs("devpts", DEVPTS_SUPER_MAGIC, S_IFDIR | 0o755, {});
const DEVICE: InodeOperations = { open: openDevice };

function masterOps(terminals: Terminals): FileOperations {
  return { ...ttyFileOps(terminals), open: (file) => terminals.openMaster(file) };
}

function slaveOps(terminals: Terminals, index: number): FileOperations {
  return { ...ttyFileOps(terminals), open: (file, flags) => terminals.openSlave(file, index, flags) };
}

/** The console, open for one of the standard descriptors: under its name, whether that can be found or not. */
export function newConsoleFile(mounts: MountNamespace, terminals: Terminals, tty: Tty): File {
  const slave = [...terminals.slaves.values()].find((one) => one.tty === tty);
  let inode = slave === undefined ? undefined : terminals.inodeOf?.(slave);
  if (inode === undefined) {
    const sb = mounts.kernMount(CONSOLE_FS);
    inode = new Inode(sb, FIRST_INO, SLAVE_MODE, DEVICE, slaveOps(terminals, slave?.index ?? 0));
    inode.rdev = tty.rdev;
  }
  const file = newSlaveFile(inode, slave?.index ?? 0, O_RDWR);
  attach(file, tty);
  return file;
}

/** A slave as an open file, by its own name and past what any path would say. */
function newSlaveFile(inode: Inode, index: number, flags: number): File {
  const mode = ((flags & O_ACCMODE) + 1) & (FMODE_READ | FMODE_WRITE);
  return new File(newPseudoDentry(`${index}`, inode, `/dev/pts/${index}`), inode, mode, flags, 0);
}

/** TIOCGPTPEER. An open file, or a negative errno. */
export function openPeer(terminals: Terminals, slave: PtySlave, flags: number): File | number {
  const inode = terminals.inodeOf?.(slave);
  if (inode === undefined) return -EIO;
  const file = newSlaveFile(inode, slave.index, flags & ~O_NOCTTY);
  const failed = terminals.openSlave(file, slave.index, flags);
  if (failed === 0) return file;
  file.put();
  return failed;
}

/** For devFs. */
export function terminalNodes(terminals: Terminals): readonly DeviceNode[] {
  const tty = { ...ttyFileOps(terminals), open: terminals.openControlling.bind(terminals) };
  return [
    { name: "tty", dev: TTY_DEV, mode: 0o666, fops: tty },
    { name: "ptmx", dev: PTMX_DEV, mode: 0o666, fops: masterOps(terminals) },
  ];
}

/** Ready to be mounted at /dev/pts, once. */
export function devPtsFs(terminals: Terminals): FileSystem {
  return { name: "devpts", mount: (context) => new DevPtsSuperBlock(context, terminals) };
}

/** Owner of its inodes: that of a slave is there as long as the slave. */
class DevPtsSuperBlock implements SuperBlock {
  readonly fsName = "devpts";
  readonly magic: number = DEVPTS_SUPER_MAGIC;
  readonly dev: number;
  readonly now: () => number;
  readonly root: Inode;
  readonly noExec = true;
  readonly #terminals: Terminals;
  readonly #inodes: Map<PtySlave, Inode> = new Map();
  readonly #ptmx: Inode;

  constructor({ dev, now }: MountContext, terminals: Terminals) {
    this.dev = dev;
    this.now = now;
    this.#terminals = terminals;
    const directory: InodeOperations = {
      lookup: (_dir, name) => this.#lookup(name),
      readdir: () => this.#list(),
    };
    this.root = this.#stamped(
      new Inode(this, 1, S_IFDIR | 0o755, directory, { llseek: genericLlseek, fsync: () => 0 }),
    );
    this.#ptmx = this.#stamped(new Inode(this, 2, S_IFCHR, DEVICE, masterOps(terminals)));
    this.#ptmx.rdev = PTMX_DEV;
    terminals.onGone = (index) => this.#forget(index);
    terminals.inodeOf = (slave) => this.#inodeOf(slave);
  }

  /** There is no storage. */
  sync(): number {
    return 0;
  }

  #stamped(inode: Inode): Inode {
    inode.atimeNs = this.now();
    inode.mtimeNs = inode.atimeNs;
    inode.ctimeNs = inode.atimeNs;
    return inode;
  }

  #lookup(name: string): Inode | number {
    if (name === "ptmx") return this.#ptmx;
    const slave = /^(0|[1-9][0-9]*)$/.test(name) ? this.#terminals.slaves.get(Number(name)) : undefined;
    return slave === undefined ? -ENOENT : this.#inodeOf(slave);
  }

  #inodeOf(slave: PtySlave): Inode {
    let inode = this.#inodes.get(slave);
    if (inode === undefined) {
      const { index, tty, owner } = slave;
      const fops = slaveOps(this.#terminals, index);
      inode = this.#stamped(new Inode(this, FIRST_INO + index, SLAVE_MODE, DEVICE, fops));
      inode.rdev = tty.rdev;
      inode.uid = owner.uid;
      inode.gid = TTY_GID;
      this.#inodes.set(slave, inode);
    }
    return inode;
  }

  #list(): readonly DirEntry[] {
    const slaves = [...this.#terminals.slaves.values()].map(({ index }) => ({
      name: `${index}`,
      ino: FIRST_INO + index,
      type: dirEntryType(S_IFCHR),
    }));
    return [...slaves.reverse(), { name: "ptmx", ino: 2, type: dirEntryType(S_IFCHR) }];
  }

  #forget(index: number): void {
    for (const [slave, inode] of this.#inodes) {
      if (slave.index !== index) continue;
      this.#inodes.delete(slave);
      inode.nlink = 0;
      for (const dentry of [...inode.aliases]) dDelete(dentry);
    }
  }
}
