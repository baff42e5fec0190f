/**
 * mapFile: a real file as memory, for everyday TypeScript. Only the pages that are touched are read; only the pages that
 * were written go back; and no more RAM is used than was given, whatever the file's size.
 */
import { basename, dirname, join, resolve } from "node:path";
import {
  ENOENT,
  Kernel,
  MADV_POPULATE_WRITE,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_SYNC,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Process,
} from "../../mm/index.ts";
import { checkValue } from "../../mm/kernel/errors.ts";
import { hostCall } from "./host-error.ts";
import { hostRealPath } from "./host-path.ts";
import { nodeFs } from "./node-fs.ts";

export interface MapFileOptions {
  /** Allow writing, through to the file. Default false. */
  readonly writable?: boolean;
  /** Make the file this long first, creating it where there is none (bytes). Needs `writable`. */
  readonly length?: number;
  /** RAM for the file's pages (bytes). Default 64 MiB. */
  readonly ram?: number;
}

/** Bytes of one chunk of an iteration, where nothing else is said. */
const CHUNK_BYTES = 65536;

/**
 * Maps the file at `path` (of the host). Throws a LinuxError: ENOENT, EACCES, EISDIR, … as open(2) and mmap(2) do.
 *
 * The file is this mapping's while it is open: changes by others may go unseen, and a page is written back whole.
 *
 * ```ts
 * using file = mapFile("data.bin", { writable: true });
 * file.write(10, new Uint8Array([1, 2, 3]));
 * file.flush();
 * ```
 */
export function mapFile(path: string, options: MapFileOptions = {}): FileMapping {
  const full = followLinks(path);
  const kernel = new Kernel({
    root: nodeFs(dirname(full)),
    ram: options.ram ?? 64 * 2 ** 20,
    now: hostClock,
  });
  try {
    const process = kernel.spawn({ comm: "mapFile" });
    const writable = options.writable ?? false;
    const create = options.length === undefined ? 0 : O_CREAT;
    const fd = process.open(`/${basename(full)}`, writable ? O_RDWR | create : O_RDONLY, 0o644);
    if (options.length !== undefined) process.ftruncate(fd, options.length);
    return FileMapping.open(process, fd, writable);
  } catch (error) {
    letGo(kernel);
    throw error;
  }
}

/** Where the path leads on the host. The kernel is given that folder only, out of which no link would lead. */
function followLinks(path: string): string {
  const full = resolve(path);
  const file = hostCall(() => hostRealPath(full));
  if (file !== -ENOENT) return checkValue("open", file, path);
  // To be made, perhaps, in a folder that is there.
  const folder = hostCall(() => hostRealPath(dirname(full)));
  return join(checkValue("open", folder, path), basename(full));
}

/** Closes what the kernel's file systems hold open on the host. */
function letGo(kernel: Kernel): void {
  for (const sb of kernel.mounts.superBlocks()) sb.umount?.();
}

/** Nanoseconds since the epoch. */
function hostClock(): number {
  return Date.now() * 1e6;
}

/** What several mappings of one file share: who must get a copy before a page changes. */
interface SharedState {
  readonly kernel: Kernel;
  /** Mappings and snapshots that are not closed: the last one to go ends the kernel. */
  open: number;
  readonly snapshots: Set<FileMapping>;
}

/**
 * A fork sees the shared pages; mapped privately at the same place they become its own on writing. Without a promise of
 * memory for all of them: the file may be larger than RAM, and few of its pages are ever copied.
 */
function mapPrivately(process: Process, address: number, length: number): void {
  const fd = [...process.files.entries()][0]?.[0] ?? -1;
  process.munmap(address, length);
  process.mmap(address, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0);
}

/** A mapped file, or a snapshot of one. */
export class FileMapping implements Disposable, Iterable<Uint8Array> {
  /** Bytes. */
  readonly length: number;
  readonly writable: boolean;
  readonly #process: Process;
  readonly #address: number;
  readonly #shared: SharedState;
  readonly #isSnapshot: boolean;
  #open = true;

