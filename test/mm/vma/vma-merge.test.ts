import { describe, expect, it } from "vitest";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { ENOMEM } from "../../../src/mm/uapi/errno.ts";
import { anonVmaFork, anonVmaPrepare } from "../../../src/mm/vma/anon-vma.ts";
import type { VmArea } from "../../../src/mm/vma/vm-area.ts";
import { VM_DONTEXPAND, VM_SEQ_READ, VM_SOFTDIRTY, VM_WRITE } from "../../../src/mm/vma/vm-flags.ts";
import { copyVma } from "../../../src/mm/vma/vma-copy.ts";
import { dupVma, vmaLink } from "../../../src/mm/vma/vma-lifetime.ts";
import { vmaMergeExtend } from "../../../src/mm/vma/vma-merge.ts";
import { splitVma } from "../../../src/mm/vma/vma-split.ts";
import { checkVmaTree } from "../../../src/mm/vma/vma-validate.ts";
import {
  type Attributes,
  addr,
  BASE,
  draw,
  expectLayout,
  FakeFile,
  FILE_OPS,
  link,
  map,
  modify,
  newMm,
  picture,
  RW,
  unmap,
} from "./ruler.ts";

const RO: number = RW & ~VM_WRITE;
const SEQ: number = RW | VM_SEQ_READ;

function same(attributes: Attributes, letters: string): Record<string, Attributes> {
  return Object.fromEntries([...letters].map((letter) => [letter, attributes]));
}

/** The kinds of mapping for which the same pictures hold. */
const kinds: readonly (readonly [string, () => Attributes])[] = [
  ["anonymous", () => ({})],
  ["private file", () => ({ file: new FakeFile() })],
];

describe.each(kinds)("a new range, %s", (_kind, attributesOf) => {
  const a = attributesOf();
  it.each([
    ["AA..BB", "AAAABB", 2, 4, { A: a, B: { ...a, flags: RO } }],
    ["BB..AA", "BBAAAA", 2, 4, { A: a, B: { ...a, flags: RO } }],
    ["AA..BB", "AAAAAA", 2, 4, { A: a, B: a }],
    ["AA..BB", "AANNBB", 2, 4, { A: { ...a, flags: RO }, B: { ...a, flags: RO } }],
    ["AA...B", "AA.N.B", 3, 4, { A: a, B: a }],
    ["AA...B", "AAA..B", 2, 3, { A: a, B: a }],
    ["AA...B", "AA..BB", 4, 5, { A: a, B: a }],
    ["......", ".NNNN.", 1, 5, {}],
  ] as const)("%s → %s", (before, after, from, to, attributes) => {
    expectLayout(before, attributes, (mm) => map(mm, from, to, a), after);
  });
});

// Part of V takes the flags of A and B; C and D have others.
describe.each(kinds)("changed flags, %s", (_kind, attributesOf) => {
  it.each([
    ["all of it, both neighbours fit", "AAVVBB", "AAAAAA", 2, 4],
    ["all of it, nothing above", "AAVV..", "AAAA..", 2, 4],
    ["all of it, the lower fits", "AAVVCC", "AAAACC", 2, 4],
    ["all of it, the upper fits", "CCVVBB", "CCBBBB", 2, 4],
    ["all of it, neither fits", "CCVVDD", "CCVVDD", 2, 4],
    ["its lower part, the lower fits", "AAVVCC", "AAAVCC", 2, 3],
    ["its lower part, the upper fits", "CCVVBB", "CCVNBB", 2, 3],
    ["its upper part, the upper fits", "CCVVBB", "CCVBBB", 3, 4],
    ["its upper part, the lower fits", "AAVVCC", "AANVCC", 3, 4],
    ["its middle", "AVVVVB", "ANVVOB", 2, 4],
  ])("%s: %s → %s", (_name, before, after, from, to) => {
    const own = attributesOf();
    const fits = { ...own, flags: RO };
    const other = { ...own, flags: SEQ };
    const attributes = { A: fits, B: fits, C: other, D: other, V: own };
    expectLayout(before, attributes, (mm) => modify(mm, from, to, RO), after);
  });
});

