/**
 * The tools of procps read the whole of a machine's /proc while a program runs on it: written out as files, and mounted
 * where the tools look for the kernel's.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Process } from "../../src/mm/kernel/process.ts";
import { sysGetdents } from "../../src/mm/syscalls/directory.ts";
import { O_RDONLY, S_IFDIR, S_IFMT, S_IFREG } from "../../src/mm/uapi/fcntl.ts";
import { repoFile, testMachine } from "./support.ts";

const TOOLS = ["ps", "top", "free", "vmstat", "pmap", "uptime"];

/** Why the tools can't be asked here. */
function obstacle(): string | undefined {
  for (const tool of TOOLS) if (spawnSync(tool, ["--version"]).status !== 0) return `no ${tool}`;
  if (spawnSync("unshare", ["-m", "true"]).status !== 0) return "no right to a mount namespace";
  return undefined;
}

/** Memory, links, and what has no end. */
const LEFT_OUT: ReadonlySet<string> = new Set([".", "..", "mem", "pagemap", "fd", "fdinfo", "map_files"]);

/** Writes the files below `path` of the guest into the host's folder `to`. */
function exportTree(shell: Process, path: string, to: string): void {
  mkdirSync(to, { recursive: true });
  const fd = shell.open(path, O_RDONLY);
  const names: string[] = [];
  sysGetdents(shell, fd, ({ name }) => names.push(name) > 0);
  shell.close(fd);
  for (const name of names.filter((one) => !LEFT_OUT.has(one))) {
    const { mode } = shell.lstat(`${path}/${name}`);
    const kind = mode & S_IFMT;
    if (kind === S_IFDIR) exportTree(shell, `${path}/${name}`, join(to, name));
    if (kind === S_IFREG && (mode & 0o400) !== 0) {
      writeFileSync(join(to, name), readFile(shell, `${path}/${name}`));
    }
  }
}

function readFile(shell: Process, path: string): Uint8Array {
  const fd = shell.open(path, O_RDONLY);
  const pieces: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(65536);
    const got = shell.read(fd, buffer);
    if (got === 0) break;
    pieces.push(buffer.subarray(0, got));
  }
  shell.close(fd);
  return Buffer.concat(pieces);
}

const why = obstacle();
const fakeProc = mkdtempSync(join(os.tmpdir(), "faultline-procps-"));
afterAll(() => rmSync(fakeProc, { recursive: true }));

function asked(command: string): string {
  const script = `mount --bind ${fakeProc} /proc && ${command}`;
  return execFileSync("unshare", ["-m", "sh", "-c", script], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, COLUMNS: "160", TERM: "dumb", LC_ALL: "C" },
  });
}

/** The words of the line in which `word` stands. */
function row(output: string, word: string): string[] {
  return (output.split("\n").find((line) => line.includes(word)) ?? "").trim().split(/\s+/);
}

describe.skipIf(why !== undefined)(`procps${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  let pid = 0;
  let rssKb = 0;

  beforeAll(() => {
    let turns = 0;
    const test = testMachine({
      onSlice: () => {
        // 20,000,000 instructions: two hundredths of a second of its time.
        if (++turns < 200) return undefined;
        rssKb = (machine.kernel.processes.get(pid)?.mm.rss.reduce((sum, pages) => sum + pages, 0) ?? 0) * 4;
        exportTree(shell, "/proc", fakeProc);
        symlinkSync(String(pid), join(fakeProc, "self"));
        return "stop";
      },
    });
    const { machine, shell, install } = test;
    install("/malloc-stress", repoFile("test/programs/bin/malloc-stress"));
    pid = machine.spawn("/malloc-stress", ["malloc-stress", "one", "two"]).pid;
    machine.run();
    expect(turns).toBe(200);
  });

  /** ps begins by looking for itself, by its number. */
  function ps(options: string): string {
    const output = asked(`ln -s ${pid} /proc/$$ && exec ps ${options}`);
    for (const entry of readdirSync(fakeProc, { withFileTypes: true })) {
      if (entry.isSymbolicLink() && entry.name !== "self") rmSync(join(fakeProc, entry.name));
    }
    return output;
  }

  it("ps", () => {
    const output = ps("-ww -eo pid,ppid,pgid,sid,stat,rss,nice,nlwp,cputimes,comm,args");
    expect(row(output, "malloc-stress")).toEqual(
      [pid, 0, pid, pid, "Rs", rssKb, 0, 1, 0, "malloc-stress", "malloc-stress", "one", "two"].map(String),
    );
    expect(row(ps("-eo pid,ignored,blocked,caught,pending,comm"), "malloc-stress").slice(1, 5)).toEqual(
      Array.from({ length: 4 }, () => "0000000000000000"),
    );
  });

  it("top", () => {
    const output = asked("top -b -n1");
    // The one that runs, and the one that looks.
    expect(row(output, "Tasks:").slice(0, 6)).toEqual(["Tasks:", "2", "total,", "2", "running,", "0"]);
    expect(row(output, "MiB Mem")[3]).toBe("64.0");
    expect(row(output, "malloc-stress").slice(7, 8)).toEqual(["R"]);
  });

  it("free, vmstat and uptime", () => {
    expect(row(asked("free -k"), "Mem:")[1]).toBe(String(64 * 1024));
    const summary = asked("vmstat -s");
    expect(row(summary, "total memory").slice(0, 2)).toEqual([String(64 * 1024), "K"]);
    expect(row(summary, "non-nice user cpu ticks")[0]).toBe("2");
    expect(row(summary, "forks")[0]).toBe("2");
    expect(asked("vmstat").split("\n")[1].trim().split(/\s+/).slice(0, 4)).toEqual([
      "r",
      "b",
      "swpd",
      "free",
    ]);
    expect(asked("uptime")).toMatch(/load average: 0\.00, 0\.00, 0\.00/);
  });

  it("pmap in all its forms", () => {
    for (const form of ["", "-x", "-X", "-XX", "-d"]) {
      expect(asked(`pmap ${form} ${pid}`)).toContain("malloc-stress");
    }
    const lines = asked(`pmap -XX ${pid}`).trimEnd().split("\n");
    const columns = lines[1].trim().split(/\s+/);
    const sums = lines.at(-1)?.trim().split(/\s+/) ?? [];
    // The sums begin with the first column that has any: Size.
    expect(sums[columns.indexOf("Rss") - columns.indexOf("Size")]).toBe(String(rssKb));
  });
});
