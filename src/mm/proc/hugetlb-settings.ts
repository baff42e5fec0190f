/** The settings of huge pages under /proc/sys/vm, which are those of the usual size of them (mm/hugetlb.c). */
import type { HugePools } from "../frames/huge-pools.ts";
import type { ShmNamespace } from "../ipc/shm-namespace.ts";
import type { ProcNode } from "./proc-tree.ts";
import { longNode, numberNode } from "./sysctl-node.ts";

const INT_MIN: number = -(2 ** 31);

export function hugetlbSettings(pools: HugePools, ipc: ShmNamespace): Record<string, ProcNode> {
  let optimizesVmemmap = false;
  const poolNode = (): ProcNode =>
    longNode({
      get: () => 0n,
      set: (pages) => pools.resize(pages),
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
    nr_overcommit_hugepages: longNode({
      get: () => pools.overcommit,
      set: (pages) => {
        pools.overcommit = pages;
      },
    }),
  };
}
