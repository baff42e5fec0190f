// The semantics as a numbered list, with what random operands of each instruction should look like.

import { BINARY32, BINARY64, type FloatFormat } from "../../../src/machine/cpu/fp/format.ts";
import { fpSemantics, type Semantics } from "../../../src/machine/cpu/fp/semantics.ts";

export interface Operation extends Semantics {
  readonly name: string;
  /** The format of the sources that are floats; where they are not, of the result. */
  readonly operandFormat: FloatFormat;
}

const crossFormat: Readonly<Record<string, FloatFormat>> = {
  "fcvt.s.d": BINARY64,
  "fcvt.d.s": BINARY32,
  "fmv.x.w": BINARY32,
};

function operandFormat(name: string): FloatFormat {
  const isSingle = name.split(".").includes("s");
  return crossFormat[name] ?? (isSingle ? BINARY32 : BINARY64);
}

export const operations: readonly Operation[] = [...fpSemantics].map(([name, semantics]) => ({
  ...semantics,
  name,
  operandFormat: operandFormat(name),
}));
