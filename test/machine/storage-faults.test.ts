/** What programs on the machine see of a storage that fails or takes its time. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../src/machine/index.ts";
import { faultInjection } from "../../src/mm/index.ts";
import { PAGE_SIZE } from "../../src/mm/page.ts";
import { EIO } from "../../src/mm/uapi/errno.ts";
import { O_CREAT, O_RDWR } from "../../src/mm/uapi/fcntl.ts";
import { Disk, diskFs } from "../mm/writeback/disk-fs.ts";
import { repoFile, type TestMachine, testMachine } from "./support.ts";

const SIGBUS = 7;
const HELLO = repoFile("test/programs/bin/hello-glibc");

/** A machine with a program on a disk at /disk. */
function machineWith(
  plan: string,
  program: Uint8Array = HELLO,
): TestMachine & { disk: Disk; clock: VirtualClock } {
  const clock = new VirtualClock();
  const test = testMachine(
    { clock },
    { now: () => clock.realtimeNs(), sleep: (ns) => clock.sleepUntil(clock.monotonicNs() + ns) },
  );
  const disk = new Disk();
  disk.files.set("program", program);
  test.kernel.mount("/disk", plan === "" ? diskFs(disk) : faultInjection(diskFs(disk), plan));
  return { ...test, disk, clock };
}

describe("a program on a bad disk", () => {
  it("does not start when its header can't be read", () => {
    const { machine } = machineWith("read:eio@1");
    expect(() => machine.spawn("/disk/program", ["program"])).toThrow(
      expect.objectContaining({ errno: EIO }),
    );
  });

  it("gets SIGBUS where its code or data can't be read, and others run on", () => {
    const pages = Math.ceil(HELLO.length / PAGE_SIZE);
    let killed = 0;
    for (let page = 2; page < pages; page += 40) {
      const { machine, stdout } = machineWith(`read:eio@${page}`);
      try {
        machine.spawn("/disk/program", ["program"]);
      } catch (error) {
        expect(error).toMatchObject({ errno: EIO });
        continue;
      }
      const { signal, code } = machine.run();
      if (signal === null) expect([code, stdout()]).toEqual([0, expect.stringContaining("hello")]);
      else {
        expect(signal).toBe(SIGBUS);
        killed++;
      }
    }
    expect(killed).toBeGreaterThan(0);
  });

  it("waits for a slow one in virtual time", () => {
    const times = ["", "read:delay=3ms"].map((plan) => {
      const { machine, clock, disk } = machineWith(plan);
      machine.spawn("/disk/program", ["program"]);
      machine.run();
      const pages = disk.reads.reduce((sum, [, , count]) => sum + count, 0);
      return { ns: clock.monotonicNs(), pages };
    });
    expect(times[1].pages).toBe(times[0].pages);
    expect(times[1].ns - times[0].ns).toBe(times[0].pages * 3e6);
  });
});

it("the flusher comes while programs sleep, at its time", () => {
  const { machine, kernel, shell, disk, clock } = machineWith("", repoFile("test/programs/bin/timers"));
  const { writeback } = kernel.mounts;
  writeback.dirtyWritebackCentisecs = 1;
  writeback.dirtyExpireCentisecs = 0;
  const at: number[] = [];
  kernel.tracer.subscribe((event) => {
    if (event.type === "writeback") at.push(clock.monotonicNs());
  });
  shell.write(shell.open("/disk/file", O_CREAT | O_RDWR, 0o644), new Uint8Array(10));
  machine.spawn("/disk/program", ["program"]);
  machine.run();
  expect(disk.writes).toEqual([["file", 0, 1]]);
  expect(clock.monotonicNs()).toBeGreaterThan(at[0] + 1e6);
  // A turn's length after the hundredth of a second, at most.
  expect(at[0] - 1e7).toBeLessThan(2e5);
});
