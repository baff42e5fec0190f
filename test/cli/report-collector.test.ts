import { expect, test } from "vitest";
import { ReportCollector } from "../../src/cli/report-collector.ts";
import { ANON, boot, P, RW } from "../mm/core/rig.ts";

test("processes without end take bounded room, and none of their faults is lost", () => {
  const kernel = boot({ ram: 512 * P });
  const collector = new ReportCollector(kernel);
  const first = kernel.spawn();
  const at = first.mmap(0, P, RW, ANON);
  first.storeU8(at, 1);
  const forks = 5000;
  for (let n = 0; n < forks; n++) {
    const child = first.fork();
    child.storeU8(at, 2);
    child.exit(n % 2);
    first.wait();
  }
  collector.close();
  const records = [...collector.processes.values()];
  expect(records.length).toBeLessThan(2200);
  expect(records.reduce((sum, { count }) => sum + count, 0)).toBe(1 + forks);
  const folded = records.filter(({ count }) => count > 1);
  expect(folded.map(({ status }) => status).sort()).toEqual([0, 256]);
  for (const { mappings, process, count, forkCopies } of folded) {
    expect(mappings.records).toEqual([]);
    expect(process.minFlt).toBe(count);
    expect(forkCopies).toEqual(new Map([[first.pid, count]]));
  }
  // The parent's own write after each fork finds its page its own again.
  expect(records.reduce((sum, { process }) => sum + process.minFlt, 0)).toBe(1 + forks);
});
