/**
 * From the segments of a program to mappings (load_elf_binary's loop, elf_load, elf_map).
 *
 * ```
 *   file      │ headers │ text ......... │ data .. │
 *                       ╲                ╲         ╲ p_filesz     p_memsz
 *   memory              │ text  r-x      │ data rw- │0000│ bss      │ … brk grows up ▶
 *                       └ private file ──┴──────────┴────┴ anonymous┘
 *                                         page boundary ▲
 * ```
 *
 * A segment is a private mapping of the file. What follows its file bytes in their last page is zeroed (a write, so
 * a copy); whole pages of zeroes after that are anonymous memory, made as brk makes it. The heap starts at the first
 * page boundary after the highest segment.
 *
 * ```
 *                    where it stands                        its heap
 *   ET_EXEC          where its headers say                  behind it
 *   PIE, with ld.so  from ELF_ET_DYN_BASE on, two thirds up behind it
 *   static PIE       among the mappings, as mmap finds room ELF_ET_DYN_BASE, since it could not grow there
 *   ld.so itself     among the mappings                     none: it is the program's
 * ```
 */
import type { Mmu } from "../../mm/fault/mmu.ts";
import { clearUser } from "../../mm/fault/uaccess.ts";
import { offsetInPage, PAGE_SIZE, pageAlign, pageAlignDown } from "../../mm/page.ts";
import { doMmap } from "../../mm/syscalls/mmap.ts";
import { sysMunmap } from "../../mm/syscalls/munmap.ts";
import type { Task } from "../../mm/syscalls/task.ts";
import { EFAULT, EINVAL, ENOMEM } from "../../mm/uapi/errno.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../mm/uapi/mman.ts";
import type { File } from "../../mm/vfs/file.ts";
import { brkExpand } from "../../mm/vma/brk-area.ts";
import { VM_EXEC } from "../../mm/vma/vm-flags.ts";
import { type ElfProgram, type ElfSegment, maximumAlignment, totalMappingSize } from "./elf-header.ts";

/** Where a program came to lie. */
export interface MappedElf {
  /** What was added to its addresses. */
  readonly bias: number;
  readonly entry: number;
  /** Address of the program headers in memory (AT_PHDR). */
  readonly phdr: number;
  readonly startCode: number;
  readonly endCode: number;
  readonly startData: number;
  readonly endData: number;
  /** First address of the heap. */
  readonly startBrk: number;
}

/**
 * Where a program with relative addresses is to stand: among the mappings, or from an address on. A dynamic linker stands
 * among the mappings too, and one with absolute addresses takes them from the program.
 */
export type Placement = "anywhere" | "interpreter" | number;

/** Two thirds up the address space: where a PIE stands that has a dynamic linker (asm/elf.h). */
export function elfEtDynBase(taskSize: number): number {
  return Math.floor(taskSize / 3) * 2;
}

/** Maps every segment of `elf`. Negative errno when one can't be; what was mapped before it stays. */
export function mapElf(
  mmu: Mmu,
  task: Task,
  file: File,
  elf: ElfProgram,
  placement: Placement = "anywhere",
): MappedElf | number {
  const { taskSize } = task.mm.arch;
  const { segments, isRelocatable } = elf;
  let bias = 0;
  for (const [index, segment] of segments.entries()) {
    let flags = MAP_PRIVATE;
    let totalSize = 0;
    if (index > 0) {
      flags |= MAP_FIXED;
    } else if (!isRelocatable) {
      flags |= placement === "interpreter" ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    } else {
      totalSize = totalMappingSize(segments);
      const base = relocatableBase(mmu, task, file, elf, totalSize, placement);
      if (base < 0) return base;
      if (base > 0) flags |= MAP_FIXED_NOREPLACE;
      bias = pageAlignDown(base) - pageAlignDown(segment.vaddr);
    }
    const at = loadSegment(mmu, task, file, segment, bias, flags, totalSize);
    if (at < 0) return at;
    if (at >= taskSize) return -EINVAL;
    if (index === 0 && isRelocatable) bias = at - pageAlignDown(segment.vaddr);
  }
  return describe(elf, bias, taskSize);
}

function alignedDown(addr: number, alignment: number): number {
  return alignment === 0 ? addr : addr - (addr % alignment);
}

/**
 * Where a program with relative addresses goes: 0 for "wherever mmap finds room", else an aligned address that is free. Of a static PIE, only a
 * segment that wants more than page alignment needs one: room is mapped with the slack to align in, and given back.
 */
