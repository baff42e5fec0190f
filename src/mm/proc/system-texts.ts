/** /proc/uptime, loadavg, stat and cpuinfo: how long the system has run, and how busy it was (fs/proc, one CPU). */
import type { Arch } from "../vma/arch.ts";
import type { ProcHost } from "./proc-task.ts";

const NS_PER_S = 1e9;
/** USER_HZ: times are told in hundredths of a second. */
const NS_PER_TICK = 1e7;
/** Load averages are fixed-point numbers with this many bits behind the point (FSHIFT). */
const LOAD_ONE = 2 ** 11;

/** Whole clock ticks in `ns`. */
export function ticks(ns: number): number {
  return Math.floor(ns / NS_PER_TICK);
}

function uptimeNs(host: ProcHost): number {
  return host.activity?.uptimeNs ?? host.now() - host.bootNs;
}

function busyNs(host: ProcHost): number {
  return host.activity?.busyNs ?? 0;
}

/** Seconds since boot, and seconds of idling. */
export function procUptime(host: ProcHost): string {
  const up = uptimeNs(host);
  return `${hundredths(ticks(up))} ${hundredths(ticks(Math.max(0, up - busyNs(host))))}\n`;
}

/** Three averages, threads that can run and threads in all, and the last process number. */
export function procLoadavg(host: ProcHost): string {
  // Half a hundredth is added, so that the last digit is rounded (FIXED_1 / 200).
  const shown = (host.activity?.loads ?? [0, 0, 0]).map((load) =>
    hundredths(Math.floor(((load + Math.floor(LOAD_ONE / 200)) * 100) / LOAD_ONE)),
  );
  const threads = host.activity?.threads ?? host.processes.size;
  return `${shown.join(" ")} ${host.activity?.running ?? 0}/${threads} ${host.pids.last}\n`;
}

/** Ticks that the CPU spent on what, context switches, time of boot, processes made. */
export function procSystemStat(host: ProcHost): string {
  const busy = ticks(busyNs(host));
  const idle = Math.max(0, ticks(uptimeNs(host)) - busy);
  // user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice
  const times = `${busy} 0 0 ${idle} 0 0 0 0 0 0`;
  return [
    `cpu  ${times}`,
    `cpu0 ${times}`,
    "intr 0",
    `ctxt ${host.activity?.contextSwitches ?? 0}`,
    `btime ${Math.floor((host.bootNs + (host.timeOfDay() - host.now())) / NS_PER_S)}`,
    `processes ${host.totalForks}`,
    `procs_running ${host.activity?.running ?? 0}`,
    `procs_blocked ${host.activity?.blocked ?? 0}`,
    "softirq 0 0 0 0 0 0 0 0 0 0 0",
    "",
  ].join("\n");
}

/** The instructions that the hart executes, in the order of riscv_isa_ext (arch/riscv/kernel/cpu.c). */
export const RISCV_ISA = "rv64imafdc_zicntr_zicsr_zifencei_zaamo_zalrsc_zca_zcd";

/** The one CPU, in its architecture's words; undefined where nothing is known that a program could run on. */
export function procCpuinfo(arch: Arch): string | undefined {
  if (arch.name !== "riscv64") return undefined;
  return [
    "processor\t: 0",
    "hart\t\t: 0",
    `isa\t\t: ${RISCV_ISA}`,
    "mmu\t\t: sv48",
    "mvendorid\t: 0x0",
    "marchid\t\t: 0x0",
    "mimpid\t\t: 0x0",
    `hart isa\t: ${RISCV_ISA}`,
    "",
    "",
  ].join("\n");
}

function hundredths(count: number): string {
  return `${Math.floor(count / 100)}.${String(count % 100).padStart(2, "0")}`;
}
