/**
 * The calls about memory nodes, on both subjects and for the generator: policies of ranges, of threads, where pages are. A
 * mask of nodes is a number, -1 a null pointer; there is one node, 0, on hosts that are asked.
 */
import type { Process } from "../src/mm/kernel/process.ts";
import { sysMbind, sysSetMempolicyHomeNode } from "../src/mm/syscalls/mbind.ts";
import { sysGetMempolicy, sysSetMempolicy } from "../src/mm/syscalls/mempolicy.ts";
import { sysMigratePages, sysStatPages } from "../src/mm/syscalls/move-pages.ts";
import * as mempolicy from "../src/mm/uapi/mempolicy.ts";
import type { ArgumentSource } from "./arguments.ts";
import type { ExecutorFamily } from "./executor.ts";
import type { Random } from "./random.ts";
import { type Outcome, SKIPPED, SLOTS } from "./subject.ts";
import { NR } from "./system-call-numbers.ts";

const PAGE_SIZE = 4096;
const WORD = 8;
/** Bits of a mask in memory, and one. */
const MAX_NODE = 65;

const POLICY_CALLS = [
  "mbind",
  "set_mempolicy",
  "get_mempolicy",
  "set_mempolicy_home_node",
  "move_pages",
  "migrate_pages",
] as const;

export type PolicyCall = (typeof POLICY_CALLS)[number];

export function isAboutPolicy(call: string): call is PolicyCall {
  return POLICY_CALLS.some((name) => name === call);
}

/** The call on the host. */
export function policyOnHost(
  family: ExecutorFamily,
  slot: number,
  call: PolicyCall,
  args: readonly number[],
): Outcome {
  switch (call) {
    case "mbind": {
      const [addr, length, mode, mask, flags] = args;
      const nodes = maskOnHost(family, slot, mask);
      return { result: family.syscall(slot, NR.mbind, [addr, length, mode, nodes, MAX_NODE, flags]) };
    }
    case "set_mempolicy": {
      const nodes = maskOnHost(family, slot, args[1]);
      return { result: family.syscall(slot, NR.set_mempolicy, [args[0], nodes, MAX_NODE]) };
    }
    case "get_mempolicy": {
      const [addr, , flags] = args;
      const at = family.putWords(slot, [0, 0]);
      const result = family.syscall(slot, NR.get_mempolicy, [at, at + WORD, MAX_NODE, addr, flags]);
      return { result, bytes: family.takeArgument(slot, 2 * WORD) };
    }
    case "set_mempolicy_home_node":
      return { result: family.syscall(slot, NR.set_mempolicy_home_node, args) };
    case "move_pages": {
      const [other, addr, length, flags] = args;
      if (family.isFree(other)) return SKIPPED;
      const pages = pagesOf(addr, length);
      const at = family.putWords(slot, [...pages, ...pages.map(() => 0)]);
      const status = at + pages.length * WORD;
      const call = [family.pid(other), pages.length, at, 0, status, flags];
      const result = family.syscall(slot, NR.move_pages, call);
      return { result, bytes: family.takeArgument(slot, 2 * pages.length * WORD).slice(pages.length * WORD) };
    }
    case "migrate_pages": {
      const [other, from, to] = args;
      if (family.isFree(other)) return SKIPPED;
      const at = family.putWords(slot, [from, to]);
      const call = [family.pid(other), MAX_NODE, at, at + WORD];
      return { result: family.syscall(slot, NR.migrate_pages, call) };
    }
  }
}

function maskOnHost(family: ExecutorFamily, slot: number, mask: number): number {
  return mask < 0 ? 0 : family.putWords(slot, [mask]);
}

/** The call on Faultline. @param processAt the process of a slot */
export function policyOnFaultline(
  task: Process,
  processAt: (slot: number) => Process | undefined,
  call: PolicyCall,
  args: readonly number[],
): Outcome {
  switch (call) {
    case "mbind": {
      const [addr, length, mode, mask, flags] = args;
      return { result: sysMbind(task, addr, length, mode, () => nodesOf(mask), flags) };
    }
    case "set_mempolicy":
      return { result: sysSetMempolicy(task, args[0], () => nodesOf(args[1])) };
    case "get_mempolicy": {
      const [addr, , flags] = args;
      const answer = sysGetMempolicy(task.kernel.mmu, task, task, addr, flags);
      const isRefused = typeof answer === "number";
      const words = isRefused ? [0n, 0n] : [BigInt(answer.mode), answer.nodes];
      return {
        result: isRefused ? answer : 0,
        bytes: new Uint8Array(new BigUint64Array(words).buffer),
      };
    }
    case "set_mempolicy_home_node":
      return { result: sysSetMempolicyHomeNode(task, args[0], args[1], args[2], args[3]) };
    case "move_pages": {
      const [other, addr, length, flags] = args;
      const target = processAt(other);
      if (target === undefined) return SKIPPED;
      const pages = pagesOf(addr, length);
      const answers = sysStatPages(task, { task: target, mm: target.taskMm }, pages, flags);
      const isRefused = typeof answers === "number";
      const status = new Int32Array(2 * pages.length);
      if (!isRefused) status.set(answers);
      return { result: isRefused ? answers : 0, bytes: new Uint8Array(status.buffer) };
    }
    case "migrate_pages": {
      const target = processAt(args[0]);
      if (target === undefined) return SKIPPED;
      const moved = { task: target, mm: target.taskMm };
      return { result: sysMigratePages(task, moved, BigInt(args[1]), BigInt(args[2])) };
    }
  }
}

