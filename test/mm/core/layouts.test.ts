/**
 * Where mmap, the heap and the stack lie, by personality, limits, settings and architecture. The numbers of x86-64 are
 * the host's (setarch -R, -L; ulimit -s), those of riscv64 follow from its kernel's constants.
 */
import { describe, expect, it } from "vitest";
import {
  type KernelOptions,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MREMAP_DONTUNMAP,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_READ,
  RISCV64,
  RLIMIT_STACK,
  X86_64,
} from "../../../src/mm/index.ts";
import type { Kernel } from "../../../src/mm/kernel/kernel.ts";
import type { Process } from "../../../src/mm/kernel/process.ts";
import { execMm, setBrk, setupArgPages } from "../../../src/mm/kernel/task-lifecycle.ts";
import {
  ADDR_COMPAT_LAYOUT,
  ADDR_NO_RANDOMIZE,
  READ_IMPLIES_EXEC,
} from "../../../src/mm/uapi/personality.ts";
import { ANON, boot, layout, outcome, P, RW } from "./rig.ts";

const MAP_32BIT = 0x40;
const MAP_ABOVE4G = 0x80;
const MAP_NORESERVE = 0x4000;

/** A process as after exec: with a stack, and a heap behind 5 MiB. */
function program(kernel: Kernel, prepare: (task: Process) => void = () => undefined): Process {
  const task = kernel.spawn();
  prepare(task);
  expect(execMm(task)).toBe(0);
  expect(setupArgPages(task, /* executable */ false, 100)).toBeGreaterThan(0);
  setBrk(task, 0x500000);
  return task;
}

const unlimitedStack = (task: Process): void =>
  task.setrlimit(RLIMIT_STACK, { soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY });
const compatible = (task: Process): void => {
  task.actor.personality = ADDR_COMPAT_LAYOUT;
};
const page = (task: Process, flags = 0, addr = 0): number => task.mmap(addr, P, RW, ANON | flags);

describe("mappings without randomisation", () => {
  it("x86-64: below the stack's gap, whatever the stack; upwards with the compatible layout", () => {
    expect(page(program(boot({ arch: X86_64 })))).toBe(0x7ffff7ffe000);
    expect(page(program(boot({ arch: X86_64 }), unlimitedStack))).toBe(0x155555555000);
    const legacy = program(boot({ arch: X86_64 }), compatible);
    expect([page(legacy), page(legacy)]).toEqual([0x2aaaaaaab000, 0x2aaaaaaac000]);
    const large = (task: Process): void =>
      task.setrlimit(RLIMIT_STACK, { soft: 1024000000, hard: Number.POSITIVE_INFINITY });
    // ulimit -s 1000000, less the eight pages of vdso and vvar.
    expect(page(program(boot({ arch: X86_64 }), large))).toBe(0x7fffc2e6e000);
  });

  it("riscv64: upwards with an unlimited stack, too", () => {
    expect(page(program(boot()))).toBe(2 ** 47 - 128 * 2 ** 20 - P);
    for (const prepare of [unlimitedStack, compatible]) {
      const task = program(boot(), prepare);
      expect([page(task), page(task)]).toEqual([RISCV64.unmappedBase, RISCV64.unmappedBase + P]);
    }
  });

  it("vm.legacy_va_layout holds for the programs executed from then on", () => {
    const kernel = boot();
    const before = program(kernel);
    kernel.sysctl.legacyVaLayout = 1;
    const after = program(kernel);
    expect(page(after)).toBe(RISCV64.unmappedBase);
    expect(page(before)).toBeGreaterThan(2 ** 46);
    expect(page(after.fork())).toBe(RISCV64.unmappedBase + P);
  });

  it("the stack begins with 128 KiB and its strings, or what its limit allows", () => {
    for (const [limit, strings, pages] of [
      [8 * 2 ** 20, 100, 33],
      [8 * 2 ** 20, 3 * P, 35],
      [16 * P, 100, 16],
      [2 * P, 3 * P, 3],
    ]) {
      const task = boot().spawn();
      task.setrlimit(RLIMIT_STACK, { soft: limit, hard: limit });
      execMm(task);
      const top = setupArgPages(task, false, strings);
      const vma = task.mm.vmas.lookup(top - P);
      expect(((vma?.end ?? 0) - (vma?.start ?? 0)) / P).toBe(pages);
    }
  });
});

describe("randomisation", () => {
  it("comes from the seed, moves everything, and leaves the heap behind the program with randomize_va_space 1", () => {
    const places = (seed: number, kinds: number): number[] => {
      const kernel = boot({ seed, randomize: true });
      kernel.sysctl.randomizeVaSpace = kinds;
      const task = program(kernel);
      return [page(task), task.mm.startStack, task.brk()];
    };
    const [one, again, other] = [places(1, 2), places(1, 2), places(2, 2)];
    expect(one).toEqual(again);
    for (const i of [0, 1, 2]) expect(one[i]).not.toBe(other[i]);
    // At least a page is left between the program and its heap, and at most 1 GiB.
    expect(one[2]).toBeGreaterThanOrEqual(0x501000);
    expect(one[2]).toBeLessThan(0x501000 + 2 ** 30);
    const heapStays = places(1, 1);
    expect(heapStays[2]).toBe(0x500000);
    expect(heapStays[0]).not.toBe(page(program(boot())));
    expect(places(1, 0)).toEqual(places(2, 0));
  });

  it("is off with ADDR_NO_RANDOMIZE, which children inherit", () => {
    const kernel = boot({ randomize: true });
    const task = program(kernel, (one) => {
      expect(one.personality(ADDR_NO_RANDOMIZE)).toBe(0);
    });
    expect(task.personality()).toBe(ADDR_NO_RANDOMIZE);
    expect(task.brk()).toBe(0x500000);
    const child = task.fork();
    expect(execMm(child)).toBe(0);
    expect(child.mm.mmapBase).toBe(task.mm.mmapBase);
  });
});

