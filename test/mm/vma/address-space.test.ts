/** Accounting, page protection, growth of stack and heap, and the anon_vmas of families. */
import { describe, expect, it } from "vitest";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { PTE_READ, PTE_USER, PTE_WRITE } from "../../../src/mm/pagetable/pte.ts";
import { EFAULT, ENOMEM, EPERM } from "../../../src/mm/uapi/errno.ts";
import { mayExpandVm, mlockFutureOk, vmStatAccount } from "../../../src/mm/vma/accounting.ts";
import { anonVmaFork, anonVmaPrepare } from "../../../src/mm/vma/anon-vma.ts";
import { brkExpand } from "../../../src/mm/vma/brk-area.ts";
import { expandDownwards } from "../../../src/mm/vma/stack-growth.ts";
import type { VmArea } from "../../../src/mm/vma/vm-area.ts";
import {
  VM_ACCESS_FLAGS,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from "../../../src/mm/vma/vm-flags.ts";
import {
  detachVma,
  dupVma,
  freeVma,
  removeVma,
  setVmaFlags,
  vmaLink,
} from "../../../src/mm/vma/vma-lifetime.ts";
import { checkVmaTree } from "../../../src/mm/vma/vma-validate.ts";
import { addr, draw, FakeFile, FILE_OPS, link, newMm, picture, RW, unmap } from "./ruler.ts";

describe("accounting", () => {
  it("counts each mapping as exec, stack or data at most once", () => {
    const mm = newMm();
    vmStatAccount(mm, VM_READ | VM_EXEC, 1);
    vmStatAccount(mm, VM_READ | VM_WRITE | VM_EXEC, 2);
    vmStatAccount(mm, VM_WRITE | VM_GROWSDOWN, 4);
    vmStatAccount(mm, VM_WRITE | VM_SHARED, 8);
    vmStatAccount(mm, VM_READ, 16);
    expect([mm.totalVm, mm.execVm, mm.dataVm, mm.stackVm]).toEqual([31, 1, 2, 4]);
  });

  it("knows the limits, and Valgrind's RLIMIT_DATA of 0", () => {
    const mm = newMm();
    mm.actor.rlimitAs = 10 * PAGE_SIZE;
    mm.actor.rlimitData = 4 * PAGE_SIZE;
    expect(mayExpandVm(mm, VM_READ, 10)).toBe(true);
    expect(mayExpandVm(mm, VM_READ, 11)).toBe(false);
    expect(mayExpandVm(mm, VM_WRITE, 4)).toBe(true);
    expect(mayExpandVm(mm, VM_WRITE, 5)).toBe(false);
    expect(mayExpandVm(mm, VM_WRITE | VM_SHARED, 5)).toBe(true);
    mm.actor.rlimitData = 0;
    mm.actor.rlimitDataMax = 6 * PAGE_SIZE;
    expect(mayExpandVm(mm, VM_WRITE, 6)).toBe(true);
    expect(mayExpandVm(mm, VM_WRITE, 7)).toBe(false);
    mm.actor.rlimitMemlock = 2 * PAGE_SIZE;
    expect(mlockFutureOk(mm, VM_READ, 3 * PAGE_SIZE)).toBe(true);
    expect(mlockFutureOk(mm, VM_LOCKED, 2 * PAGE_SIZE)).toBe(true);
    expect(mlockFutureOk(mm, VM_LOCKED, 3 * PAGE_SIZE)).toBe(false);
    mm.actor.capIpcLock = true;
    expect(mlockFutureOk(mm, VM_LOCKED, 3 * PAGE_SIZE)).toBe(true);
  });
});

describe("page protection", () => {
  it("allows writing only where nobody must notice the first write", () => {
    const mm = newMm();
    const file = new FakeFile();
    const writtenBack = Object.assign(new FakeFile(), { mapping: { ...file.mapping, canWriteback: true } });
    const notified = { ...FILE_OPS, pageMkwrite: () => 0 };
    const writable = (attributes: Parameters<typeof link>[3]): boolean => {
      const vma = link(mm, 0, 1, attributes);
      const { pageProt } = vma;
      unmap(mm, 0, 1);
      return (pageProt & PTE_WRITE) !== 0;
    };
    expect(writable({})).toBe(false);
    expect(writable({ file })).toBe(false);
    expect(writable({ file, flags: RW | VM_SHARED })).toBe(true);
    expect(writable({ file, flags: VM_READ | VM_SHARED })).toBe(false);
    expect(writable({ file: writtenBack, flags: RW | VM_SHARED })).toBe(false);
    expect(writable({ file, ops: notified, flags: RW | VM_SHARED })).toBe(false);
  });

  it("follows the flags", () => {
    const vma = link(newMm(), 0, 1);
    setVmaFlags(vma, RW & ~VM_ACCESS_FLAGS);
    expect(vma.pageProt).toBe(0);
    setVmaFlags(vma, RW);
    expect(vma.pageProt).toBe(PTE_READ | PTE_USER);
  });
});

describe("a growing stack", () => {
  const stack = { flags: RW | VM_GROWSDOWN };

  it("grows to the page that was touched and is counted", () => {
    const mm = newMm();
    const vma = link(mm, 10, 12, stack);
    expect(expandDownwards(vma, addr(5) + 8)).toBe(0);
    expect([vma.start, vma.end]).toEqual([addr(5), addr(12)]);
    expect(vma.pgoff).toBe(addr(5) / PAGE_SIZE);
    expect(mm.stackVm).toBe(7);
    expect(expandDownwards(vma, addr(6))).toBe(0);
    expect(vma.start).toBe(addr(5));
    expect(checkVmaTree(mm)).toEqual([]);
  });

  it("stops at its limits", () => {
    const mm = newMm();
    const vma = link(mm, 1000, 1001, stack);
    link(mm, 500, 501);
    expect(expandDownwards(vma, addr(501 + 255))).toBe(-ENOMEM);
    expect(expandDownwards(vma, addr(501 + 256))).toBe(0);
    mm.actor.rlimitStack = (1001 - 757) * PAGE_SIZE;
    expect(expandDownwards(vma, addr(756))).toBe(-ENOMEM);
    expect(expandDownwards(vma, mm.mmapMinAddr - 1)).toBe(-EPERM);
    mm.actor.rlimitStack = Number.POSITIVE_INFINITY;
    // An inaccessible neighbour is guard enough, and so is another stack.
    unmap(mm, 500, 501);
    link(mm, 500, 501, { flags: RW & ~VM_ACCESS_FLAGS });
    expect(expandDownwards(vma, addr(601))).toBe(0);
    expect(expandDownwards(vma, addr(500))).toBe(-ENOMEM);
    unmap(mm, 500, 501);
    link(mm, 500, 501, stack);
    expect(expandDownwards(vma, addr(501))).toBe(0);
    expect(expandDownwards(link(mm, 2000, 2001), addr(1999))).toBe(-EFAULT);
    expect(checkVmaTree(mm)).toEqual([]);
  });
});

describe("the heap", () => {
  it("grows in place, and begins anew beside what differs", () => {
    const mm = newMm();
    expect(brkExpand(mm, addr(0), 2 * PAGE_SIZE, 0)).toBe(0);
    expect(brkExpand(mm, addr(2), PAGE_SIZE, 0)).toBe(0);
    expect(picture(mm, 4, new Map())).toBe("NNN.");
    expect(brkExpand(mm, addr(3), PAGE_SIZE, VM_EXEC)).toBe(0);
    expect(picture(mm, 4, new Map())).toBe("NNNO");
    expect([mm.totalVm, mm.dataVm]).toEqual([4, 4]);
    expect(checkVmaTree(mm)).toEqual([]);
  });

  it("never joins what lies above", () => {
    const mm = newMm();
    brkExpand(mm, addr(2), PAGE_SIZE, 0);
    brkExpand(mm, addr(0), 2 * PAGE_SIZE, 0);
    expect(picture(mm, 3, new Map())).toBe("NNO");
  });

  it("stops at its limits", () => {
    const mm = newMm();
    mm.actor.rlimitData = PAGE_SIZE;
    expect(brkExpand(mm, addr(0), 2 * PAGE_SIZE, 0)).toBe(-ENOMEM);
    mm.failVmaAfter = 0;
    expect(brkExpand(mm, addr(0), PAGE_SIZE, 0)).toBe(-ENOMEM);
    mm.failVmaAfter = -1;
    expect(brkExpand(mm, addr(0), PAGE_SIZE, 0)).toBe(0);
    mm.actor.rlimitData = Number.POSITIVE_INFINITY;
    mm.maxMapCount = 1;
    expect(brkExpand(mm, addr(1), PAGE_SIZE, 0)).toBe(0);
    mm.maxMapCount = 0;
    expect(brkExpand(mm, addr(2), PAGE_SIZE, 0)).toBe(-ENOMEM);
    expect(checkVmaTree(mm)).toEqual([]);
  });
});

describe("file systems that count their mappings", () => {
  it("are told of splits and removals", () => {
    let mappings = 1;
    const ops = { ...FILE_OPS, open: () => mappings++, close: () => mappings-- };
    const mm = newMm();
    draw(mm, "AAAA", { A: { file: new FakeFile(), ops } });
    unmap(mm, 1, 2);
    expect(mappings).toBe(2);
    unmap(mm, 0, 4);
    expect(mappings).toBe(0);
  });
});

describe("anon_vmas of a family", () => {
  function fork(vma: VmArea): VmArea {
    const mm = newMm(vma.mm.phys);
    const child = dupVma(mm, vma);
    if (child === null) throw new Error("no memory");
    expect(anonVmaFork(child, vma)).toBe(0);
    vmaLink(mm, child);
    vmStatAccount(mm, child.flags, (child.end - child.start) / PAGE_SIZE);
    return child;
  }

  function exit(vma: VmArea): void {
    detachVma(vma);
    removeVma(vma);
  }

  it("a child has one of its own below its ancestors'", () => {
    const first = link(newMm(), 0, 1, { faulted: true });
    const second = fork(first);
    const third = fork(second);
    expect(third.anonVmaChain.map(({ anonVma }) => anonVma)).toEqual([
      third.anonVma,
      second.anonVma,
      first.anonVma,
    ]);
    expect(third.anonVma?.root).toBe(first.anonVma);
    expect([...(first.anonVma?.tree ?? [])].map(({ owner }) => owner)).toEqual([first, second, third]);
    for (const vma of [first, second, third]) expect(checkVmaTree(vma.mm)).toEqual([]);
  });

  it("has none before the first page", () => {
    const child = fork(link(newMm(), 0, 1));
    expect(child.anonVma).toBeNull();
    expect(child.anonVmaChain).toEqual([]);
  });

  it("a line of processes that fork and exit takes over what is left, and does not grow", () => {
    let vma = link(newMm(), 0, 1, { faulted: true });
    const { phys } = vma.mm;
    for (let generation = 0; generation < 20; generation++) {
      const child = fork(vma);
      exit(vma);
      vma = child;
      expect(checkVmaTree(vma.mm)).toEqual([]);
      expect(vma.anonVmaChain.length).toBeLessThanOrEqual(3);
    }
    exit(vma);
    expect(phys.owners.size).toBe(0);
  });

  it("an anon_vma with two children is not taken over, nor a root", () => {
    const first = link(newMm(), 0, 1, { faulted: true });
    const second = fork(first);
    const third = fork(second);
    const fourth = fork(second);
    const { anonVma } = second;
    exit(second);
    expect(anonVma?.numActiveVmas).toBe(0);
    expect(anonVma?.numChildren).toBe(2);
    const fifth = fork(third);
    expect(fifth.anonVma).not.toBe(anonVma);
    exit(fifth);
    exit(fourth);
    expect(anonVma?.numChildren).toBe(1);
    expect(fork(third).anonVma).toBe(anonVma);
    expect(checkVmaTree(third.mm)).toEqual([]);
  });

  it.each([0, 1, 2])("a fork that runs out of memory at allocation %i leaves nothing behind", (allowed) => {
    const second = fork(link(newMm(), 0, 1, { faulted: true }));
    const { phys } = second.mm;
    const mm = newMm(phys);
    const owners = phys.owners.size;
    const child = dupVma(mm, second);
    if (child === null) throw new Error("no memory");
    mm.failVmaAfter = allowed;
    expect(anonVmaFork(child, second)).toBe(-ENOMEM);
    freeVma(child);
    expect(phys.owners.size).toBe(owners);
    expect(checkVmaTree(second.mm)).toEqual([]);
  });

  it("preparing is refused when memory is out, and changes nothing", () => {
    const mm = newMm();
    const vma = link(mm, 0, 1);
    mm.failVmaAfter = 0;
    expect(anonVmaPrepare(vma)).toBe(-ENOMEM);
    expect(vma.anonVma).toBeNull();
    expect(checkVmaTree(mm)).toEqual([]);
  });
});

describe("checkVmaTree", () => {
  it.each<[string, (vma: VmArea) => void]>([
    ["gap", (vma) => (vma.gap += 1)],
    ["subtreeGap", (vma) => (vma.subtreeGap += 1)],
    ["colour", (vma) => (vma.rbRed = !vma.rbRed)],
    ["prev", (vma) => (vma.prev = vma)],
    ["end", (vma) => (vma.end += PAGE_SIZE)],
    ["pgoff", (vma) => (vma.pgoff += 1)],
    ["page protection", (vma) => (vma.pageProt |= PTE_WRITE)],
    ["i_mmap node", (vma) => (vma.iMmapNode = null)],
    ["anon_vma", (vma) => (vma.anonVma = null)],
    ["active mappings", (vma) => vma.anonVma !== null && vma.anonVma.numActiveVmas++],
    ["children", (vma) => vma.anonVma !== null && vma.anonVma.numChildren--],
    ["accounting", (vma) => (vma.flags ^= VM_LOCKED)],
  ])("finds a wrong %s", (_what, spoil) => {
    const mm = newMm();
    const attributes = { file: new FakeFile(), faulted: true };
    const vmas = draw(mm, ".A..BB.C.D", { A: attributes, B: attributes, C: attributes, D: attributes });
    expect(checkVmaTree(mm)).toEqual([]);
    spoil(vmas.get("B") as VmArea);
    expect(checkVmaTree(mm)).not.toEqual([]);
  });
});
