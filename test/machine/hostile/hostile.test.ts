/**
 * Programs that mean harm (hostile.c, one way for each argument), run by the command as a user would. Whatever they do, the
 * host's process ends in time and by itself, with a status that says what happened, and never takes much more memory than
 * the machine was given.
 */
import { type ChildProcess, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { outcomeOf, setUpCommand } from "../../cli/command.ts";

const RAM_MIB = 64;
/** What the host's process may take beside the machine's RAM (docs/deviations.md). */
const OVERHEAD_MIB = 256;
const SIGKILLED = 137;
const TIMED_OUT = 124;

const command = setUpCommand();
const isLong = process.env.FAULTLINE_HOSTILE !== undefined;

/** Largest resident size of a process so far in MiB, 0 where the host doesn't tell. */
function peakMib(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

async function watched(child: ChildProcess): Promise<number> {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, peakMib(child.pid));
  }, 20);
  await new Promise((done) => child.on("exit", done));
  clearInterval(timer);
  return peak;
}

async function hostile(way: string, timeout: number): Promise<{ status: number | null; stdout: string }> {
  command.bring("test/machine/hostile/hostile");
  const options = ["run", "-q", "--ram", `${RAM_MIB}M`, "--timeout", `${timeout}`, "hostile", way];
  const child = command.start(options);
  child.stdin?.end();
  const [{ status, signal, stdout }, peak] = await Promise.all([outcomeOf(child), watched(child)]);
  expect(signal).toBeNull();
  expect(peak).toBeLessThan(RAM_MIB + OVERHEAD_MIB);
  return { status, stdout };
}

describe("what grows without end meets a limit", () => {
  test.each([
    ["forks", SIGKILLED, /^fork after \d+: Resource temporarily unavailable/],
    ["zombies", 0, /^zombies after \d+: Resource temporarily unavailable/],
    ["threads", 0, /^thread after \d+: Resource temporarily unavailable/],
    ["memory", SIGKILLED, /^$/],
    ["vmas", 0, /^mmap after 655\d\d: Out of memory/],
    ["vmas-forked", SIGKILLED, /^fork after \d+: Out of memory/],
    ["null", SIGKILLED, /^null after 1021: .*\nprocesses of them after \d+: Resource/],
    ["pipes", SIGKILLED, /^pipes after 510: .*\nprocesses of them after \d+: /],
    ["memfds", SIGKILLED, /^memfds after 1021: .*\nprocesses of them after \d+: Resource/],
    ["timers", 0, /^timer after \d+: Resource temporarily unavailable/],
    ["queued", 0, /^queued signals after \d+: Resource temporarily unavailable/],
    ["files", 0, /^files after \d+: No space left on device/],
    ["deep", 0, /^deep after \d+: No space left on device/],
    ["tmpfs", 0, /^tmpfs after 512: No space left on device/],
    ["sparse", 0, /^sparse after \d+: File too large/],
    ["locks", 0, /^locks after 65536: No locks available/],
    ["sockets", SIGKILLED, /^sockets after \d+: .*\nprocesses of them after \d+: Resource/],
    ["events-everywhere", SIGKILLED, /^events after 32\d\d\d: Too many open files in system/],
    ["sockets-everywhere", SIGKILLED, /^sockets after \d+: /],
    ["rights", 0, /^rights after \d+: Out of memory/],
    ["rings", 0, /^rings after 30000: /],
    ["watches", 0, /^watches after \d+: No space left on device/],
    ["args", 2, /^execve after 1: Argument list too long/],
  ])("%s", async (way, status, text) => {
    const end = await hostile(way, 60);
    expect(end.stdout).toMatch(text);
    expect(end.status).toBe(status);
  });
});

describe("what never ends is ended by --timeout, deaf to all signals as it is", () => {
  const ways = [
    "spin",
    "sleeps",
    "timer-storm",
    "bomb",
    "populates",
    "protects",
    "copies",
    ...(isLong ? ["epolls", "events", "epoll-fds"] : []),
  ];
  test.each(ways)("%s", async (way) => {
    const { status } = await hostile(way, isLong ? 30 : 1);
    expect(isLong ? [TIMED_OUT, SIGKILLED, 0] : [TIMED_OUT]).toContain(status);
  });

  test.each(["host", "virtual"])("output that nobody reads, with a %s clock", async (clock) => {
    command.bring("test/machine/hostile/hostile");
    const child = command.start(["run", "-q", "--clock", clock, "--timeout", "1", "hostile", "output"]);
    child.stdin?.end();
    const status = await new Promise((done) => child.on("exit", done));
    expect(status).toBe(TIMED_OUT);
    child.stdout?.destroy();
    child.stderr?.destroy();
  });

  test.skipIf(process.platform !== "linux")("output into a pipe that nobody reads", () => {
    command.bring("test/machine/hostile/hostile");
    // The reader lives longer than the test does.
    const script = `("$0" "$1" run -q --timeout 1 hostile output; echo $? >status) | (sleep 600 & echo $! >reader; wait) &
      for i in $(seq 300); do [ -s status ] && break; sleep 0.1; done; kill $(cat reader); cat status`;
    const { stdout } = spawnSync("sh", ["-c", script, process.execPath, command.entry], {
      cwd: command.folder,
      encoding: "utf8",
    });
    expect(stdout).toBe(`${TIMED_OUT}\n`);
  });
});

describe("what looks for a way out finds none", () => {
  test("jumps to where no code is end in SIGSEGV, one after the other", async () => {
    const { status, stdout } = await hostile("jumps", 60);
    expect(status).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(10);
    for (const line of stdout.trimEnd().split("\n")) expect(line).toMatch(/: (4|11)$/);
  });

  test("code that rewrites itself runs as it was rewritten", async () => {
    expect(await hostile("self", 60)).toEqual({ status: 0, stdout: "self done\nrewritten\n" });
  });

  test("paths and links lead nowhere outside", async () => {
    const { status, stdout } = await hostile("paths", 60);
    expect(status).toBe(0);
    expect(stdout).not.toContain("OPENED");
    expect(stdout).toContain("up is root: 1");
  });
});
