/**
 * One step of a sequence: a system call (or an access, a fork, an exit) of one process, with plain numbers.
 *
 * Addresses and descriptors are numbers as a program would pass them, never references to earlier results, so that a
 * sequence still means something when some of its steps are taken out.
 */
import * as clone from "../src/machine/life/fork.ts";
import * as fcntl from "../src/mm/uapi/fcntl.ts";
import * as fs from "../src/mm/uapi/fs.ts";
import * as ipc from "../src/mm/uapi/ipc.ts";
import * as mempolicy from "../src/mm/uapi/mempolicy.ts";
import * as mman from "../src/mm/uapi/mman.ts";
import { PIDFD_NONBLOCK, PIDFD_THREAD } from "../src/mm/uapi/pidfd.ts";
import { PROGRAMS } from "./exec-programs.ts";

export interface Operation {
  /** Slot of the calling process. The step is skipped where no process lives there. */
  readonly process: number;
  readonly call: CallName;
  readonly args: readonly number[];
}

export type CallName =
  | "mmap"
  | "munmap"
  | "mprotect"
  | "mremap"
  | "brk"
  | "msync"
  | "madvise"
  | "mincore"
  | "memfd_create"
  | "load"
  | "store"
  | "open"
  | "close"
  | "read"
  | "write"
  | "pread64"
  | "pwrite64"
  | "peek"
  | "ftruncate"
  | "mlock"
  | "mlock2"
  | "munlock"
  | "mlockall"
  | "munlockall"
  | "mseal"
  | "remap_file_pages"
  | "setrlimit"
  | "process_vm_readv"
  | "process_vm_writev"
  | "process_madvise"
  | "pidfd_open"
  | "pidfd_madvise"
  | "mbind"
  | "set_mempolicy"
  | "get_mempolicy"
  | "set_mempolicy_home_node"
  | "move_pages"
  | "migrate_pages"
  | "fsync"
  | "dup"
  | "dup2"
  | "pipe2"
  | "lseek"
  | "seals"
  | "fadvise64"
  | "readahead"
  | "fallocate"
  | "sendfile"
  | "splice"
  | "tee"
  | "vmsplice"
  | "mem_read"
  | "mem_write"
  | "clear_refs"
  | "personality"
  | "copy_file_range"
  | "preadv2"
  | "pwritev2"
  | "procmap_query"
  | "pagemap_scan"
  | "dumpable"
  | "crowd"
  | "shmget"
  | "shmat"
  | "shmdt"
  | "shmctl"
  | "fork"
  | "vfork"
  | "clone"
  | "exec"
  | "exit";

export type Printer = (value: number) => string;

function hex(value: number): string {
  return `${value < 0 ? "-" : ""}0x${Math.abs(value).toString(16)}`;
}

function decimal(value: number): string {
  return String(value);
}

/** A printer of `A|B|0x40` for the constants with the prefix whose bits are set; `zero` where none is. */
function bits(table: object, prefix: string, zero: string, except: readonly string[] = []): Printer {
  const constants = named(table, prefix, except).filter(([, value]) => value !== 0);
  return (value) => {
    const words: string[] = [];
    let left = value;
    for (const [name, bit] of constants) {
      if (left < 0 || (left & bit) !== bit) continue;
      words.push(name);
      left &= ~bit;
    }
    if (left !== 0) words.push(hex(left));
    return words.length === 0 ? zero : words.join("|");
  };
}

function choice(table: object, prefix: string): Printer {
  const byValue = new Map(named(table, prefix, []).map(([name, value]) => [value, name]));
  return (value) => byValue.get(value) ?? decimal(value);
}

function named(table: object, prefix: string, except: readonly string[]): [string, number][] {
  return Object.entries(table).filter(
    (entry): entry is [string, number] =>
      entry[0].startsWith(prefix) && typeof entry[1] === "number" && !except.includes(entry[0]),
  );
}

