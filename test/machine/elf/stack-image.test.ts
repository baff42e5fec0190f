import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AT_EXECFN, AT_NULL, AT_PAGESZ, AT_RANDOM } from "../../../src/machine/abi/auxv.ts";
import { StructView } from "../../../src/machine/abi/bytes.ts";
import { buildStackImage, type StackImage } from "../../../src/machine/elf/stack-image.ts";

const TOP = 2 ** 47;
const RANDOM = new Uint8Array(16).map((_, i) => i + 1);

/** Reads an image as a program would: from sp up. */
class Reader {
  readonly image: StackImage;
  readonly #view: StructView;
  #at: number;

  constructor(image: StackImage) {
    this.image = image;
    this.#view = new StructView(image.bytes);
    this.#at = image.sp;
  }

  word(): number {
    this.#at += 8;
    return this.#view.u64(this.#at - 8 - this.image.sp);
  }

  text(addr: number): string {
    const from = addr - this.image.sp;
    return Buffer.from(this.image.bytes.subarray(from, this.image.bytes.indexOf(0, from))).toString();
  }

  strings(): string[] {
    const found: string[] = [];
    for (let at = this.word(); at !== 0; at = this.word()) found.push(this.text(at));
    return found;
  }

  auxv(): Map<number, number> {
    const found = new Map<number, number>();
    for (let type = this.word(); ; type = this.word()) {
      const value = this.word();
      if (type === AT_NULL) return found;
      found.set(type, value);
    }
  }
}

describe("buildStackImage", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((one) => !one.includes("\0"));

  it("holds what was put in, where a program looks for it", () => {
    fc.assert(
      fc.property(text, fc.array(text), fc.array(text), (path, argv, env) => {
        const auxv = [[AT_PAGESZ, 4096] as const, [AT_RANDOM, 0] as const, [AT_EXECFN, 0] as const];
        const image = buildStackImage({ top: TOP, path, argv, env, random: RANDOM, auxv });
        expect(image.sp % 16).toBe(0);
        expect(image.sp + image.bytes.length).toBe(TOP);
        const reader = new Reader(image);
        expect(reader.word()).toBe(argv.length);
        expect(reader.strings()).toEqual(argv);
        expect(reader.strings()).toEqual(env);
        const found = reader.auxv();
        expect(found.get(AT_PAGESZ)).toBe(4096);
        expect(reader.text(found.get(AT_EXECFN) ?? 0)).toBe(path);
        const random = (found.get(AT_RANDOM) ?? 0) - image.sp;
        expect(image.bytes.slice(random, random + 16)).toEqual(RANDOM);
        // The strings follow each other, and eight zero bytes end the stack.
        expect(found.get(AT_EXECFN)).toBe(image.envEnd);
        expect(image.argEnd).toBe(image.envStart);
        expect(image.bytes.subarray(-8).every((byte) => byte === 0)).toBe(true);
      }),
    );
  });
});
