/** Runs cases on the hart: what the recorded outcomes are compared with. */
import {
  STOP_EBREAK,
  STOP_ECALL,
  STOP_FAULT,
  STOP_ILLEGAL,
  STOP_MISALIGNED,
  type Stop,
} from "../../../src/machine/cpu/stop.ts";
import { FlatRig, READ, WRITE } from "../cpu/flat-rig.ts";
import {
  type Case,
  type Outcome,
  patternByte,
  SIGBUS,
  SIGILL,
  SIGSEGV,
  SIGTRAP,
  START,
  WINDOW,
  WINDOW_BYTES,
} from "./case.ts";

const PAGE = 4096;
const CODE_FROM = START - 0x20_0000;
const CODE_TO = START + 0x20_0000;
const ENOSYS = 38;
const SIGNALS: Readonly<Partial<Record<Stop, number>>> = {
  [STOP_EBREAK]: SIGTRAP,
  [STOP_ILLEGAL]: SIGILL,
  [STOP_FAULT]: SIGSEGV,
  [STOP_MISALIGNED]: SIGBUS,
};

export class HartRunner {
  private readonly rig = new FlatRig(8 << 20);

  constructor() {
    const { rig } = this;
    rig.mapRange(WINDOW, WINDOW_BYTES, READ | WRITE);
    // Code pages come when control gets there.
    rig.onMiss = (address) => {
      if (address < CODE_FROM || address >= CODE_TO || rig.table.has(address - (address % PAGE))) return;
      const frame = rig.map(address);
      for (let at = 0; at < PAGE; at += 2) rig.bytes.set([0x02, 0x90], frame + at);
    };
    this.put([]);
  }

  run(one: Case): Outcome {
    const { rig } = this;
    const { hart } = rig;
    this.put(one.code);
    for (let i = 0; i < 32; i++) {
      hart.setXBig(i, one.x[i]);
      hart.setFBig(i, one.f[i]);
    }
    hart.fcsr = one.fcsr;
    hart.pc = START;
    rig.write(
      WINDOW,
      Array.from({ length: WINDOW_BYTES }, (_, i) => patternByte(one.pattern, i)),
    );
    let stop = rig.run(100);
    // The system that isn't there knows no calls.
    while (stop === STOP_ECALL) {
      hart.setX(10, -ENOSYS);
      hart.pc += 4;
      stop = rig.run(100);
    }
    const signal = SIGNALS[stop];
    if (signal === undefined) throw new Error(`${one.name}: stopped with ${stop}`);
    return {
      pc: hart.pc - START,
      signal,
      x: Array.from({ length: 32 }, (_, i) => hart.getXBig(i)),
      f: Array.from({ length: 32 }, (_, i) => hart.getFBig(i)),
      fcsr: hart.fcsr,
      window: Uint8Array.from(rig.read(WINDOW, WINDOW_BYTES)),
    };
  }

  /** The code, with c.ebreak behind it. */
  private put(code: readonly number[]): void {
    const { rig } = this;
    rig.onMiss(START, 0);
    rig.write(
      START,
      Array.from({ length: 16 }, (_, i) => ((code[i >> 1] ?? 0x9002) >>> (8 * (i & 1))) & 255),
    );
    rig.hart.invalidateAll();
  }
}
