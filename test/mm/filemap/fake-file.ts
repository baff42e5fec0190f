/**
 * A file system of one file whose storage is a byte array: it counts the transfers and fails where it is told to. And
 * what stands in for the rooms above the page cache: an iterator over bytes, and a mapping that is touched by hand.
 */

import { genericFileRead } from "../../../src/mm/filemap/filemap.ts";
import { genericFileVmOps } from "../../../src/mm/filemap/filemap-fault.ts";
import { genericFileWrite } from "../../../src/mm/filemap/generic-write.ts";
import { DEFAULT_RA_PAGES } from "../../../src/mm/filemap/readahead.ts";
import { writeSomePages } from "../../../src/mm/filemap/writeback.ts";
import { PG_SWAPBACKED } from "../../../src/mm/frames/page-flags.ts";
import { PhysicalMemory } from "../../../src/mm/frames/physical-memory.ts";
import {
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_FRAME,
  TLB_READ_TAG,
  TLB_WRITE_TAG,
} from "../../../src/mm/frames/tlb-layout.ts";
import { PAGE_SIZE, type Pfn } from "../../../src/mm/page.ts";
import { PageTable } from "../../../src/mm/pagetable/page-table.ts";
import { PTE_ACCESSED, PTE_DIRTY, PTE_PRESENT, PTE_READ, PTE_WRITE } from "../../../src/mm/pagetable/pte.ts";
import { TlbPool } from "../../../src/mm/pagetable/tlb.ts";
import { Vmscan } from "../../../src/mm/reclaim/vmscan.ts";
import { mmCounter, pageAddAnonRmap, pageAddFileRmap } from "../../../src/mm/rmap/page-mapping.ts";
import { EIO } from "../../../src/mm/uapi/errno.ts";
import { S_IFREG } from "../../../src/mm/uapi/fcntl.ts";
import { AddressSpace, type AddressSpaceOperations } from "../../../src/mm/vfs/address-space.ts";
import { Dentry, dAdd } from "../../../src/mm/vfs/dentry.ts";
import { File, FMODE_READ, FMODE_WRITE } from "../../../src/mm/vfs/file.ts";
import { Inode } from "../../../src/mm/vfs/inode.ts";
import type { IovIter } from "../../../src/mm/vfs/iov-iter.ts";
import { anonVmaPrepare } from "../../../src/mm/vma/anon-vma.ts";
import { X86_64 } from "../../../src/mm/vma/arch.ts";
import { incMmCounter, MmStruct } from "../../../src/mm/vma/mm-struct.ts";
import type { VmArea } from "../../../src/mm/vma/vm-area.ts";
import { VM_MAYREAD, VM_MAYWRITE, VM_READ, VM_SHARED, VM_WRITE } from "../../../src/mm/vma/vm-flags.ts";
import {
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  type VmFault,
  type VmOperations,
} from "../../../src/mm/vma/vm-operations.ts";
import { allocVma, vmaLink } from "../../../src/mm/vma/vma-lifetime.ts";

export class FakeFile implements AddressSpaceOperations {
  readonly phys: PhysicalMemory;
  readonly inode: Inode;
  readonly mapping: AddressSpace;
  readonly writesBack: boolean;
  /** What storage holds. */
  bytes: Uint8Array;
  /** [first page, pages] of each transfer so far. */
  reads: [number, number][] = [];
  writes: [number, number][] = [];
  readonly badReads: Set<number> = new Set();
  readonly badWrites: Set<number> = new Set();
  clock = 1000;
  readonly #dentry: Dentry;

  constructor(phys: PhysicalMemory, bytes: Uint8Array, writesBack = true) {
    this.phys = phys;
    this.bytes = bytes;
    this.writesBack = writesBack;
    const sb = { fsName: "fake", dev: 1, magic: 0, sync: () => 0, now: () => this.clock };
    const directory = new Inode(
      {
        ...sb,
        get root(): Inode {
          return directory;
        },
      },
      1,
      0,
      {},
      {},
    );
    const fops = { takesRwf: true, read: genericFileRead, write: genericFileWrite };
    this.inode = new Inode(directory.sb, 2, S_IFREG | 0o644, {}, fops);
    this.inode.size = bytes.length;
    this.mapping = new AddressSpace(phys, this.inode, this);
    this.inode.mapping = this.mapping;
    this.#dentry = dAdd(new Dentry("", null, directory), "file", this.inode);
  }