  private constructor(
    process: Process,
    address: number,
    length: number,
    writable: boolean,
    shared: SharedState,
    isSnapshot: boolean,
  ) {
    this.#process = process;
    this.#address = address;
    this.length = length;
    this.writable = writable;
    this.#shared = shared;
    this.#isSnapshot = isSnapshot;
    shared.open++;
  }

  /** For mapFile: maps the whole of an open file. */
  static open(process: Process, fd: number, writable: boolean): FileMapping {
    const length = process.fstat(fd).size;
    const prot = PROT_READ | (writable ? PROT_WRITE : 0);
    // A file of length 0 has nothing to map.
    const address = length === 0 ? 0 : process.mmap(0, length, prot, MAP_SHARED, fd, 0);
    const shared = { kernel: process.kernel, open: 0, snapshots: new Set<FileMapping>() };
    return new FileMapping(process, address, length, writable, shared, /* isSnapshot */ false);
  }

  /** A copy of the bytes from `offset` on: `length` of them, or up to the end. */
  read(offset: number, length: number = this.length - offset): Uint8Array {
    this.#check(offset, length);
    return this.#process.readBytes(this.#address + offset, length);
  }

  /**
   * Stores bytes at `offset`. They reach the file with flush and close, or before: when RAM is needed, or with a later
   * write once they are half a minute old.
   */
  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.length);
    if (!this.writable) throw new TypeError("the file is mapped for reading only");
    if (bytes.length === 0) return;
    if (!this.#isSnapshot) this.#keepForSnapshots(offset, bytes.length);
    this.#process.writeBytes(this.#address + offset, bytes);
  }

  /** Brings everything written so far to storage (msync with MS_SYNC). A snapshot has no storage: nothing to do. */
  flush(): void {
    this.#check(0, 0);
    if (!this.#isSnapshot && this.length > 0) this.#process.msync(this.#address, this.length, MS_SYNC);
  }

  /**
   * The contents as they are now, to keep: writes through this mapping leave the snapshot as it is, and writes to the
   * snapshot reach neither this mapping nor the file. A page is copied only when one of the two sides changes it.
   * What other programs do to the file is not held back.
   */
  snapshot(): FileMapping {
    this.#check(0, 0);
    const process = this.#process.fork();
    try {
      if (!this.#isSnapshot && this.length > 0) mapPrivately(process, this.#address, this.length);
    } catch (error) {
      process.exit();
      throw error;
    }
    const snapshot = new FileMapping(
      process,
      this.#address,
      this.length,
      true,
      this.#shared,
      /* isSnapshot */ true,
    );
    this.#shared.snapshots.add(snapshot);
    return snapshot;
  }

  /** Copies of the contents in order, `size` bytes each but for the last. */
  *chunks(size: number = CHUNK_BYTES): IterableIterator<Uint8Array> {
    if (!(size >= 1)) throw new RangeError(`a chunk has at least one byte, not ${size}`);
    for (let offset = 0; offset < this.length; offset += size) {
      yield this.read(offset, Math.min(size, this.length - offset));
    }
  }

  [Symbol.iterator](): IterableIterator<Uint8Array> {
    return this.chunks();
  }

  /** Writes back what is dirty and ends the mapping, also when writing fails. Closing twice is fine. */
  close(): void {
    if (!this.#open) return;
    try {
      this.flush();
    } finally {
      this.#open = false;
      this.#shared.snapshots.delete(this);
      this.#process.exit();
      if (--this.#shared.open === 0) letGo(this.#shared.kernel);
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Gives every snapshot its own copy of the pages that are about to change (copy before write). */
  #keepForSnapshots(offset: number, length: number): void {
    if (this.#shared.snapshots.size === 0) return;
    const start = offset - (offset % PAGE_SIZE);
    const end = offset + length;
    for (const snapshot of this.#shared.snapshots) {
      snapshot.#process.madvise(this.#address + start, end - start, MADV_POPULATE_WRITE);
    }
  }

  #check(offset: number, length: number): void {
    if (!this.#open) throw new TypeError("the mapping is closed");
    if (!(offset >= 0 && length >= 0 && offset + length <= this.length)) {
      throw new RangeError(
        `${offset} … ${offset + length} is not within the ${this.length} bytes of the file`,
      );
    }
  }
}
