/** An architecture may forbid the shared zero page: reading untouched memory then takes a frame. */
import { expect, it } from "vitest";
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
  RISCV64,
  validate,
} from "../../../src/mm/index.ts";

const PAGE = 4096;
const ANON: number = MAP_PRIVATE | MAP_ANONYMOUS;

it("a read fault maps a zeroed frame that the next write finds writable", () => {
  const kernel = new Kernel({ arch: { ...RISCV64, forbidsZeroPage: true }, ram: 4 * 2 ** 20, poison: true });
  const causes: string[] = [];
  kernel.tracer.subscribe((event) => {
    if (event.type === "fault") causes.push(event.cause);
  });
  const process = kernel.spawn();
  const addr = process.mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, ANON);
  expect(process.loadU32(addr)).toBe(0);
  process.storeU32(addr, 7);
  expect(process.loadU32(addr)).toBe(7);
  const readOnly = process.mmap(0, PAGE, PROT_READ, ANON);
  expect(process.loadU32(readOnly)).toBe(0);
  expect(() => process.storeU32(readOnly, 1)).toThrow();
  expect(causes).toEqual(["anon-read", "anon-read", "segv"]);
  expect(validate(kernel)).toEqual([]);
});
