/**
 * The stressors of stress-ng that have to do with memory, each for a number of its own steps and with its own checks
 * (--verify): what passes natively passes, and what this kernel does not have is refused as by a kernel without it.
 */
import { expect, test } from "vitest";
import {
  type DebianMachine,
  describeWith,
  type Ended,
  patiently,
  reasonAgainst,
  runNative,
} from "./debian.ts";

interface Stressor {
  readonly name: string;
  readonly options: string;
  /** What it does without a feature of the kernel that is not here. Default: it passes. */
  readonly outcome?: "skipped";
  /** Not run natively beside it: it takes all memory that it finds there. */
  readonly isGreedy?: boolean;
}

/** Quick ones, of each kind of call. */
const SOME: readonly Stressor[] = [
  { name: "brk", options: "--brk-bytes 8M --brk-ops 500" },
  { name: "fault", options: "--fault-ops 200" },
  { name: "mincore", options: "--mincore-ops 200" },
  { name: "mlock", options: "--mlock-ops 200" },
  { name: "mmap", options: "--mmap-bytes 1M --mmap-ops 20" },
  { name: "mmapfork", options: "--mmapfork-bytes 4M --mmapfork-ops 2" },
  { name: "mmapmany", options: "--mmapmany-ops 2000" },
  { name: "mprotect", options: "--mprotect-ops 200" },
  { name: "mremap", options: "--mremap-bytes 4M --mremap-ops 10" },
  { name: "msync", options: "--msync-bytes 1M --msync-ops 50" },
  { name: "munmap", options: "--munmap-ops 2" },
  { name: "sem-sysv", options: "--sem-sysv-ops 300" },
  { name: "shm", options: "--shm-bytes 1M --shm-ops 4" },
  { name: "shm-sysv", options: "--shm-sysv-bytes 1M --shm-sysv-ops 4" },
  { name: "stack", options: "--stack-ops 4" },
  { name: "userfaultfd", options: "--userfaultfd-bytes 1M --userfaultfd-ops 4", outcome: "skipped" },
  { name: "vfork", options: "--vfork-ops 50" },
  { name: "vm-segv", options: "--vm-segv-ops 10" },
  { name: "vm-splice", options: "--vm-splice-bytes 64K --vm-splice-ops 100" },
];

const OTHERS: readonly Stressor[] = [
  { name: "bad-altstack", options: "--bad-altstack-ops 20" },
  { name: "bigheap", options: "--bigheap-bytes 4M --bigheap-ops 200" },
  { name: "dev-shm", options: "--dev-shm-ops 4", isGreedy: true },
  { name: "env", options: "--env-ops 4" },
  { name: "fork", options: "--fork-ops 50" },
  { name: "madvise", options: "--madvise-ops 20" },
  { name: "malloc", options: "--malloc-bytes 4M --malloc-ops 500 --malloc-pthreads 2" },
  { name: "membarrier", options: "--membarrier-ops 20" },
  { name: "memfd", options: "--memfd-bytes 2M --memfd-ops 10" },
  { name: "mmapaddr", options: "--mmapaddr-ops 200" },
  { name: "mmapcow", options: "--mmapcow-ops 20" },
  { name: "mmapfiles", options: "--mmapfiles-ops 5" },
  { name: "mmapfixed", options: "--mmapfixed-ops 20" },
  { name: "mmaphuge", options: "--mmaphuge-ops 4 --mmaphuge-mmaps 8" },
  { name: "mseal", options: "--mseal-ops 20" },
  { name: "msyncmany", options: "--msyncmany-ops 20" },
  // It looks for nodes in /sys, which has none here.
  { name: "numa", options: "--numa-ops 2", outcome: "skipped" },
  { name: "pagemove", options: "--pagemove-bytes 1M --pagemove-ops 4" },
  { name: "pageswap", options: "--pageswap-ops 50" },
  { name: "physpage", options: "--physpage-ops 50" },
  { name: "physmmap", options: "--physmmap-ops 4", outcome: "skipped" },
  { name: "pipe", options: "--pipe-ops 2000" },
  { name: "remap", options: "--remap-ops 20" },
  { name: "resources", options: "--resources-ops 4", isGreedy: true },
  { name: "rmap", options: "--rmap-ops 50" },
  { name: "sendfile", options: "--sendfile-size 64K --sendfile-ops 20" },
  { name: "sigbus", options: "--sigbus-ops 50" },
  { name: "sigsegv", options: "--sigsegv-ops 100" },
  { name: "splice", options: "--splice-bytes 64K --splice-ops 50" },
  { name: "stackmmap", options: "--stackmmap-ops 4" },
  { name: "swap", options: "--swap-ops 2" },
  { name: "tlb-shootdown", options: "--tlb-shootdown-ops 20" },
  { name: "vm", options: "--vm-bytes 1M --vm-ops 5000" },
  { name: "vm-addr", options: "--vm-addr-ops 2" },
  { name: "vm-rw", options: "--vm-rw-bytes 1M --vm-rw-ops 20" },
  { name: "vma", options: "--vma-ops 500" },
  { name: "zero", options: "--zero-ops 50" },
];

describeWith("stress-ng --verify", { packages: ["stress-ng"] }, (machine) => stress(machine, SOME));
describeWith("stress-ng --verify, all", { packages: ["stress-ng"], isLong: true }, (machine) =>
  stress(machine, OTHERS),
);

function stress(machine: DebianMachine, stressors: readonly Stressor[]): void {
  const isNative = reasonAgainst({ packages: [], native: ["stress-ng"], isLong: true }) === undefined;
  for (const { name, options, outcome = "passed", isGreedy = false } of stressors) {
    test(name, patiently(400_000), async () => {
      machine.clear();
      const args = [
        "stress-ng",
        `--${name}`,
        "1",
        ...options.split(" "),
        "--verify",
        "--oomable",
        "-t",
        "120",
      ];
      const here = outcomeOf(name, await machine.run(args));
      expect(here).toBe(outcome);
      // Where it is refused here, the native kernel may have it.
      if (!isNative || isGreedy || outcome !== "passed") return;
      expect(outcomeOf(name, await runNative(args, { cwd: machine.folder }))).toBe(here);
    });
  }
}

/** "passed", "skipped" or what it complains of. */
function outcomeOf(name: string, { stdout, stderr }: Ended): string {
  const text = stdout + stderr;
  const complaints = text.split("\n").filter((line) => /^stress-ng: (fail|error):/.test(line));
  if (complaints.length > 0) return complaints.join("\n");
  const [, outcome] = new RegExp(`(passed|skipped): 1: ${name} \\(1\\)`).exec(text) ?? [];
  return outcome ?? text;
}
