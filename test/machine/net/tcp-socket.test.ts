/** Ends of streams that are made and left in unusual orders; how they answer is compared by the test programs. */
import { expect, it } from "vitest";
import { AF_INET, MSG_DONTWAIT, SOCK_STREAM } from "../../../src/machine/net/constants.ts";
import type { HostConnectionEvents, HostLoopback } from "../../../src/machine/net/host-loopback.ts";
import { Network } from "../../../src/machine/net/network.ts";
import { type Socket, WOULD_BLOCK } from "../../../src/machine/net/socket.ts";
import { TcpSocket } from "../../../src/machine/net/tcp-socket.ts";
import { Kernel } from "../../../src/mm/index.ts";
import { BytesIter } from "../../../src/mm/kernel/bytes-iter.ts";
import { EINPROGRESS, ENOBUFS } from "../../../src/mm/uapi/errno.ts";
import { POLLOUT } from "../../../src/mm/uapi/fs.ts";

const ADDRESS = new Uint8Array([AF_INET, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
const NOWHERE = new Uint8Array(16);
const noTime = () => ({ seconds: 0, nanoseconds: 0 });

function rig(ramBytes = 2 ** 30) {
  const kernel = new Kernel({ ram: 16 * 2 ** 20 });
  const process = kernel.spawn();
  const network = new Network((bytes) => void bytes.fill(7), ramBytes, noTime);
  const make = (): TcpSocket => {
    const made = network.create(process, AF_INET, SOCK_STREAM, 0);
    if (!(made instanceof TcpSocket)) throw new Error(`socket: ${made}`);
    return made;
  };
  const iter = (n: number): BytesIter => new BytesIter(kernel.phys.ram.u8, new Uint8Array(n));
  return {
    network,
    process,
    make,
    listen: (backlog: number) => {
      const listener = make();
      expect([listener.bind(process, ADDRESS), listener.listen(process, backlog, { flags: 0 })]).toEqual([
        0, 0,
      ]);
      return listener;
    },
    connect: (socket: TcpSocket) => socket.connect(process, ADDRESS, { flags: MSG_DONTWAIT }),
    send: (socket: Socket, n: number) =>
      socket.send({
        task: process,
        from: iter(n),
        to: undefined,
        flags: MSG_DONTWAIT,
        rights: [],
        credentials: undefined,
      }),
    receive: (socket: Socket, n: number) =>
      socket.receive({ into: iter(n), already: 0, flags: MSG_DONTWAIT, outFlags: 0 }),
  };
}

function accept(listener: TcpSocket): TcpSocket | number {
  return listener.accept({ flags: MSG_DONTWAIT }) as TcpSocket | number;
}

it("does not connect who gave up while the queue was full", () => {
  const { listen, make, connect, process } = rig();
  const listener = listen(0);
  const [first, closed, elsewhere, last] = [make(), make(), make(), make()];
  for (const client of [first, closed, elsewhere, last]) expect(connect(client)).toBe(-EINPROGRESS);
  closed.close();
  expect(elsewhere.connect(process, NOWHERE, { flags: MSG_DONTWAIT })).toBe(0);
  expect(accept(listener)).toBeInstanceOf(TcpSocket);
  expect([first, closed, elsewhere, last].map(({ isConnected }) => isConnected)).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(accept(listener)).toBeInstanceOf(TcpSocket);
  expect(accept(listener)).toBe(WOULD_BLOCK);
});

it("bounds what all streams have under way together, and lets each go on", () => {
  const { listen, make, connect, send, receive, network } = rig(0);
  const listener = listen(100);
  const pairs = Array.from({ length: 20 }, () => {
    const client = make();
    connect(client);
    return { client, end: accept(listener) as TcpSocket };
  });
  for (const { client } of pairs) while (send(client, 65536) > 0);
  expect(network.memory.used).toBeLessThanOrEqual(network.memory.limit);
  // Who has nothing under way always has room; who found none is told when there is some again.
  const { client, end } = pairs[19];
  expect(client.poll() & POLLOUT).toBe(0);
  while (receive(end, 65536) > 0);
  expect(client.poll() & POLLOUT).toBe(POLLOUT);
  expect(send(client, 1)).toBe(1);
  for (const { client, end } of pairs) {
    client.close();
    end.close();
  }
  listener.close();
  expect(network.memory.used).toBe(0);
});

it("makes no more sockets than there is memory for", () => {
  const { network, process } = rig(0);
  let made = 0;
  for (;;) {
    const socket = network.create(process, AF_INET, SOCK_STREAM, 0);
    if (typeof socket === "number") {
      expect(socket).toBe(-ENOBUFS);
      break;
    }
    made++;
  }
  expect(made).toBe(network.memory.limit / 8192);
});

it("what one connection to the host tells is not for the next one of the same socket", () => {
  const kernel = new Kernel({ ram: 16 * 2 ** 20 });
  const process = kernel.spawn();
  const opened: { readonly events: HostConnectionEvents; isDestroyed: boolean }[] = [];
  const host: HostLoopback = {
    connect: (_ip, _port, events) => {
      const one = { events, isDestroyed: false };
      opened.push(one);
      return {
        write: () => {},
        end: () => {},
        close: () => {},
        destroy: () => {
          one.isDestroyed = true;
        },
        flow: () => {},
      };
    },
    listen: () => ({ result: 0, close: () => {} }),
  };
  const network = new Network((bytes) => void bytes.fill(7), 2 ** 30, noTime, host);
  const socket = network.create(process, AF_INET, SOCK_STREAM, 0);
  if (!(socket instanceof TcpSocket)) throw new Error(`socket: ${socket}`);
  const request = { flags: MSG_DONTWAIT };
  expect(socket.connect(process, ADDRESS, request)).toBe(-EINPROGRESS);
  // Given up while it is being made: nothing of it stays at the host.
  expect(socket.connect(process, NOWHERE, request)).toBe(0);
  expect(opened[0].isDestroyed).toBe(true);
  expect(socket.connect(process, ADDRESS, request)).toBe(-EINPROGRESS);
  opened[0].events.connected();
  expect(socket.isConnected).toBe(false);
  opened[1].events.connected();
  expect(socket.isConnected).toBe(true);
  opened[0].events.data(new Uint8Array(10));
  opened[0].events.closed(111);
  expect([socket.inputBytes(), socket.isConnected]).toEqual([0, true]);
  // Who sends to a socket that was closed is reset.
  socket.close();
  opened[1].events.data(new Uint8Array(10));
  expect(opened[1].isDestroyed).toBe(true);
});
