/** A program of nothing but these instructions: they begin at 0x10100. */
export function assemble(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(0x1000);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 243, true);
  view.setBigUint64(24, 0x10100n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  for (const [at, value] of [
    [72, 0n],
    [80, 0x10000n],
    [96, 0x1000n],
    [104, 0x1000n],
    [112, 0x1000n],
  ] as const) {
    view.setBigUint64(at, value, true);
  }
  for (const [index, word] of words.entries()) view.setUint32(0x100 + index * 4, word, true);
  return bytes;
}
