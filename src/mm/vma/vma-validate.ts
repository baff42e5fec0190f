/**
 * Proves the invariants of an address space's mappings by recomputing all that is kept: order, links, gaps, reverse
 * maps, counts. Part of the whole-kernel validator; tests call it after every step.
 *
 * That mergeable neighbours are merged is a check of its own (`unmergedNeighbours`), for Linux doesn't promise it: a
 * stack that grows up to its neighbour, a fork that clears VM_LOCKED, a cut that stays after a later one failed, and
 * MREMAP_DONTUNMAP all leave mergeable neighbours behind. It holds as long as none of these happened.
 */
import { checkRbTree } from "../../lib/rbtree-validate.ts";
import { isPageAligned, PAGE_SIZE } from "../page.ts";
import { isDataMapping, isExecMapping, isStackMapping } from "./accounting.ts";
import type { AnonVma } from "./anon-vma.ts";
import type { IntervalNode, IntervalTree } from "./interval-tree.ts";
import type { MmStruct } from "./mm-struct.ts";
import { vmaPageProt } from "./page-prot.ts";
import type { VmArea } from "./vm-area.ts";
import { VM_LOCKED } from "./vm-flags.ts";
import { areMergeable } from "./vma-merge.ts";
import { gapPages, hasTreeKey } from "./vma-tree.ts";

/** What is wrong with the mappings of `mm`, empty when nothing is. */
export function checkVmaTree(mm: MmStruct): string[] {
  const findings = checkList(mm);
  const gaps = checkRbTree(mm.vmas.root, mm.vmas.size, {
    describe: vmaName,
    ordered: (a, b) => a.end <= b.start && hasTreeKey(a) && hasTreeKey(b) && a.next === b && b.prev === a,
    ownValue: gapPages,
    subtreeValue: (vma) => vma.subtreeGap,
  });
  findings.push(...gaps.map((finding) => `tree of mappings: ${finding}`));
  findings.push(...checkReverseMaps(mm), ...checkAccounting(mm));
  return findings;
}

/** Neighbours that would merge if one of them were mapped now. */
export function unmergedNeighbours(mm: MmStruct): string[] {
  const findings: string[] = [];
  for (const vma of mm.vmas) {
    if (vma.next !== null && areMergeable(vma, vma.next)) {
      findings.push(`${vmaName(vma)} and ${vmaName(vma.next)} are not merged`);
    }
  }
  return findings;
}

/** What is wrong with an interval tree: an i_mmap, or an anon_vma's. */
export function checkIntervalTree<T>(tree: IntervalTree<T>): string[] {
  return checkRbTree<IntervalNode<T>>(tree.root, tree.size, {
    describe: (node) => `${node.first}…${node.last}`,
    ordered: (a, b) => a.first <= b.first,
    ownValue: (node) => node.last,
    subtreeValue: (node) => node.subtreeLast,
  });
}

function checkList(mm: MmStruct): string[] {
  const findings: string[] = [];
  let count = 0;
  let before: VmArea | null = null;
  for (let vma = mm.vmas.first; vma !== null && count <= mm.vmas.size; vma = vma.next) {
    const name = vmaName(vma);
    count++;
    if (vma.mm !== mm) findings.push(`${name} belongs to another address space`);
    if (vma.prev !== before) findings.push(`${name} has a wrong prev`);
    if (vma.start >= vma.end) findings.push(`${name} is empty`);
    if (!isPageAligned(vma.start) || !isPageAligned(vma.end)) findings.push(`${name} is not page-aligned`);
    if (vma.end > mm.arch.taskSize) findings.push(`${name} ends above user space`);
    if (before !== null && before.end > vma.start) findings.push(`${name} meets ${vmaName(before)}`);
    if (vma.gap !== gapPages(vma)) findings.push(`${name} has a gap of ${vma.gap} pages below it`);
    if (vma.pageProt !== vmaPageProt(vma)) findings.push(`${name} has page protection ${vma.pageProt}`);
    before = vma;
  }
  if (mm.vmas.last !== before) findings.push("last is not the last mapping");
  if (count !== mm.vmas.size) findings.push(`${count} mappings where ${mm.vmas.size} are counted`);
  return findings;
}

