/** Who may look into a process that asked not to be looked into (ptrace_may_access, task_dump_owner). */
import { expect, it } from "vitest";
import { Kernel } from "../../../src/mm/kernel/kernel.ts";
import { procFs } from "../../../src/mm/proc/proc-fs.ts";
import { ptraceMayAccess } from "../../../src/mm/syscalls/ptrace-access.ts";
import { O_DIRECTORY, O_RDONLY } from "../../../src/mm/uapi/fcntl.ts";

const USER = 1000;

it("keeps a process's memory from others of its user, not from root and not from itself", () => {
  const kernel = new Kernel({ ram: 8 * 2 ** 20 });
  kernel.mount("/proc", procFs(kernel));
  const [target, other] = [0, 1].map(() => kernel.spawn({ uid: USER, gid: USER }));
  const root = kernel.spawn();
  const ownerOf = (name: string): number => root.stat(`/proc/${target.pid}/${name}`).uid;
  expect([ptraceMayAccess(other, target), ownerOf("maps"), ownerOf("task")]).toEqual([true, USER, USER]);
  target.mm.dumpable = 0;
  expect([other, root, target].map((who) => ptraceMayAccess(who, target))).toEqual([false, true, true]);
  expect([ownerOf("maps"), ownerOf("task")]).toEqual([0, USER]);
  expect(() => other.open(`/proc/${target.pid}/maps`, O_RDONLY)).toThrow("EACCES");
  expect(() => target.open(`/proc/${target.pid}/maps`, O_RDONLY)).not.toThrow();
  // Its directory of descriptors is root's now, and open to itself alone.
  expect(ownerOf("fd")).toBe(0);
  expect(() => other.open(`/proc/${target.pid}/fd`, O_RDONLY | O_DIRECTORY)).toThrow("EACCES");
  expect(() => target.open(`/proc/${target.pid}/fd`, O_RDONLY | O_DIRECTORY)).not.toThrow();
  // The flag belongs to the memory, which the child of a fork gets a copy of.
  expect(ptraceMayAccess(other, target.fork())).toBe(false);
});
