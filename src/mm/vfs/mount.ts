/**
 * Mounts: which file system stands at which directory (mnt_namespace).
 *
 * A mount hangs the root dentry of a file system over a directory: `mounted` leads down from the directory, `covers`
 * leads up from the root. A walk crosses both ways; nothing else knows of mounts.
 */
import { BugError } from "../bug.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { EBUSY, EINVAL, ENOTDIR } from "../uapi/errno.ts";
import { makedev } from "../uapi/fs.ts";
import { BackingDevInfo, WritebackDomain } from "./backing-dev.ts";
import { Dentry } from "./dentry.ts";
import { LockTable } from "./file-lock.ts";
import { igrab, isDir } from "./inode.ts";
import { LOOKUP_FOLLOW, pathLookup } from "./namei.ts";
import { OpenFiles } from "./open-files.ts";
import { dPath } from "./path.ts";
import type { FileSystem, KernMounts, SuperBlock } from "./super-block.ts";

/** One line of /proc/PID/mounts. */
export interface Mount {
  /** Its number, and that of the mount that it stands on. */
  readonly id: number;
  readonly parentId: number;
  readonly root: Dentry;
  readonly sb: SuperBlock;
}

export interface MountOptions {
  /** Nothing below may be executed: execve answers EACCES, mmap with PROT_EXEC EPERM (MS_NOEXEC). Default false. */
  readonly noExec?: boolean;
}

export class MountNamespace implements KernMounts {
  readonly phys: PhysicalMemory;
  /** Nanoseconds since the epoch. */
  readonly now: () => number;
  /** Write-back of all that is mounted. */
  readonly writeback: WritebackDomain;
  /** Locks on files of all that is mounted. */
  readonly locks: LockTable = new LockTable();
  /** Files that are open, of all that is mounted. */
  readonly openFiles: OpenFiles;
  memfdNoexec = 0;
  xattrCost = 0;
  readonly #mounts: Mount[] = [];
  /** File systems that only the kernel uses (shmem's own, pipes), by name. */
  readonly #kernMounts: Map<string, SuperBlock> = new Map();
  /** Numbers of mounts, the kernel's own included. The first stands on number 1, which Linux mounts before all others. */
  readonly #ids: WeakMap<SuperBlock, number> = new WeakMap();
  #nextId = 2;
  #nextMinor = 1;

  /** @param sleep lets nanoseconds of the clock `now` pass @param timeOfDay what times of files say */
  constructor(
    phys: PhysicalMemory,
    now: () => number,
    sleep: (ns: number) => void = () => {},
    timeOfDay: () => number = now,
  ) {
    this.phys = phys;
    this.openFiles = new OpenFiles(phys);
    this.now = timeOfDay;
    this.writeback = new WritebackDomain(phys, now, sleep);
  }

  /** The root of all paths. Precondition: something is mounted at "/". */
  get root(): Dentry {
    const first = this.#mounts[0];
    if (first === undefined) throw new BugError("MountNamespace.root", 'nothing is mounted at "/"');
    return first.root;
  }

  /** Mounts `fs` over the directory at `path`; the first mount of all must be at "/". 0 or negative errno. */
  mount(path: string, fs: FileSystem, options: MountOptions = {}): number {
    let over: Dentry | null = null;
    if (this.#mounts.length === 0) {
      if (path !== "/") return -EINVAL;
    } else {
      const found = this.#lookup(path);
      if (typeof found === "number") return found;
      if (!isDir(found.inode)) return -ENOTDIR;
      // Over the root itself nothing can be stacked: tasks stand on it.
      if (found === this.root) return -EBUSY;
      over = found;
    }
    const sb = this.#newSuperBlock(fs);
    // Each mount has a file system of its own: what holds for the one holds for the other.
    if (options.noExec === true) sb.noExec = true;
    const root = new Dentry("", null, sb.root);
    sb.root.aliases.add(root);
    igrab(sb.root);
    root.covers = over;
    if (over !== null) over.mounted = root;
    this.#mounts.push({
      id: this.idOf(sb),
      parentId: over === null ? 1 : this.idOf(over.inode.sb),
      root,
      sb,
    });
    return 0;
  }

  /** Takes the file system at `path` off its directory, after writing it out. Files that are open stay usable. */
  umount(path: string): number {
    const found = this.#lookup(path);
    if (typeof found === "number") return found;
    const index = this.#mounts.findIndex((one) => one.root === found);
    if (index < 0) return -EINVAL;
    if (index === 0 || this.#mounts.some((one) => one.root.covers?.inode.sb === found.inode.sb))
      return -EBUSY;
    if (found.covers !== null) found.covers.mounted = null;
    found.covers = null;
    this.#mounts.splice(index, 1);
    const failed = found.inode.sb.sync();
    found.inode.sb.umount?.();
    return failed;
  }

  /** The kernel's own instance of `fs`, which no path reaches; the same for each call (kern_mount). */
  kernMount(fs: FileSystem): SuperBlock {
    let sb = this.#kernMounts.get(fs.name);
    if (sb === undefined) {
      sb = this.#newSuperBlock(fs);
      this.#kernMounts.set(fs.name, sb);
    }
    return sb;
  }

  /** Number of the mount of a file system (mnt_id); each is mounted once. */
  idOf(sb: SuperBlock): number {
    return this.#ids.get(sb) ?? 0;
  }

  /** What is mounted, in order of mounting, with where. */
  *mounts(): IterableIterator<Mount & { readonly path: string }> {
    for (const mount of this.#mounts) yield { ...mount, path: dPath(mount.root) };
  }

  /** Every file system in use, the kernel's own included. */
  *superBlocks(): IterableIterator<SuperBlock> {
    for (const { sb } of this.#mounts) yield sb;
    yield* this.#kernMounts.values();
  }

  #lookup(path: string): Dentry | number {
    const context = { root: this.root, cwd: this.root, uid: 0, gid: 0, umask: 0 };
    return pathLookup(context, this.root, path, LOOKUP_FOLLOW);
  }

  #newSuperBlock(fs: FileSystem): SuperBlock {
    // Major 0: file systems without a block device (get_anon_bdev).
    const dev = makedev(0, this.#nextMinor++);
    const sb = fs.mount({ phys: this.phys, now: this.now, dev, kernMounts: this });
    this.#ids.set(sb, this.#nextId++);
    sb.bdi = new BackingDevInfo(this.writeback);
    sb.bdi.faults = fs.faults;
    return sb;
  }
}
