/**
 * Where faults on purpose come in: between the page cache and storage, as the block layer's own fault injection does
 * (should_fail_bio in block/blk-core.c). The page cache asks here before each transfer, so that any file system can be
 * made to fail, whatever it stands on.
 */
import type { Pfn, PgOff } from "../page.ts";
import type { AddressSpace } from "./address-space.ts";
import type { BackingDevInfo } from "./backing-dev.ts";

export interface StorageFaults {
  /** Pages `index` … `index + count − 1` are to be read in one transfer. 0, or the negative errno it fails with. */
  beforeRead(mapping: AddressSpace, index: PgOff, count: number): number;
  /**
   * Pages `index` … `index + count − 1` are to be written. How many of them, from the first on, may be; when that is
   * fewer than `count`, the next one is the business of `failWrite`, and the rest is to be asked about again.
   */
  admitWrites(mapping: AddressSpace, index: PgOff, count: number): number;
  /** The write that was not admitted: what it leaves in storage, and the negative errno it fails with. May not return. */
  failWrite(mapping: AddressSpace, index: PgOff, pfn: Pfn): number;
  /** Everything written is to be made durable. 0 or a negative errno. */
  beforeFlush(device: BackingDevInfo): number;
}
