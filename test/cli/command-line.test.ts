import { expect, test } from "vitest";
import { type Answered, parseCommandLine, type RunOptions } from "../../src/cli/command-line.ts";
import { guestEnvironment } from "../../src/cli/environment.ts";

interface Parsed {
  readonly result: RunOptions | Answered;
  readonly out: string;
  readonly err: string;
}

function parse(...argv: string[]): Parsed {
  let out = "";
  let err = "";
  const result = parseCommandLine(argv, "1.2.3", {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { result, out, err };
}

test("a program alone gets the defaults", () => {
  expect(parse("run", "prog").result).toEqual({
    ramBytes: 256 * 2 ** 20,
    root: undefined,
    report: "short",
    reportFile: undefined,
    jsonFile: undefined,
    traceFile: undefined,
    clock: "host",
    net: "none",
    seed: undefined,
    timeoutSeconds: undefined,
    env: [],
    pressure: {
      swap: [],
      memoryMax: undefined,
      swapMax: undefined,
      swappiness: undefined,
      policy: "lru",
      inject: undefined,
    },
    program: "prog",
    args: [],
  });
});

test("the clock is the host's, or virtual where a run is to repeat", () => {
  const clock = (...options: string[]): unknown => {
    const { result } = parse("run", ...options, "prog");
    return "clock" in result ? result.clock : result;
  };
  expect(clock("--seed", "7")).toBe("virtual");
  expect(clock("--clock", "virtual")).toBe("virtual");
  expect(clock("--clock", "host", "--seed", "7")).toBe("host");
  const { result, err } = parse("run", "--clock", "atomic", "prog");
  expect(result).toEqual({ exitCode: 2 });
  expect(err).toMatch(/A clock is virtual or host/);
});

test("every option is understood", () => {
  const argv =
    "run --ram 1G --root /r --report=rep.txt --json j --trace t --seed 7 --timeout 1.5 --env A=b --env=C prog";
  expect(parse(...argv.split(" ")).result).toMatchObject({
    ramBytes: 2 ** 30,
    root: "/r",
    report: "full",
    reportFile: "rep.txt",
    jsonFile: "j",
    traceFile: "t",
    seed: 7,
    timeoutSeconds: 1.5,
    env: ["A=b", "C"],
    program: "prog",
  });
});

test("what stands behind the program is the program's", () => {
  const { result } = parse("run", "--quiet", "prog", "--help", "--ram", "-x", "--", "--report");
  expect(result).toMatchObject({
    report: "none",
    program: "prog",
    args: ["--help", "--ram", "-x", "--", "--report"],
  });
});

test("a bare --report takes no word from the program", () => {
  expect(parse("run", "--report", "prog", "arg").result).toMatchObject({
    report: "full",
    reportFile: undefined,
    program: "prog",
    args: ["arg"],
  });
  // Not an option where it is the value of one.
  expect(parse("run", "--json", "--report", "prog").result).toMatchObject({
    jsonFile: "--report",
    report: "short",
  });
});

test("-- ends the options", () => {
  expect(parse("run", "--", "--report", "x").result).toMatchObject({ program: "--report", args: ["x"] });
});

test.each([
  [[], "Usage"],
  [["run"], "missing required argument 'PROGRAM'"],
  [["bogus"], "unknown command 'bogus'"],
  [["run", "--bogus", "p"], "unknown option '--bogus'"],
  [["run", "--ram", "12Q", "p"], "A size is a number"],
  [["run", "--ram", "5G", "p"], "RAM can be 256K to 4G"],
  [["run", "--ram"], "argument missing"],
  [["run", "--seed", "-1", "p"], "whole number"],
  [["run", "--seed", "1.5", "p"], "whole number"],
  [["run", "--timeout", "0", "p"], "above 0"],
  [["run", "--env", "=x", "p"], "needs a name"],
  [["run", "-q", "--report", "p"], "contradict"],
])("%j is a usage error", (argv, message) => {
  const { result, err, out } = parse(...argv);
  expect(result).toEqual({ exitCode: 2 });
  expect(err).toContain(message);
  expect(out).toBe("");
});

test("help and version are answers, not errors", () => {
  expect(parse("--version")).toMatchObject({ result: { exitCode: 0 }, out: "1.2.3\n", err: "" });
  const help = parse("--help");
  expect(help.result).toEqual({ exitCode: 0 });
  expect(help.out).toContain("faultline run examples/bin/append");
  const runHelp = parse("run", "--help");
  expect(runHelp.result).toEqual({ exitCode: 0 });
  expect(runHelp.out).toContain("--report[=FILE]");
  expect(runHelp.out).toContain("128+n");
  expect(runHelp.out).toContain("\n\nMemory that is short");
});

test("the program's environment is small, and takes of the host's only what it is told to", () => {
  const host = { PATH: "/secret/bin", TOKEN: "secret", TERM: "xterm", LANG: "de_DE" };
  expect(guestEnvironment([], host)).toEqual([
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "HOME=/",
    "LANG=C.UTF-8",
    "TERM=xterm",
  ]);
  const asked = guestEnvironment(["TOKEN", "MISSING", "A=1=2", "LANG=C", "EMPTY="], host);
  expect(asked).toContain("TOKEN=secret");
  expect(asked).toContain("A=1=2");
  expect(asked).toContain("LANG=C");
  expect(asked).toContain("EMPTY=");
  expect(asked.join()).not.toContain("MISSING");
});
