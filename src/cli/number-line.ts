/** Lines of the report: a number, what it counts, and an explanation behind a `#`, as `perf stat` has them. */
import type pc from "picocolors";
import { formatCount } from "./size.ts";

export type Colors = ReturnType<typeof pc.createColors>;

export const NUMBER_WIDTH = 14;
const LABEL_WIDTH = 26;

/** "        1,234  label        # comment", the label indented by `level`. */
export function numberLine(colors: Colors, count: number, label: string, comment = "", level = 0): string {
  const number = formatCount(count).padStart(NUMBER_WIDTH);
  const indented = `${"  ".repeat(level)}${label}`;
  const pad = " ".repeat(Math.max(0, LABEL_WIDTH - visibleLength(indented)));
  return `${number}  ${indented}${comment === "" ? "" : `${pad}  ${colors.dim(`# ${comment}`)}`}`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what colours begin with
const ESCAPES = /\u001b\[[0-9;]*m/g;

function visibleLength(text: string): number {
  return text.replace(ESCAPES, "").length;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
