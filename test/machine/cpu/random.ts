/** A seeded generator (xorshift32), and 64-bit operands among which the awkward ones are common. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0 || 1;
  }

  /** 32 random bits, unsigned. */
  bits(): number {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return s >>> 0;
  }

  below(limit: number): number {
    return this.bits() % limit;
  }

  operand(): bigint {
    const any = (BigInt(this.bits()) << 32n) | BigInt(this.bits());
    switch (this.below(6)) {
      case 0:
        return AWKWARD[this.below(AWKWARD.length)];
      case 1:
        return BigInt.asUintN(64, BigInt.asIntN(32, any));
      case 2:
        return BigInt.asUintN(64, BigInt.asIntN(6, any));
      case 3:
        return any & 0xffff_ffffn;
      default:
        return any;
    }
  }
}

const AWKWARD: readonly bigint[] = [
  0n,
  1n,
  0xffff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000n,
  0x7fff_ffffn,
  0xffff_ffffn,
  0xffff_ffff_8000_0000n,
  0x1_0000_0000n,
];