function relocatableBase(
  mmu: Mmu,
  task: Task,
  file: File,
  elf: ElfProgram,
  totalSize: number,
  placement: Placement,
): number {
  if (placement === "interpreter") return 0;
  const alignment = maximumAlignment(elf.segments);
  if (placement !== "anywhere") return alignedDown(placement, alignment);
  if (alignment <= PAGE_SIZE) return 0;
  const room = totalSize + alignment;
  if (room > task.mm.arch.taskSize) return -ENOMEM;
  const at = loadSegment(
    mmu,
    task,
    file,
    elf.segments[0],
    -pageAlignDown(elf.segments[0].vaddr),
    MAP_PRIVATE,
    room,
  );
  if (at < 0) return at;
  sysMunmap(task, at, pageAlign(room));
  return Math.ceil(at / alignment) * alignment;
}

/** elf_load: the file part and the zero part of one segment. The address of its first page, or negative errno. */
function loadSegment(
  mmu: Mmu,
  task: Task,
  file: File,
  segment: ElfSegment,
  bias: number,
  flags: number,
  totalSize: number,
): number {
  const { vaddr, fileSize, memSize, prot } = segment;
  const wanted = pageAlignDown(bias + vaddr);
  const inPage = offsetInPage(vaddr);
  let mapped: number = wanted;
  if (fileSize > 0) {
    mapped = mapSegmentFile(mmu, task, file, segment, wanted, flags, totalSize);
    if (mapped < 0) return mapped;
    const zeroStart = mapped + inPage + fileSize;
    const tail = pageAlign(zeroStart) - zeroStart;
    // A read-only segment may end in a partial page of the file's next bytes; only a writable one must be clean.
    if (memSize > fileSize && tail > 0 && (prot & PROT_WRITE) !== 0) {
      if (clearUser(mmu, task, zeroStart, tail) < tail) return -EFAULT;
    }
  }
  if (memSize <= fileSize) return mapped;
  const zeroPages = fileSize > 0 ? pageAlign(mapped + inPage + fileSize) : mapped;
  const error = mapZeroPages(task, zeroPages, pageAlign(mapped + inPage + memSize), prot);
  return error < 0 ? error : mapped;
}

/**
 * elf_map. The first segment of a static PIE maps `totalSize` bytes, so that room is found for all the others at once,
 * and gives back what is not its own.
 */
function mapSegmentFile(
  mmu: Mmu,
  task: Task,
  file: File,
  segment: ElfSegment,
  addr: number,
  flags: number,
  totalSize: number,
): number {
  const inPage = offsetInPage(segment.vaddr);
  const offset = segment.offset - inPage;
  const size = pageAlign(segment.fileSize + inPage);
  if (offset < 0 || !Number.isSafeInteger(offset) || offset % PAGE_SIZE !== 0) return -EINVAL;
  const whole = Math.max(size, pageAlign(totalSize));
  const mapped = doMmap(mmu, task, file, addr, whole, segment.prot, flags, offset);
  if (mapped >= 0 && whole > size) sysMunmap(task, mapped + size, whole - size);
  return mapped;
}

/** vm_brk_flags: anonymous pages at start … end in place of whatever is mapped there. */
function mapZeroPages(task: Task, start: number, end: number, prot: number): number {
  if (end <= start) return 0;
  if (end > task.mm.arch.taskSize) return -ENOMEM;
  const error = sysMunmap(task, start, end - start);
  if (error < 0) return error;
  const failed = brkExpand(task.mm, start, end - start, (prot & PROT_EXEC) !== 0 ? VM_EXEC : 0);
  const { tracer } = task.mm.phys;
  if (failed === 0 && tracer.enabled) {
    tracer.emit({
      type: "mmap",
      pid: task.pid,
      address: start,
      length: end - start,
      prot: prot | PROT_READ | PROT_WRITE,
      flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
      mappingType: "private anonymous",
      path: "",
      offset: 0,
    });
  }
  return failed;
}

function describe(elf: ElfProgram, bias: number, taskSize: number): MappedElf {
  let startCode = Number.POSITIVE_INFINITY;
  let endCode = 0;
  let startData = 0;
  let endData = 0;
  let end = 0;
  let phdr = 0;
  for (const { vaddr, offset, fileSize, memSize, prot } of elf.segments) {
    const isCode = (prot & PROT_EXEC) !== 0;
    if (offset <= elf.phoff && elf.phoff < offset + fileSize) phdr = elf.phoff - offset + vaddr;
    if (isCode) startCode = Math.min(startCode, vaddr);
    if (isCode) endCode = Math.max(endCode, vaddr + fileSize);
    startData = Math.max(startData, vaddr);
    endData = Math.max(endData, vaddr + fileSize);
    end = Math.max(end, vaddr + memSize);
  }
  return {
    bias,
    entry: elf.entry + bias,
    phdr: phdr + bias,
    startCode: startCode === Number.POSITIVE_INFINITY ? 0 : startCode + bias,
    endCode: endCode + bias,
    startData: startData + bias,
    endData: endData + bias,
    startBrk:
      elf.isRelocatable && elf.interpreter === undefined
        ? pageAlign(elfEtDynBase(taskSize))
        : pageAlign(end + bias),
  };
}