describe("what must be equal", () => {
  it("the file", () => {
    const attributes = { A: { file: new FakeFile() } };
    expectLayout("AA..", attributes, (mm) => map(mm, 2, 4, { file: new FakeFile() }), "AANN");
  });

  it("the continuing offset", () => {
    const file = new FakeFile();
    expectLayout("AA..", { A: { file } }, (mm) => map(mm, 2, 4, { file, shift: 1 }), "AANN");
    expectLayout("..AA", { A: { file } }, (mm) => map(mm, 0, 2, { file, shift: -1 }), "NNAA");
  });

  it("the flags, but for VM_SOFTDIRTY", () => {
    expectLayout("AA..", { A: { flags: RW | VM_SOFTDIRTY } }, (mm) => map(mm, 2, 4), "AAAA");
    const attributes = { A: { flags: RW | VM_DONTEXPAND } };
    expectLayout("AA..", attributes, (mm) => map(mm, 2, 4, { flags: RW | VM_DONTEXPAND }), "AANN");
  });

  it("nothing that counts its mappings is merged away, though it may grow", () => {
    const ops = { ...FILE_OPS, open: () => {}, close: () => {} };
    const a = { file: new FakeFile(), ops };
    expectLayout("AA..BB", same(a, "AB"), (mm) => map(mm, 2, 4, a), "AAAABB");
    expectLayout(
      "AAVVBB",
      { ...same(a, "AB"), V: { ...a, flags: RO } },
      (mm) => modify(mm, 2, 4, RW),
      "AAVVBB",
    );
    expectLayout("AAVV..", { A: a, V: { ...a, flags: RO } }, (mm) => modify(mm, 2, 3, RW), "AAAV..");
    const plain = { file: a.file, flags: RO };
    expectLayout("AAVVBB", { ...same(a, "AB"), V: plain }, (mm) => modify(mm, 2, 4, RW), "AAAABB");
  });
});

describe("anonymous pages on either side", () => {
  const faulted = { faulted: true };
  it("new memory takes over a neighbour's anon_vma", () => {
    expectLayout("AA..", { A: faulted }, (mm) => map(mm, 2, 4), "AAAA");
    expectLayout("..AA", { A: faulted }, (mm) => map(mm, 0, 2), "AAAA");
  });

  it("two anon_vmas don't become one: the lower neighbour wins", () => {
    expectLayout("A.B", { A: faulted, B: faulted }, (mm) => map(mm, 1, 2), "AAB");
  });

  it.each([
    ["AVV", { A: { flags: SEQ }, V: faulted }, "AAA"],
    ["VVB", { B: { flags: SEQ }, V: faulted }, "BBB"],
    ["AVB", { A: { flags: SEQ }, B: { flags: SEQ }, V: faulted }, "AAA"],
    ["AVB", { A: { flags: SEQ }, B: { flags: SEQ, faulted: true } }, "AAA"],
  ] as const)("whoever grows inherits the anon_vma of what joins it: %s", (before, attributes, after) => {
    expectLayout(
      before,
      attributes,
      (mm, vmas) => {
        modify(mm, before.indexOf("V"), before.lastIndexOf("V") + 1, SEQ);
        expect(vmas.get(after[0])?.anonVma).not.toBeNull();
      },
      after,
    );
  });

  it("does not share the anon_vma of a neighbour that came through a fork", () => {
    const parent = link(newMm(), 1, 2, { faulted: true });
    const mm = newMm(parent.mm.phys);
    const child = dupVma(mm, parent);
    if (child === null) throw new Error("no memory");
    anonVmaFork(child, parent);
    vmaLink(mm, child);
    const added = link(mm, 2, 3, { faulted: true });
    expect(added.anonVma).not.toBe(child.anonVma);
    expect(link(parent.mm, 2, 3, { faulted: true }).anonVma).toBe(parent.anonVma);
  });

  it("neighbours that mprotect may merge later share an anon_vma from the first fault on", () => {
    const mm = newMm();
    const vmas = draw(mm, "AABB", { A: { flags: RO } });
    for (const vma of vmas.values()) anonVmaPrepare(vma);
    expect(vmas.get("A")?.anonVma).toBe(vmas.get("B")?.anonVma);
    modify(mm, 0, 2, RW);
    expect(picture(mm, 4, vmas)).toBe("BBBB");
    expect(checkVmaTree(mm)).toEqual([]);
  });
});

