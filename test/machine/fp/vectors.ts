// Reads vectors.txt, which make-vectors.ts wrote.

import { readFileSync } from "node:fs";
import { type Operation, operations } from "./reference.ts";

export interface Vector {
  /** The line of the file, for messages. */
  readonly line: string;
  readonly operation: Operation;
  readonly rm: number;
  readonly sources: readonly bigint[];
  readonly bits: bigint;
  readonly flags: number;
}

export function readVectors(): Vector[] {
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  const text = readFileSync(new URL("vectors.txt", import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const [name, rm, ...words] = line.split(" ");
    const operation = byName.get(name);
    if (operation === undefined) throw new Error(`unknown instruction in vectors.txt: ${name}`);
    const values = words.map((word) => BigInt(`0x${word}`));
    const nrSources = operation.sources.length;
    if (values.length !== nrSources + 2) throw new Error(`not a vector: ${line}`);
    const sources = values.slice(0, nrSources);
    return {
      line,
      operation,
      rm: Number(rm),
      sources,
      bits: values[nrSources],
      flags: Number(values[nrSources + 1]),
    };
  });
}
