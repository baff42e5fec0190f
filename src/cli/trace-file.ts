/**
 * `--trace FILE`: every event as a line of JSON, behind a header line that names the schema (docs/report-schema.md).
 *
 * Written in blocks: a program that faults a million times writes a few hundred times. What is still buffered when the
 * command is killed outright is lost; any other end writes it.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { TraceEvent, Tracer } from "../mm/trace/events.ts";

export const TRACE_SCHEMA = "faultline-trace";
export const TRACE_VERSION = 1;

/** Characters buffered before they are written. */
const BLOCK = 65536;

export class TraceFile {
  readonly #fd: number;
  readonly #unsubscribe: () => void;
  #buffer = "";

  /** Creates or empties the file, and takes events from now on. Throws as openSync does. */
  constructor(path: string, tracer: Tracer, faultlineVersion: string) {
    this.#fd = openSync(path, "w");
    this.#line({ schema: TRACE_SCHEMA, version: TRACE_VERSION, faultline: faultlineVersion });
    this.#unsubscribe = tracer.subscribe((event) => this.#line(event));
  }

  close(): void {
    this.#unsubscribe();
    this.#flush();
    closeSync(this.#fd);
  }

  #line(value: TraceEvent | Readonly<Record<string, string | number>>): void {
    this.#buffer += `${JSON.stringify(value)}\n`;
    if (this.#buffer.length >= BLOCK) this.#flush();
  }

  #flush(): void {
    const bytes = Buffer.from(this.#buffer);
    this.#buffer = "";
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
  }
}
