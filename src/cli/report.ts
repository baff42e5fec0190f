/**
 * The report of one run, as data: what `--json` writes and what the terminal's report is drawn from.
 *
 * Names of counters are the kernel's own. docs/report-schema.md explains every field and docs/report-schema.json checks
 * them; a change that could break a reader raises REPORT_VERSION.
 */
import type { FaultCause, MappingType } from "../mm/trace/events.ts";

export const REPORT_SCHEMA = "faultline-report";
export const REPORT_VERSION = 1;

export interface Report {
  readonly schema: typeof REPORT_SCHEMA;
  readonly version: typeof REPORT_VERSION;
  /** Version of the faultline that wrote it. */
  readonly faultline: string;
  readonly program: ReportProgram;
  readonly machine: ReportMachine;
  readonly time: ReportTime;
  readonly syscalls: ReportSyscalls;
  readonly faults: ReportFaults;
  readonly page_cache: ReportPageCache;
  readonly pressure: ReportPressure;
  /** /proc/vmstat at the end, by its own names. */
  readonly vmstat: Readonly<Record<string, number>>;
  /** In order of creation. */
  readonly processes: readonly ReportProcess[];
}

export interface ReportProgram {
  readonly path: string;
  readonly argv: readonly string[];
  /** Exit status of the command: the program's, 128+n after signal n, 124 after a timeout. */
  readonly exit_status: number;
  /** "SIGSEGV": the signal that ended it. */
  readonly signal: string | null;
  readonly timed_out: boolean;
  /** `--inject` took the power away in the middle of a write. */
  readonly crashed: boolean;
  readonly panicked: boolean;
}

export interface ReportMachine {
  readonly arch: "riscv64";
  readonly page_size: number;
  readonly ram_bytes: number;
  readonly total_frames: number;
  /** Most frames in use at one time. */
  readonly peak_frames: number;
  readonly seed: number | null;
}

export interface ReportTime {
  readonly wall_seconds: number;
  readonly instructions: number;
}

export interface ReportSyscalls {
  readonly total: number;
  /** Calls that the machine doesn't have: answered ENOSYS. */
  readonly unknown: readonly { readonly number: number; readonly count: number }[];
}

export interface ReportFaults {
  readonly minor: number;
  readonly major: number;
  readonly by_cause: Readonly<Record<FaultCause, number>>;
  /** Pages that fault-around mapped beside those that faulted. */
  readonly around_ptes: number;
  /** Pages copied because they were written: file-cow and wp-copy. */
  readonly cow_copies: number;
  /** Those of wp-copy whose page a fork shares with another process. */
  readonly fork_copies: number;
}

export interface ReportPageCache {
  readonly pages_read: number;
  readonly pages_written: number;
  readonly pages_dropped: number;
  readonly files: readonly ReportFile[];
}

export interface ReportFile {
  readonly path: string;
  readonly pages_read: number;
  readonly read_requests: number;
  readonly pages_written: number;
  readonly pages_dropped: number;
}

export interface ReportProcess {
  /** Processes behind this entry: more than 1 where many that have ended alike were put together. */
  readonly count: number;
  /** Of several, the first. */
  readonly pid: number;
  /** 0 for the first process. */
  readonly ppid: number;
  readonly comm: string;
  readonly exit_status: number | null;
  readonly signal: string | null;
  readonly minflt: number;
  readonly majflt: number;
  /** Peak resident set in KiB, as getrusage tells it. */
  readonly maxrss: number;
  /** Faults taken inside system calls, on the program's buffers. */
  readonly kernel_faults: number;
  readonly faults: CauseCounts;
  /** Accesses that no mapping served. */
  readonly unmapped_faults: CauseCounts;
  /** Pages it copied that a fork shares, by the process it shared them with; 0: by many others. */
  readonly fork_copies: readonly { readonly pid: number; readonly pages: number }[];
  /** In order of creation, those that it inherited first. None of several processes. */
  readonly mappings: readonly ReportMapping[];
}

export interface ReportMapping {
  /** "0x3f7ff000" */
  readonly start: string;
  readonly end: string;
  /** "rw-", as it was mapped. */
  readonly prot: string;
  readonly type: MappingType;
  /** Path of the file, "[heap]", "[stack]" or "". */
  readonly path: string;
  readonly offset: number;
  /** Whether any of it was mapped still when the process ended. */
  readonly mapped: boolean;
  /** Mapping calls behind this entry: more than 1 where many short-lived ones were put together. */
  readonly count: number;
  readonly major_faults: number;
  /** Pages of it that were copied because a fork shares them. */
  readonly fork_copies: number;
  /** Pages of it that were in swap when the process ended. */
  readonly swap_pages: number;
  readonly faults: CauseCounts;
}

/** Memory that was short: what reclaim did, with which means, and how it went over time. */
export interface ReportPressure {
  readonly policy: "lru" | "mglru";
  readonly swappiness: number;
  /** The group of the program, where `--memory-max` or `--swap-max` made one. */
  readonly cgroup: ReportCgroup | null;
  /** Pages that reclaim looked at, and that it freed: anonymous ones and those of files. */
  readonly pgscan: number;
  readonly pgsteal: number;
  /** In the order of /proc/swaps. */
  readonly swap_areas: readonly ReportSwapArea[];
  /** Pages that storage failed to move, on purpose or by itself. */
  readonly storage_errors: { readonly reads: number; readonly writes: number; readonly swap: number };
  readonly oom_kills: readonly { readonly pid: number; readonly comm: string; readonly cgroup: string }[];
  readonly timeline: readonly ReportSample[];
  /** The kernel's log. */
  readonly dmesg: readonly string[];
}

/** Sizes in bytes; no limit is null. */
export interface ReportCgroup {
  readonly path: string;
  readonly memory_max: number | null;
  readonly memory_peak: number;
  readonly swap_max: number | null;
  readonly swap_peak: number;
  /** memory.events */
  readonly events: Readonly<Record<string, number>>;
}

export interface ReportSwapArea {
  readonly name: string;
  readonly type: "partition" | "file";
  readonly size_bytes: number;
  readonly priority: number;
  /** Most of it that was seen in use. */
  readonly peak_bytes: number;
  readonly pages_written: number;
  readonly pages_read: number;
  readonly errors: number;
}

/** The use of memory at one time, in pages. */
export interface ReportSample {
  readonly time_ns: number;
  readonly active: number;
  readonly inactive: number;
  readonly swapped: number;
  /** So far. */
  readonly refaults: number;
}

/** Causes that happened, with how often. */
export type CauseCounts = Readonly<Partial<Record<FaultCause, number>>>;
