/** Where the oracle can run: on the kernel that Faultline follows, on x86-64, with a foreign-function library. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { TMPFS_MAGIC } from "../src/mm/uapi/fs.ts";
import { type Libc, loadLibc } from "./libc.ts";

/** The way to the host kernel and a place for its files. */
export interface Host {
  readonly libc: Libc;
  /** On ext4, whose treatment of the bytes past a file's end Faultline's files follow. */
  readonly directory: string;
  /** On tmpfs. */
  readonly shmDirectory: string;
}

/** Older kernels answer otherwise here and there (mremap over several mappings, the tail of a file's last page). */
const OLDEST_KERNEL: readonly [major: number, minor: number] = [6, 18];
const EXT4_SUPER_MAGIC = 0xef53;
const TMPFS_PLACES: readonly string[] = ["/dev/shm", "/run", "/tmp"];

/** The host, or why there is none to compare with. `directory` is where its files shall be made. */
export function findHost(directory?: string): Host | { readonly reason: string } {
  if (process.platform !== "linux") return { reason: `the host is ${process.platform}, not Linux` };
  if (process.arch !== "x64") return { reason: `the host is ${process.arch}, and the executor x86-64 code` };
  const [major, minor] = release().split(".").map(Number);
  if (major < OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor < OLDEST_KERNEL[1])) {
    return { reason: `the host's kernel is ${release()}, and Faultline follows ${OLDEST_KERNEL.join(".")}` };
  }
  if (readFileSync("/proc/sys/vm/overcommit_memory", "utf8").trim() !== "0") {
    return { reason: "the host's vm.overcommit_memory is not 0 (--overcommit M compares the other modes)" };
  }
  const place =
    directory ?? [tmpdir(), process.cwd()].find((path) => statfsSync(path).type === EXT4_SUPER_MAGIC);
  if (place === undefined) return { reason: "neither the temporary nor this directory is on ext4" };
  const shmDirectory = TMPFS_PLACES.find((path) => existsSync(path) && statfsSync(path).type === TMPFS_MAGIC);
  if (shmDirectory === undefined) return { reason: `none of ${TMPFS_PLACES.join(", ")} is a tmpfs` };
  try {
    return { libc: loadLibc(), directory: place, shmDirectory };
  } catch (error) {
    return { reason: `koffi can't be loaded: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Whether a swap area is in use: a line behind the heads of the columns. */
export function hasSwap(): boolean {
  return readFileSync("/proc/swaps", "utf8").trim().includes("\n");
}
