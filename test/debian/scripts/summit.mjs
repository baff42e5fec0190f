// What a program of Node's does: hot loops that get compiled, promises, threads, files, a server and its clients. All that it
// prints is the same on every machine.
import assert from "node:assert";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, get } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { gunzipSync, gzipSync } from "node:zlib";

if (isMainThread) await main();
else work();

async function main() {
  loops();
  objects();
  await promises();
  await threads();
  await files();
  await http();
  console.log("done");
}

/** Loops that are hot enough for both compilers: integers, doubles, BigInts, strings. */
function loops() {
  let hash = 0x811c9dc5;
  for (let i = 0; i < 2_000_000; i++) hash = Math.imul(hash ^ (i & 0xff), 0x01000193) >>> 0;
  console.log("hash", hash.toString(16));
  const n = 60;
  const a = Float64Array.from({ length: n * n }, (_, i) => (i % 17) / 3);
  const b = Float64Array.from({ length: n * n }, (_, i) => (i % 13) / 7);
  let trace = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
      if (i === j) trace += sum;
    }
  console.log("matrix", trace, Math.sin(trace), 0.1 + 0.2, (1 / 3).toFixed(20), 5e-324, 2 ** 1023 * 1.9);
  let [x, y] = [0n, 1n];
  for (let i = 0; i < 500; i++) [x, y] = [y, x + y];
  console.log("fibonacci", x);
  const words = "the quick brown fox jumps over the lazy dog".split(" ");
  const text = Array.from({ length: 5000 }, (_, i) => words[(i * 7) % words.length]).join(" ");
  console.log(
    "words",
    text.length,
    text.match(/\b(\w)\w*\1\b/g)?.length ?? 0,
    text.replaceAll(/o(\w)/g, "$1o").slice(0, 40),
  );
}

/** Objects whose shapes change under optimised code, garbage, weak references. */
function objects() {
  class Point {
    constructor(x, y) {
      this.x = x;
      this.y = y;
    }
    add(other) {
      return new Point(this.x + other.x, this.y + other.y);
    }
  }
  let at = new Point(0, 0);
  for (let i = 0; i < 300_000; i++)
    at = at.add(i === 250_000 ? { x: 0.5, y: -1, z: "another shape" } : new Point(i & 3, 1));
  console.log("point", at);
  const map = new Map();
  for (let i = 0; i < 50_000; i++) map.set(`key ${i % 1000}`, (map.get(`key ${i % 1000}`) ?? 0) + i);
  console.log("map", map.size, map.get("key 999"), JSON.stringify([...map].slice(0, 2)));
  const sorted = Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 20_011).sort(
    (one, other) => one - other,
  );
  console.log("sorted", sorted[0], sorted[10_000], sorted.at(-1));
  let caught = 0;
  for (let i = 0; i < 1000; i++)
    try {
      if (i % 3 === 0) throw new RangeError(`${i}`);
      null.x;
    } catch (error) {
      caught += error instanceof RangeError ? 1 : 1000;
    }
  console.log("caught", caught);
  const deep = (n) => (n === 0 ? 0 : 1 + deep(n - 1));
  assert.throws(() => deep(1e7), RangeError);
  console.log("deep", deep(5000));
}

async function promises() {
  const order = [];
  setImmediate(() => order.push("immediate"));
  process.nextTick(() => order.push("tick"));
  queueMicrotask(() => order.push("microtask"));
  await sleep(2).then(() => order.push("2 ms"));
  console.log("order", order.join(", "));
  const settled = await Promise.allSettled([
    Promise.resolve(1),
    Promise.reject(new Error("no")),
    Promise.any([Promise.reject(0), 7]),
  ]);
  console.log(
    "settled",
    settled.map(({ status, value, reason }) => [status, value ?? reason.message]),
  );
  async function* count(to) {
    for (let i = 0; i < to; i++) yield await i;
  }
  let sum = 0;
  for await (const i of count(2000)) sum += i;
  console.log("iterated", sum);
}

/** Four threads add to shared memory with atomics, and pass messages and buffers. */
async function threads() {
  const shared = new Int32Array(new SharedArrayBuffer(64));
  const workers = Array.from(
    { length: 4 },
    (_, n) => new Worker(fileURLToPath(import.meta.url), { workerData: { shared, n } }),
  );
  const answers = await Promise.all(
    workers.map(async (worker, n) => {
      const bytes = new Uint8Array(1000).fill(n);
      worker.postMessage(bytes, [bytes.buffer]);
      const [answer] = await once(worker, "message");
      const [code] = await once(worker, "exit");
      return [...answer, code, bytes.length];
    }),
  );
  console.log("threads", Atomics.load(shared, 0), Atomics.load(shared, 1), answers);
}

function work() {
  const { shared, n } = workerData;
  for (let i = 0; i < 10_000; i++) Atomics.add(shared, 0, 1);
  // All wait until the last has come.
  if (Atomics.add(shared, 1, 1) === 3) Atomics.notify(shared, 1);
  for (let here = Atomics.load(shared, 1); here < 4; here = Atomics.load(shared, 1))
    Atomics.wait(shared, 1, here);
  parentPort.once("message", (bytes) => {
    parentPort.postMessage([n, bytes.reduce((sum, byte) => sum + byte, 0)]);
    parentPort.close();
  });
}

async function files() {
  const folder = await mkdtemp(join(process.cwd(), "files-"));
  const text = "a line of text\n".repeat(20_000);
  await writeFile(join(folder, "one"), text);
  await pipeline(createReadStream(join(folder, "one")), createWriteStream(join(folder, "two")));
  const copy = await readFile(join(folder, "two"));
  const packed = gzipSync(copy);
  console.log(
    "files",
    (await readdir(folder)).sort(),
    (await stat(join(folder, "two"))).size,
    gunzipSync(packed).equals(copy),
  );
  console.log("sha256", createHash("sha256").update(copy).digest("hex"));
  await assert.rejects(readFile(join(folder, "three")), { code: "ENOENT", syscall: "open" });
  await rm(folder, { recursive: true });
}

async function http() {
  const server = createServer(async (request, response) => {
    let length = 0;
    for await (const piece of request) length += piece.length;
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({ url: request.url, method: request.method, length, body: "x".repeat(100_000) }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const bodies = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      const [response] = await once(get({ host: "127.0.0.1", port, path: `/${n}` }), "response");
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      return [response.statusCode, JSON.parse(text).url, text.length];
    }),
  );
  console.log("http", bodies);
  const answer = await fetch(`http://127.0.0.1:${port}/post`, { method: "POST", body: "y".repeat(300_000) });
  const { method, length } = await answer.json();
  console.log("fetch", answer.status, answer.headers.get("content-type"), method, length);
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
