/**
 * A WebAssembly encoder: code written as nested function calls.
 *
 * WebAssembly is a stack machine, so an expression's bytes are its operands' bytes followed by an opcode:
 * `i64.add(a, b)` is `[a, b, 0x7c]`. A `Code` is such a tree of bytes; nothing is copied until `encodeModule`
 * (wasm-module.ts) walks the tree once. Trees are immutable and may be used several times, which emits them several times.
 *
 * A branch in the binary format names its target by the number of blocks between, which depends on where the
 * code ends up. Here a branch names a `Label` and the final walk counts, so that a piece of code can leave through
 * a label of whoever embeds it.
 */

export type Code = readonly CodeItem[];
type CodeItem = number | Code | Structure | Branch;

/** The target of branches. One label belongs to at most one block or loop on any path of nesting. */
export interface Label {
  readonly name: string;
}

export interface Structure {
  readonly structure: typeof BLOCK | typeof LOOP | typeof IF;
  readonly label: Label | undefined;
  readonly type: number;
  readonly body: Code;
  readonly otherwise: Code | undefined;
}

export interface Branch {
  readonly branch: typeof BR | typeof BR_IF | typeof BR_TABLE;
  readonly labels: readonly Label[];
}

const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
export const ELSE = 0x05;
export const END = 0x0b;
const BR = 0x0c;
const BR_IF = 0x0d;
export const BR_TABLE = 0x0e;
const VOID = 0x40;

export type ValueType = "i32" | "i64" | "f32" | "f64";
export const VALUE_TYPES: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };

