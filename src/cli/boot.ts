/** From the options of a run to a machine that stands ready: kernel, files, swap, limits, and the program in it. */
import { type HostClock, MACHINE_BYTES, type Machine, VirtualClock } from "../machine/index.ts";
import { FaultEngine, faultInjection, type Kernel, LinuxError, type MemoryCgroup } from "../mm/index.ts";
import { nodeFs } from "../storage/node/index.ts";
import type { RunOptions } from "./command-line.ts";
import { guestEnvironment } from "./environment.ts";
import { bootOn, type GuestFiles, type HostDisk } from "./guest-files.ts";
import { hostClock } from "./host-time.ts";
import { oomKills } from "./out-of-memory.ts";
import type { PressureOptions } from "./pressure-options.ts";
import { KILLED, NOT_EXECUTABLE, ProgramError, programError } from "./program-error.ts";
import type { SwapAreas } from "./swap-areas.ts";

/** Name of the memory cgroup of a program with limits. */
const CGROUP = "program";

type Clock = HostClock | VirtualClock;

/** A kernel, booted, with all that it needs of this machine. */
export interface Booted extends GuestFiles {
  readonly clock: Clock;
  /** To be closed at the end; undefined: there is none. */
  readonly swap: SwapAreas | undefined;
}

/** Throws a ProgramError. */
export async function boot(options: RunOptions): Promise<Booted> {
  const { ramBytes, seed, program, root, sysroot, env, pressure } = options;
  const clock: Clock = options.clock === "host" ? hostClock() : new VirtualClock();
  const sleep = sleeper(clock);
  const faults = pressure.inject === undefined ? undefined : new FaultEngine(pressure.inject);
  const kernelOptions = {
    ram: ramBytes,
    machineBytes: MACHINE_BYTES,
    // 32 bits of the host's; node:crypto has no better ones to offer and takes its time to load.
    seed: seed ?? (options.clock === "virtual" ? 0 : Math.floor(Math.random() * 2 ** 32)),
    randomize: seed !== undefined,
    now: () => clock.realtimeNs(),
    sleep,
    lruPolicy: pressure.policy,
    ...(pressure.swappiness !== undefined && { swappiness: pressure.swappiness }),
  };
  const disk: HostDisk = (folder, how) => {
    const fs = nodeFs(folder, how);
    return faults === undefined ? fs : faultInjection(fs, faults);
  };
  const files = bootOn(
    { program, root, sysroot, env: guestEnvironment(env, process.env) },
    kernelOptions,
    disk,
  );
  return { ...files, clock, swap: await swapAreas(files.kernel, pressure, faults, sleep) };
}

/** Loaded only where there are any: most runs have none. */
async function swapAreas(
  kernel: Kernel,
  { swap }: PressureOptions,
  faults: FaultEngine | undefined,
  sleep: (ns: number) => void,
): Promise<SwapAreas | undefined> {
  if (swap.length === 0) return undefined;
  const { SwapAreas } = await import("./swap-areas.ts");
  return new SwapAreas(kernel, swap, faults, sleep);
}

/** Lets nanoseconds of the clock pass, in place: the processor waits for its storage. */
function sleeper(clock: Clock): (ns: number) => void {
  if (clock instanceof VirtualClock) return (ns) => void clock.sleepUntil(clock.monotonicNs() + ns);
  const never = new Int32Array(new SharedArrayBuffer(4));
  return (ns) => void Atomics.wait(never, 0, 0, ns / 1e6);
}

/** The group of the program and its children, where a limit asks for one; the root's otherwise. */
function cgroupOf(kernel: Kernel, { memoryMax, swapMax }: PressureOptions): MemoryCgroup {
  if (memoryMax === undefined && swapMax === undefined) return kernel.memcg;
  const group = kernel.memcg.create(CGROUP);
  if (memoryMax !== undefined) group.max = memoryMax;
  if (swapMax !== undefined) group.swapMax = swapMax;
  return group;
}

/** Throws a ProgramError, also where loading the program took more memory than there is. */
export function spawn(machine: Machine, options: RunOptions, { kernel, path, cwd }: GuestFiles): void {
  const { program, args, env, pressure } = options;
  const cgroup = cgroupOf(kernel, pressure);
  try {
    machine.spawn(path, [program, ...args], guestEnvironment(env, process.env), cwd, cgroup);
  } catch (error) {
    if (oomKills(kernel.dmesg).length > 0) {
      throw new ProgramError(program, "killed while it was loaded", KILLED);
    }
    if (error instanceof LinuxError && error.code === "EACCES") {
      throw new ProgramError(
        program,
        "permission denied: nobody may execute it (chmod +x makes it a program)",
        NOT_EXECUTABLE,
      );
    }
    throw programError(program, error);
  }
}
