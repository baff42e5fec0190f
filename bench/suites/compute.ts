/**
 * compute ORDER: one program on the machine and, in turns with that, compiled for the host and under qemu-riscv64. ORDER is
 * a ComputeOrder as JSON; prints ComputeFigures.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { MACHINE_BYTES, Machine, streamOf } from "../../src/machine/index.ts";
import { Kernel, O_CREAT, O_WRONLY } from "../../src/mm/index.ts";
import type { ComputeFigures, ComputeOrder } from "../compute.ts";
import { figureOf, nowNs } from "../figure.ts";

const RAM = 2 ** 28;

interface Run {
  readonly output: string;
  readonly ns: number;
  readonly instructions: number;
}

function onMachine(program: string, args: readonly string[]): Run {
  const kernel = new Kernel({ ram: RAM, machineBytes: MACHINE_BYTES });
  const loader = kernel.spawn();
  const fd = loader.open("/program", O_CREAT | O_WRONLY, 0o755);
  loader.write(fd, readFileSync(program));
  loader.exit();
  const decoder = new TextDecoder();
  let output = "";
  const stdout = streamOf({
    write: (bytes) => {
      output += decoder.decode(bytes, { stream: true });
    },
  });
  const machine = new Machine(kernel, { stdout });
  const start = nowNs();
  machine.spawn("/program", [program, ...args]);
  const { code } = machine.run();
  const ns = nowNs() - start;
  if (code !== 0) throw new Error(`${program} ended with ${code} on the machine`);
  return { output, ns, instructions: machine.instructions };
}

function onHost(program: string, args: readonly string[]): Run {
  const start = nowNs();
  const { stdout, status, error } = spawnSync(program, args, { encoding: "utf8" });
  const ns = nowNs() - start;
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}`);
  return { output: stdout, ns, instructions: 0 };
}

const { guest, native, qemu, args, repeats, samePrint }: ComputeOrder = JSON.parse(process.argv[2]);
const ours: number[] = [];
const theirs: number[] = [];
const qemus: number[] = [];
let instructions = 0;
// The first of each is to warm up.
for (let repeat = 0; repeat <= repeats; repeat++) {
  const there = native === undefined ? undefined : onHost(native, args);
  const translated = qemu === undefined ? undefined : onHost(qemu, [guest, ...args]);
  const here = onMachine(guest, args);
  instructions = here.instructions;
  for (const other of [there, translated]) {
    if (samePrint && other !== undefined && other.output !== here.output)
      throw new Error(
        `${guest} printed ${here.output.trim()} on the machine, elsewhere ${other.output.trim()}`,
      );
  }
  if (repeat === 0) continue;
  ours.push(here.ns);
  if (there !== undefined) theirs.push(there.ns);
  if (translated !== undefined) qemus.push(translated.ns);
}
const figures: ComputeFigures = {
  faultline: figureOf(ours),
  ...(theirs.length > 0 && { native: figureOf(theirs) }),
  ...(qemus.length > 0 && { qemu: figureOf(qemus) }),
  instructions,
};
console.log(JSON.stringify(figures));
