/**
 * Watermarks: how much memory stays free, and for whom (setup_per_zone_wmarks, mm/page_alloc.c).
 *
 * ```
 *   free frames
 *     high  ── kswapd goes back to sleep
 *     low   ── kswapd is woken
 *     min   ── who allocates has to reclaim himself; below it only reclaim itself may allocate
 *     0
 * ```
 *
 * Linux wants √(16 · RAM in KiB) KiB free, 128 KiB at least. On a machine of less than a MiB that would be most of all
 * memory: here it is an eighth at most. Between the marks lies a quarter of `min`, or a share of RAM if that is more
 * (vm.watermark_scale_factor, in ten-thousandths).
 */
import { PAGE_SIZE } from "../page.ts";

const PAGE_KIB: number = PAGE_SIZE / 1024;
const MIN_FREE_KBYTES_FLOOR = 128;
const MIN_FREE_KBYTES_CEILING = 262144;
const MAX_SHARE = 8;
const DEFAULT_SCALE_FACTOR = 10;
export const WATERMARK_SCALE_FACTOR_MAX = 3000;

export class Watermarks {
  /** Frames. */
  min = 0;
  low = 0;
  high = 0;
  promo = 0;
  readonly #managed: number;
  #minFreeKbytes = 0;
  #scaleFactor = DEFAULT_SCALE_FACTOR;

  /** All marks are 0, so that every frame can be had, until `setup`. @param managed frames that can be allocated */
  constructor(managed: number) {
    this.#managed = managed;
  }

  /** As at boot (init_per_zone_wmark_min). */
  setup(): void {
    const kbytes = this.#managed * PAGE_KIB;
    const wanted = Math.floor(Math.sqrt(kbytes * 16));
    this.minFreeKbytes = Math.min(
      Math.max(wanted, MIN_FREE_KBYTES_FLOOR),
      MIN_FREE_KBYTES_CEILING,
      Math.floor(kbytes / MAX_SHARE),
    );
  }

  /** vm.min_free_kbytes. Setting it moves all marks. */
  get minFreeKbytes(): number {
    return this.#minFreeKbytes;
  }

  set minFreeKbytes(kbytes: number) {
    this.#minFreeKbytes = kbytes;
    this.#update();
  }

  /** vm.watermark_scale_factor: the least distance of two marks in ten-thousandths of RAM. */
  get scaleFactor(): number {
    return this.#scaleFactor;
  }

  set scaleFactor(factor: number) {
    this.#scaleFactor = factor;
    this.#update();
  }

  #update(): void {
    const managed = this.#managed;
    this.min = Math.min(Math.floor(this.#minFreeKbytes / PAGE_KIB), managed);
    const scaled = Math.floor((managed * this.#scaleFactor) / 10000);
    const step = Math.max(this.min >> 2, scaled, 1);
    this.low = this.min + step;
    this.high = this.low + step;
    this.promo = this.high + step;
  }
}
