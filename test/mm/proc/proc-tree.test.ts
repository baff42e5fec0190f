/** Directories of things that come and go: what a listing costs, and what is remembered of what is gone. */
import { expect, test } from "vitest";
import { directoryNode, ProcSuperBlock } from "../../../src/mm/proc/proc-tree.ts";
import type { DirEntry, Inode } from "../../../src/mm/vfs/inode.ts";

/** A directory of the names of `there`, and how often one was looked for in it. */
function counted(there: Map<string, object>) {
  let finds = 0;
  const sb = new ProcSuperBlock(
    { dev: 1, now: () => 0 },
    {
      find: (name) => {
        finds++;
        const key = there.get(name);
        return key === undefined
          ? undefined
          : { key, node: () => directoryNode({ find: () => undefined, names: () => [] }) };
      },
      names: () => [...there.keys()],
    },
  );
  const list = (): readonly DirEntry[] => {
    const entries = sb.root.ops.readdir?.(sb.root);
    if (!Array.isArray(entries)) throw new Error(`readdir: ${entries}`);
    return entries;
  };
  const lookup = (name: string): Inode | number | undefined => sb.root.ops.lookup?.(sb.root, name);
  return { list, lookup, finds: () => finds };
}

test("a listing asks for each name a few times, however many there are", () => {
  const there = new Map(Array.from({ length: 2000 }, (_, n) => [`${n}`, {}]));
  const { list, finds } = counted(there);
  expect(list()).toHaveLength(2000);
  const first = finds();
  expect(first).toBeLessThan(4 * 2000);
  list();
  expect(finds() - first).toBe(2000);
});

test("a name that stands for something else has another inode, a name for nothing has none", () => {
  const there = new Map(Array.from({ length: 200 }, (_, n) => [`${n}`, {}]));
  const { list, lookup } = counted(there);
  const before = new Map(list().map(({ name, ino }) => [name, ino]));
  there.set("150", {});
  there.delete("7");
  const after = new Map(list().map(({ name, ino }) => [name, ino]));
  expect(after.size).toBe(199);
  expect(after.get("150")).not.toBe(before.get("150"));
  expect(after.get("151")).toBe(before.get("151"));
  expect(lookup("7")).toBeLessThan(0);
});
