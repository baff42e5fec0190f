/**
 * Steps whose outcome the kernel's own code doesn't settle, and which are therefore left out: what comes of them depends
 * on the processor, on readahead, on how large the folios of the file's page cache happen to be, or on what the processor
 * has gathered to do with the lists of pages.
 */
import { PROCMAP_QUERY_COVERING_OR_NEXT_VMA } from "../src/mm/proc/procmap-query.ts";
import { SEEK_DATA, SEEK_HOLE } from "../src/mm/uapi/fcntl.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { hasCertainResidency, type Mapping } from "./maps.ts";
import type { Operation } from "./operation.ts";
import { SLOTS } from "./subject.ts";

const PAGE_SIZE = 4096;
/** What every disk's alignment divides, or is: transfers of whole sectors from whole sectors suit all. */
const SECTOR = 512;
/** No range that is transferred is longer. */
const LONG_RANGE: number = 2 ** 21;
/** Any file system's files may be so long. */
const MAX_DISK_OFFSET: number = 2 ** 40;

/** Stacks begin at the top of user space, behind strings of a quarter of their limit. */
const PLACE_OF_STACKS: number = 2 ** 47 - 2 ** 22;

/** What is known of a process and its files when the step is to be made. */
export interface Surroundings {
  readonly mappings: readonly Mapping[];
  mappingsOf(slot: number): readonly Mapping[];
  /** The name that mappings of the descriptor's file have; undefined where none is open. */
  fileName(fd: number): string | undefined;
  /** Bytes in a test file, by the name that its mappings have; undefined for other files. */
  fileSize(name: string): number | undefined;
  /** Whether parts of a test file on disk are not stored. */
  hasHoles(name: string): boolean;
  /** The position of a descriptor that reads and writes a test file on disk past the page cache; undefined for others. */
  directPosition(fd: number): number | undefined;
  /** Whether memory may have been locked since the start. */
  readonly hasLocks: boolean;
  /** Whether the process's memory has had mappings of files on disk. */
  readonly wasOnDisk: boolean;
}

export function isUncertain(operation: Operation, surroundings: Surroundings): boolean {
  switch (operation.call) {
    case "lseek":
      return seeksDisk(operation, surroundings);
    case "procmap_query":
      return asksForPath(operation, surroundings);
    case "pagemap_scan":
      return scansReadahead(operation, surroundings);
    case "mincore":
      return storesReadahead(operation, surroundings);
    case "madvise":
      return leavesOpen(operation.args, surroundings.mappings);
    case "process_madvise":
      return leavesOpen(operation.args.slice(1), surroundings.mappingsOf(operation.args[0]));
    case "pidfd_madvise":
      return leavesOpen(operation.args.slice(1, 4), surroundings.mappings);
    case "process_vm_readv":
      return (
        transfersOntoItself(operation, surroundings) ||
        usesOften(operation) ||
        holdsLockedPages(operation, surroundings)
      );
    case "process_vm_writev":
      return transfersOntoItself(operation, surroundings) || usesOften(operation);
    case "mbind":
      return isAboutReadahead(operation.args, surroundings.mappings);
    case "move_pages":
      return asksReadahead(operation.args, surroundings);
    case "msync":
      return syncsNeighbours(operation, surroundings);
    case "peek":
      return transfersDirectly(operation, surroundings);
    case "read":
    case "pread64":
    case "preadv2":
      return transfersDirectly(operation, surroundings) || copiesOntoItself(operation, surroundings);
    case "write":
    case "pwrite64":
    case "pwritev2":
      return (
        transfersDirectly(operation, surroundings, /* isWrite */ true) ||
        copiesOntoItself(operation, surroundings)
      );
    case "copy_file_range":
      return passesDirectly(
        [operation.args[0], operation.args[1], operation.args[2], operation.args[4]],
        surroundings,
      );
    case "sendfile":
      return (
        passesDirectly(
          [operation.args[1], operation.args[2], operation.args[0], operation.args[3]],
          surroundings,
        ) ||
        isOneFile(operation.args[0], operation.args[1], surroundings) ||
        showsDiskPages(operation.args[1], operation.args[0], surroundings)
      );
    case "vmsplice":
      return handsOverDiskPages(operation, surroundings);
    case "splice":
      return (
        passesDirectly(
          [operation.args[0], operation.args[1], operation.args[2], operation.args[4]],
          surroundings,
        ) || showsDiskPages(operation.args[0], operation.args[2], surroundings)
      );
    default:
      return false;
  }
}

