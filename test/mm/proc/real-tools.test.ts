/** Tools of procps read what Faultline's /proc says, put where they look for the kernel's: in a mount namespace. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Kernel, MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, procFs, X86_64 } from "../../../src/mm/index.ts";
import { readAll } from "./steps.ts";

const PAGE = 4096;
const RW = 3;

function obstacle(): string | undefined {
  if (spawnSync("pmap", ["--version"]).status !== 0) return "no pmap";
  if (spawnSync("unshare", ["-m", "true"]).status !== 0) return "no right to a mount namespace";
  return undefined;
}

const why = obstacle();
const fakeProc = mkdtempSync(join(os.tmpdir(), "faultline-proc-"));
afterAll(() => rmSync(fakeProc, { recursive: true }));

/** A kernel with one process that has 16 touched pages of 64, 4 of 8 of a memfd; and its /proc as files of the host. */
function exportProc(): void {
  const kernel = new Kernel({ arch: X86_64, ram: 64 * 2 ** 20 });
  kernel.mount("/proc", procFs(kernel));
  const process = kernel.spawn({ comm: "subject" });
  const anon = process.mmap(0, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS);
  for (let i = 0; i < 16; i++) process.storeU8(anon + i * PAGE, 1);
  const fd = process.memfd_create("shared memory");
  process.ftruncate(fd, 8 * PAGE);
  const shared = process.mmap(0, 8 * PAGE, RW, MAP_SHARED, fd);
  for (let i = 0; i < 4; i++) process.storeU8(shared + i * PAGE, 1);
  const own = join(fakeProc, String(process.pid));
  mkdirSync(own, { recursive: true });
  for (const name of ["maps", "smaps", "smaps_rollup", "stat", "statm", "status", "cmdline", "comm"]) {
    writeFileSync(join(own, name), readAll(process, `/proc/self/${name}`));
  }
  for (const name of ["meminfo", "vmstat"])
    writeFileSync(join(fakeProc, name), readAll(process, `/proc/${name}`));
  // procps asks when the machine was booted; that is nothing about memory.
  writeFileSync(join(fakeProc, "uptime"), "100.00 100.00\n");
  writeFileSync(join(fakeProc, "stat"), "cpu  0 0 0 0 0 0 0 0 0 0\nbtime 0\n");
}

function withFakeProc(command: string): string {
  const script = `mount --bind ${fakeProc} /proc && ${command}`;
  return execFileSync("unshare", ["-m", "sh", "-c", script], { encoding: "utf8" });
}

/** The words of the line in which `word` stands. */
function row(output: string, word: string): string[] {
  return (output.split("\n").find((line) => line.includes(word)) ?? "").trim().split(/\s+/);
}

describe.skipIf(why !== undefined)(`procps${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  it("pmap -X finds every column, and its sums", () => {
    exportProc();
    const output = withFakeProc("pmap -X 1");
    const columns = row(output, "Address");
    expect(columns).toEqual(
      "Address Perm Offset Device Inode Size Rss Pss Pss_Dirty Referenced Anonymous KSM LazyFree ShmemPmdMapped FilePmdMapped Shared_Hugetlb Private_Hugetlb Swap SwapPss Locked THPeligible Mapping".split(
        " ",
      ),
    );
    const memfd = row(output, "memfd:shared");
    expect(memfd.slice(1, 3)).toEqual(["rw-s", "00000000"]);
    expect(memfd[columns.indexOf("Rss")]).toBe("16");
    // The line under the last rule: the sums of Size, Rss and so on.
    const sums = output.trimEnd().split("\n").at(-1)?.trim().split(/\s+/) ?? [];
    expect(sums.slice(0, 3)).toEqual(["288", "80", "80"]);
  });

  it("pmap -x and pmap", () => {
    exportProc();
    expect(row(withFakeProc("pmap -x 1"), "total")).toEqual(["total", "kB", "288", "80", "80"]);
    expect(row(withFakeProc("pmap 1"), "total")).toEqual(["total", "288K"]);
  });

  it("free", () => {
    exportProc();
    const memory = row(withFakeProc("free -k"), "Mem:");
    expect(memory[1]).toBe(String(64 * 1024));
    expect(memory[4]).toBe("16");
  });
});