  open(flags = 0): File {
    return new File(this.#dentry, this.inode, FMODE_READ | FMODE_WRITE, flags, DEFAULT_RA_PAGES);
  }

  readPages(_: AddressSpace, index: number, pfns: readonly Pfn[], count: number): number {
    this.reads.push([index, count]);
    for (let i = 0; i < count; i++) if (this.badReads.has(index + i)) return -EIO;
    for (let i = 0; i < count; i++) {
      const from = pfns[i] * PAGE_SIZE;
      const page = this.bytes.subarray((index + i) * PAGE_SIZE, (index + i + 1) * PAGE_SIZE);
      this.phys.ram.u8.fill(0, from, from + PAGE_SIZE).set(page, from);
    }
    return 0;
  }

  writePages(_: AddressSpace, index: number, pfns: readonly Pfn[], count: number): number {
    this.writes.push([index, count]);
    for (let i = 0; i < count; i++) if (this.badWrites.has(index + i)) return -EIO;
    const end = Math.min((index + count) * PAGE_SIZE, this.inode.size);
    if (end > this.bytes.length) this.setStorageSize(end);
    for (let i = 0; i < count; i++) {
      const at = (index + i) * PAGE_SIZE;
      const from = pfns[i] * PAGE_SIZE;
      this.bytes.set(this.phys.ram.u8.subarray(from, from + Math.min(PAGE_SIZE, end - at)), at);
    }
    return 0;
  }

  setStorageSize(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
  }
}

/** RAM of so many pages, with reclaim, and poison in freed frames. */
export function smallMemory(pages: number): PhysicalMemory {
  const phys = new PhysicalMemory({ ramBytes: pages * PAGE_SIZE, poison: true });
  // No file system knows of such files, so that the flusher has no list of them.
  const wakeFlusher = (): void => {
    for (const owner of phys.owners.values())
      if (owner instanceof AddressSpace) writeSomePages(owner, Number.POSITIVE_INFINITY);
  };
  phys.reclaimer = new Vmscan(phys, { wakeFlusher });
  return phys;
}

/** Bytes that tell page and offset: never 0. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((i * 7 + Math.floor(i / PAGE_SIZE) * 13 + seed) % 255) + 1);
}

/** A destination or source whose bytes from `badFrom` on are not there. */
export class ByteIter implements IovIter {
  readonly bytes: Uint8Array;
  at = 0;
  readonly #u8: Uint8Array;
  readonly #badFrom: number;
  /** Called before bytes are taken, as a fault of the source would be. */
  onCopy: (() => void) | undefined;

  constructor(phys: PhysicalMemory, bytes: Uint8Array, badFrom: number = bytes.length) {
    this.#u8 = phys.ram.u8;
    this.bytes = bytes;
    this.#badFrom = badFrom;
  }

  get count(): number {
    return this.bytes.length - this.at;
  }