/**
 * A hole at an offset that files of the host's file system can't have; and guards in a mapping of a real file: where folios
 * are large, a direct write to one page of a folio takes away the guards over all of it (docs/deviations.md).
 */
function leavesOpen(
  [addr, length, advice, ...more]: readonly number[],
  mappings: readonly Mapping[],
): boolean {
  if (advice !== mman.MADV_REMOVE && advice !== mman.MADV_GUARD_INSTALL) return false;
  const isOpen = ({ name, offset }: Mapping): boolean =>
    name.startsWith("/file") && (advice === mman.MADV_GUARD_INSTALL || offset > MAX_DISK_OFFSET);
  if (overlapping(mappings, addr, length).some(isOpen)) return true;
  return more.length > 1 && leavesOpen([more[0], more[1], advice, ...more.slice(2)], mappings);
}

/**
 * Holes of real files, which Faultline does not know, and positions in a real directory, which are the disk's own
 * (docs/deviations.md).
 */
function seeksDisk({ args }: Operation, { fileName }: Surroundings): boolean {
  const [fd, , whence] = args;
  const name = fileName(fd);
  return (
    name === "" || ((whence === SEEK_DATA || whence === SEEK_HOLE) && name?.startsWith("/file") === true)
  );
}

/**
 * The path of a test file, which is as long as the subject's directory has it; or the name of what lies where an executor's stack
 * was, which the kernel calls by it.
 */
function asksForPath({ args }: Operation, { mappings }: Surroundings): boolean {
  const [addr, flags, , nameSize = 0] = args;
  if (nameSize === 0) return false;
  const last = (flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA) === 0 ? addr : Number.POSITIVE_INFINITY;
  const asked = mappings.filter(({ start, end }) => end > addr && start <= last);
  return asked.some(({ name, end }) => /^\/(file|shm|noexec)\d/.test(name) || end > PLACE_OF_STACKS);
}

/**
 * What readahead did; and where nothing is, whether there is a page table (it counts as written then): a fault that fails in a mapping of a
 * real file leaves one or not, as the page cache around it happens to be.
 */
function scansReadahead({ args }: Operation, { mappings, wasOnDisk }: Surroundings): boolean {
  if (wasOnDisk) return true;
  return overlapping(mappings, args[0], args[1] - args[0]).some((mapping) => !hasCertainResidency(mapping));
}

/**
 * Pages that lie in the wrong place, of a mapping of which readahead says what pages there are, or of a real file, whose pages move as
 * large folios, or don't: where no node is named that there is.
 */
function isAboutReadahead(
  [addr, length, , mask, flags]: readonly number[],
  mappings: readonly Mapping[],
): boolean {
  if (flags === 0 || mask % 2 === 1) return false;
  return overlapping(mappings, addr, length).some(
    (mapping) => !hasCertainResidency(mapping) || mapping.name.startsWith("/file"),
  );
}

/** Which pages are there is what readahead left. */
function asksReadahead([other, addr, length]: readonly number[], { mappingsOf }: Surroundings): boolean {
  return overlapping(mappingsOf(other), addr, length).some((mapping) => !hasCertainResidency(mapping));
}

/** What readahead did would get into the process's memory. */
function storesReadahead({ args }: Operation, { mappings }: Surroundings): boolean {
  const [addr, length, vector] = args;
  return vector !== 0 && overlapping(mappings, addr, length).some((mapping) => !hasCertainResidency(mapping));
}

/**
 * Write-back zeroes what mappings have put behind the end of the file in its last page. Where folios are large it does
 * so even if only a neighbour of that page is to be written.
 */
