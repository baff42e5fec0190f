/**
 * Random programs on a disk that fails at random: whatever fsync or msync acknowledged is on the disk at the end, each
 * open file hears of each error once, and every page can be read all the time.
 *
 * What is known from outside of the page cache: the disk's bytes, and the events that tell of failed writes and of pages
 * dropped from memory. A page whose write failed is clean, as in Linux: once memory drops it, its changes are gone, and
 * the program, which has been told, reads what the disk has.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { XA_DIRTY } from "../../../src/lib/xarray.ts";
import {
  faultInjection,
  Kernel,
  MAP_SHARED,
  MS_SYNC,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE,
  type Process,
  StorageCrash,
  validate,
} from "../../../src/mm/index.ts";
import { outcome, RW } from "../core/rig.ts";
import { Disk, diskFs } from "./disk-fs.ts";

const PAGES = 40;
const SIZE = PAGES * PAGE_SIZE;
/** Less than the file has, so that reclaim writes and drops pages, too. */
const RAM = 32 * PAGE_SIZE;
const FILES = 3;

const file = fc.nat(FILES - 1);
const at = fc.oneof(
  fc.nat(SIZE - 1),
  fc.nat(PAGES - 1).map((page) => page * PAGE_SIZE),
);
const length = fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.constant(1), fc.constant(PAGE_SIZE));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("store" as const), file, at, length }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("pwrite" as const), file, at, length }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("load" as const), file, at, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fsync" as const), file, at, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("msync" as const), file, at, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("reopen" as const), file, at, length }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("minute" as const), file, at, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sync" as const), file, at, length }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Run {
  readonly disk = new Disk();
  readonly kernel: Kernel;
  readonly process: Process;
  readonly fds: number[] = [];
  readonly addr: number;
  ns = 0;
  /** What the program must read. */
  readonly shadow = new Uint8Array(SIZE);
  /** What the last acknowledgement promised, and what was written since: either may be on the disk. */
  readonly acknowledged = new Uint8Array(SIZE);
  readonly later: Set<number>[] = Array.from({ length: PAGES }, () => new Set<number>());
  /** Pages whose last write failed and that were not changed since. */
  readonly failed: Set<number> = new Set();
  /** Write errors so far; how many of them each file has reported; and whether any has reported the last. */
  errors = 0;
  readonly told: number[] = [];
  toldSomebody = 0;

  /** @param isLazy nothing is too much to be dirty, so that reclaim is the first to write */
  constructor(plan: string, isLazy: boolean) {
    this.kernel = new Kernel({ ram: RAM, now: () => this.ns, poison: true });
    if (isLazy) {
      this.kernel.mounts.writeback.dirtyBytes = 2 ** 30;
      this.kernel.mounts.writeback.dirtyBackgroundBytes = 2 ** 29;
    }
    this.kernel.mount("/disk", faultInjection(diskFs(this.disk), plan));
    this.process = this.kernel.spawn();
    for (let i = 0; i < FILES; i++) this.fds.push(this.process.open("/disk/f", O_RDWR | O_CREAT, 0o600));
    this.told.push(...this.fds.map(() => 0));
    this.process.ftruncate(this.fds[0], SIZE);
    this.addr = this.process.mmap(0, SIZE, RW, MAP_SHARED, this.fds[0], 0);
    this.kernel.tracer.subscribe((event) => {
      if (event.type === "io-error") {
        this.errors++;
        this.failed.add(event.index);
      }
      if (event.type === "drop" && this.failed.delete(event.index)) this.#lose(event.index);
    });
  }

  #lose(page: number): void {
    const range = [page * PAGE_SIZE, (page + 1) * PAGE_SIZE] as const;
    this.shadow.set(this.disk.bytes("f").subarray(...range), range[0]);
  }

  /** Changes bytes start … end to `value`, page by page, so that it is known what memory dropped before and after. */
  change(start: number, end: number, value: number, write: (start: number, bytes: Uint8Array) => void): void {
    for (let from = start; from < end; ) {
      const page = Math.floor(from / PAGE_SIZE);
      const to = Math.min(end, (page + 1) * PAGE_SIZE);
      this.later[page].add(value);
      write(from, new Uint8Array(to - from).fill(value));
      this.shadow.fill(value, from, to);
      // A page that is dirty again has all of its content yet to write, also what failed before.
      if (this.disk.mappings.get("f")?.pages.getTag(page, XA_DIRTY) === true) this.failed.delete(page);
      from = to;
    }
  }

  /** fsync or msync through file `i`, which covers the pages first … last. */
  acknowledge(i: number, first: number, last: number, call: () => void): void {
    const result = outcome(call);
    expect(result).toBe(this.errors > this.told[i] ? "EIO" : "ok");
    this.told[i] = this.errors;
    this.toldSomebody = this.errors;
    if (result !== "ok") return;
    const bytes = this.disk.bytes("f");
    for (let page = first; page <= last; page++) {
      if (this.failed.has(page)) continue;
      const range = [page * PAGE_SIZE, (page + 1) * PAGE_SIZE] as const;
      const content = this.shadow.subarray(...range);
      if (Buffer.compare(bytes.subarray(...range), content) !== 0)
        throw new Error(`page ${page} is not on the disk`);
      this.acknowledged.set(content, range[0]);
      this.later[page].clear();
    }
  }

  step({ kind, file: i, at: start, length: wanted }: Step, value: number): void {
    const { process: p, fds, addr } = this;
    const end = Math.min(start + wanted, SIZE);
    if (kind === "store") this.change(start, end, value, (from, bytes) => p.writeBytes(addr + from, bytes));
    if (kind === "pwrite")
      this.change(start, end, value, (from, bytes) => void p.pwrite(fds[i], bytes, undefined, from));
    if (kind === "load") {
      // Page by page: reading one may drop another.
      for (let from = start; from < end; ) {
        const to = Math.min(end, (Math.floor(from / PAGE_SIZE) + 1) * PAGE_SIZE);
        const found = p.readBytes(addr + from, to - from);
        expect(Buffer.compare(found, this.shadow.subarray(from, to))).toBe(0);
        from = to;
      }
    }
    if (kind === "fsync") this.acknowledge(i, 0, PAGES - 1, () => p.fsync(fds[i]));
    if (kind === "msync") {
      const first = Math.floor(start / PAGE_SIZE);
      const last = Math.ceil(end / PAGE_SIZE) - 1;
      const length = (last + 1 - first) * PAGE_SIZE;
      this.acknowledge(0, first, last, () => p.msync(addr + first * PAGE_SIZE, length, MS_SYNC));
    }
    if (kind === "reopen" && i > 0) {
      p.close(fds[i]);
      fds[i] = p.open("/disk/f", O_RDWR);
      // What nobody has been told yet, it will be told.
      this.told[i] = this.toldSomebody === this.errors ? this.errors : 0;
    }
    if (kind === "minute") {
      this.ns += 60e9;
      this.kernel.runFlusher();
    }
    if (kind === "sync") p.sync();
  }

  /** The power fails: on the disk each byte is what was acknowledged, or something newer. */
  check(): void {
    const bytes = this.disk.bytes("f");
    for (let i = 0; i < SIZE; i++) {
      const byte = bytes[i] ?? 0;
      if (byte !== this.acknowledged[i] && !this.later[Math.floor(i / PAGE_SIZE)].has(byte))
        throw new Error(`byte ${i} is ${byte}, not ${this.acknowledged[i]}`);
    }
  }
}

it.each([
  "write:eio%0.05",
  "write:torn%0.1",
  "write:eio@20-24,write:torn@7,write:delay=1ms",
  "write:eio%0.9",
  "write:delay=1us",
])("loses nothing that was acknowledged: %s", (plan) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), fc.nat(2 ** 31), (steps, seed) => {
      const run = new Run(`${plan},seed=${seed}`, seed % 2 === 1);
      for (const [i, one] of steps.entries()) run.step(one, (i % 255) + 1);
      expect(validate(run.kernel)).toEqual([]);
      run.check();
    }),
    { numRuns: 25 },
  );
});

it("leaves on the disk what was acknowledged, whichever write the machine stops in", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 30, maxLength: 120 }),
      fc.integer({ min: 1, max: 150 }),
      (steps, write) => {
        const run = new Run(`write:crash@${write},seed=${write}`, write % 2 === 1);
        try {
          for (const [i, one] of steps.entries()) run.step(one, (i % 255) + 1);
        } catch (error) {
          if (!(error instanceof StorageCrash)) throw error;
        }
        run.check();
      },
    ),
    { numRuns: 60 },
  );
});
