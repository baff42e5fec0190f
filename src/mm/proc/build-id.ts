/**
 * The build identifier of an ELF file: bytes that its linker put into a note, by which debuggers and profilers find the
 * symbols that belong to it (lib/buildid.c).
 *
 * The file is whatever somebody mapped: every offset and size in it is checked before it is used.
 */
import { filemapReadPage } from "../filemap/filemap.ts";
import { findGetPage } from "../filemap/page-cache.ts";
import { PAGE_SIZE } from "../page.ts";
import type { AddressSpace } from "../vfs/address-space.ts";

/** The longest identifier there is, that of SHA-1 (BUILD_ID_SIZE_MAX). */
export const BUILD_ID_SIZE_MAX = 20;
/** Program headers that are looked at (MAX_PHDR_CNT). */
const MAX_PHDR_COUNT = 256;
/** Notes of one segment that are looked at: a file may be nothing but empty ones, however long it is. */
const MAX_NOTES = 65536;

const ELF_MAGIC = 0x464c457f;
const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const EV_CURRENT = 1;
const PT_NOTE = 4;
const NT_GNU_BUILD_ID = 3;
const NOTE_HEADER_BYTES = 12;
/** "GNU" with its NUL, as a little-endian word. */
const GNU = 0x00554e47;
const HALF = 2 ** 32;

/** Where the two classes of ELF have what is needed: offset and count of program headers, and the fields of one. */
const LAYOUTS = {
  [ELFCLASS32]: { header: 52, phoff: 28, phnum: 44, entry: 32, offset: 4, filesz: 16, isWide: false },
  [ELFCLASS64]: { header: 64, phoff: 32, phnum: 56, entry: 56, offset: 8, filesz: 32, isWide: true },
} as const;

/** The identifier, or null for a file that has none. */
export function buildIdOf(mapping: AddressSpace): Uint8Array | null {
  const ident = readCached(mapping, 0, 16);
  if (ident === null || ident.getUint32(0, true) !== ELF_MAGIC || ident.getUint8(6) !== EV_CURRENT)
    return null;
  const kind = ident.getUint8(4);
  if (kind !== ELFCLASS32 && kind !== ELFCLASS64) return null;
  const layout = LAYOUTS[kind];
  const header = readCached(mapping, 0, layout.header);
  if (header === null) return null;
  const word = (view: DataView, at: number): number =>
    layout.isWide ? view.getUint32(at + 4, true) * HALF + view.getUint32(at, true) : view.getUint32(at, true);
  const phoff = word(header, layout.phoff);
  const count = Math.min(header.getUint16(layout.phnum, true), MAX_PHDR_COUNT);
  for (let i = 0; i < count; i++) {
    const entry = readCached(mapping, phoff + i * layout.entry, layout.entry);
    if (entry === null) return null;
    if (entry.getUint32(0, true) !== PT_NOTE) continue;
    const id = findInNotes(mapping, word(entry, layout.offset), word(entry, layout.filesz));
    if (id !== null) return id;
  }
  return null;
}

/** parse_build_id: notes one behind the other, name and content each rounded up to four bytes. */
function findInNotes(mapping: AddressSpace, start: number, size: number): Uint8Array | null {
  const end = start + size;
  let at = start;
  for (let notes = 0; notes < MAX_NOTES && end - at > NOTE_HEADER_BYTES; notes++) {
    const note = readCached(mapping, at, NOTE_HEADER_BYTES + 4);
    if (note === null) return null;
    const nameBytes = note.getUint32(0, true);
    const bytes = note.getUint32(4, true);
    const content = at + NOTE_HEADER_BYTES + roundUp4(nameBytes);
    const next = content + roundUp4(bytes);
    if (next > end) return null;
    const isBuildId =
      note.getUint32(8, true) === NT_GNU_BUILD_ID && nameBytes === 4 && note.getUint32(12, true) === GNU;
    if (isBuildId && bytes > 0 && bytes <= BUILD_ID_SIZE_MAX) {
      const id = readCached(mapping, content, bytes);
      return id === null ? null : new Uint8Array(id.buffer);
    }
    at = next;
  }
  return null;
}

function roundUp4(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** `length` bytes of the file at `offset`, by the page cache; null when they are not all there. */
function readCached(mapping: AddressSpace, offset: number, length: number): DataView | null {
  const { phys, host } = mapping;
  if (offset + length > host.size) return null;
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const at = (offset + done) % PAGE_SIZE;
    const n = Math.min(PAGE_SIZE - at, length - done);
    const index = Math.floor((offset + done) / PAGE_SIZE);
    // A hole of a file that lives in memory stays one.
    const pfn = mapping.canWriteback ? filemapReadPage(mapping, index) : findGetPage(mapping, index);
    if (pfn <= 0) return null;
    const ram = pfn * PAGE_SIZE + at;
    bytes.set(phys.ram.u8.subarray(ram, ram + n), done);
    phys.putPage(pfn);
    done += n;
  }
  return new DataView(bytes.buffer);
}
