/**
 * heap DIRECTORY: bytes of JavaScript heap that faults, mappings and a booted kernel take. Prints JSON.
 *
 * To be run with --expose-gc and young generations so large (--min-semi-space-size) that nothing is collected while
 * faults are counted: then what the heap grew by is what they allocated.
 */
import { PageFrames } from "../../src/mm/frames/page-frames.ts";
import {
  Kernel,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CREAT,
  O_RDWR,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../src/mm/index.ts";
import { nodeFs } from "../../src/storage/node/index.ts";

const PAGES = 4096;
/** Together a million faults of each kind, the first of which are for the compiler. */
const WARMUP = 45;
const ROUNDS = 200;
const VMAS = 60000;

function collect(): void {
  if (gc === undefined) throw new Error("run with --expose-gc");
  gc();
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

collect();
const empty = heapUsed();
const kernel = new Kernel({ ram: 2 ** 28 });
collect();
const bootedHeap = heapUsed() - empty;
kernel.mount("/disk", nodeFs(process.argv[2]));
const subject = kernel.spawn();
const fd = subject.open("/disk/heap", O_RDWR | O_CREAT, 0o600);
subject.ftruncate(fd, PAGES * PAGE_SIZE);

type Touch = (at: number) => void;

// Loops of their own, not one with a callback: an address that goes through an unknown function is a number on the
// heap, 16 bytes that no fault has taken.
function loadAll(at: number): void {
  for (let i = 0; i < PAGES; i++) subject.loadU8(at + i * PAGE_SIZE);
}

function storeAll(at: number): void {
  for (let i = 0; i < PAGES; i++) subject.storeU8(at + i * PAGE_SIZE, 1);
}

function nothing(): void {}

/** Bytes that a fault of `touch` allocates, after `before`, in a mapping whose pages are dropped between rounds. */
function bytesPerFault(flags: number, file: number, before: Touch, touch: Touch): number {
  const length = PAGES * PAGE_SIZE;
  const at = subject.mmap(0, length, PROT_READ | PROT_WRITE, flags, file);
  let bytes = 0;
  let faults = 0;
  for (let round = 0; round < WARMUP + ROUNDS; round++) {
    subject.madvise(at, length, MADV_DONTNEED);
    before(at);
    if (round === WARMUP) collect();
    const faultsBefore = subject.minFlt;
    const heapBefore = heapUsed();
    touch(at);
    if (round < WARMUP) continue;
    bytes += heapUsed() - heapBefore;
    faults += subject.minFlt - faultsBefore;
  }
  subject.munmap(at, length);
  return bytes / faults;
}

const anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
const perFault = {
  anonWriteFault: bytesPerFault(anonymous, -1, nothing, storeAll),
  zeroReadFault: bytesPerFault(anonymous, -1, nothing, loadAll),
  zeroUpgradeFault: bytesPerFault(anonymous, -1, loadAll, storeAll),
  cowFault: bytesPerFault(MAP_PRIVATE, fd, loadAll, storeAll),
  cachedFileFault: bytesPerFault(MAP_SHARED, fd, nothing, loadAll),
  sharedFileWriteFault: bytesPerFault(MAP_SHARED, fd, nothing, storeAll),
};

collect();
const beforeMappings = heapUsed();
const at = subject.mmap(0, VMAS * PAGE_SIZE, PROT_NONE, anonymous | MAP_NORESERVE);
for (let i = 0; i < VMAS; i += 2) subject.mprotect(at + i * PAGE_SIZE, PAGE_SIZE, PROT_READ);
collect();
const perMapping = (heapUsed() - beforeMappings) / VMAS;

console.log(
  JSON.stringify({ bookkeepingPerFrame: PageFrames.BYTES_PER_FRAME, bootedHeap, perMapping, perFault }),
);
