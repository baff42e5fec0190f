/** What the tests of the memory system calls have in common: kernels that are validated after each test, and errors by name. */
import { afterEach, expect } from "vitest";
import {
  Kernel,
  type KernelOptions,
  LinuxError,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MemoryFault,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Process,
  validate,
} from "../../../src/mm/index.ts";

export const P: number = PAGE_SIZE;
export const RW: number = PROT_READ | PROT_WRITE;
export const ANON: number = MAP_PRIVATE | MAP_ANONYMOUS;
export const SHARED_ANON: number = MAP_SHARED | MAP_ANONYMOUS;
/** An address in the middle of nowhere, at the start of a table of PTEs. */
export const BASE: number = 0x10_0000_0000;

let booted: Kernel[] = [];

afterEach(() => {
  // A kernel that has panicked stopped in the middle of something.
  const findings = booted.flatMap((kernel) => (kernel.panicked === null ? validate(kernel) : []));
  booted = [];
  expect(findings).toEqual([]);
});

/** A kernel with poisoned free frames, validated after the test that boots it. */
export function boot(options: KernelOptions = {}): Kernel {
  const kernel = new Kernel({ ram: 8 * 2 ** 20, poison: true, ...options });
  booted.push(kernel);
  return kernel;
}

/** A process of a kernel of its own. */
export function spawn(options: KernelOptions = {}): Process {
  return boot(options).spawn();
}

/** What the call throws, by name: "ENOMEM", "SEGV_MAPERR", "BUS_ADRERR"; "ok" when it does not. */
export function outcome(call: () => unknown): string {
  try {
    call();
    return "ok";
  } catch (error) {
    if (error instanceof LinuxError) return error.code;
    if (error instanceof MemoryFault && "code" in error) return String(error.code);
    throw error;
  }
}

/** Private anonymous memory, readable and writable, at `addr`. */
export function mapAt(task: Process, addr: number, pages: number, prot: number = RW): number {
  return task.mmap(addr, pages * P, prot, ANON | MAP_FIXED);
}

/** A new file of `pages` pages on tmpfs, whose page n is full of byte n + 1. */
export function newFile(task: Process, path: string, pages: number): number {
  const fd = task.open(path, O_RDWR | O_CREAT, 0o644);
  for (let page = 0; page < pages; page++) task.pwrite(fd, new Uint8Array(P).fill(page + 1), P, page * P);
  return fd;
}

/** Minor faults that `act` takes. */
export function faults(task: Process, act: () => void): number {
  const before = task.minFlt;
  act();
  return task.minFlt - before;
}

export function readAll(task: Process, addr: number, pages: number): void {
  for (let page = 0; page < pages; page++) task.loadU8(addr + page * P);
}

export function writeAll(task: Process, addr: number, pages: number, value = 1): void {
  for (let page = 0; page < pages; page++) task.storeU8(addr + page * P, value);
}

/** The mappings that meet `base` … `base + pages`, one "first…end perms" in pages from `base` each. */
export function layout(task: Process, base: number, pages: number): string[] {
  const lines: string[] = [];
  for (const line of task.maps().split("\n")) {
    const [, from, to, perms] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
    if (from === undefined || to === undefined) continue;
    const first = (Number.parseInt(from, 16) - base) / P;
    const end = (Number.parseInt(to, 16) - base) / P;
    if (end > 0 && first < pages) lines.push(`${first}…${end} ${perms}`);
  }
  return lines;
}
