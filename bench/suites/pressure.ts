/**
 * pressure PROGRAM PATTERN LIMIT SWAP FOLDER [mglru]: one access pattern (bench/pressure/patterns.c) on the machine, in a memory
 * cgroup of LIMIT bytes and with SWAP bytes of swap. Prints the program's line of JSON.
 *
 * RAM is far larger than the limit, as it is on the host beside it, so that the group's limit alone makes pressure. The
 * swap area claims to be a disk that seeks, as a swap file of most hosts is: that decides what is read ahead.
 */
import { readFileSync } from "node:fs";
import { MACHINE_BYTES, Machine, streamOf, VirtualClock } from "../../src/machine/index.ts";
import {
  DISK_TIMING,
  Kernel,
  MemorySwapDevice,
  O_CREAT,
  O_WRONLY,
  procFs,
  type SwapDevice,
} from "../../src/mm/index.ts";
import { nodeFs } from "../../src/storage/node/index.ts";

const [, , program, pattern, limit, swap, folder, policy, cgroups] = process.argv;

function diskOf(bytes: number): SwapDevice {
  const memory = new MemorySwapDevice(new Uint8Array(bytes));
  return {
    pages: memory.pages,
    isRotational: true,
    timing: DISK_TIMING,
    readPage: (slot, ram, at) => memory.readPage(slot, ram, at),
    writePage: (slot, ram, at) => memory.writePage(slot, ram, at),
  };
}

const clock = new VirtualClock();
const kernel = new Kernel({
  now: () => clock.realtimeNs(),
  sleep: (ns) => clock.sleepUntil(clock.monotonicNs() + ns),
  thpSize: 2 ** 21,
  legacyMemcg: cgroups === "v1",
  ram: Number(limit) * 8,
  machineBytes: MACHINE_BYTES,
  ...(policy === "mglru" && { lruPolicy: "mglru" }),
});
kernel.mount("/proc", procFs(kernel));
kernel.mount("/files", nodeFs(folder));
kernel.swapOn(diskOf(Number(swap)), { mkswap: {} });
const loader = kernel.spawn();
const fd = loader.open("/program", O_CREAT | O_WRONLY, 0o755);
loader.write(fd, readFileSync(program));
loader.exit();
const decoder = new TextDecoder();
let output = "";
const stdout = streamOf({
  write: (bytes) => {
    output += decoder.decode(bytes, { stream: true });
  },
});
const machine = new Machine(kernel, { stdout, stderr: stdout, clock });
const group = kernel.memcg.create("pressure");
group.max = Number(limit);
group.add(machine.spawn("/program", [program, pattern, limit, "/files/pages"]));
const { code, signal } = machine.run();
if (code !== 0)
  throw new Error(
    `${pattern} ended with ${code ?? `signal ${signal}`}: ${output}\n${kernel.dmesg.join("\n")}`,
  );
console.log(output.trim());
