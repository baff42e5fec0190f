/**
 * Names and paths as strings. To Linux a name is bytes, any but NUL and '/'; here it is a string, decoded where a call
 * takes it and encoded where one gives it back.
 *
 * ```
 *   bytes      63  61  66  c3 a9        61  ff            ed  b2  80
 *   string     c   a   f   é            a   U+DCFF        U+DCED U+DCB2 U+DC80
 *              valid UTF-8: text        a byte that is no part of valid UTF-8: a lone surrogate, U+DC00 + the byte
 * ```
 *
 * (Python calls this "surrogateescape".) Invariant of each name that the kernel keeps: decodeName(encodeName(name)) is the
 * name, so that two strings are equal exactly if their bytes are. Decoding makes no other strings; what a user of the
 * library hands in is asked with isName. A part between two slashes, or in front of an ASCII suffix, is a name as well;
 * one that is cut anywhere else need not be, and is cut as bytes.
 */

// A byte-order mark is part of a name like any other character.
const STRICT = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const ENCODER = new TextEncoder();
const ESCAPE = 0xdc00;
const FIRST_ESCAPE = 0xdc80;
const LAST_ESCAPE = 0xdcff;
const REPLACEMENT = "\ufffd";
/** Arguments of one call, of which a JavaScript engine may take no more. */
const MAX_ARGUMENTS = 4096;

/** The name that these bytes are: UTF-8, with each byte that is no part of it as a lone surrogate, U+DC00 + the byte. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    return decodeEscaped(bytes);
  }
}

function decodeEscaped(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length);
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length < 2) {
      units[count++] = bytes[at] + (length === 0 ? ESCAPE : 0);
      at++;
      continue;
    }
    let code = bytes[at++] & (0x7f >> length);
    for (let i = 1; i < length; i++) code = (code << 6) | (bytes[at++] & 0x3f);
    if (code > 0xffff) units[count++] = 0xd7c0 + (code >> 10);
    units[count++] = code > 0xffff ? 0xdc00 | (code & 0x3ff) : code;
  }
  let name = "";
  for (let at = 0; at < count; at += MAX_ARGUMENTS)
    name += String.fromCharCode(...units.subarray(at, Math.min(at + MAX_ARGUMENTS, count)));
  return name;
}

/** Bytes of the character that starts at `at`; 0 where none does (Unicode, table 3-7: well-formed byte sequences). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > bytes.length) return 0;
  // Neither longer than need be, nor a surrogate, nor beyond U+10FFFF.
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (bytes[at + 1] < lowest || bytes[at + 1] > highest) return 0;
  for (let i = 2; i < length; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0;
  return length;
}

/** The bytes of a name. In a string that is none, what stands for no byte becomes U+FFFD, as in all UTF-8. */
export function encodeName(name: string): Uint8Array {
  if (name.isWellFormed()) return ENCODER.encode(name);
  const bytes = new Uint8Array(name.length * 3);
  let length = 0;
  for (let i = 0; i < name.length; i++) {
    const code = name.codePointAt(i) ?? 0;
    if (code < 0x80) {
      bytes[length++] = code;
    } else if (code >= FIRST_ESCAPE && code <= LAST_ESCAPE) {
      bytes[length++] = code - ESCAPE;
    } else {
      const char = code >= 0xd800 && code < 0xe000 ? REPLACEMENT : String.fromCodePoint(code);
      length += ENCODER.encodeInto(char, bytes.subarray(length)).written;
      if (code > 0xffff) i++;
    }
  }
  return bytes.subarray(0, length);
}

/** Whether the string is the name of some bytes: not so with other lone surrogates, or with escaped bytes that are UTF-8. */
export function isName(text: string): boolean {
  return text.isWellFormed() || decodeName(encodeName(text)) === text;
}

/** Bytes of a name, counted only where it may matter. */
export function byteLength(name: string): number {
  let bytes = name.length;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      bytes++;
    } else if (unit < 0xd800 || unit >= 0xe000) {
      bytes += 2;
    } else if (unit < ESCAPE) {
      // A pair is two units and four bytes. A second half alone is one byte.
      bytes += 2;
      i++;
    }
  }
  return bytes;
}

/** As much of a name as `max` bytes hold. */
export function truncateName(name: string, max: number): string {
  return name.length * 3 <= max ? name : decodeName(encodeName(name).subarray(0, max));
}
