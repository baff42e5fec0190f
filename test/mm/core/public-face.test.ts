import { describe, expect, it } from "vitest";
import {
  Kernel,
  LinuxError,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  SegmentationFault,
  validate,
} from "../../../src/mm/index.ts";

function code(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof LinuxError) return error.code;
    throw error;
  }
  return "no error";
}

describe("Process", () => {
  it("refuses what is no integer with EINVAL, and takes negative numbers as Linux's registers do", () => {
    const kernel = new Kernel({ ram: 2 ** 20 });
    const task = kernel.spawn();
    expect(code(() => task.madvise(Number.NaN, Number.NaN, 4))).toBe("EINVAL");
    expect(code(() => task.munmap(Number.NaN, PAGE_SIZE))).toBe("EINVAL");
    expect(code(() => task.munmap(-(2 ** 63), PAGE_SIZE))).toBe("EINVAL");
    expect(code(() => task.mmap(0, -1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS))).toBe("ENOMEM");
    expect(code(() => task.mincore(65536, -(2 ** 63), 65536))).toBe("ENOMEM");
    expect(code(() => task.ftruncate(0, 1.5))).toBe("EINVAL");
    expect(validate(kernel)).toEqual([]);
  });

  it("that has ended answers ESRCH, and has no memory", () => {
    const kernel = new Kernel({ ram: 2 ** 20 });
    const task = kernel.spawn();
    const addr = task.mmap(0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    task.storeU8(addr, 1);
    task.exit();
    expect(code(() => task.mmap(0, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS))).toBe("ESRCH");
    expect(code(() => task.open("/f", 0))).toBe("ESRCH");
    expect(code(() => task.fork())).toBe("ESRCH");
    expect(() => task.loadU8(addr)).toThrow(SegmentationFault);
    expect(kernel.phys.usedFrames).toBe(0);
    expect(validate(kernel)).toEqual([]);
  });
});

describe("Kernel", () => {
  it.each([-1, 0, 4096, 2 ** 33, Number.NaN])("refuses %s bytes of RAM", (ram) => {
    expect(() => new Kernel({ ram })).toThrow(RangeError);
  });

  it("ends everything at shutdown", () => {
    const kernel = new Kernel({ ram: 2 ** 20 });
    const parent = kernel.spawn();
    parent.fork().fork();
    kernel.shutdown();
    expect(kernel.processes.size).toBe(0);
    expect(kernel.phys.usedFrames).toBe(0);
  });
});
