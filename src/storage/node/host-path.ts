/**
 * Names of the host that are not UTF-8. Node takes and gives paths as strings of UTF-8, which such a name is none of; as
 * bytes it has them all. The kernel's strings hold any bytes (mm/vfs/name-bytes.ts), so here they are turned into bytes,
 * and back, where it takes that, and nothing is done where it doesn't.
 */
import fs from "node:fs";
import { decodeName, encodeName } from "../../mm/vfs/name-bytes.ts";

/** A path that Node's fs understands. */
export type HostPath = string | Buffer;

/** What Node puts in place of bytes that it could not read: or a character of the name. */
const REPLACEMENT = "\ufffd";

export function hostPath(path: string): HostPath {
  return path.isWellFormed() ? path : Buffer.from(encodeName(path));
}

/** The other way. */
export function nameOfPath(path: HostPath): string {
  return typeof path === "string" ? path : decodeName(path);
}

/** The names in a directory. Throws Node's errors, as all these do. */
export function hostNames(directory: string): string[] {
  const at = hostPath(directory);
  const names = fs.readdirSync(at);
  return names.some(isDoubtful) ? fs.readdirSync(at, "buffer").map(decodeName) : names;
}

/** Where a symbolic link leads. */
export function hostLink(link: HostPath): string {
  const target = fs.readlinkSync(link);
  return isDoubtful(target) ? decodeName(fs.readlinkSync(link, "buffer")) : target;
}

export function hostRealPath(path: string): string {
  const at = hostPath(path);
  const real = fs.realpathSync.native(at);
  return isDoubtful(real) ? decodeName(fs.realpathSync.native(at, "buffer")) : real;
}

function isDoubtful(text: string): boolean {
  return text.includes(REPLACEMENT);
}
