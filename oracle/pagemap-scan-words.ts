/** A step `pagemap_scan` as struct pm_scan_arg, and what of the answer can be compared. */
import { ARGUMENT_ADDRESS } from "./executor-image.ts";

/** Bytes of struct pm_scan_arg; the regions that it asks for follow it at once. */
const ARG_BYTES = 96;
const REGION_BYTES = 24;

/** Twelve words. Their address is ARGUMENT_ADDRESS. */
export function pagemapScanWords(args: readonly number[]): number[] {
  const [start, end, room, maxPages, inverted, mask, anyOf, returned, flags] = args;
  const vector = room === 0 ? 0 : ARGUMENT_ADDRESS + ARG_BYTES;
  return [ARG_BYTES, flags, start, end, 0, vector, room, maxPages, inverted, mask, anyOf, returned];
}

/** How many bytes from ARGUMENT_ADDRESS on the call has answered with. */
export function pagemapScanAnswer([, , room]: readonly number[], result: number): number {
  return ARG_BYTES + Math.min(room, Math.max(result, 0)) * REGION_BYTES;
}
