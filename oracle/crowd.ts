/** How `crowd` makes as many mappings as a process may have (vm.max_map_count), with few calls. */

import { PAGE_SIZE } from "../src/mm/page.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
} from "../src/mm/uapi/mman.ts";

/** The arguments of mmap from prot on: one mapping, of which every second page will be made to differ. */
export const CROWD_MAPPING: readonly [prot: number, flags: number, fd: number, offset: number] = [
  PROT_READ | PROT_WRITE,
  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
  -1,
  0,
];

/** Most segments that one call takes (UIO_MAXIOV). */
const MAX_RANGES = 1024;
/** A process with more mappings than this is looked at less closely. */
export const MANY_MAPPINGS = 2000;

/** Every second page of the mapping, [address, length], so many at a time as one call takes. */
export function* crowdRanges(start: number, pages: number): Generator<[addr: number, len: number][]> {
  let ranges: [number, number][] = [];
  for (let page = 1; page < pages; page += 2) {
    ranges.push([start + page * PAGE_SIZE, PAGE_SIZE]);
    if (ranges.length < MAX_RANGES) continue;
    yield ranges;
    ranges = [];
  }
  if (ranges.length > 0) yield ranges;
}
