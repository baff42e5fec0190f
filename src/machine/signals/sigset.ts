/** sigset_t: a set of the signals 1 … 64, as two 32-bit words; signal n is bit n − 1. */
export class SigSet {
  low = 0;
  high = 0;

  static of(...signals: readonly number[]): SigSet {
    const set = new SigSet();
    for (const signal of signals) set.add(signal);
    return set;
  }

  /** Reads 8 bytes, little-endian. */
  static fromBytes(bytes: Uint8Array, at = 0): SigSet {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const set = new SigSet();
    set.low = view.getInt32(at, true);
    set.high = view.getInt32(at + 4, true);
    return set;
  }

  toBytes(): Uint8Array {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, this.low, true);
    view.setInt32(4, this.high, true);
    return bytes;
  }

  has(signal: number): boolean {
    return ((signal <= 32 ? this.low : this.high) & (1 << ((signal - 1) & 31))) !== 0;
  }

  add(signal: number): void {
    if (signal <= 32) this.low |= 1 << (signal - 1);
    else this.high |= 1 << (signal - 33);
  }

  delete(signal: number): void {
    if (signal <= 32) this.low &= ~(1 << (signal - 1));
    else this.high &= ~(1 << (signal - 33));
  }

  clone(): SigSet {
    return new SigSet().assign(this);
  }

  assign(other: SigSet): this {
    this.low = other.low;
    this.high = other.high;
    return this;
  }

  addAll(other: SigSet): this {
    this.low |= other.low;
    this.high |= other.high;
    return this;
  }

  deleteAll(other: SigSet): this {
    this.low &= ~other.low;
    this.high &= ~other.high;
    return this;
  }

  keepOnly(other: SigSet): this {
    this.low &= other.low;
    this.high &= other.high;
    return this;
  }

  get isEmpty(): boolean {
    return (this.low | this.high) === 0;
  }

  /** The lowest signal in it, or 0. */
  get first(): number {
    const word = this.low !== 0 ? this.low : this.high;
    if (word === 0) return 0;
    const bit = 31 - Math.clz32(word & -word);
    return (this.low !== 0 ? 1 : 33) + bit;
  }
}
