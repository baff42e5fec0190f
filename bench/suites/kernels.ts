/**
 * kernels REPEATS GUEST [NATIVE [ARG…]]: one program on the machine and, in turns with that, compiled for the host.
 * Prints JSON. Both come from the same source and have to print the same.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { MACHINE_BYTES, Machine, streamOf } from "../../src/machine/index.ts";
import { Kernel, O_CREAT, O_WRONLY } from "../../src/mm/index.ts";
import { figureOf, nowNs } from "../figure.ts";

interface Run {
  readonly output: string;
  readonly ns: number;
  readonly instructions: number;
}

function onMachine(program: string, args: readonly string[]): Run {
  const kernel = new Kernel({ ram: 2 ** 26, machineBytes: MACHINE_BYTES });
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

function natively(program: string, args: readonly string[]): Run {
  const start = nowNs();
  const { stdout, status, error } = spawnSync(program, args, { encoding: "utf8" });
  const ns = nowNs() - start;
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
  return { output: stdout, ns, instructions: 0 };
}

const [, , repeats, guest, native, ...args] = process.argv;
const ours: number[] = [];
const theirs: number[] = [];
let instructions = 0;
// The first of each is to warm up.
for (let repeat = 0; repeat <= Number(repeats); repeat++) {
  const there = native === undefined ? undefined : natively(native, args);
  const here = onMachine(guest, args);
  instructions = here.instructions;
  if (there !== undefined && there.output !== here.output) {
    throw new Error(`${guest} printed ${here.output.trim()} on the machine, ${there.output.trim()} natively`);
  }
  if (repeat === 0) continue;
  ours.push(here.ns);
  if (there !== undefined) theirs.push(there.ns);
}
const figures = { faultline: figureOf(ours), ...(theirs.length > 0 && { native: figureOf(theirs) }) };
console.log(JSON.stringify({ ...figures, instructions }));
