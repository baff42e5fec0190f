/** UNIX sockets under way in UNIX sockets; how they answer is compared by the test programs. */
import { expect, it } from "vitest";
import { SOCK_STREAM } from "../../../src/machine/net/constants.ts";
import { FilesInFlight } from "../../../src/machine/net/files-in-flight.ts";
import { NetworkMemory } from "../../../src/machine/net/network-memory.ts";
import { NOBODY, newSocketFile, type SendRequest, WOULD_BLOCK } from "../../../src/machine/net/socket.ts";
import { UnixNames } from "../../../src/machine/net/unix-names.ts";
import { UnixSocket } from "../../../src/machine/net/unix-socket.ts";
import { Kernel } from "../../../src/mm/index.ts";
import { BytesIter } from "../../../src/mm/kernel/bytes-iter.ts";
import type { Process } from "../../../src/mm/kernel/process.ts";
import { ETOOMANYREFS } from "../../../src/mm/uapi/errno.ts";
import { POLLOUT } from "../../../src/mm/uapi/fs.ts";
import { RLIMIT_NOFILE } from "../../../src/mm/uapi/mman.ts";
import type { File } from "../../../src/mm/vfs/file.ts";

function rig(ram = 4 * 2 ** 30) {
  const kernel = new Kernel({ ram: 16 * 2 ** 20 });
  const process = kernel.spawn();
  const memory = new NetworkMemory(ram);
  const stack = { memory, names: new UnixNames(), flight: new FilesInFlight(memory) };
  return {
    process,
    memory,
    pair: () => {
      const [a, b] = [new UnixSocket(stack, SOCK_STREAM), new UnixSocket(stack, SOCK_STREAM)];
      UnixSocket.connectPair(a, b, NOBODY);
      const [fileA, fileB] = [a, b].map((it) => newSocketFile(kernel.mounts, it, 0, process));
      return { a, b, fileA, fileB };
    },
    send: (from: UnixSocket, rights: readonly File[], task?: Process) => {
      const bytes = new BytesIter(kernel.phys.ram.u8, new Uint8Array(1));
      return from.send({ task, from: bytes, to: undefined, flags: 0, rights, credentials: undefined });
    },
  };
}

it("releases a chain of sockets, each under way in the next, that is longer than the stack is deep", () => {
  const { pair, send, memory } = rig();
  const sockets: UnixSocket[] = [];
  let held: File | undefined;
  for (let i = 0; i < 3_900; i++) {
    const { a, b, fileA, fileB } = pair();
    expect(send(a, held === undefined ? [] : [held])).toBe(1);
    held?.put();
    fileA.put();
    held = fileB;
    sockets.push(b);
  }
  held?.put();
  expect(sockets.every(({ isReleased }) => isReleased)).toBe(true);
  expect(memory.used).toBe(0);
});

it("collects a ring of sockets that nobody can reach, and nothing that somebody can", () => {
  const { pair, send, memory } = rig();
  const [one, two, outer] = [pair(), pair(), pair()];
  send(one.a, [two.fileB, two.fileA]);
  send(two.a, [one.fileB]);
  // A way to the ring that stays: in the queue of a socket that is open.
  send(outer.a, [one.fileB]);
  for (const { fileA, fileB } of [one, two]) {
    fileA.put();
    fileB.put();
  }
  expect([one.b.isReleased, two.a.isReleased, two.b.isReleased]).toEqual([false, false, false]);
  outer.fileB.put();
  outer.fileA.put();
  expect([one.a, one.b, two.a, two.b].every(({ isReleased }) => isReleased)).toBe(true);
  expect(memory.used).toBe(0);
});

it("collects sockets in their own queues when files under way get too many", () => {
  const { pair, send } = rig();
  for (let i = 0; i < 20_000; i++) {
    const { a, fileA, fileB } = pair();
    if (send(a, [fileB, fileA]) !== 1) throw new Error(`send ${i} was refused`);
    fileA.put();
    fileB.put();
  }
});

it("bounds what a user has under way by his limit of descriptors, and everybody's", () => {
  const { pair, send, process } = rig();
  const carried = pair().fileA;
  process.rlimits[RLIMIT_NOFILE].soft = 5;
  let { a } = pair();
  process.uid = 1000;
  for (let i = 0; i < 6; i++) expect(send(a, [carried], process)).toBe(1);
  expect(send(a, [carried], process)).toBe(-ETOOMANYREFS);
  process.uid = 0;
  let sent = 6;
  for (
    ;
    send(
      a,
      Array.from({ length: 253 }, () => carried),
      process,
    ) === 1;
    sent += 253
  )
    ({ a } = pair());
  expect(sent).toBeGreaterThan(16_000);
  expect(sent).toBeLessThanOrEqual(16_384);
});

/** What a machine of 16 MiB has for its sockets. */
function crowded() {
  const made = rig(0);
  const { memory, pair, process } = made;
  const write = (from: UnixSocket, bytes: number): SendRequest & { sent: number } => {
    const request: SendRequest = {
      task: process,
      from: new BytesIter(process.kernel.phys.ram.u8, new Uint8Array(bytes)),
      to: undefined,
      flags: 0,
      rights: [],
      credentials: undefined,
    };
    return Object.assign(request, { sent: from.send(request) });
  };
  const full: ReturnType<typeof pair>[] = [];
  while (memory.hasRoom) {
    const one = pair();
    full.push(one);
    while (write(one.a, 1000).sent > 0);
  }
  const receiveAll = (at: UnixSocket): void => {
    const into = new BytesIter(process.kernel.phys.ram.u8, new Uint8Array(2 ** 20));
    expect(at.receive({ into, already: 0, flags: 0, outFlags: 0 })).toBeGreaterThan(0);
  };
  return { ...made, full, write, receiveAll };
}

it("a stream waits where memory is out, and goes on when its peer has received what there was, or others have", () => {
  const { full, pair, write, receiveAll } = crowded();
  const own = pair();
  // A little always fits where nothing is.
  expect(write(own.a, 1000).sent).toBe(1000);
  const waiting = write(own.a, 1000);
  expect(waiting.sent).toBe(WOULD_BLOCK);
  expect(own.a.poll() & POLLOUT).toBe(0);
  expect(waiting.retryWhen?.()).toBe(false);
  receiveAll(own.b);
  expect(waiting.retryWhen?.()).toBe(true);
  expect(own.a.poll() & POLLOUT).toBe(POLLOUT);
  expect(write(own.a, 100_000).sent).toBeGreaterThan(1000);
  expect(write(own.a, 1000).sent).toBe(WOULD_BLOCK);
  receiveAll(full[0].b);
  expect(own.a.poll() & POLLOUT).toBe(POLLOUT);
  expect(write(own.a, 1000).sent).toBe(1000);
});
