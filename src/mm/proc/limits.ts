/** /proc/PID/limits: the resource limits as a table (proc_pid_limits). */
import type { ProcTask } from "./proc-task.ts";

/** Names and units in the order of RLIMIT_… */
const LIMITS: readonly (readonly [name: string, unit: string])[] = [
  ["Max cpu time", "seconds"],
  ["Max file size", "bytes"],
  ["Max data size", "bytes"],
  ["Max stack size", "bytes"],
  ["Max core file size", "bytes"],
  ["Max resident set", "bytes"],
  ["Max processes", "processes"],
  ["Max open files", "files"],
  ["Max locked memory", "bytes"],
  ["Max address space", "bytes"],
  ["Max file locks", "locks"],
  ["Max pending signals", "signals"],
  ["Max msgqueue size", "bytes"],
  ["Max nice priority", ""],
  ["Max realtime priority", ""],
  ["Max realtime timeout", "us"],
];

export function procLimits(task: ProcTask): string {
  let text = row("Limit", "Soft Limit", "Hard Limit", "Units");
  LIMITS.forEach(([name, unit], index) => {
    const { soft, hard } = task.rlimits[index];
    text += row(name, amount(soft), amount(hard), unit);
  });
  return text;
}

function row(name: string, soft: string, hard: string, unit: string): string {
  const head = `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} `;
  // Where there is no unit, Linux prints no column for it.
  return `${unit === "" ? head : `${head}${unit.padEnd(10)}`}\n`;
}

function amount(limit: number): string {
  return Number.isFinite(limit) ? String(limit) : "unlimited";
}
