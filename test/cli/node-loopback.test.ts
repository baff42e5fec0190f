/** The host's loopback at its bounds: whatever guests and clients do there, this process goes on. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { NodeLoopback } from "../../src/cli/node-loopback.ts";
import type { HostConnectionEvents } from "../../src/machine/index.ts";

let open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open) await one.close();
  open = [];
});

function loopback(): NodeLoopback {
  const made = new NodeLoopback(() => {});
  open.push(made);
  return made;
}

/** Events of somebody who is told only of the end. */
function untilClosed(): { readonly events: HostConnectionEvents; readonly errno: Promise<number> } {
  let closed: (errno: number) => void = () => {};
  const errno = new Promise<number>((done) => {
    closed = done;
  });
  return { events: { connected: () => {}, data: ({ length }) => length, ended: () => {}, closed }, errno };
}

it("a connection too many is refused, whether it is waited for or given up", async () => {
  const host = loopback();
  const server = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  open.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connections = Array.from({ length: 1024 }, () =>
    host.connect("127.0.0.1", port, untilClosed().events),
  );
  const { events, errno } = untilClosed();
  host.connect("127.0.0.1", port, events).destroy();
  expect(await errno).toBe(111);
  for (const connection of connections) connection.destroy();
});

it("a client that nobody takes may reset first", async () => {
  const host = loopback();
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const listener = host.listen("127.0.0.1", port, () => undefined);
  while (listener.result === undefined) await turn();
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      const client = connect(port, "127.0.0.1").on("error", () => {});
      client.once("connect", () => client.resetAndDestroy());
      await new Promise((done) => client.once("close", done));
    }),
  );
  listener.close();
});

it("only so many ports are taken", () => {
  const host = loopback();
  const listeners = Array.from({ length: 300 }, (_, i) =>
    host.listen("127.0.0.1", 20_000 + i, () => undefined),
  );
  expect(listeners.filter(({ result }) => result === 105).length).toBe(300 - 256);
  for (const listener of listeners) listener.close();
});

it.each(["open", "ended"])(
  "closing waits for what is still to leave, and no longer: %s connections",
  async (state) => {
    const host = loopback();
    // Whose side never ends.
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, "127.0.0.1");
    open.push(server);
    const accepted = once(server, "connection");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const connection = host.connect("127.0.0.1", port, untilClosed().events);
    const [client] = await accepted;
    client.on("error", () => {});
    // Until this machine takes no more, in pieces for which nobody is told of a drain.
    let isPassedOn = true;
    let sent = 0;
    while (isPassedOn) {
      isPassedOn = false;
      connection.write(new Uint8Array(8192), () => {
        isPassedOn = true;
      });
      sent += 8192;
      for (let i = 0; i < 100 && !isPassedOn; i++) await turn();
    }
    if (state === "ended") connection.close();
    let got = 0;
    client.on("data", (bytes: Buffer) => {
      got += bytes.length;
    });
    const begin = performance.now();
    const closed = host.close();
    client.resume();
    await closed;
    expect(performance.now() - begin).toBeLessThan(900);
    while (got < sent) await turn();
    client.destroy();
  },
);
