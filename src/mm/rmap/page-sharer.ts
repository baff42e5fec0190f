/** Who else maps an anonymous page: for events only, since nothing that memory does depends on it. */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn } from "../page.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { type PteVisitor, rmapWalk } from "./rmap-walk.ts";

export class PageSharer implements PteVisitor {
  #mm: MmStruct | null = null;
  #pid = 0;

  /** The process that shows the page in another address space than `mm`: the first one of several, 0 for none. */
  find(phys: PhysicalMemory, pfn: Pfn, mm: MmStruct): number {
    this.#mm = mm;
    this.#pid = 0;
    rmapWalk(phys, pfn, this);
    this.#mm = null;
    return this.#pid;
  }

  visit({ mm }: VmArea): boolean {
    if (mm === this.#mm) return true;
    this.#pid = mm.actor.pid;
    return false;
  }
}
