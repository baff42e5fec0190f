/** maps, smaps and numa_maps: a record for each mapping, found by address, so that a reader survives what changes. */
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import type { SeqShow } from "./seq-file.ts";

/** One record a mapping. The address space may be gone before the file is: then there are no more. */
export function mappingRecords(mm: MmStruct, text: (vma: VmArea) => string): SeqShow {
  return (position) => {
    const vma = mm.users > 0 ? mm.vmas.find(position) : null;
    return vma === null ? null : { text: text(vma), next: vma.end };
  };
}
