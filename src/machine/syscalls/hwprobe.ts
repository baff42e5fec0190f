/**
 * riscv_hwprobe: what the hart can do, as numbers by key (arch/riscv/kernel/sys_hwprobe.c). C libraries ask it which of their
 * functions to use. It says what the first line of /proc/cpuinfo says.
 */
import { RISCV_ISA } from "../../mm/proc/system-texts.ts";
import { EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call, SyscallGroup } from "./call.ts";

/** struct riscv_hwprobe, 16 bytes: 0 key (s64), 8 value (u64). */
const PAIR_BYTES = 16;
const KEY_MVENDORID = 0;
const KEY_MARCHID = 1;
const KEY_MIMPID = 2;
const KEY_BASE_BEHAVIOR = 3;
const KEY_IMA_EXT_0 = 4;
const KEY_CPUPERF_0 = 5;
const KEY_ZICBOZ_BLOCK_SIZE = 6;
const KEY_HIGHEST_VIRT_ADDRESS = 7;
const KEY_TIME_CSR_FREQ = 8;
const KEY_MISALIGNED_SCALAR_PERF = 9;
const KEY_MISALIGNED_VECTOR_PERF = 10;
const KEY_VENDOR_EXT_THEAD_0 = 11;
const KEY_ZICBOM_BLOCK_SIZE = 12;
const KEY_VENDOR_EXT_SIFIVE_0 = 13;
const KEY_VENDOR_EXT_MIPS_0 = 14;
/** Keys whose value is a set of bits, where others are compared as a whole (hwprobe_key_is_bitmask). */
const BITMASKS: ReadonlySet<number> = new Set([
  ...[KEY_BASE_BEHAVIOR, KEY_IMA_EXT_0, KEY_CPUPERF_0],
  ...[KEY_VENDOR_EXT_THEAD_0, KEY_VENDOR_EXT_SIFIVE_0, KEY_VENDOR_EXT_MIPS_0],
]);
const BASE_BEHAVIOR_IMA = 1n;
const MISALIGNED_FAST = 3n;
const MISALIGNED_UNSUPPORTED = 4n;
/** Bits of KEY_IMA_EXT_0, of what this hart may be said to have. */
const IMA_FD = 1n << 0n;
const IMA_C = 1n << 1n;
const EXTENSIONS: Readonly<Record<string, bigint>> = {
  zca: 1n << 43n,
  zcd: 1n << 45n,
  zicntr: 1n << 50n,
  zaamo: 1n << 56n,
  zalrsc: 1n << 57n,
};
/** Ticks of the time CSR in a second (makeHart). */
const TIME_CSR_HZ = 10_000_000n;

/** Asks for the CPUs that have these values. */
const RISCV_HWPROBE_WHICH_CPUS = 1;
/** One CPU: a mask is one long, of which bit 0 counts. */
const CPUMASK_BYTES = 8;
/** Pairs that are looked at in one go; then others may run. */
const PAIRS_AT_ONCE = 4096;

export const hwprobeCalls: SyscallGroup = [[258, "riscv_hwprobe", 5, riscvHwprobe]];

/** How far a call with many pairs has come, and whether the CPU has all values so far. */
class Progress {
  done = 0;
  matches: boolean;

  constructor(matches: boolean) {
    this.matches = matches;
  }
}

/** What the hart has of KEY_IMA_EXT_0. */
function imaExt0(): bigint {
  const [letters, ...names] = RISCV_ISA.split("_");
  let bits = letters.includes("fd") ? IMA_FD : 0n;
  if (letters.endsWith("c")) bits |= IMA_C;
  for (const name of names) bits |= EXTENSIONS[name] ?? 0n;
  return bits;
}

