/** `--net host-loopback`: programs and servers of this machine reach each other; and nothing else is reached. */
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createStreamServer } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, beforeEach, expect, it } from "vitest";
import { outcomeOf, setUpCommand } from "./command.ts";

const NET = ["run", "-q", "--net", "host-loopback", "--timeout", "60"];

const command = setUpCommand();
let servers: { close(): unknown }[] = [];

beforeEach(() => command.bring("test/cli/loopback"));
afterEach(() => {
  for (const server of servers) server.close();
  servers = [];
});

/** An HTTP server that answers with what it was sent; its port. */
async function echo(host = "127.0.0.1"): Promise<number> {
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => response.end(Buffer.concat(parts)));
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, host, done));
  return (server.address() as AddressInfo).port;
}

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const server = createStreamServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

it.each([0, 10, 3_000_000])("a program asks a server of this machine, with %d bytes", async (n) => {
  const port = await echo();
  const { stdout, stderr, status } = await command.faultline([
    ...NET,
    "loopback",
    "ask",
    "127.0.0.1",
    `${port}`,
    `${n}`,
  ]);
  expect({ stdout, stderr, status }).toEqual({
    stdout: `HTTP/1.1 200 OK, ${n} bytes, as sent\n`,
    stderr: "",
    status: 0,
  });
});

it("a program serves clients of this machine", async () => {
  const port = await freePort();
  const child = command.start([...NET, "loopback", "serve", "0.0.0.0", `${port}`, "8"]);
  child.stdin?.end();
  const outcome = outcomeOf(child);
  await new Promise((done) => child.stdout?.once("data", done));
  const bodies = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => "x".repeat(i * 50_000));
  const answers = await Promise.all(
    bodies.map(async (body) => (await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body })).text()),
  );
  expect(answers.map(({ length }) => length)).toEqual(bodies.map(({ length }) => length));
  expect(answers).toEqual(bodies);
  expect(await outcome).toMatchObject({ status: 0, stdout: "listening\n", stderr: "" });
});

it("nothing of this machine is reached without it, nor anything but the loopback with it", async () => {
  const port = await echo();
  const ask = async (options: readonly string[], ip: string, at = port): Promise<string> => {
    const { stdout } = await command.faultline([
      "run",
      "-q",
      ...options,
      "loopback",
      "ask",
      ip,
      `${at}`,
      "0",
    ]);
    return stdout;
  };
  const refused = "connect: Connection refused\n";
  expect(await ask([], "127.0.0.1")).toBe(refused);
  expect(await ask(["--net", "none"], "127.0.0.1")).toBe(refused);
  const net = ["--net", "host-loopback"];
  expect(await ask(net, "127.0.0.1", await freePort())).toBe(refused);
  expect(await ask(net, "127.0.0.2")).toBe(refused);
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4");
  expect(await ask(net, outside?.address ?? "192.0.2.1", await echo("0.0.0.0"))).toBe(
    "connect: Network unreachable\n",
  );
});

it("a port that somebody of this machine has is taken", async () => {
  const server = createStreamServer();
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const serve = ["loopback", "serve", "127.0.0.1", `${port}`, "1"];
  expect(await command.faultline([...NET, ...serve])).toMatchObject({
    status: 1,
    stderr: "listen: Address in use\n",
  });
});

it("a connection is over with the program", async () => {
  const port = await freePort();
  const child = command.start([...NET, "loopback", "serve", "127.0.0.1", `${port}`, "1"]);
  child.stdin?.end();
  await new Promise((done) => child.stdout?.once("data", done));
  // Accepted, without a request; the program waits for one.
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {}).resume();
  const closed = new Promise((done) => client.once("close", done));
  await new Promise((done) => client.once("connect", done));
  client.write("no request");
  child.kill("SIGTERM");
  expect(await outcomeOf(child)).toMatchObject({ status: 143 });
  await closed;
});
