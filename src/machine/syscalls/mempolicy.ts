/** The system calls about memory nodes, as a program makes them: node masks and arrays in its memory (mm/mempolicy.c). */
import { clearUser } from "../../mm/fault/uaccess.ts";
import { sysMbind, sysSetMempolicyHomeNode } from "../../mm/syscalls/mbind.ts";
import { sysGetMempolicy, sysSetMempolicy } from "../../mm/syscalls/mempolicy.ts";
import { type MovedTask, sysMigratePages, sysMovePages } from "../../mm/syscalls/move-pages.ts";
import { EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { MAX_NUMNODES } from "../../mm/uapi/mempolicy.ts";
import type { NodeMask } from "../../mm/vma/mempolicy.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call, SyscallGroup } from "./call.ts";

const WORD_BITS = 64;
const WORD_BYTES = 8;
/** The most bits that a mask may be said to have: those of a page. */
const MAX_MASK_BITS: number = 4096 * 8;
/** Nodes that there can be (nr_node_ids), in whole words. */
const NODE_BYTES = WORD_BYTES;

export const mempolicyCalls: SyscallGroup = [
  [235, "mbind", 6, mbind],
  [236, "get_mempolicy", 5, getMempolicy],
  [
    237,
    "set_mempolicy",
    3,
    (call) => sysSetMempolicy(call.thread, call.s32(0), () => getNodes(call, call.u64(1), call.u64(2))),
  ],
  [238, "migrate_pages", 4, migratePages],
  [239, "move_pages", 6, movePages],
  [450, "set_mempolicy_home_node", 4, setMempolicyHomeNode],
];

function mbind(call: Call): number {
  const nodes = (): NodeMask | number => getNodes(call, call.u64(3), call.u64(4));
  return sysMbind(call.process, call.u64(0), call.u64(1), call.s32(2), nodes, call.u32(5));
}

function setMempolicyHomeNode(call: Call): number {
  return sysSetMempolicyHomeNode(call.process, call.u64(0), call.u64(1), call.u64(2), call.u64(3));
}

function getMempolicy(call: Call): number {
  const [modeAt, nodesAt, maxNode] = [call.u64(0), call.u64(1), call.u64(2)];
  if (nodesAt !== 0 && maxNode < 1) return -EINVAL;
  const flags = call.u64(4);
  if (flags > 0xff) return -EINVAL;
  const answer = sysGetMempolicy(call.system.mmu, call.process, call.thread, call.u64(3), flags);
  if (typeof answer === "number") return answer;
  if (modeAt !== 0) {
    const failed = call.put(modeAt, new StructView(4).put32(0, answer.mode).bytes);
    if (failed !== 0) return failed;
  }
  return nodesAt === 0 ? 0 : putNodes(call, nodesAt, maxNode, answer.nodes);
}

function migratePages(call: Call): number {
  const from = getNodes(call, call.u64(2), call.u64(1));
  if (typeof from === "number") return from;
  const to = getNodes(call, call.u64(3), call.u64(1));
  if (typeof to === "number") return to;
  return sysMigratePages(call.process, taskOf(call), from, to);
}

function movePages(call: Call): number {
  const arrays = { count: call.u64(1), pages: call.u64(2), nodes: call.u64(3), status: call.u64(4) };
  return sysMovePages(call.system.mmu, call.process, taskOf(call), arrays, call.u32(5));
}

/** The process of the thread whose number is the first argument; the caller's for 0. */
function taskOf(call: Call): MovedTask | undefined {
  const tid = call.s32(0);
  if (tid === 0) return { task: call.process, mm: call.process.mm };
  const thread = call.system.thread(tid);
  if (thread === undefined) return undefined;
  const { process } = thread.group;
  return { task: process, mm: thread.hasExited ? null : process.mm };
}

/** A mask of nodes (get_nodes): `maxNode` is one more than it has bits. Nodes that there can't be must not be in it. */
function getNodes(call: Call, addr: number, maxNode: number): NodeMask | number {
  if (maxNode === 1 || addr === 0) return 0n;
  const bits = maxNode - 1;
  if (maxNode === 0 || bits > MAX_MASK_BITS) return -EINVAL;
  const word = (index: number): bigint | undefined =>
    call.get(addr + index * WORD_BYTES, WORD_BYTES)?.big64(0);
  // From the last word down, as far as they name nodes beyond all.
  for (let last = Math.floor((bits - 1) / WORD_BITS); last * WORD_BITS >= MAX_NUMNODES; last--) {
    const beyond = word(last);
    if (beyond === undefined) return -EFAULT;
    if (beyond !== 0n) return -EINVAL;
  }
  const kept = Math.min(bits, MAX_NUMNODES);
  let mask = 0n;
  for (let index = 0; index * WORD_BITS < kept; index++) {
    const part = word(index);
    if (part === undefined) return -EFAULT;
    mask |= BigInt.asUintN(WORD_BITS, part) << BigInt(index * WORD_BITS);
  }
  return BigInt.asUintN(kept, mask);
}

/** The mask of one word, and zeros behind it as far as the caller has room (copy_nodes_to_user). */
function putNodes(call: Call, addr: number, maxNode: number, nodes: NodeMask): number {
  const room = Math.ceil((maxNode - 1) / WORD_BITS) * WORD_BYTES;
  if (room > MAX_MASK_BITS / 8) return -EINVAL;
  const behind = room - NODE_BYTES;
  const { mmu } = call.system;
  if (behind > 0 && clearUser(mmu, call.process, addr + NODE_BYTES, behind) < behind) return -EFAULT;
  if (room === 0) return 0;
  const low = BigInt.asUintN(32, nodes);
  const high = BigInt.asUintN(32, nodes >> 32n);
  return call.put(addr, new StructView(NODE_BYTES).put32(0, Number(low)).put32(4, Number(high)).bytes);
}
