/**
 * Two subjects side by side: each step goes to both, and everything a program could see of it is compared: what the
 * call returned, the bytes it read, the maps of the process (and of its new child).
 */
import { CLONE_VM } from "../src/machine/life/fork.ts";
import { errnoName } from "../src/mm/uapi/errno.ts";
import { hasCertainFaults } from "./certain-faults.ts";
import { costs } from "./costs.ts";
import { MANY_MAPPINGS } from "./crowd.ts";
import { locksMemory } from "./generator.ts";
import { formatMaps, hasCertainResidency, type Mapping } from "./maps.ts";
import type { Operation } from "./operation.ts";
import { PipedMemory, type PipeUser } from "./piped-memory.ts";
import { FIGURES, MAX_ACCESS, type Outcome, SKIPPED, SLOTS, type Subject, TABLES } from "./subject.ts";
import { DISK_NAMES, SHM_NAMES } from "./test-files.ts";
import { totals } from "./totals.ts";
import { isUncertain } from "./uncertain.ts";

export interface Mismatch {
  /** Which of the things compared differs. */
  readonly what:
    | "result"
    | "bytes"
    | "faults"
    | "maps"
    | "figures"
    | "pagemap"
    | "costs"
    | "totals"
    | "map_files"
    | "file"
    | "exception";
  readonly expected: string;
  readonly actual: string;
}

const PAGE_SIZE = 4096;
/** Bytes of an entry of /proc/PID/pagemap, and the meaning of the bits of its highest byte. */
const PAGEMAP_ENTRY = 8;
const PAGEMAP_BITS: readonly (readonly [bit: number, name: string])[] = [
  [0x80, "present"],
  [0x40, "in swap"],
  [0x20, "file or shared"],
  [0x04, "guard"],
  [0x01, "exclusive"],
];
/** Mappings longer than this are not read through at the end of a sequence. */
const MAX_SWEEP = 2 ** 21;
/** Mappings no farther apart than this are looked up in pagemap at once. */
const CLOSE: number = 64 * PAGE_SIZE;

/** So many of the last segments are worth a call, and so many of a process's last pidfds. */
const SEGMENTS = 5;
const PIDFDS = 3;

/** Steps between two looks at everything that /proc says of all processes, where not every step is looked at so. */
const LOOK_EVERY = 8;

export class Comparison {
  private readonly reference: Subject;
  private readonly candidate: Subject;
  private readonly isThorough: boolean;
  /** By slot, which address space its process has, and by address space what is mapped in it. */
  private readonly spaces: number[] = [0];
  private readonly knownMaps: (readonly Mapping[])[] = [];
  /**
   * Address spaces that have had mappings of files on disk. Whether a fault that fails leaves a page table behind depends there on
   * which pages around it are cached, and in folios of which size.
   */
  private readonly onDisk = new Set<number>();
  private readonly knownSegments: number[] = [];
  /** By slot. */
  private readonly knownPidfds: number[][] = Array.from({ length: SLOTS }, () => []);
  private readonly piped = new PipedMemory();
  private lastResult = 0;
  /** Whether memory may have been locked since the start. */
  private hasLocks = false;
  /** Whether somebody has made pages unused: a processor that still knows them as used does not say so again. */
  private hasCleared = false;
  private steps = 0;

  constructor(reference: Subject, candidate: Subject, isThorough: boolean) {
    this.reference = reference;
    this.candidate = candidate;
    this.isThorough = isThorough;
  }

  isAlive(slot: number): boolean {
    return this.reference.isAlive(slot);
  }

  isFree(slot: number): boolean {
    return this.reference.isFree(slot);
  }

  /** The process's maps after the last step, which both subjects agree on. */
  maps(slot: number): readonly Mapping[] {
    return this.knownMaps[this.spaces[slot] ?? -1] ?? [];
  }

  segments(): readonly number[] {
    return this.knownSegments.slice(-SEGMENTS);
  }

  pidfds(slot: number): readonly number[] {
    return this.knownPidfds[slot].slice(-PIDFDS);
  }