// Seen on Linux 6.18.44: page 1 was faulted in before the fork; the same steps in the parent and in the child.
describe("before and after a fork", () => {
  const steps: readonly (readonly [string, (mm: ReturnType<typeof newMm>) => void, string, string])[] = [
    [
      "left without pages, SEQ; the page → SEQ",
      (mm) => {
        link(mm, 0, 1, { flags: SEQ });
        modify(mm, 1, 2, SEQ);
      },
      "NN",
      "NF",
    ],
    [
      "right without pages, SEQ; the page → SEQ",
      (mm) => {
        link(mm, 2, 3, { flags: SEQ });
        modify(mm, 1, 2, SEQ);
      },
      ".NN",
      ".FN",
    ],
    [
      "both without pages, SEQ; the page → SEQ",
      (mm) => {
        link(mm, 0, 1, { flags: SEQ });
        link(mm, 2, 3, { flags: SEQ });
        modify(mm, 1, 2, SEQ);
      },
      "NNN",
      "NFO",
    ],
    [
      "the page SEQ; left → SEQ",
      (mm) => {
        modify(mm, 1, 2, SEQ);
        link(mm, 0, 1);
        modify(mm, 0, 1, SEQ);
      },
      "FF",
      "NF",
    ],
    [
      "a faulted one at 3, a new one between",
      (mm) => {
        link(mm, 3, 4, { faulted: true });
        map(mm, 2, 3);
      },
      ".FFN",
      ".FNN",
    ],
    [
      "moved away and back beside left without pages",
      (mm) => {
        move(mm, 1, 8);
        map(mm, 0, 1);
        move(mm, 8, 1);
      },
      "NN",
      "NO",
    ],
    [
      "moved away and back between two without pages",
      (mm) => {
        move(mm, 1, 8);
        map(mm, 0, 1);
        map(mm, 2, 3);
        move(mm, 8, 1);
      },
      "NNN",
      "NOP",
    ],
    ["grown by two", (mm) => extend(mm, 1, 2), ".FFF", ".FFF"],
    [
      "grown to a neighbour without pages",
      (mm) => {
        map(mm, 3, 4);
        extend(mm, 1, 1);
      },
      ".FFF",
      ".FFF",
    ],
  ];

  it.each(steps)("%s", (_name, step, inParent, inChild) => {
    for (const [fork, after] of [
      [false, inParent],
      [true, inChild],
    ] as const) {
      const parent = newMm();
      const vma = link(parent, 1, 2, { faulted: true });
      let mm = parent;
      let own = vma;
      if (fork) {
        mm = newMm(parent.phys);
        const child = dupVma(mm, vma);
        if (child === null) throw new Error("no memory");
        expect(anonVmaFork(child, vma)).toBe(0);
        vmaLink(mm, child);
        mm.totalVm = parent.totalVm;
        mm.dataVm = parent.dataVm;
        own = child;
      }
      step(mm);
      expect(picture(mm, after.length, new Map([["F", own]]))).toBe(after);
      expect(checkVmaTree(mm)).toEqual([]);
      expect(checkVmaTree(parent)).toEqual([]);
    }
  });
});

describe("moving", () => {
  it("a neighbour that takes pages in finds them from its anon_vma", () => {
    const mm = newMm();
    const { anonVma } = link(mm, 1, 2, { faulted: true });
    map(mm, 9, 10);
    move(mm, 1, 8);
    expect(mm.vmas.last?.prev?.anonVma).toBe(anonVma);
    map(mm, 0, 1);
    move(mm, 8, 1);
    expect(mm.vmas.first?.anonVma).toBe(anonVma);
  });

  it("memory without pages takes its new address as pgoff, merges, and may swallow its own source", () => {
    expectLayout("AA.BBB", {}, (mm) => move(mm, 4, 2), "NNNN.O");
  });

  it("memory with pages keeps its pgoff", () => {
    const mm = newMm();
    const known = draw(mm, "AA.BBB", { A: { faulted: true }, B: { faulted: true } });
    move(mm, 4, 2);
    expect(picture(mm, 6, known)).toBe("AANO.P");
    expect(mm.vmas.lookup(addr(2))?.pgoff).toBe(BASE + 4);
    expect(checkVmaTree(mm)).toEqual([]);
  });

  it("a file's mapping keeps its offset and its references are counted", () => {
    const file = new FakeFile();
    const mm = newMm();
    const known = draw(mm, "AAAA", { A: { file } });
    move(mm, 1, 8);
    expect(picture(mm, 9, known)).toBe("N.OO....P");
    expect(file.references).toBe(4);
    expect(file.mapping.iMmap.size).toBe(3);
    unmap(mm, 0, 9);
    expect(file.references).toBe(1);
    expect(file.mapping.iMmap.isEmpty).toBe(true);
    expect(checkVmaTree(mm)).toEqual([]);
  });
});

