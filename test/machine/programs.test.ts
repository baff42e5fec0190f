/** Whole programs: each of test/programs checks itself and ends with 0; the state they leave is valid. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DeadlockError, streamOf } from "../../src/machine/index.ts";
import { validate } from "../../src/mm/kernel/validate.ts";
import { O_RDONLY } from "../../src/mm/uapi/fcntl.ts";
import { assemble } from "./assemble.ts";
import { repoFile, runProgram, testMachine } from "./support.ts";

const BIN = new URL("../programs/bin/", import.meta.url);

describe("programs", () => {
  for (const name of readdirSync(BIN)) {
    it(name, () => {
      const { end, machine, kernel, stderr } = runProgram(`test/programs/bin/${name}`, ["one", "two words"]);
      expect({ ...end, stderr: stderr() }).toMatchObject({
        code: 0,
        signal: null,
        reason: "exited",
        stderr: "",
      });
      expect([...machine.unknownSyscalls.keys()]).toEqual([]);
      expect(validate(kernel)).toEqual([]);
    });
  }

  it("append: appends through a mapping, twice", () => {
    const { machine, shell, install, stdout, kernel } = testMachine();
    install("/append", repoFile("examples/bin/append"));
    const first = "x".repeat(5000);
    for (const text of [first, "second"]) {
      machine.spawn("/append", ["append", "notes.txt", text], [], "/tmp");
      expect(machine.run()).toMatchObject({ code: 0, reason: "exited" });
    }
    expect(stdout()).toContain("notes.txt: 7 bytes appended at 5001, now 5008 bytes");
    const fd = shell.open("/tmp/notes.txt", O_RDONLY);
    const bytes = new Uint8Array(6000);
    const length = shell.read(fd, bytes);
    expect(Buffer.from(bytes.subarray(0, length)).toString()).toBe(`${first}\nsecond\n`);
    expect(validate(kernel)).toEqual([]);
  });

  it("takes the same course every time", () => {
    const runs = [1, 2].map(() => {
      const { machine, stdout } = runProgram("test/programs/bin/pipe");
      return { instructions: machine.instructions, finished: machine.finished, stdout: stdout() };
    });
    expect(runs[0]).toEqual(runs[1]);
  });

  it("is the same whatever the length of a turn", () => {
    const { stdout } = runProgram("test/programs/bin/fork-wait");
    for (const quantum of [1, 37, 1_000_000]) {
      const other = runProgram("test/programs/bin/fork-wait", [], { quantum });
      expect(other.end.code).toBe(0);
      expect(other.stdout()).toBe(stdout());
    }
  });

  it("stops at an instruction limit and when told to, with nothing left behind", () => {
    const limited = runProgram("test/programs/bin/malloc-stress", [], { maxInstructions: 2_000_000 });
    expect(limited.end).toMatchObject({ code: null, signal: 9, reason: "instruction-limit" });
    expect(validate(limited.kernel)).toEqual([]);
    let turns = 0;
    const stopped = runProgram("test/programs/bin/malloc-stress", [], {
      onSlice: () => (++turns === 3 ? "stop" : undefined),
    });
    expect(stopped.end.reason).toBe("stopped");
    expect(validate(stopped.kernel)).toEqual([]);
  });

  it("ends a program that its RAM is too small for, and nothing else", () => {
    const { machine, install, kernel } = testMachine({}, { ram: 3 * 2 ** 20 });
    install("/malloc-stress", repoFile("test/programs/bin/malloc-stress"));
    machine.spawn("/malloc-stress");
    const end = machine.run();
    expect(end.reason).toBe("exited");
    expect(end.code === 0).toBe(false);
    expect(validate(kernel)).toEqual([]);
  });

  it("refuses what is no program with a clear error", () => {
    const { machine, install } = testMachine();
    install("/text", Buffer.from("echo hello\n"));
    expect(() => machine.spawn("/text")).toThrow("not an ELF program");
    // A script without its interpreter.
    install("/script", Buffer.from("#!/bin/sh\necho hello\n"));
    expect(() => machine.spawn("/script")).toThrow("ENOENT");
    expect(() => machine.spawn("/nowhere")).toThrow("ENOENT");
    expect(() => machine.spawn("/tmp")).toThrow("EACCES");
    install("/empty", new Uint8Array(0));
    expect(() => machine.spawn("/empty")).toThrow("not an ELF program");
  });
});

describe("scripts", () => {
  it("run in their interpreter, which gets its argument, the path and what follows", () => {
    const { machine, install, stdout } = testMachine();
    install("/show", repoFile("test/programs/bin/args-env-auxv"));
    install("/script", Buffer.from("#! /show  one argument \nignored\n"));
    machine.spawn("/script", ["script", "more"]);
    machine.run();
    for (const word of ["one argument", "/script", "more"]) expect(stdout()).toContain(word);
  });

  it("that name each other in a circle are refused", () => {
    const { machine, install } = testMachine();
    install("/a", Buffer.from("#!/b\n"));
    install("/b", Buffer.from("#!/a\n"));
    expect(() => machine.spawn("/a")).toThrow("ELOOP");
  });
});

describe("waiting", () => {
  // cat is not among the programs; a read of standard input is: glibc's and musl's stdio are exercised elsewhere.
  it("reports a program that waits for what can't come", () => {
    const { machine, install } = testMachine({ stdin: streamOf({ read: () => undefined }) });
    install("/reader", assemble([0x00000513, 0xff010593, 0x00100613, 0x03f00893, 0x00000073]));
    machine.spawn("/reader");
    expect(() => machine.run()).toThrow(DeadlockError);
  });

  it("ends when none but a service that the program left behind waits for ever", () => {
    const { machine, install, kernel } = testMachine();
    // if (clone(SIGCHLD, 0, 0, 0, 0) != 0) exit(3); ppoll(0, 0, 0, 0)
    const code = [
      0x01100513, 0x00000593, 0x00000613, 0x00000693, 0x00000713, 0x0dc00893, 0x00000073, 0x00050863,
      0x00300513, 0x05d00893, 0x00000073, 0x04900893, 0x00000073,
    ];
    install("/service", assemble(code));
    machine.spawn("/service");
    expect(machine.run()).toMatchObject({ code: 3, reason: "exited" });
    expect(machine.finished.map(({ status }) => status)).toEqual([3 << 8, 9]);
    expect(validate(kernel)).toEqual([]);
  });

  it("goes on when input comes, in runAsync", async () => {
    const input = [undefined, undefined, Buffer.from("A"), null];
    const { machine, install } = testMachine({ stdin: streamOf({ read: () => input.shift() }) });
    // read(0, sp − 16, 1); exit(*(sp − 16))
    const code = [
      0x00000513, 0xff010593, 0x00100613, 0x03f00893, 0x00000073, 0xff014503, 0x05d00893, 0x00000073,
    ];
    install("/reader", assemble(code));
    machine.spawn("/reader");
    const end = await machine.runAsync({ pause: () => new Promise((done) => setImmediate(done)) });
    expect(end).toMatchObject({ code: "A".charCodeAt(0), reason: "exited" });
  });
});
