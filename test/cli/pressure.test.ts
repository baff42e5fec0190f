/** The command where memory is short: swap areas of every kind, limits, the end of memory, storage that fails. */
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createSwapFile } from "../../src/storage/node/index.ts";
import { setUpCommand } from "./command.ts";
import { PROGRAMS, writeProgram } from "./tiny-program.ts";

const command = setUpCommand();
const hasMkswap = spawnSync("mkswap", ["--version"]).status === 0;

/** A table of 3 MiB in 2 MiB of RAM. */
function larger(...options: string[]): ReturnType<typeof command.faultline> {
  command.bring("examples/bin/larger-than-ram");
  return command.faultline(["run", "-q", "--ram", "2M", ...options, "larger-than-ram", "3"]);
}

const RIGHT = { status: 0, stdout: expect.stringContaining("sums right"), stderr: "" };

function at(name: string): string {
  return join(command.folder, name);
}

describe("a program that is larger than RAM", () => {
  test.each([
    ["memory", ["--swap", "8M"]],
    ["compressed memory", ["--swap", "8M,zram"]],
    ["a new file", ["--swap", "8M,file=swap"]],
    ["two areas, with limits and the other policy", ["--swap", "2M", "--swap", "4M", "--policy", "mglru"]],
    [
      "memory, by a limit of its own",
      ["--ram", "64M", "--memory-max", "2M", "--swap", "8M", "--swappiness", "1"],
    ],
  ])("goes on with swap in %s", async (_what, options) => {
    expect(await larger(...options)).toMatchObject(RIGHT);
    expect(existsSync(at("swap"))).toBe(false);
  });

  test("finds no memory without swap", async () => {
    const { status, stderr } = await larger();
    expect(status).toBe(1);
    // The heuristic of overcommit knows that it can't be.
    expect(stderr).toBe("mmap: Out of memory\n");
  });
});

describe("the file of an area", () => {
  test("that was there is kept, marked while it is used", async () => {
    createSwapFile(at("swap"), 8 * 2 ** 20);
    expect(await larger("--swap", "file=swap")).toMatchObject(RIGHT);
    const bytes = readFileSync(at("swap"));
    expect(bytes.length).toBe(8 * 2 ** 20);
    expect(bytes.subarray(4086, 4096).toString()).toBe("SWAPSPACE2");
    expect(bytes.subarray(0, 64).every((byte) => byte === 0)).toBe(true);
    // It was written to: here lie the pages of the table.
    expect(bytes.subarray(4096).some((byte) => byte !== 0)).toBe(true);
  });

  test.skipIf(!hasMkswap)("of mkswap(8) is taken", async () => {
    writeFileSync(at("swap"), Buffer.alloc(8 * 2 ** 20));
    execFileSync("mkswap", ["-q", "-L", "label", at("swap")], { stdio: "pipe" });
    expect(await larger("--swap", "file=swap")).toMatchObject(RIGHT);
  });

  test("is used in part", async () => {
    createSwapFile(at("swap"), 8 * 2 ** 20);
    expect(await larger("--swap", "6M,file=swap")).toMatchObject(RIGHT);
    const bytes = readFileSync(at("swap"));
    expect(bytes.subarray(6 * 2 ** 20).every((byte) => byte === 0)).toBe(true);
  });

  test("that is empty becomes one", async () => {
    writeFileSync(at("swap"), "");
    expect(await larger("--swap", "8M,file=swap")).toMatchObject(RIGHT);
    expect(statSync(at("swap")).size).toBe(8 * 2 ** 20);
  });

  test.each([
    ["8M,file=text", "text: is neither empty nor a swap area, and is not overwritten"],
    ["8M,file=small", "small: holds an area of 4 MiB, too small for 8 MiB"],
    ["file=cut", "cut: its swap header does not fit a file of 2 MiB"],
    ["file=none", "none: is not there, so it takes a size"],
    ["file=empty", "empty: is empty, so it takes a size"],
    ["8M,file=folder", "folder: is not a regular file"],
    ["8M,file=/dev/zero", "/dev/zero: is not a regular file"],
    ["8M,file=no/where", "no/where: no such folder"],
  ])("is refused: %s", async (area, message) => {
    writeFileSync(at("text"), "not to be lost\n");
    writeFileSync(at("empty"), "");
    createSwapFile(at("small"), 4 * 2 ** 20);
    createSwapFile(at("cut"), 4 * 2 ** 20);
    truncateSync(at("cut"), 2 * 2 ** 20);
    mkdirSync(at("folder"));
    const { status, stdout, stderr } = await larger("--swap", area);
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toContain(`faultline: --swap: ${message}`);
    expect(readFileSync(at("text"), "utf8")).toBe("not to be lost\n");
    expect(statSync(at("empty")).size).toBe(0);
    expect(existsSync(at("none"))).toBe(false);
  });

  test("is nobody else's meanwhile", async () => {
    createSwapFile(at("swap"), 4 * 2 ** 20);
    linkSync(at("swap"), at("link"));
    const twice = await larger("--swap", "file=swap", "--swap", "file=link");
    expect(twice.stderr).toBe("faultline: --swap: link: is the file of two areas\n");

    writeProgram(at("loop"), PROGRAMS.loop);
    const child = command.start(["run", "-q", "--swap", "file=swap", "loop"]);
    const isMarked = (): boolean => readFileSync(at("swap")).subarray(0, 9).toString() === "faultline";
    await expect.poll(isMarked, { timeout: 30_000 }).toBe(true);
    const { status, stderr } = await larger("--swap", "file=swap");
    expect({ status, stderr }).toEqual({
      status: 125,
      stderr: `faultline: --swap: swap: process ${child.pid} swaps there, another faultline\n`,
    });
    // The mark of a process that is gone binds nobody.
    child.kill("SIGKILL");
    await once(child, "close");
    expect(isMarked()).toBe(true);
    expect(await larger("--swap", "file=swap", "--swap", "8M")).toMatchObject(RIGHT);
  });
});

