/** /proc/PID/maps as the oracle compares it: without device and inode, without the executor's own areas. */
import { DATA_ADDRESS, START_BREAK } from "./executor-image.ts";

export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly perms: string;
  readonly offset: number;
  readonly name: string;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ \d+ *(.*)$/;
/** Above it lies only the kernel's vsyscall page, which no call can change. */
const USER_TOP = 2 ** 47;

/** The mappings that a process has made; the directories are taken off the front of its files' names. */
export function parseMaps(text: string, directories: readonly string[]): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const found = LINE.exec(line);
    if (found === null) throw new Error(`not a line of maps: ${line}`);
    const start = Number.parseInt(found[1], 16);
    if (start >= USER_TOP || isExecutors(start)) continue;
    // The host's executor has no stack, but the kernel still calls what lies in its place by that name.
    const name = found[5] === "[stack]" ? "" : found[5];
    mappings.push({
      start,
      end: Number.parseInt(found[2], 16),
      perms: found[3],
      offset: Number.parseInt(found[4], 16),
      name: withoutDirectory(name, directories),
    });
  }
  return mappings;
}

/** Whether what begins there is the executor's own. */
function isExecutors(start: number): boolean {
  return start >= DATA_ADDRESS && start < START_BREAK;
}

function withoutDirectory(name: string, directories: readonly string[]): string {
  const directory = directories.find((path) => name.startsWith(path)) ?? "";
  return name.slice(directory.length);
}

/** One line per mapping: start-end perms offset name. */
export function formatMaps(mappings: readonly Mapping[]): string {
  return mappings
    .map(({ start, end, perms, offset, name }) =>
      `${start.toString(16)}-${end.toString(16)} ${perms} ${offset.toString(16)} ${name}`.trimEnd(),
    )
    .join("\n");
}

/** A link in /proc/PID/map_files, where it leads, and what is found there. */
export interface MapFile {
  readonly name: string;
  readonly target: string;
  readonly found: { readonly mode: number; readonly size: number };
}

/**
 * One line per link of a mapping that the process has made, directories taken off as by parseMaps. The permissions of the
 * link itself are not compared: Linux keeps those of an earlier mapping of the same range while the name is cached.
 */
export function formatMapFiles(files: readonly MapFile[], directories: readonly string[]): string[] {
  return files
    .filter(({ name }) => !isExecutors(Number.parseInt(name, 16)))
    .sort((a, b) => Number.parseInt(a.name, 16) - Number.parseInt(b.name, 16))
    .map(
      ({ name, target, found: { mode, size } }) =>
        `${name} -> ${withoutDirectory(target, directories)}, ${mode.toString(8)}, ${size} bytes`,
    );
}

/** What lies in memory alone. */
const CERTAIN_NAME = /^\/(dev\/zero|memfd:|shm\d|noexec\d|SYSV|anon_hugepage)/;

/** Whether which pages are resident follows from the program alone, and not from readahead of the storage. */
export function hasCertainResidency(mapping: Mapping): boolean {
  if (mapping.name === "" || mapping.name === "[heap]") return true;
  return CERTAIN_NAME.test(mapping.name);
}
