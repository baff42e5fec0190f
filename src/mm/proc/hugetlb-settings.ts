/**
 * The settings of huge pages under /proc/sys/vm (mm/hugetlb.c). A pool is as large as what could be found for it: here memory is
 * too scattered for a single huge page, so that whatever is asked for, none is what there is, as who reads the number again sees.
 */
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { ShmNamespace } from "../ipc/shm-namespace.ts";
import { HTLB_BUDDY_PGALLOC_FAIL } from "../trace/vmstat.ts";
import type { ProcNode } from "./proc-tree.ts";
import { longNode, numberNode } from "./sysctl-node.ts";

const INT_MIN: number = -(2 ** 31);

export function hugetlbSettings(phys: PhysicalMemory, ipc: ShmNamespace): Record<string, ProcNode> {
  let overcommit = 0n;
  let optimizesVmemmap = false;
  const poolNode = (): ProcNode =>
    longNode({
      get: () => 0n,
      set: (pages) => {
        // The first that is not found is the last that is looked for.
        if (pages > 0n) phys.stat[HTLB_BUDDY_PGALLOC_FAIL]++;
      },
    });
  return {
    hugetlb_optimize_vmemmap: numberNode({
      get: () => (optimizesVmemmap ? 1 : 0),
      set: (value) => {
        optimizesVmemmap = value !== 0;
      },
      min: INT_MIN,
    }),
    hugetlb_shm_group: numberNode({
      get: () => ipc.hugetlbShmGroup,
      set: (gid) => {
        ipc.hugetlbShmGroup = gid;
      },
      min: INT_MIN,
    }),
    nr_hugepages: poolNode(),
    nr_hugepages_mempolicy: poolNode(),
    // How many more may be looked for when a mapping wants them: none is found then, either.
    nr_overcommit_hugepages: longNode({
      get: () => overcommit,
      set: (pages) => {
        overcommit = pages;
      },
    }),
  };
}
