import { FLAG_NV, type FloatFormat, type FloatResult, unpack } from "./format.ts";

/**
 * Comparison, minimum, maximum and classification on raw bits. They round nothing; generated code does them
 * without help, and this is what it is tested against.
 */

/** A number's place in the order, as an integer: -0 and +0 share theirs. Not for NaNs. */
function rank(format: FloatFormat, bits: bigint): bigint {
  const magnitude = bits & (format.signBit - 1n);
  return (bits & format.signBit) !== 0n ? -magnitude : magnitude;
}

/** feq is a quiet comparison: only a signaling NaN is invalid. flt and fle are signaling: any NaN is. */
export function compare(
  format: FloatFormat,
  a: bigint,
  b: bigint,
  relation: "eq" | "lt" | "le",
): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  if (x.kind === "nan" || y.kind === "nan") {
    const isInvalid = relation !== "eq" || x.signaling || y.signaling;
    return { bits: 0n, flags: isInvalid ? FLAG_NV : 0 };
  }
  const p = rank(format, a);
  const q = rank(format, b);
  const holds = relation === "eq" ? p === q : relation === "lt" ? p < q : p <= q;
  return { bits: holds ? 1n : 0n, flags: 0 };
}

/**
 * fmin and fmax are IEEE 754-2019's minimumNumber and maximumNumber (since F and D 2.2): a NaN loses against
 * a number, also a signaling one, which raises NV all the same; -0 is below +0.
 */
export function minMax(format: FloatFormat, a: bigint, b: bigint, which: "min" | "max"): FloatResult {
  const x = unpack(format, a);
  const y = unpack(format, b);
  const flags = x.signaling || y.signaling ? FLAG_NV : 0;
  if (x.kind === "nan") return { bits: y.kind === "nan" ? format.canonicalNan : b, flags };
  if (y.kind === "nan") return { bits: a, flags };
  const p = rank(format, a);
  const q = rank(format, b);
  const aIsLess = p < q || (p === q && x.negative);
  return { bits: aIsLess === (which === "min") ? a : b, flags };
}

/** fclass: one of ten bits. (Unprivileged ISA, table "Format of result of FCLASS instruction") */
export function classify(format: FloatFormat, a: bigint): bigint {
  const x = unpack(format, a);
  switch (x.kind) {
    case "nan":
      return x.signaling ? 1n << 8n : 1n << 9n;
    case "infinity":
      return x.negative ? 1n << 0n : 1n << 7n;
    case "zero":
      return x.negative ? 1n << 3n : 1n << 4n;
    case "finite": {
      const isSubnormal = x.significand >> BigInt(format.fractionBits) === 0n;
      if (x.negative) return isSubnormal ? 1n << 2n : 1n << 1n;
      return isSubnormal ? 1n << 5n : 1n << 6n;
    }
  }
}