function syncsNeighbours({ args }: Operation, { mappings, fileSize }: Surroundings): boolean {
  const [addr, length, flags] = args;
  if ((flags & mman.MS_SYNC) === 0) return false;
  return overlapping(mappings, addr, length).some((mapping) => {
    const size = fileSize(mapping.name) ?? 0;
    if (size % PAGE_SIZE === 0) return false;
    const from = mapping.offset + Math.max(addr - mapping.start, 0);
    const to = mapping.offset + Math.min(addr + length, mapping.end) - mapping.start;
    return pageOf(size) < pageOf(from) || pageOf(size) > pageOf(to - 1);
  });
}

/**
 * A buffer that is a mapping of the very part of the file that is transferred: bytes are copied over themselves at
 * another offset, and what comes out depends on how many the processor moves at a time.
 */
function copiesOntoItself({ call, args }: Operation, { mappings, fileName }: Surroundings): boolean {
  const [fd, addr, length, offset, , ...more] = args;
  const name = fileName(fd);
  if (name === undefined) return false;
  for (let at = 0; at < more.length; at += 2) {
    if (overlapping(mappings, more[at], more[at + 1]).some((mapping) => mapping.name === name)) return true;
  }
  // Where the others go (position, O_APPEND) isn't known here: any mapping of the same file is too many for them.
  const isPlaced = call === "pread64";
  return overlapping(mappings, addr, length).some((mapping) => {
    if (mapping.name !== name) return false;
    if (!isPlaced) return true;
    const first = pageOf(mapping.offset + Math.max(addr - mapping.start, 0));
    const last = pageOf(mapping.offset + Math.min(addr + length, mapping.end) - 1 - mapping.start);
    return first <= pageOf(offset + length) && last >= pageOf(offset);
  });
}

/**
 * Past the page cache it is the disk that says at multiples of what a buffer must begin, and that only for what is stored:
 * holes may be read at any place, into any memory, which is not made dirty by it as by the disk, and stay holes where a write
 * fails. What makes a file longer goes on through the page cache behind a bad page, as far as that can read it. Faultline has
 * one rule for all disks and places, and no holes (docs/deviations.md).
 */
function transfersDirectly({ call, args }: Operation, surroundings: Surroundings, isWrite = false): boolean {
  const { directPosition, fileName, fileSize, hasHoles } = surroundings;
  const position = directPosition(args[0]);
  if (position === undefined) return false;
  // What is written from is held, too (see holdsLockedPages).
  if (isWrite && surroundings.hasLocks) return true;
  const [, addr, length, offset = -1, , ...more] = call === "peek" ? [0, 0, args[1], args[2]] : args;
  const place = offset < 0 ? position : offset;
  if ([addr, length, place, ...more].some((arg) => arg % SECTOR !== 0)) return true;
  const name = fileName(args[0]) ?? "";
  if (hasHoles(name)) return true;
  const ranges = [addr, length, ...more];
  const total = ranges.reduce((sum, word, at) => (at % 2 === 0 ? sum : sum + word), 0);
  const size = fileSize(name) ?? 0;
  if (place + total > size) return true;
  if (pageOf(place + total - 1) < pageOf(size) && isEndMapped(name, size, surroundings)) return true;
  return isWrite && endsInBlock(place, ranges);
}

/**
 * Memory that is held while another process reads it, and that a fork may have shared and somebody locked. The reader gets the
 * page, or a copy that is not dirty, where Linux has yet to take note of pages locked and unlocked: it gathers up to 31 of
 * them, and holds them until then (docs/deviations.md).
 */
function holdsLockedPages({ args }: Operation, { mappingsOf, hasLocks }: Surroundings): boolean {
  const [other, ...words] = args;
  if (!hasLocks) return false;
  const others = mappingsOf(other);
  return words.some(
    (addr, at) =>
      at % 4 === 2 && overlapping(others, addr, words[at + 1]).some(({ perms }) => perms[3] === "p"),
  );
}

/**
 * A page of the other's that was used, and which one call uses three times: the second use makes it active, but on the host it waits
 * for that until the list of such pages is full or drained, and the fourth use finds it still waiting (docs/deviations.md).
 */