  /** Performs one step on both; `seen` is what the reference said. */
  step(operation: Operation, seen?: (outcome: Outcome) => void): Mismatch | undefined {
    const expected = this.isLeftOut(operation) ? SKIPPED : this.reference.perform(operation);
    seen?.(expected);
    if (expected.result === undefined) return undefined;
    this.piped.note(operation, expected.result, this.pipeUser(operation.process));
    this.lastResult = expected.result;
    if (operation.call === "shmget" && expected.result >= 0) this.knownSegments.push(expected.result);
    if (operation.call === "pidfd_open" && expected.result >= 0)
      this.knownPidfds[operation.process].push(expected.result);
    let actual: Outcome;
    try {
      actual = this.candidate.perform(operation);
    } catch (error) {
      return { what: "exception", expected: formatOutcome(expected), actual: describe(error) };
    }
    if (expected.result !== actual.result) {
      return { what: "result", expected: formatOutcome(expected), actual: formatOutcome(actual) };
    }
    this.steps++;
    this.hasLocks ||= locksMemory(operation);
    this.hasCleared ||= operation.call === "clear_refs";
    return (
      this.compareBytes(operation, expected, actual) ??
      this.compareFaults(operation, expected, actual) ??
      this.compareState(operation, expected.result)
    );
  }

  private isLeftOut(operation: Operation): boolean {
    const { process } = operation;
    if (!this.isAlive(process)) return false;
    if (this.piped.isReadOntoItself(operation, this.pipeUser(process))) return true;
    return isUncertain(operation, {
      mappings: this.maps(process),
      mappingsOf: (slot) => (this.isFree(slot) ? [] : this.maps(slot)),
      fileName: (fd) => this.reference.fileName(process, fd),
      fileSize: (name) => this.reference.fileSize(name),
      hasHoles: (name) => this.reference.hasHoles(name),
      directPosition: (fd) => this.reference.directPosition(process, fd),
      hasLocks: this.hasLocks,
      wasOnDisk: this.onDisk.has(this.spaces[process]),
    });
  }

  private pipeUser(slot: number): PipeUser {
    return {
      mappings: this.maps(slot),
      fileName: (fd) => this.reference.fileName(slot, fd),
      unread: (fd) => this.reference.unread(slot, fd),
    };
  }

