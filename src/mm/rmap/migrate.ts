/**
 * Moving pages to other frames while they are in use (migrate_pages, mm/migrate.c).
 *
 * Who wants a page to lie elsewhere takes it off the LRU lists first, so that nobody else works on it, and hands a list of
 * such pages over. A page moves when all who hold it are known: the PTEs that map it, found by the reverse map, and the page
 * cache or swap cache. Each of them gets the new frame instead, which has the old one's bytes and all that was known of it,
 * and the old one is free. A page that somebody else holds, a pipe say, stays where it is.
 *
 * Invariant: a page on a list is on no LRU list, and has one reference for being on it.
 */
import { BugError } from "../bug.ts";
import { lruAdd, lruDel } from "../frames/lru.ts";
import { PG_ANON, PG_ICACHE, PG_LRU, PG_SWAPCACHE, PG_WRITEBACK } from "../frames/page-flags.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import type { Pfn, Vaddr } from "../page.ts";
import { PTE_DIRTY } from "../pagetable/pte.ts";
import { replaceInSwapCache } from "../swap/swap-cache.ts";
import { waitOnSwapWriteback } from "../swap/swap-writeback.ts";
import { PGMIGRATE_FAIL, PGMIGRATE_SUCCESS } from "../trace/vmstat.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { setPageDirty } from "./page-dirty.ts";
import { type PteVisitor, rmapWalk } from "./rmap-walk.ts";

/** Pages that are to move. */
export class MigrationList {
  readonly #phys: PhysicalMemory;
  #pages: Pfn[] = [];

  constructor(phys: PhysicalMemory) {
    this.#phys = phys;
  }

  /** Takes a page off its LRU list. False: it is on none, be it that it is on this list already (folio_isolate_lru). */
  isolate(pfn: Pfn): boolean {
    if ((this.#phys.frames.flags[pfn] & PG_LRU) === 0) return false;
    lruDel(this.#phys, pfn);
    this.#phys.getPage(pfn);
    this.#pages.push(pfn);
    return true;
  }

  /** Moves the pages. Answers how many could not: they are back on their lists. */
  migrate(): number {
    const phys = this.#phys;
    let failed = 0;
    for (const pfn of this.#take()) {
      if (migratePage(phys, pfn)) phys.stat[PGMIGRATE_SUCCESS]++;
      else {
        phys.stat[PGMIGRATE_FAIL]++;
        failed++;
        putBack(phys, pfn);
      }
    }
    return failed;
  }

  /** The pages stay where they are (putback_movable_pages). */
  putBack(): void {
    for (const pfn of this.#take()) putBack(this.#phys, pfn);
  }

  #take(): Pfn[] {
    const pages = this.#pages;
    this.#pages = [];
    return pages;
  }
}

function putBack(phys: PhysicalMemory, pfn: Pfn): void {
  lruAdd(phys, pfn);
  phys.putPage(pfn);
}

/** Moves one page, whose list's reference it drops. False: somebody else holds it, or there is no frame. */
function migratePage(phys: PhysicalMemory, pfn: Pfn): boolean {
  const { frames } = phys;
  if ((frames.flags[pfn] & (PG_WRITEBACK | PG_SWAPCACHE)) === (PG_WRITEBACK | PG_SWAPCACHE))
    waitOnSwapWriteback(phys, pfn);
  // Who pays for it goes on to, so that its cgroup is not asked for another page.
  const group = phys.chargeGroup;
  phys.chargeGroup = 0;
  const to = phys.allocPage();
  phys.chargeGroup = group;
  if (to === 0) return false;
  if (frames.refCount[pfn] === 1) {
    // While memory was found for it, whoever had the page has ended.
    phys.putPage(to);
    phys.putPage(pfn);
    return true;
  }
  const mapping = cacheOf(phys, pfn);
  const caches = (mapping === null ? 0 : 1) + ((frames.flags[pfn] & PG_SWAPCACHE) === 0 ? 0 : 1);
  const holders = frames.mapCount[pfn] + caches;
  if (frames.refCount[pfn] !== holders + 1) {
    // Linux finds out with no PTE left, and has them all name the page again: it has learned from them that it is dirty.
    remap(phys, pfn, pfn);
    phys.putPage(to);
    return false;
  }
  phys.copyPage(to, pfn);
  const mapped = remap(phys, pfn, to);
  frames.flags[to] = frames.flags[pfn] & ~PG_ICACHE;
  for (const column of [frames.mapping, frames.index, frames.priv, frames.memcg]) column[to] = column[pfn];
  // Of a locked page the number of its locks (mlock.ts).
  frames.lruPrev[to] = frames.lruPrev[pfn];
  frames.mapCount[to] = mapped;
  frames.refCount[to] = holders;
  if (mapping !== null) mapping.pages.store(frames.index[pfn], to);
  if ((frames.flags[pfn] & PG_SWAPCACHE) !== 0) replaceInSwapCache(phys, pfn, to);
  // Nothing is left of it but the reference that is dropped now.
  frames.flags[pfn] &= PG_ICACHE;
  frames.mapping[pfn] = 0;
  frames.priv[pfn] = 0;
  frames.memcg[pfn] = 0;
  frames.mapCount[pfn] = 0;
  frames.refCount[pfn] = 1;
  phys.putPage(pfn);
  lruAdd(phys, to);
  return true;
}

/** The page cache that the page is in, null for an anonymous page, or one that truncation took out. */
function cacheOf(phys: PhysicalMemory, pfn: Pfn): AddressSpace | null {
  if ((phys.frames.flags[pfn] & PG_ANON) !== 0) return null;
  const owner = phys.owners.get(phys.frames.mapping[pfn]);
  return owner instanceof AddressSpace ? owner : null;
}

/** Has PTEs name another frame. What they know of the page, the page learns, too: that it is dirty. */
class Remapper implements PteVisitor {
  to: Pfn = 0;
  count = 0;

  visit(vma: VmArea, addr: Vaddr, pte: number): boolean {
    const { phys, tlb } = vma.mm;
    const { u32 } = phys.ram;
    if ((u32[pte] & PTE_DIRTY) !== 0) setPageDirty(phys, u32[pte + 1]);
    u32[pte + 1] = this.to;
    tlb.flushPage(addr);
    this.count++;
    return true;
  }
}

const remapper: Remapper = new Remapper();

function remap(phys: PhysicalMemory, from: Pfn, to: Pfn): number {
  remapper.to = to;
  remapper.count = 0;
  rmapWalk(phys, from, remapper);
  if (remapper.count !== phys.frames.mapCount[from])
    throw new BugError(
      "migratePage",
      `frame ${from} is mapped ${phys.frames.mapCount[from]} times, and found ${remapper.count} times`,
    );
  return remapper.count;
}
