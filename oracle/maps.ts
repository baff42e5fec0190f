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
    if (start >= USER_TOP || (start >= DATA_ADDRESS && start < START_BREAK)) continue;
    // The host's executor has no stack, but the kernel still calls what lies in its place by that name.
    const name = found[5] === "[stack]" ? "" : found[5];
    const directory = directories.find((path) => name.startsWith(path)) ?? "";
    mappings.push({
      start,
      end: Number.parseInt(found[2], 16),
      perms: found[3],
      offset: Number.parseInt(found[4], 16),
      name: name.slice(directory.length),
    });
  }
  return mappings;
}

/** One line per mapping: start-end perms offset name. */
export function formatMaps(mappings: readonly Mapping[]): string {
  return mappings
    .map(({ start, end, perms, offset, name }) =>
      `${start.toString(16)}-${end.toString(16)} ${perms} ${offset.toString(16)} ${name}`.trimEnd(),
    )
    .join("\n");
}

/** What lies in memory alone. */
const CERTAIN_NAME = /^\/(dev\/zero|memfd:|shm\d|noexec\d|SYSV|anon_hugepage)/;

/** Whether which pages are resident follows from the program alone, and not from readahead of the storage. */
export function hasCertainResidency(mapping: Mapping): boolean {
  if (mapping.name === "" || mapping.name === "[heap]") return true;
  return CERTAIN_NAME.test(mapping.name);
}
