/** A step `procmap_query` as PROCMAP_QUERY is given it, and what of the answer can be compared. */
import { ARGUMENT_ADDRESS } from "./executor-image.ts";

/** Bytes of struct procmap_query, and the most that is read of one from the future. */
const STRUCT_BYTES = 104;
const MOST_BYTES = 5000;
/** Room for a name, at an address of its own. */
const NAME_ADDRESS: number = ARGUMENT_ADDRESS + 0x2000;
const NAME_BYTES = 300;
/** Among the addresses: a null pointer. */
const NULL_POINTER = -1;

export interface ProcmapCall {
  /** What has to be at ARGUMENT_ADDRESS, and what is there of interest afterwards. */
  readonly bytes: Uint8Array;
  /** The address that the call gets. */
  readonly argument: number;
}

/** @param args address, flags, and if there are more: size, room for a name and its address, address of the structure */
export function procmapCall(args: readonly number[]): ProcmapCall {
  const [addr, flags, size = STRUCT_BYTES, nameSize = 0, nameAt = 0, at = 0] = args;
  const bytes = new Uint8Array(NAME_ADDRESS - ARGUMENT_ADDRESS + NAME_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(size), true);
  view.setBigUint64(8, BigInt(flags), true);
  view.setBigUint64(16, BigInt(addr), true);
  view.setUint32(80, nameSize, true);
  const name = nameAt === NULL_POINTER ? 0 : nameAt || (nameSize === 0 ? 0 : NAME_ADDRESS);
  view.setBigUint64(88, BigInt(name), true);
  // What a structure of an odd size has behind what is known is not zero.
  if (size % 2 === 1 && size > STRUCT_BYTES && size < MOST_BYTES) bytes[size - 1] = 1;
  return { bytes, argument: at || ARGUMENT_ADDRESS };
}
