/** The same steps on Faultline and on the host's kernel: smaps, numa_maps and pagemap say the same of the same memory. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { hostArch } from "../../../oracle/host-arch.ts";
import { Kernel, procFs, validate } from "../../../src/mm/index.ts";
import { runSteps } from "./steps.ts";

const PRIVATE = 2;
const SHARED = 1;
const RW = 3;
const A = 0x600000000000;
const B = 0x600002000000;
const PAGE = 4096;

const SCENARIOS: Readonly<Record<string, readonly string[]>> = {
  "anonymous memory, untouched, read and written": [
    `map ${A} ${16 * PAGE} ${RW} ${PRIVATE} -1`,
    "show",
    `read ${A} 8`,
    "show",
    `pagemap ${A} 16`,
    `write ${A} 4`,
    "show",
    `pagemap ${A} 16`,
  ],
  "a fork shares pages until one writes": [
    `map ${A} ${16 * PAGE} ${RW} ${PRIVATE} -1`,
    `write ${A} 10`,
    "fork",
    "show",
    `pagemap ${A} 12`,
    "fork",
    "show",
    `write ${A} 3`,
    "show",
    `pagemap ${A} 12`,
    "reap",
    "reap",
    "show",
    `pagemap ${A} 12`,
  ],
  "a memfd, shared and private": [
    `memfd some=name ${16 * PAGE}`,
    `map ${A} ${16 * PAGE} ${RW} ${SHARED} 0`,
    `map ${B} ${16 * PAGE} ${RW} ${PRIVATE} 0`,
    "show",
    `write ${A} 4`,
    "show",
    `read ${B} 1`,
    "show",
    `write ${B} 2`,
    "show",
    `pagemap ${A} 8`,
    `pagemap ${B} 8`,
    "fork",
    "show",
    `pagemap ${A} 8`,
    `pagemap ${B} 8`,
  ],
  "shared anonymous memory": [
    `map ${A} ${8 * PAGE} ${RW} ${SHARED} -1`,
    `write ${A} 3`,
    "fork",
    "show",
    `pagemap ${A} 8`,
  ],
  "protection and advice show in the flags": [
    `map ${A} ${8 * PAGE} ${RW} ${PRIVATE} -1`,
    `map ${A + 8 * PAGE} ${PAGE} 0 ${PRIVATE} -1`,
    `map ${A + 10 * PAGE} ${PAGE} 5 ${PRIVATE} -1`,
    `map ${A + 12 * PAGE} ${2 * PAGE} ${RW} ${PRIVATE | 0x4000} -1`,
    `advise ${A} ${PAGE} 1`,
    `advise ${A + PAGE} ${PAGE} 2`,
    `advise ${A + 2 * PAGE} ${PAGE} 10`,
    `advise ${A + 3 * PAGE} ${PAGE} 16`,
    `advise ${A + 4 * PAGE} ${PAGE} 18`,
    `protect ${A + 5 * PAGE} ${PAGE} 1`,
    `write ${A + 6 * PAGE} 1`,
    `protect ${A + 6 * PAGE} ${PAGE} 0`,
    "show",
    `pagemap ${A} 14`,
  ],
  "guard pages": [
    `map ${A} ${8 * PAGE} ${RW} ${PRIVATE} -1`,
    `write ${A} 8`,
    `advise ${A + 2 * PAGE} ${3 * PAGE} 102`,
    "show",
    `pagemap ${A} 8`,
    // The flag goes over to what it is merged with, and stays when the guards go.
    `map ${A + 8 * PAGE} ${4 * PAGE} ${RW} ${PRIVATE} -1`,
    `advise ${A + 2 * PAGE} ${3 * PAGE} 103`,
    "show",
    `unmap ${A} ${8 * PAGE}`,
    `map ${A + 12 * PAGE} ${4 * PAGE} ${RW} ${PRIVATE} -1`,
    `protect ${A + 10 * PAGE} ${PAGE} 1`,
    "show",
    `protect ${A + 10 * PAGE} ${PAGE} 3`,
    "show",
  ],
  "locked memory": [
    `map ${A} ${8 * PAGE} ${RW} ${PRIVATE} -1`,
    `lock ${A} ${4 * PAGE}`,
    "show",
    "fork",
    "show",
  ],
  "clear_refs forgets which pages were used": [
    `memfd f ${4 * PAGE}`,
    `map ${A} ${4 * PAGE} ${RW} ${PRIVATE} -1`,
    `map ${B} ${4 * PAGE} ${RW} ${SHARED} 0`,
    `write ${A} 4`,
    `write ${B} 4`,
    "clear 3",
    "show",
    "clear 1",
    "show",
  ],
  "what was unmapped is gone, and a split mapping is two": [
    `map ${A} ${8 * PAGE} ${RW} ${PRIVATE} -1`,
    `write ${A} 8`,
    `unmap ${A + 3 * PAGE} ${PAGE}`,
    `advise ${A} ${PAGE} 4`,
    "show",
    `pagemap ${A} 8`,
  ],
  "mem writes what its owner may only read, in a copy": [
    `memfd f ${4 * PAGE}`,
    `map ${A} ${4 * PAGE} 1 ${PRIVATE} 0`,
    `map ${B} ${4 * PAGE} 1 ${SHARED} 0`,
    `map ${B + 16 * PAGE} ${2 * PAGE} 0 ${PRIVATE} -1`,
    `poke ${A}`,
    `poke ${B}`,
    `poke ${B + 16 * PAGE}`,
    `poke ${B + 64 * PAGE}`,
    "show",
    `pagemap ${A} 4`,
    `pagemap ${B + 16 * PAGE} 2`,
  ],
};

/** The fields of a PAGEMAP_SCAN that asks for everything between A and A + 96 pages, but for those given. */
function scan(fields: Readonly<Record<string, number | bigint>> = {}): string {
  const all = {
    size: 96,
    flags: 0,
    start: A,
    end: A + 96 * PAGE,
    walkEnd: 0,
    vec: 1,
    vecLen: 512,
    maxPages: 0,
    inverted: 0,
    mask: 0,
    anyOf: 0,
    returned: 0x1ff,
    ...fields,
  };
  return `scan ${Object.values(all).join(" ")}`;
}

