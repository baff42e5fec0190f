/**
 * SQLite with a write-ahead log and two writers at once: its index of the log is a shared file mapping of both, its locks are
 * fcntl's, and `mmap_size` lets it read the database itself through a mapping. The file is then the native build's.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nativeCommand } from "../../scripts/programs/native.ts";
import { type DebianMachine, describeWith, nativeRoot, patiently, runNative } from "./debian.ts";

interface Size {
  readonly name: string;
  readonly isLong: boolean;
  /** Transactions of each writer, and rows of each transaction. About 1.2 KB are a row in the file. */
  readonly batches: number;
  readonly rows: number;
  readonly ram: string;
  /** What the file has at least, in bytes. */
  readonly bytes: number;
}

const SIZES: readonly Size[] = [
  { name: "4 MB", isLong: false, batches: 16, rows: 100, ram: "256M", bytes: 3.5e6 },
  // Not all of it fits into memory, so that pages of the mapping are dropped and read again.
  { name: "100 MB", isLong: true, batches: 84, rows: 500, ram: "64M", bytes: 100e6 },
];

const WRITERS = ["a", "b"] as const;

const SCHEMA = `PRAGMA journal_mode=WAL;
CREATE TABLE t(id INTEGER PRIMARY KEY, writer TEXT NOT NULL, n INT NOT NULL, body TEXT NOT NULL, UNIQUE(writer, n));
`;

/**
 * A writer's transactions. Between them it reads: how many transactions of each writer it sees in part (none, ever), and the
 * last rows, which takes so long that the other gets its turn.
 */
function transactions(writer: string, { batches, rows }: Size): string {
  let sql = ".bail on\nPRAGMA busy_timeout=600000;\nPRAGMA mmap_size=268435456;\n";
  const torn = WRITERS.map(
    (one) => `(SELECT coalesce(max(n) + 1, 0) FROM t WHERE writer = '${one}') % ${rows}`,
  );
  for (let at = 0; at < batches; at++) {
    const [first, last] = [at * rows, (at + 1) * rows - 1];
    sql += `BEGIN IMMEDIATE;
WITH RECURSIVE c(x) AS (SELECT ${first} UNION ALL SELECT x + 1 FROM c WHERE x < ${last})
INSERT INTO t(writer, n, body)
  SELECT '${writer}', x, printf('%s %d of batch %d;', '${writer}', x * 7919 % 1000003, ${at}) || hex(zeroblob(x % 64 * 16))
  FROM c;
COMMIT;
SELECT ${torn.join(" + ")} + (SELECT sum(instr(body, 'q')) FROM (SELECT body FROM t ORDER BY id DESC LIMIT 1000));
`;
  }
  return sql;
}

/** Both at once, in processes of their own. */
const BOTH = `sqlite3 test.db < schema.sql
sqlite3 test.db < a.sql > a.out & a=$!
sqlite3 test.db < b.sql > b.out & b=$!
wait $a && wait $b && sqlite3 test.db 'PRAGMA mmap_size=268435456; PRAGMA integrity_check'
cat a.out b.out | sort | uniq -c
`;

function bringScripts(machine: DebianMachine, size: Size): void {
  machine.clear();
  writeFileSync(join(machine.folder, "schema.sql"), SCHEMA);
  for (const writer of WRITERS)
    writeFileSync(join(machine.folder, `${writer}.sql`), transactions(writer, size));
}

/** All rows of a database, whatever the order in which the writers had their turns, as one number. */
const CONTENT = "SELECT hex(sha3_query('SELECT writer, n, body FROM t ORDER BY writer, n', 256))";
/** How often another writer's transaction follows. */
const CHANGES =
  "SELECT count(*) FROM (SELECT writer, lag(writer) OVER (ORDER BY id) AS before FROM t) WHERE writer <> before";

