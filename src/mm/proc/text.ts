/** Numbers and names as seq_file prints them. */
import { PAGE_SIZE } from "../page.ts";

/** Width of a figure in kB. */
const KB_WIDTH = 8;
/** A name may not end the field, line or word that it stands in: such characters are written in octal (mangle_path). */
const OCTAL = 8;

/** "Rss:" padded to its column, the figure right-aligned behind it, and the unit: a line of smaps or meminfo. */
export function kbLine(label: string, bytes: number): string {
  // Labels as long as the column push the figure to the right by as much as they are too long.
  const head = `${label}:`.padEnd(15);
  return `${head} ${kb(bytes)} kB\n`;
}

/** Whole kB of a count of bytes, right-aligned in eight columns. */
export function kb(bytes: number): string {
  return String(Math.floor(bytes / 1024)).padStart(KB_WIDTH);
}

/** kB of a count of pages, right-aligned in eight columns. */
export function pagesKb(pages: number): string {
  return kb(pages * PAGE_SIZE);
}

/** Lower-case hexadecimal of at least `width` digits. */
export function hex(value: number, width = 1): string {
  return value.toString(16).padStart(width, "0");
}

/** `name` with each of the characters `special` as a backslash and three octal digits. */
export function escapeChars(name: string, special: string): string {
  let text = "";
  for (const char of name) {
    text += special.includes(char) ? `\\${char.charCodeAt(0).toString(OCTAL).padStart(3, "0")}` : char;
  }
  return text;
}
