/** What a run of the bench found out: the form of --json and of last.json. */
import type { Figure } from "./figure.ts";
import type { BundleSize } from "./tools.ts";

/** Aims. Those beside the host are: at or under its figure. */
export const AIMS = {
  accessNs: 10,
  kernelRatio: 30,
  bookkeepingPerFrame: 40,
} as const;

/** One quantity on both sides. `host` is absent where there was nothing to measure it with. */
export interface Comparison {
  readonly name: string;
  readonly what: string;
  readonly faultline: Figure;
  readonly host?: Figure;
}

/** Nanoseconds of a whole program. */
export interface ComputeResult {
  readonly name: string;
  /** One of the five that the mean is made of. */
  readonly isKernel: boolean;
  readonly faultline: Figure;
  readonly host?: Figure;
  /** The same binary under qemu-riscv64. */
  readonly qemu?: Figure;
  /** How many the machine executed. */
  readonly instructions: number;
}

export interface HeapResult {
  /** Bytes of the frame table for each frame of RAM. */
  readonly bookkeepingPerFrame: number;
  /** Heap of a kernel of 256 MiB, without its columns and its RAM. */
  readonly bootedHeap: number;
  /** Heap of each of 60,000 mappings. */
  readonly perMapping: number;
  /** Heap that one fault allocates, with the access that takes it. */
  readonly perFault: Readonly<Record<string, number>>;
}

export type MappingOperation = "map" | "fault" | "replace" | "search";

/** Nanoseconds of operations in a process of `count` mappings. */
export interface MappingResult {
  readonly count: number;
  readonly faultline: Readonly<Record<MappingOperation, Figure>>;
  /** Absent where the host allows no process so many mappings (vm.max_map_count). */
  readonly host?: Readonly<Record<MappingOperation, Figure>>;
  /** Heap of each mapping. */
  readonly perMapping: number;
}

export interface BenchResults {
  readonly version: 1;
  readonly quick: boolean;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
    readonly compiler: string;
    /** Load average of the last minute when the bench began: more than 0 means that others used the machine, too. */
    readonly load: number;
  };
  /** Nanoseconds. */
  readonly memory: readonly Comparison[];
  readonly reclaim: readonly Comparison[];
  readonly mappings: readonly MappingResult[];
  /** Nanoseconds of a load or store that hits the TLB. */
  readonly access: Readonly<Record<string, Figure>>;
  readonly heap: HeapResult;
  readonly compute: readonly ComputeResult[];
  /** Nanoseconds from start to exit. */
  readonly startUp: readonly Comparison[];
  readonly bundles: Readonly<Record<string, BundleSize>>;
  /** What could not be measured here, and why. */
  readonly skipped: readonly string[];
}
