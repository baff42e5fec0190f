/**
 * The host's vm.overcommit_memory, for the time of a run. It holds for everybody on the host, so the limit of mode 2 is set
 * far beyond what programs ask for, where only the oracle gets with mappings of half a tebibyte. A process that waits for
 * the oracle's end, however that comes, puts everything back.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

/** vm.overcommit_kbytes: room for one mapping of 2^39 bytes, not for two. */
export const COMMIT_KBYTES: number = 3 * 2 ** 28;

const SETTINGS = "/proc/sys/vm";

/** Sets the mode and answers what undoes it. Only root can. */
export function setHostOvercommit(mode: number): () => void {
  const read = (name: string): string => readFileSync(`${SETTINGS}/${name}`, "utf8").trim();
  const before: [string, string][] = [["overcommit_memory", read("overcommit_memory")]];
  // Each of the two switches the other off.
  const kbytes = read("overcommit_kbytes");
  before.push(
    kbytes === "0" ? ["overcommit_ratio", read("overcommit_ratio")] : ["overcommit_kbytes", kbytes],
  );
  const script = before.map(([name, value]) => `echo ${value} > ${SETTINGS}/${name}`).join("; ");
  const guard = spawn("/bin/sh", ["-c", `trap '' HUP INT TERM; cat; ${script}`], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  if (guard.pid === undefined)
    throw new Error("no process could be started that restores vm.overcommit_memory");
  guard.unref();
  writeFileSync(`${SETTINGS}/overcommit_kbytes`, String(COMMIT_KBYTES));
  writeFileSync(`${SETTINGS}/overcommit_memory`, String(mode));
  return () => {
    for (const [name, value] of before) writeFileSync(`${SETTINGS}/${name}`, value);
    guard.stdin.end();
  };
}
