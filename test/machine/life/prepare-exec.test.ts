/** What execve refuses, and why, before the old program is gone: as Linux answered for the same files. */
import { describe, expect, it } from "vitest";
import { EM_RISCV, elf } from "../../../oracle/exec-programs.ts";
import { ElfError } from "../../../src/machine/elf/elf-error.ts";
import { givenStrings } from "../../../src/machine/life/exec-strings.ts";
import { prepareExec } from "../../../src/machine/life/prepare-exec.ts";
import type { Process } from "../../../src/mm/kernel/process.ts";
import { sysFchmod } from "../../../src/mm/syscalls/attributes.ts";
import { errnoName } from "../../../src/mm/uapi/errno.ts";
import { O_CREAT, O_RDWR, O_WRONLY } from "../../../src/mm/uapi/fcntl.ts";
import { testMachine } from "../support.ts";

function put(shell: Process, path: string, content: string | Uint8Array): void {
  const fd = shell.open(path, O_RDWR | O_CREAT, 0o755);
  shell.write(fd, Buffer.from(content));
  shell.close(fd);
}

/** The name of the errno, "" for none. */
function answer(shell: Process, path: string): string {
  const found = prepareExec(shell, { path, strings: givenStrings([path], []) });
  if (typeof found === "number") return errnoName(-found);
  if (found instanceof ElfError) return errnoName(found.errno);
  found.file.put();
  found.interpreter?.file.put();
  return "";
}

describe("prepareExec", () => {
  it.each([
    ["a script without an interpreter", "#!", "EACCES"],
    ["program headers beyond the end", elf(EM_RISCV, { phoff: 0x1000 }), "ENOEXEC"],
    ["a dynamic linker of a few bytes", elf(EM_RISCV, { interpreter: "/short\0" }), "EIO"],
    ["half the header of a dynamic linker", elf(EM_RISCV, { interpreter: "/half\0" }), "EIO"],
    ["a dynamic linker without program headers", elf(EM_RISCV, { interpreter: "/header\0" }), "ELIBBAD"],
    ["a dynamic linker without a name", elf(EM_RISCV, { interpreter: "\0\0" }), "EACCES"],
  ])("%s", (_, content, expected) => {
    const { shell } = testMachine();
    put(shell, "/short", "rub");
    put(shell, "/half", elf(EM_RISCV, {}).subarray(0, 40));
    put(shell, "/header", elf(EM_RISCV, {}).subarray(0, 64));
    put(shell, "/program", content);
    expect(answer(shell, "/program")).toBe(expected);
  });

  it("finds out that a dynamic linker is no program when the old program is gone", () => {
    const { shell } = testMachine();
    put(shell, "/object", elf(EM_RISCV, { type: 1 }));
    put(shell, "/program", elf(EM_RISCV, { interpreter: "/object\0" }));
    const found = prepareExec(shell, { path: "/program", strings: givenStrings([], []) });
    expect(found).toMatchObject({ kind: "malformed" });
  });

  it("is kept from a file that is open for writing, but not from a memfd", () => {
    const { shell } = testMachine();
    const program = elf(EM_RISCV, { phnum: 1 });
    put(shell, "/program", program);
    const writer = shell.open("/program", O_WRONLY);
    expect(answer(shell, "/program")).toBe("ETXTBSY");
    shell.close(writer);
    expect(answer(shell, "/program")).toBe("");
    const memfd = shell.memfd_create("program");
    shell.write(memfd, program);
    sysFchmod(shell, memfd, 0o755);
    expect(answer(shell, `/proc/self/fd/${memfd}`)).toBe("");
    const reopened = shell.open(`/proc/self/fd/${memfd}`, O_WRONLY);
    expect(answer(shell, `/proc/self/fd/${memfd}`)).toBe("ETXTBSY");
    shell.close(reopened);
  });
});
