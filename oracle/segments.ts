/** What shmctl tells of segments, in a form that two kernels can agree on. */
import { IPC_INFO, IPC_STAT, SHM_INFO, SHM_STAT, SHM_STAT_ANY } from "../src/mm/uapi/ipc.ts";
import { NOBODY } from "./subject.ts";

/** The bytes that a command answers with. */
export const ANSWER_BYTES: ReadonlyMap<number, number> = new Map([
  [IPC_STAT, 112],
  [SHM_STAT, 112],
  [SHM_STAT_ANY, 112],
  [IPC_INFO, 72],
  [SHM_INFO, 48],
]);

/** Offsets in struct shmid64_ds: uid, gid, cuid, cgid … */
const OWNERS = 4;
const OWNERS_END = 20;
const ATIME = 56;
const CPID = 80;
const LPID = 84;
/** Stands for a process that is gone. */
const GONE = -1;

/** A struct shmid64_ds without times, with slots (from 1 on) for processes, and NOBODY for the user and group that they run as. */
export function comparableStat(bytes: Uint8Array, slotOf: (pid: number) => number, uid: number): Uint8Array {
  const comparable = bytes.slice().fill(0, ATIME, CPID);
  const view = new DataView(comparable.buffer);
  for (let at = OWNERS; at < OWNERS_END; at += 4) {
    if (view.getUint32(at, true) === uid) view.setUint32(at, NOBODY, true);
  }
  for (const at of [CPID, LPID]) {
    const pid = view.getInt32(at, true);
    if (pid === 0) continue;
    const slot = slotOf(pid);
    view.setInt32(at, slot < 0 ? GONE : slot + 1, true);
  }
  return comparable;
}

export function isStat(command: number): boolean {
  return command === IPC_STAT || command === SHM_STAT || command === SHM_STAT_ANY;
}