for (const size of SIZES) {
  const needs = {
    packages: ["sqlite3", "dash", "coreutils"],
    native: ["sqlite3"],
    isLong: size.isLong,
  };
  describeWith(`SQLite, ${size.name} by two writers at once`, needs, (machine) => {
    const timeout = size.isLong ? 1_200_000 : 120_000;
    test("builds a database that the native SQLite finds right", patiently(timeout), async () => {
      bringScripts(machine, size);
      const options = ["--ram", size.ram, "--clock", "virtual"];
      const here = await machine.run(["dash", "-c", BOTH], { options, timeout: timeout / 1000 });
      expect(here.stderr).toBe("");
      const settings = "      2 268435456\n      2 600000\n";
      expect(here.stdout).toBe(`wal\n268435456\nok\n${String(2 * size.batches).padStart(7)} 0\n${settings}`);
      expect(here.status).toBe(0);
      expect(statSync(join(machine.folder, "test.db")).size).toBeGreaterThan(size.bytes);

      const native = async (file: string, sql: string): Promise<string> => {
        const { stdout, stderr } = await runNative(["sqlite3", file, sql], { cwd: machine.folder });
        expect(stderr).toBe("");
        return stdout.trim();
      };
      expect(await native("test.db", "PRAGMA integrity_check")).toBe("ok");
      expect(await native("test.db", "PRAGMA journal_mode")).toBe("wal");
      expect(Number(await native("test.db", CHANGES))).toBeGreaterThan(size.batches / 4);

      await native("native.db", SCHEMA);
      for (const writer of WRITERS) await native("native.db", `.read ${writer}.sql`);
      expect(await native("test.db", CONTENT)).toBe(await native("native.db", CONTENT));
    });
  });
}

describeWith(
  "SQLite and the native SQLite, one after the other on one file",
  { packages: ["sqlite3", "dash"], native: ["sqlite3"] },
  (machine) => {
    const size: Size = { ...SIZES[0], batches: 3, rows: 20 };
    const COUNT = "PRAGMA integrity_check; SELECT writer, count(*) FROM t GROUP BY writer";

    test("a log that a killed native writer left behind is recovered here", patiently(60_000), async () => {
      bringScripts(machine, size);
      const [program, ...args] = nativeCommand(nativeRoot, ["sqlite3", "test.db"]);
      const writer = spawn(program, args, { cwd: machine.folder });
      const hasWritten = new Promise<void>((resolve, reject) => {
        let output = "";
        writer.stdout.setEncoding("utf8").on("data", (text: string) => {
          output += text;
          if (output.includes("written")) resolve();
        });
        writer.on("exit", () => reject(new Error("it ended too early")));
      });
      writer.stdin.write(`${SCHEMA}${transactions("b", size)}`);
      writer.stdin.write(
        "BEGIN; INSERT INTO t(writer, n, body) VALUES ('b', -1, 'lost'); SELECT 'written';\n",
      );
      await hasWritten;
      const gone = once(writer, "close");
      writer.kill("SIGKILL");
      await gone;
      expect(statSync(join(machine.folder, "test.db-wal")).size).toBeGreaterThan(0);
      const here = await machine.run(["sqlite3", "test.db", COUNT]);
      expect(here).toEqual({ status: 0, stderr: "", stdout: "ok\nb|60\n" });
    });

    test("a log that a killed writer left behind is recovered natively", patiently(60_000), async () => {
      bringScripts(machine, size);
      // Dies in the middle of a transaction; the ones before are in the log only.
      const script = `sqlite3 test.db < schema.sql
(cat a.sql; echo "BEGIN; INSERT INTO t(writer, n, body) VALUES ('a', -1, 'lost'); SELECT 'written';"; sleep 100) |
  sqlite3 test.db > a.out & while ! grep -q written a.out; do sleep 0.01; done; kill -9 $!`;
      const here = await machine.run(["dash", "-c", script], { options: ["--clock", "virtual"] });
      expect(here).toMatchObject({ status: 0, stderr: "" });
      expect(statSync(join(machine.folder, "test.db-wal")).size).toBeGreaterThan(0);
      const native = await runNative(["sqlite3", "test.db", COUNT], { cwd: machine.folder });
      expect(native).toEqual({ status: 0, stderr: "", stdout: "ok\na|60\n" });
    });
  },
);
