/** What execve makes of the strings that a program is started with, and when it looks at them. */
import { expect, it } from "vitest";
import { givenStrings, StringStack, userStrings } from "../../../src/machine/life/exec-strings.ts";
import { prepareExec } from "../../../src/machine/life/prepare-exec.ts";
import { sysSetrlimit } from "../../../src/mm/syscalls/rlimit.ts";
import { E2BIG, EFAULT, ENOENT, ENOEXEC } from "../../../src/mm/uapi/errno.ts";
import { O_CREAT, O_RDWR } from "../../../src/mm/uapi/fcntl.ts";
import { RLIM_INFINITY, RLIMIT_AS, RLIMIT_STACK } from "../../../src/mm/uapi/mman.ts";
import { testMachine } from "../support.ts";

const megabytes = (n: number): string[] => Array.from({ length: n * 16 }, () => "x".repeat(65535));

it.each([
  [1, 8 * 2 ** 20, 0],
  [3, 8 * 2 ** 20, -E2BIG],
  [5, RLIM_INFINITY, 0],
  [6, RLIM_INFINITY, -E2BIG],
])("%i MiB of strings with a stack of %i bytes: %i", (size, soft, expected) => {
  const { shell } = testMachine();
  sysSetrlimit(shell, RLIMIT_STACK, { soft, hard: RLIM_INFINITY });
  const found = givenStrings(["p"], megabytes(size))(new StringStack(shell), "/p");
  expect(typeof found === "number" ? found : 0).toBe(expected);
});

it("has room for 128 KiB whatever the stack, as far as that and the address space go", () => {
  const { shell } = testMachine();
  const strings = givenStrings(["x".repeat(9000)], []);
  sysSetrlimit(shell, RLIMIT_STACK, { soft: 3 * 4096, hard: RLIM_INFINITY });
  expect(strings(new StringStack(shell), "/p")).toHaveProperty("argv");
  sysSetrlimit(shell, RLIMIT_STACK, { soft: 2 * 4096, hard: RLIM_INFINITY });
  expect(strings(new StringStack(shell), "/p")).toBe(-E2BIG);
  sysSetrlimit(shell, RLIMIT_STACK, { soft: RLIM_INFINITY, hard: RLIM_INFINITY });
  sysSetrlimit(shell, RLIMIT_AS, { soft: 2 * 4096, hard: RLIM_INFINITY });
  expect(strings(new StringStack(shell), "/p")).toBe(-E2BIG);
});

it("refuses a string of 128 KiB", () => {
  const { shell } = testMachine();
  sysSetrlimit(shell, RLIMIT_STACK, { soft: RLIM_INFINITY, hard: RLIM_INFINITY });
  expect(givenStrings(["x".repeat(131072)], [])(new StringStack(shell), "/p")).toBe(-E2BIG);
});

it("opens the program before it looks at the strings, and those before it looks into the program", () => {
  const { shell } = testMachine();
  shell.close(shell.open("/rubbish", O_RDWR | O_CREAT, 0o755));
  const bad = userStrings(shell, 8, 0);
  expect(prepareExec(shell, { path: "/missing", strings: bad })).toBe(-ENOENT);
  expect(prepareExec(shell, { path: "/rubbish", strings: bad })).toBe(-EFAULT);
  const before = shell.minFlt;
  expect(prepareExec(shell, { path: "/rubbish", strings: givenStrings([], []) })).toMatchObject({
    errno: ENOEXEC,
  });
  // The page of the new stack that the strings were copied to.
  expect(shell.minFlt - before).toBe(1);
});
