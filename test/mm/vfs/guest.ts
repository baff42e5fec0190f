/** A guest for tests of files: memory, mounts and a task, without a kernel around them. */
import { PhysicalMemory } from "../../../src/mm/frames/physical-memory.ts";
import { BytesIter } from "../../../src/mm/kernel/bytes-iter.ts";
import { sysGetdents } from "../../../src/mm/syscalls/directory.ts";
import { sysClose, sysOpenat } from "../../../src/mm/syscalls/open.ts";
import { sysPread64, sysPwrite64, sysRead, sysWrite } from "../../../src/mm/syscalls/read-write.ts";
import { FsContext, initialRlimits, type Task } from "../../../src/mm/syscalls/task.ts";
import { errnoName } from "../../../src/mm/uapi/errno.ts";
import { AT_FDCWD, O_CREAT, O_DIRECTORY, O_RDONLY, O_TRUNC, O_WRONLY } from "../../../src/mm/uapi/fcntl.ts";
import { FdTable } from "../../../src/mm/vfs/fd-table.ts";
import { allOf } from "../../../src/mm/vfs/ids.ts";
import { MountNamespace } from "../../../src/mm/vfs/mount.ts";
import type { FileSystem } from "../../../src/mm/vfs/super-block.ts";
import { X86_64 } from "../../../src/mm/vma/arch.ts";
import type { MmStruct } from "../../../src/mm/vma/mm-struct.ts";

export class Guest {
  readonly phys: PhysicalMemory;
  readonly mounts: MountNamespace;
  readonly task: Task;
  /** The clock: tests move it. */
  nowNs = 1_700_000_000e9;

  constructor(root: FileSystem, ramBytes: number = 8 * 2 ** 20) {
    this.phys = new PhysicalMemory({ ramBytes, poison: true });
    this.mounts = new MountNamespace(this.phys, () => this.nowNs);
    if (this.mounts.mount("/", root) !== 0) throw new Error("mount");
    this.task = this.newTask(0, 0);
  }

  newTask(uid: number, gid: number): Task {
    const { root } = this.mounts;
    return {
      pid: 1,
      comm: "test",
      // File calls look at nothing of the address space but which architecture's it is.
      mm: { arch: X86_64 } as unknown as MmStruct,
      files: new FdTable(),
      fs: new FsContext(this.mounts, root, root),
      uid,
      gid,
      userIds: allOf(uid),
      groupIds: allOf(gid),
      rlimits: initialRlimits(1000),
      minFlt: 0,
      majFlt: 0,
    } as Task;
  }

  iter(bytes: Uint8Array): BytesIter {
    return new BytesIter(this.phys.ram.u8, bytes);
  }

  open(path: string, flags: number, mode = 0o644): number {
    return sysOpenat(this.task, AT_FDCWD, path, flags, mode);
  }

  close(fd: number): number {
    return sysClose(this.task, fd);
  }

  write(fd: number, text: string): number {
    return sysWrite(this.task, fd, this.iter(new TextEncoder().encode(text)));
  }

  pwrite(fd: number, text: string, pos: number): number {
    return sysPwrite64(this.task, fd, this.iter(new TextEncoder().encode(text)), pos);
  }

  read(fd: number, count: number): string | number {
    const bytes = new Uint8Array(count);
    const got = sysRead(this.task, fd, this.iter(bytes));
    return got < 0 ? got : new TextDecoder().decode(bytes.subarray(0, got));
  }

  pread(fd: number, count: number, pos: number): string | number {
    const bytes = new Uint8Array(count);
    const got = sysPread64(this.task, fd, this.iter(bytes), pos);
    return got < 0 ? got : new TextDecoder().decode(bytes.subarray(0, got));
  }

  /** Makes a file with this content. */
  put(path: string, text: string): void {
    const fd = must(this.open(path, O_WRONLY | O_CREAT | O_TRUNC));
    must(this.write(fd, text));
    must(this.close(fd));
  }

  /** All of a file. */
  get(path: string): string | number {
    const fd = this.open(path, O_RDONLY);
    if (fd < 0) return fd;
    const text = this.read(fd, 1 << 20);
    this.close(fd);
    return text;
  }

  list(path: string): string[] {
    const fd = must(this.open(path, O_RDONLY | O_DIRECTORY));
    const names: string[] = [];
    must(sysGetdents(this.task, fd, (entry) => names.push(entry.name) > 0));
    this.close(fd);
    return names;
  }
}

/** A result that must be no error. */
export function must(result: number): number {
  if (result < 0) throw new Error(errnoName(-result));
  return result;
}

/** "ok", or the name of the error: what tests compare with the host. */
export function outcome(result: unknown): string {
  return typeof result === "number" && result < 0 ? errnoName(-result) : "ok";
}
