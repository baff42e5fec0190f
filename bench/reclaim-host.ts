/**
 * The host's side of what reclaim costs: a swap area in memory, and a memory cgroup, made for the run and taken away again.
 * Needs root on Linux. The area is a compressed RAM disk (zram) if one is free, else a loop device on a file in memory.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limitFile } from "./pressure/host.ts";

const PAGE_SIZE = 4096;
const TMPFS_MAGIC = 0x01021994;
const ZRAM = "/sys/block/zram0";
const SHM = "/dev/shm";
const SWAP_PRIORITY = "32767";
const TOOLS = ["mkswap", "swapon", "swapoff"];

/** Why the host can't be asked, or undefined. */
export function whyNoReclaim(): string | undefined {
  if (process.platform !== "linux") return "it runs no Linux";
  if (process.getuid?.() !== 0) return "it takes root to swap";
  if (limitFile() === undefined) return "it has no memory cgroups";
  const missing = TOOLS.filter((tool) => spawnSync("which", [tool]).status !== 0);
  if (missing.length > 0) return `it has no ${missing.join(", ")}`;
  return isZramFree() || hasShm() ? undefined : "it has no zram and no file system in memory";
}

function isZramFree(): boolean {
  return existsSync("/dev/zram0") && readFileSync(join(ZRAM, "initstate"), "utf8").trim() === "0";
}

function hasShm(): boolean {
  return existsSync(SHM) && statfsSync(SHM).type === TMPFS_MAGIC;
}

/** Runs host-reclaim beside a swap area of its own; answers what it printed. */
export function hostReclaim(program: string, pages: number, rounds: number): unknown {
  const where = limitFile();
  if (where === undefined) throw new Error("no memory cgroups");
  const undo: (() => void)[] = [];
  try {
    const area = isZramFree() ? zramArea(4 * pages * PAGE_SIZE, undo) : loopArea(4 * pages * PAGE_SIZE, undo);
    shell("mkswap", ["-q", area]);
    shell("swapon", ["--priority", SWAP_PRIORITY, area]);
    undo.push(() => shell("swapoff", [area]));
    const cgroup = join(where.folder, `faultline-reclaim-${process.pid}`);
    mkdirSync(cgroup);
    undo.push(() => rmdirSync(cgroup));
    writeFileSync(join(cgroup, where.file), String((pages * PAGE_SIZE) / 2));
    return JSON.parse(shell(program, [String(pages), String(rounds), join(cgroup, "cgroup.procs")]));
  } finally {
    for (const step of undo.reverse()) step();
  }
}

function zramArea(bytes: number, undo: (() => void)[]): string {
  writeFileSync(join(ZRAM, "disksize"), String(bytes));
  undo.push(() => writeFileSync(join(ZRAM, "reset"), "1"));
  return "/dev/zram0";
}

function loopArea(bytes: number, undo: (() => void)[]): string {
  const file = join(SHM, `faultline-reclaim-${process.pid}`);
  writeFileSync(file, new Uint8Array(bytes));
  undo.push(() => rmSync(file));
  const loop = shell("losetup", ["--find", "--show", file]);
  undo.push(() => shell("losetup", ["--detach", loop]));
  return loop;
}

function shell(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr || `status ${status}`}`);
  return stdout.trim();
}
