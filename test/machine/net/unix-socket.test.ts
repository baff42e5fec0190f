/** UNIX sockets under way in UNIX sockets; how they answer is compared by the test programs. */
import { expect, it } from "vitest";
import { SOCK_STREAM } from "../../../src/machine/net/constants.ts";
import { NOBODY, newSocketFile } from "../../../src/machine/net/socket.ts";
import { UnixNames } from "../../../src/machine/net/unix-names.ts";
import { UnixSocket } from "../../../src/machine/net/unix-socket.ts";
import { Kernel } from "../../../src/mm/index.ts";
import { BytesIter } from "../../../src/mm/kernel/bytes-iter.ts";
import type { File } from "../../../src/mm/vfs/file.ts";

it("releases a chain of sockets, each under way in the next, that is longer than the stack is deep", () => {
  const kernel = new Kernel({ ram: 16 * 2 ** 20 });
  const process = kernel.spawn();
  const names = new UnixNames();
  const sockets: UnixSocket[] = [];
  let held: File | undefined;
  for (let i = 0; i < 20_000; i++) {
    const [a, b] = [new UnixSocket(names, SOCK_STREAM), new UnixSocket(names, SOCK_STREAM)];
    UnixSocket.connectPair(a, b, NOBODY);
    const [sender, receiver] = [a, b].map((it) => newSocketFile(kernel.mounts, it, 0, process));
    const from = new BytesIter(kernel.phys.ram.u8, new Uint8Array(1));
    const rights = held === undefined ? [] : [held];
    expect(a.send({ task: undefined, from, to: undefined, flags: 0, rights, credentials: undefined })).toBe(
      1,
    );
    held?.put();
    sender.put();
    held = receiver;
    sockets.push(b);
  }
  held?.put();
  expect(sockets.every(({ isReleased }) => isReleased)).toBe(true);
});
