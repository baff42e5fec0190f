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

/** What colours begin with: ESC. */
const ESCAPE_BEGIN: string = String.fromCharCode(27);

/** Characters that are seen: all but those from each escape to the "m" that ends it. */
function visibleLength(text: string): number {
  let length = 0;
  let isHidden = false;
  for (const character of text) {
    if (character === ESCAPE_BEGIN) isHidden = true;
    else if (!isHidden) length += character.length;
    else if (character === "m") isHidden = false;
  }
  return length;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
