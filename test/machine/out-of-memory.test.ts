/** Programs on the machine when memory is out: who is killed, and that the others run on. */
import { expect, it } from "vitest";
import { PAGE_SIZE, validate } from "../../src/mm/index.ts";
import { assemble } from "./assemble.ts";
import { testMachine } from "./support.ts";

const MAP = 0x22;
const SIGKILL = 9;
const RAM_PAGES = 2048;

/** Maps 64 MiB, writes to `pages` of them, and goes on for ever, or ends with status 0. */
function eater(pages: number, goesOn: boolean): Uint8Array {
  const exit = [0x00000513, 0x05d00893, 0x00000073];
  return assemble([
    0x00000513, // li a0, 0
    0x040005b7, // lui a1, 0x4000
    0x00300613, // li a2, PROT_READ | PROT_WRITE
    0x000046b7, // lui a3, 4: MAP_NORESERVE
    ((MAP << 20) | 0x68693) >>> 0, // addi a3, a3, MAP_PRIVATE | MAP_ANONYMOUS
    0xfff00713, // li a4, -1
    0x00000793, // li a5, 0
    0x0de00893, // li a7, mmap
    0x00000073, // ecall
    0x000012b7, // lui t0, 1
    ((pages << 20) | 0x313) >>> 0, // li t1, pages
    0x00552023, // loop: sw t0, 0(a0)
    0x00550533, // add a0, a0, t0
    0xfff30313, // addi t1, t1, -1
    0xfe031ae3, // bnez t1, loop
    ...(goesOn ? [0x0000006f] : exit),
  ]);
}

it("the largest program is killed, whoever runs, and the others go on", () => {
  const { kernel, machine, install } = testMachine({}, { ram: RAM_PAGES * PAGE_SIZE });
  install("/large", eater(1200, /* goesOn */ true));
  install("/small", eater(1000, /* goesOn */ false));
  machine.spawn("/large", ["large"]);
  machine.spawn("/small", ["small"]);
  expect(machine.run()).toMatchObject({ code: null, signal: SIGKILL });
  const [first, second] = machine.finished;
  expect([first.path, first.status, second.path, second.status]).toEqual(["/large", SIGKILL, "/small", 0]);
  expect(kernel.vmstat().oom_kill).toBe(1);
  expect(kernel.dmesg.at(-1)).toMatch(/Out of memory: Killed process \d+ \(large\)/);
  expect(validate(kernel)).toEqual([]);
});

it("a program that is alone is killed itself", () => {
  const { kernel, machine, install, shell } = testMachine({}, { ram: 512 * PAGE_SIZE });
  install("/program", eater(1000, /* goesOn */ false));
  machine.spawn("/program", ["program"]);
  expect(machine.run()).toMatchObject({ code: null, signal: SIGKILL });
  expect(shell.exitStatus).toBeNull();
  expect(kernel.vmstat()).toMatchObject({ oom_kill: 1, nr_anon_pages: 0 });
  // Of what is kept back it got what its last fault needed, and ran no further.
  expect(kernel.phys.minFreeFrames).toBeGreaterThan(kernel.phys.watermarks.min - 4);
});

it("a program in a cgroup is killed at the cgroup's limit", () => {
  const { kernel, machine, install } = testMachine();
  install("/program", eater(1000, /* goesOn */ false));
  const group = kernel.memcg.create("g");
  group.max = 500 * PAGE_SIZE;
  group.add(machine.spawn("/program", ["program"]));
  expect(machine.run()).toMatchObject({ code: null, signal: SIGKILL });
  expect(group.events().oom_kill).toBe(1);
});