function nodesOf(mask: number): bigint {
  return mask < 0 ? 0n : BigInt(mask);
}

/** The first bytes of the pages of a range, skewed as its start is. */
function pagesOf(addr: number, length: number): number[] {
  return Array.from({ length: Math.ceil(length / PAGE_SIZE) }, (_, page) => {
    const at = addr + page * PAGE_SIZE;
    return at < 2 ** 64 ? at : at - 2 ** 64;
  });
}

/** Pages that one call asks for at most: what the executor's buffers hold many times. */
const MAX_PAGES = 40;

/** Arguments for the generator. */
export function policyArguments(call: PolicyCall, random: Random, from: ArgumentSource): number[] {
  switch (call) {
    case "mbind":
      return [...from.range(), ...someModeAndMask(random), someFlags(random)];
    case "set_mempolicy":
      return someModeAndMask(random);
    case "get_mempolicy":
      return [random.chance(80) ? from.mappedAddress() : 0, PAGE_SIZE, someQuestion(random)];
    case "set_mempolicy_home_node":
      return [
        ...from.range(),
        random.chance(94) ? 0 : random.pick([1, 1024, 2 ** 40]),
        random.chance(95) ? 0 : 1,
      ];
    case "move_pages": {
      const [addr, length] = from.range();
      return [
        random.below(SLOTS),
        addr,
        Math.min(length, MAX_PAGES * PAGE_SIZE),
        random.weighted([
          [6, 0],
          [4, mempolicy.MPOL_MF_MOVE],
          [1, mempolicy.MPOL_MF_MOVE_ALL],
          [1, 1],
        ]),
      ];
    }
    case "migrate_pages":
      return [random.below(SLOTS), random.below(4), random.chance(70) ? 1 : random.below(4)];
  }
}

/** Mostly a policy that the one node makes sense for, of few different ones, so that neighbours often have the same. */
function someModeAndMask(random: Random): number[] {
  const { MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_NUMA_BALANCING } = mempolicy;
  const mode = random.weighted([
    [5, mempolicy.MPOL_DEFAULT],
    [6, mempolicy.MPOL_BIND],
    [3, mempolicy.MPOL_LOCAL],
    [2, mempolicy.MPOL_PREFERRED],
    [2, mempolicy.MPOL_PREFERRED_MANY],
    [2, mempolicy.MPOL_INTERLEAVE],
    [1, mempolicy.MPOL_WEIGHTED_INTERLEAVE],
    [1, random.pick([7, -1, 2 ** 12])],
  ]);
  const flags = random.weighted([
    [12, 0],
    [2, MPOL_F_STATIC_NODES],
    [3, MPOL_F_RELATIVE_NODES],
    [1, MPOL_F_NUMA_BALANCING],
    [1, MPOL_F_STATIC_NODES | random.pick([MPOL_F_RELATIVE_NODES, MPOL_F_NUMA_BALANCING])],
  ]);
  const takesNone = mode === mempolicy.MPOL_DEFAULT || mode === mempolicy.MPOL_LOCAL;
  const mask = random.chance(88)
    ? takesNone
      ? random.pick([-1, 0])
      : random.pick([1, 1, 3, flags === 0 ? 1 : 2])
    : random.pick([-1, 0, 1, 2, 3]);
  return [mode < 0 ? mode : mode | (takesNone && random.chance(90) ? 0 : flags), mask];
}

function someFlags(random: Random): number {
  const { MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } = mempolicy;
  return random.weighted([
    [10, 0],
    [3, MPOL_MF_STRICT],
    [3, MPOL_MF_MOVE],
    [3, MPOL_MF_STRICT | MPOL_MF_MOVE],
    [1, MPOL_MF_MOVE_ALL],
    [1, 8],
  ]);
}

function someQuestion(random: Random): number {
  const { MPOL_F_NODE, MPOL_F_ADDR, MPOL_F_MEMS_ALLOWED } = mempolicy;
  return random.weighted([
    [4, 0],
    [10, MPOL_F_ADDR],
    [5, MPOL_F_ADDR | MPOL_F_NODE],
    [2, MPOL_F_NODE],
    [2, MPOL_F_MEMS_ALLOWED],
    [1, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR],
    [1, 8],
  ]);
}
