/**
 * Steps whose outcome the kernel's own code doesn't settle, and which are therefore left out: what comes of them depends
 * on the processor, on readahead, or on how large the folios of the file's page cache happen to be.
 */
import { SEEK_DATA, SEEK_HOLE } from "../src/mm/uapi/fcntl.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { hasCertainResidency, type Mapping } from "./maps.ts";
import type { Operation } from "./operation.ts";

const PAGE_SIZE = 4096;
/** Any file system's files may be so long. */
const MAX_DISK_OFFSET: number = 2 ** 40;

/** What is known of a process and its files when the step is to be made. */
export interface Surroundings {
  readonly mappings: readonly Mapping[];
  mappingsOf(slot: number): readonly Mapping[];
  /** The name that mappings of the descriptor's file have; undefined where none is open. */
  fileName(fd: number): string | undefined;
  /** Bytes in a test file, by the name that its mappings have; undefined for other files. */
  fileSize(name: string): number | undefined;
}

export function isUncertain(operation: Operation, surroundings: Surroundings): boolean {
  switch (operation.call) {
    case "mmap":
      return isMappedWithoutPool(operation.args);
    case "lseek":
      return seeksDisk(operation, surroundings);
    case "pagemap_scan":
      return scansReadahead(operation, surroundings);
    case "mincore":
      return storesReadahead(operation, surroundings);
    case "madvise":
      return removesBeyondDisk(operation.args, surroundings.mappings);
    case "process_madvise":
      return removesBeyondDisk(operation.args.slice(1), surroundings.mappingsOf(operation.args[0]));
    case "process_vm_readv":
    case "process_vm_writev":
      return transfersOntoItself(operation, surroundings);
    case "msync":
      return syncsNeighbours(operation, surroundings);
    case "read":
    case "write":
    case "pread64":
    case "pwrite64":
    case "preadv2":
    case "pwritev2":
      return copiesOntoItself(operation, surroundings);
    case "sendfile":
      return (
        isOneFile(operation.args[0], operation.args[1], surroundings) ||
        showsDiskPages(operation.args[1], operation.args[0], surroundings)
      );
    case "splice":
      return showsDiskPages(operation.args[0], operation.args[2], surroundings);
    default:
      return false;
  }
}

/** A hole at an offset that files of the host's file system can't have (docs/deviations.md). */
function removesBeyondDisk(
  [addr, length, advice, ...more]: readonly number[],
  mappings: readonly Mapping[],
): boolean {
  if (advice !== mman.MADV_REMOVE) return false;
  const isBeyond = ({ name, offset }: Mapping): boolean =>
    name.startsWith("/file") && offset > MAX_DISK_OFFSET;
  if (overlapping(mappings, addr, length).some(isBeyond)) return true;
  return more.length > 1 && removesBeyondDisk([more[0], more[1], advice, ...more.slice(2)], mappings);
}

/** Huge pages that nobody promises can be mapped where there are none; Faultline has no such mappings (docs/deviations.md). */
function isMappedWithoutPool([, , , flags]: readonly number[]): boolean {
  return (flags & mman.MAP_HUGETLB) !== 0 && (flags & mman.MAP_NORESERVE) !== 0;
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

function scansReadahead({ args }: Operation, { mappings }: Surroundings): boolean {
  return overlapping(mappings, args[0], args[1] - args[0]).some((mapping) => !hasCertainResidency(mapping));
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

/** The same for a transfer between processes: both ranges are one, or mappings of the same memory. */
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
