/** What the paths of system calls lead to: names that are no text, and programs that are none. */
import { describe, expect, it } from "vitest";
import { givenStrings } from "../../src/machine/life/exec-strings.ts";
import { prepareExec } from "../../src/machine/life/prepare-exec.ts";
import { sysFchmodat } from "../../src/mm/syscalls/attributes.ts";
import { sysGetdents, sysMknodat } from "../../src/mm/syscalls/directory.ts";
import { EACCES } from "../../src/mm/uapi/errno.ts";
import { AT_FDCWD, O_RDONLY, S_IFSOCK } from "../../src/mm/uapi/fcntl.ts";
import { assemble } from "./assemble.ts";
import { repoFile, testMachine } from "./support.ts";

describe("names", () => {
  /** mkdirat(AT_FDCWD, path, 0777); exit(−result). The names that are there then. */
  function mkdir(path: readonly number[]): string[] {
    const code = [
      0xf9c00513, 0x000105b7, 0x12458593, 0x1ff00613, 0x02200893, 0x00000073, 0x40a00533, 0x05d00893,
      0x00000073,
    ];
    const words = [0, 4].map((from) =>
      path.slice(from, from + 4).reduce((word, byte, i) => word | (byte << (8 * i)), 0),
    );
    const { machine, shell, install } = testMachine();
    install("/mkdir", assemble([...code, ...words]));
    machine.spawn("/mkdir", ["mkdir"], [], "/tmp");
    expect(machine.run().code).toBe(0);
    const names: string[] = [];
    const fd = shell.open("/tmp", O_RDONLY);
    expect(sysGetdents(shell, fd, ({ name }) => names.push(name) > 0)).toBe(0);
    return names.slice(2);
  }

  it("are any bytes", () => {
    expect(mkdir([0x61])).toEqual(["a"]);
    expect(mkdir([0xc3, 0xa4, 0xf0, 0x9f, 0x98, 0x80])).toEqual(["ä😀"]);
    expect(mkdir([0xff])).toEqual(["\udcff"]);
    expect(mkdir([0x61, 0xc3])).toEqual(["a\udcc3"]);
    expect(mkdir([0xc0, 0x80])).toEqual(["\udcc0\udc80"]);
    expect(mkdir([0xed, 0xa0, 0x80])).toEqual(["\udced\udca0\udc80"]);
  });
});

describe("execve", () => {
  it("refuses what is no file before it opens it", () => {
    const { machine, shell } = testMachine();
    expect(sysMknodat(shell, AT_FDCWD, "/socket", S_IFSOCK | 0o777, 0)).toBe(0);
    expect(() => machine.spawn("/socket")).toThrow("EACCES");
  });

  it("asks for leave to execute, and not to read", () => {
    const { kernel, shell, install } = testMachine();
    install("/hello", repoFile("test/programs/bin/hello"));
    const user = kernel.spawn({ uid: 1000, gid: 1000 });
    const request = { path: "/hello", strings: givenStrings([], []) };
    sysFchmodat(shell, AT_FDCWD, "/hello", 0o644, 0);
    expect(prepareExec(user, request)).toBe(-EACCES);
    sysFchmodat(shell, AT_FDCWD, "/hello", 0o711, 0);
    expect(prepareExec(user, request)).toHaveProperty("elf");
  });
});
