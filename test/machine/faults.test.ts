/**
 * The machine counts the faults that Linux counts: test/programs/faults.c, natively compiled and as a program of the
 * machine. expected-output.test.ts compares it with the record of tmpfs; here it runs on a real directory, whose record
 * is that of a disk file system with single-page folios, and the host is asked once more where it can be.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { hostArch } from "../../oracle/host-arch.ts";
import { validate } from "../../src/mm/kernel/validate.ts";
import { RISCV64 } from "../../src/mm/vma/arch.ts";
import { nodeFs } from "../../src/storage/node/index.ts";
import { repoFile, testMachine } from "./support.ts";

const PROGRAMS = new URL("../programs/", import.meta.url);
const record = (path: string): string => readFileSync(new URL(path, PROGRAMS), "utf8");

describe("faults are counted as on Linux", () => {
  it("on a real directory: readahead, write-back and page_mkwrite", () => {
    const folder = mkdtempSync(join(tmpdir(), "faultline-faults-"));
    try {
      const { kernel, machine, install, stdout } = testMachine();
      kernel.mount("/real", nodeFs(folder));
      install("/faults", repoFile("test/programs/bin/faults"));
      machine.spawn("/faults", ["faults", "-d", "/real"], [], "/tmp");
      const end = machine.run();
      expect(`${stdout()}exit ${end.code}\n`).toBe(record("expected-journal/faults.txt"));
      expect(validate(kernel)).toEqual([]);
      kernel.shutdown();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** What the program prints in a machine whose architecture forbids the zero page. */
function runWithoutZeroPage(): string {
  const { machine, install, stdout } = testMachine({}, { arch: { ...RISCV64, forbidsZeroPage: true } });
  install("/faults", repoFile("test/programs/bin/faults"));
  machine.spawn("/faults", ["faults"], [], "/tmp");
  const end = machine.run();
  return `${stdout()}exit ${end.code}\n`;
}

const why = ((): string | undefined => {
  if (process.platform !== "linux") return "not Linux";
  if (process.arch !== "x64") return "another architecture than the record's";
  if (spawnSync("gcc", ["--version"]).status !== 0) return "no gcc";
  if (!existsSync("/dev/shm")) return "no tmpfs at /dev/shm";
  const huge = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
  if (existsSync(huge) && !readFileSync(huge, "utf8").includes("[never]")) return "huge pages in tmpfs";
  return /^6\.(1[6-9]|[2-9]\d)\./.test(readFileSync("/proc/sys/kernel/osrelease", "utf8"))
    ? undefined
    : "another kernel than the record's";
})();

describe.skipIf(why !== undefined)(`the host${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  it("still counts what was recorded", () => {
    const folder = mkdtempSync("/dev/shm/faultline-faults-");
    try {
      const program = join(folder, "faults");
      const source = fileURLToPath(new URL("faults.c", PROGRAMS));
      execFileSync("gcc", ["-std=gnu11", "-O2", "-static", "-o", program, source]);
      // Once in a while a page of the program's own is taken from it in between: of some runs the fewest faults count.
      const runs = Array.from({ length: 5 }, () => {
        const out = execFileSync(program, ["-d", folder], { encoding: "utf8" });
        return out.split("\n");
      });
      const counts = (line: string): number => {
        const [minor, major] = line.match(/\d+/g) ?? [];
        return Number(minor) + Number(major);
      };
      const fewest = runs.reduce((best, run) =>
        best.map((line, i) => (counts(run[i]) < counts(line) ? run[i] : line)),
      );
      // A host without the zero page counts otherwise than it was recorded, and then a machine without one does, too.
      const expected = hostArch().forbidsZeroPage ? runWithoutZeroPage() : record("expected/faults.txt");
      expect(`${fewest.join("\n")}exit 0\n`).toBe(expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
