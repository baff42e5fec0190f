/** The machine's own terminal: over a host that hands on every key, and over one that edits lines itself until it is asked not to. */
import { describe, expect, it } from "vitest";
import { type MachineOptions, type MachineStream, streamOf, Terminals } from "../../../src/machine/index.ts";
import { assemble } from "../assemble.ts";
import { testMachine } from "../support.ts";

interface Keyboard {
  readonly stream: MachineStream;
  type(keys: string): void;
  isRaw(): boolean;
  /** The host's terminal goes away. */
  end(): void;
}

/** @param cooks whether it edits lines itself at first */
function keyboard(cooks: boolean): Keyboard {
  const typed: Uint8Array[] = [];
  let hasEnded = false;
  let isRaw = !cooks;
  const terminal = {
    rows: 24,
    columns: 80,
    ...(cooks && {
      setRaw: () => {
        isRaw = true;
      },
    }),
  };
  return {
    stream: streamOf({ terminal, read: () => typed.shift() ?? (hasEnded ? null : undefined) }),
    type: (keys) => void typed.push(new TextEncoder().encode(keys)),
    isRaw: () => isRaw,
    end: () => {
      hasEnded = true;
    },
  };
}

/** A machine whose terminal shows what is collected, with a program in it. */
function terminalMachine(
  keys: Keyboard,
  program: Uint8Array,
  options: MachineOptions = {},
): { run(): string; code(): number | null } {
  const shown: string[] = [];
  const screen = streamOf({
    terminal: {
      rows: 24,
      columns: 80,
      get addsReturns(): boolean {
        return !keys.isRaw();
      },
    },
    write: (bytes) => void shown.push(Buffer.from(bytes).toString()),
  });
  const { machine, install } = testMachine({
    stdin: keys.stream,
    stdout: screen,
    stderr: screen,
    ...options,
  });
  install("/program", program);
  machine.spawn("/program", ["program"]);
  let code: number | null = null;
  return {
    run: () => {
      const end = machine.run();
      code = end.code ?? -(end.signal ?? 0);
      return shown.join("");
    },
    code: () => code,
  };
}

/** read(0, sp - 256, 64); write(1, sp - 256, what came); exit(0) */
const READ_ONCE = [
  0x00000513, 0xf0010593, 0x04000613, 0x03f00893, 0x00000073, 0x00050613, 0x00100513, 0xf0010593, 0x04000893,
  0x00000073, 0x00000513, 0x05d00893, 0x00000073,
];

/** ioctl(0, TCGETS, sp - 256); without any c_lflag; ioctl(0, TCSETS, sp - 256); and the same as above */
const READ_RAW = [
  ...[0x00000513, 0x000055b7, 0x40158593, 0xf0010613, 0x01d00893, 0x00000073, 0xf0012623],
  ...[0x00000513, 0x000055b7, 0x40258593, 0xf0010613, 0x01d00893, 0x00000073],
  ...READ_ONCE,
];

/** a0 = openat(AT_FDCWD, "/proc/self/fd/0", O_RDONLY); and then the same with that descriptor */
const READ_REOPENED = [
  ...[0xf9c00513, 0x00000597, 0x04858593, 0x00000613, 0x00000693, 0x03800893, 0x00000073],
  ...READ_ONCE.slice(1),
  ...[0x6f72702f, 0x65732f63, 0x662f666c, 0x00302f64],
];

/** The same, without any c_oflag either. */
const READ_RAWER = [...READ_RAW.slice(0, 6), 0xf0012223, ...READ_RAW.slice(6)];

describe("a terminal that hands on every key", () => {
  it("shows what is typed, and gives whole lines to who reads", () => {
    const keys = keyboard(false);
    keys.type("lime\x7f\x7fne\r");
    const { run, code } = terminalMachine(keys, assemble(READ_ONCE));
    expect(run()).toBe("lime\b \b\b \bne\r\nline\r\n");
    expect(code()).toBe(0);
  });

  it("interrupts who is in front at ^C", () => {
    const keys = keyboard(false);
    keys.type("ab\x03");
    const { run, code } = terminalMachine(keys, assemble(READ_ONCE));
    expect(run()).toBe("^C");
    expect(code()).toBe(-2);
  });

  it("can be opened again by its descriptor, where no path leads to it", () => {
    const keys = keyboard(false);
    keys.type("line\r");
    const { run, code } = terminalMachine(keys, assemble(READ_REOPENED), { terminals: new Terminals() });
    expect(run()).toBe("line\r\nline\r\n");
    expect(code()).toBe(0);
  });

  it("ends at ^D", () => {
    const keys = keyboard(false);
    keys.type("\x04");
    const { run, code } = terminalMachine(keys, assemble(READ_ONCE));
    expect(run()).toBe("");
    expect(code()).toBe(0);
  });
});

describe("a terminal that edits lines itself", () => {
  it("is left to do so by a program that asks for nothing else", () => {
    const keys = keyboard(true);
    keys.type("typed\n");
    const { run } = terminalMachine(keys, assemble(READ_ONCE));
    // It has shown the line; and puts the return before the newline.
    expect(run()).toBe("typed\n");
    expect(keys.isRaw()).toBe(false);
  });

  it("hands on every key once a program changes the settings", () => {
    const keys = keyboard(true);
    keys.type("k");
    const { run, code } = terminalMachine(keys, assemble(READ_RAW));
    expect(run()).toBe("k");
    expect(code()).toBe(0);
    expect(keys.isRaw()).toBe(true);
  });

  it("is given newlines as they are meant, once it adds nothing to them", () => {
    for (const [program, shown] of [
      [READ_RAW, "a\r\nb"],
      [READ_RAWER, "a\nb"],
    ] as const) {
      const keys = keyboard(true);
      keys.type("a\nb");
      const { run } = terminalMachine(keys, assemble(program));
      expect(run()).toBe(shown);
    }
  });

  it("hangs up who is at it when it goes away", () => {
    const keys = keyboard(true);
    keys.end();
    const { run, code } = terminalMachine(keys, assemble(READ_RAW));
    expect(run()).toBe("");
    expect(code()).toBe(-1);
  });
});
