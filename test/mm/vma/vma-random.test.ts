/** Random operations against a model of one entry per page, with everything that is kept recomputed after each. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { anonVmaFork, anonVmaPrepare } from "../../../src/mm/vma/anon-vma.ts";
import type { MmStruct } from "../../../src/mm/vma/mm-struct.ts";
import { VM_SEQ_READ, VM_WRITE } from "../../../src/mm/vma/vm-flags.ts";
import { copyVma } from "../../../src/mm/vma/vma-copy.ts";
import { dupVma, vmaLink } from "../../../src/mm/vma/vma-lifetime.ts";
import { checkVmaTree, unmergedNeighbours } from "../../../src/mm/vma/vma-validate.ts";
import { addr, BASE, FakeFile, map, modify, newMm, RW, unmap } from "./ruler.ts";

const PAGES = 24;
const FLAGS = [RW, RW & ~VM_WRITE, RW | VM_SEQ_READ] as const;

interface Page {
  readonly flags: number;
  readonly file: FakeFile | null;
  /** offset in the file; anonymous memory's pgoff is its own affair */
  readonly pgoff: number | null;
}

const span = { from: fc.nat({ max: PAGES - 1 }), length: fc.integer({ min: 1, max: 6 }) };
const flags = fc.constantFrom(...FLAGS);
const step = fc.oneof(
  fc.record({ op: fc.constant("map" as const), ...span, flags, file: fc.constantFrom(-1, -1, 0, 1) }),
  fc.record({ op: fc.constant("unmap" as const), ...span }),
  fc.record({ op: fc.constant("modify" as const), ...span, flags }),
  fc.record({ op: fc.constant("fault" as const), ...span }),
  fc.record({ op: fc.constant("fault" as const), ...span }),
  fc.record({ op: fc.constant("move" as const), ...span, to: fc.nat({ max: PAGES - 1 }) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Model {
  readonly mm: MmStruct;
  readonly files: readonly FakeFile[];
  pages: (Page | null)[] = Array.from({ length: PAGES }, () => null);

  constructor(mm: MmStruct, files: readonly FakeFile[]) {
    this.mm = mm;
    this.files = files;
  }

  apply(step: Step): void {
    const { mm, pages } = this;
    const { from } = step;
    const to = Math.min(from + step.length, PAGES);
    if (step.op === "map") {
      unmap(mm, from, to);
      const file = this.files[step.file] ?? null;
      map(mm, from, to, { flags: step.flags, ...(file === null ? {} : { file }) });
      for (let page = from; page < to; page++) {
        pages[page] = { flags: step.flags, file, pgoff: file === null ? null : BASE + page };
      }
    } else if (step.op === "unmap") {
      unmap(mm, from, to);
      pages.fill(null, from, to);
    } else if (step.op === "modify") {
      for (let page = from; page < to; page++) {
        const at = pages[page];
        if (at === null) continue;
        modify(mm, page, page + 1, step.flags);
        pages[page] = { ...at, flags: step.flags };
      }
    } else if (step.op === "fault") {
      const vma = mm.vmas.lookup(addr(from));
      if (vma !== null) anonVmaPrepare(vma);
    } else {
      this.#move(from, step.to);
    }
  }

  /** One page, as mremap moves it. */
  #move(from: number, to: number): void {
    const { mm, pages } = this;
    if (pages[from] === null || from === to) return;
    unmap(mm, to, to + 1);
    const vma = mm.vmas.lookup(addr(from));
    if (vma === null) throw new Error(`nothing at page ${from}`);
    const copied = copyVma(vma, addr(to), PAGE_SIZE, vma.pgoff + (addr(from) - vma.start) / PAGE_SIZE);
    if (copied === null) throw new Error("no memory");
    mm.totalVm++;
    if ((copied.area.flags & VM_WRITE) !== 0) mm.dataVm++;
    unmap(mm, from, from + 1);
    pages[to] = pages[from];
    pages[from] = null;
  }

  check(): void {
    expect(checkVmaTree(this.mm)).toEqual([]);
    for (const [page, wanted] of this.pages.entries()) {
      const vma = this.mm.vmas.lookup(addr(page));
      const pgoff =
        vma === null || vma.file === null ? null : vma.pgoff + (addr(page) - vma.start) / PAGE_SIZE;
      expect(vma === null ? null : { flags: vma.flags, file: vma.file, pgoff }).toEqual(wanted);
    }
  }
}

describe("random operations", () => {
  it("show what the pages should show, merged wherever possible", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const files = [new FakeFile(), new FakeFile()];
        const model = new Model(newMm(), files);
        for (const step of steps) {
          model.apply(step);
          model.check();
          expect(unmergedNeighbours(model.mm)).toEqual([]);
        }
        unmap(model.mm, 0, PAGES);
        expect(model.mm.phys.owners.size).toBe(0);
        for (const file of files) {
          expect(file.references).toBe(1);
          expect(file.mapping.iMmap.isEmpty).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("keep the anon_vmas of a whole family right, through forks and exits in any order", () => {
    const familyStep = fc.oneof(
      { weight: 4, arbitrary: fc.record({ who: fc.nat(), step }) },
      { weight: 2, arbitrary: fc.record({ who: fc.nat(), life: fc.constant("fork" as const) }) },
      { weight: 1, arbitrary: fc.record({ who: fc.nat(), life: fc.constant("exit" as const) }) },
    );
    fc.assert(
      fc.property(fc.array(familyStep, { minLength: 5, maxLength: 60 }), (steps) => {
        const first = new Model(newMm(), [new FakeFile(), new FakeFile()]);
        const { phys } = first.mm;
        const family = [first];
        for (const step of steps) {
          const who = step.who % family.length;
          const model = family[who];
          if ("step" in step) model.apply(step.step);
          else if (step.life === "fork") family.push(fork(model));
          else if (family.length > 1) unmap(family.splice(who, 1)[0].mm, 0, PAGES);
          for (const member of family) member.check();
        }
        for (const member of family) unmap(member.mm, 0, PAGES);
        expect(phys.owners.size).toBe(0);
        expect(first.files.map((file) => file.references)).toEqual([1, 1]);
      }),
      { numRuns: 60 },
    );
  });
});

function fork(parent: Model): Model {
  const mm = newMm(parent.mm.phys);
  for (const vma of parent.mm.vmas) {
    const child = dupVma(mm, vma);
    if (child === null || anonVmaFork(child, vma) !== 0) throw new Error("no memory");
    vmaLink(mm, child);
  }
  mm.totalVm = parent.mm.totalVm;
  mm.dataVm = parent.mm.dataVm;
  const model = new Model(mm, parent.files);
  model.pages = [...parent.pages];
  return model;
}
