/**
 * Reads the stream of events and keeps what a report needs: per process its mappings and faults, per file what its page
 * cache did. It knows nothing of how memory works, and asks nobody but the events and the kernel's public counters.
 */
import type { Kernel } from "../mm/kernel/kernel.ts";
import { Process } from "../mm/kernel/process.ts";
import type { TraceEvent } from "../mm/trace/events.ts";
import { countFault, type FaultCounts, MappingLedger, newFaultCounts } from "./mapping-ledger.ts";
import { PressureCollector } from "./pressure-collector.ts";

/** What is known of one process; or of several that have ended, put together. */
export interface ProcessRecord {
  /** How many it stands for. Where there are several, what is said of one is true of the first. */
  count: number;
  readonly pid: number;
  /** Pid of the process that forked it; 0 for the first. */
  readonly parentPid: number;
  /** Name of the program it ran last. */
  name: string;
  readonly mappings: MappingLedger;
  readonly faults: FaultCounts;
  /** Pages it copied because it wrote them and a fork shares them: how many with each process, by pid; 0 for many others. */
  readonly forkCopies: Map<number, number>;
  /** Faults that its system calls took on their buffers. */
  kernelFaults: number;
  /** Wait status; null while it runs. */
  status: number | null;
  /** The process itself, for its own counters; of several, these alone. */
  process: Process | ProcessCounters;
}

/** Sums, and of maxRss the largest. */
export interface ProcessCounters {
  readonly minFlt: number;
  readonly majFlt: number;
  readonly maxRss: number;
}

/** What the page cache did for one file, in pages. */
export interface FileRecord {
  readonly path: string;
  reads: number;
  readRequests: number;
  writebacks: number;
  drops: number;
}

/** Processes that have ended, which are kept one by one: beyond it they are folded by name and status. */
const MAX_ENDED = 1000;
/** Partners of copies after forks that a folded record names one by one. */
const MAX_PARTNERS = 100;
/** Files that are told of one by one, and what the others are called together. */
const MAX_FILES = 10_000;
const OTHER_FILES = "(other files)";

/** Collects in bounded memory: a program may make processes and files for ever. */
export class ReportCollector {
  /** In order of creation. */
  readonly processes: Map<number, ProcessRecord> = new Map();
  /** In order of first use. */
  readonly files: Map<string, FileRecord> = new Map();
  readonly kernel: Kernel;
  readonly pressure: PressureCollector;
  readonly #unsubscribe: () => void;
  /** How many records there may be before it is time to fold. */
  #foldAt: number = 2 * MAX_ENDED;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.pressure = new PressureCollector(kernel);
    this.#unsubscribe = kernel.tracer.subscribe((event) => this.#take(event));
  }

  /** Takes no more events. */
  close(): void {
    this.#unsubscribe();
    this.pressure.timeline.sample();
  }

  #take(event: TraceEvent): void {
    this.pressure.take(event);
    switch (event.type) {
      case "fault": {
        const record = this.#process(event.pid);
        if (record === undefined) return;
        countFault(record.faults, event);
        if (event.kernel) record.kernelFaults++;
        const { sharedWith } = event;
        if (sharedWith !== 0) record.forkCopies.set(sharedWith, (record.forkCopies.get(sharedWith) ?? 0) + 1);
        record.mappings.fault(event);
        break;
      }
      case "mmap":
        this.#process(event.pid)?.mappings.map(event);
        break;
      case "munmap":
        this.#process(event.pid)?.mappings.unmap(event.address, event.length);
        break;
      case "brk":
        this.#process(event.pid)?.mappings.growHeap(event.address, event.address + event.length);
        break;
      case "mremap":
        this.#process(event.pid)?.mappings.remap(
          event.oldAddress,
          event.oldLength,
          event.address,
          event.length,
        );
        break;
      case "cache-read": {
        const file = this.#file(event.path);
        file.reads += event.pages;
        file.readRequests++;
        break;
      }
      case "writeback":
        this.#file(event.path).writebacks += event.pages;
        break;
      case "drop":
        this.#file(event.path).drops += event.pages;
        break;
      case "fork": {
        const parent = this.#process(event.pid);
        this.#process(event.value, event.pid, parent?.mappings.fork());
        if (this.processes.size > this.#foldAt) this.#fold();
        break;
      }
      case "exec": {
        const record = this.#process(event.pid);
        if (record === undefined) return;
        record.name = event.name.slice(event.name.lastIndexOf("/") + 1);
        record.mappings.clear();
        break;
      }
      case "exit": {
        const record = this.#process(event.pid);
        if (record === undefined) return;
        record.status = event.value;
        // Its memory is there still, unless others have it, too: they will tell.
        if (record.process instanceof Process && record.process.mm.users === 1)
          this.pressure.noteSwapOf(record.process.mm, record.mappings);
        if (event.name !== "") record.name = event.name;
        break;
      }
    }
  }

  /** The record of a process: made at the first event that names it. */
  #process(pid: number, parentPid = 0, mappings = new MappingLedger()): ProcessRecord | undefined {
    const known = this.processes.get(pid);
    if (known !== undefined) return known;
    const process = this.kernel.processes.get(pid);
    if (process === undefined) return undefined;
    const record: ProcessRecord = {
      count: 1,
      pid,
      parentPid,
      name: process.comm,
      mappings,
      faults: newFaultCounts(),
      forkCopies: new Map(),
      kernelFaults: 0,
      status: null,
      process,
    };
    this.processes.set(pid, record);
    return record;
  }

  /** Folds the newer of the processes that are gone, so that a program that forks for ever needs no memory here for ever. */
  #fold(): void {
    const folded = new Map<string, ProcessRecord>();
    let kept = 0;
    for (const record of this.processes.values()) {
      if (record.status === null || this.kernel.processes.has(record.pid)) continue;
      if (record.count === 1 && kept++ < MAX_ENDED) continue;
      const key = `${record.status}\0${record.name}`;
      const into = folded.get(key);
      if (into === undefined) folded.set(key, record);
      else {
        addRecord(into, record);
        this.processes.delete(record.pid);
      }
    }
    this.#foldAt = this.processes.size + MAX_ENDED;
  }

  #file(name: string): FileRecord {
    const path = this.files.size < MAX_FILES || this.files.has(name) ? name : OTHER_FILES;
    let file = this.files.get(path);
    if (file === undefined) {
      file = { path, reads: 0, readRequests: 0, writebacks: 0, drops: 0 };
      this.files.set(path, file);
    }
    return file;
  }
}

/** Adds what `more` stands for. Its mappings are not told of one by one any more. */
function addRecord(into: ProcessRecord, more: ProcessRecord): void {
  into.mappings.clear();
  into.mappings.forget();
  into.count += more.count;
  into.kernelFaults += more.kernelFaults;
  for (const [index, count] of more.faults.entries()) into.faults[index] += count;
  for (const [index, count] of more.mappings.unmapped.entries()) into.mappings.unmapped[index] += count;
  for (const [pid, pages] of more.forkCopies) {
    const key = into.forkCopies.size < MAX_PARTNERS || into.forkCopies.has(pid) ? pid : 0;
    into.forkCopies.set(key, (into.forkCopies.get(key) ?? 0) + pages);
  }
  const { minFlt, majFlt, maxRss } = into.process;
  into.process = {
    minFlt: minFlt + more.process.minFlt,
    majFlt: majFlt + more.process.majFlt,
    maxRss: Math.max(maxRss, more.process.maxRss),
  };
}
