/** Small integers for objects. */
import { describe, expect, it } from "vitest";
import { IdTable } from "../../src/lib/id-table.ts";

describe("IdTable", () => {
  it("gives ids from 1 on, and each finds its object", () => {
    const table = new IdTable<string>();
    expect(["a", "b", "c"].map((object) => table.add(object))).toEqual([1, 2, 3]);
    expect([0, 1, 2, 3, 4].map((id) => table.get(id))).toEqual([undefined, "a", "b", "c", undefined]);
    expect(table.size).toBe(3);
  });

  it("gives a removed id out again, the last one first, and shows only what is there", () => {
    const table = new IdTable<string>();
    for (const object of ["a", "b", "c"]) table.add(object);
    table.remove(1);
    table.remove(3);
    expect([...table.values()]).toEqual(["b"]);
    expect([table.add("d"), table.add("e"), table.add("f")]).toEqual([3, 1, 4]);
    expect([...table.values()]).toEqual(["e", "b", "d", "f"]);
    expect(table.size).toBe(4);
  });

  it("removing an id that names nothing is refused: it would be given out twice", () => {
    const table = new IdTable<string>();
    const id = table.add("a");
    table.remove(id);
    expect(() => table.remove(id)).toThrow("id 1");
    expect(() => table.remove(7)).toThrow("id 7");
  });
});
