/** A machine on tmpfs with programs in it, for tests. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  devPtsFs,
  type ExitStatus,
  MACHINE_BYTES,
  Machine,
  type MachineOptions,
  streamOf,
  Terminals,
  terminalNodes,
  VirtualClock,
} from "../../src/machine/index.ts";
import { Kernel, type KernelOptions } from "../../src/mm/kernel/kernel.ts";
import type { Process } from "../../src/mm/kernel/process.ts";
import { procFs } from "../../src/mm/proc/proc-fs.ts";
import { devFs } from "../../src/mm/shmem/dev-fs.ts";
import { O_CREAT, O_TRUNC, O_WRONLY } from "../../src/mm/uapi/fcntl.ts";

const REPO = new URL("../../", import.meta.url);

/** A file of the repository. */
export function repoFile(path: string): Uint8Array {
  return new Uint8Array(readFileSync(fileURLToPath(new URL(path, REPO))));
}

export interface TestMachine {
  readonly kernel: Kernel;
  readonly machine: Machine;
  /** A process of the kernel's own, to prepare and look at files with. */
  readonly shell: Process;
  /** What programs wrote so far. */
  stdout(): string;
  stderr(): string;
  /** Writes an executable file. */
  install(path: string, bytes: Uint8Array): void;
}

export function testMachine(
  options: Partial<MachineOptions> = {},
  kernelOptions: KernelOptions = {},
): TestMachine {
  const clock = new VirtualClock();
  const kernel = new Kernel({
    ram: 64 * 2 ** 20,
    machineBytes: MACHINE_BYTES,
    now: () => clock.realtimeNs(),
    ...kernelOptions,
  });
  kernel.mount("/proc", procFs(kernel));
  const terminals = new Terminals();
  const random = (bytes: Uint8Array): void => void bytes.fill(4);
  kernel.mount("/dev", devFs({ random, nodes: terminalNodes(terminals) }));
  kernel.mount("/dev/pts", devPtsFs(terminals));
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  const machine = new Machine(kernel, {
    clock,
    terminals,
    stdout: streamOf({ write: (bytes) => void out.push(bytes.slice()) }),
    stderr: streamOf({ write: (bytes) => void err.push(bytes.slice()) }),
    maxInstructions: 1e9,
    ...options,
  });
  const shell = kernel.spawn({ comm: "shell" });
  shell.mkdir("/tmp", 0o777);
  const text = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString();
  return {
    kernel,
    machine,
    shell,
    stdout: () => text(out),
    stderr: () => text(err),
    install: (path, bytes) => {
      const fd = shell.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o755);
      for (let at = 0; at < bytes.length; ) at += shell.write(fd, bytes.subarray(at));
      shell.close(fd);
    },
  };
}

/** Runs one program of the repository, from its path to its end. */
export function runProgram(
  path: string,
  args: readonly string[] = [],
  options: Partial<MachineOptions> = {},
): TestMachine & { readonly end: ExitStatus } {
  const test = testMachine(options);
  const name = path.slice(path.lastIndexOf("/") + 1);
  test.install(`/${name}`, repoFile(path));
  test.machine.spawn(`/${name}`, [name, ...args], ["HOME=/", "PATH=/"], "/tmp");
  return { ...test, end: test.machine.run() };
}
