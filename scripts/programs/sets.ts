/** Which programs there are to get, in sets: what a test needs, and what else its programs don't start without. */

import { createHash } from "node:crypto";

/** A set of programs, and the package of its name in Debian or the registry of npm. */
export interface ProgramSet {
  /** Debian packages for riscv64; what they depend on comes with them. */
  readonly riscv64: readonly string[];
  /** The same programs for this machine's own processor, which the tests compare with. */
  readonly native: readonly string[];
  /** Packages of the npm registry, with version. */
  readonly npm: readonly string[];
}

/** What every program finds in its file system: the links /bin and /lib, users, and the C.UTF-8 locale. */
const BASE = ["base-files", "base-passwd", "libc-bin"];

/** Of which the tests want both builds. */
const SMALL_BOTH = [
  ...BASE,
  "bash",
  "busybox-static",
  "coreutils",
  "dash",
  "grep",
  "lmdb-utils",
  // The native one compiles the library of both.
  "python3",
  "redis-server",
  "redis-tools",
  "sed",
  "sqlite3",
];

const SMALL: ProgramSet = {
  // What these print natively stands in the tests.
  riscv64: [...SMALL_BOTH, "memtester", "stress-ng"],
  native: SMALL_BOTH,
  npm: ["esbuild@0.28.2", "@esbuild/linux-riscv64@0.28.2"],
};

const ALL: ProgramSet = {
  riscv64: [...SMALL.riscv64, "fio", "findutils", "libpython3.13-testsuite", "lua5.4", "nodejs", "perl-base"],
  native: [...SMALL.native, "fio", "findutils", "lua5.4", "memtester", "perl-base", "stress-ng"],
  npm: SMALL.npm,
};

export const SETS: Readonly<Record<string, ProgramSet>> = { small: SMALL, all: ALL };

/**
 * Dependencies that no program of the sets loads: graphics drivers (stress-ng names a library that loads them on a screen),
 * and what only the scripts of an installation use. They would be three quarters of all bytes.
 */
export const LEFT_OUT: readonly RegExp[] = [
  /^mesa-/,
  /^libllvm/,
  /^libegl-mesa/,
  /^libz3-/,
  /^libdrm-amdgpu/,
  /^adduser$/,
  /^apt$/,
  /^ca-certificates$/,
  /^debconf/,
  /^dpkg$/,
  /^libapt-pkg/,
  /^libsemanage/,
  /^libsepol/,
  /^openssl/,
  /^passwd$/,
  /^sqv$/,
];

/** A name of the set as it is written here, so that one that was added to is got again. */
export function setKey(name: string, set: ProgramSet): string {
  const text = JSON.stringify([set, LEFT_OUT.map(String)]);
  return `${name} ${createHash("sha256").update(text).digest("hex").slice(0, 16)}`;
}
