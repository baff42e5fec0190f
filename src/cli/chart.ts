/**
 * A chart of layers over time in characters, one column a step: which layer reaches the middle of a cell decides its
 * character. Drawn without a library: it is one loop.
 */

/** Eighths of a cell, and nothing. */
const BARS = " ▁▂▃▄▅▆▇█";

/** Lines from top to bottom. @param columns for each column the heights of its layers, from the lowest up */
export function drawLayers(
  columns: readonly (readonly number[])[],
  glyphs: readonly string[],
  height: number,
  top: number,
): string[] {
  const lines: string[] = [];
  for (let row = height - 1; row >= 0; row--) {
    const level = ((row + 0.5) / height) * top;
    lines.push(columns.map((layers) => glyphs[layerAt(layers, level)] ?? " ").join(""));
  }
  return lines;
}

/** The layer that lies at this height, or as many as there are. */
function layerAt(layers: readonly number[], level: number): number {
  let reached = 0;
  const found = layers.findIndex((height) => {
    reached += height;
    return reached >= level;
  });
  return found < 0 ? layers.length : found;
}

/** One line of bars; what is more than 0 is seen. */
export function drawBars(values: readonly number[]): string {
  const top = Math.max(...values);
  return values.map((value) => BARS[top > 0 ? Math.ceil((value / top) * (BARS.length - 1)) : 0]).join("");
}
