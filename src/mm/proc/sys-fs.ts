/**
 * /sys, as far as programs look into it for memory and processors: which CPUs and memory nodes there are, and which pools of
 * huge pages. What is not built in has no directory there (transparent huge pages, KSM).
 */
import { SYSFS_MAGIC } from "../uapi/fs.ts";
import type { FileSystem } from "../vfs/super-block.ts";
import type { ProcHost } from "./proc-task.ts";
import { directoryNode, fixedDirectory, linkNode, type ProcDirectory, ProcSuperBlock } from "./proc-tree.ts";
import { hugepagesDirectory } from "./sys-hugepages.ts";
import { nodeDirectory } from "./sys-node.ts";
import { textNode } from "./text-file.ts";

/** Ready to be mounted at /sys: `kernel.mount("/sys", sysFs(kernel))`. */
export function sysFs(host: ProcHost): FileSystem {
  return {
    name: "sysfs",
    mount: (context) =>
      new ProcSuperBlock(context, rootDirectory(host), "sysfs", SYSFS_MAGIC, /* hasFixedNames */ false),
  };
}

function rootDirectory(host: ProcHost): ProcDirectory {
  const cpu0 = fixedDirectory({ node0: linkNode(() => "../../node/node0") });
  const cpu = fixedDirectory({
    cpu0: directoryNode(cpu0, 0o755),
    isolated: textNode(() => "\n"),
    kernel_max: textNode(() => "0\n"),
    offline: textNode(() => "\n"),
    online: textNode(() => "0\n"),
    possible: textNode(() => "0\n"),
    present: textNode(() => "0\n"),
  });
  const system = fixedDirectory({
    cpu: directoryNode(cpu, 0o755),
    node: directoryNode(nodeDirectory(host), 0o755),
  });
  const devices = fixedDirectory({ system: directoryNode(system, 0o755) });
  const hugepages = hugepagesDirectory(host.phys.hugePools, host.arch.hugePageSizeLogs);
  const mm = fixedDirectory({ hugepages: directoryNode(hugepages, 0o755) });
  const kernel = fixedDirectory({ mm: directoryNode(mm, 0o755) });
  return fixedDirectory({
    devices: directoryNode(devices, 0o755),
    kernel: directoryNode(kernel, 0o755),
  });
}
