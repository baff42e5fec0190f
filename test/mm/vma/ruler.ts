/**
 * Address spaces as rulers: one character is one page, one letter one mapping, a dot nothing.
 *
 *     AAA..BB      A at pages 0–2, B at pages 5–6
 *
 * In the picture after an operation, a letter that was there before must still be the same object, so that a picture
 * says not only where mappings end but also which of them has grown.
 */
import { expect } from "vitest";
import { PhysicalMemory } from "../../../src/mm/frames/physical-memory.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { PageTable } from "../../../src/mm/pagetable/page-table.ts";
import { vmStatAccount } from "../../../src/mm/vma/accounting.ts";
import { anonVmaPrepare } from "../../../src/mm/vma/anon-vma.ts";
import { X86_64 } from "../../../src/mm/vma/arch.ts";
import { IntervalTree } from "../../../src/mm/vma/interval-tree.ts";
import { MmStruct } from "../../../src/mm/vma/mm-struct.ts";
import type { VmArea } from "../../../src/mm/vma/vm-area.ts";
import {
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_WRITE,
} from "../../../src/mm/vma/vm-flags.ts";
import type { MappedFile, VmOperations } from "../../../src/mm/vma/vm-operations.ts";
import {
  allocVma,
  detachVma,
  removeVma,
  setVmaFlags,
  type VmaRange,
  vmaLink,
} from "../../../src/mm/vma/vma-lifetime.ts";
import { vmaMergeNewRange } from "../../../src/mm/vma/vma-merge.ts";
import { vmaModify } from "../../../src/mm/vma/vma-modify.ts";
import { splitVmaUnchecked } from "../../../src/mm/vma/vma-split.ts";
import { checkVmaTree } from "../../../src/mm/vma/vma-validate.ts";

/** Page number of the ruler's first character. */
export const BASE = 0x1000;
export const RW: number = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

export class FakeFile implements MappedFile {
  readonly mapping: MappedFile["mapping"] = { iMmap: new IntervalTree<VmArea>(), writableMappings: 0 };
  readonly path = "/fake";
  references = 1;

  get(): void {
    this.references++;
  }

  put(): void {
    this.references--;
  }
}

export const FILE_OPS: VmOperations = { fault: () => 0, mapsAround: true };

export interface Attributes {
  readonly flags?: number;
  readonly file?: FakeFile;
  readonly ops?: VmOperations;
  /** has an anon_vma */
  readonly faulted?: boolean;
  /** pages added to the pgoff that would continue the ruler's start */
  readonly shift?: number;
}

export function newMm(phys: PhysicalMemory = new PhysicalMemory({ ramBytes: 2 ** 20 })): MmStruct {
  const pageTable = PageTable.create(phys);
  if (pageTable === undefined) throw new Error("no memory for a page table");
  const mm = new MmStruct(phys, X86_64, pageTable);
  mm.mmapBase = X86_64.taskSize;
  mm.mmapLegacyBase = X86_64.unmappedBase;
  return mm;
}

export function addr(page: number): number {
  return (BASE + page) * PAGE_SIZE;
}

/** What mmap would hand to the merge: pages from … to of the ruler. */
export function range(from: number, to: number, attributes: Attributes = {}): VmaRange {
  return {
    start: addr(from),
    end: addr(to),
    flags: attributes.flags ?? RW,
    pgoff: BASE + from + (attributes.shift ?? 0),
    file: attributes.file ?? null,
    ops: attributes.ops ?? (attributes.file === undefined ? null : FILE_OPS),
  };
}

/** Links a mapping without merging it. */
export function link(mm: MmStruct, from: number, to: number, attributes: Attributes = {}): VmArea {
  const vma = allocVma(mm, range(from, to, attributes));
  if (vma === null) throw new Error("no memory for a mapping");
  vmaLink(mm, vma);
  vmStatAccount(mm, vma.flags, to - from);
  if ((vma.flags & VM_LOCKED) !== 0) mm.lockedVm += to - from;
  if (attributes.faulted) anonVmaPrepare(vma);
  return vma;
}

