/** What the validator counts on its way through the whole state, to be held against what is kept. */
import type { SwpEntry } from "../swap/swap-entry.ts";
import { VMSTAT_NAMES } from "../trace/vmstat.ts";
import type { Kernel } from "./kernel.ts";

/** The first few findings say what is wrong; thousands would only bury them. */
const MAX_FINDINGS = 50;

/** Owner: one run of the validator. */
export class Recount {
  readonly kernel: Kernel;
  readonly findings: string[] = [];
  /** By frame: PTEs that name it. */
  readonly maps: Int32Array;
  /** By frame: references of PTEs, caches, page tables and pipes. */
  readonly refs: Int32Array;
  /** By frame: PTEs of locked mappings. */
  readonly locks: Int32Array;
  /** How many PTEs and files name each slot in swap. */
  readonly slots: Map<SwpEntry, number> = new Map();
  /** Pages that mappings and files have been promised. */
  committed = 0;
  /** By state counter (trace/vmstat.ts). */
  readonly stat: Float64Array = new Float64Array(VMSTAT_NAMES.length);

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    const { endPfn } = kernel.phys.ram;
    this.maps = new Int32Array(endPfn);
    this.refs = new Int32Array(endPfn);
    this.locks = new Int32Array(endPfn);
  }

  found(finding: string): void {
    if (this.findings.length < MAX_FINDINGS) this.findings.push(finding);
  }

  nameSlot(entry: SwpEntry): void {
    this.slots.set(entry, (this.slots.get(entry) ?? 0) + 1);
  }
}
