/** The new place of a mapping that mremap moves, before its pages go there (copy_vma in mm/vma.c). */
import { PAGE_SIZE, type PgOff, type Vaddr } from "../page.ts";
import { anonVmaClone } from "./anon-vma.ts";
import type { VmArea } from "./vm-area.ts";
import { dupVma, freeVma, vmaLink } from "./vma-lifetime.ts";
import { vmaMergeCopied } from "./vma-merge.ts";

export interface CopiedVma {
  /** The mapping that holds the new range: made for it, or a neighbour that has grown over it. */
  readonly area: VmArea;
  /** The mapping that holds the old range: the old one, or `area` if that has swallowed it, too. */
  readonly source: VmArea;
}

/**
 * Maps addr … addr + len, which is free, as a copy of `vma` whose first page is `pgoff`. Null when memory is out.
 *
 * Anonymous memory that has no page yet takes the pgoff of its new address instead, so that it can merge there; once
 * there are pages their `index` is fixed, and the pgoff moves along with them.
 */
export function copyVma(vma: VmArea, addr: Vaddr, len: number, pgoff: PgOff): CopiedVma | null {
  const { mm } = vma;
  const oldStart = vma.start;
  const newPgoff = vma.isAnonymous && vma.anonVma === null ? addr / PAGE_SIZE : pgoff;
  const merged = vmaMergeCopied(vma, addr, addr + len, newPgoff);
  if (merged !== null) {
    const swallowed = oldStart >= merged.start && oldStart < merged.end;
    return { area: merged, source: swallowed ? merged : vma };
  }
  const area = dupVma(mm, vma);
  if (area === null) return null;
  area.start = addr;
  area.end = addr + len;
  area.pgoff = newPgoff;
  if (anonVmaClone(area, vma) !== 0) {
    freeVma(area);
    return null;
  }
  area.ops?.open?.(area);
  vmaLink(mm, area);
  return { area, source: vma };
}
