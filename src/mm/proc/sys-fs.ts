/**
 * /sys, as far as programs look into it for memory and processors: which CPUs there are, and which pools of huge pages. What is
 * not built in has no directory there (transparent huge pages, KSM), nor has the one memory node.
 */
import type { HugePools } from "../frames/huge-pools.ts";
import { SYSFS_MAGIC } from "../uapi/fs.ts";
import type { FileSystem } from "../vfs/super-block.ts";
import { type Arch, RISCV64 } from "../vma/arch.ts";
import { directoryNode, fixedDirectory, type ProcDirectory, ProcSuperBlock } from "./proc-tree.ts";
import { hugepagesDirectory } from "./sys-hugepages.ts";
import { textNode } from "./text-file.ts";

/** Ready to be mounted at /sys: `kernel.mount("/sys", sysFs())`. @param arch whose sizes of huge pages there are */
export function sysFs(arch: Arch = RISCV64): FileSystem {
  return {
    name: "sysfs",
    mount: (context) =>
      new ProcSuperBlock(
        context,
        rootDirectory(context.phys.hugePools, arch),
        "sysfs",
        SYSFS_MAGIC,
        /* hasFixedNames */ false,
      ),
  };
}

function rootDirectory(pools: HugePools, arch: Arch): ProcDirectory {
  const cpu = fixedDirectory({
    cpu0: directoryNode(fixedDirectory({}), 0o755),
    isolated: textNode(() => "\n"),
    kernel_max: textNode(() => "0\n"),
    offline: textNode(() => "\n"),
    online: textNode(() => "0\n"),
    possible: textNode(() => "0\n"),
    present: textNode(() => "0\n"),
  });
  const system = fixedDirectory({ cpu: directoryNode(cpu, 0o755) });
  const devices = fixedDirectory({ system: directoryNode(system, 0o755) });
  const hugepages = hugepagesDirectory(pools, arch.hugePageSizeLogs);
  const mm = fixedDirectory({ hugepages: directoryNode(hugepages, 0o755) });
  const kernel = fixedDirectory({ mm: directoryNode(mm, 0o755) });
  return fixedDirectory({
    devices: directoryNode(devices, 0o755),
    kernel: directoryNode(kernel, 0o755),
  });
}