const prot = bits(mman, "PROT_", "PROT_NONE");
const mapBits = bits(mman, "MAP_", "0", [
  "MAP_TYPE",
  "MAP_SHARED",
  "MAP_PRIVATE",
  "MAP_SHARED_VALIDATE",
  "MAP_DROPPABLE",
]);
const mapType = new Map([
  [mman.MAP_SHARED, "MAP_SHARED"],
  [mman.MAP_PRIVATE, "MAP_PRIVATE"],
  [mman.MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"],
  [mman.MAP_DROPPABLE, "MAP_DROPPABLE"],
]);

function mapFlags(value: number): string {
  const type = mapType.get(value & mman.MAP_TYPE);
  if (type === undefined) return mapBits(value);
  const rest = value & ~mman.MAP_TYPE;
  return rest === 0 ? type : `${type}|${mapBits(rest)}`;
}

const RLIMITS = new Map([
  [mman.RLIMIT_AS, "RLIMIT_AS"],
  [mman.RLIMIT_DATA, "RLIMIT_DATA"],
  [mman.RLIMIT_STACK, "RLIMIT_STACK"],
  [mman.RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"],
  [mman.RLIMIT_NOFILE, "RLIMIT_NOFILE"],
  [mman.RLIMIT_FSIZE, "RLIMIT_FSIZE"],
]);

function resource(value: number): string {
  return RLIMITS.get(value) ?? decimal(value);
}

function program(value: number): string {
  const path = PROGRAMS[value] ?? String(value);
  return path.length < 40 ? `"${path}"` : `"${path.slice(0, 40)}…"`;
}

const { MPOL_F_NODE, MPOL_F_ADDR, MPOL_F_MEMS_ALLOWED } = mempolicy;
const POLICY_QUESTIONS = { MPOL_F_NODE, MPOL_F_ADDR, MPOL_F_MEMS_ALLOWED };
const policyFlags = bits(mempolicy, "MPOL_F_", "0", Object.keys(POLICY_QUESTIONS));

function policyMode(value: number): string {
  if (value < 0) return decimal(value);
  const mode = value & ~mempolicy.MPOL_MODE_FLAGS;
  const name =
    Object.entries(mempolicy).find(
      ([key, constant]) => key.startsWith("MPOL_") && !/_MAX|_M?F_|_FLAGS/.test(key) && constant === mode,
    )?.[0] ?? hex(mode);
  return mode === value ? name : `${name}|${policyFlags(value - mode)}`;
}

function octal(value: number): string {
  return `0${value.toString(8)}`;
}

const { IPC_CREAT, IPC_EXCL, SHM_HUGETLB, SHM_NORESERVE } = ipc;
const shmgetBits = bits({ IPC_CREAT, IPC_EXCL, SHM_HUGETLB, SHM_NORESERVE }, "", "0");

function shmgetFlags(value: number): string {
  return `${shmgetBits(value & ~0o777)}|${octal(value & 0o777)}`;
}

const { SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC } = ipc;
const shmatFlags = bits({ SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC }, "", "0");

const { IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO, SHM_STAT, SHM_STAT_ANY, SHM_INFO, SHM_LOCK, SHM_UNLOCK } = ipc;
const shmCommand = choice(
  { IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO, SHM_STAT, SHM_STAT_ANY, SHM_INFO, SHM_LOCK, SHM_UNLOCK },
  "",
);

const openBits = bits(fcntl, "O_", "", ["O_ACCMODE", "O_WRONLY", "O_RDWR", "O_SYNC", "O_TMPFILE"]);

function openFlags(value: number): string {
  const mode = ["O_RDONLY", "O_WRONLY", "O_RDWR", "3"][value & fcntl.O_ACCMODE];
  const rest = openBits(value & ~fcntl.O_ACCMODE);
  return rest === "" ? mode : `${mode}|${rest}`;
}

/**
 * Every call of the oracle with a printer for each argument. `load` and `store` are accesses to memory, made by the
 * kernel on the process's behalf; `peek` is a pread into a buffer that is always good. The last argument of `store`
 * is the first of the bytes stored, that of `mincore` 0 for a good vector, or an address. A limit of -1 is none. The
 * first argument of `process_vm_readv`, `process_vm_writev` and `process_madvise` is the slot of the other process, then
 * come a range of the caller's and one of the other's, up to four times, and flags if there are any (for process_madvise a range of the other's, the
 * advice, and further ranges). `pidfd_open` opens one for the process of a slot (or of another number, which nobody has), and `pidfd_madvise` is a process_madvise of one
 * range with any descriptor: descriptor, range, advice and flags. `seals` adds seals to a file, or asks for them where there are none to add; `procmap_query`
 * asks for the mapping at an address, `pagemap_scan` for the pages of a range: start, end, room for regions, most pages, the
 * four masks of categories and flags. `mem_read` and
 * `mem_write` go through /proc/PID/mem of the slot that they name, `clear_refs` writes the number to /proc/self/clear_refs.
 * `dumpable` sets or clears what lets others look into the process. `crowd` cuts so many
 * pages from an address on into mappings of a page each. An offset of -1 is a null pointer, and further segments of `preadv2`,
 * `pwritev2` and `vmsplice` come last. The third argument of `shmctl` is the mode that IPC_SET sets, a fourth one an address where nothing is, instead of a good buffer. `fork`, `vfork` and `clone`
 * name the slot of the child, the last one also its flags (without any: CLONE_VM) and where a pidfd goes. `exec` starts one of PROGRAMS, 0 or nothing for the executor's own; path, argv and envp may be
 * addresses, 0 for good ones (-1: a null pointer), and then come how many strings the environment has, and of how many bytes.
 * A mask of nodes is a number, -1 a null pointer; the first argument of `move_pages`, which asks for the nodes of the pages of a
 * range, and of `migrate_pages` is a slot.
 */
export const CALLS: Readonly<Record<CallName, readonly Printer[]>> = {
  mmap: [hex, hex, prot, mapFlags, decimal, hex],
  munmap: [hex, hex],
  mprotect: [hex, hex, prot],
  mremap: [hex, hex, hex, bits(mman, "MREMAP_", "0"), hex],
  brk: [hex],
  msync: [hex, hex, bits(mman, "MS_", "0")],
  madvise: [hex, hex, choice(mman, "MADV_")],
  mincore: [hex, hex, hex],
  memfd_create: [decimal, bits(mman, "MFD_", "0"), hex],
  load: [hex, hex],
  store: [hex, hex, hex],
  open: [decimal, openFlags],
  close: [decimal],
  read: [decimal, hex, hex],
  write: [decimal, hex, hex],
  pread64: [decimal, hex, hex, hex],
  pwrite64: [decimal, hex, hex, hex],
  peek: [decimal, hex, hex],
  ftruncate: [decimal, hex],
  mlock: [hex, hex],
  mlock2: [hex, hex, bits(mman, "MLOCK_", "0")],
  munlock: [hex, hex],
  mlockall: [bits(mman, "MCL_", "0")],
  munlockall: [],
  mseal: [hex, hex, hex],
  remap_file_pages: [hex, hex, prot, hex, mapBits],
  setrlimit: [resource, hex, hex],
  process_vm_readv: [decimal, hex, hex, hex, hex],
  process_vm_writev: [decimal, hex, hex, hex, hex],
  process_madvise: [decimal, hex, hex, choice(mman, "MADV_")],
  pidfd_open: [decimal, bits({ PIDFD_NONBLOCK, PIDFD_THREAD }, "", "0")],
  pidfd_madvise: [decimal, hex, hex, choice(mman, "MADV_"), hex],
  mbind: [hex, hex, policyMode, decimal, bits(mempolicy, "MPOL_MF_", "0")],
  set_mempolicy: [policyMode, decimal],
  get_mempolicy: [hex, hex, bits(POLICY_QUESTIONS, "", "0")],
  set_mempolicy_home_node: [hex, hex, decimal, hex],
  move_pages: [decimal, hex, hex, bits(mempolicy, "MPOL_MF_", "0")],
  migrate_pages: [decimal, decimal, decimal],
  fsync: [decimal],
  dup: [decimal],
  dup2: [decimal, decimal],
  pipe2: [openFlags],
  lseek: [decimal, hex, choice(fcntl, "SEEK_")],
  seals: [decimal, bits(fs, "F_SEAL_", "0")],
  fadvise64: [decimal, hex, hex, choice(fcntl, "POSIX_FADV_")],
  readahead: [decimal, hex, hex],
  fallocate: [decimal, bits(fs, "FALLOC_FL_", "0"), hex, hex],
  sendfile: [decimal, decimal, hex, hex],
  splice: [decimal, hex, decimal, hex, hex, bits(fs, "SPLICE_F_", "0")],
  tee: [decimal, decimal, hex, bits(fs, "SPLICE_F_", "0")],
  vmsplice: [decimal, hex, hex, bits(fs, "SPLICE_F_", "0")],
  mem_read: [decimal, hex, hex],
  mem_write: [decimal, hex, hex, hex],
  clear_refs: [decimal],
  personality: [hex],
  copy_file_range: [decimal, hex, decimal, hex, hex, hex],
  preadv2: [decimal, hex, hex, hex, bits(fs, "RWF_", "0")],
  pwritev2: [decimal, hex, hex, hex, bits(fs, "RWF_", "0")],
  procmap_query: [hex, hex, decimal, decimal, hex, hex],
  pagemap_scan: [hex, hex, decimal, decimal, hex, hex, hex, hex, hex],
  dumpable: [decimal],
  crowd: [hex, decimal],
  shmget: [decimal, hex, shmgetFlags],
  shmat: [decimal, hex, shmatFlags],
  shmdt: [hex],
  shmctl: [decimal, shmCommand, octal],
  fork: [decimal],
  vfork: [decimal],
  clone: [decimal, bits(clone, "CLONE_", "0"), hex],
  exec: [program, hex, hex, hex],
  exit: [],
};

/** `p1 munmap(0x40000000, 0x2000)` */
export function formatOperation({ process, call, args }: Operation): string {
  const printers = CALLS[call];
  return `p${process} ${call}(${args.map((arg, at) => (printers[at] ?? hex)(arg)).join(", ")})`;
}

/** Reads a list of steps as `JSON.parse` gives it, as in a file of regressions. */
export function parseOperations(value: unknown): Operation[] {
  if (!Array.isArray(value)) throw new Error("a sequence is a list of operations");
  return value.map((item: unknown) => {
    if (!isOperation(item)) throw new Error(`not an operation of the oracle: ${JSON.stringify(item)}`);
    return item;
  });
}

function isOperation(item: unknown): item is Operation {
  if (typeof item !== "object" || item === null) return false;
  const { process, call, args } = item as Record<string, unknown>;
  return (
    typeof process === "number" &&
    typeof call === "string" &&
    Object.hasOwn(CALLS, call) &&
    Array.isArray(args) &&
    args.every((arg) => typeof arg === "number")
  );
}
