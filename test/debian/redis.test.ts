/**
 * Redis with clients over the machine's loopback. Its snapshot is what copy-on-write is for: a forked child writes what memory held
 * at the fork, while the parent goes on and copies each page that it changes. The native Redis then has to find that moment
 * in the file, and the report has to name those pages.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nativeCommand } from "../../scripts/programs/native.ts";
import type { Report, ReportProcess } from "../../src/cli/report.ts";
import { PAGE_SIZE } from "../../src/mm/page.ts";
import { describeWith, nativeRoot, patiently, runNative } from "./debian.ts";

interface Size {
  readonly name: string;
  readonly isLong: boolean;
  /** Keys that are there before; requests of each kind; and different keys of theirs. */
  readonly populate: number;
  readonly requests: number;
  readonly keys: number;
  /** Microseconds that the child rests after each key: what is small would be saved before anything is written to it. */
  readonly delay: number;
  /** Pages that the parent copies at least. */
  readonly copies: number;
}

const SIZES: readonly Size[] = [
  { name: "a thousand keys", isLong: false, populate: 500, requests: 300, keys: 300, delay: 200, copies: 50 },
  {
    name: "25,000 keys",
    isLong: true,
    populate: 20_000,
    requests: 3000,
    keys: 3000,
    delay: 20,
    copies: 300,
  },
];

const PACKAGES = ["redis-server", "redis-tools", "dash", "coreutils", "grep"];

/**
 * Starts a server, fills it with values of all kinds, and writes to it while its child saves what it was before. Prints what is
 * asked for below, by name.
 */
function script({ populate, requests, keys, delay }: Size): string {
  const bench = `redis-benchmark -p 6400 -c 8 -P 4 -n ${requests} -r ${keys} -q`;
  return `redis-server --port 6400 --save '' --enable-debug-command yes --rdb-key-save-delay ${delay} --logfile server.log &
until redis-cli -p 6400 ping > ping.out 2>&1; do sleep 0.01; done
${bench} -d 200 -t set,incr,lpush,rpush,sadd,hset,zadd > bench.out || echo failed
redis-cli -p 6400 debug populate ${populate} item 200 > populate.out || echo failed
ask() { echo "$1 $(redis-cli -p 6400 $2)"; }
field() { redis-cli -p 6400 info persistence | tr -d '\\r' | grep "^$1:"; }
ask keys dbsize
ask before 'debug digest'
ask bgsave bgsave
${bench} -d 300 -t set,lpush,sadd > bench2.out || echo failed
ask after 'debug digest'
field rdb_bgsave_in_progress
while field rdb_bgsave_in_progress | grep -q :1; do sleep 0.05; done
field rdb_last_bgsave_status
field rdb_last_cow_size
redis-cli -p 6400 shutdown nosave
wait
`;
}

/** "name rest" and "name:rest" lines by name. */
function answers(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^(\w+)[ :](.*)$/gm)].map(([, name, value]) => [name, value]));
}

/** A native server in a folder, from the dump that lies there. */
class NativeServer {
  readonly #folder: string;
  readonly #child: ChildProcess;

  constructor(folder: string) {
    this.#folder = folder;
    const options = [
      "--port",
      "0",
      "--unixsocket",
      "socket",
      "--save",
      "",
      "--enable-debug-command",
      "local",
    ];
    const [program, ...args] = nativeCommand(nativeRoot, ["redis-server", ...options]);
    this.#child = spawn(program, args, { cwd: folder, stdio: "ignore" });
  }

