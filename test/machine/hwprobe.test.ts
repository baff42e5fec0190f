/** riscv_hwprobe, called by a program with what a test gives it, and that it agrees with /proc/cpuinfo and the auxiliary vector. */
import { describe, expect, it } from "vitest";
import { HWCAP_RV64GC } from "../../src/machine/abi/auxv.ts";
import { streamOf } from "../../src/machine/index.ts";
import { RISCV_ISA } from "../../src/mm/proc/system-texts.ts";
import { EFAULT, EINVAL } from "../../src/mm/uapi/errno.ts";
import { assemble } from "./assemble.ts";
import { testMachine } from "./support.ts";

/** a0 … a4 from what follows; riscv_hwprobe; the answer and what is behind it to standard output. */
const PROGRAM = [
  0x00000417, 0x10043503, 0x10843583, 0x11043603, 0x11843683, 0x12043703, 0x10200893, 0x00000073, 0x12a43423,
  0x00100513, 0x12840593, 0x40000613, 0x04000893, 0x00000073, 0x00000513, 0x05d00893, 0x00000073,
];
const CODE = 0x10100;
/** Where that is in the file, and what follows from there on. */
const FILE = 0x100;
const ARGUMENTS = 0x100;
const ANSWER: number = ARGUMENTS + 40;
const MASK: number = ANSWER + 8;
const PAIRS: number = MASK + 8;
const WHICH_CPUS = 1;
const FD_C_ZCA_ZCD_ZICNTR_ZAAMO_ZALRSC = 0x304280000000003n;

interface Asked {
  readonly flags?: number;
  readonly size?: number;
  readonly mask?: bigint | null;
  readonly count?: number;
  readonly at?: number;
}

interface Told {
  readonly answer: number;
  readonly mask: bigint;
  readonly pairs: readonly (readonly [bigint, bigint])[];
}

function probe(pairs: readonly (readonly [number, bigint])[], asked: Asked = {}): Told {
  const image = assemble(PROGRAM);
  const view = new DataView(image.buffer);
  // Writable, too.
  view.setUint32(68, 7, true);
  const { flags = 0, size = 0, mask = null, count = pairs.length, at = CODE + PAIRS } = asked;
  const args = [at, count, size, mask === null ? 0 : CODE + MASK, flags];
  for (const [i, arg] of args.entries()) view.setBigUint64(FILE + ARGUMENTS + 8 * i, BigInt(arg), true);
  view.setBigUint64(FILE + MASK, mask ?? 0n, true);
  for (const [i, [key, value]] of pairs.entries()) {
    view.setBigInt64(FILE + PAIRS + 16 * i, BigInt(key), true);
    view.setBigUint64(FILE + PAIRS + 16 * i + 8, value, true);
  }
  const out: Uint8Array[] = [];
  const { machine, install } = testMachine({
    stdout: streamOf({ write: (bytes) => void out.push(bytes.slice()) }),
  });
  install("/probe", image);
  machine.spawn("/probe", ["probe"]);
  expect(machine.run().code).toBe(0);
  const told = new DataView(new Uint8Array(Buffer.concat(out)).buffer);
  return {
    answer: Number(told.getBigInt64(0, true)),
    mask: told.getBigUint64(8, true),
    pairs: pairs.map((_, i) => [told.getBigInt64(16 + 16 * i, true), told.getBigUint64(24 + 16 * i, true)]),
  };
}

const keys = (...numbers: number[]): [number, bigint][] => numbers.map((key) => [key, 99n]);