/** An unsigned LEB128 number. */
export function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** A signed LEB128 number. */
function signed(value: number | bigint): Code {
  const bytes: number[] = [];
  if (typeof value === "number" && value === (value | 0)) {
    let rest = value;
    while (rest < -0x40 || rest >= 0x40) {
      bytes.push((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    bytes.push(rest & 0x7f);
    return bytes;
  }
  let rest = BigInt.asIntN(64, BigInt(value));
  while (rest < -0x40n || rest >= 0x40n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest & 0x7fn));
  return bytes;
}

export type Unary = (a: Code) => Code;
export type Binary = (a: Code, b: Code) => Code;
/** `address` is an i32; `offset` is added to it without wrapping around. */
export type Load = (address: Code, offset?: number) => Code;
export type Store = (address: Code, value: Code, offset?: number) => Code;

const unary =
  (opcode: number): Unary =>
  (a) => [a, opcode];
const binary =
  (opcode: number): Binary =>
  (a, b) => [a, b, opcode];
// The alignment hint (first operand byte) is 0, one byte: guest data may lie anywhere, and engines ignore it.
const load =
  (opcode: number): Load =>
  (address, offset = 0) => [address, opcode, 0, unsigned(offset)];
const store =
  (opcode: number): Store =>
  (address, value, offset = 0) => [address, value, opcode, 0, unsigned(offset)];

export interface IntegerOps {
  readonly const: (value: number | bigint) => Code;
  readonly eqz: Unary;
  readonly eq: Binary;
  readonly ne: Binary;
  readonly ltS: Binary;
  readonly ltU: Binary;
  readonly gtS: Binary;
  readonly gtU: Binary;
  readonly leS: Binary;
  readonly leU: Binary;
  readonly geS: Binary;
  readonly geU: Binary;
  readonly clz: Unary;
  readonly ctz: Unary;
  readonly popcnt: Unary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly divS: Binary;
  readonly divU: Binary;
  readonly remS: Binary;
  readonly remU: Binary;
  readonly and: Binary;
  readonly or: Binary;
  readonly xor: Binary;
  readonly shl: Binary;
  readonly shrS: Binary;
  readonly shrU: Binary;
  readonly rotl: Binary;
  readonly rotr: Binary;
}

/** i32 and i64 have the same operations in the same order, each from its own first opcode. */
function integerOps(constant: number, compare: number, arithmetic: number): IntegerOps {
  return {
    const: (value) => [constant, signed(constant === 0x41 ? Number(value) | 0 : value)],
    eqz: unary(compare),
    eq: binary(compare + 1),
    ne: binary(compare + 2),
    ltS: binary(compare + 3),
    ltU: binary(compare + 4),
    gtS: binary(compare + 5),
    gtU: binary(compare + 6),
    leS: binary(compare + 7),
    leU: binary(compare + 8),
    geS: binary(compare + 9),
    geU: binary(compare + 10),
    clz: unary(arithmetic),
    ctz: unary(arithmetic + 1),
    popcnt: unary(arithmetic + 2),
    add: binary(arithmetic + 3),
    sub: binary(arithmetic + 4),
    mul: binary(arithmetic + 5),
    divS: binary(arithmetic + 6),
    divU: binary(arithmetic + 7),
    remS: binary(arithmetic + 8),
    remU: binary(arithmetic + 9),
    and: binary(arithmetic + 10),
    or: binary(arithmetic + 11),
    xor: binary(arithmetic + 12),
    shl: binary(arithmetic + 13),
    shrS: binary(arithmetic + 14),
    shrU: binary(arithmetic + 15),
    rotl: binary(arithmetic + 16),
    rotr: binary(arithmetic + 17),
  };
}

export const i32: IntegerOps = integerOps(0x41, 0x45, 0x67);
export const i64: IntegerOps = integerOps(0x42, 0x50, 0x79);

export interface FloatOps {
  readonly const: (value: number) => Code;
  readonly eq: Binary;
  readonly ne: Binary;
  readonly lt: Binary;
  readonly gt: Binary;
  readonly le: Binary;
  readonly ge: Binary;
  readonly abs: Unary;
  readonly neg: Unary;
  readonly ceil: Unary;
  readonly floor: Unary;
  readonly trunc: Unary;
  readonly nearest: Unary;
  readonly sqrt: Unary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly div: Binary;
  readonly min: Binary;
  readonly max: Binary;
  readonly copysign: Binary;
}

function floatOps(constant: number, compare: number, arithmetic: number): FloatOps {
  return {
    const: (value) => {
      const bytes = new Uint8Array(constant === 0x43 ? 4 : 8);
      const view = new DataView(bytes.buffer);
      if (constant === 0x43) view.setFloat32(0, value, true);
      else view.setFloat64(0, value, true);
      return [constant, ...bytes];
    },
    eq: binary(compare),
    ne: binary(compare + 1),
    lt: binary(compare + 2),
    gt: binary(compare + 3),
    le: binary(compare + 4),
    ge: binary(compare + 5),
    abs: unary(arithmetic),
    neg: unary(arithmetic + 1),
    ceil: unary(arithmetic + 2),
    floor: unary(arithmetic + 3),
    trunc: unary(arithmetic + 4),
    nearest: unary(arithmetic + 5),
    sqrt: unary(arithmetic + 6),
    add: binary(arithmetic + 7),
    sub: binary(arithmetic + 8),
    mul: binary(arithmetic + 9),
    div: binary(arithmetic + 10),
    min: binary(arithmetic + 11),
    max: binary(arithmetic + 12),
    copysign: binary(arithmetic + 13),
  };
}

export const f32: FloatOps = floatOps(0x43, 0x5b, 0x8b);
export const f64: FloatOps = floatOps(0x44, 0x61, 0x99);

export const i32Load: Load = load(0x28);
export const i64Load: Load = load(0x29);
export const f64Load: Load = load(0x2b);
export const i32Load16U: Load = load(0x2f);
export const i64Load8S: Load = load(0x30);
export const i64Load8U: Load = load(0x31);
export const i64Load16S: Load = load(0x32);
export const i64Load16U: Load = load(0x33);
export const i64Load32S: Load = load(0x34);
export const i64Load32U: Load = load(0x35);
export const i32Store: Store = store(0x36);
export const i64Store: Store = store(0x37);
export const f64Store: Store = store(0x39);
export const i64Store8: Store = store(0x3c);
export const i64Store16: Store = store(0x3d);
export const i64Store32: Store = store(0x3e);

export const i32WrapI64: Unary = unary(0xa7);
export const i64ExtendI32S: Unary = unary(0xac);
export const i64ExtendI32U: Unary = unary(0xad);
export const f32ConvertI32S: Unary = unary(0xb2);
export const f32ConvertI32U: Unary = unary(0xb3);
export const f32ConvertI64S: Unary = unary(0xb4);
export const f32ConvertI64U: Unary = unary(0xb5);
export const f32DemoteF64: Unary = unary(0xb6);
export const f64ConvertI32S: Unary = unary(0xb7);
export const f64ConvertI32U: Unary = unary(0xb8);
export const f64ConvertI64S: Unary = unary(0xb9);
export const f64ConvertI64U: Unary = unary(0xba);
export const f64PromoteF32: Unary = unary(0xbb);
export const i32ReinterpretF32: Unary = unary(0xbc);
export const i64ReinterpretF64: Unary = unary(0xbd);
export const f32ReinterpretI32: Unary = unary(0xbe);
export const f64ReinterpretI64: Unary = unary(0xbf);
/** Saturating truncation: 0..7 are i32 from f32 s/u, f64 s/u, then i64 the same. */
export const truncSat = (which: number, a: Code): Code => [a, 0xfc, which];

export const RETURN: Code = [0x0f];
/** `a` where `condition` (i32) is not 0, else `b`; both are evaluated. */
export const select = (a: Code, b: Code, condition: Code): Code => [a, b, condition, 0x1b];

export const label = (name: string): Label => ({ name });
const typeByte = (type: ValueType | undefined): number => (type === undefined ? VOID : VALUE_TYPES[type]);

export const block = (target: Label, body: Code, type?: ValueType): Code => [
  { structure: BLOCK, label: target, type: typeByte(type), body, otherwise: undefined },
];
/** A branch to a loop's label goes to its start. */
export const loop = (target: Label, body: Code, type?: ValueType): Code => [
  { structure: LOOP, label: target, type: typeByte(type), body, otherwise: undefined },
];
export const ifElse = (condition: Code, body: Code, otherwise?: Code, type?: ValueType): Code => [
  condition,
  { structure: IF, label: undefined, type: typeByte(type), body, otherwise },
];
export const br = (target: Label): Code => [{ branch: BR, labels: [target] }];
export const brIf = (target: Label, condition: Code): Code => [
  condition,
  { branch: BR_IF, labels: [target] },
];
/** To the label numbered `index`, or the last one where there are not so many. */
export const brTable = (index: Code, targets: readonly Label[]): Code => [
  index,
  { branch: BR_TABLE, labels: targets },
];

/** A local variable of the function that is being written. */
export interface Local {
  readonly get: Code;
  readonly set: (value: Code) => Code;
  readonly tee: (value: Code) => Code;
}

export function local(index: number): Local {
  const number = unsigned(index);
  return {
    get: [0x20, number],
    set: (value) => [value, 0x21, number],
    tee: (value) => [value, 0x22, number],
  };
}
