/**
 * Programs of Debian for tests: on Faultline with `--sysroot`, and natively beside it.
 *
 * `npm run programs` gets them; where they are not, and where a test would take minutes and was not asked for
 * (`npm run test:programs`), it is skipped, and its name says why.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe } from "vitest";
import { nativeCommand } from "../../scripts/programs/native.ts";
import { programsFolder, whatIsThere } from "../../scripts/programs/store.ts";
import { CommandUnderTest } from "../cli/command.ts";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Options of `faultline run`, before the program. */
  readonly options?: readonly string[];
  readonly input?: string;
  readonly cwd?: string;
  /** Seconds that it may take on a machine with nothing else to do, `PATIENCE` aside. Default 300. */
  readonly timeout?: number;
  /** More environment, of a native run. */
  readonly env?: Readonly<Record<string, string>>;
}

const folder: string = programsFolder();
const have = whatIsThere(folder);
/** Whether tests that take minutes were asked for. */
const wantsLong: boolean = process.env.FAULTLINE_PROGRAMS === "all";
/**
 * Time-outs find programs that hang, and nothing else: who wants all tests may run them beside other work, and gets his
 * answer from each.
 */
const PATIENCE = wantsLong ? 10 : 2;

/** Milliseconds for a test that takes no more than `ms` on a machine with nothing else to do. */
export function patiently(ms: number): { readonly timeout: number } {
  return { timeout: ms * PATIENCE };
}

/** File system of riscv64 programs, and the same for this machine. */
export const sysroot: string = join(folder, "riscv64");
export const nativeRoot: string = join(folder, "native");
export const npmFolder: string = join(folder, "npm", "node_modules");

export interface Needs {
  /** Packages of Debian. */
  readonly packages: readonly string[];
  /** Packages of Debian that must be there for this machine too. */
  readonly native?: readonly string[];
  readonly npm?: readonly string[];
  /** Takes longer than `npm test` may. */
  readonly isLong?: boolean;
  /** Anything else that is missing, in words. */
  readonly missing?: string | undefined;
}

/** Why tests with these needs can't run now; undefined if they can. */
export function reasonAgainst(needs: Needs): string | undefined {
  const gone = needs.packages.filter((name) => !(name in have.riscv64));
  gone.push(...(needs.native ?? []).filter((name) => !(name in have.native)).map((name) => `native ${name}`));
  gone.push(...(needs.npm ?? []).filter((name) => !existsSync(join(npmFolder, name))));
  if (gone.length > 0) return `no ${gone.join(", ")}: npm run programs`;
  if (needs.isLong === true && !wantsLong) return "takes minutes: npm run test:programs";
  return needs.missing;
}

/** As `describe`, skipped with a reason in its name where its needs are not met. */
export function describeWith(name: string, needs: Needs, body: (machine: DebianMachine) => void): void {
  const reason = reasonAgainst(needs);
  if (reason !== undefined) {
    describe.skip(`${name} (${reason})`, () => body(new DebianMachine()));
    return;
  }
  describe(name, () => {
    const machine = new DebianMachine();
    beforeAll(() => machine.open());
    afterAll(() => machine.close());
    body(machine);
  });
}

/** `faultline run --sysroot`, in a folder of its own. */
export class DebianMachine {
  readonly #command = new CommandUnderTest();
  #folder = "";

  get folder(): string {
    return this.#folder;
  }

  async open(): Promise<void> {
    await this.#command.build();
    this.#folder = realpathSync(mkdtempSync(join(tmpdir(), "faultline-debian-")));
  }

  close(): void {
    this.#command.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** An empty folder again. */
  clear(): void {
    for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name), { recursive: true });
  }

  /** Copies a script there, or into a folder in it. */
  bring(script: string, to: string = this.#folder): void {
    const from = fileURLToPath(new URL(`scripts/${script}`, import.meta.url));
    cpSync(from, join(to, script));
  }

  /** Starts a program on Faultline. */
  start(args: readonly string[], { options = [], cwd, timeout = 300 }: RunOptions = {}): ChildProcess {
    const quiet = options.some((one) => one.startsWith("--report")) ? [] : ["-q"];
    return this.#command.start(
      ["run", ...quiet, "--sysroot", sysroot, "--timeout", `${timeout * PATIENCE}`, ...options, ...args],
      { cwd: cwd ?? this.#folder },
    );
  }

  /** Runs a program on Faultline to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return ended(this.start(args, options), options.input);
  }
}

/** Runs the same program of Debian on this machine. */
export function runNative(
  args: readonly string[],
  { input, cwd, timeout = 300, env = {} }: RunOptions = {},
): Promise<Ended> {
  const [program, ...rest] = nativeCommand(nativeRoot, args);
  const child = spawn(program, rest, {
    cwd,
    stdio: "pipe",
    timeout: timeout * PATIENCE * 1000,
    env: { ...NATIVE_ENVIRONMENT, ...env },
  });
  return ended(child, input);
}

const NATIVE_ENVIRONMENT = { PATH: "/usr/bin:/bin", HOME: "/", LANG: "C.UTF-8" };

/** What a child process says until it ends. */
export function ended(child: ChildProcess, input = ""): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/**
 * Runs a command in the native file system as its "/", with `cwd` as /tmp, as a shell needs it: what it starts is from there,
 * too. Wants user namespaces (unshare); `cannotChroot` says what is missing.
 */
export function runInNativeRoot(args: readonly string[], cwd: string): Promise<Ended> {
  const script =
    'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && mount --bind "$1" "$0/tmp" && r=$0 && shift && exec chroot "$r" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/ LANG=C.UTF-8 /bin/sh -c \'cd /tmp && exec "$@"\' sh "$@"';
  const child = spawn("unshare", ["-rm", "sh", "-c", script, nativeRoot, cwd, ...args], {
    stdio: "pipe",
    ...patiently(60_000),
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  return ended(child);
}

export function cannotChroot(): string | undefined {
  const { status } = spawnSync("unshare", ["-rm", "sh", "-c", `mount --rbind /proc "${nativeRoot}/proc"`], {
    stdio: "ignore",
  });
  return status === 0 ? undefined : "no user namespaces here";
}
