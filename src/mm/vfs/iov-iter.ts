/**
 * iov_iter: where the bytes of a read go to, or those of a write come from: user memory behind an MMU, or a plain
 * byte array of the library's. File systems and the page cache copy through it and never see which it is.
 *
 * A copy that meets a bad user page stops there: the count returned is short, and the caller reports what was
 * transferred, or EFAULT where nothing was.
 */
export interface IovIter {
  /** Whether the bytes would lie outside user space, whatever is mapped (access_ok fails): the call answers EFAULT. */
  readonly isOutside?: boolean;
  /** Whether each segment's part of the next `length` bytes is a multiple of n bytes long; absent: there is one segment. */
  segmentsAlign?(n: number, length: number): boolean;
  /**
   * Makes the pages of the next `length` bytes resident, to be written or read, as storage wants them that copies to and from
   * them itself (pin_user_pages_fast). How many bytes lie before the first bad page; absent: none is bad.
   */
  pin?(length: number, write: boolean): number;
  /** Bytes left. */
  readonly count: number;
  /** Copies up to n bytes from RAM at byte address `ram` to the destination and advances; answers how many. */
  copyToIter(ram: number, n: number): number;
  /** Copies up to n bytes of the source into RAM at byte address `ram` and advances; answers how many. */
  copyFromIter(ram: number, n: number): number;
  /** As copyFromIter, but stops at a page that is not there, without a fault; absent: all of them are. */
  copyFromIterAtomic?(ram: number, n: number): number;
  /** Lets the pages of the next n bytes be there; how many bytes lie before the first that can't. Absent: all are there. */
  faultInReadable?(n: number): number;
  /** Writes up to n zero bytes to the destination and advances; answers how many (reads of a hole). */
  zeroIter(n: number): number;
  /** Copies bytes that lie outside RAM to the destination and advances; answers how many. */
  copyBytesToIter(bytes: Uint8Array): number;
  /** Takes up to bytes.length bytes of the source into `bytes` and advances; answers how many. */
  copyBytesFromIter(bytes: Uint8Array): number;
  /** Takes back the last n bytes of advance. */
  revert(n: number): void;
}
