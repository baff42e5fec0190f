/**
 * /sys, as far as programs look into it for memory and processors: which CPUs there are. What is not built in has no
 * directory there: no kernel/mm (huge pages, KSM, swap policies), no devices/system/node.
 */
import { SYSFS_MAGIC } from "../uapi/fs.ts";
import type { FileSystem } from "../vfs/super-block.ts";
import { directoryNode, fixedDirectory, type ProcDirectory, ProcSuperBlock } from "./proc-tree.ts";
import { textNode } from "./text-file.ts";

/** Ready to be mounted at /sys: `kernel.mount("/sys", sysFs())`. */
export function sysFs(): FileSystem {
  return {
    name: "sysfs",
    mount: (context) => new ProcSuperBlock(context, rootDirectory(), "sysfs", SYSFS_MAGIC),
  };
}

function rootDirectory(): ProcDirectory {
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
  return fixedDirectory({ devices: directoryNode(devices, 0o755) });
}
