/** The sending side of a connection to the host. */
import { expect, it } from "vitest";
import { HostPeer } from "../../../src/machine/net/host-loopback.ts";
import { FREE_BYTES, NetworkMemory } from "../../../src/machine/net/network-memory.ts";
import { WOULD_BLOCK } from "../../../src/machine/net/socket.ts";
import { BytesIter } from "../../../src/mm/kernel/bytes-iter.ts";
import { EFAULT } from "../../../src/mm/uapi/errno.ts";

function rig(free: number) {
  const memory = new NetworkMemory(0);
  memory.charge(memory.limit - free);
  const passedOn: (() => void)[] = [];
  const nothing = (): void => {};
  const write = (_bytes: Uint8Array, done: () => void): void => void passedOn.push(done);
  const connection = { write, end: nothing, close: nothing, destroy: nothing, flow: nothing };
  return { memory, passedOn, peer: new HostPeer(connection, memory, nothing) };
}

const iter = (n: number): BytesIter => new BytesIter(new Uint8Array(0), new Uint8Array(n));

it("where it has room it takes something, however little memory is left", () => {
  const { peer, memory, passedOn } = rig(FREE_BYTES + 10);
  const { used } = memory;
  expect(peer.room).toBeGreaterThan(FREE_BYTES + 10);
  expect(peer.send(iter(60_000), 60_000)).toBe(FREE_BYTES);
  expect(peer.room).toBe(0);
  expect(peer.send(iter(60_000), 60_000)).toBe(WOULD_BLOCK);
  for (const done of passedOn) done();
  expect(memory.used).toBe(used);
});

it("what can't be read is not counted", () => {
  const { peer, memory } = rig(2 ** 20);
  const { used } = memory;
  expect(peer.send(iter(100), 200)).toBe(-EFAULT);
  expect(memory.used).toBe(used);
  expect(peer.pending).toBe(0);
});
