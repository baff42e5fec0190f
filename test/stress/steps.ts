/** The steps of the random world: what programs, and those who look after their machine, may do next. */

import type { Prng } from "../../src/lib/prng.ts";
import { dropPagecache } from "../../src/mm/filemap/drop-caches.ts";
import {
  EIO,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  MADV_COLD,
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_KEEPONFORK,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MPOL_DEFAULT,
  MPOL_MF_MOVE_ALL,
  MREMAP_DONTUNMAP,
  MREMAP_MAYMOVE,
  MS_ASYNC,
  MS_SYNC,
  PAGE_SIZE as P,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../src/mm/index.ts";
import { PTE_GUARD } from "../../src/mm/pagetable/pte.ts";
import { swapSpace } from "../../src/mm/swap/swap-space.ts";
import { sysProcessVmReadv, sysProcessVmWritev } from "../../src/mm/syscalls/process-vm.ts";
import { accessTo, contentOf, dropOwn, newPage, type Program, ShadowFile, type ShadowPage } from "./model.ts";
import { answer, outcome, type World } from "./world.ts";

const RW = PROT_READ | PROT_WRITE;
const MAX_PAGES = 320;

type Act = (world: World, program: Program, random: Prng) => void;

/** Pages that lie together and are of one kind: what one call is about. */
interface Run {
  readonly vpn: number;
  readonly pages: readonly ShadowPage[];
}

/** A run of up to `max` pages; null where nothing is mapped. */
function chooseRun({ pages }: Program, random: Prng, max: number): Run | null {
  if (pages.size === 0) return null;
  let left = random.below(pages.size);
  let vpn = 0;
  for (const at of pages.keys()) {
    vpn = at;
    if (left-- === 0) break;
  }
  const want = 1 + random.below(max);
  const run: ShadowPage[] = [];
  for (let at = vpn; run.length < want; at++) {
    const page = pages.get(at);
    if (page === undefined || (run[0] !== undefined && !isAlike(run[0], page, at - vpn))) break;
    run.push(page);
  }
  return { vpn, pages: run };
}

function isAlike(one: ShadowPage, other: ShadowPage, distance: number): boolean {
  return (
    one.prot === other.prot &&
    one.isShared === other.isShared &&
    one.file === other.file &&
    (one.file === null || other.index === one.index + distance) &&
    one.hasGuard === other.hasGuard &&
    one.wipeOnFork === other.wipeOnFork &&
    one.dontFork === other.dontFork &&
    one.isLocked === other.isLocked
  );
}

const onRun =
  (max: number, act: (world: World, program: Program, run: Run, random: Prng) => void): Act =>
  (world, program, random) => {
    const run = chooseRun(program, random, max);
    if (run !== null) act(world, program, run, random);
  };

// Mappings.

function map(world: World, program: Program, random: Prng): void {
  if (program.pages.size > MAX_PAGES) return;
  const kind = random.below(8);
  const file = kind < 4 ? null : kind < 5 ? new ShadowFile() : (world.files[random.below(4)] as ShadowFile);
  const isShared = kind === 4 || (kind > 4 && random.below(3) > 0);
  const pages = 1 + random.below(file === null ? 60 : 20);
  if (kind === 4 && file !== null) file.size = pages * P;
  const isFile = kind > 4;
  const first = isFile ? random.below(20) : 0;
  let flags = (isShared ? MAP_SHARED : MAP_PRIVATE) | (isFile ? 0 : MAP_ANONYMOUS) | MAP_NORESERVE;
  if (random.below(6) === 0) flags |= MAP_POPULATE;
  if (random.below(12) === 0 && pages <= 6) flags |= MAP_LOCKED;
  let hint = 0;
  const over = random.below(5) === 0 ? chooseRun(program, random, 4) : null;
  if (over !== null) {
    // Over what is there already.
    flags |= MAP_FIXED;
    hint = over.vpn * P;
  }
  const { process } = program;
  const fd = isFile && file !== null ? (program.fds[world.files.indexOf(file)] as number) : -1;
  const at = answer(() => process.mmap(hint, pages * P, RW, flags, fd, first * P));
  if (typeof at === "string") {
    world.syncLayout(program);
    world.expect(process, at, "EAGAIN");
    return;
  }
  for (let page = 0; page < pages; page++) {
    program.pages.set(at / P + page, newPage(RW, isShared, file, first + page));
  }
}

const unmap = onRun(30, ({ expect }, program, { vpn, pages }) => {
  const code = outcome(() => program.process.munmap(vpn * P, pages.length * P));
  expect(program.process, code);
  if (code === "ok") for (let at = vpn; at < vpn + pages.length; at++) program.pages.delete(at);
});

const protect = onRun(20, (world, program, { vpn, pages }, random) => {
  const prot = [PROT_NONE, PROT_READ, RW, RW, RW][random.below(5)] as number;
  const code = outcome(() => program.process.mprotect(vpn * P, pages.length * P, prot));
  world.expect(program.process, code);
  if (code === "ok") for (const page of pages) page.prot = prot;
  else world.syncLayout(program);
});

const move = onRun(24, (world, program, { vpn, pages }, random) => {
  const { process } = program;
  const length = random.below(3) === 0 ? 1 + random.below(pages.length + 10) : pages.length;
  if (random.below(4) === 0 && pages[0]?.isLocked === false) {
    const to = answer(() =>
      process.mremap(vpn * P, pages.length * P, pages.length * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP),
    );
    if (typeof to === "string") world.expect(process, to, "EFAULT", "EINVAL");
    else {
      for (const [i, page] of pages.entries()) {
        program.pages.set(to / P + i, { ...page });
        dropOwn(page);
        // The guards move, too.
        page.hasGuard = false;
      }
    }
    return;
  }
  const to = answer(() => process.mremap(vpn * P, pages.length * P, length * P, MREMAP_MAYMOVE));
  if (typeof to === "string") {
    // A tail that was to go may have gone.
    world.syncLayout(program);
    world.expect(process, to, "EFAULT", "EAGAIN");
    return;
  }
  for (let at = vpn; at < vpn + pages.length; at++) program.pages.delete(at);
  let last: ShadowPage | undefined;
  for (let i = 0; i < length; i++) {
    const page =
      pages[i] ??
      newPage(
        pages[0]?.prot ?? 0,
        pages[0]?.isShared ?? false,
        pages[0]?.file ?? null,
        (last?.index ?? 0) + 1,
      );
    if (pages[i] === undefined && pages[0] !== undefined) {
      page.wipeOnFork = pages[0].wipeOnFork;
      page.dontFork = pages[0].dontFork;
    }
    program.pages.set(to / P + i, page);
    last = page;
  }
});

// Accesses.

const storeRun = onRun(30, (world, program, { vpn, pages }, random) => {
  for (let i = 0; i < pages.length; i++) {
    if (!program.pages.has(vpn + i) || !world.store(program, vpn + i, 0, world.bytes(random, P))) return;
  }
});

const storeSome = onRun(1, (world, program, { vpn }, random) => {
  const offset = random.below(P);
  const bytes = world.bytes(random, 1 + random.below(P - offset));
  world.store(program, vpn, offset, bytes);
});

const loadRun = onRun(30, (world, program, { vpn, pages }) => {
  for (let i = 0; i < pages.length && program.process.exitStatus === null; i++) world.check(program, vpn + i);
});

// Advice.

const advise =
  (advice: number, allowed: readonly string[], apply: (page: ShadowPage) => void): Act =>
  (world, program, random) => {
    const run = chooseRun(program, random, 30);
    if (run === null) return;
    const { vpn, pages } = run;
    const code = outcome(() => program.process.madvise(vpn * P, pages.length * P, advice));
    world.expect(program.process, code, ...allowed);
    if (code === "ok") for (const page of pages) apply(page);
  };

const nothing = (): void => {};

const ADVICE: readonly Act[] = [
  advise(MADV_DONTNEED, ["EINVAL"], dropOwn),
  advise(MADV_DONTNEED_LOCKED, ["EINVAL"], dropOwn),
  advise(MADV_FREE, ["EINVAL"], (page) => {
    page.mayBeZero ||= page.own !== null;
  }),
  advise(MADV_FREE, ["EINVAL"], (page) => {
    page.mayBeZero ||= page.own !== null;
  }),
  advise(MADV_COLD, ["EINVAL"], nothing),
  advise(MADV_PAGEOUT, ["EINVAL"], nothing),
  advise(MADV_PAGEOUT, ["EINVAL"], nothing),
  advise(MADV_PAGEOUT, ["EINVAL"], nothing),
  advise(MADV_WILLNEED, ["EINVAL"], nothing),
  advise(MADV_WILLNEED, ["EINVAL"], nothing),
  advise(MADV_POPULATE_READ, ["EINVAL", "EFAULT"], nothing),
  advise(MADV_POPULATE_WRITE, ["EINVAL", "EFAULT"], nothing),
  advise(MADV_RANDOM, ["EINVAL"], nothing),
  advise(MADV_SEQUENTIAL, ["EINVAL"], nothing),
  advise(MADV_NORMAL, ["EINVAL"], nothing),
  advise(MADV_DONTFORK, ["EINVAL"], (page) => {
    page.dontFork = true;
  }),
  advise(MADV_DOFORK, ["EINVAL"], (page) => {
    page.dontFork = false;
  }),
  advise(MADV_WIPEONFORK, ["EINVAL"], (page) => {
    page.wipeOnFork = true;
  }),
  advise(MADV_KEEPONFORK, ["EINVAL"], (page) => {
    page.wipeOnFork = false;
  }),
  onRun(6, (world, program, { vpn, pages }) => {
    if (pages[0]?.wipeOnFork === true) return;
    const code = outcome(() => program.process.madvise(vpn * P, pages.length * P, MADV_GUARD_INSTALL));
    world.expect(program.process, code, "EINVAL");
    if (code === "EINVAL") return;
    for (const [i, page] of pages.entries()) {
      // Without memory for a page table a part is done, as in Linux: which, only the kernel knows.
      const pte = code === "ok" ? PTE_GUARD : world.pteOf(program.process, vpn + i);
      if (pte === 0 || pte === PTE_GUARD) dropOwn(page);
      if (pte === PTE_GUARD) page.hasGuard = true;
    }
  }),
  advise(MADV_GUARD_REMOVE, ["EINVAL"], (page) => {
    page.hasGuard = false;
  }),
  advise(MADV_GUARD_REMOVE, ["EINVAL"], (page) => {
    page.hasGuard = false;
  }),
  onRun(6, (world, program, { vpn, pages }) => {
    const code = outcome(() => program.process.madvise(vpn * P, pages.length * P, MADV_REMOVE));
    world.expect(program.process, code, "EINVAL", "EACCES", "EOPNOTSUPP");
    if (code !== "ok") return;
    for (const { file, index } of pages) file?.pages.delete(index);
  }),
];

/** Whoever maps the pages, they move to other frames. */
const migrate = onRun(30, (world, program, { vpn, pages }) => {
  const { process } = program;
  const code = outcome(() => process.mbind(vpn * P, pages.length * P, MPOL_DEFAULT, [], MPOL_MF_MOVE_ALL));
  world.expect(process, code);
});

const lock = onRun(6, (world, program, { vpn, pages }, random) => {
  const { process } = program;
  const code = outcome(() =>
    random.below(3) === 0
      ? process.mlock(vpn * P, pages.length * P)
      : process.munlock(vpn * P, pages.length * P),
  );
  world.expect(process, code, "EAGAIN");
});

// Files.

interface Choice {
  readonly file: ShadowFile;
  readonly fd: number;
}

function chooseFile(world: World, { fds }: Program, random: Prng): Choice {
  const i = random.below(world.files.length);
  return { file: world.files[i] as ShadowFile, fd: fds[i] as number };
}

/** Where a transfer begins and how long it is: within the file where it is on the disk, and within a page where that may fail. */
function choosePart(world: World, { file }: Choice, random: Prng): [number, number] {
  const isDisk = world.isOnDisk(file);
  const pos = random.below(isDisk ? Math.max(file.size, 1) : 24 * P);
  let most = isDisk ? file.size - pos : 3 * P;
  if (isDisk && world.diskMayFail) most = Math.min(most, P - (pos % P));
  return [pos, Math.max(Math.min(1 + random.below(3 * P), most), 0)];
}

const FILE_ERRORS = ["EFAULT", "ENOSPC", "EIO"];

function writeFile(world: World, program: Program, random: Prng): void {
  const choice = chooseFile(world, program, random);
  const [pos, length] = choosePart(world, choice, random);
  if (length === 0) return;
  const bytes = world.bytes(random, length);
  const done = answer(() => program.process.pwrite(choice.fd, bytes, length, pos));
  if (typeof done === "string") world.expect(program.process, done, ...FILE_ERRORS);
  noteWritten(choice.file, pos, bytes, typeof done === "number" ? done : 0);
}

/** A write that fails at once still makes the file longer, up to where it would have begun: the kernel knows whether it did. */
function noteWritten(file: ShadowFile, pos: number, bytes: Uint8Array, done: number): void {
  for (let at = 0; at < done; ) {
    const offset = (pos + at) % P;
    const n = Math.min(P - offset, done - at);
    file.ownPage((pos + at - offset) / P).set(bytes.subarray(at, at + n), offset);
    at += n;
  }
  if (done > 0) file.size = Math.max(file.size, pos + done);
}

function readFile(world: World, program: Program, random: Prng): void {
  const { file, fd } = chooseFile(world, program, random);
  const index = random.below(Math.ceil(file.size / P) + 1);
  const bytes = new Uint8Array(P);
  const done = answer(() => program.process.pread(fd, bytes, P, index * P));
  if (typeof done === "string") {
    world.expect(program.process, done, "EIO");
    return;
  }
  const want = Math.max(Math.min(P, file.size - index * P), 0);
  if (done !== want) throw new Error(`pread answers ${done}, not ${want}`);
  compareBytes(bytes.subarray(0, done), file.page(index).subarray(0, done), `page ${index} of ${file.path}`);
}

function compareBytes(found: Uint8Array, expected: Uint8Array, name: string): void {
  if (Buffer.compare(found, expected) === 0) return;
  const at = found.findIndex((byte, i) => byte !== expected[i]);
  throw new Error(`byte ${at} of ${name} is ${found[at]}, not ${expected[at]}`);
}

/** pwrite from memory, page by page: its source may be a mapping of the very file. */
const writeFromMemory = onRun(3, (world, program, { vpn, pages }, random) => {
  const choice = chooseFile(world, program, random);
  const [pos, most] = choosePart(world, choice, random);
  const offset = random.below(P);
  const length = Math.min(most, pages.length * P - offset);
  if (length <= 0 || pages.some((page) => page.mayBeZero || page.isUnknown)) return;
  const { file } = choice;
  const done = answer(() => program.process.pwrite(choice.fd, vpn * P + offset, length, pos));
  if (typeof done === "string") world.expect(program.process, done, ...FILE_ERRORS);
  const written = typeof done === "number" ? done : 0;
  world.noteSize(file);
  forEachPiece(written, offset, pos, (at, n) => {
    const page = program.pages.get(vpn + Math.floor((offset + at) / P));
    if (page === undefined || accessTo(page, false) !== "ok")
      throw new Error("a write took what can't be read");
    // Byte by byte from the first one on: both may be the same page.
    const target = file.ownPage(Math.floor((pos + at) / P));
    const source = contentOf(page);
    const [from, to] = [(offset + at) % P, (pos + at) % P];
    for (let i = 0; i < n; i++) target[to + i] = source[from + i];
  });
  if (written > 0) file.size = Math.max(file.size, pos + written);
});

const readToMemory = onRun(3, (world, program, { vpn, pages }, random) => {
  const choice = chooseFile(world, program, random);
  const { file } = choice;
  const pos = random.below(file.size + 1);
  const offset = random.below(P);
  const length = Math.min(1 + random.below(2 * P), pages.length * P - offset, file.size - pos);
  if (length <= 0) return;
  // Of several pages it could not be told what comes first: the bytes, or the loss of a page that they come from.
  if (world.diskMayFail && (offset + length > P || (pos % P) + length > P)) return;
  if (pages.some((page) => page.mayBeZero || (page.isShared && page.file === file))) return;
  const done = answer(() => program.process.pread(choice.fd, vpn * P + offset, length, pos));
  if (typeof done === "string") world.expect(program.process, done, "EFAULT", "EIO");
  forEachPiece(typeof done === "number" ? done : 0, offset, pos, (at, n) => {
    const to = vpn + Math.floor((offset + at) / P);
    const from = (pos + at) % P;
    const bytes = file.page(Math.floor((pos + at) / P)).slice(from, from + n);
    world.applyStore(program, to, (offset + at) % P, bytes);
  });
});

/** The pieces of a transfer that lie in one page on both sides. */
function forEachPiece(
  length: number,
  offset: number,
  pos: number,
  each: (at: number, n: number) => void,
): void {
  for (let at = 0; at < length; ) {
    const n = Math.min(P - ((offset + at) % P), P - ((pos + at) % P), length - at);
    each(at, n);
    at += n;
  }
}

function truncate(world: World, program: Program, random: Prng): void {
  const { file, fd } = chooseFile(world, program, random);
  let size = random.below(26 * P);
  if (world.isOnDisk(file)) size -= size % P;
  const code = outcome(() => program.process.ftruncate(fd, size));
  world.expect(program.process, code, "EIO");
  if (code !== "ok") return;
  const isShorter = size < file.size;
  file.truncate(size);
  if (!isShorter) return;
  for (const { pages } of world.programs) {
    for (const page of pages.values()) {
      if (page.file === file && page.index >= Math.ceil(size / P)) dropOwn(page);
    }
  }
}

function punchHole(world: World, program: Program, random: Prng): void {
  const i = random.below(2);
  const file = world.files[i] as ShadowFile;
  const pos = random.below(20 * P);
  const length = 1 + random.below(5 * P);
  // Of a hole that ends in the first page Linux unmaps all behind it; what private pages show then is another matter.
  const code = outcome(() =>
    program.process.fallocate(
      program.fds[i] as number,
      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
      pos,
      length,
    ),
  );
  world.expect(program.process, code);
  if (code !== "ok") return;
  for (let at = pos; at < pos + length; ) {
    const n = Math.min(P - (at % P), pos + length - at);
    const index = Math.floor(at / P);
    if (n === P) file.pages.delete(index);
    else file.pages.get(index)?.fill(0, at % P, (at % P) + n);
    at += n;
  }
}

function preallocate(world: World, program: Program, random: Prng): void {
  const i = random.below(2);
  const file = world.files[i] as ShadowFile;
  const pos = random.below(20) * P;
  const length = (1 + random.below(6)) * P;
  const code = outcome(() => program.process.fallocate(program.fds[i] as number, 0, pos, length));
  world.expect(program.process, code, "ENOSPC");
  if (code === "ok") file.size = Math.max(file.size, pos + length);
}

function sync(world: World, program: Program, random: Prng): void {
  const { file, fd } = chooseFile(world, program, random);
  const { process } = program;
  if (random.below(3) === 0) {
    process.sync();
    return;
  }
  const code = outcome(() => (random.below(2) === 0 ? process.fsync(fd) : process.fdatasync(fd)));
  if (code === "ok") world.checkAcknowledged(file, 0, Number.POSITIVE_INFINITY);
  else if (!world.diskMayFail) world.expect(process, code);
}

const msync = onRun(20, (world, program, { vpn, pages }, random) => {
  const isSync = random.below(3) > 0;
  const code = outcome(() => program.process.msync(vpn * P, pages.length * P, isSync ? MS_SYNC : MS_ASYNC));
  if (!world.diskMayFail) world.expect(program.process, code);
  const [first] = pages;
  if (code === "ok" && isSync && first?.isShared === true && first.file !== null) {
    world.checkAcknowledged(first.file, first.index, first.index + pages.length - 1);
  }
});

// Between programs.

const processVm = onRun(8, (world, program, { vpn, pages }, random) => {
  const other = world.programs[random.below(world.programs.length)] as Program;
  const run = chooseRun(other, random, 8);
  if (run === null || other === program) return;
  const isWrite = random.below(2) === 0;
  const source = isWrite ? { one: program, run: { vpn, pages } } : { one: other, run };
  const target = isWrite ? { one: other, run } : { one: program, run: { vpn, pages } };
  // Which of several pages it was that could not be found out, nobody could tell.
  if ([...run.pages, ...pages].some((page) => page.mayBeZero || page.isUnknown)) return;
  if (world.diskMayFail && (hasFile(source.run) || hasFile(target.run))) return;
  if (source.run.pages[0]?.file != null && source.run.pages[0].file === target.run.pages[0]?.file) return;
  const offset = random.below(P);
  const length = Math.min(pages.length, run.pages.length) * P - offset;
  const transfer = {
    target: other.process,
    local: [{ base: vpn * P + offset, len: length }],
    remote: [{ base: run.vpn * P, len: length }],
  };
  const { mmu } = world.kernel;
  const { process } = program;
  // Enters the kernel as this process, which the functions below do not do.
  if (outcome(() => void process.getrlimit(0)) !== "ok") return;
  const done = isWrite
    ? sysProcessVmWritev(mmu, process, transfer)
    : sysProcessVmReadv(mmu, process, transfer);
  const [from, to] = isWrite ? [offset, 0] : [0, offset];
  forEachPiece(Math.max(done, 0), from, to, (at, n) => {
    const page = source.run.pages[Math.floor((from + at) / P)] as ShadowPage;
    const bytes = contentOf(page).slice((from + at) % P, ((from + at) % P) + n);
    world.applyStore(target.one, target.run.vpn + Math.floor((to + at) / P), (to + at) % P, bytes);
  });
});

function hasFile({ pages }: Run): boolean {
  return pages.some(({ file }) => file !== null);
}

/** Pages in a pipe, held there while memory gets short. */
const throughPipe = onRun(4, (world, program, { vpn, pages }, random) => {
  const { process } = program;
  if (pages.some((page) => page.mayBeZero || page.isUnknown || accessTo(page, false) !== "ok")) return;
  const [readEnd, writeEnd] = process.pipe2();
  const done = answer(() => process.vmsplice(writeEnd, [[vpn * P, pages.length * P]]));
  if (typeof done === "string") world.expect(process, done, "EFAULT");
  const wanted = pages.map((page) => contentOf(page).slice());
  const hog = world.programs[random.below(world.programs.length)] as Program;
  const run = chooseRun(hog, random, 40);
  if (run !== null && run.pages[0]?.isShared === false) {
    for (let i = 0; i < run.pages.length; i++) {
      if (hog !== program || run.vpn + i < vpn || run.vpn + i >= vpn + pages.length)
        if (!world.store(hog, run.vpn + i, 0, world.bytes(random, P))) break;
    }
  }
  for (let at = 0; typeof done === "number" && at < done; at += P) {
    const bytes = new Uint8Array(P);
    const got = answer(() => process.read(readEnd, bytes, P));
    if (typeof got === "string") {
      world.expect(process, got);
      break;
    }
    if (!world.hasLost) compareBytes(bytes, wanted[at / P] as Uint8Array, "a page in a pipe");
  }
  if (process.exitStatus !== null) return;
  process.close(readEnd);
  process.close(writeEnd);
});

// The machine.

function swapOff(world: World, _program: Program, random: Prng): void {
  const area = world.areas[random.below(world.areas.length)];
  if (area !== undefined) world.swapOff(area);
}

function swapOn(world: World): void {
  const area = world.areas.find(({ isOn }) => !isOn);
  if (area !== undefined) world.swapOn(area);
}

function breakSwap(world: World, _program: Program, random: Prng): void {
  const readsFail = world.setup.swapReadsFail && random.below(3) === 0;
  world.breakSwap(readsFail ? -EIO : 0, -EIO);
}

function group(world: World, program: Program, random: Prng): void {
  const [root, outer, inner] = world.groups;
  if (root === undefined || outer === undefined || inner === undefined) return;
  const one = random.below(2) === 0 ? outer : inner;
  switch (random.below(5)) {
    case 0:
      (world.groups[random.below(3)] ?? root).add(program.process);
      break;
    case 1:
      one.max = random.below(3) === 0 ? Number.POSITIVE_INFINITY : (24 + random.below(100)) * P;
      break;
    case 2:
      one.high = random.below(3) === 0 ? Number.POSITIVE_INFINITY : (16 + random.below(100)) * P;
      break;
    case 3:
      one.swapMax = random.below(3) === 0 ? Number.POSITIVE_INFINITY : random.below(100) * P;
      break;
    default:
      (world.groups[random.below(3)] ?? root).reclaim(random.below(30) * P);
  }
}

function tune(world: World, _program: Program, random: Prng): void {
  const { kernel } = world;
  switch (random.below(6)) {
    case 0:
      kernel.vmscan.swappiness = random.below(201);
      break;
    case 1:
      swapSpace(kernel.phys).pageCluster = random.below(5);
      break;
    case 2:
      kernel.mounts.writeback.dirtyBytes = (1 + random.below(30)) * P;
      break;
    case 3:
      if (!world.diskMayFail) dropPagecache(kernel.phys);
      break;
    default:
      world.ns += random.below(40) * 1e9;
      kernel.runFlusher();
  }
}

const STEPS: readonly (readonly [number, Act])[] = [
  [12, map],
  [3, unmap],
  [3, protect],
  [4, move],
  [20, storeRun],
  [10, storeSome],
  [10, loadRun],
  [22, (world, program, random) => (ADVICE[random.below(ADVICE.length)] as Act)(world, program, random)],
  [3, lock],
  [3, migrate],
  [4, (world, program) => world.fork(program)],
  [1, (world, program) => (world.programs.length > 1 ? world.exit(program) : undefined)],
  [2, (world, _, random) => world.spawn(random.below(3), random.below(3) === 0 ? -1000 : 0)],
  [6, writeFile],
  [6, readFile],
  [6, writeFromMemory],
  [5, readToMemory],
  [2, truncate],
  [1, punchHole],
  [1, preallocate],
  [3, sync],
  [3, msync],
  [4, processVm],
  [3, throughPipe],
  [2, swapOff],
  [3, swapOn],
  [1, breakSwap],
  [2, (world) => world.breakSwap(0, 0)],
  [3, group],
  [3, tune],
];

const TOTAL: number = STEPS.reduce((sum, [weight]) => sum + weight, 0);

/** Does what the dice say. */
export function perform(world: World, program: Program, random: Prng): void {
  let left = random.below(TOTAL);
  for (const [weight, act] of STEPS) {
    left -= weight;
    if (left < 0) {
      act(world, program, random);
      return;
    }
  }
}
