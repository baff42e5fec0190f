import {
  BR_TABLE,
  type Branch,
  type Code,
  ELSE,
  END,
  type Label,
  type Structure,
  unsigned,
  VALUE_TYPES,
  type ValueType,
} from "./wasm-encoder.ts";

/**
 * From code trees (wasm-encoder.ts) to the bytes of a module.
 *
 * A module is built when a machine boots, by JavaScript that no compiler has seen yet. So it is written in one pass over
 * the trees, into one array: where a length comes before what it measures, its place is kept and filled afterwards.
 */

export interface WasmFunction {
  /** The name under which it is exported. */
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** Types of the locals that follow the parameters. */
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

class ModuleWriter {
  private bytes = new Uint8Array(1 << 16);
  private length = 0;
  /** How many blocks are open, and at which depth each label's block was opened. */
  private depth = 0;
  private readonly depths = new Map<Label, number>();

  private byte(value: number): void {
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.length++] = value;
  }

  code(code: Code): void {
    for (let i = 0; i < code.length; i++) {
      const item = code[i];
      if (typeof item === "number") this.byte(item);
      else if ("structure" in item) this.structure(item);
      else if ("branch" in item) this.branch(item);
      else this.code(item);
    }
  }

  private structure(item: Structure): void {
    this.byte(item.structure);
    this.byte(item.type);
    this.depth++;
    if (item.label !== undefined) this.depths.set(item.label, this.depth);
    this.code(item.body);
    if (item.otherwise !== undefined) {
      this.byte(ELSE);
      this.code(item.otherwise);
    }
    if (item.label !== undefined) this.depths.delete(item.label);
    this.depth--;
    this.byte(END);
  }

  private branch(item: Branch): void {
    this.byte(item.branch);
    if (item.branch === BR_TABLE) this.code(unsigned(item.labels.length - 1));
    for (const target of item.labels) {
      const at = this.depths.get(target);
      if (at === undefined) throw new Error(`wasm module: branch to ${target.name}, which is not around it`);
      this.code(unsigned(this.depth - at));
    }
  }

  /** What `content` writes, with its length before it: LEB128 that always takes five bytes. */
  sized(content: () => void): void {
    const at = this.length;
    for (let i = 0; i < LENGTH_BYTES; i++) this.byte(0);
    content();
    const length = this.length - at - LENGTH_BYTES;
    for (let i = 0; i < LENGTH_BYTES; i++) {
      const isLast = i === LENGTH_BYTES - 1;
      this.bytes[at + i] = ((length >>> (7 * i)) & 0x7f) | (isLast ? 0 : 0x80);
    }
  }

  section(id: number, content: () => void): void {
    this.byte(id);
    this.sized(content);
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}

const LENGTH_BYTES = 5;

const text = (value: string): Code => [unsigned(value.length), ...[...value].map((c) => c.charCodeAt(0))];
const list = (items: readonly Code[]): Code => [unsigned(items.length), ...items];
const types = (names: readonly ValueType[]): Code => list(names.map((name) => [VALUE_TYPES[name]]));

/** The bytes of a module that imports the memory `env.memory` and exports each function under its name. */
export function encodeModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const writer = new ModuleWriter();
  writer.code([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  writer.section(1, () => writer.code(list(functions.map((f) => [0x60, types(f.params), types(f.results)]))));
  writer.section(2, () => writer.code([1, text("env"), text("memory"), 2, 0, 0]));
  writer.section(3, () => writer.code(list(functions.map((_, index) => unsigned(index)))));
  writer.section(7, () => writer.code(list(functions.map((f, index) => [text(f.name), 0, unsigned(index)]))));
  writer.section(10, () => {
    writer.code(unsigned(functions.length));
    for (const { locals, body } of functions) {
      writer.sized(() => writer.code([list(locals.map((type) => [1, VALUE_TYPES[type]])), body, END]));
    }
  });
  return writer.take();
}
