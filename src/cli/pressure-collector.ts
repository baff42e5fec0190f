/** What the events and /proc tell about memory that was short, gathered during a run. */

import type { ProcHost } from "../mm/proc/proc-task.ts";
import type { OomKillEvent, TraceEvent } from "../mm/trace/events.ts";
import type { MmStruct } from "../mm/vma/mm-struct.ts";
import type { MappingLedger } from "./mapping-ledger.ts";
import { readSwapOfMappings, readSwaps, type SwapLine, swappedPages } from "./proc-texts.ts";
import { Timeline } from "./timeline.ts";

/** What one swap area did, in pages. */
export interface AreaRecord {
  readonly line: SwapLine;
  /** Most of it that was seen in use (bytes). */
  peak: number;
  written: number;
  read: number;
  errors: number;
}

/** Kills that are told of one by one. How many there were is in /proc/vmstat. */
const MAX_KILLS = 1000;

export class PressureCollector {
  /** By name, in order of first sight: of those in use, and of those that swapoff took away. */
  readonly areas: Map<string, AreaRecord> = new Map();
  readonly kills: OomKillEvent[] = [];
  /** Transfers of pages from and to files that failed. */
  readErrors = 0;
  writeErrors = 0;
  readonly timeline: Timeline;
  readonly #host: ProcHost;

  constructor(host: ProcHost) {
    this.#host = host;
    this.timeline = new Timeline(host, (swaps) => this.#see(swaps));
  }

  take(event: TraceEvent): void {
    switch (event.type) {
      case "swap-out":
      case "swap-in": {
        const area = this.#area(event.area);
        if (area === undefined) return;
        if (event.error !== 0) area.errors++;
        else if (event.type === "swap-out") area.written++;
        else area.read++;
        break;
      }
      case "io-error":
        if (event.op === "read") this.readErrors += event.pages;
        else this.writeErrors += event.pages;
        break;
      case "oom-kill":
        if (this.kills.length < MAX_KILLS) this.kills.push(event);
        break;
    }
    this.timeline.tick();
  }

  /** A process is about to end: which of its mappings have pages in swap. */
  noteSwapOf(mm: MmStruct, mappings: MappingLedger): void {
    const swaps = readSwaps(this.#host);
    this.#see(swaps);
    if (swaps.every(({ used }) => used === 0)) return;
    for (const { start, end, pages } of readSwapOfMappings(mm)) {
      mappings.noteSwapped(start, end, pages, (from, to) => swappedPages(mm, from, to));
    }
  }

  #area(name: string): AreaRecord | undefined {
    if (!this.areas.has(name)) this.#see(readSwaps(this.#host));
    return this.areas.get(name);
  }

  #see(swaps: readonly SwapLine[]): void {
    for (const line of swaps) {
      const known = this.areas.get(line.name);
      if (known === undefined)
        this.areas.set(line.name, { line, peak: line.used, written: 0, read: 0, errors: 0 });
      else known.peak = Math.max(known.peak, line.used);
    }
  }
}
