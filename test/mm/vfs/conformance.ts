/**
 * One suite for every file system: operations on a small tree, whose outcomes must be those of the host kernel.
 *
 * The tree: file f, directory d with file d/x, empty directory e, links to each of them, to nothing, in a circle, with
 * a slash at the end, and a chain as long as Linux follows, and one longer.
 */
import {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_TRUNC,
} from "../../../src/mm/uapi/fcntl.ts";
import type { FileActor } from "./actors.ts";

export function buildTree(actor: FileActor): void {
  actor.open("f", 0o102 | O_TRUNC, 0o644);
  actor.truncate("f", 5);
  actor.mkdir("d", 0o755);
  actor.open("d/x", 0o102, 0o600);
  actor.mkdir("e", 0o755);
  actor.symlink("f", "lf");
  actor.symlink("d", "ld");
  actor.symlink("../f", "d/up");
  actor.symlink("nothing", "ln");
  actor.symlink("loop2", "loop1");
  actor.symlink("loop1", "loop2");
  actor.symlink("f/", "lfs");
  actor.symlink("d/", "lds");
  actor.symlink("nothing/", "lns");
  actor.symlink(".", "dot");
  actor.symlink("f", "chain0");
  for (let i = 1; i <= 40; i++) actor.symlink(`chain${i - 1}`, `chain${i}`);
}

const LONG_NAME = "n".repeat(255);
export const PATHS: readonly string[] = [
  "f",
  "f/",
  "f/x",
  "d",
  "d/",
  "d/.",
  "d/..",
  "d/x",
  "d/x/..",
  "d//x",
  "d/up",
  "e",
  "nx",
  "nx/",
  "nx/y",
  "d/nx",
  "lf",
  "lf/",
  "ld",
  "ld/",
  "ld/x",
  "ln",
  "ln/",
  "loop1",
  "loop1/x",
  "lfs",
  "lds",
  "lns",
  "dot/dot/f",
  "chain39",
  "chain40",
  ".",
  "..",
  "",
  LONG_NAME,
  `${LONG_NAME}n`,
  `e/${LONG_NAME}n`,
  `${"./".repeat(2046)}f`,
  `${"./".repeat(2047)}f`,
  `${"é".repeat(127)}x`,
  "é".repeat(128),
];

/** What O_CREAT may have made in the tree. */
const CREATED: readonly string[] = ["nx", "d/nx", "nothing", LONG_NAME, `${"é".repeat(127)}x`];

/** Every outcome of opening `path` in any way: one line for each, as "flags: outcome". */
export function openOutcomes(actor: FileActor, path: string): string[] {
  const options = [O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_APPEND];
  const lines: string[] = [];
  for (let chosen = 0; chosen < 1 << options.length; chosen++) {
    for (let access = 0; access < 4; access++) {
      let flags = access;
      for (const [bit, option] of options.entries()) if ((chosen & (1 << bit)) !== 0) flags |= option;
      const result = actor.open(path, flags, 0o640);
      lines.push(`${flags.toString(8)}: ${result}`);
      if (result === "ok" && (flags & O_CREAT) !== 0) for (const name of CREATED) actor.unlink(name);
    }
  }
  return lines;
}

type Operation = (actor: FileActor) => string;

/** Operations with one path, and what the tree looks like afterwards. */
export const SINGLE_OPERATIONS: Readonly<Record<string, (path: string) => Operation>> = {
  mkdir: (path) => (actor) => actor.mkdir(path, 0o751),
  unlink: (path) => (actor) => actor.unlink(path),
  rmdir: (path) => (actor) => actor.rmdir(path),
  symlink: (path) => (actor) => actor.symlink("target", path),
  readlink: (path) => (actor) => actor.readlink(path),
  truncate: (path) => (actor) => actor.truncate(path, 3),
  access: (path) => (actor) => actor.access(path, 7),
  chmod: (path) => (actor) => actor.chmod(path, 0o4711),
  stat: (path) => (actor) => actor.stat(path),
  lstat: (path) => (actor) => actor.lstat(path),
};

export const PAIR_OPERATIONS: Readonly<Record<string, (from: string, to: string) => Operation>> = {
  rename: (from, to) => (actor) => actor.rename(from, to),
  link: (from, to) => (actor) => actor.link(from, to),
};

export const PAIR_PATHS: readonly string[] = [
  "f",
  "f/",
  "d",
  "d/",
  "d/x",
  "d/sub",
  "d/..",
  "e",
  "e/",
  "e/y",
  "nx",
  "nx/",
  "lf",
  "ld",
  "ld/",
  "lds",
  "ln",
  "loop1",
  ".",
  "",
];

