import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { outcomeOf, setUpCommand } from "./command.ts";
import { PROGRAMS, writeProgram } from "./tiny-program.ts";

const command = setUpCommand();

function bringTiny(name: keyof typeof PROGRAMS): void {
  writeProgram(join(command.folder, name), PROGRAMS[name]);
}

test("the example of the README leaves its line in the real file, and reports", async () => {
  command.bring("examples/bin/append");
  writeFileSync(join(command.folder, "notes.txt"), "old\n");
  const { status, stdout, stderr } = await command.faultline([
    "run",
    "append",
    "notes.txt",
    "a line through a mapping",
  ]);
  expect(readFileSync(join(command.folder, "notes.txt"), "utf8")).toBe("old\na line through a mapping\n");
  expect(status).toBe(0);
  expect(stdout).toContain("25 bytes appended");
  expect(stderr).toContain("page faults");
  expect(stderr).toMatch(/shared file +4 KiB +1 fault +\S+notes\.txt/);
});

describe("the exit status", () => {
  test.each([
    ["exit42", 42],
    ["segv", 139],
    ["suicide", 143],
  ] as const)("of %s is %d", async (name, status) => {
    bringTiny(name);
    const outcome = await command.faultline(["run", "-q", name]);
    expect(outcome).toEqual({ status, signal: null, stdout: "", stderr: "" });
  });

  test("after a timeout is 124", async () => {
    bringTiny("loop");
    const { status, stderr } = await command.faultline(["run", "--timeout", "0.3", "loop"]);
    expect(status).toBe(124);
    expect(stderr).toContain("ended by the timeout");
  });

  test.each([
    ["nothing", 127, "nothing: not found"],
    ["", 127, ": not found"],
    ["text/nothing", 127, "text/nothing: not found"],
    ["folder", 126, "folder: is a directory"],
    // Read to its end, this one would take for ever.
    ["/dev/zero", 126, "/dev/zero: is not a regular file"],
    ["text", 126, "text: not an ELF program"],
    ["locked", 126, "locked: permission denied"],
    ["half", 126, "half: the file ends within"],
    ["object", 126, "object: "],
    ["amd64", 126, "amd64: x86-64 program; Faultline runs riscv64"],
    ["dynamic", 126, "dynamic: needs the dynamic linker"],
  ])("of %s, which can't be run, is %d", async (name, status, message) => {
    const { folder } = command;
    mkdirSync(join(folder, "folder"));
    writeFileSync(join(folder, "text"), "hello\n", { mode: 0o755 });
    writeProgram(join(folder, "locked"), PROGRAMS.exit42, 0o644);
    writeProgram(join(folder, "whole"), PROGRAMS.exit42);
    const whole = readFileSync(join(folder, "whole"));
    const variant = (path: string, change: (bytes: Buffer) => Buffer): void =>
      writeFileSync(join(folder, path), change(Buffer.from(whole)), { mode: 0o755 });
    variant("half", (bytes) => bytes.subarray(0, 100));
    variant("object", (bytes) =>
      Buffer.concat([bytes.subarray(0, 16), Buffer.from([1]), bytes.subarray(17)]),
    );
    variant("amd64", (bytes) =>
      Buffer.concat([bytes.subarray(0, 18), Buffer.from([62]), bytes.subarray(19)]),
    );
    variant("dynamic", (bytes) =>
      Buffer.concat([bytes.subarray(0, 64), Buffer.from([3]), bytes.subarray(65)]),
    );
    const outcome = await command.faultline(["run", name]);
    expect(outcome.stderr).toMatch(/^faultline: [^\n]+\n$/);
    expect(outcome.stderr).toContain(`faultline: ${message}`);
    expect(outcome).toMatchObject({ status, stdout: "" });
  });

  test("of a wrong command line is 2", async () => {
    expect(await command.faultline(["run", "--ram", "lots", "x"])).toMatchObject({ status: 2, stdout: "" });
  });
});

