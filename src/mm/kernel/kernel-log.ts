/** The kernel's log, as dmesg shows it (kernel/printk): the last lines, each with the time since boot. */

/** Lines that are kept; older ones are gone. */
const MAX_LINES = 4096;

export class KernelLog {
  readonly #now: () => number;
  readonly #bootNs: number;
  #lines: string[] = [];

  /** @param now nanoseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
    this.#bootNs = now();
  }

  print(text: string): void {
    const us = Math.floor((this.#now() - this.#bootNs) / 1000);
    const seconds = String(Math.floor(us / 1e6)).padStart(5);
    this.#lines.push(`[${seconds}.${String(us % 1e6).padStart(6, "0")}] ${text}`);
    if (this.#lines.length >= 2 * MAX_LINES) this.#lines = this.#lines.slice(-MAX_LINES);
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-MAX_LINES);
  }
}