/** The value of a key (hwprobe_one_pair); undefined where there is no such key. */
function valueOfKey(call: Call, key: number): bigint | undefined {
  switch (key) {
    case KEY_MVENDORID:
    case KEY_MARCHID:
    case KEY_MIMPID:
    case KEY_ZICBOZ_BLOCK_SIZE:
    case KEY_ZICBOM_BLOCK_SIZE:
    case KEY_VENDOR_EXT_THEAD_0:
    case KEY_VENDOR_EXT_SIFIVE_0:
    case KEY_VENDOR_EXT_MIPS_0:
      return 0n;
    case KEY_BASE_BEHAVIOR:
      return BASE_BEHAVIOR_IMA;
    case KEY_IMA_EXT_0:
      return imaExt0();
    // A word takes one instruction wherever it lies, its bytes eight.
    case KEY_CPUPERF_0:
    case KEY_MISALIGNED_SCALAR_PERF:
      return MISALIGNED_FAST;
    case KEY_HIGHEST_VIRT_ADDRESS:
      return BigInt(call.process.mm.arch.taskSize);
    case KEY_TIME_CSR_FREQ:
      return TIME_CSR_HZ;
    case KEY_MISALIGNED_VECTOR_PERF:
      return MISALIGNED_UNSUPPORTED;
    default:
      return undefined;
  }
}

/** Arguments: pairs, how many, bytes of the mask of CPUs, that mask or null, flags. */
function riscvHwprobe(call: Call): number {
  const { callState } = call.thread;
  const asksWhich = (call.u32(4) & RISCV_HWPROBE_WHICH_CPUS) !== 0;
  const begun = callState instanceof Progress ? callState : begin(call, asksWhich);
  if (typeof begun === "number") return begun;
  const count = call.u64(1);
  const end = Math.min(count, begun.done + PAIRS_AT_ONCE);
  for (; begun.done < end; begun.done++) {
    const at = call.u64(0) + begun.done * PAIR_BYTES;
    const failed = asksWhich ? comparePair(call, at, begun) : fillPair(call, at);
    if (failed !== 0) return failed;
  }
  if (begun.done < count) {
    const isReady = (): boolean => true;
    const wait = { isReady, deadlineNs: Number.POSITIVE_INFINITY, interrupted: -EINVAL, killableOnly: true };
    return call.block(wait, begun);
  }
  return asksWhich ? putMask(call, begun.matches) : 0;
}

/** What the flags and the mask say (hwprobe_get_values, hwprobe_get_cpus). */
function begin(call: Call, asksWhich: boolean): Progress | number {
  const flags = call.u32(4);
  const size = call.u64(2);
  const at = call.u64(3);
  if (flags !== (asksWhich ? RISCV_HWPROBE_WHICH_CPUS : 0)) return -EINVAL;
  // Nothing and none: all CPUs.
  if (!asksWhich && size === 0 && at === 0) return new Progress(true);
  if (asksWhich && (size === 0 || at === 0)) return -EINVAL;
  const mask = call.get(at, Math.min(size, CPUMASK_BYTES));
  if (mask === undefined) return -EFAULT;
  const hasCpu0 = mask.bytes.length > 0 && (mask.bytes[0] & 1) !== 0;
  if (asksWhich) return new Progress(hasCpu0 || mask.bytes.every((byte) => byte === 0));
  return hasCpu0 ? new Progress(true) : -EINVAL;
}

function putMask(call: Call, hasCpu0: boolean): number {
  const bytes = new Uint8Array(Math.min(call.u64(2), CPUMASK_BYTES));
  bytes[0] = hasCpu0 ? 1 : 0;
  return call.put(call.u64(3), bytes);
}

/** Fills in the value of a key; a key that there is not becomes −1. */
function fillPair(call: Call, at: number): number {
  const key = call.get(at, 8);
  if (key === undefined) return -EFAULT;
  const value = valueOfKey(call, key.s64(0));
  return call.put(at, (value === undefined ? unknownPair() : pair(key.big64(0), value)).bytes);
}

/** Whether the CPU has the value, or all of its bits. */
function comparePair(call: Call, at: number, progress: Progress): number {
  const asked = call.get(at, PAIR_BYTES);
  if (asked === undefined) return -EFAULT;
  const key = asked.s64(0);
  const value = valueOfKey(call, key);
  if (value === undefined) {
    progress.matches = false;
    return call.put(at, unknownPair().bytes);
  }
  const wanted = BigInt.asUintN(64, asked.big64(8));
  if ((BITMASKS.has(key) ? value & wanted : value) !== wanted) progress.matches = false;
  return 0;
}

function pair(key: bigint, value: bigint): StructView {
  return new StructView(PAIR_BYTES).putBig64(0, key).putBig64(8, value);
}

function unknownPair(): StructView {
  return pair(-1n, 0n);
}
