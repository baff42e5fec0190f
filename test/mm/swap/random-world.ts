/** A machine with too little RAM, random programs on it, and a shadow copy of all that they have stored. */
import {
  EIO,
  Kernel,
  LinuxError,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  MemoryFault,
  MPOL_DEFAULT,
  MPOL_MF_MOVE_ALL,
  MREMAP_MAYMOVE,
  PROT_READ,
  type Process,
  type SwapTiming,
} from "../../../src/mm/index.ts";
import { ANON, P, RW, SHARED_ANON } from "../core/rig.ts";
import { addSwap, DiskSwapDevice, type Kind } from "./rig.ts";

/** What one page holds: a byte all over. Shared pages are one object for all who map them. */
interface Cell {
  value: number;
}

interface Program {
  readonly process: Process;
  readonly pages: Map<number, { cell: Cell; readonly shared: boolean; writable: boolean }>;
}

export const STEPS = [
  "map",
  "map shared",
  "store",
  "store",
  "store",
  "store",
  "load",
  "load",
  "fork",
  "exit",
  "unmap",
  "move",
  "protect",
  "dontneed",
  "pageout",
  "cold",
  "willneed",
  "migrate",
  "swapoff",
  "swapon",
  "break writes",
  "mend writes",
] as const;

export interface Step {
  readonly op: (typeof STEPS)[number];
  /** Choices of the step, each 0 … 1. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Memory is out, the process is gone, swapoff met a page in use, or a range spans mappings that don't go together. */
const REFUSALS: ReadonlySet<string> = new Set(["ENOMEM", "ESRCH", "EBUSY", "EFAULT"]);

export class World {
  readonly kernel: Kernel;
  readonly #kind: Kind;
  #programs: Program[] = [];
  #nextValue = 1;
  readonly #disks: DiskSwapDevice[] = [];
  /** Names of areas that swapoff took, to be added again. */
  readonly #gone: string[] = [];

  readonly #timing: SwapTiming | null;

  /** @param timing of the areas; null: they answer at once */
  constructor(frames: number, kind: Kind, areas: readonly number[], timing: SwapTiming | null = null) {
    this.#timing = timing;
    this.kernel = new Kernel({ ram: frames * P, poison: true, overcommitMemory: 1 });
    this.#kind = kind;
    for (const [index, priority] of areas.entries()) this.#add(`/dev/swap${index}`, priority);
    this.#programs.push({ process: this.kernel.spawn(), pages: new Map() });
  }

  run(step: Step): void {
    // Who was killed because memory was out is gone.
    this.#programs = this.#programs.filter(({ process }) => process.exitStatus === null);
    if (this.#programs.length === 0) {
      this.#programs.push({ process: this.kernel.spawn(), pages: new Map() });
    }
    const program = this.#programs[Math.floor(step.a * this.#programs.length)];
    try {
      this.#step(program, step);
    } catch (error) {
      // Memory may be out at any point: the call failed, or its process was killed.
      const isOut = error instanceof LinuxError && REFUSALS.has(error.code);
      if (!isOut && !(error instanceof MemoryFault && "code" in error && error.code === "ENOMEM"))
        throw error;
    }
  }

  /** Everything that every program can see. */
  check(): void {
    for (const program of this.#programs) {
      for (const addr of program.pages.keys()) this.#checkPage(program, addr);
    }
  }

  #add(name: string, priority?: number): void {
    const device = addSwap(this.kernel, this.#kind, 96, name, priority, this.#timing);
    if (device instanceof DiskSwapDevice) this.#disks.push(device);
  }

  /** What the devices answer to writes from now on. */
  #setWriteError(error: number): void {
    for (const disk of this.#disks) disk.writeError = error;
  }

  #checkPage({ process, pages }: Program, addr: number): void {
    const value = pages.get(addr)?.cell.value ?? 0;
    if (process.exitStatus !== null) return;
    let bytes: Uint8Array;
    try {
      bytes = process.readBytes(addr, P);
    } catch (error) {
      if (error instanceof MemoryFault && "code" in error && error.code === "ENOMEM") return;
      if (process.exitStatus !== null) return;
      throw error;
    }
    for (let at = 0; at < P; at++) {
      if (bytes[at] !== value)
        throw new Error(`byte ${at} of 0x${addr.toString(16)} is ${bytes[at]}, not ${value}`);
    }
  }

