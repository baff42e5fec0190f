/**
 * Memory for things smaller than a page, packed (mm/zsmalloc.c).
 *
 * Compressed pages are of any size up to a page, and there are as many as RAM has pages, or more: an allocation of the
 * host's for each would cost more than it saves. So sizes are rounded up to one of 255 classes, 16 bytes apart, and a
 * class takes memory by the zspage: one to eight pages, as many as leave the least over at their end. An object is freed
 * into its zspage, and a zspage without objects goes back to the host.
 */
import { BugError } from "../bug.ts";
import { PAGE_SIZE } from "../page.ts";

const CLASS_STEP = 16;
const MIN_SIZE = 32;
const MAX_CHAIN = 8;
/** More than the objects of any zspage: a handle is the number of the zspage times this, and that of the object in it. */
const HANDLE_STRIDE = 1024;

/**
 * The pages that hold objects of one class. The numbers of those that are free stand in `free`, the first `nrFree` of it.
 * As long as there are any, but not all are free, the zspage is at `place` of its class's list of those with room.
 */
interface Zspage {
  readonly id: number;
  readonly class: SizeClass;
  readonly bytes: Uint8Array;
  readonly free: Uint16Array;
  nrFree: number;
  place: number;
}

interface SizeClass {
  readonly size: number;
  /** Pages of a zspage. */
  readonly chain: number;
  readonly objects: number;
  readonly withRoom: Zspage[];
}

export class ZsPool {
  readonly #classes: readonly SizeClass[] = sizeClasses();
  readonly #zspages: (Zspage | undefined)[] = [];
  readonly #freeIds: number[] = [];
  #totalPages = 0;

  /** Pages that the pool has taken (zs_get_total_pages). */
  get totalPages(): number {
    return this.#totalPages;
  }

  /** Copies up to a page of bytes into the pool. Answers a handle, a whole number that is not negative (zs_malloc). */
  store(bytes: Uint8Array): number {
    const sizeClass = this.#classes[classIndex(bytes.length)];
    const zspage = sizeClass.withRoom.at(-1) ?? this.#newZspage(sizeClass);
    const index = zspage.free[--zspage.nrFree];
    if (zspage.nrFree === 0) this.#leaveList(zspage);
    zspage.bytes.set(bytes, index * sizeClass.size);
    return zspage.id * HANDLE_STRIDE + index;
  }

  /** The first `length` bytes of an object, valid until it is freed (zs_obj_read_begin). */
  bytes(handle: number, length: number): Uint8Array {
    const zspage = this.#zspageOf(handle);
    const from = (handle % HANDLE_STRIDE) * zspage.class.size;
    return zspage.bytes.subarray(from, from + length);
  }

  free(handle: number): void {
    const zspage = this.#zspageOf(handle);
    zspage.free[zspage.nrFree++] = handle % HANDLE_STRIDE;
    if (zspage.nrFree === 1) this.#enterList(zspage);
    if (zspage.nrFree === zspage.class.objects) this.#drop(zspage);
  }

  #zspageOf(handle: number): Zspage {
    const zspage = this.#zspages[Math.floor(handle / HANDLE_STRIDE)];
    if (zspage === undefined) throw new BugError("zsPool", `nothing is stored under handle ${handle}`);
    return zspage;
  }

  #newZspage(sizeClass: SizeClass): Zspage {
    const { chain, objects } = sizeClass;
    const zspage: Zspage = {
      id: this.#freeIds.pop() ?? this.#zspages.length,
      class: sizeClass,
      bytes: new Uint8Array(chain * PAGE_SIZE),
      free: Uint16Array.from({ length: objects }, (_, i) => objects - 1 - i),
      nrFree: objects,
      place: 0,
    };
    this.#zspages[zspage.id] = zspage;
    this.#totalPages += chain;
    this.#enterList(zspage);
    return zspage;
  }

  #drop(zspage: Zspage): void {
    this.#leaveList(zspage);
    this.#zspages[zspage.id] = undefined;
    this.#freeIds.push(zspage.id);
    this.#totalPages -= zspage.class.chain;
  }

  #enterList(zspage: Zspage): void {
    zspage.place = zspage.class.withRoom.push(zspage) - 1;
  }

  #leaveList({ place, class: { withRoom } }: Zspage): void {
    const last = withRoom.pop();
    if (last === undefined || last.place === place) return;
    withRoom[place] = last;
    last.place = place;
  }
}

function classIndex(size: number): number {
  if (size > PAGE_SIZE) throw new BugError("zsPool", `an object of ${size} bytes`);
  return Math.max(Math.ceil((size - MIN_SIZE) / CLASS_STEP), 0);
}

function sizeClasses(): SizeClass[] {
  const count = (PAGE_SIZE - MIN_SIZE) / CLASS_STEP + 1;
  return Array.from({ length: count }, (_, i) => {
    const size = MIN_SIZE + i * CLASS_STEP;
    const chain = chainSize(size);
    return { size, chain, objects: Math.floor((chain * PAGE_SIZE) / size), withRoom: [] };
  });
}

/** As many pages as leave the fewest bytes at their end (calculate_zspage_chain_size). */
function chainSize(size: number): number {
  let best = 1;
  for (let chain = 2; chain <= MAX_CHAIN; chain++) {
    if ((chain * PAGE_SIZE) % size < (best * PAGE_SIZE) % size) best = chain;
  }
  return best;
}
