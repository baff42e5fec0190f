/** Ids of System V IPC objects: taken in turn, with a sequence number. The numbers were seen on 6.18, in a namespace of its own. */
import { describe, expect, it } from "vitest";
import { IPC_MNI, IpcIds } from "../../../src/mm/ipc/ipc-ids.ts";
import type { KernIpcPerm } from "../../../src/mm/ipc/ipc-permission.ts";

function object(key = 0): KernIpcPerm {
  return { id: -1, key, seq: 0, uid: 0, gid: 0, cuid: 0, cgid: 0, mode: 0 };
}

/** Adds one and takes it away at once; its id. */
function passing(ids: IpcIds<KernIpcPerm>): number {
  const added = object();
  const id = ids.add(added, 4096);
  ids.remove(added);
  return id;
}

function add(ids: IpcIds<KernIpcPerm>, count: number): KernIpcPerm[] {
  return Array.from({ length: count }, () => {
    const added = object();
    ids.add(added, 4096);
    return added;
  });
}

describe("IpcIds", () => {
  it("goes through the slots, and begins anew with the next sequence number", () => {
    const ids = new IpcIds<KernIpcPerm>();
    const first = add(ids, 5);
    expect(first.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4]);
    ids.remove(first[1]);
    const passed = Array.from({ length: 71 }, () => passing(ids));
    expect(passed.slice(0, 3)).toEqual([5, 6, 7]);
    expect(passed.slice(57, 62)).toEqual([62, 63, 32769, 32773, 32774]);
    expect(passed.at(-1)).toBe(32783);
  });

  it("has room for half as many again as there are, and 64 at least", () => {
    const ids = new IpcIds<KernIpcPerm>();
    const first = add(ids, 5);
    ids.remove(first[1]);
    for (let i = 0; i < 71; i++) passing(ids);
    const more = add(ids, 59);
    const last = add(ids, 40);
    expect([more[0].id, more[58].id, last[0].id, last[39].id]).toEqual([32784, 32842, 32843, 32882]);
    expect([ids.maxSlot, ids.inUse]).toEqual([114, 103]);
    ids.remove(last[39]);
    for (const gone of more.slice(25, 55)) ids.remove(gone);
    expect(add(ids, 2).map(({ id, seq }) => [id, seq])).toEqual([
      [65537, 2],
      [65541, 2],
    ]);
  });

  it("knows an id from another in the same slot, and a key until it becomes private", () => {
    const ids = new IpcIds<KernIpcPerm>();
    const one = object(7);
    ids.add(one, 4096);
    expect([ids.withId(0), ids.withId(32768), ids.inSlotOf(32768), ids.withKey(7)]).toEqual([
      one,
      undefined,
      one,
      one,
    ]);
    ids.setPrivate(one);
    expect([one.key, ids.withKey(7), [...ids]]).toEqual([0, undefined, [one]]);
    ids.remove(one);
    expect([ids.inSlotOf(0), ids.inUse, ids.maxSlot]).toEqual([undefined, 0, -1]);
  });

  it("ends at the limit, and at 32768", () => {
    const ids = new IpcIds<KernIpcPerm>();
    ids.add(object(), 1);
    expect(ids.add(object(), 1)).toBe(-28);
    expect(ids.add(object(), 0)).toBe(-28);
    for (let i = 1; i < IPC_MNI; i++) expect(ids.add(object(), IPC_MNI + 1)).toBeGreaterThan(0);
    expect(ids.add(object(), IPC_MNI + 1)).toBe(-28);
  });
});