/** What mmap does with a range that is free. */
export function map(mm: MmStruct, from: number, to: number, attributes: Attributes = {}): VmArea | null {
  const wanted = range(from, to, attributes);
  const merged = vmaMergeNewRange(mm, wanted);
  const vma = merged ?? allocVma(mm, wanted);
  if (vma === null) return null;
  if (merged === null) vmaLink(mm, vma);
  vmStatAccount(mm, wanted.flags, to - from);
  return vma;
}

/** What munmap does. */
export function unmap(mm: MmStruct, from: number, to: number): void {
  let vma = mm.vmas.findIntersection(addr(from), addr(to));
  while (vma !== null && vma.start < addr(to)) {
    if (vma.start < addr(from)) splitVmaUnchecked(vma, addr(from), true);
    if (vma.end > addr(to)) splitVmaUnchecked(vma, addr(to), false);
    const { next } = vma;
    vmStatAccount(mm, vma.flags, -(vma.end - vma.start) / PAGE_SIZE);
    detachVma(vma);
    removeVma(vma);
    vma = next;
  }
}

/** What mprotect and madvise do to a range inside one mapping. */
export function modify(mm: MmStruct, from: number, to: number, flags: number): VmArea | number {
  const vma = mm.vmas.lookup(addr(from));
  if (vma === null) throw new Error(`nothing mapped at page ${from}`);
  const old = vma.flags;
  if (old === flags) return vma;
  const changed = vmaModify(mm, vma, addr(from), addr(to), flags);
  if (typeof changed === "number") return changed;
  vmStatAccount(mm, old, from - to);
  vmStatAccount(mm, flags, to - from);
  setVmaFlags(changed, flags);
  return changed;
}

/** Links one mapping for each letter of the picture. */
export function draw(
  mm: MmStruct,
  picture: string,
  attributes: Readonly<Record<string, Attributes>> = {},
): Map<string, VmArea> {
  const drawn = new Map<string, VmArea>();
  for (const [from, to, letter] of pieces(picture)) {
    drawn.set(letter, link(mm, from, to, attributes[letter]));
  }
  return drawn;
}

/** Draws the mappings, a letter each: those of `known` by their letter, further ones by the letters left. */
export function picture(mm: MmStruct, pages: number, known: ReadonlyMap<string, VmArea>): string {
  const names = new Map([...known].map(([letter, vma]) => [vma, letter]));
  const free = [..."NOPQRSTUVWXYZ"];
  const line = Array.from({ length: pages }, () => ".");
  for (const vma of mm.vmas) {
    const letter = names.get(vma) ?? free.shift() ?? "?";
    for (let page = vma.start / PAGE_SIZE; page < vma.end / PAGE_SIZE; page++) line[page - BASE] = letter;
  }
  return line.join("");
}

/** Draws `before`, does `operation`, and compares with `after`; new mappings are called N, O, P … from the left. */
export function expectLayout(
  before: string,
  attributes: Readonly<Record<string, Attributes>>,
  operation: (mm: MmStruct, vmas: ReadonlyMap<string, VmArea>) => void,
  after: string,
): void {
  const mm = newMm();
  const known = draw(mm, before, attributes);
  expect(checkVmaTree(mm)).toEqual([]);
  operation(mm, known);
  expect(picture(mm, after.length, known)).toBe(after);
  expect(checkVmaTree(mm)).toEqual([]);
}

function* pieces(picture: string): Generator<[from: number, to: number, letter: string]> {
  let from = 0;
  while (from < picture.length) {
    let to = from + 1;
    while (to < picture.length && picture[to] === picture[from]) to++;
    if (picture[from] !== ".") yield [from, to, picture[from]];
    from = to;
  }
}
