/** The end of a process that meets its own end on the way. */
import { expect, it } from "vitest";
import { MACHINE_BYTES, VirtualClock } from "../../../src/machine/index.ts";
import { exitGroup } from "../../../src/machine/life/exit.ts";
import { makeHart } from "../../../src/machine/scheduler.ts";
import { SignalHandlers } from "../../../src/machine/signals/signal-state.ts";
import { System } from "../../../src/machine/system.ts";
import { Thread, ThreadGroup } from "../../../src/machine/thread.ts";
import { Terminals } from "../../../src/machine/tty/terminals.ts";
import { Kernel } from "../../../src/mm/index.ts";
import { validate } from "../../../src/mm/kernel/validate.ts";
import { PAGE_SIZE } from "../../../src/mm/page.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../../src/mm/uapi/mman.ts";

const SIGKILL = 9;

/**
 * Its first thread tells the second of its end by zeroing a word of its memory. What that takes of memory costs the whole
 * process its life, as whoever chooses among processes finds it: the same end begins a second time within the first.
 */
it.each([0, 3])("a process that is killed in the middle of its own end ends once (status %d)", (status) => {
  const clock = new VirtualClock();
  const kernel = new Kernel({ ram: 2 ** 20, machineBytes: MACHINE_BYTES, now: () => clock.realtimeNs() });
  const { ram } = kernel.phys;
  const hart = makeHart(() => system, ram.memory, ram.machineBase, undefined);
  const system: System = new System(kernel, hart, clock, (bytes) => void bytes.fill(1), new Terminals());
  const [running, dying] = [0, 1].map(() => {
    const group = new ThreadGroup(kernel.spawn(), new SignalHandlers(), 0);
    system.groups.set(group.pid, group);
    system.threads.push(group.leader);
    return group;
  });
  const second = new Thread(1000, dying);
  dying.threads.push(second);
  system.threads.push(second);
  system.tids.set(second.tid, second);
  let abandoned = 0;
  dying.leader.wait = {
    isReady: () => false,
    deadlineNs: Number.POSITIVE_INFINITY,
    interrupted: 0,
    abandon: () => void abandoned++,
  };
  const told: string[] = [];
  system.onExit = ({ pid }, how) => void told.push(`${pid} ${how}`);
  const { process } = dying;
  dying.leader.clearChildTid = process.mmap(
    0,
    PAGE_SIZE,
    PROT_READ | PROT_WRITE,
    MAP_PRIVATE | MAP_ANONYMOUS,
  );
  const { mmu } = kernel;
  const { translate } = mmu;
  let faultsWithin = 0;
  mmu.translate = () => {
    mmu.translate = () => {
      faultsWithin++;
      return -1;
    };
    process.isOomVictim = true;
    exitGroup(system, dying, SIGKILL);
    mmu.translate = translate;
    // The access fails, for want of memory.
    return -1;
  };
  kernel.phys.setCurrent(running.process);
  system.current = running.leader;
  exitGroup(system, dying, status << 8);
  exitGroup(system, dying, status << 8);

  // Within a fault there is no other one.
  expect(faultsWithin).toBe(0);
  expect(told).toEqual([`${dying.pid} ${SIGKILL}`]);
  expect(abandoned).toBe(1);
  expect(dying.threads).toEqual([]);
  expect(system.threads).toEqual([running.leader]);
  expect([...system.tids, ...system.groups.keys()]).toEqual([running.pid]);
  expect(process.exitStatus).toBe(SIGKILL);
  expect(validate(kernel)).toEqual([]);
});
