/** getUnmappedArea beside what Linux 6.18 answered for the same layout, without randomisation. */
import { describe, expect, it } from "vitest";
import { EINVAL, ENOMEM, EPERM } from "../../../src/mm/uapi/errno.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED } from "../../../src/mm/uapi/mman.ts";
import { getUnmappedArea, roundHintToMin } from "../../../src/mm/vma/unmapped-area.ts";
import type { VmArea } from "../../../src/mm/vma/vm-area.ts";
import { VM_GROWSDOWN } from "../../../src/mm/vma/vm-flags.ts";
import { allocVma, vmaLink } from "../../../src/mm/vma/vma-lifetime.ts";
import { FakeFile, newMm, RW } from "./ruler.ts";

const PAGE = 4096;
const MIB = 2 ** 20;
const ANON: number = MAP_PRIVATE | MAP_ANONYMOUS;
const LIBRARIES = 0x7ffff7dd2000;
const STACK = 0x7ffffffde000;

type Mm = ReturnType<typeof newMm>;

function put(mm: Mm, start: number, end: number, flags: number = RW): void {
  const vma = allocVma(mm, { start, end, flags, pgoff: start / PAGE, file: null, ops: null });
  if (vma === null) throw new Error("no memory");
  vmaLink(mm, vma);
}

/** A process as exec leaves it: libraries up to mmap_base, the stack above. */
function process(): Mm {
  const mm = newMm();
  mm.mmapBase = 0x7ffff7fff000;
  mm.mmapMinAddr = PAGE;
  put(mm, LIBRARIES, mm.mmapBase);
  put(mm, STACK, 0x7fffffffe000, RW | VM_GROWSDOWN);
  return mm;
}

