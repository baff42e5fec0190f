/** Runs the command as a user would, in a folder of its own, on the bundle that is published. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { bundleCommand } from "../../scripts/bundle.ts";

const REPOSITORY: string = fileURLToPath(new URL("../..", import.meta.url));

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A command and the folder it runs in; the folder is a new, empty one for each test. */
export class CommandUnderTest {
  #top = "";
  #count = 0;
  readonly #running = new Set<ChildProcess>();
  /** The folder of this test: real path. */
  folder = "";

  async build(): Promise<void> {
    this.#top = realpathSync(mkdtempSync(join(tmpdir(), "faultline-cli-")));
    await bundleCommand(join(this.#top, "dist"));
    writeFileSync(join(this.#top, "package.json"), '{"type":"module"}');
  }

  newFolder(): void {
    this.folder = join(this.#top, `test-${this.#count++}`);
    mkdirSync(this.folder);
  }

  remove(): void {
    rmSync(this.#top, { recursive: true, force: true });
  }

  /** Copies a program of the repository into the folder, under its own name. */
  bring(path: string): void {
    cpSync(join(REPOSITORY, path), join(this.folder, path.slice(path.lastIndexOf("/") + 1)));
  }

  /** The file that node runs. */
  get entry(): string {
    return join(this.#top, "dist", "cli.cjs");
  }

  start(args: readonly string[], options: RunningOptions = {}): ChildProcess {
    const child = spawn(process.execPath, [this.entry, ...args], {
      cwd: options.cwd ?? this.folder,
      env: { PATH: process.env.PATH, ...options.env },
      stdio: "pipe",
    });
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    return child;
  }

  /** What a test that failed has left running would run for ever. */
  killAll(): void {
    for (const child of this.#running) child.kill("SIGKILL");
  }

  /** `faultline` with these arguments, to its end. */
  faultline(args: readonly string[], options: RunningOptions = {}): Promise<Outcome> {
    const child = this.start(args, options);
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
    return outcomeOf(child);
  }
}

/** What a child wrote and how it ended. */
export function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr?.on("data", (bytes: Buffer) => err.push(bytes));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => {
      resolve({
        status,
        signal,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      });
    });
  });
}

/** Sets up a command for the tests of a file. */
export function setUpCommand(): CommandUnderTest {
  const command = new CommandUnderTest();
  beforeAll(() => command.build());
  beforeEach(() => command.newFolder());
  afterEach(() => command.killAll());
  afterAll(() => command.remove());
  return command;
}
