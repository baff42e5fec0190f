/** Names and strings are bytes: a byte-order mark is one of their characters. */
import { expect, it } from "vitest";
import { readUserString } from "../../../src/mm/fault/uaccess.ts";
import { Kernel, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../../src/mm/index.ts";

it("keeps a byte-order mark", () => {
  const kernel = new Kernel({ ram: 2 ** 20 });
  const process = kernel.spawn();
  const addr = process.mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  const name = "\uFEFFname";
  process.writeString(addr, name);
  expect(process.readString(addr)).toBe(name);
  expect(readUserString(kernel.mmu, process, addr, 64)).toBe(name);
});
