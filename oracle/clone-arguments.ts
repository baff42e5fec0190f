/** Flags of `clone` for the generator, each set with SIGCHLD: those that make a process, and those that are refused. */
import * as clone from "../src/machine/life/fork.ts";
import type { ArgumentSource } from "./arguments.ts";
import type { Random } from "./random.ts";

const { CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_PIDFD, CLONE_THREAD, CLONE_NEWNS } = clone;
const { CLONE_NEWUSER, CLONE_NEWPID, CLONE_DETACHED, CLONE_PARENT_SETTID, CLONE_SYSVSEM } = clone;
const CLONE_UNTRACED = 0x80_0000;
const CLONE_NEWUTS = 0x400_0000;
const CLONE_NEWIPC = 0x800_0000;
const CLONE_NEWNET = 0x4000_0000;
const CLONE_IO = 0x8000_0000;
/** Bytes of a descriptor. */
const PIDFD_BYTES = 4;

const VALID: readonly number[] = [
  0,
  CLONE_VM,
  CLONE_VM,
  CLONE_FS,
  CLONE_FILES,
  CLONE_VM + CLONE_FILES,
  CLONE_VM + CLONE_SIGHAND,
  CLONE_VM + CLONE_SIGHAND + CLONE_FS + CLONE_FILES + CLONE_SYSVSEM,
  CLONE_VM + CLONE_DETACHED,
  CLONE_UNTRACED + CLONE_IO,
];

/** Contradictions, or what takes a privilege. None makes anything, whoever asks. */
const REFUSED: readonly number[] = [
  CLONE_SIGHAND,
  CLONE_SIGHAND + CLONE_FILES,
  CLONE_THREAD,
  CLONE_THREAD + CLONE_VM,
  CLONE_THREAD + CLONE_SIGHAND,
  CLONE_THREAD + CLONE_SIGHAND + CLONE_VM + CLONE_NEWPID,
  CLONE_FS + CLONE_NEWNS,
  CLONE_FS + CLONE_NEWUSER,
  CLONE_PIDFD + CLONE_DETACHED,
  CLONE_PIDFD + CLONE_PARENT_SETTID,
];
const FORBIDDEN: readonly number[] = [
  CLONE_NEWNS,
  CLONE_NEWUTS,
  CLONE_NEWIPC,
  CLONE_NEWIPC + CLONE_SYSVSEM,
  CLONE_NEWPID,
  CLONE_NEWNET,
  CLONE_NEWNS + CLONE_VM,
];

/** Flags, and where a pidfd is to go. */
export function cloneArguments(random: Random, from: ArgumentSource): number[] {
  return random.weighted([
    [8, () => [random.pick(VALID)]],
    [4, () => [random.pick(VALID) + CLONE_PIDFD, placeForPidfd(random, from)]],
    [3, () => [random.pick(REFUSED)]],
    [3, () => [random.pick(FORBIDDEN)]],
  ])();
}

/** Aligned: of a number that crosses the end of memory x86-64 stores nothing, and riscv64 what there is room for. */
function placeForPidfd(random: Random, from: ArgumentSource): number {
  if (!random.chance(85)) return 2 ** 47;
  const at = from.mappedAddress();
  return at - (at % PIDFD_BYTES);
}
