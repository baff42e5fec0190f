/**
 * A list of steps that a process takes with its memory, and what /proc says of it in between: on Faultline here, on the
 * host by host-steps.c. Both print the same lines if both kernels are the same.
 */
import {
  type Kernel,
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  type Process,
} from "../../../src/mm/index.ts";
import { PAGEMAP_SCAN } from "../../../src/mm/proc/pagemap-scan.ts";
import { sysMlock } from "../../../src/mm/syscalls/mlock.ts";
import { sysIoctl } from "../../../src/mm/syscalls/open.ts";

const LOW = 0x600000000000;
const HIGH = 0x610000000000;
const PAGE = 4096;

/** The whole of a file, read in pieces. */
export function readAll(process: Process, path: string, piece = 65536): string {
  const fd = process.open(path, O_RDONLY);
  const buffer = new Uint8Array(piece);
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const got = process.read(fd, buffer);
    if (got === 0) break;
    text += decoder.decode(buffer.subarray(0, got), { stream: true });
  }
  process.close(fd);
  return text;
}

export function writeText(process: Process, path: string, text: string): number {
  const fd = process.open(path, O_WRONLY);
  try {
    return process.write(fd, new TextEncoder().encode(text));
  } finally {
    process.close(fd);
  }
}

/** Takes the steps in a new process of `kernel`, which has /proc, and answers what the shows printed. */
export function runSteps(kernel: Kernel, steps: readonly string[]): string {
  const process = kernel.spawn({ comm: "steps" });
  const fds: number[] = [];
  const children: Process[] = [];
  let output = "";
  for (const step of steps) {
    const [word, ...rest] = step.split(" ");
    if (word === "memfd") {
      const fd = process.memfd_create(rest[0]);
      process.ftruncate(fd, Number(rest[1]));
      fds.push(fd);
      continue;
    }
    const [addr, length, third, fourth, fd] = rest.map(Number);
    switch (word) {
      case "map": {
        const flags = fourth | MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_ANONYMOUS : 0);
        process.mmap(addr, length, third, flags, fd < 0 ? -1 : fds[fd], 0);
        break;
      }
      case "read":
        for (let i = 0; i < length; i++) process.loadU8(addr + i * PAGE);
        break;
      case "write":
        for (let i = 0; i < length; i++) process.storeU8(addr + i * PAGE, 1);
        break;
      case "unmap":
        process.munmap(addr, length);
        break;
      case "protect":
        process.mprotect(addr, length, third);
        break;
      case "advise":
        process.madvise(addr, length, third);
        break;
      case "lock":
        if (sysMlock(kernel.mmu, process, addr, length) !== 0) throw new Error(`mlock: ${step}`);
        break;
      case "fork":
        children.push(process.fork());
        break;
      case "reap":
        children.pop()?.exit();
        process.wait();
        break;
      case "clear":
        writeText(process, "/proc/self/clear_refs", String(addr));
        break;
      case "poke": {
        const mem = process.open("/proc/self/mem", O_RDWR);
        let done = -1;
        try {
          done = process.pwrite(mem, new Uint8Array([7]), 1, addr);
        } catch {
          // What the host answers with −1 and an errno.
        }
        output += `poke ${done}\n`;
        process.close(mem);
        break;
      }
      case "show":
        output += inRange(readAll(process, "/proc/self/smaps"), /^[0-9a-f]+-/);
        output += inRange(readAll(process, "/proc/self/numa_maps"), /^/);
        break;
      case "scan":
        output += scan(process, rest.map(BigInt));
        break;
      case "pagemap":
        output += pagemap(process, addr, length);
        break;
      default:
        throw new Error(`no such step: ${step}`);
    }
  }
  for (const child of children) child.exit();
  process.exit();
  return output;
}

/** The records that begin, with a line that matches `head`, at an address in range. */
function inRange(text: string, head: RegExp): string {
  let shown = "";
  let isShown = false;
  for (const line of text.split("\n").slice(0, -1)) {
    if (head.test(line)) {
      const start = Number.parseInt(line, 16);
      isShown = start >= LOW && start < HIGH;
    }
    if (isShown) shown += `${line}\n`;
  }
  return shown;
}

/** Bits 63 … 55 of the entries, in hexadecimal. */
function pagemap(process: Process, addr: number, pages: number): string {
  const bytes = new Uint8Array(pages * 8);
  const fd = process.open("/proc/self/pagemap", O_RDONLY);
  process.pread(fd, bytes, bytes.length, (addr / PAGE) * 8);
  process.close(fd);
  const view = new DataView(bytes.buffer);
  const entries = Array.from({ length: pages }, (_, i) =>
    (view.getUint32(i * 8 + 4, true) >>> 23).toString(16),
  );
  return `${entries.join(" ")}\n`;
}

/** Where a scan has its argument and its regions: out of the range that is shown. */
const SCAN_ARG = 0x10000000;
const SCAN_REGIONS = 512;

/** PAGEMAP_SCAN with the twelve fields of its argument; a vec of 1 stands for an array. */
function scan(process: Process, fields: readonly bigint[]): string {
  const bytes = PAGE * 4;
  process.mmap(SCAN_ARG, bytes, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE);
  const arg = new BigUint64Array(fields.map((field) => BigInt.asUintN(64, field)));
  if (arg[5] === 1n) arg[5] = BigInt(SCAN_ARG + 96);
  process.writeBytes(SCAN_ARG, new Uint8Array(arg.buffer));
  const fd = process.open("/proc/self/pagemap", O_RDONLY);
  const found = sysIoctl(process, fd, PAGEMAP_SCAN, SCAN_ARG);
  process.close(fd);
  const answer = new BigUint64Array(process.readBytes(SCAN_ARG, 96 + SCAN_REGIONS * 24).slice().buffer);
  process.munmap(SCAN_ARG, bytes);
  let text = `scan ${Math.max(found, -1)} ${found < 0 ? -found : 0} ${answer[4].toString(16)}`;
  for (let at = 12; at < 12 + found * 3; at += 3) {
    const [start, end, categories] = [...answer.subarray(at, at + 3)].map((word) => word.toString(16));
    text += ` ${start}-${end}:${categories}`;
  }
  return `${text}\n`;
}