const SCANS: readonly string[] = [
  scan(),
  scan({ mask: 8 }),
  scan({ mask: 8, inverted: 8 }),
  scan({ mask: 4 }),
  scan({ mask: 2, returned: 2 }),
  scan({ mask: 2 }),
  scan({ mask: 16, returned: 16 }),
  scan({ mask: 0x100, returned: 0x100 }),
  scan({ anyOf: 4 | 32 }),
  scan({ anyOf: 2, inverted: 2 }),
  scan({ mask: 1 }),
  scan({ mask: 1, inverted: 1 }),
  scan({ mask: 0x40 }),
  scan({ mask: 0x80 }),
  scan({ returned: 0 }),
  scan({ vecLen: 1 }),
  scan({ vecLen: 2 }),
  scan({ vecLen: 3, mask: 8 }),
  scan({ vecLen: 0 }),
  scan({ vec: 0 }),
  scan({ vec: 0, vecLen: 0 }),
  scan({ vec: 8 }),
  scan({ vec: -8n }),
  scan({ vecLen: 1n << 62n }),
  ...[1, 2, 3, 4, 5, 20, 500].flatMap((maxPages) => [scan({ maxPages }), scan({ maxPages, mask: 8 })]),
  scan({ flags: 1 }),
  scan({ flags: 2 }),
  scan({ flags: 3 }),
  scan({ flags: 4 }),
  scan({ flags: 1n << 32n }),
  scan({ flags: 2, start: A - 64 * PAGE, end: A }),
  scan({ flags: 1, vec: 0, vecLen: 0 }),
  scan({ size: 95 }),
  scan({ size: 104 }),
  scan({ mask: 0x200 }),
  scan({ inverted: 0x200 }),
  scan({ anyOf: 1n << 40n }),
  scan({ returned: 0x200 }),
  scan({ start: A + 1 }),
  scan({ end: A + PAGE + 1 }),
  scan({ end: A }),
  scan({ end: A - PAGE }),
  scan({ end: 0x7ffffffff001 }),
  scan({ end: -1n }),
  scan({ start: A - 64 * PAGE, end: A + 2 * PAGE }),
  scan({ start: A - 64 * PAGE, end: A + 2 * PAGE, mask: 8, inverted: 8 }),
];

