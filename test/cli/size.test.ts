import { expect, test } from "vitest";
import { formatCount, formatSize, parseSize } from "../../src/cli/size.ts";

test.each([
  ["64M", 64 * 2 ** 20],
  ["1G", 2 ** 30],
  ["4GiB", 4 * 2 ** 30],
  ["4gb", 4 * 2 ** 30],
  ["512K", 512 * 1024],
  ["512 KiB", 512 * 1024],
  ["1.5M", 1.5 * 2 ** 20],
  ["65536", 65536],
  ["65536B", 65536],
  ["0", 0],
])("%s is %d bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(["", "M", "12Q", "-1M", "1e3", "0x10", "1.5", "64 M x", "99999999999T", "NaN"])(
  "%s is no size",
  (text) => {
    expect(parseSize(text)).toBeUndefined();
  },
);

test("sizes and counts are written for people", () => {
  expect([0, 1023, 1024, 1536, 64 * 2 ** 20, 2 ** 32].map(formatSize)).toEqual([
    "0 B",
    "1,023 B",
    "1 KiB",
    "1.5 KiB",
    "64 MiB",
    "4 GiB",
  ]);
  expect([0, 999, 1000, 1234567, 1234.5].map(formatCount)).toEqual([
    "0",
    "999",
    "1,000",
    "1,234,567",
    "1,234.5",
  ]);
});
