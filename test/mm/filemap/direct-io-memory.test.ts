/** O_DIRECT from and to memory that is itself short. */
import { expect, it } from "vitest";
import { Kernel } from "../../../src/mm/index.ts";
import { O_CREAT, O_DIRECT, O_RDWR } from "../../../src/mm/uapi/fcntl.ts";
import { nodeFs } from "../../../src/storage/node/index.ts";
import { ANON, P, RW } from "../core/rig.ts";
import { addSwap, temporaryFolder } from "../swap/rig.ts";

it("moves a buffer larger than RAM", () => {
  const pages = 300;
  const kernel = new Kernel({ ram: 128 * P });
  addSwap(kernel, "disk", 1024);
  kernel.mount("/d", nodeFs(temporaryFolder()));
  const process = kernel.spawn();
  const at = process.mmap(0, pages * P, RW, ANON);
  for (let page = 0; page < pages; page++) process.storeU32(at + page * P, 1 + page);
  const fd = process.open("/d/file", O_CREAT | O_RDWR | O_DIRECT, 0o644);
  expect(process.write(fd, at, pages * P)).toBe(pages * P);
  for (let page = 0; page < pages; page++) process.storeU32(at + page * P, 0);
  expect(process.pread(fd, at, pages * P, 0)).toBe(pages * P);
  for (let page = 0; page < pages; page++) expect(process.loadU32(at + page * P)).toBe(1 + page);
  expect(kernel.vmstat().oom_kill).toBe(0);
});
