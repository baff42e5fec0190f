import { expect, test } from "vitest";
import { faultsByName, MappingLedger } from "../../src/cli/mapping-ledger.ts";
import type { FaultEvent, MapEvent } from "../../src/mm/trace/events.ts";

const PAGE = 4096;

function mapEvent(name: string, firstPage: number, pages: number): MapEvent {
  return {
    type: "mmap",
    pid: 1,
    address: firstPage * PAGE,
    length: pages * PAGE,
    prot: 3,
    flags: 0,
    mappingType: "private file",
    path: name,
    offset: 0,
  };
}

function fault(page: number, mapping = "", cause: FaultEvent["cause"] = "anon-write"): FaultEvent {
  return {
    type: "fault",
    pid: 1,
    address: page * PAGE + 8,
    access: "write",
    cause,
    major: false,
    kernel: false,
    around: 0,
    mapping,
    sharedWith: 0,
  };
}

/** The owner of each of the first pages, as the faults see it: one letter a page, a dot where nothing is. */
function layout(ledger: MappingLedger, pages: number): string {
  let text = "";
  for (let page = 0; page < pages; page++) {
    const before = ledger.records.map((record) => faultsByName(record.faults).spurious ?? 0);
    const probe = ledger.fork();
    probe.fault(fault(page, "?", "segv"));
    const hit = probe.records.find((record) => faultsByName(record.faults).segv !== undefined);
    text += hit?.name.slice(0, 1) ?? ".";
    expect(ledger.records.map((record) => faultsByName(record.faults).spurious ?? 0)).toEqual(before);
  }
  return text;
}

function ledgerOf(ruler: string): MappingLedger {
  const ledger = new MappingLedger();
  for (const { 0: run, index } of ruler.matchAll(/([A-Z])\1*/g)) {
    ledger.map(mapEvent(run[0], index, run.length));
  }
  return ledger;
}

test.each([
  ["a hole in the middle", "AAAA BB", 1, 2, "A..A.BB"],
  ["over two mappings", "AAABBB", 2, 2, "AA..BB"],
  ["all of it", "AAA", 0, 3, "..."],
  ["more than there is", ".AA.", 0, 9, "...."],
  ["nothing there", "A..B", 1, 2, "A..B"],
])("munmap: %s", (_what, before, first, pages, after) => {
  const ledger = ledgerOf(before.replaceAll(" ", "."));
  ledger.unmap(first * PAGE, pages * PAGE);
  expect(layout(ledger, after.length)).toBe(after);
});

test("a mapping over others takes their place", () => {
  const ledger = ledgerOf("AAAAA");
  ledger.map(mapEvent("B", 1, 2));
  expect(layout(ledger, 6)).toBe("ABBAA.");
  expect(ledger.records.map(({ name, pieces }) => [name, pieces])).toEqual([
    ["A", 2],
    ["B", 1],
  ]);
});

test("mremap grows in place, moves, and splits off a part", () => {
  const ledger = ledgerOf("AA..BB");
  ledger.remap(0, 2 * PAGE, 0, 3 * PAGE);
  expect(layout(ledger, 6)).toBe("AAA.BB");
  ledger.remap(0, 3 * PAGE, 8 * PAGE, 2 * PAGE);
  expect(layout(ledger, 11)).toBe("....BB..AA.");
  expect(ledger.records).toHaveLength(2);
  ledger.remap(4 * PAGE, PAGE, 0, PAGE);
  expect(layout(ledger, 6)).toBe("B....B");
  expect(ledger.records).toHaveLength(3);
});

test("the heap is one record, however often it grows and shrinks", () => {
  const ledger = new MappingLedger();
  ledger.growHeap(PAGE, 3 * PAGE);
  ledger.growHeap(PAGE, 5 * PAGE);
  ledger.growHeap(PAGE, 2 * PAGE);
  expect(ledger.records).toMatchObject([{ name: "[heap]", start: PAGE, end: 2 * PAGE, pieces: 1 }]);
});

test("faults go to the mapping at their address; a stack grows by them", () => {
  const ledger = ledgerOf("....SS");
  const [stack] = ledger.records;
  stack.name = "";
  ledger.fault(fault(4, "[stack]"));
  ledger.fault(fault(2, "[stack]"));
  ledger.fault(fault(0, "", "segv"));
  expect(stack).toMatchObject({ name: "[stack]", start: 2 * PAGE, end: 6 * PAGE });
  expect(faultsByName(stack.faults)).toEqual({ "anon-write": 2 });
  expect(faultsByName(ledger.unmapped)).toEqual({ segv: 1 });
});

test("the page that signal handlers return to gets its name after it was mapped", () => {
  const ledger = ledgerOf("VA");
  ledger.records[0].name = "";
  ledger.fault(fault(0, "[vdso]"));
  expect(ledger.records.map(({ name }) => name)).toEqual(["[vdso]", "A"]);
});

test("a child inherits the mappings, not the faults", () => {
  const parent = ledgerOf("AAB");
  parent.fault(fault(0));
  parent.unmap(PAGE, PAGE);
  const child = parent.fork();
  expect(layout(child, 3)).toBe("A.B");
  expect(faultsByName(child.records[0].faults)).toEqual({});
  child.clear();
  expect(layout(child, 3)).toBe("...");
  expect(layout(parent, 3)).toBe("A.B");
});

test("a program that maps for ever does not fill the memory", () => {
  const ledger = ledgerOf("K");
  for (let i = 0; i < 10_000; i++) {
    ledger.map(mapEvent("T", 5, 1));
    ledger.fault(fault(5));
    ledger.unmap(5 * PAGE, PAGE);
  }
  expect(ledger.records.length).toBeLessThan(4000);
  const ofT = ledger.records.filter(({ name }) => name === "T");
  expect(ofT.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
  expect(ofT.reduce((sum, { faults }) => sum + (faultsByName(faults)["anon-write"] ?? 0), 0)).toBe(10_000);
  expect(layout(ledger, 2)).toBe("K.");
});
