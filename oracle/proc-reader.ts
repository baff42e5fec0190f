/** /proc/PID of one process of the host, held open for as long as its memory lives: a text costs one read. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from "node:fs";
import { O_DIRECT, O_PATH, O_WRONLY } from "../src/mm/uapi/fcntl.ts";
import type { MapFile } from "./maps.ts";

/** Bytes of an entry of pagemap. */
const ENTRY = 8;
const PAGE_SIZE = 4096;

const FILES = ["maps", "smaps", "smaps_rollup", "numa_maps", "statm", "status", "pagemap"] as const;
type FileName = (typeof FILES)[number];

/** A word that never changes, to wait for. */
const pause = new Int32Array(new SharedArrayBuffer(4));
const PAUSE_MS = 0.05;

/** All readers' texts pass through it, one at a time. */
let buffer = Buffer.alloc(2 ** 16);

export class ProcReader {
  private readonly directory: string;
  private readonly open: Partial<Record<FileName, number>> = {};

  constructor(pid: number) {
    this.directory = `/proc/${pid}`;
  }

  maps(): string {
    return this.text("maps");
  }

  smaps(): string {
    return this.text("smaps");
  }

  smapsRollup(): string {
    return this.text("smaps_rollup");
  }

  statm(): string {
    return this.text("statm");
  }

  numaMaps(): string {
    return this.text("numa_maps");
  }

  status(): string {
    return this.text("status");
  }

  /** Returns when the process has ended, and nobody has waited for it yet. */
  waitForZombie(): void {
    while (!/^State:\s*Z/m.test(this.status())) Atomics.wait(pause, 0, 0, PAUSE_MS);
  }

  /** `pages` entries of pagemap, from the page of `addr` on. */
  pagemap(addr: number, pages: number): Uint8Array {
    const entries = new Uint8Array(pages * ENTRY);
    readSync(this.descriptor("pagemap"), entries, 0, entries.length, (addr / PAGE_SIZE) * ENTRY);
    return entries;
  }

  /** Only for root. */
  mapFiles(): MapFile[] {
    const directory = `${this.directory}/map_files`;
    return readdirSync(directory).map((name) => {
      const path = `${directory}/${name}`;
      return { name, target: readlinkSync(path), found: statSync(path) };
    });
  }

  /** Where the descriptor leads to, undefined where it isn't open. */
  fileName(fd: number): string | undefined {
    try {
      return readlinkSync(`${this.directory}/fd/${fd}`);
    } catch {
      return undefined;
    }
  }

  /** The position of an open descriptor, where it goes past the page cache; else undefined. */
  directPosition(fd: number): number | undefined {
    const { pos, flags } = this.fdinfo(fd);
    return (flags & O_DIRECT) !== 0 ? pos : undefined;
  }

  /** Whether the open descriptor can be read from. */
  isReadable(fd: number): boolean {
    const { flags } = this.fdinfo(fd);
    return (flags & (O_WRONLY | O_PATH)) === 0;
  }

  private fdinfo(fd: number): { readonly pos: number; readonly flags: number } {
    const text = readFileSync(`${this.directory}/fdinfo/${fd}`, "latin1");
    const found = /^pos:\s+(\d+)\nflags:\s+(\d+)$/m.exec(text);
    if (found === null) throw new Error(`not an fdinfo: ${text}`);
    return { pos: Number(found[1]), flags: Number.parseInt(found[2], 8) };
  }

  close(): void {
    for (const fd of Object.values(this.open)) closeSync(fd);
    for (const name of FILES) delete this.open[name];
  }

  private descriptor(name: FileName): number {
    this.open[name] ??= openSync(`${this.directory}/${name}`, "r");
    return this.open[name];
  }

  private text(name: FileName): string {
    const fd = this.descriptor(name);
    let length = 0;
    // A read ends with a whole line that still fits, at the latest after a page: the end is where nothing comes.
    for (;;) {
      const count = readSync(fd, buffer, length, buffer.length - length, length);
      length += count;
      if (count === 0) return buffer.toString("latin1", 0, length);
      if (buffer.length - length < PAGE_SIZE) {
        const larger = Buffer.alloc(buffer.length * 2);
        buffer.copy(larger);
        buffer = larger;
      }
    }
  }
}
