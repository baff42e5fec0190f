/** Faults on purpose for a swap device: see vfs/fault-plan.ts for what they can be. */

import type { Ram } from "../frames/ram.ts";
import { PAGE_SIZE } from "../page.ts";
import { EIO } from "../uapi/errno.ts";
import { FaultEngine, VERDICT_CRASH, VERDICT_TORN } from "../vfs/fault-engine.ts";
import type { FaultPlan } from "../vfs/fault-plan.ts";
import type { SwapDevice, SwapTiming } from "./swap-device.ts";

/** Reading or writing the header never fails, and is not counted. A slot whose reading failed stays bad until it is written. */
export class FaultySwapDevice implements SwapDevice {
  readonly engine: FaultEngine;
  /** As the device has them: that it can discard is a property of it. */
  readonly slotFreeNotify?: (slot: number) => void;
  readonly discard?: (first: number, count: number) => void;
  readonly #device: SwapDevice;
  readonly #sleep: (ns: number) => void;
  readonly #bad: Set<number> = new Set();

  /** @param sleep lets nanoseconds of the kernel's clock pass (KernelOptions.sleep), for delays */
  constructor(
    device: SwapDevice,
    plan: string | FaultPlan | FaultEngine,
    sleep: (ns: number) => void = () => {},
  ) {
    this.#device = device;
    this.engine = FaultEngine.of(plan);
    this.#sleep = sleep;
    if (device.slotFreeNotify !== undefined) this.slotFreeNotify = (slot) => device.slotFreeNotify?.(slot);
    if (device.discard !== undefined) this.discard = (first, count) => device.discard?.(first, count);
  }

  get pages(): number {
    return this.#device.pages;
  }

  get isSynchronous(): boolean {
    return this.#device.isSynchronous === true;
  }

  get isRotational(): boolean {
    return this.#device.isRotational === true;
  }

  get timing(): SwapTiming | undefined {
    return this.#device.timing;
  }

  get kind(): "partition" | "file" {
    return this.#device.kind ?? "file";
  }

  readPage(slot: number, ram: Ram, ramOffset: number): number {
    if (slot === 0) return this.#device.readPage(slot, ram, ramOffset);
    const verdict = this.engine.verdict("swap-read");
    this.#pass();
    if (verdict !== 0) this.#bad.add(slot);
    return this.#bad.has(slot) ? -EIO : this.#device.readPage(slot, ram, ramOffset);
  }

  writePage(slot: number, ram: Ram, ramOffset: number): number {
    if (slot === 0) return this.#device.writePage(slot, ram, ramOffset);
    const verdict = this.engine.verdict("swap-write");
    this.#pass();
    if (verdict < 0) return verdict;
    if (verdict === VERDICT_TORN || verdict === VERDICT_CRASH) {
      this.#writeTorn(slot, ram, ramOffset);
      if (verdict === VERDICT_CRASH) this.engine.crash();
      return -EIO;
    }
    this.#bad.delete(slot);
    return this.#device.writePage(slot, ram, ramOffset);
  }

  close(): void {
    this.#device.close?.();
  }

  /** Some sectors of the page reach the slot; behind them it keeps what it had. */
  #writeTorn(slot: number, ram: Ram, ramOffset: number): void {
    const frame = ram.u8.subarray(ramOffset, ramOffset + PAGE_SIZE);
    const wanted = frame.slice();
    if (this.#device.readPage(slot, ram, ramOffset) === 0) {
      frame.set(wanted.subarray(0, this.engine.tornBytes()));
      this.#device.writePage(slot, ram, ramOffset);
    }
    frame.set(wanted);
  }

  #pass(): void {
    const ns = this.engine.takeDelay();
    if (ns > 0) this.#sleep(ns);
  }
}
