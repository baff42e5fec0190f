/**
 * Faults on purpose for a file system's storage (as fail_make_request and dm-flakey are for a real one).
 *
 * It works on pages between cache and storage: names, sizes and other attributes are not its business. A place whose
 * reading failed stays bad until it is written, as a sector of a real disk does: whoever needs that page sees the error,
 * even where readahead met it first.
 */
import { PAGE_SIZE, type Pfn, type PgOff } from "../page.ts";
import { EIO } from "../uapi/errno.ts";
import type { AddressSpace } from "./address-space.ts";
import type { BackingDevInfo } from "./backing-dev.ts";
import { FaultEngine, VERDICT_CRASH, VERDICT_TORN } from "./fault-engine.ts";
import type { FaultPlan } from "./fault-plan.ts";
import type { StorageFaults } from "./storage-faults.ts";
import type { FileSystem } from "./super-block.ts";

/** Pages of files, by inode number and index. */
class PlaceSet {
  readonly #places: Map<number, Set<PgOff>> = new Map();

  has(mapping: AddressSpace, index: PgOff): boolean {
    return this.#places.get(mapping.host.ino)?.has(index) === true;
  }

  add(mapping: AddressSpace, index: PgOff): void {
    const { ino } = mapping.host;
    let indexes = this.#places.get(ino);
    if (indexes === undefined) {
      indexes = new Set();
      this.#places.set(ino, indexes);
    }
    indexes.add(index);
  }

  delete(mapping: AddressSpace, index: PgOff): void {
    this.#places.get(mapping.host.ino)?.delete(index);
  }
}

export class FaultInjector implements StorageFaults {
  readonly engine: FaultEngine;
  readonly #bad: PlaceSet = new PlaceSet();
  /** What the disk has room for already; kept where a rule asks. */
  readonly #stored: PlaceSet = new PlaceSet();
  /** What was decided for the page that admitWrites stopped at. */
  #verdict = 0;

  constructor(engine: FaultEngine) {
    this.engine = engine;
  }

  /** Faults so far, delays aside. */
  get injected(): number {
    return this.engine.injected;
  }

  beforeRead(mapping: AddressSpace, index: PgOff, count: number): number {
    if (!mapping.ops.writesBack) return 0;
    let error = 0;
    for (let at = index; at < index + count && error === 0; at++) {
      if (this.engine.verdict("read") !== 0) this.#bad.add(mapping, at);
      if (this.#bad.has(mapping, at)) error = -EIO;
    }
    this.#pass(mapping.host.sb.bdi);
    return error;
  }

  admitWrites(mapping: AddressSpace, index: PgOff, count: number): number {
    const { needsNewBytes } = this.engine;
    let admitted = 0;
    for (; admitted < count; admitted++) {
      const at = index + admitted;
      const isNew = needsNewBytes && !this.#stored.has(mapping, at);
      this.#verdict = this.engine.verdict("write", isNew ? PAGE_SIZE : 0);
      if (this.#verdict !== 0) break;
      if (isNew) this.#stored.add(mapping, at);
      this.#bad.delete(mapping, at);
    }
    this.#pass(mapping.host.sb.bdi);
    return admitted;
  }

  failWrite(mapping: AddressSpace, index: PgOff, pfn: Pfn): number {
    if (this.#verdict < 0) return this.#verdict;
    if (this.#verdict === VERDICT_TORN || this.#verdict === VERDICT_CRASH)
      writeTorn(mapping, index, pfn, this.engine.tornBytes());
    if (this.#verdict === VERDICT_CRASH) this.engine.crash();
    return -EIO;
  }

  beforeFlush(device: BackingDevInfo): number {
    const error = this.engine.verdict("flush");
    this.#pass(device);
    return error;
  }

  #pass(device: BackingDevInfo | undefined): void {
    const ns = this.engine.takeDelay();
    if (ns > 0) device?.domain.sleep(ns);
  }
}

/** Writes the first `bytes` bytes of a page; behind them storage keeps what it had. */
function writeTorn(mapping: AddressSpace, index: PgOff, pfn: Pfn, bytes: number): void {
  const { ops } = mapping;
  const frame = mapping.phys.ram.u8.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  const wanted = frame.slice();
  // The frame is under write-back and nobody can store to it: for a moment it holds what storage does.
  if (ops.readPages(mapping, index, [pfn], 1) === 0) {
    frame.set(wanted.subarray(0, bytes));
    ops.writePages(mapping, index, [pfn], 1);
  }
  frame.set(wanted);
}

/**
 * `fileSystem` on a storage that does wrong what `plan` says (a text as fault-plan.ts describes it, a parsed one, or the engine of one that other storages share). Of
 * a file system without storage (tmpfs) only fsync can fail.
 *
 * ```ts
 * const kernel = new Kernel({ root: faultInjection(nodeFs("data"), "write:eio%0.01,disk:full@16M") });
 * ```
 */
export function faultInjection(
  fileSystem: FileSystem,
  plan: string | FaultPlan | FaultEngine,
): FileSystem & { readonly faults: FaultInjector } {
  const faults = new FaultInjector(FaultEngine.of(plan));
  return { name: fileSystem.name, faults, mount: (context) => fileSystem.mount(context) };
}
