/**
 * Reads the stream of events and keeps what a report needs: per process its mappings and faults, per file what its page
 * cache did. It knows nothing of how memory works, and asks nobody but the events and the kernel's public counters.
 */
import type { Kernel } from "../mm/kernel/kernel.ts";
import type { Process } from "../mm/kernel/process.ts";
import type { TraceEvent } from "../mm/trace/events.ts";
import { countFault, type FaultCounts, MappingLedger, newFaultCounts } from "./mapping-ledger.ts";
import { PressureCollector } from "./pressure-collector.ts";

/** What is known of one process. */
export interface ProcessRecord {
  readonly pid: number;
  /** Pid of the process that forked it; 0 for the first. */
  readonly parentPid: number;
  /** Name of the program it ran last. */
  name: string;
  readonly mappings: MappingLedger;
  readonly faults: FaultCounts;
  /** Pages it copied because it wrote them and a fork shares them: how many with each process, by pid. */
  readonly forkCopies: Map<number, number>;
  /** Faults that its system calls took on their buffers. */
  kernelFaults: number;
  /** Wait status; null while it runs. */
  status: number | null;
  /** The process itself, for its own counters: minFlt, majFlt, maxRss. */
  readonly process: Process;
}

/** What the page cache did for one file, in pages. */
export interface FileRecord {
  readonly path: string;
  reads: number;
  readRequests: number;
  writebacks: number;
  drops: number;
}

export class ReportCollector {
  /** In order of creation. */
  readonly processes: Map<number, ProcessRecord> = new Map();
  /** In order of first use. */
  readonly files: Map<string, FileRecord> = new Map();
  readonly kernel: Kernel;
  readonly pressure: PressureCollector;
  readonly #unsubscribe: () => void;

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
        if (record.process.mm.users === 1) this.pressure.noteSwapOf(record.process.mm, record.mappings);
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

  #file(path: string): FileRecord {
    let file = this.files.get(path);
    if (file === undefined) {
      file = { path, reads: 0, readRequests: 0, writebacks: 0, drops: 0 };
      this.files.set(path, file);
    }
    return file;
  }
}
