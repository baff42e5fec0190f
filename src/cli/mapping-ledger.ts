/**
 * Which mappings a process made, and which faults each of them took: kept from the events alone.
 *
 * ```
 *   live     │ A │ B    │ A │    sorted pieces of address space, each leading to its record
 *   records    A, B, C          in order of creation; C is gone: nothing of it is left in `live`
 * ```
 *
 * A record is one mapping call. What lies over a part of it later splits its piece, as MAP_FIXED and munmap do.
 */
import { PAGE_SIZE, pageAlignDown } from "../mm/page.ts";
import {
  FAULT_CAUSES,
  type FaultCause,
  type FaultEvent,
  type MapEvent,
  type MappingType,
} from "../mm/trace/events.ts";

/** Index of each cause in the fault columns. */
const CAUSE_INDEX: ReadonlyMap<string, number> = new Map(FAULT_CAUSES.map((cause, index) => [cause, index]));

/** A column with one count per fault cause. */
export type FaultCounts = Float64Array;

export function newFaultCounts(): FaultCounts {
  return new Float64Array(FAULT_CAUSES.length);
}

export function countFault(counts: FaultCounts, event: FaultEvent): void {
  counts[CAUSE_INDEX.get(event.cause) ?? 0]++;
}

/** The counts by name, those that are not 0. */
export function faultsByName(counts: FaultCounts): Partial<Record<FaultCause, number>> {
  const byName: Partial<Record<FaultCause, number>> = {};
  for (const [index, cause] of FAULT_CAUSES.entries()) {
    if (counts[index] > 0) byName[cause] = counts[index];
  }
  return byName;
}

/** One mapping, from the call that made it. */
export interface MappingRecord {
  start: number;
  end: number;
  /** PROT_… as it was mapped. */
  readonly prot: number;
  readonly type: MappingType;
  /** Path of the file, "[heap]", "[stack]" or "". */
  name: string;
  /** Offset in the file (bytes). */
  readonly offset: number;
  readonly faults: FaultCounts;
  majorFaults: number;
  /** Pages copied that a fork shares. */
  forkCopies: number;
  /** Pages of it that were in swap when the process ended. */
  swapPages: number;
  /** Pieces of it that are mapped still; 0: gone before the process ended. */
  pieces: number;
  /** Mappings that this record stands for: more than one where gone ones were folded together. */
  count: number;
}

interface Piece {
  readonly start: number;
  readonly end: number;
  readonly record: MappingRecord;
}

/** Records of mappings that are gone, which are kept one by one: beyond it they are folded by type and name. */
const MAX_GONE = 1000;

const PROT_RW = 3;

/** Names that the call which made the mapping does not know: the kernel gives them afterwards. */
const LEARNT: ReadonlySet<string> = new Set(["[stack]", "[vdso]"]);

export class MappingLedger {
  /** Accesses that no mapping served. */
  readonly unmapped: FaultCounts = newFaultCounts();
  #records: MappingRecord[] = [];
  #live: Piece[] = [];
  /** How many records are gone, and how many make it time to fold. */
  #gone = 0;
  #foldAt: number = 2 * MAX_GONE;

  /** Every mapping in order of creation. */
  get records(): readonly MappingRecord[] {
    return this.#records;
  }