describe("when memory is out", () => {
  test("the program is killed, and a person learns why and what to try", async () => {
    const { status, stderr } = await larger("--ram", "16M", "--memory-max", "1M");
    expect(status).toBe(137);
    expect(stderr).toMatch(
      /^faultline: larger-than-ram: out of memory: process 2 \(larger-than-ram\) was killed, with [\d.]+ [KM]iB in memory\n/,
    );
    expect(stderr).toContain(
      "it may use 1 MiB of memory (--memory-max) and no swap; try --memory-max 2M, or --swap 2M\n",
    );
  });

  test("the limit of swap is named where that is it", async () => {
    const { status, stderr } = await larger("--memory-max", "1M", "--swap", "8M", "--swap-max", "256K");
    expect(status).toBe(137);
    expect(stderr).toContain(
      "1 MiB of memory (--memory-max) and 256 KiB of swap (--swap-max); try --memory-max 2M,",
    );
  });

  test("a program that does not even fit while it is loaded ends in the same way", async () => {
    const { status, stdout, stderr } = await larger("--memory-max", "16K");
    expect({ status, stdout }).toEqual({ status: 137, stdout: "" });
    expect(stderr).toContain("16 KiB of memory (--memory-max) and no swap; try --memory-max 32K");
  });
});

describe("--inject", () => {
  test("strikes files: a page that can't be read is SIGBUS", async () => {
    command.bring("examples/bin/count-lines");
    writeFileSync(at("lines"), "line\n".repeat(10_000));
    const good = await command.faultline(["run", "-q", "--inject", "read:eio@1000", "count-lines", "lines"]);
    expect(good).toMatchObject({ status: 0, stdout: expect.stringContaining("10000") });
    const bad = await command.faultline(["run", "-q", "--inject", "read:eio@10+", "count-lines", "lines"]);
    expect(bad.status).toBe(135);
  });

  test("strikes swap: a page that can't be read back is SIGBUS", async () => {
    expect((await larger("--swap", "8M", "--inject", "swap-read:eio@5+")).status).toBe(135);
    expect(await larger("--swap", "8M", "--inject", "swap-read:eio@100000")).toMatchObject(RIGHT);
  });

  test("leaves a run that can be ended, even where reclaim finds next to nothing again and again", async () => {
    const { status } = await larger("--swap", "8M", "--inject", "swap:dies@300", "--timeout", "1");
    expect(status).toBe(124);
  });

  test("takes the power away, and says so", async () => {
    command.bring("examples/bin/append");
    const { status, stderr } = await command.faultline([
      "run",
      "--inject",
      "write:crash@1",
      "append",
      "f",
      "text",
    ]);
    expect(status).toBe(125);
    expect(stderr).toContain("faultline: append: the power went off in the middle of a write");
    expect(stderr).toContain("ended by a crash of its storage, on purpose");
  });

  test("takes its time, of whichever clock the run has", async () => {
    command.bring("test/programs/bin/hello");
    const args = ["run", "-q", "--inject", "read:delay=30ms", "hello"];
    const start = performance.now();
    expect((await command.faultline(args)).status).toBe(0);
    expect(performance.now() - start).toBeGreaterThan(30);
    expect(
      (await command.faultline(["run", "-q", "--seed", "1", "--inject", "read:delay=100s", "hello"])).status,
    ).toBe(0);
  });
});
