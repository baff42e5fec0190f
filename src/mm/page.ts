/**
 * Page geometry and the number flavours of the memory subsystem.
 *
 * A virtual address is a plain JS number: user addresses have 47 bits, and a double is exact to 2^53. The
 * flavours below cost nothing at run time: a plain number may be used as any of them, but one flavour never as
 * another, so that a frame number can't be passed where an address is meant.
 */

declare const flavour: unique symbol;

/** A user virtual address in bytes, 0 … 2^47. */
export type Vaddr = number & { readonly [flavour]?: "Vaddr" };
/** A page frame number: the byte address of the frame in RAM divided by PAGE_SIZE. 0 means "no frame". */
export type Pfn = number & { readonly [flavour]?: "Pfn" };
/** An offset in a file in pages. */
export type PgOff = number & { readonly [flavour]?: "PgOff" };

/** log2 of the page size: a constant of the build. */
export const PAGE_SHIFT: number = 12;
/** Bytes in a page. */
export const PAGE_SIZE: number = 1 << PAGE_SHIFT;
/** Offset bits within a page. */
export const PAGE_OFFSET_MASK: number = PAGE_SIZE - 1;

// The bit operators below take a number's low 32 bits, whatever its size, and compile to one instruction; the
// remainder of a number beyond 2^31 is a call of fmod.

/** `addr` rounded down to a page boundary. Exact for 0 … 2^53. */
export function pageAlignDown(addr: number): number {
  return addr - (addr & PAGE_OFFSET_MASK);
}

/** `addr` rounded up to a page boundary. Exact for 0 … 2^53 − PAGE_SIZE. */
export function pageAlign(addr: number): number {
  const rest = addr & PAGE_OFFSET_MASK;
  return rest === 0 ? addr : addr - rest + PAGE_SIZE;
}

/** The offset of `addr` in its page. */
export function offsetInPage(addr: number): number {
  return addr & PAGE_OFFSET_MASK;
}

/** Whether `addr` lies on a page boundary. */
export function isPageAligned(addr: number): boolean {
  return (addr & PAGE_OFFSET_MASK) === 0;
}