  /** Reads everything that is mapped anywhere, then ends both subjects and compares the files they leave. */
  *finalSteps(): Generator<Operation> {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (!this.isAlive(slot)) continue;
      // Each step looks at all mappings again, and of a crowd one is like the other.
      if (this.maps(slot).length > MANY_MAPPINGS) continue;
      for (const { start, end } of this.maps(slot)) {
        if (end - start > MAX_SWEEP) continue;
        for (let addr = start; addr < end; ) {
          yield { process: slot, call: "load", args: [addr, Math.min(end - addr, MAX_ACCESS)] };
          addr += Math.max(PAGE_SIZE, this.lastResult);
        }
      }
    }
  }

  finish(): Mismatch | undefined {
    const expected = this.reference.finish();
    let actual: readonly Uint8Array[];
    try {
      actual = this.candidate.finish();
    } catch (error) {
      return { what: "exception", expected: "an orderly end", actual: describe(error) };
    }
    const names = [...DISK_NAMES, ...SHM_NAMES];
    for (const [index, content] of expected.entries()) {
      const difference = differingBytes(content, actual[index]);
      if (difference !== undefined) {
        return {
          what: "file",
          expected: `${names[index]}: ${difference[0]}`,
          actual: `${names[index]}: ${difference[1]}`,
        };
      }
    }
    return undefined;
  }

  private compareBytes(operation: Operation, expected: Outcome, actual: Outcome): Mismatch | undefined {
    if (expected.bytes === undefined && actual.bytes === undefined) return undefined;
    let [left, right] = [expected.bytes ?? new Uint8Array(), actual.bytes ?? new Uint8Array()];
    if (operation.call === "mincore") {
      left = this.maskResidency(operation, left);
      right = this.maskResidency(operation, right);
    }
    const difference = differingBytes(left, right);
    return difference && { what: "bytes", expected: difference[0], actual: difference[1] };
  }

  /** `vector` with 0xff for pages whose residency depends on the storage's readahead. */
  private maskResidency({ process, args }: Operation, vector: Uint8Array): Uint8Array {
    const certain = this.maps(process).filter(hasCertainResidency);
    return vector.map((byte, index) => {
      const addr = args[0] + index * PAGE_SIZE;
      return certain.some(({ start, end }) => addr >= start && addr < end) ? byte : 0xff;
    });
  }

  /** Where all that a call touches is independent of the storage, the faults it takes are, too. */
  private compareFaults(operation: Operation, expected: Outcome, actual: Outcome): Mismatch | undefined {
    if (expected.faults === actual.faults) return undefined;
    if (!hasCertainFaults(operation, expected.result, (slot) => this.maps(slot))) return undefined;
    return { what: "faults", expected: `${expected.faults} faults`, actual: `${actual.faults} faults` };
  }

  /** The maps of whom the step was about, and now and then everything about all. */
  private compareState(operation: Operation, result: number): Mismatch | undefined {
    const { process, call, args } = operation;
    const slots = [process];
    if (result === 0 && (call === "fork" || call === "vfork" || call === "clone")) {
      slots.push(args[0]);
      const parent = this.spaces[process];
      const isShared = call === "vfork" || (call === "clone" && ((args[1] ?? CLONE_VM) & CLONE_VM) !== 0);
      this.spaces[args[0]] = isShared ? parent : this.knownMaps.length;
      if (this.onDisk.has(parent)) this.onDisk.add(this.spaces[args[0]]);
    }
    if (result === 0 && call === "exec") this.spaces[process] = this.knownMaps.length;
    for (const slot of slots) {
      const mismatch = this.isFree(slot) ? undefined : this.compareMaps(slot);
      if (mismatch !== undefined) return mismatch;
    }
    if (this.isThorough || this.steps % LOOK_EVERY === 0) {
      for (let slot = 0; slot < SLOTS; slot++) {
        const mismatch = this.isAlive(slot) ? this.compareMemory(slot) : undefined;
        if (mismatch !== undefined) return mismatch;
      }
    }
    return undefined;
  }

  private compareMaps(slot: number): Mismatch | undefined {
    const mappings = this.reference.maps(slot);
    const space = this.spaces[slot];
    this.knownMaps[space] = mappings;
    if (!mappings.every(hasCertainResidency)) this.onDisk.add(space);
    const expected = formatMaps(mappings);
    const actual = formatMaps(this.candidate.maps(slot));
    if (expected === actual) return undefined;
    return { what: "maps", ...differingLines(slot, expected, actual) };
  }

  /** The sizes that the process's status shows, what its mappings cost, and which pages its page tables hold, and how. */
  private compareMemory(slot: number): Mismatch | undefined {
    if (this.maps(slot).length > MANY_MAPPINGS) return undefined;
    const [left, right] = [this.reference.figures(slot), this.candidate.figures(slot)];
    const isCertain = (name: string): boolean => name !== TABLES || !this.onDisk.has(this.spaces[slot]);
    const differing = FIGURES.findIndex((name, at) => left[at] !== right[at] && isCertain(name));
    if (differing >= 0) {
      const text = (figures: readonly number[]): string =>
        `p${slot}: ${FIGURES[differing]} ${figures[differing]} kB`;
      return { what: "figures", expected: text(left), actual: text(right) };
    }
    return (
      this.comparePagemap(slot) ??
      this.compareCosts(slot) ??
      this.compareTotals(slot) ??
      this.compareMapFiles(slot)
    );
  }

  private compareTotals(slot: number): Mismatch | undefined {
    const isAlone = Array.from({ length: SLOTS }, (_, at) => at).every(
      (at) => at === slot || this.isFree(at),
    );
    const of = (subject: Subject): Map<string, string> => {
      // First, because the executor makes a call for it, whose traces in its own memory would be in the one and not in the other.
      const smaps = subject.smaps(slot);
      return totals({
        statm: subject.statm(slot),
        rollup: subject.smapsRollup(slot),
        smaps,
        mappings: this.maps(slot),
        isAlone,
      });
    };
    const actual = of(this.candidate);
    for (const [name, text] of of(this.reference)) {
      const other = actual.get(name);
      if (text === other) continue;
      return {
        what: "totals",
        expected: `p${slot}: ${name}: ${text}`,
        actual: `p${slot}: ${name}: ${other}`,
      };
    }
    return undefined;
  }

  private compareMapFiles(slot: number): Mismatch | undefined {
    const expected = this.reference.mapFiles(slot).join("\n");
    const actual = this.candidate.mapFiles(slot).join("\n");
    if (expected === actual) return undefined;
    return { what: "map_files", ...differingLines(slot, expected, actual, "map_files") };
  }

  private comparePagemap(slot: number): Mismatch | undefined {
    const certain = this.maps(slot).filter(
      (mapping) => hasCertainResidency(mapping) && mapping.end - mapping.start <= MAX_SWEEP,
    );
    for (const { start, end } of stretches(certain)) {
      const pages = (end - start) / PAGE_SIZE;
      const seen = this.reference.pagemap(slot, start, pages);
      const shown = this.candidate.pagemap(slot, start, pages);
      // The eighth byte of an entry says what kind of page it is.
      for (let at = PAGEMAP_ENTRY - 1; at < seen.length; at += PAGEMAP_ENTRY) {
        if (seen[at] === shown[at]) continue;
        const addr = start + Math.floor(at / PAGEMAP_ENTRY) * PAGE_SIZE;
        if (!certain.some((mapping) => mapping.start <= addr && addr < mapping.end)) continue;
        const text = (entries: Uint8Array): string =>
          `p${slot}: 0x${addr.toString(16)} ${describeEntry(entries[at])}`;
        return { what: "pagemap", expected: text(seen), actual: text(shown) };
      }
    }
    return undefined;
  }

  private compareCosts(slot: number): Mismatch | undefined {
    const mappings = new Map(this.maps(slot).map((mapping) => [mapping.start, mapping]));
    const known = { mappings, hasLocks: this.hasLocks, hasCleared: this.hasCleared };
    const expected = costs(this.reference.smaps(slot), this.reference.numaMaps(slot), known);
    const actual = costs(this.candidate.smaps(slot), this.candidate.numaMaps(slot), known);
    for (const [start, text] of expected) {
      const other = actual.get(start);
      if (text === other) continue;
      const address = `p${slot}: 0x${start.toString(16)}`;
      return { what: "costs", expected: `${address} ${text}`, actual: `${address} ${other}` };
    }
    return undefined;
  }
}

