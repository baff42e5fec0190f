/**
 * Names of UNIX sockets: sockets in the file system, found by their inodes, and abstract names, which begin with a zero
 * byte and are nobody's files.
 */

import { sysMknodat } from "../../mm/syscalls/directory.ts";
import { startAt, walkContext } from "../../mm/syscalls/fd.ts";
import type { Task } from "../../mm/syscalls/task.ts";
import { EADDRINUSE, ECONNREFUSED, EEXIST, EINVAL, ENOSPC, EPROTOTYPE } from "../../mm/uapi/errno.ts";
import { AT_FDCWD, S_IFMT, S_IFSOCK } from "../../mm/uapi/fcntl.ts";
import type { Inode } from "../../mm/vfs/inode.ts";
import { decodeName, encodeName } from "../../mm/vfs/name-bytes.ts";
import { LOOKUP_FOLLOW, pathLookup } from "../../mm/vfs/namei.ts";
import { inodePermission, MAY_WRITE } from "../../mm/vfs/permission.ts";
import { AF_UNIX } from "./constants.ts";
import type { UnixSocket } from "./unix-socket.ts";

/** sa_family, in front of every address. */
const FAMILY_BYTES = 2;
/** struct sockaddr_un */
const SOCKADDR_UN_BYTES: number = FAMILY_BYTES + 108;

/** The address of a socket without a name. */
export const UNNAMED: Uint8Array = new Uint8Array([AF_UNIX, 0]);

/** A name that a socket is bound to. */
export interface UnixName {
  /** struct sockaddr_un, as long as getsockname tells it. */
  readonly address: Uint8Array;
  /** Key among the abstract names; undefined: it is a path. */
  readonly abstract: string | undefined;
}

function keyOf(address: Uint8Array): string {
  return String.fromCharCode(...address.subarray(FAMILY_BYTES));
}

/** 0, or -EINVAL for what is no address of this family (unix_validate_addr). */
export function checkUnixAddress(address: Uint8Array): number {
  const isValid =
    address.length > FAMILY_BYTES &&
    address.length <= SOCKADDR_UN_BYTES &&
    address[0] + address[1] * 256 === AF_UNIX;
  return isValid ? 0 : -EINVAL;
}

function isAbstract(address: Uint8Array): boolean {
  return address[FAMILY_BYTES] === 0;
}

/** The path in an address, which need not end with a zero byte. */
function pathOf(address: Uint8Array): string {
  const end = address.indexOf(0, FAMILY_BYTES);
  return decodeName(address.subarray(FAMILY_BYTES, end < 0 ? undefined : end));
}

export class UnixNames {
  readonly #abstract: Map<string, UnixSocket> = new Map();
  readonly #byInode: WeakMap<Inode, UnixSocket> = new WeakMap();
  #nextAutomatic = 0;

  /** Gives the socket a name (unix_bind_bsd, unix_bind_abstract). */
  bind(task: Task, socket: UnixSocket, address: Uint8Array): UnixName | number {
    if (isAbstract(address)) return this.#bindAbstract(socket, address.slice());
    const path = pathOf(address);
    const made = sysMknodat(task, AT_FDCWD, path, S_IFSOCK | 0o777, 0);
    if (made !== 0) return made === -EEXIST ? -EADDRINUSE : made;
    const inode = inodeAt(task, path, 0);
    if (typeof inode === "number") return inode;
    this.#byInode.set(inode, socket);
    const bytes = encodeName(`${path}\0`);
    const bound = new Uint8Array(FAMILY_BYTES + bytes.length);
    bound[0] = AF_UNIX;
    bound.set(bytes, FAMILY_BYTES);
    return { address: bound, abstract: undefined };
  }

  #bindAbstract(socket: UnixSocket, address: Uint8Array): UnixName | number {
    const abstract = keyOf(address);
    if (this.#abstract.has(abstract)) return -EADDRINUSE;
    this.#abstract.set(abstract, socket);
    return { address, abstract };
  }

  /** Whether there is a file of that name. */
  isTaken(task: Task, address: Uint8Array): boolean {
    return !isAbstract(address) && typeof inodeAt(task, pathOf(address), 0) !== "number";
  }

  /** A name of five hexadecimal digits that nobody has (unix_autobind). */
  bindAutomatically(socket: UnixSocket): UnixName | number {
    for (let tries = 0; tries <= 0xfffff; tries++) {
      const digits = this.#nextAutomatic.toString(16).padStart(5, "0");
      this.#nextAutomatic = (this.#nextAutomatic + 1) & 0xfffff;
      const address = new Uint8Array(FAMILY_BYTES + 6);
      address[0] = AF_UNIX;
      address.set(encodeName(digits), FAMILY_BYTES + 1);
      const name = this.#bindAbstract(socket, address);
      if (typeof name !== "number") return name;
    }
    return -ENOSPC;
  }

  /** A name ends with its socket; a path stays, and leads to nobody. */
  unbind(name: UnixName): void {
    if (name.abstract !== undefined) this.#abstract.delete(name.abstract);
  }

  /** The socket that an address names: ECONNREFUSED nobody, EPROTOTYPE one of another type (unix_find_other). */
  find(task: Task, address: Uint8Array, type: number): UnixSocket | number {
    let found: UnixSocket | undefined;
    if (isAbstract(address)) {
      found = this.#abstract.get(keyOf(address));
    } else {
      const inode = inodeAt(task, pathOf(address), LOOKUP_FOLLOW);
      if (typeof inode === "number") return inode;
      const denied = inodePermission(walkContext(task), inode, MAY_WRITE);
      if (denied !== 0) return denied;
      if ((inode.mode & S_IFMT) === S_IFSOCK) found = this.#byInode.get(inode);
    }
    if (found === undefined || found.isReleased) return -ECONNREFUSED;
    return found.type === type ? found : -EPROTOTYPE;
  }
}

function inodeAt(task: Task, path: string, flags: number): Inode | number {
  const start = startAt(task, AT_FDCWD, path);
  if (typeof start === "number") return start;
  const dentry = pathLookup(walkContext(task), start, path, flags);
  return typeof dentry === "number" ? dentry : dentry.inode;
}