  async ask(...words: string[]): Promise<string> {
    const { stdout } = await runNative(["redis-cli", "-s", "socket", ...words], { cwd: this.#folder });
    return stdout.trim();
  }

  /** Until it has loaded what it found. */
  async waitUntilReady(): Promise<void> {
    for (let tries = 0; (await this.ask("ping")) !== "PONG"; tries++) {
      if (tries === 300 || this.#child.exitCode !== null) throw new Error("the native server did not start");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }
}

function copiedWith(process: ReportProcess, partner: ReportProcess): number {
  return process.fork_copies.find(({ pid }) => pid === partner.pid)?.pages ?? 0;
}

for (const size of SIZES) {
  const needs = { packages: PACKAGES, native: ["redis-server", "redis-tools"], isLong: size.isLong };
  describeWith(`Redis with ${size.name}, saved while it is written to`, needs, (machine) => {
    let cowSize = 0;
    const timeout = size.isLong ? 600_000 : 90_000;
    test("the native Redis finds the moment of the fork in the dump", patiently(timeout), async () => {
      machine.clear();
      const options = ["--clock", "virtual", "--json", "report.json", "--report=report.txt"];
      const here = await machine.run(["dash", "-c", script(size)], { options, timeout: timeout / 1000 });
      expect(here).toMatchObject({ status: 0, stderr: "" });
      const told = answers(here.stdout);
      expect(told.get("bgsave")).toBe("Background saving started");
      expect(told.get("rdb_bgsave_in_progress")).toBe("1");
      expect(told.get("rdb_last_bgsave_status")).toBe("ok");
      cowSize = Number(told.get("rdb_last_cow_size"));
      expect(told.get("before")).toMatch(/^[0-9a-f]{40}$/);
      expect(told.get("after")).not.toBe(told.get("before"));

      const native = new NativeServer(machine.folder);
      try {
        await native.waitUntilReady();
        expect(await native.ask("dbsize")).toBe(told.get("keys"));
        expect(await native.ask("debug", "digest")).toBe(told.get("before"));
        // And back: what the native one saves is loaded here.
        await native.ask("set", "from", "the native server");
        expect(await native.ask("save")).toBe("OK");
        const digest = await native.ask("debug", "digest");
        const again = `redis-server --port 6400 --save '' --enable-debug-command yes --logfile again.log &
until redis-cli -p 6400 get from 2>&1 | grep -q native; do sleep 0.05; done
redis-cli -p 6400 debug digest
redis-cli -p 6400 shutdown nosave
wait`;
        const loaded = await machine.run(["dash", "-c", again], { options: ["--clock", "virtual"] });
        expect(loaded).toEqual({ status: 0, stderr: "", stdout: `${digest}\n` });
      } finally {
        await native.end();
      }
    });

    // Of the run above.
    test("the report names the pages that the snapshot cost, by process and cause", () => {
      const { processes } = JSON.parse(readFileSync(join(machine.folder, "report.json"), "utf8")) as Report;
      const servers = processes.filter(({ comm }) => comm === "redis-server");
      const server = servers.find(({ ppid }) => ppid === processes[0].pid);
      const saver = servers.find(({ ppid }) => ppid === server?.pid);
      if (server === undefined || saver === undefined)
        throw new Error("no server and its child in the report");
      const [ofServer, ofSaver] = [copiedWith(server, saver), copiedWith(saver, server)];
      expect(ofServer).toBeGreaterThan(size.copies);
      expect(ofSaver).toBeGreaterThan(0);
      for (const process of [server, saver]) {
        const pages = process.fork_copies.reduce((sum, one) => sum + one.pages, 0);
        expect(process.mappings.reduce((sum, one) => sum + one.fork_copies, 0)).toBe(pages);
        expect(pages).toBeLessThanOrEqual(process.faults["wp-copy"] ?? 0);
        for (const { fork_copies, faults } of process.mappings)
          expect(fork_copies).toBeLessThanOrEqual(faults["wp-copy"] ?? 0);
      }
      // Redis itself says what the child has for its own in the end (Private_Dirty): what either side copied, and what is new.
      expect((ofServer + ofSaver) * PAGE_SIZE).toBeLessThanOrEqual(cowSize);
      const text = readFileSync(join(machine.folder, "report.txt"), "utf8");
      const line = (pages: number, partner: ReportProcess): string =>
        `${pages.toLocaleString("en")} pages copied on write that fork shared with process ${partner.pid} redis-server\n`;
      expect(text).toContain(line(ofServer, saver));
      expect(text).toContain(line(ofSaver, server));
      expect(text).toMatch(/rw-p +private anonymous .* wp-copy [\d,]+ \([\d,]* ?shared by fork\)/);
    });
  });
}