describe("the standard streams", () => {
  test("pass bytes through unchanged", async () => {
    bringTiny("cat");
    const bytes = Buffer.alloc(100_001, 0);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7919) >>> 3;
    writeFileSync(join(command.folder, "input"), bytes);
    const child = command.start(["run", "-q", "cat"]);
    const out: Buffer[] = [];
    child.stdout?.on("data", (part: Buffer) => out.push(part));
    child.stdin?.end(bytes);
    const [status] = await once(child, "close");
    expect(status).toBe(0);
    expect(Buffer.concat(out).equals(bytes)).toBe(true);
  });

  test("answer as the bytes come", async () => {
    bringTiny("cat");
    const child = command.start(["run", "-q", "cat"]);
    const outcome = outcomeOf(child);
    for (const word of ["one\n", "two\n", "three\n"]) {
      child.stdin?.write(word);
      const answer = await once(child.stdout ?? child, "data");
      expect(String(answer[0])).toBe(word);
    }
    child.stdin?.end();
    expect(await outcome).toMatchObject({ status: 0, stdout: "one\ntwo\nthree\n", stderr: "" });
  });

  test("that nobody reads any more end the program with SIGPIPE", async () => {
    bringTiny("yes");
    const child = command.start(["run", "-q", "yes"]);
    child.stdout?.once("data", () => child.stdout?.destroy());
    const [status] = await once(child, "exit");
    expect(status).toBe(141);
  });
});

describe("signals to the command", () => {
  test.each([
    ["SIGINT", "loop", 130],
    ["SIGTERM", "loop", 143],
    ["SIGINT", "cat", 130],
  ] as const)("%s ends %s with %d", async (signal, name, status) => {
    bringTiny(name);
    const child = command.start(["run", "--trace", "trace", name]);
    const outcome = outcomeOf(child);
    // Not before the program runs: until then the signal is Node's own affair.
    await expect.poll(() => existsSync(join(command.folder, "trace")), { timeout: 20_000 }).toBe(true);
    await new Promise((done) => setTimeout(done, 500));
    child.kill(signal);
    const { status: got, stderr } = await outcome;
    expect(got).toBe(status);
    expect(stderr).toContain(`ended by ${signal}`);
  });
});

