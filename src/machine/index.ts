/**
 * faultline/machine: runs real riscv64 Linux programs on a Kernel's memory and files. No platform in here: Node and
 * browsers alike.
 */
export { HostClock, type HostTime, type MachineClock, VirtualClock } from "./clock.ts";
export { compileInterpreter } from "./cpu/hart.ts";
export { ElfError, type ElfErrorKind } from "./elf/elf-error.ts";
export type { ProgramString } from "./elf/stack-image.ts";
export {
  type AsyncRunOptions,
  DeadlockError,
  type ExitStatus,
  MACHINE_BYTES,
  Machine,
  type MachineOptions,
  type ProcessSummary,
} from "./machine.ts";
export type {
  HostConnection,
  HostConnectionEvents,
  HostListener,
  HostLoopback,
  LoopbackIp,
} from "./net/host-loopback.ts";
export { signalName } from "./signals/signal-numbers.ts";
export {
  type ByteSink,
  type ByteSource,
  type HostTerminal,
  type MachineStream,
  nullStream,
  type StreamOptions,
  streamOf,
} from "./stream.ts";
export { devPtsFs, terminalNodes } from "./tty/devpts.ts";
export { Terminals } from "./tty/terminals.ts";