  #step(program: Program, { op, b, c }: Step): void {
    const { process, pages } = program;
    const addrs = [...pages.keys()];
    const addr = addrs.length === 0 ? 0 : addrs[Math.floor(b * addrs.length)];
    const page = pages.get(addr);
    switch (op) {
      case "map":
      case "map shared":
        this.#map(program, 1 + Math.floor(b * 40), op === "map shared");
        return;
      case "fork":
        if (this.#programs.length < 4) this.#fork(program);
        return;
      case "exit":
        if (this.#programs.length > 1) process.exit(0);
        return;
      case "swapoff": {
        const name = `/dev/swap${Math.floor(b * 3)}`;
        try {
          this.kernel.swapOff(name);
        } catch (error) {
          if (error instanceof LinuxError && error.code === "EINVAL") return;
          throw error;
        }
        this.#gone.push(name);
        return;
      }
      case "swapon": {
        const name = this.#gone.pop();
        if (name === undefined) return;
        this.#setWriteError(0);
        this.#add(name);
        return;
      }
      case "break writes":
        this.#setWriteError(-EIO);
        return;
      case "mend writes":
        this.#setWriteError(0);
        return;
    }
    if (page === undefined) return;
    switch (op) {
      case "store": {
        for (const one of this.#run(program, addr, c)) {
          const written = pages.get(one);
          if (written?.writable !== true) return;
          const value = (this.#nextValue++ % 255) + 1;
          process.writeBytes(one, new Uint8Array(P).fill(value));
          written.cell.value = value;
        }
        return;
      }
      case "load":
        this.#checkPage(program, addr);
        return;
      case "unmap": {
        const run = this.#run(program, addr, c);
        process.munmap(addr, run.length * P);
        for (const one of run) pages.delete(one);
        return;
      }
      case "move": {
        const run = this.#run(program, addr, c);
        const to = process.mremap(addr, run.length * P, (run.length + 4) * P, MREMAP_MAYMOVE);
        const moved = run.map((one) => pages.get(one));
        for (const one of run) pages.delete(one);
        for (const [index, one] of moved.entries()) if (one !== undefined) pages.set(to + index * P, one);
        // What was added has no bytes to lose.
        process.munmap(to + run.length * P, 4 * P);
        return;
      }
      case "protect": {
        const writable = c > 0.3;
        process.mprotect(addr, P, writable ? RW : PROT_READ);
        page.writable = writable;
        return;
      }
      case "dontneed":
        if (page.shared) return;
        process.madvise(addr, P, MADV_DONTNEED);
        page.cell = { value: 0 };
        return;
      case "pageout":
        process.madvise(addr, this.#run(program, addr, c).length * P, MADV_PAGEOUT);
        return;
      case "cold":
        process.madvise(addr, this.#run(program, addr, c).length * P, MADV_COLD);
        return;
      case "willneed":
        process.madvise(addr, this.#run(program, addr, c).length * P, MADV_WILLNEED);
        return;
      case "migrate":
        process.mbind(addr, this.#run(program, addr, c).length * P, MPOL_DEFAULT, [], MPOL_MF_MOVE_ALL);
        return;
    }
  }

  /** Pages from `addr` on that lie together and are of one kind and one protection. */
  #run({ pages }: Program, addr: number, c: number): number[] {
    const first = pages.get(addr);
    const run: number[] = [];
    for (let at = addr; run.length < 1 + c * 30; at += P) {
      const page = pages.get(at);
      if (
        page === undefined ||
        page.shared ||
        page.shared !== first?.shared ||
        page.writable !== first.writable
      )
        break;
      run.push(at);
    }
    return run.length === 0 ? [addr] : run;
  }

  #map(program: Program, count: number, shared: boolean): void {
    if (program.pages.size > 300) return;
    const at = program.process.mmap(0, count * P, RW, shared ? SHARED_ANON : ANON);
    for (let page = 0; page < count; page++) {
      program.pages.set(at + page * P, { cell: { value: 0 }, shared, writable: true });
    }
  }

  #fork(program: Program): void {
    const process = program.process.fork();
    const pages: Program["pages"] = new Map();
    for (const [addr, { cell, shared, writable }] of program.pages) {
      pages.set(addr, { cell: shared ? cell : { ...cell }, shared, writable });
    }
    this.#programs.push({ process, pages });
  }
}