/** The mappings, with those that lie close together in one range. */
function stretches(mappings: readonly Mapping[]): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  for (const { start, end } of mappings) {
    const last = found.at(-1);
    if (last !== undefined && start - last.end <= CLOSE) last.end = end;
    else found.push({ start, end });
  }
  return found;
}

/** The highest byte of an entry of /proc/PID/pagemap, in words. */
function describeEntry(byte: number): string {
  const words = PAGEMAP_BITS.filter(([bit]) => (byte & bit) !== 0).map(([, name]) => name);
  return words.length === 0 ? "empty" : words.join(", ");
}

/** `-ENOMEM`, `0x40000000`, `3, bytes 01 02 03`. */
export function formatOutcome({ result, bytes }: Outcome): string {
  if (result === undefined) return "skipped";
  if (result < 0) return `-${errnoName(-result)}`;
  const value = result < 0x10000 ? String(result) : `0x${result.toString(16)}`;
  return bytes === undefined || bytes.length === 0 ? value : `${value}, bytes ${hexBytes(bytes, 0)}`;
}

function hexBytes(bytes: Uint8Array, from: number): string {
  const shown = Buffer.from(bytes.subarray(from, from + 16));
  const dots = from + shown.length < bytes.length ? " …" : "";
  return `${shown.toString("hex").replace(/(..)(?=.)/g, "$1 ")}${dots}`;
}

/** Both sides from the first difference on, or undefined where there is none. */
function differingBytes(left: Uint8Array, right: Uint8Array): [string, string] | undefined {
  const length = Math.max(left.length, right.length);
  for (let at = 0; at < length; at++) {
    if (left[at] === right[at]) continue;
    return [
      `${left.length} bytes, at ${at}: ${hexBytes(left, at)}`,
      `${right.length} bytes, at ${at}: ${hexBytes(right, at)}`,
    ];
  }
  return undefined;
}

function differingLines(
  slot: number,
  expected: string,
  actual: string,
  name = "maps",
): { expected: string; actual: string } {
  const [left, right] = [expected.split("\n"), actual.split("\n")];
  const only = (lines: string[], others: string[]): string =>
    lines.filter((line) => !others.includes(line)).join("\n    ") || "(nothing besides)";
  return {
    expected: `${name} of p${slot} with\n    ${only(left, right)}`,
    actual: `${name} of p${slot} with\n    ${only(right, left)}`,
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
