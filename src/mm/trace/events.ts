/**
 * The typed trace events: every state change worth seeing, as one stream.
 *
 * Readers (the report, the NDJSON trace, tests) subscribe to a Tracer; nobody reaches into the mechanisms. An
 * emitting place tests `tracer.enabled` first, so that an event that nobody hears costs one load and one branch, and
 * allocates nothing.
 */

/** Why a fault happened and what its handling did. One cause per counted fault. */
export const FAULT_CAUSES = [
  /** first read of anonymous memory: the shared zero page is mapped */
  "anon-zero",
  /** the same where the architecture forbids the zero page: a zeroed frame is mapped */
  "anon-read",
  /** first write to anonymous memory: a zeroed frame is mapped */
  "anon-write",
  /** read (or execution) of a file mapping: page-cache page mapped, with its neighbours (fault-around) */
  "file-read",
  /** first write to a private file mapping: the page-cache page is copied into an anonymous frame */
  "file-cow",
  /** first write to a shared file mapping whose page is not mapped yet */
  "file-shared",
  /** write to a present, write-protected page that somebody else uses too: copied */
  "wp-copy",
  /** write to a present, write-protected anonymous page that only this process uses: made writable in place */
  "wp-reuse",
  /** write to the shared zero page: replaced by a zeroed frame */
  "wp-zero",
  /** write to a clean page of a shared file mapping: page_mkwrite, made dirty */
  "wp-shared",
  /** the page came from swap */
  "swap",
  /** another fault or the hardware already did the work */
  "spurious",
  /** no mapping, or one that does not allow the access: SIGSEGV */
  "segv",
  /** a page wholly past the end of its file, or one that could not be read: SIGBUS */
  "sigbus",
  /** no memory left */
  "oom",
] as const;
export type FaultCause = (typeof FAULT_CAUSES)[number];

/** The type of a mapping in the article's sense. */
export type MappingType = "private anonymous" | "shared anonymous" | "private file" | "shared file";

export interface FaultEvent {
  readonly type: "fault";
  readonly pid: number;
  /** faulting address (bytes) */
  readonly address: number;
  readonly access: "read" | "write" | "exec";
  readonly cause: FaultCause;
  readonly major: boolean;
  /** made by the kernel on the program's behalf (a system call's buffer, populate) */
  readonly kernel: boolean;
  /** PTEs that fault-around filled beside the faulting one */
  readonly around: number;
  /** what the fault hit: path of the file, "[heap]", "[stack]" or "" */
  readonly mapping: string;
  /** wp-copy of a page that fork shares: a process that goes on showing the old one. Otherwise 0 */
  readonly sharedWith: number;
}

export interface MapEvent {
  readonly type: "mmap";
  readonly pid: number;
  readonly address: number;
  readonly length: number;
  readonly prot: number;
  readonly flags: number;
  readonly mappingType: MappingType;
  readonly path: string;
  /** offset in the file (bytes) */
  readonly offset: number;
}

export interface UnmapEvent {
  readonly type: "munmap";
  readonly pid: number;
  readonly address: number;
  readonly length: number;
}

/** The heap has a new length. */
export interface BrkEvent {
  readonly type: "brk";
  readonly pid: number;
  /** first address of the heap */
  readonly address: number;
  /** whole pages (bytes) */
  readonly length: number;
}

export interface RemapEvent {
  readonly type: "mremap";
  readonly pid: number;
  readonly oldAddress: number;
  /** bytes that are no longer mapped at the old address; 0 when the old mapping stays */
  readonly oldLength: number;
  readonly address: number;
  readonly length: number;
}

export interface PageCacheEvent {
  readonly type: "cache-read" | "writeback" | "drop";
  readonly path: string;
  /** first page and number of pages */
  readonly index: number;
  readonly pages: number;
}

/** Storage failed a transfer, by itself or on purpose. */
export interface IoErrorEvent {
  readonly type: "io-error";
  readonly op: "read" | "write";
  readonly path: string;
  /** first page and number of pages */
  readonly index: number;
  readonly pages: number;
  /** negative errno */
  readonly error: number;
}

/** A writer found more dirty than the background threshold, and waited for write-back. */
export interface BalanceDirtyEvent {
  readonly type: "balance-dirty";
  /** pages made dirty since the last look */
  readonly dirtied: number;
  /** pages dirty or being written then; and the limits (pages) */
  readonly dirty: number;
  readonly thresh: number;
  readonly bgThresh: number;
  /** nanoseconds that passed meanwhile */
  readonly pausedNs: number;
}

/** A page went to a swap device, or came from it. */
export interface SwapEvent {
  readonly type: "swap-out" | "swap-in";
  /** the area, as /proc/swaps calls it */
  readonly area: string;
  readonly slot: number;
  /** errno of a device that failed; 0 */
  readonly error: number;
}

export interface ProcessEvent {
  readonly type: "fork" | "exec" | "exit";
  readonly pid: number;
  /** fork: the child's pid; exit: the wait status */
  readonly value: number;
  readonly name: string;
}

/** Memory is out, and a process dies for it. */
export interface OomKillEvent {
  readonly type: "oom-kill";
  readonly pid: number;
  readonly name: string;
  /** path of the cgroup whose limit was reached, "/" when all memory is out */
  readonly group: string;
}

export interface SignalEvent {
  readonly type: "signal";
  readonly pid: number;
  readonly signal: number;
  readonly code: number;
  readonly address: number;
}

export interface SyscallEvent {
  readonly type: "syscall";
  readonly pid: number;
  readonly name: string;
  readonly args: readonly number[];
  readonly result: number;
}

export type TraceEvent =
  | FaultEvent
  | MapEvent
  | UnmapEvent
  | BrkEvent
  | RemapEvent
  | PageCacheEvent
  | SwapEvent
  | IoErrorEvent
  | BalanceDirtyEvent
  | ProcessEvent
  | OomKillEvent
  | SignalEvent
  | SyscallEvent;

export type TraceListener = (event: TraceEvent) => void;

/** Hands events to whoever subscribed, in order of subscription. */
export class Tracer {
  /** True while anybody listens. Emitting places test it before they build an event. */
  enabled = false;
  #listeners: TraceListener[] = [];

  /** Subscribes; the function returned ends the subscription. */
  subscribe(listener: TraceListener): () => void {
    this.#listeners = [...this.#listeners, listener];
    this.enabled = true;
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== listener);
      this.enabled = this.#listeners.length > 0;
    };
  }

  emit(event: TraceEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
