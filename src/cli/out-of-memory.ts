/**
 * What a person is told whose program was killed because memory was out: whom it hit, what was short, and what to try.
 *
 * Read from the kernel's log (dmesg), as one would after the fact on any Linux.
 */
import type { RunOptions } from "./command-line.ts";
import { formatSize } from "./size.ts";

/** One kill, as the log tells it. All sizes in bytes. */
export interface OomKill {
  readonly pid: number;
  readonly comm: string;
  /** It was the limit of a memory cgroup. */
  readonly isGroup: boolean;
  /** What of the process was in memory. */
  readonly resident: number;
  /** Swap of the machine, and what of it was free; for a group, what it used and might use of swap. */
  readonly swapTotal: number | undefined;
  readonly swapFree: number | undefined;
  readonly swapUsage: number | undefined;
  readonly swapLimit: number | undefined;
}

const KILLED =
  /\] (Out of memory|Memory cgroup out of memory)[^:]*: Killed process (\d+) \((.*)\) total-vm:\d+kB, anon-rss:(\d+)kB, file-rss:(\d+)kB, shmem-rss:(\d+)kB/;
/** Lines of these that are told one by one. */
const MOST_NAMED = 3;
const KIB = 1024;

/** The kills in the log, oldest first. */
export function oomKills(dmesg: readonly string[]): OomKill[] {
  const kills: OomKill[] = [];
  let told: Record<string, number | undefined> = {};
  for (const line of dmesg) {
    if (line.includes("invoked oom-killer:")) told = {};
    const swap = /\] (Free|Total) swap {1,2}= (\d+)kB/.exec(line);
    if (swap !== null) told[swap[1]] = Number(swap[2]) * KIB;
    const group = /\] swap: usage (\d+)kB, limit (\d+)kB/.exec(line);
    if (group !== null) [told.usage, told.limit] = [Number(group[1]) * KIB, Number(group[2]) * KIB];
    const killed = KILLED.exec(line);
    if (killed === null) continue;
    const [, message, pid, comm, ...resident] = killed;
    kills.push({
      pid: Number(pid),
      comm,
      isGroup: message.startsWith("Memory cgroup"),
      resident: resident.reduce((sum, kb) => sum + Number(kb) * KIB, 0),
      swapTotal: told.Total,
      swapFree: told.Free,
      swapUsage: told.usage,
      swapLimit: told.limit,
    });
  }
  return kills;
}

/** The lines for a person; none if nobody was killed. @param swapTotal bytes of all areas together */
export function oomLines(kills: readonly OomKill[], options: RunOptions, swapTotal: number): string[] {
  const last = kills.at(-1);
  if (last === undefined) return [];
  const lines = kills
    .slice(0, MOST_NAMED)
    .map(
      ({ pid, comm, resident }) =>
        `out of memory: process ${pid} (${comm}) was killed, with ${formatSize(resident)} in memory`,
    );
  if (kills.length > MOST_NAMED) lines.push(`out of memory: and ${kills.length - MOST_NAMED} more`);
  lines.push(`${shortage(last, options, swapTotal)}; ${advice(last, options, swapTotal)}`);
  return lines;
}

function shortage(kill: OomKill, { ramBytes, pressure }: RunOptions, swapTotal: number): string {
  const memory =
    kill.isGroup && pressure.memoryMax !== undefined
      ? `it may use ${formatSize(pressure.memoryMax)} of memory (--memory-max)`
      : `the machine has ${formatSize(ramBytes)} of RAM`;
  if (swapTotal === 0) return `${memory} and no swap`;
  if (isAtSwapMax(kill)) return `${memory} and ${formatSize(kill.swapLimit ?? 0)} of swap (--swap-max)`;
  const free = kill.swapFree ?? 0;
  const fails = pressure.inject?.rules.some(({ target }) => target.startsWith("swap")) === true;
  const why = fails ? ", since it fails as --inject says" : "";
  const state = free === 0 ? "all used" : `of which ${formatSize(free)} could not help${why}`;
  return `${memory} and ${formatSize(swapTotal)} of swap${kill.isGroup ? "" : `, ${state}`}`;
}

function advice(kill: OomKill, { ramBytes, pressure }: RunOptions, swapTotal: number): string {
  const memory =
    kill.isGroup && pressure.memoryMax !== undefined
      ? `--memory-max ${optionSize(2 * pressure.memoryMax)}`
      : `--ram ${optionSize(Math.min(2 * ramBytes, 4 * 2 ** 30))}`;
  const least = 2 * Math.min(ramBytes, pressure.memoryMax ?? ramBytes);
  const swap = isAtSwapMax(kill)
    ? `--swap-max ${optionSize(2 * Math.max(kill.swapLimit ?? 0, least / 2))}`
    : `--swap ${optionSize(Math.max(2 * swapTotal, least))}`;
  return `try ${memory}, or ${swap}`;
}

function isAtSwapMax({ swapUsage, swapLimit }: OomKill): boolean {
  return swapUsage !== undefined && swapLimit !== undefined && swapUsage >= swapLimit;
}

/** As one types it: "64M". */
function optionSize(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib >= 1 ? `${Math.ceil(mib)}M` : `${Math.ceil(bytes / 1024)}K`;
}
