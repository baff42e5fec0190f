import { describe, expect, test } from "vitest";
import { type Answered, parseCommandLine, type RunOptions } from "../../src/cli/command-line.ts";

interface Parsed {
  readonly result: RunOptions | Answered;
  readonly err: string;
}

function parseWords(...argv: string[]): Parsed {
  let err = "";
  const result = parseCommandLine(argv, "1", {
    out: () => {},
    err: (text) => {
      err += text;
    },
  });
  return { result, err };
}

function parse(line: string): Parsed {
  return parseWords(...line.split(" "));
}

const MIB = 2 ** 20;

test("nothing given: no swap, no limit, Linux's defaults", () => {
  expect(parse("run p").result).toMatchObject({
    pressure: {
      swap: [],
      memoryMax: undefined,
      swapMax: undefined,
      swappiness: undefined,
      policy: "lru",
      inject: undefined,
    },
  });
});

test.each([
  ["64M", { bytes: 64 * MIB, kind: "memory", file: undefined, priority: undefined }],
  ["8M,zram", { bytes: 8 * MIB, kind: "zram", file: undefined, priority: undefined }],
  ["zram,prio=7,40K", { bytes: 40960, kind: "zram", file: undefined, priority: 7 }],
  ["1G,file=a/b c=d,prio=32767", { bytes: 1024 * MIB, kind: "file", file: "a/b c=d", priority: 32767 }],
  ["file=swap", { bytes: undefined, kind: "file", file: "swap", priority: undefined }],
  ["256G,file=x", { bytes: 256 * 1024 * MIB, kind: "file", file: "x", priority: undefined }],
])("--swap %s", (text, spec) => {
  const { result } = parseWords("run", "--swap", text, "p");
  expect(result).toMatchObject({ pressure: { swap: [spec] } });
});

test("every option is understood, and several areas and plans are kept in their order", () => {
  const line =
    "run --swap 1M --swap 2M,prio=1 --memory-max 3M --swap-max 0 --swappiness 200 --policy mglru --inject disk:eio@3 --inject swap:dies@5,seed=9 p";
  expect(parse(line).result).toMatchObject({
    pressure: {
      swap: [{ bytes: MIB }, { bytes: 2 * MIB, priority: 1 }],
      memoryMax: 3 * MIB,
      swapMax: 0,
      swappiness: 200,
      policy: "mglru",
      inject: {
        seed: 9,
        rules: [
          { target: "disk", action: "eio" },
          { target: "swap", action: "dies" },
        ],
      },
    },
  });
});

test("chance in a plan follows the run's seed, unless the plan has its own", () => {
  expect(parse("run --seed 5 --inject read:eio%0.1 p").result).toMatchObject({
    pressure: { inject: { seed: 5 } },
  });
  expect(parse("run --seed 5 --inject read:eio%0.1,seed=0 p").result).toMatchObject({
    pressure: { inject: { seed: 0 } },
  });
});

describe("a wrong option is a usage error that says what is wrong", () => {
  test.each([
    ["--swap 12Q", '"12Q" is no size'],
    ["--swap prio=1", "needs a size"],
    ["--swap 36K", "40 KiB to 256 GiB"],
    ["--swap 257G", "40 KiB to 256 GiB"],
    ["--swap 1M,2M", "Two sizes"],
    ["--swap 1M,prio=1,prio=2", '"prio" stands there twice'],
    ["--swap 1M,prio=-1", "0 to 32767"],
    ["--swap 1M,prio=32768", "0 to 32767"],
    ["--swap 1M,prio=", "0 to 32767"],
    ["--swap 1M,zram=yes", "takes no value"],
    ["--swap 1M,zram,file=x", "no file"],
    ["--swap 1M,file=", "needs a path"],
    ["--swap 1M,size=3", '"size=3" is no part of'],
    ["--swap ,1M", '"" is no size'],
    ["--memory-max 100", "a page (4 KiB) at least"],
    ["--memory-max much", '"much" is no size'],
    ["--swap-max -1", "is no size"],
    ["--swappiness 201", "0 to 200"],
    ["--swappiness 1.5", "0 to 200"],
    ["--policy fifo", "lru or mglru"],
    ["--inject read:eio@0", "count from 1"],
    ["--inject disk:burns", 'no action "burns"'],
    ["--inject seed=3", "no fault in it"],
    ["--inject swap:eio", "there is no --swap"],
    ["--inject swap-read:eio@3", '"swap-read", and there is no --swap'],
  ])("%s", (options, message) => {
    const { result, err } = parse(`run ${options} p`);
    expect(result).toEqual({ exitCode: 2 });
    expect(err).toContain(message);
  });

  test("29 areas", () => {
    const { result, err } = parse(`run ${"--swap 1M ".repeat(29)}p`);
    expect(result).toEqual({ exitCode: 2 });
    expect(err).toContain("28 areas");
  });
});
