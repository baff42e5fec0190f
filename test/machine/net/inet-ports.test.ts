/** Whom a packet is for, of several at one port. */
import { expect, it } from "vitest";
import { Ports } from "../../../src/machine/net/inet-ports.ts";

it("finds whoever fits best, the first of equals, and nobody where none fits", () => {
  const ports = new Ports<{ fit: number } & Parameters<typeof Ports.fit>[0]>(() => {}, false);
  const rest = { localIp: "", isV6Only: false, reusesAddress: false, reusesPort: false };
  const sockets = [-1, 0, 2, 2, 1].map((fit) => ({ ...rest, fit, isListening: true, ownerUid: 0 }));
  for (const socket of sockets) ports.add(7, socket);
  expect(ports.best(7, ({ fit }) => fit)).toBe(sockets[2]);
  expect(ports.best(7, () => -1)).toBeUndefined();
  expect(ports.best(8, () => 2)).toBeUndefined();
});