const SCAN_SCENARIOS: Readonly<Record<string, readonly string[]>> = {
  "PAGEMAP_SCAN of memory of every kind": [
    `map ${A} ${16 * PAGE} ${RW} ${PRIVATE} -1`,
    `write ${A} 4`,
    `read ${A + 5 * PAGE} 2`,
    `advise ${A + 8 * PAGE} ${2 * PAGE} 102`,
    `memfd f ${8 * PAGE}`,
    `map ${A + 16 * PAGE} ${8 * PAGE} ${RW} ${SHARED} 0`,
    `write ${A + 17 * PAGE} 1`,
    `map ${A + 24 * PAGE} ${8 * PAGE} ${RW} ${PRIVATE} 0`,
    `write ${A + 24 * PAGE} 1`,
    `read ${A + 25 * PAGE} 1`,
    `map ${A + 40 * PAGE} ${8 * PAGE} 0 ${PRIVATE} -1`,
    ...SCANS,
  ],
  "PAGEMAP_SCAN over tables that are not there": [
    `map ${A} ${2048 * PAGE} ${RW} ${PRIVATE} -1`,
    `write ${A + 768 * PAGE} 1`,
    `map ${A + 16384 * PAGE} ${2048 * PAGE} 1 ${PRIVATE} -1`,
    ...[0, 100, 512, 600, 768, 769, 2048, 4096].flatMap((maxPages) => [
      scan({ end: A + 32768 * PAGE, maxPages }),
      scan({ end: A + 32768 * PAGE, maxPages, mask: 8, inverted: 8 }),
      scan({ end: A + 32768 * PAGE, maxPages, mask: 2, returned: 2 }),
    ]),
    `unmap ${A + 768 * PAGE} ${PAGE}`,
    scan({ end: A + 32768 * PAGE }),
    `map ${A + 768 * PAGE} ${PAGE} ${RW} ${PRIVATE} -1`,
    `write ${A + 768 * PAGE} 1`,
    `advise ${A + 768 * PAGE} ${PAGE} 4`,
    scan({ end: A + 32768 * PAGE }),
  ],
};

/** Why this host can't tell; undefined when it can. */
function obstacle(): string | undefined {
  if (os.platform() !== "linux" || os.arch() !== "x64") return "not x86-64 Linux";
  if (!os.release().startsWith("6.18.")) return `the host runs ${os.release()}, not 6.18`;
  if (spawnSync("gcc", ["--version"]).status !== 0) return "no gcc";
  return undefined;
}

const why = obstacle();
const scratch = mkdtempSync(join(os.tmpdir(), "faultline-proc-"));
afterAll(() => rmSync(scratch, { recursive: true }));

describe.skipIf(why !== undefined)(`as on the host${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  const program = join(scratch, "host-steps");
  let built = false;
  for (const [name, steps] of Object.entries({ ...SCENARIOS, ...SCAN_SCENARIOS })) {
    it(name, () => {
      if (!built) {
        const source = fileURLToPath(new URL("host-steps.c", import.meta.url));
        execFileSync("gcc", ["-O1", "-w", "-static", "-o", program, source]);
        built = true;
      }
      const host = execFileSync(program, { input: `${steps.join("\n")}\n`, encoding: "utf8" });
      const kernel = new Kernel({ arch: hostArch(), poison: true });
      kernel.mount("/proc", procFs(kernel));
      const guest = runSteps(kernel, steps);
      expect(comparable(guest)).toBe(comparable(host));
      expect(validate(kernel)).toEqual([]);
    });
  }
});

/**
 * Without what differs by chance: device and inode numbers, and which pages reclaim calls active, which follows from
 * batches that Linux keeps for each processor.
 */
function comparable(text: string): string {
  return text
    .replace(/^([0-9a-f]+-[0-9a-f]+ .... [0-9a-f]+) \S+ \d+ +/gm, "$1 ")
    .replace(/ active=\d+/g, "")
    .trim();
}
