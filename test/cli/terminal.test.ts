/** The command in a terminal: what its programs show arrives there as if they ran in it, and its settings come back. */
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assemble } from "../machine/assemble.ts";
import { outcomeOf, setUpCommand } from "./command.ts";

/** write(1, "a\nb\n", 4); exit(0) */
const WRITE_LINES = [
  ...[0x00100513, 0x00000597, 0x02058593, 0x00400613, 0x04000893, 0x00000073],
  ...[0x00000513, 0x05d00893, 0x00000073, 0x0a620a61],
];

/** ioctl(0, TCGETS, sp - 256); without any c_lflag and c_oflag; ioctl(0, TCSETS, sp - 256); and the same as above */
const WRITE_LINES_RAW = [
  ...[0x00000513, 0x000055b7, 0x40158593, 0xf0010613, 0x01d00893, 0x00000073, 0xf0012223, 0xf0012623],
  ...[0x00000513, 0x000055b7, 0x40258593, 0xf0010613, 0x01d00893, 0x00000073],
  ...WRITE_LINES,
];

const missing = ["script", "stty"].filter(
  (tool) => process.platform !== "linux" || spawnSync(tool, ["--version"]).status !== 0,
);

const command = setUpCommand();

/** What a terminal is given by the program, and by a newline after it. */
async function shown(program: readonly number[]): Promise<string> {
  writeFileSync(join(command.folder, "program"), assemble(program), { mode: 0o755 });
  const line = `'${process.execPath}' '${command.entry}' run -q ./program; echo end`;
  const terminal = spawn("script", ["-qec", line, "/dev/null"], { cwd: command.folder, stdio: "pipe" });
  const { stdout } = await outcomeOf(terminal);
  return stdout;
}

describe.skipIf(missing.length > 0)(
  `a terminal${missing.length > 0 ? ` (skipped: no ${missing.join(" and ")})` : ""}`,
  () => {
    it("puts one return before each newline of a program that leaves it as it is", async () => {
      expect(await shown(WRITE_LINES)).toBe("a\r\nb\r\nend\r\n");
    });

    it("puts none where the program has it so; and is as before in the end", async () => {
      expect(await shown(WRITE_LINES_RAW)).toBe("a\nb\nend\r\n");
    });
  },
);
