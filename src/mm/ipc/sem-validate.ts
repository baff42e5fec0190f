/** Proves the invariants of semaphores.ts, semaphore-set.ts and sem-undo.ts. Part of the whole-kernel validator. */
import { SEMVMX } from "../uapi/ipc.ts";
import { costOfSet, costOfUndo, costOfWaiter, type Semaphores } from "./semaphores.ts";

/** What is wrong with the semaphores, empty when nothing is. */
export function checkSemaphores(semaphores: Semaphores): string[] {
  const findings: string[] = [];
  let used = 0;
  let cost = 0;
  let inUse = 0;
  for (const set of semaphores.sets) {
    const { id, nsems } = set;
    inUse++;
    used += nsems;
    cost += costOfSet(set);
    for (let num = 0; num < nsems; num++) {
      const value = set.value(num);
      if (value < 0 || value > SEMVMX) findings.push(`semaphore ${num} of set ${id} is ${value}`);
    }
    let complex = 0;
    for (const waiter of set.waiters()) {
      cost += costOfWaiter(waiter);
      if (waiter.ops.count > 1) complex++;
      if (waiter.outcome !== undefined) findings.push(`who is done with set ${id} stands in its queues`);
      if (waiter.undo !== undefined && !set.undos.has(waiter.undo))
        findings.push(`who waits for set ${id} has an undo that is not the set's`);
    }
    if (complex !== set.complexCount)
      findings.push(`set ${id} counts ${set.complexCount} complex waiters, ${complex} found`);
    if (set.isMergedInVain) findings.push(`the queues of set ${id} are one for no one`);
    for (const undo of set.undos) {
      cost += costOfUndo(undo);
      if (undo.list.undos.get(set) !== undo || undo.list.users < 1)
        findings.push(`an undo of set ${id} is nobody's`);
    }
  }
  if (inUse !== semaphores.sets.inUse)
    findings.push(`${semaphores.sets.inUse} sets are counted, ${inUse} found`);
  if (used !== semaphores.usedSems)
    findings.push(`${semaphores.usedSems} semaphores are counted, ${used} found`);
  if (cost !== semaphores.cost) findings.push(`semaphores cost ${cost}, not ${semaphores.cost}`);
  return findings;
}
