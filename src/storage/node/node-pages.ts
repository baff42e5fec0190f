/**
 * Pages to and from a host file: one vectored call for each run of pages, straight between file and frames.
 */
import fs from "node:fs";
import type { PhysicalMemory } from "../../mm/frames/physical-memory.ts";
import { PAGE_SIZE, type Pfn } from "../../mm/page.ts";
import { EBADF, EIO } from "../../mm/uapi/errno.ts";
import type { AddressSpaceOperations } from "../../mm/vfs/address-space.ts";
import { hostErrno } from "./host-error.ts";
import { nodeInode } from "./host-tree.ts";

/** Parts of one vectored call: below every host's IOV_MAX. */
const MAX_PARTS = 512;

/** The first `bytes` bytes of the frames as parts of RAM: neighbouring frames are one part. */
function partsOf(phys: PhysicalMemory, pfns: readonly Pfn[], bytes: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let i = 0; i * PAGE_SIZE < bytes; ) {
    const first = i++;
    while (i * PAGE_SIZE < bytes && pfns[i] === pfns[first] + (i - first)) i++;
    const start = pfns[first] * PAGE_SIZE;
    const length = Math.min(i * PAGE_SIZE, bytes) - first * PAGE_SIZE;
    parts.push(phys.ram.u8.subarray(start, start + length));
  }
  return parts;
}

/** What is left of the parts after their first `done` bytes. */
function advance(parts: Uint8Array[], done: number): Uint8Array[] {
  let skip = done;
  let i = 0;
  while (i < parts.length && skip >= parts[i].length) skip -= parts[i++].length;
  if (i === 0 && skip === 0) return parts;
  const rest = parts.slice(i);
  if (skip > 0) rest[0] = rest[0].subarray(skip);
  return rest;
}

/** Moves all parts with `move`, which may do less than it is asked. Bytes moved: fewer when it does nothing any more. */
function transfer(
  parts: Uint8Array[],
  position: number,
  move: (parts: Uint8Array[], position: number) => number,
): number {
  let done = 0;
  let rest = parts;
  while (rest.length > 0) {
    const moved = move(rest.slice(0, MAX_PARTS), position + done);
    if (moved === 0) break;
    done += moved;
    rest = advance(rest, moved);
  }
  return done;
}

export const nodePageOps: AddressSpaceOperations = {
  writesBack: true,

  readPages(mapping, index, pfns, count) {
    const { phys } = mapping;
    const inode = nodeInode(mapping.host);
    if (inode.fd < 0) return -EBADF;
    const start = index * PAGE_SIZE;
    const wanted = Math.min(count * PAGE_SIZE, Math.max(inode.size - start, 0));
    let done: number;
    try {
      done = transfer(partsOf(phys, pfns, wanted), start, (parts, at) => fs.readvSync(inode.fd, parts, at));
    } catch (error) {
      return hostErrno(error);
    }
    // The rest lies past the end of the file here, or past what the host has of it yet.
    for (const part of advance(partsOf(phys, pfns, count * PAGE_SIZE), done)) part.fill(0);
    return 0;
  },

  writePages(mapping, index, pfns, count) {
    const inode = nodeInode(mapping.host);
    if (inode.fd < 0 || !inode.fdWritable) return -EBADF;
    const start = index * PAGE_SIZE;
    const wanted = Math.min(count * PAGE_SIZE, inode.size - start);
    if (wanted <= 0) return 0;
    inode.hostTimesStale = true;
    try {
      const parts = partsOf(mapping.phys, pfns, wanted);
      const done = transfer(parts, start, (some, at) => fs.writevSync(inode.fd, some, at));
      return done === wanted ? 0 : -EIO;
    } catch (error) {
      return hostErrno(error);
    }
  },
};