describe("MAP_32BIT and MAP_ABOVE4G", () => {
  it("x86-64: between 1 and 2 GiB, from the bottom up, as on the host", () => {
    const task = program(boot({ arch: X86_64, overcommitMemory: 1 }));
    expect(page(task, MAP_32BIT)).toBe(0x40000000);
    expect(page(task, MAP_32BIT, 0x50000000)).toBe(0x50000000);
    expect(task.mmap(0x7ffff000, 2 * P, RW, ANON | MAP_32BIT)).toBe(0x40001000);
    expect(task.mmap(0x700000000000, 2 * P, RW, ANON | MAP_32BIT)).toBe(0x40003000);
    expect(outcome(() => task.mmap(0, 2 ** 30, RW, ANON | MAP_32BIT | MAP_NORESERVE))).toBe("ENOMEM");
    expect(page(task, MAP_ABOVE4G)).toBe(0x7ffff7ffe000);
    expect(page(task, MAP_ABOVE4G, 0x60000000)).toBe(0x60000000);
  });

  it("x86-64 with huge pages: what is as large as one is aligned", () => {
    const task = program(boot({ arch: X86_64, overcommitMemory: 1, thpSize: 2 ** 21 }));
    page(task, MAP_32BIT);
    expect(task.mmap(0, 2 ** 21, RW, ANON | MAP_32BIT)).toBe(0x40200000);
  });

  it("riscv64 has neither: ignored", () => {
    const task = program(boot());
    const first = page(task);
    expect([page(task, MAP_32BIT), page(task, MAP_ABOVE4G)]).toEqual([first - P, first - 2 * P]);
  });
});

describe("READ_IMPLIES_EXEC", () => {
  it("makes what is readable executable, the heap only on x86-64", () => {
    for (const [arch, heap] of [
      [X86_64, "rwxp"],
      [RISCV64, "rw-p"],
    ] as const) {
      const task = program(boot({ arch }), (one) => {
        one.actor.personality = READ_IMPLIES_EXEC;
      });
      const at = task.mmap(0, P, PROT_READ, ANON);
      expect(layout(task, at, 1)).toEqual(["0…1 r-xp"]);
      task.mprotect(at, P, 0);
      expect(layout(task, at, 1)).toEqual(["0…1 ---p"]);
      task.mprotect(at, P, RW);
      expect(layout(task, at, 1)).toEqual(["0…1 rwxp"]);
      expect(PROT_EXEC).toBe(4);
      const end = task.brk();
      task.brk(end + P);
      expect(layout(task, end, 1)).toEqual([`0…1 ${heap}`]);
    }
  });
});

describe("vm.mmap_min_addr", () => {
  it("binds whoever lacks CAP_SYS_RAWIO", () => {
    const kernel = boot();
    const root = kernel.spawn();
    expect(root.mmap(0, P, RW, ANON | MAP_FIXED)).toBe(0);
    root.storeU32(0, 5);
    expect(root.loadU32(0)).toBe(5);
    root.munmap(0, P);
    expect(outcome(() => root.loadU32(0))).toBe("SEGV_MAPERR");
    const user = kernel.spawn({ uid: 1 });
    expect(outcome(() => user.mmap(0, P, RW, ANON | MAP_FIXED))).toBe("EPERM");
    // Nobody is placed there without asking, root neither.
    expect(root.mmap(P, P, RW, ANON)).toBe(65536);
  });

  it("with a security module that wants more, only what asks for an address gets below that", () => {
    const user = boot({ arch: X86_64, mmapMinAddr: P, lsmMmapMinAddr: 65536 }).spawn({ uid: 1 });
    expect(outcome(() => user.mmap(0, P, RW, ANON | MAP_FIXED))).toBe("EPERM");
    expect(user.mmap(P, P, RW, ANON | MAP_FIXED)).toBe(P);
    expect(user.mmap(P, P, RW, ANON)).toBe(65536);
    user.mmap(0x20000, P, RW, ANON | MAP_FIXED | MAP_GROWSDOWN);
    user.munmap(0, 0x20000);
    expect(outcome(() => user.storeU8(65536, 1))).toBe("ok");
    expect(outcome(() => user.storeU8(65535, 1))).toBe("SEGV_MAPERR");
  });

  it("mremap's wish for a place is taken below it on x86-64, and not on riscv64", () => {
    const place = (options: KernelOptions): number => {
      const task = boot({ mmapMinAddr: 65536, ...options }).spawn();
      const page = task.mmap(0, P, RW, ANON);
      return task.mremap(page, P, P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 2 * P);
    };
    expect(place({ arch: X86_64 })).toBe(2 * P);
    expect(place({})).toBeGreaterThan(65536);
  });
});
