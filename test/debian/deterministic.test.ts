/** The same command twice with a virtual clock: the same output and the same trace, byte for byte, whatever runs at once. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type DebianMachine, describeWith, patiently } from "./debian.ts";

const PROGRAMS: readonly {
  readonly name: string;
  readonly packages: readonly string[];
  readonly script: string;
  /** What the trace has at least, lest nothing be compared with nothing: calls by name. */
  readonly calls: Readonly<Record<string, number>>;
}[] = [
  {
    name: "two SQLites that wait for each other's locks",
    packages: ["dash", "sqlite3"],
    script: `writer() {
  echo 'PRAGMA busy_timeout=60000; PRAGMA mmap_size=1000000;'
  for i in 1 2 3 4 5; do
    echo "INSERT INTO t(name, body) SELECT '$1$i', hex(randomblob(value)) FROM generate_series(1, 60);"
  done
}
sqlite3 test.db 'PRAGMA journal_mode=WAL; CREATE TABLE t(name, body, at DEFAULT CURRENT_TIMESTAMP)'
writer a | sqlite3 test.db & writer b | sqlite3 test.db & wait
sqlite3 test.db 'SELECT name, at, body FROM t ORDER BY rowid'`,
    calls: { fcntl: 50, fdatasync: 5 },
  },
  {
    name: "a Redis of many threads, and clients of two processes",
    packages: ["dash", "redis-server", "redis-tools", "coreutils"],
    script: `redis-server --port 6400 --save '' --io-threads 4 --appendonly yes --logfile /dev/stdout & 
until redis-cli -p 6400 ping; do sleep 0.01; done 2>&1
redis-benchmark -p 6400 -n 200 -c 8 -r 100 -d 3000 -t set,get,lpush --csv &
redis-benchmark -p 6400 -n 100 -c 3 -r 100 -d 300 -t set,incr,sadd --csv > other.out
wait %2
cat other.out
redis-cli -p 6400 bgsave
redis-cli -p 6400 set a b
redis-cli -p 6400 randomkey
redis-cli -p 6400 shutdown
wait`,
    calls: { clone: 1, clone3: 7, futex: 10, epoll_pwait: 50 },
  },
];

/** All that a run says and does. */
async function oneRun(machine: DebianMachine, script: string): Promise<{ output: string; trace: string }> {
  machine.clear();
  const options = ["--clock", "virtual", "--trace", "trace"];
  const { status, stdout, stderr } = await machine.run(["dash", "-c", script], { options });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return { output: stdout, trace: readFileSync(join(machine.folder, "trace"), "utf8") };
}

function callsOf(trace: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [, name] of trace.matchAll(/^\{"type":"syscall","pid":\d+,"name":"(\w+)"/gm))
    counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

for (const { name, packages, script, calls } of PROGRAMS) {
  describeWith(`Twice: ${name}`, { packages }, (machine) => {
    test("the same, byte for byte", patiently(120_000), async () => {
      const first = await oneRun(machine, script);
      const second = await oneRun(machine, script);
      expect(second.output).toBe(first.output);
      const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
      expect(digest(second.trace)).toBe(digest(first.trace));
      const made = callsOf(first.trace);
      for (const [call, least] of Object.entries(calls))
        expect(made[call] ?? 0, call).toBeGreaterThanOrEqual(least);
    });
  });
}
