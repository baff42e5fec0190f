/**
 * The swap areas of `--swap`, taken into use before the program starts and given up after it.
 *
 * Areas of memory are called /dev/ram0 … and /dev/zram0 … in /proc/swaps, as Linux calls such disks; an area in a file has
 * the file's path.
 */
import {
  type FaultEngine,
  FaultySwapDevice,
  type Kernel,
  LinuxError,
  MemorySwapDevice,
  PAGE_SIZE,
  type SwapDevice,
  ZramSwapDevice,
} from "../mm/index.ts";
import { zlibCompressor } from "../storage/node/index.ts";
import type { SwapSpec } from "./pressure-options.ts";
import { FAILED, ProgramError } from "./program-error.ts";
import { formatSize } from "./size.ts";
import { openSwapFile, type SwapFile } from "./swap-file.ts";

export class SwapAreas {
  readonly #files: SwapFile[] = [];

  /**
   * Throws a ProgramError, with no file left behind that was not there before.
   *
   * @param faults what goes wrong with them on purpose
   * @param sleep lets nanoseconds of the kernel's clock pass
   */
  constructor(
    kernel: Kernel,
    specs: readonly SwapSpec[],
    faults: FaultEngine | undefined,
    sleep: (ns: number) => void,
  ) {
    const faulty = (device: SwapDevice): SwapDevice =>
      faults === undefined ? device : new FaultySwapDevice(device, faults, sleep);
    const numbers = { memory: 0, zram: 0 };
    try {
      for (const spec of specs) {
        if (spec.kind === "file") {
          const file = openSwapFile(spec.file ?? "", spec.bytes, this.#files);
          this.#files.push(file);
          use(kernel, spec, faulty(file.device), file.path, file.pages);
        } else {
          const name = `/dev/${spec.kind === "zram" ? "zram" : "ram"}${numbers[spec.kind]++}`;
          use(kernel, spec, faulty(memoryDevice(spec)), name);
        }
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The machine is off. Files that were there are left as areas that hold nothing of use. */
  close(): void {
    for (const file of this.#files.splice(0)) file.close();
  }
}

function memoryDevice({ kind, bytes = 0 }: SwapSpec): SwapDevice {
  const pages = Math.floor(bytes / PAGE_SIZE);
  if (kind === "zram") return new ZramSwapDevice(pages, zlibCompressor);
  try {
    return new MemorySwapDevice(new Uint8Array(pages * PAGE_SIZE));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProgramError(
      "--swap",
      `${formatSize(bytes)} is too much for a block of memory; give it a file (file=PATH)`,
      FAILED,
    );
  }
}

/** @param maxPages so many of an area that is there; undefined: it is new, and gets a header */
function use(
  kernel: Kernel,
  { priority }: SwapSpec,
  device: SwapDevice,
  name: string,
  maxPages?: number,
): void {
  const options = {
    name,
    ...(priority !== undefined && { priority }),
    ...(maxPages === undefined ? { mkswap: {} } : { maxPages }),
  };
  try {
    kernel.swapOn(device, options);
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw new ProgramError("--swap", `${name}: ${error.message}`, FAILED);
  }
}
