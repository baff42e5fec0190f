/**
 * What the browser test does in Node and in the page: the very same code, so that whatever differs between the two
 * answers is the platform's doing. No Node and no DOM in here.
 */
import {
  compileInterpreter,
  MACHINE_BYTES,
  Machine,
  type MachineStream,
  streamOf,
} from "../../src/machine/index.ts";
import {
  Kernel,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Process,
  SegmentationFault,
  validate,
} from "../../src/mm/index.ts";

const OLD_TEXT = "an old line of text\n".repeat(300); // more than a page, and no whole number of pages
const FILE = "/notes.txt";

/** How the program is run. */
export type RunMode =
  /** Machine.run, the interpreter compiled in place. */
  | "run"
  /** Machine.runAsync, the interpreter compiled in the background. */
  | "runAsync";

/** Everything about a run of `append` that could differ. Plain data: it goes from the page to Node. */
export interface AppendRun {
  /** The file afterwards, as Latin-1. */
  readonly file: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly instructions: number;
  readonly minFlt: number;
  readonly majFlt: number;
  readonly maxRssBytes: number;
  readonly syscalls: Readonly<Record<string, number>>;
  readonly vmstat: Readonly<Record<string, number>>;
  readonly findings: readonly string[];
}

/** Runs `append` on a file that is there already, on tmpfs. */
export async function runAppend(
  program: Uint8Array,
  mode: RunMode,
  pause: (ms: number) => Promise<void>,
): Promise<AppendRun> {
  const kernel = new Kernel({ machineBytes: MACHINE_BYTES });
  const setup = kernel.spawn();
  putFile(setup, "/append", program, 0o755);
  putFile(setup, FILE, new TextEncoder().encode(OLD_TEXT), 0o644);

  const stdout: string[] = [];
  const stderr: string[] = [];
  const machine = new Machine(kernel, {
    stdout: collect(stdout),
    stderr: collect(stderr),
    ...(mode === "run" ? {} : { module: await compileInterpreter(kernel.phys.ram.machineBase) }),
  });
  machine.spawn("/append", ["append", FILE, "a line through a mapping"]);
  const end = mode === "run" ? machine.run() : await machine.runAsync({ pause, turns: 1 });

  const file = latin1(readFile(setup, FILE));
  const [{ minFlt, majFlt, maxRssBytes }] = machine.finished;
  return {
    file,
    stdout: stdout.join(""),
    stderr: stderr.join(""),
    exitCode: end.code,
    signal: end.signal,
    instructions: machine.instructions,
    minFlt,
    majFlt,
    maxRssBytes,
    syscalls: Object.fromEntries(machine.syscallCounts),
    vmstat: kernel.vmstat(),
    findings: validate(kernel),
  };
}

/** What the run must leave in the file. */
export const EXPECTED_FILE: string = `${OLD_TEXT}a line through a mapping\n`;

/** What the library answered, alone. */
export interface LibraryRun {
  readonly parentReads: readonly number[];
  readonly childReads: readonly number[];
  readonly file: string;
  readonly faults: readonly number[];
  readonly refused: string;
  readonly maps: string;
  readonly vmstat: Readonly<Record<string, number>>;
  readonly findings: readonly string[];
}

/** A private and a shared mapping over a fork, through loads and stores of TypeScript. */
export function useLibrary(): LibraryRun {
  const kernel = new Kernel({ ram: 16 * 2 ** 20, poison: true });
  const findings: string[] = [];
  const parent = kernel.spawn();
  const prot = PROT_READ | PROT_WRITE;
  const anonymous = parent.mmap(0, 64 * PAGE_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS);
  const fd = parent.open("/shared", O_RDWR | O_CREAT, 0o644);
  parent.ftruncate(fd, PAGE_SIZE);
  const shared = parent.mmap(0, PAGE_SIZE, prot, MAP_SHARED, fd);
  for (let page = 0; page < 64; page++) parent.storeU32(anonymous + page * PAGE_SIZE, page);
  parent.storeF64(shared, 0.1);
  findings.push(...validate(kernel));

  const child = parent.fork();
  findings.push(...validate(kernel));
  child.storeU32(anonymous, 1000); // copied
  child.storeU64(shared + 8, 0x0123_4567_89ab_cdefn); // not copied
  const childReads = [child.loadU32(anonymous), child.loadU32(anonymous + 63 * PAGE_SIZE)];
  const parentReads = [parent.loadU32(anonymous), parent.loadU32(shared + 8), parent.loadF64(shared)];
  findings.push(...validate(kernel));

  const faults = [parent.minFlt, child.minFlt];
  child.exit();
  parent.wait();
  const maps = parent.maps();
  const refused = refusal(() => parent.loadU8(0));
  parent.munmap(anonymous, 64 * PAGE_SIZE);
  parent.munmap(shared, PAGE_SIZE);
  parent.close(fd);
  const file = latin1(readFile(parent, "/shared").subarray(0, 16));
  findings.push(...validate(kernel));
  return { parentReads, childReads, file, faults, refused, maps, vmstat: kernel.vmstat(), findings };
}

function refusal(access: () => void): string {
  try {
    access();
    return "allowed";
  } catch (error) {
    if (error instanceof SegmentationFault) return error.message;
    throw error;
  }
}

function collect(into: string[]): MachineStream {
  return streamOf({ write: (bytes) => into.push(latin1(bytes)) });
}

function putFile(process: Process, path: string, bytes: Uint8Array, mode: number): void {
  const fd = process.open(path, O_WRONLY | O_CREAT, mode);
  for (let done = 0; done < bytes.length; ) done += process.write(fd, bytes.subarray(done));
  process.close(fd);
}

function readFile(process: Process, path: string): Uint8Array {
  const fd = process.open(path, O_RDONLY);
  const bytes = new Uint8Array(process.fstat(fd).size);
  for (let done = 0; done < bytes.length; ) done += process.read(fd, bytes.subarray(done));
  process.close(fd);
  return bytes;
}

/** A character for each byte: neither loses nor repairs anything, as UTF-8 would. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
