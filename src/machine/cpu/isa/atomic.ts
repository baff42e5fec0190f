import type { InstructionDefinition, Operands } from "../operands.ts";
import {
  type Binary,
  type Code,
  i32,
  i32WrapI64,
  i64,
  i64ExtendI32U,
  i64Load,
  i64Load32S,
  i64Store,
  i64Store32,
  ifElse,
  type Load,
  type Store,
  select,
} from "../wasm-encoder.ts";
import { AMO } from "./encoding.ts";

/**
 * RV64A: load-reserved, store-conditional and atomic read-modify-write (RISC-V unprivileged manual, chapter 13).
 *
 * Threads take turns on one hart, and every stop drops the reservation, so an instruction is atomic by itself and an
 * SC fails exactly where another thread may have run since the LR. The ordering bits aq and rl have nothing to order.
 */

interface Width {
  readonly suffix: string;
  readonly bytes: 4 | 8;
  readonly funct3: number;
  readonly load: Load;
  readonly store: Store;
}

const WIDTHS: readonly Width[] = [
  { suffix: ".w", bytes: 4, funct3: 2, load: i64Load32S, store: i64Store32 },
  { suffix: ".d", bytes: 8, funct3: 3, load: i64Load, store: i64Store },
];

function define(
  name: string,
  width: Width,
  funct5: number,
  emit: (g: Operands) => Code,
): InstructionDefinition {
  const match = (AMO | (width.funct3 << 12) | (funct5 << 27)) >>> 0;
  return { name: name + width.suffix, format: "R", mask: 0xf800707f, match, emit };
}

/** What an AMO stores, from what it finds in memory (sign-extended) and from rs2. */
function readModifyWrite(name: string, funct5: number, width: Width, modify: Binary): InstructionDefinition {
  return define(name, width, funct5, (g) => {
    const old = g.scratch("i64", 0);
    const operand = g.scratch("i64", 1);
    return g.atomic(width.bytes, true, (host) => [
      old.set(width.load(host)),
      operand.set(g.rs2()),
      width.store(host, modify(old.get, operand.get)),
      g.writeRd(old.get),
    ]);
  });
}

/** The AMO keeps what was there where `compare` (on 64 or 32 bits) holds, else takes rs2. */
const choose = (compare: Binary, compareLow: Binary, width: Width): Binary => {
  if (width.bytes === 8) return (old, operand) => select(old, operand, compare(old, operand));
  return (old, operand) => select(old, operand, compareLow(i32WrapI64(old), i32WrapI64(operand)));
};

const loadReserved = (width: Width): InstructionDefinition => ({
  ...define("lr", width, 0x02, (g) =>
    g.atomic(width.bytes, false, (host) => {
      const value = g.scratch("i64", 0);
      return [value.set(width.load(host)), g.reserve(), g.writeRd(value.get)];
    }),
  ),
  // LR has no rs2: what is not 0 there is reserved.
  mask: 0xf9f0707f,
});

/** SC checks the store's right even where it will fail, and drops the reservation either way. */
const storeConditional = (width: Width): InstructionDefinition =>
  define("sc", width, 0x03, (g) => {
    const failed = g.scratch("i32", 1);
    return g.atomic(width.bytes, true, (host) => [
      failed.set(i32.eqz(g.isReserved())),
      ifElse(failed.get, [], width.store(host, g.rs2())),
      g.dropReservation(),
      g.writeRd(i64ExtendI32U(failed.get)),
    ]);
  });

export const atomicInstructions: readonly InstructionDefinition[] = WIDTHS.flatMap((width) => [
  loadReserved(width),
  storeConditional(width),
  readModifyWrite("amoswap", 0x01, width, (_old, operand) => operand),
  readModifyWrite("amoadd", 0x00, width, i64.add),
  readModifyWrite("amoxor", 0x04, width, i64.xor),
  readModifyWrite("amoor", 0x08, width, i64.or),
  readModifyWrite("amoand", 0x0c, width, i64.and),
  readModifyWrite("amomin", 0x10, width, choose(i64.ltS, i32.ltS, width)),
  readModifyWrite("amomax", 0x14, width, choose(i64.gtS, i32.gtS, width)),
  readModifyWrite("amominu", 0x18, width, choose(i64.ltU, i32.ltU, width)),
  readModifyWrite("amomaxu", 0x1c, width, choose(i64.gtU, i32.gtU, width)),
]);