describe("getUnmappedArea", () => {
  it("without a hint takes the highest hole below mmap_base", () => {
    const mm = process();
    expect(getUnmappedArea(mm, 0, 3 * PAGE, 0, ANON)).toBe(LIBRARIES - 3 * PAGE);
    put(mm, LIBRARIES - 8 * PAGE, LIBRARIES - 2 * PAGE);
    expect(getUnmappedArea(mm, 0, 2 * PAGE, 0, ANON)).toBe(LIBRARIES - 2 * PAGE);
    expect(getUnmappedArea(mm, 0, 3 * PAGE, 0, ANON)).toBe(LIBRARIES - 11 * PAGE);
  });

  it("takes a free hint, up to the last page of user space", () => {
    const mm = process();
    const top = mm.arch.taskSize;
    expect(getUnmappedArea(mm, 0x10000000000, PAGE, 0, ANON)).toBe(0x10000000000);
    expect(getUnmappedArea(mm, top - PAGE, PAGE, 0, ANON)).toBe(top - PAGE);
    expect(getUnmappedArea(mm, top - PAGE, 2 * PAGE, 0, ANON)).toBe(LIBRARIES - 2 * PAGE);
    expect(getUnmappedArea(mm, top, PAGE, 0, ANON)).toBe(LIBRARIES - PAGE);
    expect(getUnmappedArea(mm, LIBRARIES, PAGE, 0, ANON)).toBe(LIBRARIES - PAGE);
    expect(getUnmappedArea(mm, LIBRARIES - PAGE, 2 * PAGE, 0, ANON)).toBe(LIBRARIES - 2 * PAGE);
  });

  it("keeps 256 pages free below a growing stack", () => {
    const mm = process();
    const free = STACK - 256 * PAGE;
    expect(getUnmappedArea(mm, free - PAGE, PAGE, 0, ANON)).toBe(free - PAGE);
    expect(getUnmappedArea(mm, free, PAGE, 0, ANON)).toBe(LIBRARIES - PAGE);
    put(mm, LIBRARIES - 10 * PAGE, LIBRARIES - 9 * PAGE, RW | VM_GROWSDOWN);
    expect(getUnmappedArea(mm, 0, 10 * PAGE, 0, ANON)).toBe(LIBRARIES - 276 * PAGE);
  });

  it("rounds hints down to pages and up to the least address", () => {
    const mm = process();
    expect(roundHintToMin(mm, 0)).toBe(0);
    expect(roundHintToMin(mm, 1)).toBe(0);
    expect(roundHintToMin(mm, 0x10001)).toBe(0x10000);
    mm.mmapMinAddr = 65536;
    expect(roundHintToMin(mm, PAGE)).toBe(65536);
    // What comes here unrounded (mremap) is on x86-64 a matter of privilege alone.
    expect(getUnmappedArea(mm, PAGE, PAGE, 0, ANON)).toBe(-EPERM);
    mm.actor.capSysRawio = true;
    expect(getUnmappedArea(mm, PAGE, PAGE, 0, ANON)).toBe(PAGE);
  });

  it("takes fixed addresses as they are, within bounds", () => {
    const mm = process();
    const top = mm.arch.taskSize;
    const fixed = ANON | MAP_FIXED;
    expect(getUnmappedArea(mm, LIBRARIES, PAGE, 0, fixed)).toBe(LIBRARIES);
    expect(getUnmappedArea(mm, top - PAGE, PAGE, 0, fixed)).toBe(top - PAGE);
    expect(getUnmappedArea(mm, top, PAGE, 0, fixed)).toBe(-ENOMEM);
    expect(getUnmappedArea(mm, 0x800, PAGE, 0, fixed)).toBe(-EINVAL);
    expect(getUnmappedArea(mm, 0, top + PAGE, 0, fixed)).toBe(-ENOMEM);
    expect(getUnmappedArea(mm, 0, PAGE, 0, fixed)).toBe(-EPERM);
    mm.actor.capSysRawio = true;
    expect(getUnmappedArea(mm, 0, PAGE, 0, fixed)).toBe(0);
  });

  it("falls back to the room above mmap_base, and then is out of memory", () => {
    const mm = newMm();
    mm.mmapBase = mm.arch.unmappedBase + MIB;
    put(mm, mm.mmapMinAddr, mm.mmapBase);
    expect(getUnmappedArea(mm, 0, PAGE, 0, ANON)).toBe(mm.mmapBase);
    put(mm, mm.mmapBase, mm.arch.taskSize - PAGE);
    expect(getUnmappedArea(mm, 0, PAGE, 0, ANON)).toBe(mm.arch.taskSize - PAGE);
    expect(getUnmappedArea(mm, 0, 2 * PAGE, 0, ANON)).toBe(-ENOMEM);
  });

  it("searches from the bottom up where the mm says so", () => {
    const mm = process();
    mm.bottomUp = true;
    expect(getUnmappedArea(mm, 0, PAGE, 0, ANON)).toBe(mm.mmapLegacyBase);
    put(mm, mm.mmapLegacyBase, mm.mmapLegacyBase + PAGE);
    put(mm, mm.mmapLegacyBase + 2 * PAGE, mm.mmapLegacyBase + 4 * PAGE);
    expect(getUnmappedArea(mm, 0, PAGE, 0, ANON)).toBe(mm.mmapLegacyBase + PAGE);
    expect(getUnmappedArea(mm, 0, 2 * PAGE, 0, ANON)).toBe(mm.mmapLegacyBase + 4 * PAGE);
  });

  it("aligns to huge pages what fills them, and files that ask for it", () => {
    const mm = process();
    mm.thpSize = 2 * MIB;
    expect(getUnmappedArea(mm, 0, 2 * MIB, 0, ANON)).toBe(0x7ffff7a00000);
    expect(getUnmappedArea(mm, 0, 2 * MIB, 0, MAP_SHARED | MAP_ANONYMOUS)).toBe(LIBRARIES - 2 * MIB);
    expect(getUnmappedArea(mm, 0, 2 * MIB + PAGE, 0, ANON)).toBe(LIBRARIES - 2 * MIB - PAGE);
    // Linux asks for a hole larger by a huge page; found aligned, it takes the upper end of that.
    put(mm, 0x7ffff7c00000, LIBRARIES);
    expect(getUnmappedArea(mm, 0, 2 * MIB, 0, ANON)).toBe(0x7ffff7a00000);
    mm.vmas.remove(mm.vmas.lookup(0x7ffff7c00000) as VmArea);
    const file = new FakeFile();
    expect(getUnmappedArea(mm, 0, 3 * MIB, 0, MAP_PRIVATE, file)).toBe(LIBRARIES - 3 * MIB);
    const huge = Object.assign(new FakeFile(), { mapping: { ...file.mapping, hugeAligned: true } });
    expect(getUnmappedArea(mm, 0, MIB, 0, MAP_PRIVATE, huge)).toBe(LIBRARIES - MIB);
    // One page into the file, one page into the huge page.
    expect(getUnmappedArea(mm, 0, 5 * MIB, 1, MAP_PRIVATE, huge) % (2 * MIB)).toBe(PAGE);
    expect(getUnmappedArea(mm, 0x10000001000, 4 * MIB, 0, MAP_PRIVATE, huge)).toBe(0x10000001000);
  });
});