  map(event: MapEvent): void {
    const { address, length, prot, mappingType: type, path: name, offset } = event;
    this.#insert(newRecord(address, address + length, prot, type, name, offset));
    if (this.#gone > this.#foldAt) this.#fold();
  }

  unmap(address: number, length: number): void {
    this.#carve(address, address + length);
  }

  /** The heap that starts at `start` ends at `end` now. */
  growHeap(start: number, end: number): void {
    const heap = this.#records.find((record) => record.name === "[heap]" && record.pieces > 0);
    if (heap === undefined) {
      if (end > start) this.#insert(newRecord(start, end, PROT_RW, "private anonymous", "[heap]", 0));
    } else if (end > heap.end) {
      this.#link(heap, heap.end, end);
    } else {
      this.#carve(end, heap.end);
      heap.end = end;
    }
  }

  /** mremap: the mapping is shorter, longer or elsewhere now. It stays the same record, unless only a part of it moved. */
  remap(oldAddress: number, oldLength: number, address: number, length: number): void {
    const piece = this.#live[this.#firstEndingAfter(oldAddress)];
    if (piece === undefined || piece.start > oldAddress) return;
    const { record } = piece;
    this.#carve(oldAddress, oldAddress + oldLength);
    this.#carve(address, address + length);
    if (record.pieces === 0) {
      this.#gone--;
      record.start = address;
      record.end = address + length;
      this.#link(record, address, record.end);
    } else {
      const offset = record.offset + (record.type.endsWith("file") ? oldAddress - record.start : 0);
      this.#insert(newRecord(address, address + length, record.prot, record.type, record.name, offset));
    }
  }

  /** A child's ledger begins with what its parent has mapped, and no faults. */
  fork(): MappingLedger {
    const child = new MappingLedger();
    const copies = new Map<MappingRecord, MappingRecord>();
    for (const { start, end, record } of this.#live) {
      let copy = copies.get(record);
      if (copy === undefined) {
        copy = newRecord(record.start, record.end, record.prot, record.type, record.name, record.offset);
        copies.set(record, copy);
        child.#records.push(copy);
      }
      copy.pieces++;
      child.#live.push({ start, end, record: copy });
    }
    return child;
  }

  /** exec: all that was mapped is gone. */
  clear(): void {
    this.#carve(0, Number.POSITIVE_INFINITY);
  }

  /** What is gone is told of no more. */
  forget(): void {
    this.#records = this.#records.filter(({ pieces }) => pieces > 0);
    this.#gone = 0;
  }

  fault(event: FaultEvent): void {
    const record = this.#recordOf(event);
    if (record === undefined) {
      countFault(this.unmapped, event);
      return;
    }
    countFault(record.faults, event);
    if (event.major) record.majorFaults++;
    if (event.sharedWith !== 0) record.forkCopies++;
  }

  /**
   * The process is about to end, and `pages` of start … end are in swap: a mapping of the kernel's, which may be made of
   * several of ours. @param countIn how many there are in a part
   */
  noteSwapped(
    start: number,
    end: number,
    pages: number,
    countIn: (from: number, to: number) => number,
  ): void {
    let left = pages;
    for (let at = this.#firstEndingAfter(start); at < this.#live.length && left > 0; at++) {
      const piece = this.#live[at];
      if (piece.start >= end) break;
      const isLast = piece.end >= end || this.#live[at + 1] === undefined || this.#live[at + 1].start >= end;
      const here = isLast ? left : countIn(Math.max(piece.start, start), Math.min(piece.end, end));
      piece.record.swapPages += here;
      left -= here;
    }
  }

  #recordOf(event: FaultEvent): MappingRecord | undefined {
    const { address, mapping } = event;
    const at = this.#firstEndingAfter(address);
    const piece = this.#live[at];
    if (piece !== undefined && piece.start <= address) {
      // A mapping learns here what it serves as. (What is called the heap may be a neighbour merged with it.)
      if (LEARNT.has(mapping) && piece.record.name === "") piece.record.name = mapping;
      return piece.record;
    }
    if (event.cause === "segv") return undefined;
    const page = pageAlignDown(address);
    // Nobody announces that a stack grows: its first fault below its start does.
    if (mapping === "[stack]" && piece?.record.name === "[stack]") {
      this.#link(piece.record, page, piece.start);
      return piece.record;
    }
    const record = newRecord(page, page + PAGE_SIZE, PROT_RW, "private anonymous", mapping, 0);
    this.#insert(record);
    return record;
  }

  #insert(record: MappingRecord): void {
    this.#carve(record.start, record.end);
    this.#records.push(record);
    this.#link(record, record.start, record.end);
  }

  /** Gives `record` the range start … end, in which nothing is mapped. */
  #link(record: MappingRecord, start: number, end: number): void {
    this.#live.splice(this.#firstEndingAfter(start), 0, { start, end, record });
    record.start = Math.min(record.start, start);
    record.end = Math.max(record.end, end);
    record.pieces++;
  }

  /** Takes start … end out of `live`. */
  #carve(start: number, end: number): void {
    const first = this.#firstEndingAfter(start);
    let last = first;
    const rest: Piece[] = [];
    for (; last < this.#live.length && this.#live[last].start < end; last++) {
      const piece = this.#live[last];
      const { record } = piece;
      record.pieces--;
      if (piece.start < start) rest.push({ ...piece, end: start });
      if (piece.end > end) rest.push({ ...piece, start: end });
    }
    const cut = this.#live.splice(first, last - first, ...rest);
    for (const { record } of rest) record.pieces++;
    for (const record of new Set(cut.map((piece) => piece.record))) if (record.pieces === 0) this.#gone++;
  }

  /** Index of the first piece that ends after `address`. */
  #firstEndingAfter(address: number): number {
    let low = 0;
    let high = this.#live.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#live[middle].end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Folds the newer half of the mappings that are gone, so that a program that maps for ever needs no memory here for ever. */
  #fold(): void {
    const folded = new Map<string, MappingRecord>();
    let kept = 0;
    this.#records = this.#records.filter((record) => {
      if (record.pieces > 0 || (record.count === 1 && kept++ < MAX_GONE)) return true;
      const key = `${record.type}\0${record.name}`;
      const into = folded.get(key);
      if (into === undefined) {
        folded.set(key, record);
        return true;
      }
      into.count += record.count;
      into.majorFaults += record.majorFaults;
      into.forkCopies += record.forkCopies;
      into.swapPages += record.swapPages;
      into.end = Math.max(into.end, record.end);
      into.start = Math.min(into.start, record.start);
      for (const [index, count] of record.faults.entries()) into.faults[index] += count;
      return false;
    });
    this.#gone = this.#records.filter((record) => record.pieces === 0).length;
    this.#foldAt = this.#gone + MAX_GONE;
  }
}

function newRecord(
  start: number,
  end: number,
  prot: number,
  type: MappingType,
  name: string,
  offset: number,
): MappingRecord {
  const faults = newFaultCounts();
  const none = { majorFaults: 0, forkCopies: 0, swapPages: 0, pieces: 0 };
  return { start, end, prot, type, name, offset, faults, ...none, count: 1 };
}
