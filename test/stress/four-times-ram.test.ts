/**
 * A program that uses four times the RAM that there is: it writes, reads back and checks everything, forks in between, has a
 * file mapped beside it, and loses a swap area in the middle. FAULTLINE_LARGE=1 goes on up to 1 GiB of RAM.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_SYNC,
  mkswap,
  O_RDWR,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Process,
  validate,
} from "../../src/mm/index.ts";
import { Disk, diskFs } from "../mm/writeback/disk-fs.ts";
import { newSwapDevice, SWAP_KINDS, type SwapKind } from "./setup.ts";

const RW: number = PROT_READ | PROT_WRITE;
const TIMES = 4;
const LARGE: boolean = process.env.FAULTLINE_LARGE === "1";
/** Frames of RAM: from 256 KiB to 4 MiB, then 16 MiB, 256 MiB and 1 GiB. */
const SMALL_SIZES: readonly number[] = [64, 96, 256, 1024];
const LARGE_SIZES: readonly number[] = [4096, 65_536, 262_144];

const folder: string = mkdtempSync(join(tmpdir(), "faultline-four-times-"));
afterAll(() => rmSync(folder, { recursive: true }));

const page: Uint8Array = new Uint8Array(PAGE_SIZE);
const words: Uint32Array = new Uint32Array(page.buffer);

/** What page `index` holds after it was written for the `generation`th time: no two are alike, and zram can shrink it. */
function pattern(index: number, generation: number): Uint8Array {
  for (let i = 0; i < words.length; i++)
    words[i] = Math.imul(index + 1, 2654435761) + generation * 977 + (i >> 3);
  return page;
}

/** Finds pages that are not as they were written, and names the first. */
function check(task: Process, addr: number, pages: number, generationOf: (index: number) => number): void {
  for (let index = 0; index < pages; index++) {
    const found = task.view(addr + index * PAGE_SIZE, PAGE_SIZE);
    if (Buffer.compare(found, pattern(index, generationOf(index))) !== 0)
      throw new Error(`page ${index} of process ${task.pid} is not what was written to it`);
  }
}

class World {
  readonly kernel: Kernel;
  readonly task: Process;
  readonly #disk = new Disk();
  readonly #kind: SwapKind;

  constructor(frames: number, kind: SwapKind) {
    this.#kind = kind;
    this.kernel = new Kernel({ ram: frames * PAGE_SIZE, overcommitMemory: 1 });
    const pages = (TIMES + 2) * frames + 64;
    this.#disk.files.set("data", new Uint8Array((frames >> 1) * PAGE_SIZE));
    for (const name of kind === "guest" ? ["one", "two"] : []) {
      const bytes = new Uint8Array(pages * PAGE_SIZE);
      bytes.set(mkswap(pages));
      this.#disk.files.set(name, bytes);
    }
    this.kernel.mount("/disk", diskFs(this.#disk));
    this.task = this.kernel.spawn({ comm: "four-times" });
    for (const name of ["one", "two"]) {
      if (kind === "guest") this.task.swapon(`/disk/${name}`);
      else {
        const device = newSwapDevice({ kind, pages, priority: 0 }, join(folder, `${kind}-${frames}-${name}`));
        this.kernel.swapOn(device, { name, mkswap: {}, priority: name === "one" ? 2 : 1 });
      }
    }
  }

  swapOff(name: string): void {
    if (this.#kind === "guest") this.task.swapoff(`/disk/${name}`);
    else this.kernel.swapOff(name);
  }

  stored(index: number): Uint8Array {
    return this.#disk.bytes("data").subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE);
  }
}

function run(frames: number, kind: SwapKind): void {
  const world = new World(frames, kind);
  const { kernel, task } = world;
  const pages = TIMES * frames;
  const filePages = frames >> 1;
  const addr = task.mmap(0, pages * PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
  const file = task.mmap(0, filePages * PAGE_SIZE, RW, MAP_SHARED, task.open("/disk/data", O_RDWR), 0);
  for (let index = 0; index < pages; index++) {
    task.writeBytes(addr + index * PAGE_SIZE, pattern(index, 1));
    if (index < filePages) task.writeBytes(file + index * PAGE_SIZE, pattern(index, 5));
  }
  check(task, addr, pages, () => 1);
  const child = task.fork();
  const isRewritten = (index: number): boolean => index % 3 === 0;
  for (let index = 0; index < pages; index++)
    if (isRewritten(index)) child.writeBytes(addr + index * PAGE_SIZE, pattern(index, 2));
  world.swapOff("one");
  check(child, addr, pages, (index) => (isRewritten(index) ? 2 : 1));
  check(task, addr, pages, () => 1);
  check(child, file, filePages, () => 5);
  child.exit();
  for (let index = 0; index < pages; index += 2) task.writeBytes(addr + index * PAGE_SIZE, pattern(index, 3));
  check(task, addr, pages, (index) => (index % 2 === 0 ? 3 : 1));
  task.msync(file, filePages * PAGE_SIZE, MS_SYNC);
  for (let index = 0; index < filePages; index++)
    if (Buffer.compare(world.stored(index), pattern(index, 5)) !== 0)
      throw new Error(`page ${index} of the file was synced, and is not in storage`);
  expect(validate(kernel)).toEqual([]);
  const { pswpin = 0, pswpout = 0 } = kernel.vmstat();
  expect(pswpout).toBeGreaterThan(pages - frames);
  expect(pswpin).toBeGreaterThan(pages - frames);
  task.exit();
  expect(validate(kernel)).toEqual([]);
}

describe("four times the RAM, every byte right", () => {
  for (const frames of LARGE ? [...SMALL_SIZES, ...LARGE_SIZES] : SMALL_SIZES) {
    it.each(SWAP_KINDS)(
      `${(frames * PAGE_SIZE) / 1024} KiB of RAM, swap of kind %s`,
      { timeout: 900_000 },
      (kind) => {
        run(frames, kind);
      },
    );
  }
});