  pin(length: number): number {
    return Math.max(0, Math.min(length, this.#badFrom - this.at));
  }

  copyToIter(ram: number, n: number): number {
    return this.copyBytesToIter(this.#u8.subarray(ram, ram + n));
  }

  copyFromIter(ram: number, n: number): number {
    this.onCopy?.();
    return this.copyBytesFromIter(this.#u8.subarray(ram, ram + n));
  }

  zeroIter(n: number): number {
    return this.copyBytesToIter(new Uint8Array(n));
  }

  copyBytesToIter(bytes: Uint8Array): number {
    const n = Math.max(0, Math.min(bytes.length, this.#badFrom - this.at));
    this.bytes.set(bytes.subarray(0, n), this.at);
    this.at += n;
    return n;
  }

  copyBytesFromIter(bytes: Uint8Array): number {
    const n = Math.max(0, Math.min(bytes.length, this.#badFrom - this.at));
    bytes.set(this.bytes.subarray(this.at, this.at + n));
    this.at += n;
    return n;
  }

  revert(n: number): void {
    this.at -= n;
  }
}

/** One pool for each memory: the slots lie in it. */
const pools: WeakMap<PhysicalMemory, TlbPool> = new WeakMap();

function poolOf(phys: PhysicalMemory): TlbPool {
  const pool = pools.get(phys) ?? new TlbPool(phys.ram);
  pools.set(phys, pool);
  return pool;
}

/** A mapping of `pages` pages of the file in an address space of its own. */
export class FakeMapping {
  readonly mm: MmStruct;
  readonly vma: VmArea;
  readonly #phys: PhysicalMemory;
  readonly #isShared: boolean;

  constructor(
    file: File,
    pages: number,
    options: { shared?: boolean; flags?: number; pgoff?: number; ops?: VmOperations } = {},
  ) {
    const { phys } = file.mapping;
    const table = PageTable.create(phys);
    if (table === undefined) throw new Error("no memory for a page table");
    this.#phys = phys;
    this.#isShared = options.shared ?? true;
    this.mm = new MmStruct(phys, X86_64, table);
    poolOf(phys).activate(this.mm.tlb);
    const access = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | (this.#isShared ? VM_SHARED : 0);
    const start = 0x7000_0000_0000;
    const vma = allocVma(this.mm, {
      start,
      end: start + pages * PAGE_SIZE,
      flags: access | (options.flags ?? 0),
      pgoff: options.pgoff ?? 0,
      file,
      ops: options.ops ?? genericFileVmOps,
    });
    if (vma === null) throw new Error("no memory for a mapping");
    vmaLink(this.mm, vma);
    this.vma = vma;
  }

  addr(page: number): number {
    return this.vma.start + page * PAGE_SIZE;
  }

  /** Word 0 of the page's PTE. */
  pte(page: number): number {
    const pte = this.mm.pageTable.walk(this.addr(page));
    return pte === 0 ? 0 : this.#phys.ram.u32[pte];
  }

  /**
   * Touches a page as a load or store would, and enters it into the TLB; answers the frame, or the negative VM_FAULT_…
   * error bits.
   */
  touch(page: number, isWrite: boolean): number {
    const pfn = this.#translate(page, isWrite);
    if (pfn > 0) this.mm.tlb.fill(this.addr(page), this.pte(page), pfn * PAGE_SIZE);
    return pfn;
  }

  /** Every access that the TLB grants, the PTE grants as well, and to the same frame. Answers the first page that lies. */
  staleTlbPage(): number | undefined {
    const { u32 } = this.#phys.ram;
    const pages = (this.vma.end - this.vma.start) / PAGE_SIZE;
    for (let page = 0; page < pages; page++) {
      const addr = this.addr(page);
      const entry = this.mm.tlb.base + ((addr / PAGE_SIZE) % TLB_ENTRIES) * TLB_ENTRY_BYTES;
      const grants = (tag: number): boolean => u32[(entry + tag) / 4] === addr % 2 ** 32;
      const needed =
        (grants(TLB_READ_TAG) ? PTE_PRESENT | PTE_READ | PTE_ACCESSED : 0) |
        (grants(TLB_WRITE_TAG) ? PTE_PRESENT | PTE_WRITE | PTE_DIRTY | PTE_ACCESSED : 0);
      if (needed === 0) continue;
      const pte = this.mm.pageTable.walk(addr);
      if (pte === 0 || (u32[pte] & needed) !== needed) return page;
      if (u32[pte + 1] * PAGE_SIZE !== u32[(entry + TLB_FRAME) / 4]) return page;
    }
    return undefined;
  }

  #translate(page: number, isWrite: boolean): number {
    const phys = this.#phys;
    const { u32 } = phys.ram;
    const addr = this.addr(page);
    const pte = this.mm.pageTable.walkAlloc(addr);
    const word = u32[pte];
    if (word !== 0 && (!isWrite || (word & PTE_WRITE) !== 0)) {
      u32[pte] |= PTE_ACCESSED | (isWrite ? PTE_DIRTY : 0);
      return u32[pte + 1];
    }
    const { vma } = this;
    const vmf: VmFault = {
      vma,
      address: addr,
      realAddress: addr,
      pgoff: vma.pgoff + page,
      flags: isWrite ? FAULT_FLAG_WRITE : 0,
      pte,
      page: 0,
    };
    const isFirst = word === 0;
    if (isFirst) {
      const found = vma.ops?.fault(vmf) ?? 0;
      if ((found & VM_FAULT_ERROR) !== 0) return -(found & VM_FAULT_ERROR);
    } else {
      vmf.page = u32[pte + 1];
    }
    if (isWrite && this.#isShared) {
      const refused = vma.ops?.pageMkwrite?.(vmf) ?? 0;
      if (refused !== 0) {
        if (isFirst) phys.putPage(vmf.page);
        return -refused;
      }
    }
    if (isWrite && !this.#isShared) return this.#copy(vmf, isFirst);
    if (isFirst) {
      pageAddFileRmap(phys, vmf.page);
      incMmCounter(this.mm, mmCounter(phys.frames.flags[vmf.page]));
    }
    const isWritable = isWrite || (vma.pageProt & PTE_WRITE) !== 0;
    u32[pte + 1] = vmf.page;
    u32[pte] =
      PTE_PRESENT | PTE_READ | PTE_ACCESSED | (isWritable ? PTE_WRITE : 0) | (isWrite ? PTE_DIRTY : 0);
    return vmf.page;
  }

  /** Stores one byte; false when the access fails. */
  store(page: number, offset: number, value: number): boolean {
    const pfn = this.touch(page, true);
    if (pfn < 0) return false;
    this.#phys.ram.u8[pfn * PAGE_SIZE + offset] = value;
    return true;
  }

  /** The byte there, or −1 when the access fails. */
  load(page: number, offset: number): number {
    const pfn = this.touch(page, false);
    return pfn < 0 ? -1 : this.#phys.ram.u8[pfn * PAGE_SIZE + offset];
  }

  /** A private write to a page that is not mapped yet. */
  #copy(vmf: VmFault, isFirst: boolean): number {
    if (!isFirst) throw new Error("the fake maps private pages for reading only once");
    const phys = this.#phys;
    anonVmaPrepare(this.vma);
    const copy = phys.allocPage();
    phys.copyPage(copy, vmf.page);
    phys.putPage(vmf.page);
    pageAddAnonRmap(phys, copy, vmf);
    incMmCounter(this.mm, mmCounter(phys.frames.flags[copy] & ~PG_SWAPBACKED));
    phys.ram.u32[vmf.pte + 1] = copy;
    phys.ram.u32[vmf.pte] = PTE_PRESENT | PTE_READ | PTE_ACCESSED | PTE_WRITE | PTE_DIRTY;
    return copy;
  }
}
