/** Storage that needs memory while it writes: reclaim meets the very pages that are under way. */
import { expect, it } from "vitest";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { fileWriteAndWaitRange } from "../../../src/mm/filemap/writeback.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { ByteIter, FakeFile, pattern, smallMemory } from "./fake-file.ts";

it("leaves them, also where a cgroup of version 1 waits for what it met twice", () => {
  const fake = new FakeFile(smallMemory(64), pattern(0));
  const { phys, mapping } = fake;
  phys.memcg.isLegacy = true;
  phys.chargeGroup = phys.memcg.create(0);
  const group = phys.chargeGroup;
  const file = fake.open();
  genericFileWrite(file, new ByteIter(phys, pattern(4 * PAGE_SIZE)), 0);
  const write = fake.writePages.bind(fake);
  let met = 0;
  fake.writePages = (...call) => {
    for (let round = 0; round < 4; round++) phys.reclaimer?.tryToFreeMemCgroupPages(group, 4);
    met = mapping.pages.size;
    return write(...call);
  };
  expect(fileWriteAndWaitRange(file, 0, 4 * PAGE_SIZE)).toBe(0);
  expect(met).toBe(4);
  expect(fake.bytes).toEqual(pattern(4 * PAGE_SIZE));
});
