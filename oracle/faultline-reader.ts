/** What Faultline shows of a process for comparison: the texts of /proc, and its descriptors. */
import type { Kernel } from "../src/mm/kernel/kernel.ts";
import type { Process } from "../src/mm/kernel/process.ts";
import { PAGE_SIZE } from "../src/mm/page.ts";
import { numaMapsLine } from "../src/mm/proc/numa-maps.ts";
import { pagemapEntries } from "../src/mm/proc/pagemap.ts";
import { smapsEntry } from "../src/mm/proc/smaps.ts";
import { sysGetdents, sysReadlinkat } from "../src/mm/syscalls/directory.ts";
import { AT_FDCWD, O_DIRECT, O_DIRECTORY, O_RDONLY } from "../src/mm/uapi/fcntl.ts";
import { FMODE_READ } from "../src/mm/vfs/file.ts";
import { pipeOf } from "../src/mm/vfs/pipe-file.ts";
import { MOUNT_POINT, MOUNT_POINTS } from "./faultline-kernel.ts";
import { formatMapFiles, type MapFile, type Mapping, parseMaps } from "./maps.ts";
import { DISK_NAMES } from "./test-files.ts";

/** More than statm and smaps_rollup have. */
const PROC_TEXT_BYTES = 4096;

export class FaultlineReader {
  /** Reads as root what /proc says of the others. */
  readonly observer: Process;
  private readonly text = new Uint8Array(PROC_TEXT_BYTES);

  constructor(kernel: Kernel) {
    this.observer = kernel.spawn({ comm: "observer" });
  }

  maps(task: Process): readonly Mapping[] {
    return parseMaps(task.maps(), MOUNT_POINTS);
  }

  figures(task: Process): readonly number[] {
    const { totalVm, lockedVm, dataVm, stackVm, pageTable } = task.mm;
    // The top table is not counted.
    return [totalVm, lockedVm, dataVm, stackVm, pageTable.tables - 1].map((pages) => pages * 4);
  }

  smaps(task: Process): string {
    let text = "";
    for (const vma of task.mm.vmas) text += smapsEntry(vma);
    return text;
  }

  smapsRollup(task: Process): string {
    return this.readProc(`${task.pid}/smaps_rollup`);
  }

  statm(task: Process): string {
    return this.readProc(`${task.pid}/statm`);
  }

  numaMaps(task: Process): string {
    let text = "";
    for (const vma of task.mm.vmas) text += numaMapsLine(vma, task.mempolicy);
    return text;
  }

  mapFiles(task: Process): readonly string[] {
    if (process.getuid?.() !== 0) return [];
    const directory = `/proc/${task.pid}/map_files`;
    const { observer } = this;
    const fd = observer.open(directory, O_RDONLY | O_DIRECTORY);
    const files: MapFile[] = [];
    sysGetdents(observer, fd, ({ name }) => {
      if (name.startsWith(".")) return true;
      const path = `${directory}/${name}`;
      const target = sysReadlinkat(observer, AT_FDCWD, path);
      if (typeof target === "number") throw new Error(`readlink of ${path}: errno ${-target}`);
      files.push({ name, target, found: observer.stat(path) });
      return true;
    });
    observer.close(fd);
    return formatMapFiles(files, MOUNT_POINTS);
  }

  pagemap(task: Process, addr: number, pages: number): Uint8Array {
    return pagemapEntries(task.mm, addr, addr + pages * PAGE_SIZE, /* showPfn */ false);
  }

  fileName(task: Process, fd: number): string | undefined {
    const path = task.files.get(fd)?.path;
    const point = MOUNT_POINTS.find((directory) => path?.startsWith(directory));
    return point === undefined ? path : path?.slice(point.length);
  }

  fileSize(task: Process, name: string): number | undefined {
    return DISK_NAMES.includes(name.slice(1)) ? task.stat(MOUNT_POINT + name).size : undefined;
  }

  directPosition(task: Process, fd: number): number | undefined {
    const file = task.files.get(fd);
    const isDirect = file?.path.startsWith(MOUNT_POINT) === true && (file.flags & O_DIRECT) !== 0;
    return isDirect ? file.pos : undefined;
  }

  unread(task: Process, fd: number): number | undefined {
    const file = task.files.get(fd);
    return file !== undefined && (file.mode & FMODE_READ) !== 0 ? pipeOf(file)?.unread : undefined;
  }

  private readProc(name: string): string {
    const fd = this.observer.open(`/proc/${name}`, O_RDONLY);
    const count = this.observer.read(fd, this.text);
    this.observer.close(fd);
    return new TextDecoder().decode(this.text.subarray(0, count));
  }
}
