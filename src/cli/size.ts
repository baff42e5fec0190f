/** Sizes as people write them: 64M, 1G, 4GiB, 512K, 65536. All units are powers of 1024, as in memory. */

const UNITS: Readonly<Record<string, number>> = { "": 0, K: 1, M: 2, G: 3, T: 4 };
const PATTERN = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i;

/** The bytes that `text` says, or undefined when it is no size or no whole number of bytes. */
export function parseSize(text: string): number | undefined {
  const match = PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Number(match[1]) * 1024 ** UNITS[match[2].toUpperCase()];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** "64 MiB", "1.5 GiB", "512 B": at most one decimal. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  // 1023.96 KiB must not become "1024 KiB": rounding may reach the next unit, which reads worse than it misleads.
  const rounded = Math.round(value * 10) / 10;
  return `${formatCount(rounded)} ${unit}`;
}

/** 1234567 as "1,234,567", whatever the host's locale is. */
export function formatCount(count: number): string {
  const [whole, fraction] = String(count).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