describe("splitting", () => {
  it("either part may be the new one", () => {
    expectLayout("AAAA", {}, (_mm, vmas) => split(vmas, 1, false), "ANNN");
    expectLayout("AAAA", { A: { faulted: true } }, (_mm, vmas) => split(vmas, 1, true), "NAAA");
    expectLayout("AAAA", { A: { file: new FakeFile() } }, (_mm, vmas) => split(vmas, 3, true), "NNNA");
  });

  it("stops at max_map_count, and a first cut stays when the second fails", () => {
    const mm = newMm();
    const known = draw(mm, "AAAA.B.C");
    mm.maxMapCount = 4;
    expect(modify(mm, 1, 2, RO)).toBe(-ENOMEM);
    expect(picture(mm, 8, known)).toBe("NAAA.B.C");
    expect(splitVma(mm.vmas.first as VmArea, addr(0) + PAGE_SIZE, false)).toBe(-ENOMEM);
    // Merging needs no further mapping.
    mm.maxMapCount = 3;
    modify(mm, 1, 4, RO);
    modify(mm, 0, 1, RO);
    expect(picture(mm, 8, known)).toBe("AAAA.B.C");
    expect(checkVmaTree(mm)).toEqual([]);
  });

  it.each([0, 1, 2, 3])("rolls back when allocation %i fails", (allowed) => {
    const file = new FakeFile();
    const mm = newMm();
    const known = draw(mm, "AAAA", { A: { file, faulted: true } });
    mm.failVmaAfter = allowed;
    const result = modify(mm, 1, 2, RO);
    expect(typeof result === "number").toBe(allowed < 4);
    expect(picture(mm, 4, known)).toBe(allowed < 2 ? "AAAA" : "NAAA");
    expect(file.references).toBe(allowed < 2 ? 2 : 3);
    expect(checkVmaTree(mm)).toEqual([]);
  });

  it.each([
    ["AVV", { A: { flags: SEQ }, V: { faulted: true } }],
    ["VVB", { B: { flags: SEQ }, V: { faulted: true } }],
  ] as const)("a merge without memory for its anon_vma changes nothing: %s", (before, attributes) => {
    expectLayout(
      before,
      attributes,
      (mm) => {
        mm.failVmaAfter = 0;
        const from = before.indexOf("V");
        expect(modify(mm, from, from + 2, SEQ)).toBe(-ENOMEM);
      },
      before,
    );
  });
});

function split(vmas: ReadonlyMap<string, VmArea>, page: number, newBelow: boolean): void {
  expect(splitVma(vmas.get("A") as VmArea, addr(page), newBelow)).toBe(0);
}

function extend(mm: ReturnType<typeof newMm>, page: number, pages: number): void {
  const vma = mm.vmas.lookup(addr(page));
  if (vma === null || vmaMergeExtend(vma, pages * PAGE_SIZE) === null) throw new Error("did not grow");
  mm.totalVm += pages;
  mm.dataVm += pages;
}

/** One page by mremap. */
function move(mm: ReturnType<typeof newMm>, from: number, to: number): void {
  const vma = mm.vmas.lookup(addr(from));
  if (vma === null) throw new Error(`nothing at page ${from}`);
  const pgoff = vma.pgoff + (addr(from) - vma.start) / PAGE_SIZE;
  const copied = copyVma(vma, addr(to), PAGE_SIZE, pgoff);
  if (copied === null) throw new Error("no memory");
  if (vma.file === null || (copied.area.flags & VM_WRITE) !== 0) mm.dataVm++;
  mm.totalVm++;
  expect(copied.source).toBe(mm.vmas.lookup(addr(from)));
  expect(copied.area).toBe(mm.vmas.lookup(addr(to)));
  unmap(mm, from, from + 1);
}
