/**
 * /sys/kernel/mm/hugepages: a directory for each size of huge pages, a file for each number of its pool (mm/hugetlb_sysfs.c). All
 * are 0 but what may be set beyond the pool, which only pages of the usual size have.
 */
import type { HugePools } from "../frames/huge-pools.ts";
import { EINVAL } from "../uapi/errno.ts";
import { directoryNode, fixedDirectory, type ProcDirectory, type ProcNode } from "./proc-tree.ts";
import { placedNode, takeText, textNode } from "./text-file.ts";

const KIB_LOG = 10;
/** Digits of a number of 64 bits, a sign and a line end. */
const NUMBER_BYTES = 22;
const ULONG_MAX: bigint = 2n ** 64n - 1n;

/** @param sizeLogs the sizes as powers of two, the usual one first */
export function hugepagesDirectory(pools: HugePools, sizeLogs: readonly number[]): ProcDirectory {
  const sizes = sizeLogs.map((log, index) => {
    const name = `hugepages-${2 ** (log - KIB_LOG)}kB`;
    return [name, directoryNode(poolDirectory(pools, /* isUsual */ index === 0), 0o755)] as const;
  });
  return fixedDirectory(Object.fromEntries(sizes));
}

function poolDirectory(pools: HugePools, isUsual: boolean): ProcDirectory {
  const size = numberFile(
    () => 0n,
    (pages) => {
      pools.resize(pages);
      return 0;
    },
  );
  const zero = textNode(() => "0\n");
  return fixedDirectory({
    free_hugepages: zero,
    nr_hugepages: size,
    nr_hugepages_mempolicy: size,
    nr_overcommit_hugepages: numberFile(
      () => (isUsual ? pools.overcommit : 0n),
      (pages) => {
        if (!isUsual) return -EINVAL;
        pools.overcommit = pages;
        return 0;
      },
    ),
    resv_hugepages: zero,
    surplus_hugepages: zero,
  });
}

/** A number in decimal (kstrtoul), one a write. */
function numberFile(get: () => bigint, set: (value: bigint) => number): ProcNode {
  const node = textNode(
    () => `${get()}\n`,
    0o644,
    (from) => {
      const wanted = from.count;
      if (wanted === 0) return 0;
      const text = takeText(from, NUMBER_BYTES);
      if (typeof text === "number") return text;
      const digits = /^\+?([0-9]+)\n?$/.exec(text)?.[1];
      if (digits === undefined || wanted > NUMBER_BYTES || BigInt(digits) > ULONG_MAX) return -EINVAL;
      const failed = set(BigInt(digits));
      return failed < 0 ? failed : wanted;
    },
  );
  return placedNode(node);
}
