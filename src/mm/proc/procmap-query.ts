/**
 * PROCMAP_QUERY: one mapping by address, in numbers instead of text (do_procmap_query, include/uapi/linux/fs.h).
 *
 * ```
 *   0 size         8 query_flags  16 query_addr     24 vma_start  32 vma_end  40 vma_flags  48 vma_page_size
 *   56 vma_offset  64 inode       72 dev_major (4)  76 dev_minor (4)
 *   80 vma_name_size (4)  84 build_id_size (4)  88 vma_name_addr  96 build_id_addr
 * ```
 */
import type { FaultingTask } from "../fault/faulting-task.ts";
import type { Mmu } from "../fault/mmu.ts";
import { copyFromUser, copyToUser, getUserU64 } from "../fault/uaccess.ts";
import { PAGE_SIZE, type Vaddr } from "../page.ts";
import { E2BIG, EFAULT, EINVAL, ENAMETOOLONG, ENOENT, ESRCH } from "../uapi/errno.ts";
import { PATH_MAX } from "../uapi/fcntl.ts";
import { majorOf, minorOf } from "../uapi/fs.ts";
import { fileOf } from "../vfs/file.ts";
import { encodeName } from "../vfs/name-bytes.ts";
import type { MmStruct } from "../vma/mm-struct.ts";
import type { VmArea } from "../vma/vm-area.ts";
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from "../vma/vm-flags.ts";
import { vmaName } from "../vma/vma-name.ts";
import { vmaKernelPagesize } from "../vma/vma-page-size.ts";
import { buildIdOf } from "./build-id.ts";

/** _IOWR('f', 17, struct procmap_query) */
export const PROCMAP_QUERY = 0xc0686611;

const PROCMAP_QUERY_VMA_READABLE = 0x01;
const PROCMAP_QUERY_VMA_WRITABLE = 0x02;
const PROCMAP_QUERY_VMA_EXECUTABLE = 0x04;
const PROCMAP_QUERY_VMA_SHARED = 0x08;
export const PROCMAP_QUERY_COVERING_OR_NEXT_VMA = 0x10;
const PROCMAP_QUERY_FILE_BACKED_VMA = 0x20;
const VALID_FLAGS = 0x3f;

/** vm_flags that the flags of a query ask for, and that those of an answer stand for. */
const PERMISSIONS: readonly (readonly [query: number, vm: number])[] = [
  [PROCMAP_QUERY_VMA_READABLE, VM_READ],
  [PROCMAP_QUERY_VMA_WRITABLE, VM_WRITE],
  [PROCMAP_QUERY_VMA_EXECUTABLE, VM_EXEC],
  [PROCMAP_QUERY_VMA_SHARED, VM_MAYSHARE],
];

const STRUCT_BYTES = 104;
/** Up to and with query_addr: what every caller has. */
const LEAST_BYTES = 24;
const NO_BYTES = new Uint8Array(0);

/** Answers the query in the caller's memory at `arg`. 0 or negative errno. */
export function procmapQuery(mmu: Mmu, caller: FaultingTask, mm: MmStruct, arg: Vaddr): number {
  const size = getUserU64(mmu, caller, arg);
  if (size < 0) return size;
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < LEAST_BYTES) return -EINVAL;
  const bytes = new Uint8Array(Math.max(size, STRUCT_BYTES));
  if (copyFromUser(mmu, caller, arg, bytes, 0, size) < size) return -EFAULT;
  // A caller from the future may not ask for what is not known here.
  if (bytes.subarray(STRUCT_BYTES).some((byte) => byte !== 0)) return -E2BIG;
  const view = new DataView(bytes.buffer);
  const flags = view.getUint32(8, true);
  if (view.getUint32(12, true) !== 0 || (flags & ~VALID_FLAGS) !== 0) return -EINVAL;
  const nameSize = view.getUint32(80, true);
  const nameAddr = getU64(view, 88);
  if ((nameSize === 0) !== (nameAddr === 0)) return -EINVAL;
  const buildIdSize = view.getUint32(84, true);
  const buildIdAddr = getU64(view, 96);
  if ((buildIdSize === 0) !== (buildIdAddr === 0)) return -EINVAL;
  if (mm.users === 0) return -ESRCH;
  const vma = matchingVma(mm, getU64(view, 16), flags);
  if (vma === null) return -ENOENT;
  describe(view, vma);
  const buildId = buildIdSize > 0 ? buildIdOfVma(vma) : NO_BYTES;
  if (buildId.length > buildIdSize) return -ENAMETOOLONG;
  view.setUint32(84, buildId.length, true);
  if (nameSize > 0) {
    const name = vmaName(vma);
    const text = name === "" ? NO_BYTES : encodeName(`${name}\0`);
    if (text.length > Math.min(nameSize, PATH_MAX)) return -ENAMETOOLONG;
    view.setUint32(80, text.length, true);
    if (copyToUser(mmu, caller, nameAddr, text) < text.length) return -EFAULT;
  }
  if (copyToUser(mmu, caller, buildIdAddr, buildId) < buildId.length) return -EFAULT;
  const answered = Math.min(size, STRUCT_BYTES);
  return copyToUser(mmu, caller, arg, bytes, 0, answered) < answered ? -EFAULT : 0;
}

/** query_matching_vma */
function matchingVma(mm: MmStruct, addr: Vaddr, flags: number): VmArea | null {
  let wanted = 0;
  for (const [query, vm] of PERMISSIONS) if ((flags & query) !== 0) wanted |= vm;
  const orNext = (flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA) !== 0;
  const onlyFiles = (flags & PROCMAP_QUERY_FILE_BACKED_VMA) !== 0;
  for (let vma = mm.vmas.find(addr); vma !== null; vma = vma.next) {
    const fits = (vma.flags & wanted) === wanted && (!onlyFiles || vma.file !== null);
    if (fits && (orNext || vma.start <= addr)) return vma;
    if (!orNext) return null;
  }
  return null;
}

function describe(view: DataView, vma: VmArea): void {
  let flags = 0;
  for (const [query, vm] of PERMISSIONS) if ((vma.flags & vm) !== 0) flags |= query;
  const inode = vma.file === null ? null : fileOf(vma).inode;
  setU64(view, 24, vma.start);
  setU64(view, 32, vma.end);
  setU64(view, 40, flags);
  setU64(view, 48, vmaKernelPagesize(vma));
  setU64(view, 56, inode === null ? 0 : vma.pgoff * PAGE_SIZE);
  setU64(view, 64, inode?.ino ?? 0);
  view.setUint32(72, inode === null ? 0 : majorOf(inode.sb.dev), true);
  view.setUint32(76, inode === null ? 0 : minorOf(inode.sb.dev), true);
}

/** Empty for memory without a file, and for a file without an identifier. */
function buildIdOfVma(vma: VmArea): Uint8Array {
  const mapping = vma.file === null ? null : fileOf(vma).inode.mapping;
  return (mapping === null ? null : buildIdOf(mapping)) ?? NO_BYTES;
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
