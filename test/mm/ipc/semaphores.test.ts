/** What semaphores may cost the host, and kernel.sem. What they do for programs: test/programs/sysv-sem.c. */
import { describe, expect, it } from "vitest";
import { Kernel, type Process, procFs } from "../../../src/mm/index.ts";
import type { SemUndoHolder } from "../../../src/mm/ipc/sem-undo.ts";
import { checkSemaphores } from "../../../src/mm/ipc/sem-validate.ts";
import { SemOps, SemWaiter } from "../../../src/mm/ipc/semaphore-set.ts";
import { Semaphores } from "../../../src/mm/ipc/semaphores.ts";
import { E2BIG, EINVAL, ENOMEM, ENOSPC } from "../../../src/mm/uapi/errno.ts";
import { IPC_PRIVATE, SEM_UNDO, SEMMNI, SEMMSL } from "../../../src/mm/uapi/ipc.ts";
import { readAll, writeText } from "../proc/steps.ts";

const TASK = { pid: 7, uid: 0, gid: 0, groups: [], capabilities: null };

function ops(...shorts: number[]): SemOps {
  return new SemOps(Int16Array.from(shorts));
}

function holder(): SemUndoHolder {
  return { undoList: undefined };
}

/** Makes sets until there can be no more: why, and how many. */
function fill(semaphores: Semaphores, nsems: number): [number, number] {
  for (let count = 0; ; count++) {
    const id = semaphores.get(TASK, IPC_PRIVATE, nsems, 0o600);
    if (id < 0) return [id, count];
  }
}

function removeAll(semaphores: Semaphores): void {
  for (const { id } of [...semaphores.sets]) expect(semaphores.remove(TASK, id)).toBe(0);
  expect(semaphores.cost).toBe(0);
  expect(semaphores.usedSems).toBe(0);
}

describe("what semaphores cost has a bound", () => {
  it("as many sets as there may be, if they are small", () => {
    const semaphores = new Semaphores(() => 0);
    expect(fill(semaphores, 1)).toEqual([-ENOSPC, SEMMNI]);
    expect(checkSemaphores(semaphores)).toEqual([]);
    removeAll(semaphores);
  });

  it("fewer large ones", () => {
    const semaphores = new Semaphores(() => 0);
    const [why, count] = fill(semaphores, SEMMSL);
    expect(why).toBe(-ENOMEM);
    expect(count).toBe(65);
    removeAll(semaphores);
  });

  it("whatever kernel.sem says", () => {
    const semaphores = new Semaphores(() => 0);
    Object.assign(semaphores, { semmsl: 2e9, semmns: 2e9, semopm: -1 });
    expect(semaphores.get(TASK, IPC_PRIVATE, 1e9, 0o600)).toBe(-ENOMEM);
    expect(semaphores.checkCount(2 ** 32 - 1)).toBe(-ENOMEM);
    semaphores.semopm = 3;
    expect([0, 3, 4].map((count) => semaphores.checkCount(count))).toEqual([-EINVAL, 0, -E2BIG]);
  });

  it("of what tasks would take back at their end", () => {
    const semaphores = new Semaphores(() => 0);
    const id = semaphores.get(TASK, IPC_PRIVATE, SEMMSL, 0o600);
    const holders: SemUndoHolder[] = [];
    let result: number | SemWaiter = 0;
    while (result === 0) {
      holders.push(holder());
      result = semaphores.operate(TASK, holders[holders.length - 1], id, ops(0, 1, SEM_UNDO));
    }
    expect(result).toBe(-ENOMEM);
    expect(holders.length).toBe(258);
    expect(semaphores.sets.withId(id)?.value(0)).toBe(257);
    expect(checkSemaphores(semaphores)).toEqual([]);
    for (const one of holders) semaphores.exit(TASK, one);
    expect(semaphores.sets.withId(id)?.value(0)).toBe(0);
    removeAll(semaphores);
  });

  it("of who waits", () => {
    const semaphores = new Semaphores(() => 0);
    const id = semaphores.get(TASK, IPC_PRIVATE, 1, 0o600);
    const many = ops(...Array.from({ length: 1500 }, (_, i) => (i === 1 ? -1 : 0)));
    const waiters: SemWaiter[] = [];
    let result = semaphores.operate(TASK, holder(), id, many);
    for (; result instanceof SemWaiter; result = semaphores.operate(TASK, holder(), id, many))
      waiters.push(result);
    expect(result).toBe(-ENOMEM);
    expect(waiters.length).toBe(520);
    expect(checkSemaphores(semaphores)).toEqual([]);
    semaphores.leave(waiters[0], -EINVAL);
    expect(semaphores.operate(TASK, holder(), id, many)).toBeInstanceOf(SemWaiter);
    removeAll(semaphores);
    expect(waiters.map(({ outcome }) => outcome)).not.toContain(undefined);
  });
});

it("kernel.sem takes what Linux takes", () => {
  const kernel = new Kernel({ ram: 2 ** 24 });
  kernel.mount("/proc", procFs(kernel));
  const process: Process = kernel.spawn();
  const put = (text: string): string => {
    let taken: unknown;
    try {
      taken = writeText(process, "/proc/sys/kernel/sem", text);
    } catch (error) {
      taken = (error as { code?: string }).code;
    }
    return `${taken} ${readAll(process, "/proc/sys/kernel/sem").trimEnd().replaceAll("\t", " ")}`;
  };
  const rows = [
    ["32000", "5 32000 1024000000 500 32000"],
    ["31000 1000 400 40000", "ERANGE 31000 1000 400 32000"],
    ["30000 2000 300 -5", "ERANGE 30000 2000 300 32000"],
    ["29000 3000 200 32768", "20 29000 3000 200 32768"],
    ["28000 3000 200 100", "18 28000 3000 200 100"],
    ["27000 x", "EINVAL 27000 3000 200 100"],
    ["1 2 3 4 5\n", "8 1 2 3 4"],
    ["-1 -2 -3 7", "10 -1 -2 -3 7"],
    ["x", "EINVAL -1 -2 -3 7"],
    ["", "0 -1 -2 -3 7"],
    ["5000000000", "EINVAL -1 -2 -3 7"],
    ["100 5000000000 3 4", "EINVAL 100 -2 -3 7"],
    ["100\t200\t300\t400\n", "16 100 200 300 400"],
    ["  7 8  \n", "8 7 8 300 400"],
  ];
  expect(rows.map(([text]) => [text, put(text)])).toEqual(rows);
});
