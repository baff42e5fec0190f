/**
 * The host's side of the comparison: a memory cgroup, a swap file, and a file system whose page cache has pages of one
 * frame, all made for the run and taken away again. Needs root on Linux.
 *
 * A file system that encrypts has no large folios, as Faultline has none; the readahead window of its loop device is
 * set to Linux's default of 128 KiB, whatever the host's disks are set to.
 *
 * Reclaim in a cgroup decides by statistics that the host gathers every other second, or when somebody reads memory.stat:
 * a run of a second would be decided by figures from before it. So a second process reads that file all the time.
 *
 * Two things of the host decide what a run costs and have nothing to do with the program. Where the host has two processors
 * the program has one of them, with a priority above all others (SCHED_FIFO): the machine has one hart and no other work, and who
 * is made to wait finds written what would still be under way. And the window of readahead from a swap area that seeks is one for the
 * whole system, and stays as the last program left it: a program that reads every other page opens no window that is shut.
 * So each run begins behind one of the pattern "sequential", which leaves it open, as a system that was just booted has it.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

const PAGE_SIZE = 4096;
const CGROUP_V1 = "/sys/fs/cgroup/memory";
const CGROUP_V2 = "/sys/fs/cgroup";
const READ_AHEAD_KB = "128";
/** Before every other swap area of the host. */
const SWAP_PRIORITY = "32767";
const TOOLS = ["mkswap", "swapon", "swapoff", "mkfs.ext4", "mount", "umount", "losetup", "taskset", "chrt"];
/** The processors of the program and of who reads memory.stat; undefined: there is only one. */
const CPUS = availableParallelism() > 1 ? { program: "1", poller: "0" } : undefined;

/** Why the host can't be asked, or undefined. */
export function whyNoHost(): string | undefined {
  if (process.platform !== "linux") return "it runs no Linux";
  if (process.getuid?.() !== 0) return "it takes root to make a memory cgroup and a swap file";
  if (limitFile() === undefined) return "it has no memory cgroups";
  const missing = TOOLS.filter((tool) => spawnSync("which", [tool]).status !== 0);
  return missing.length === 0 ? undefined : `it has no ${missing.join(", ")}`;
}

/** The folder in which cgroups are made and the name of the file for their limit. */
export function limitFile(): { readonly folder: string; readonly file: string } | undefined {
  if (existsSync(join(CGROUP_V1, "memory.limit_in_bytes"))) {
    return { folder: CGROUP_V1, file: "memory.limit_in_bytes" };
  }
  const controllers = join(CGROUP_V2, "cgroup.subtree_control");
  if (!existsSync(controllers) || !readFileSync(controllers, "utf8").includes("memory")) return undefined;
  return { folder: CGROUP_V2, file: "memory.max" };
}

export class PressuredHost {
  readonly #folder: string;
  readonly #limit: number;
  readonly #cgroup: string;
  readonly #loop: string;
  readonly #mountPoint: string;
  readonly #swapFile: string;
  readonly #poller: string;
  readonly #undo: (() => void)[] = [];

  /**
   * @param folder for images, on a disk (a swap file can't lie in memory)
   * @param limit of the cgroup, bytes
   * @param pages content of the file that programs read
   * @param poller program that reads the file it is given, until it is killed
   */
  constructor(folder: string, limit: number, swapBytes: number, pages: Uint8Array, poller: string) {
    const where = limitFile();
    if (where === undefined) throw new Error("no memory cgroups");
    this.#folder = folder;
    this.#limit = limit;
    this.#poller = poller;
    this.#cgroup = join(where.folder, `faultline-${process.pid}`);
    this.#mountPoint = join(folder, "mnt");
    this.#swapFile = join(folder, "swap");
    try {
      this.#loop = this.#makeFileSystem(pages);
      this.#makeSwap(swapBytes);
      mkdirSync(this.#cgroup);
      this.#undo.push(() => rmdirSync(this.#cgroup));
      writeFileSync(join(this.#cgroup, where.file), String(limit));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Runs a program in the cgroup, with a page cache that holds nothing of the file; answers what it printed. */
  run(program: string, pattern: string): string {
    this.#runOnce(program, "sequential");
    return this.#runOnce(program, pattern);
  }

  #runOnce(program: string, pattern: string): string {
    this.#mount();
    const stat = join(this.#cgroup, "memory.stat");
    const poller =
      CPUS === undefined
        ? spawn(this.#poller, [stat], { stdio: "ignore" })
        : spawn("taskset", ["-c", CPUS.poller, this.#poller, stat], { stdio: "ignore" });
    try {
      const procs = join(this.#cgroup, "cgroup.procs");
      const command = `echo $$ > ${procs} && exec ${program} ${pattern} ${this.#limit} ${join(this.#mountPoint, "pages")}`;
      if (CPUS === undefined) return shell("sh", ["-c", command]);
      return shell("taskset", ["-c", CPUS.program, "chrt", "-f", "1", "sh", "-c", command]);
    } finally {
      poller.kill("SIGKILL");
      shell("umount", [this.#mountPoint]);
      // What is left in swap belongs to nobody any more; a fresh area for each pattern is the same for all.
      shell("swapoff", [this.#swapFile]);
      this.#swapOn();
    }
  }

  /** Takes everything away again, whatever of it there is. */
  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        undo();
      } catch (error) {
        process.stderr.write(`${String(error)}\n`);
      }
    }
  }

  #makeFileSystem(pages: Uint8Array): string {
    const image = join(this.#folder, "disk");
    writeZeros(image, pages.length * 1.25);
    shell("mkfs.ext4", ["-q", "-O", "encrypt,^has_journal", image]);
    const loop = shell("losetup", ["--find", "--show", image]);
    this.#undo.push(() => shell("losetup", ["--detach", loop]));
    const window = `/sys/block/${loop.replace("/dev/", "")}/queue/read_ahead_kb`;
    const before = readFileSync(window, "utf8");
    this.#undo.push(() => writeFileSync(window, before));
    mkdirSync(this.#mountPoint, { recursive: true });
    shell("mount", [loop, this.#mountPoint]);
    try {
      writeFileSync(join(this.#mountPoint, "pages"), pages);
    } finally {
      shell("umount", [this.#mountPoint]);
    }
    writeFileSync(window, READ_AHEAD_KB);
    return loop;
  }

  #mount(): void {
    shell("mount", [this.#loop, this.#mountPoint]);
  }

  #makeSwap(bytes: number): void {
    writeZeros(this.#swapFile, bytes);
    shell("mkswap", ["-q", this.#swapFile]);
    this.#swapOn();
    this.#undo.push(() => shell("swapoff", [this.#swapFile]));
  }

  #swapOn(): void {
    shell("swapon", ["--priority", SWAP_PRIORITY, this.#swapFile]);
  }
}

/** A file without holes: swap files must have none. */
function writeZeros(file: string, bytes: number): void {
  const chunk = new Uint8Array(2 ** 20);
  const fd = openSync(file, "w", 0o600);
  try {
    for (let at = 0; at < bytes; at += chunk.length) writeSync(fd, chunk);
  } finally {
    closeSync(fd);
  }
}

function shell(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr || `status ${status}`}`);
  return stdout.trim();
}

/** `count` pages, each with its number at its start. */
export function numberedPages(count: number): Uint8Array {
  const bytes = new Uint8Array(count * PAGE_SIZE);
  const view = new DataView(bytes.buffer);
  for (let page = 0; page < count; page++) view.setUint32(page * PAGE_SIZE, page, true);
  return bytes;
}
