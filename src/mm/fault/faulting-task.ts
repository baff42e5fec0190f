import type { MmStruct } from "../vma/mm-struct.ts";

/** What a fault needs of the task that takes it: whose memory, and where it is counted. */
export interface FaultingTask {
  readonly pid: number;
  readonly mm: MmStruct;
  /** Faults handled without and with storage I/O. */
  minFlt: number;
  majFlt: number;
}