/** The state of the tree in words: what a changed name or link count would show. */
export function survey(actor: FileActor): string {
  const names = [
    "f",
    "d",
    "d/x",
    "d/sub",
    "d/sub/x",
    "e",
    "e/y",
    "e/y/x",
    "nx",
    "nx/x",
    "lf",
    "ld",
    "ln",
    "loop1",
    "nothing",
  ];
  return names.map((name) => `${name} ${actor.lstat(name)}`).join("\n");
}

/** The user of the permission tests, and its group. */
export const USER = 1000;

/** Directories and files that root made, with permission for some, and a sticky directory with a file of each. */
export function buildPermissionTree(actor: FileActor): void {
  const dirs: readonly (readonly [string, number])[] = [
    ["private", 0o700],
    ["search", 0o711],
    ["list", 0o744],
    ["open", 0o777],
    ["sticky", 0o1777],
    ["group", 0o2775],
  ];
  for (const [name, mode] of dirs) {
    actor.mkdir(name, 0o755);
    for (const [file, bits] of [
      ["x", 0o644],
      ["secret", 0o600],
      ["all", 0o666],
      ["run", 0o711],
    ] as const) {
      actor.open(`${name}/${file}`, 0o102, 0o600);
      actor.chmod(`${name}/${file}`, bits);
    }
    actor.mkdir(`${name}/sub`, 0o755);
    actor.open(`${name}/mine`, 0o102, 0o600);
    actor.chown(`${name}/mine`, USER, USER);
    actor.chmod(name, mode);
  }
  actor.chown("group", 0, USER);
  actor.chmod("group", 0o2775);
}

const DIRS: readonly string[] = ["private", "search", "list", "open", "sticky", "group"];

/** Every name that the operations below may change. */
export const PERMISSION_NAMES: readonly string[] = DIRS.flatMap((dir) =>
  ["", "/x", "/secret", "/all", "/run", "/mine", "/sub", "/new"].map((name) => dir + name),
);

/** What the user tries, in order: later ones see what earlier ones did, on both sides. */
export const PERMISSION_OPERATIONS: readonly (readonly [string, Operation])[] = DIRS.flatMap((dir) => {
  const list: (readonly [string, Operation])[] = [];
  for (const file of ["x", "secret", "all", "run", "mine", "nx"]) {
    for (const flags of [0, 1, 2, 3, O_TRUNC, O_PATH, 1 | O_APPEND, 0o1000000]) {
      list.push([`open ${dir}/${file} ${flags}`, (actor) => actor.open(`${dir}/${file}`, flags, 0)]);
    }
    list.push([`chmod ${dir}/${file}`, (actor) => actor.chmod(`${dir}/${file}`, 0o6755)]);
    list.push([`chown ${dir}/${file}`, (actor) => actor.chown(`${dir}/${file}`, 0, 0)]);
    list.push([`chgrp ${dir}/${file}`, (actor) => actor.chown(`${dir}/${file}`, USER, USER)]);
  }
  list.push(
    [`list ${dir}`, (actor) => actor.open(dir, O_DIRECTORY, 0)],
    [`create ${dir}`, (actor) => actor.open(`${dir}/new`, 0o102, 0o444)],
    [`create again ${dir}`, (actor) => actor.open(`${dir}/new`, 0o102, 0o444)],
    [`unlink new ${dir}`, (actor) => actor.unlink(`${dir}/new`)],
    [`mkdir ${dir}`, (actor) => actor.mkdir(`${dir}/new`, 0o777)],
    [`rmdir ${dir}`, (actor) => actor.rmdir(`${dir}/new`)],
    [`symlink ${dir}`, (actor) => actor.symlink("x", `${dir}/new`)],
    [`unlink link ${dir}`, (actor) => actor.unlink(`${dir}/new`)],
    [`rename x ${dir}`, (actor) => actor.rename(`${dir}/x`, `${dir}/new`)],
    [`rename mine ${dir}`, (actor) => actor.rename(`${dir}/mine`, `${dir}/new`)],
    [`replace ${dir}`, (actor) => actor.rename(`${dir}/all`, `${dir}/run`)],
    [`rmdir sub ${dir}`, (actor) => actor.rmdir(`${dir}/sub`)],
    [`unlink ${dir}`, (actor) => actor.unlink(`${dir}/secret`)],
  );
  return list;
});
