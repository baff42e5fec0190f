/** /dev: the memory devices, and what its mounter adds, on a small tmpfs of their own (devtmpfs; drivers/char/mem.c). */
import { BugError } from "../bug.ts";
import { S_IFCHR } from "../uapi/fcntl.ts";
import { DEFAULT_POLLMASK, makedev } from "../uapi/fs.ts";
import { AddressSpace, type AddressSpaceOperations } from "../vfs/address-space.ts";
import { fullDevice, nullDevice, randomDevice, zeroDevice } from "../vfs/char-device.ts";
import type { FileOperations } from "../vfs/file.ts";
import type { Credentials, Inode } from "../vfs/inode.ts";
import type { FileSystem, KernMounts, MountContext } from "../vfs/super-block.ts";
import { VM_SHARED } from "../vma/vm-flags.ts";
import { shmemZeroSetup } from "./shared-anonymous.ts";
import type { ShmemSuperBlock } from "./shmem-inode.ts";
import { newTmpfs } from "./tmpfs.ts";

/** A character device that whoever mounts /dev brings along. */
export interface DeviceNode {
  readonly name: string;
  /** Device number. */
  readonly dev: number;
  /** Permission bits. */
  readonly mode: number;
  readonly fops: FileOperations;
}

export interface DevFsOptions {
  readonly nodes?: readonly DeviceNode[];
  /** Fills bytes from the kernel's source of randomness. */
  readonly random: (bytes: Uint8Array) => void;
}

const ROOT_USER: Credentials = { uid: 0, gid: 0 };
const ZERO_DEV = makedev(1, 5);

export function devFs(options: DevFsOptions): FileSystem {
  return { name: "devtmpfs", mount: (context) => mountDevices(context, options) };
}

function mountDevices(context: MountContext, options: DevFsOptions): ShmemSuperBlock {
  const random = randomDevice(options.random);
  const memory: readonly (readonly [string, number, FileOperations])[] = [
    ["null", makedev(1, 3), nullDevice],
    ["zero", ZERO_DEV, mappableZero(context.kernMounts)],
    ["full", makedev(1, 7), fullDevice],
    ["random", makedev(1, 8), { ...random, poll: () => DEFAULT_POLLMASK }],
    ["urandom", makedev(1, 9), random],
  ];
  const nodes: readonly DeviceNode[] = [
    ...memory.map(([name, dev, fops]) => ({ name, dev, fops, mode: 0o666 })),
    ...(options.nodes ?? []),
  ];
  const devices = new Map(nodes.map(({ dev, fops }) => [dev, fops]));
  const sb = newTmpfs("devtmpfs", context, { mode: 0o755 }, devices);
  const { root } = sb;
  for (const { name, dev, mode } of nodes) {
    const inode = root.ops.mknod?.(root, name, S_IFCHR | mode, dev, ROOT_USER) ?? 0;
    if (typeof inode === "number") throw new BugError("devFs", `no node ${name}`);
    if (dev === ZERO_DEV) inode.mapping = new AddressSpace(context.phys, inode, NO_PAGES);
  }
  root.ops.symlink?.(root, "fd", "/proc/self/fd", ROOT_USER);
  for (const [name, fd] of [
    ["stdin", 0],
    ["stdout", 1],
    ["stderr", 2],
  ] as const) {
    root.ops.symlink?.(root, name, `/proc/self/fd/${fd}`, ROOT_USER);
  }
  root.ops.mkdir?.(root, "shm", 0o1777, ROOT_USER);
  root.ops.mkdir?.(root, "pts", 0o755, ROOT_USER);
  return sb;
}

/**
 * A private mapping of /dev/zero is anonymous memory under another name: it has a file, which maps shows, and its
 * pages are never that file's. A shared one becomes shmem.
 */
function mappableZero(mounts: KernMounts): FileOperations {
  return {
    ...zeroDevice,
    placesMappings: true,
    mmap: (_file, vma) => ((vma.flags & VM_SHARED) === 0 ? 0 : shmemZeroSetup(mounts, vma)),
  };
}

/** Private mappings of /dev/zero stand in a reverse-map tree as those of any file do, but no page ever enters its cache. */
const NO_PAGES: AddressSpaceOperations = {
  writesBack: false,
  hugeAlignedPrivate: true,
  readPages: (mapping) => noPages(mapping.host),
  writePages: (mapping) => noPages(mapping.host),
};

function noPages(inode: Inode): number {
  throw new BugError("/dev/zero", `inode ${inode.ino} is asked for pages`);
}