describe("the program's files", () => {
  test("are the current folder, not what lies beside it", async () => {
    command.bring("examples/bin/append");
    const inner = join(command.folder, "inner");
    mkdirSync(inner);
    writeFileSync(join(command.folder, "secret"), "secret");
    symlinkSync("../secret", join(inner, "link"));
    symlinkSync(join(command.folder, "secret"), join(inner, "absolute"));
    for (const path of ["../secret", "link", "absolute", join(command.folder, "secret"), "/etc/passwd"]) {
      // What a name from outside leads to is an empty tree in memory: nothing is there, or a new file begins.
      const { stdout, stderr } = await command.faultline(["run", "-q", "../append", path, "x"], {
        cwd: inner,
      });
      expect(`${stdout}${stderr}`).toMatch(/appended at 0,|No such file/);
    }
    expect(readFileSync(join(command.folder, "secret"), "utf8")).toBe("secret");
  });

  test("hold a program from outside, under the name that was typed", async () => {
    command.bring("test/programs/bin/args-env-auxv");
    const inner = join(command.folder, "inner");
    mkdirSync(inner);
    const outcome = await command.faultline(["run", "../args-env-auxv", "one", "t w o"], { cwd: inner });
    expect(outcome.status).toBe(0);
    expect(outcome.stdout).toContain("argv[2] t w o");
    expect(outcome.stderr).toContain("../args-env-auxv one");
    expect(outcome.stderr).toContain("/run/faultline/args-env-auxv");
  });

  test("of --sysroot come first, are found along PATH, and stay as they are", async () => {
    command.bring("examples/bin/append");
    const bin = join(command.folder, "sysroot", "usr", "bin");
    mkdirSync(bin, { recursive: true });
    const program = readFileSync(join(command.folder, "append"));
    writeFileSync(join(bin, "adds"), program, { mode: 0o755 });
    writeFileSync(join(bin, "locked"), "of the sysroot\n");
    const run = (...args: string[]) => command.faultline(["run", "-q", "--sysroot", "sysroot", ...args]);
    expect(await run("adds", "f", "x")).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(join(command.folder, "f"), "utf8")).toBe("x\n");
    expect(await run("/usr/bin/adds", "/usr/bin/locked", "x")).toMatchObject({ status: 1 });
    expect(readFileSync(join(bin, "locked"), "utf8")).toBe("of the sysroot\n");
    // A program of this folder comes before one along PATH, and --env PATH= finds others.
    writeFileSync(join(command.folder, "adds"), "no program");
    expect(await run("adds", "f", "x")).toMatchObject({ status: 126 });
    mkdirSync(join(command.folder, "sysroot", "opt"));
    writeFileSync(join(command.folder, "sysroot", "opt", "other"), program, { mode: 0o755 });
    expect(await run("other", "f", "y")).toMatchObject({ status: 127 });
    expect(await run("--env", "PATH=/opt", "other", "f", "y")).toMatchObject({ status: 0 });
    // What is new goes below --root, under the names that it has there.
    mkdirSync(join(command.folder, "root"));
    expect(await run("--root", "root", "/opt/other", "/usr/bin/new", "z")).toMatchObject({ status: 0 });
    expect(readFileSync(join(command.folder, "root", "usr", "bin", "new"), "utf8")).toBe("z\n");
    expect(await command.faultline(["run", "--sysroot", "none", "adds"])).toMatchObject({ status: 127 });
  });

  test("are those below --root, and begin there", async () => {
    command.bring("examples/bin/append");
    mkdirSync(join(command.folder, "root", "bin"), { recursive: true });
    const program = readFileSync(join(command.folder, "append"));
    writeFileSync(join(command.folder, "root", "bin", "append"), program, { mode: 0o755 });
    const inside = await command.faultline(["run", "-q", "--root", "root", "/bin/append", "/f", "x"]);
    expect(inside).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(join(command.folder, "root", "f"), "utf8")).toBe("x\n");
    // The same program by its path on the host, and from a folder inside the root.
    const byHostPath = await command.faultline(["run", "-q", "--root", "root", "root/bin/append", "f", "y"]);
    expect(byHostPath).toMatchObject({ status: 0, stderr: "" });
    const cwd = join(command.folder, "root", "bin");
    const relative = await command.faultline(["run", "-q", "--root", "..", "./append", "../f", "z"], { cwd });
    expect(relative).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(join(command.folder, "root", "f"), "utf8")).toBe("x\ny\nz\n");

    const outside = await command.faultline(["run", "-q", "--root", "root", "append", "f", "x"]);
    expect(outside).toMatchObject({
      status: 127,
      stderr: "faultline: append: not in the root folder root\n",
    });
    expect(await command.faultline(["run", "-q", "--root", "none", "x"])).toMatchObject({ status: 127 });
    expect(await command.faultline(["run", "-q", "--root", "append", "x"])).toMatchObject({ status: 126 });
    expect(await command.faultline(["run", "-q", "--root", "", "append"])).toMatchObject({ status: 127 });
    expect(await command.faultline(["run", "-q", "--root", "root", "/bin"])).toMatchObject({
      status: 126,
      stderr: "faultline: /bin: is a directory\n",
    });
  });
});

test("the environment of the command stays secret, unless --env passes it on", async () => {
  command.bring("test/programs/bin/args-env-auxv");
  const env = { TOKEN: "hush-hush", OTHER: "other" };
  const closed = await command.faultline(["run", "-q", "args-env-auxv"], { env });
  expect(closed.stdout).toContain("HOME=/");
  expect(closed.stdout).not.toContain("hush");
  const opened = await command.faultline(["run", "-q", "--env", "TOKEN", "--env", "A=1", "args-env-auxv"], {
    env,
  });
  expect(opened.stdout).toContain("TOKEN=hush-hush");
  expect(opened.stdout).toContain("A=1");
  expect(opened.stdout).not.toContain("OTHER");
});
