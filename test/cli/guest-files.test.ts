/** What a program sees of the host's folders; how the command shows it is in run.test.ts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bootOn } from "../../src/cli/guest-files.ts";
import { O_CREAT, O_WRONLY } from "../../src/mm/index.ts";

test("a sysroot in a folder that the program may write to changes with it", () => {
  const root = mkdtempSync(join(tmpdir(), "faultline-files-"));
  try {
    const sysroot = join(root, "layer");
    mkdirSync(sysroot);
    writeFileSync(join(root, "program"), "", { mode: 0o755 });
    const { kernel } = bootOn({ program: "/program", root, sysroot, env: [] }, { ram: 16 * 2 ** 20 });
    const task = kernel.spawn();
    // That it is not there is not remembered.
    expect(() => task.stat("/late")).toThrow("ENOENT");
    task.close(task.open("/layer/late", O_CREAT | O_WRONLY, 0o644));
    expect(task.stat("/late").size).toBe(0);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
