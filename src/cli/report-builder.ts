/** From what was collected during a run to the report of it. */
import { Process } from "../mm/kernel/process.ts";
import { PAGE_SIZE } from "../mm/page.ts";
import { FAULT_CAUSES, type FaultCause } from "../mm/trace/events.ts";
import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../mm/uapi/mman.ts";
import { type FaultCounts, faultsByName, type MappingRecord, newFaultCounts } from "./mapping-ledger.ts";
import { readVmstat } from "./proc-texts.ts";
import {
  REPORT_SCHEMA,
  REPORT_VERSION,
  type Report,
  type ReportFile,
  type ReportMapping,
  type ReportPageCache,
  type ReportPressure,
  type ReportProcess,
} from "./report.ts";
import type { ProcessRecord, ReportCollector } from "./report-collector.ts";
import { type EndOfProgram, endOf } from "./wait-status.ts";

/** What the events don't tell. */
export interface RunFacts {
  readonly faultlineVersion: string;
  readonly path: string;
  readonly argv: readonly string[];
  readonly exitStatus: number;
  /** Wait status of the program; null when it was still running at the end. */
  readonly waitStatus: number | null;
  readonly timedOut: boolean;
  /** The power went off, as a plan of faults said, or the kernel panicked. */
  readonly hasCrashed: boolean;
  readonly ramBytes: number;
  readonly seed: number | undefined;
  readonly wallSeconds: number;
  readonly instructions: number;
  readonly syscalls: number;
  /** Calls that the machine doesn't have: how often each was made, by number. */
  readonly unknownSyscalls: ReadonlyMap<number, number>;
}

const KIB_PER_PAGE = PAGE_SIZE / 1024;

export function buildReport(collector: ReportCollector, facts: RunFacts): Report {
  const { kernel } = collector;
  const records = [...collector.processes.values()];
  const causes = newFaultCounts();
  for (const { faults } of records) for (const [index, count] of faults.entries()) causes[index] += count;
  const byCause = allCauses(causes);
  const processes = records.map(processReport);
  return {
    schema: REPORT_SCHEMA,
    version: REPORT_VERSION,
    faultline: facts.faultlineVersion,
    program: {
      path: facts.path,
      argv: facts.argv,
      exit_status: facts.exitStatus,
      signal: endOf(facts.waitStatus).signal,
      timed_out: facts.timedOut,
      crashed: facts.hasCrashed && kernel.panicked === null,
      panicked: kernel.panicked !== null,
    },
    machine: {
      arch: "riscv64",
      page_size: PAGE_SIZE,
      ram_bytes: facts.ramBytes,
      total_frames: kernel.phys.totalFrames,
      peak_frames: kernel.phys.totalFrames - kernel.phys.minFreeFrames,
      seed: facts.seed ?? null,
    },
    time: { wall_seconds: facts.wallSeconds, instructions: facts.instructions },
    syscalls: {
      total: facts.syscalls,
      unknown: [...facts.unknownSyscalls].map(([number, count]) => ({ number, count })),
    },
    faults: {
      minor: sum(processes, (one) => one.minflt),
      major: sum(processes, (one) => one.majflt),
      by_cause: byCause,
      around_ptes: kernel.mmu.faultAroundPtes,
      cow_copies: byCause["file-cow"] + byCause["wp-copy"],
      fork_copies: sum(processes, (one) => sum(one.fork_copies, ({ pages }) => pages)),
    },
    page_cache: pageCacheReport(collector),
    pressure: pressureReport(collector),
    vmstat: readVmstat(kernel),
    processes,
  };
}

function pageCacheReport(collector: ReportCollector): ReportPageCache {
  const files: ReportFile[] = [...collector.files.values()].map((file) => ({
    path: file.path,
    pages_read: file.reads,
    read_requests: file.readRequests,
    pages_written: file.writebacks,
    pages_dropped: file.drops,
  }));
  return {
    pages_read: sum(files, (one) => one.pages_read),
    pages_written: sum(files, (one) => one.pages_written),
    pages_dropped: sum(files, (one) => one.pages_dropped),
    files,
  };
}

function pressureReport({ kernel, pressure }: ReportCollector): ReportPressure {
  const stat = readVmstat(kernel);
  const areas = [...pressure.areas.values()];
  // The program's group, if it has one, is the only one there is.
  const [group] = kernel.memcg.children.values();
  return {
    policy: kernel.options.lruPolicy ?? "lru",
    swappiness: kernel.vmscan.swappiness,
    cgroup:
      group === undefined
        ? null
        : {
            path: group.path,
            memory_max: limit(group.max),
            memory_peak: group.peak,
            swap_max: limit(group.swapMax),
            swap_peak: group.swapPeak,
            events: group.events(),
          },
    pgscan: stat.pgscan_anon + stat.pgscan_file,
    pgsteal: stat.pgsteal_anon + stat.pgsteal_file,
    swap_areas: areas.map(({ line, peak, written, read, errors }) => ({
      name: line.name,
      type: line.type,
      size_bytes: line.size,
      priority: line.priority,
      peak_bytes: peak,
      pages_written: written,
      pages_read: read,
      errors,
    })),
    storage_errors: {
      reads: pressure.readErrors,
      writes: pressure.writeErrors,
      swap: sum(areas, (area) => area.errors),
    },
    oom_kills: pressure.kills.map(({ pid, name, group: cgroup }) => ({ pid, comm: name, cgroup })),
    timeline: pressure.timeline.samples,
    dmesg: kernel.dmesg,
  };
}

/** A limit, or null for none. */
function limit(bytes: number): number | null {
  return bytes === Number.POSITIVE_INFINITY ? null : bytes;
}

function processReport(record: ProcessRecord): ReportProcess {
  const { process } = record;
  const end: EndOfProgram = endOf(record.status);
  const isRunning = record.status === null && process instanceof Process;
  return {
    count: record.count,
    pid: record.pid,
    ppid: record.parentPid,
    comm: record.name,
    exit_status: end.exitStatus,
    signal: end.signal,
    minflt: process.minFlt,
    majflt: process.majFlt,
    maxrss: Math.max(process.maxRss, isRunning ? process.mm.hiwaterRss : 0) * KIB_PER_PAGE,
    kernel_faults: record.kernelFaults,
    faults: faultsByName(record.faults),
    unmapped_faults: faultsByName(record.mappings.unmapped),
    fork_copies: [...record.forkCopies].map(([pid, pages]) => ({ pid, pages })),
    mappings: record.mappings.records.map(mappingReport),
  };
}

function mappingReport(mapping: MappingRecord): ReportMapping {
  return {
    start: hex(mapping.start),
    end: hex(mapping.end),
    prot: protText(mapping.prot),
    type: mapping.type,
    path: mapping.name,
    offset: mapping.offset,
    // The end of a process is no event for its mappings: what has pieces left was mapped until then.
    mapped: mapping.pieces > 0,
    count: mapping.count,
    major_faults: mapping.majorFaults,
    fork_copies: mapping.forkCopies,
    swap_pages: mapping.swapPages,
    faults: faultsByName(mapping.faults),
  };
}

function allCauses(counts: FaultCounts): Record<FaultCause, number> {
  return Object.fromEntries(FAULT_CAUSES.map((cause, index) => [cause, counts[index]])) as Record<
    FaultCause,
    number
  >;
}

function protText(prot: number): string {
  return (
    ((prot & PROT_READ) !== 0 ? "r" : "-") +
    ((prot & PROT_WRITE) !== 0 ? "w" : "-") +
    ((prot & PROT_EXEC) !== 0 ? "x" : "-")
  );
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
