/**
 * A C program that uses four times the memory of its machine, with a child, a file mapped beside it and a swap file of its
 * own that it gives up in the middle (four-times-ram.c). FAULTLINE_LARGE=1 goes on up to 1 GiB of RAM.
 */
import { describe, expect, test } from "vitest";
import { createSwapFile } from "../../../src/storage/node/index.ts";
import { setUpCommand } from "../command.ts";

const KIB = 1024;
const SMALL_SIZES: readonly number[] = [256 * KIB, 1024 * KIB];
const LARGE_SIZES: readonly number[] = [16 * KIB * KIB, 256 * KIB * KIB, KIB * KIB * KIB];
const SIZES = process.env.FAULTLINE_LARGE === "1" ? [...SMALL_SIZES, ...LARGE_SIZES] : SMALL_SIZES;

/** A block of memory has a size that it can't go beyond: so several, one after the other. */
function inPieces(bytes: number): string[] {
  const most = 2 ** 31;
  return Array.from({ length: Math.ceil(bytes / most) }, (_, i) => `${Math.min(most, bytes - i * most)}`);
}

const command = setUpCommand();

describe.each(SIZES)("%d bytes of RAM", (ram) => {
  // A third of what the child has is its own, and the machine keeps some of its memory for itself.
  const room = 6 * ram + 2 ** 20;
  test.each([
    ["memory", inPieces(room)],
    ["compressed memory", [`${room},zram`]],
    ["a file", [`${room},file=swap`]],
    ["two areas in turns", [`${room / 2},prio=7`, `${room / 2},zram,prio=7`]],
  ])("and swap in %s", { timeout: 1_800_000 }, async (_kind, areas) => {
    command.bring("test/cli/four-times-ram/four-times-ram");
    createSwapFile(`${command.folder}/own`, 2 * ram);
    const swap = areas.flatMap((area) => ["--swap", area]);
    expect(
      await command.faultline(["run", "-q", "--ram", `${ram}`, ...swap, "four-times-ram", "file", "own"]),
    ).toEqual({
      status: 0,
      signal: null,
      stdout: `${(4 * ram) / KIB} KiB of ${ram / KIB} KiB: every byte right\n`,
      stderr: "",
    });
  });
});