function usesOften({ args: [, ...words] }: Operation): boolean {
  const uses = new Map<number, number>();
  for (let at = 0; at + 3 < words.length; at += 4) {
    const [addr, length] = [words[at + 2], words[at + 3]];
    if (length === 0) continue;
    // Only what lies in a few pages can be so for several ranges.
    for (let page = pageOf(addr); page <= pageOf(addr + Math.min(length, LONG_RANGE) - 1); page++)
      uses.set(page, (uses.get(page) ?? 0) + 1);
  }
  return [...uses.values()].some((count) => count > 2);
}

/**
 * Whether a mapping may have put something behind the end of the file. A direct transfer writes back what is dirty where it
 * goes, and with that, where folios are large, zeroes what is there (see syncsNeighbours).
 */
function isEndMapped(name: string, size: number, { mappingsOf }: Surroundings): boolean {
  if (size % PAGE_SIZE === 0) return false;
  return Array.from({ length: SLOTS }, (_, slot) => mappingsOf(slot)).some((mappings) =>
    mappings.some(
      (mapping) =>
        mapping.name === name &&
        mapping.perms[3] === "s" &&
        mapping.offset <= size &&
        mapping.offset + (mapping.end - mapping.start) > size,
    ),
  );
}

/** Whether a bad page of memory would end the write within a block: in a hole Linux zeroes then what it has written there. */
function endsInBlock(place: number, ranges: readonly number[]): boolean {
  let from = place;
  for (let at = 0; at < ranges.length; at += 2) {
    if ((from - ranges[at]) % PAGE_SIZE !== 0) return true;
    from += ranges[at + 1];
  }
  return false;
}

/** The same between files, where the pieces of a pipe may lie anywhere in memory. */
function passesDirectly(
  [source, offset, target, length]: readonly number[],
  { directPosition }: Surroundings,
): boolean {
  if (directPosition(target) !== undefined) return true;
  const position = directPosition(source);
  return position !== undefined && [offset < 0 ? position : offset, length].some((arg) => arg % SECTOR !== 0);
}

/** The same for bytes that go from one place of a file to another by way of a pipe that shows its pages. */
function isOneFile(one: number, other: number, { fileName }: Surroundings): boolean {
  const name = fileName(one);
  return name !== undefined && name !== "" && name === fileName(other);
}

/**
 * Pages of a real file in a pipe: where folios are large, one that the file loses is not given up but zeroed, for the pipe
 * holds its neighbours.
 */
function showsDiskPages(source: number, target: number, { fileName }: Surroundings): boolean {
  return fileName(source)?.startsWith("/file") === true && fileName(target)?.startsWith("/file") !== true;
}

/** The same for pages that a program puts there itself, out of a mapping of the file. */
function handsOverDiskPages({ args }: Operation, { mappings }: Surroundings): boolean {
  const [, addr, length, , ...more] = args;
  const ranges = [addr, length, ...more];
  for (let at = 0; at < ranges.length; at += 2) {
    if (overlapping(mappings, ranges[at], ranges[at + 1]).some(({ name }) => name.startsWith("/file")))
      return true;
  }
  return false;
}

/** Bytes that are copied over themselves in a transfer between processes: both ranges are one, or mappings of the same memory. */
function transfersOntoItself({ process, args }: Operation, { mappings, mappingsOf }: Surroundings): boolean {
  const [other, ...words] = args;
  const others = mappingsOf(other);
  const isOneMemory = process === other || mappings === others;
  // With several parts on each side, any of the one may meet any of the other.
  const parts = Array.from({ length: words.length / 4 }, (_, at) => words.slice(4 * at, 4 * at + 4));
  return parts.some(([addr, length]) => {
    const names = new Set(overlapping(mappings, addr, length).map(({ name }) => name));
    return parts.some(([, , otherAddr, otherLength]) => {
      const meet =
        pageOf(addr) <= pageOf(otherAddr + otherLength) && pageOf(otherAddr) <= pageOf(addr + length);
      if (isOneMemory && meet) return true;
      return overlapping(others, otherAddr, otherLength).some(
        ({ name }) => name !== "" && name !== "[heap]" && names.has(name),
      );
    });
  });
}

function overlapping(mappings: readonly Mapping[], addr: number, length: number): Mapping[] {
  return mappings.filter(({ start, end }) => start < addr + length && end > addr);
}

function pageOf(offset: number): number {
  return Math.floor(offset / PAGE_SIZE);
}
