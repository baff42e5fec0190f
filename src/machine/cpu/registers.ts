import { F_REGISTERS, FFLAGS, FRM, PC, X_REGISTERS } from "./layout.ts";

/**
 * The registers of a hart, from JavaScript: in RAM, as pairs of 32-bit words.
 *
 * A register has 64 bits and a number is exact to 2^53, so `getX` suits what a program means as a small number or an
 * address, and the halves suit everything. BigInt is for tests and debuggers.
 */

/**
 * Size of a task's state as `saveState` writes it, which is Linux's `struct sigcontext` for riscv64 with the D extension:
 *
 * ```
 *   0    pc, then x1 … x31, u64 each      (struct user_regs_struct)
 *   256  f0 … f31, u64 each               (struct __riscv_d_ext_state)
 *   512  fcsr, u32
 *   516  zeros
 * ```
 */
export const TASK_STATE_BYTES = 528;
const STATE_FCSR = 512;

const TWO_32 = 0x1_0000_0000;

export class Registers {
  protected readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly x: number;
  private readonly pcAt: number;
  private readonly fflagsAt: number;
  private readonly frmAt: number;

  constructor(memory: WebAssembly.Memory, base: number) {
    this.words = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer, base, F_REGISTERS + 256);
    this.x = (base + X_REGISTERS) >>> 2;
    this.pcAt = (base + PC) >>> 2;
    this.fflagsAt = (base + FFLAGS) >>> 2;
    this.frmAt = (base + FRM) >>> 2;
  }

  /** The address of the next instruction. Inexact above 2^53, where no user address is. */
  get pc(): number {
    return (this.words[this.pcAt + 1] >>> 0) * TWO_32 + (this.words[this.pcAt] >>> 0);
  }
  set pc(value: number) {
    this.words[this.pcAt] = value | 0;
    this.words[this.pcAt + 1] = Math.floor(value / TWO_32) | 0;
  }

  /** Register xi as a signed number; exact from −2^53 to 2^53. */
  getX(i: number): number {
    return this.words[this.x + 2 * i + 1] * TWO_32 + (this.words[this.x + 2 * i] >>> 0);
  }
  /** Register xi as an unsigned number; exact up to 2^53. */
  getXU(i: number): number {
    return (this.words[this.x + 2 * i + 1] >>> 0) * TWO_32 + (this.words[this.x + 2 * i] >>> 0);
  }
  /** The low and high 32 bits of xi, signed. */
  getXLo(i: number): number {
    return this.words[this.x + 2 * i];
  }
  getXHi(i: number): number {
    return this.words[this.x + 2 * i + 1];
  }
  /** xi = an integer of at most 2^53, negative ones sign-extended. Writing x0 does nothing. */
  setX(i: number, value: number): void {
    this.setXLoHi(i, value | 0, Math.floor(value / TWO_32) | 0);
  }
  setXLoHi(i: number, low: number, high: number): void {
    if (i === 0) return;
    this.words[this.x + 2 * i] = low;
    this.words[this.x + 2 * i + 1] = high;
  }
  /** xi as an unsigned BigInt. */
  getXBig(i: number): bigint {
    return (BigInt(this.getXHi(i) >>> 0) << 32n) | BigInt(this.getXLo(i) >>> 0);
  }
  setXBig(i: number, value: bigint): void {
    this.setXLoHi(i, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  }
  /** All bits of fi. */
  getFBig(i: number): bigint {
    return this.getXBig(32 + i);
  }
  setFBig(i: number, value: bigint): void {
    this.setXBig(32 + i, value);
  }

  /** Rounding mode in bits 7:5, accrued exceptions in bits 4:0. */
  get fcsr(): number {
    return (this.words[this.frmAt] << 5) | this.words[this.fflagsAt];
  }
  set fcsr(value: number) {
    this.words[this.frmAt] = (value >>> 5) & 7;
    this.words[this.fflagsAt] = value & 31;
  }

  /** Write the task's state into the first TASK_STATE_BYTES bytes of `into`. */
  saveState(into: Uint8Array): void {
    into.set(this.bytes);
    const view = new DataView(into.buffer, into.byteOffset);
    view.setInt32(0, this.words[this.pcAt], true);
    view.setInt32(4, this.words[this.pcAt + 1], true);
    view.setUint32(STATE_FCSR, this.fcsr, true);
    into.fill(0, STATE_FCSR + 4, TASK_STATE_BYTES);
  }

  /** Take the state that `saveState` wrote; any bytes will do. */
  loadState(from: Uint8Array): void {
    const view = new DataView(from.buffer, from.byteOffset);
    this.bytes.set(from.subarray(0, STATE_FCSR));
    this.words[this.pcAt] = view.getInt32(0, true);
    this.words[this.pcAt + 1] = view.getInt32(4, true);
    // x0, where the state has the pc.
    this.words[this.x] = 0;
    this.words[this.x + 1] = 0;
    this.fcsr = view.getUint32(STATE_FCSR, true);
  }
}