describe("riscv_hwprobe", () => {
  it("tells what the hart has", () => {
    const { answer, pairs } = probe(keys(...Array.from({ length: 15 }, (_, key) => key)));
    expect(answer).toBe(0);
    const values = [0n, 0n, 0n, 1n, FD_C_ZCA_ZCD_ZICNTR_ZAAMO_ZALRSC, 3n, 0n, 2n ** 47n, 10_000_000n, 3n, 4n];
    expect(pairs).toEqual([...values, 0n, 0n, 0n, 0n].map((value, key) => [BigInt(key), value]));
  });

  it("knows all that /proc/cpuinfo names and it can name, and the letters of AT_HWCAP", () => {
    // Those without a number of their own are in the base.
    const named = RISCV_ISA.split("_")
      .slice(1)
      .filter((name) => !["zicsr", "zifencei"].includes(name));
    expect([...FD_C_ZCA_ZCD_ZICNTR_ZAAMO_ZALRSC.toString(2)].filter((bit) => bit === "1").length).toBe(
      named.length + 2,
    );
    const letters = [..."abcdefghijklmnopqrstuvwxyz"].filter((_, i) => (HWCAP_RV64GC & (1 << i)) !== 0);
    expect([...RISCV_ISA.split("_")[0].slice("rv64".length)].sort()).toEqual(letters);
  });

  it("says −1 of other keys", () => {
    const { answer, pairs } = probe(keys(15, 3, -1, 2 ** 31));
    expect(answer).toBe(0);
    expect(pairs).toEqual([
      [-1n, 0n],
      [3n, 1n],
      [-1n, 0n],
      [-1n, 0n],
    ]);
  });

  it("wants a CPU that there is, and no other flags", () => {
    expect(probe(keys(3), { size: 8, mask: 1n }).pairs).toEqual([[3n, 1n]]);
    expect(probe(keys(3), { size: 1000, mask: 3n }).answer).toBe(0);
    expect(probe(keys(3), { size: 8, mask: 2n })).toMatchObject({ answer: -EINVAL, pairs: [[3n, 99n]] });
    expect(probe(keys(3), { size: 0, mask: 1n }).answer).toBe(-EINVAL);
    expect(probe(keys(3), { size: 8 }).answer).toBe(-EFAULT);
    expect(probe(keys(3), { flags: 2 }).answer).toBe(-EINVAL);
    expect(probe(keys(3), { flags: 3, size: 8, mask: 1n }).answer).toBe(-EINVAL);
  });

  it("which CPUs: those with all bits of a set, and the very value of a number", () => {
    const which = (pairs: [number, bigint][], mask: bigint, size = 8): Told =>
      probe(pairs, { flags: WHICH_CPUS, size, mask });
    expect(which([[4, 3n]], 1n)).toMatchObject({ answer: 0, mask: 1n, pairs: [[4n, 3n]] });
    expect(which([[4, 8n]], 1n).mask).toBe(0n);
    expect(which([[4, 3n]], 2n).mask).toBe(0n);
    expect(which([[8, 10_000_000n]], 0n).mask).toBe(1n);
    expect(which([[8, 10_000_001n]], 0n).mask).toBe(0n);
    expect(which([[5, 1n]], 0n).mask).toBe(1n);
    expect(which([[9, 1n]], 0n).mask).toBe(0n);
    expect(which([[4, 2n ** 63n]], 0n).mask).toBe(0n);
    expect(which([], 7n, 1).mask).toBe(1n);
    const { mask, pairs } = which([...keys(99), [3, 1n]], 1n);
    expect(mask).toBe(0n);
    expect(pairs).toEqual([
      [-1n, 0n],
      [3n, 1n],
    ]);
    expect(probe([], { flags: WHICH_CPUS }).answer).toBe(-EINVAL);
    expect(probe([], { flags: WHICH_CPUS, size: 8 }).answer).toBe(-EINVAL);
  });

  it("goes as far as it can", () => {
    expect(probe(keys(3), { count: 2 ** 40 })).toMatchObject({ answer: -EFAULT, pairs: [[3n, 1n]] });
    expect(probe([], { count: 1, at: 8 }).answer).toBe(-EFAULT);
    expect(probe([], { count: 0, at: 8 }).answer).toBe(0);
  });
});