function checkReverseMaps(mm: MmStruct): string[] {
  const findings: string[] = [];
  const trees = new Set<IntervalTree<VmArea>>();
  const anonVmas = new Set<AnonVma>();
  for (const vma of mm.vmas) {
    const name = vmaName(vma);
    if (vma.file !== null) {
      const { iMmap } = vma.file.mapping;
      trees.add(iMmap);
      findings.push(...checkPlace(`i_mmap of ${name}`, vma, vma.iMmapNode, iMmap));
    } else if (vma.iMmapNode !== null) {
      findings.push(`${name} has no file and a node in an i_mmap`);
    }
    const chained = vma.anonVmaChain.map(({ anonVma }) => anonVma);
    for (const chain of vma.anonVmaChain) {
      anonVmas.add(chain.anonVma);
      trees.add(chain.anonVma.tree);
      findings.push(...checkPlace(`anon_vma of ${name}`, vma, chain, chain.anonVma.tree));
    }
    if (vma.anonVma === null) {
      if (chained.length > 0) findings.push(`${name} has chains and no anon_vma`);
    } else {
      if (!chained.includes(vma.anonVma)) findings.push(`${name} is not chained to its anon_vma`);
      if (chained.at(-1) !== vma.anonVma.root) findings.push(`${name}'s chains don't end at the root`);
    }
  }
  for (const tree of trees)
    findings.push(...checkIntervalTree(tree).map((finding) => `interval tree: ${finding}`));
  for (const anonVma of anonVmas) findings.push(...checkAnonVma(mm, anonVma));
  return findings;
}

/** Whether `vma` stands in `tree`, by `node`, with its own page range. */
function checkPlace(
  where: string,
  vma: VmArea,
  node: IntervalNode<VmArea> | null,
  tree: IntervalTree<VmArea>,
): string[] {
  if (node === null) return [`${where}: not linked`];
  const findings: string[] = [];
  const last = vma.pgoff + (vma.end - vma.start) / PAGE_SIZE - 1;
  if (node.owner !== vma) findings.push(`${where}: the node belongs to ${vmaName(node.owner)}`);
  if (node.first !== vma.pgoff || node.last !== last) {
    findings.push(`${where}: ${node.first}…${node.last} instead of ${vma.pgoff}…${last}`);
  }
  let top = node;
  while (top.rbParent !== null) top = top.rbParent;
  if (top !== tree.root) findings.push(`${where}: the node stands in another tree`);
  return findings;
}

/** Counts by walking the anon_vma's mappings: whoever belongs to it or to a child of it hangs in its tree. */
function checkAnonVma(mm: MmStruct, anonVma: AnonVma): string[] {
  const findings: string[] = [];
  const name = `anon_vma ${anonVma.id}`;
  let active = 0;
  const children = new Set<AnonVma>();
  for (const node of anonVma.tree) {
    if (node.owner.anonVma === anonVma) active++;
    for (const chain of node.owner.anonVmaChain)
      if (chain.anonVma.parent === anonVma) children.add(chain.anonVma);
  }
  if (mm.phys.owners.get(anonVma.id) !== anonVma) findings.push(`${name}'s id names something else`);
  if (anonVma.numActiveVmas !== active) {
    findings.push(`${name} counts ${anonVma.numActiveVmas} active mappings, there are ${active}`);
  }
  if (anonVma.numChildren !== children.size) {
    findings.push(`${name} counts ${anonVma.numChildren} children, there are ${children.size}`);
  }
  return findings;
}

function checkAccounting(mm: MmStruct): string[] {
  let total = 0;
  let exec = 0;
  let stack = 0;
  let data = 0;
  let locked = 0;
  for (const { start, end, flags } of mm.vmas) {
    const nrPages = (end - start) / PAGE_SIZE;
    total += nrPages;
    if (isExecMapping(flags)) exec += nrPages;
    else if (isStackMapping(flags)) stack += nrPages;
    else if (isDataMapping(flags)) data += nrPages;
    if ((flags & VM_LOCKED) !== 0) locked += nrPages;
  }
  const counters: readonly (readonly [string, number, number])[] = [
    ["totalVm", mm.totalVm, total],
    ["execVm", mm.execVm, exec],
    ["stackVm", mm.stackVm, stack],
    ["dataVm", mm.dataVm, data],
    ["lockedVm", mm.lockedVm - mm.lockedVmLost, locked],
  ];
  return counters
    .filter(([, kept, counted]) => kept !== counted)
    .map(([name, kept, counted]) => `${name} is ${kept}, the mappings have ${counted}`);
}

function vmaName(vma: VmArea): string {
  return `${vma.start.toString(16)}-${vma.end.toString(16)}`;
}
