/** Texts of a known state, whatever machine this runs on: `vitest -u` accepts a change. */
import { expect, it } from "vitest";
import { Kernel, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, procFs } from "../../../src/mm/index.ts";
import { readAll } from "./steps.ts";

const PAGE = 4096;
const RW = 3;
const A = 0x10000000;

it("a riscv64 process with private and shared memory, and a child that shares both", () => {
  const kernel = new Kernel({ ram: 16 * 2 ** 20 });
  kernel.mount("/proc", procFs(kernel));
  const process = kernel.spawn({ comm: "golden" });
  process.mmap(A, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
  process.mmap(A + 16 * PAGE, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED);
  for (let i = 0; i < 5; i++) process.storeU8(A + i * PAGE, 1);
  process.storeU8(A + 16 * PAGE, 1);
  process.loadU8(A + 7 * PAGE);
  const child = process.fork();
  child.storeU8(A, 2);
  child.loadU8(A + 16 * PAGE);
  for (const name of ["smaps", "smaps_rollup", "numa_maps", "status", "statm", "stat"]) {
    expect(readAll(process, `/proc/self/${name}`)).toMatchSnapshot(name);
  }
  for (const name of ["meminfo", "zoneinfo", "filesystems"]) {
    expect(readAll(process, `/proc/${name}`)).toMatchSnapshot(name);
  }
});
