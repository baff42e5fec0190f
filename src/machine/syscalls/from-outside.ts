/** Which files wait for what comes from outside the machine: then "everybody waits" is no deadlock. */
import type { File } from "../../mm/vfs/file.ts";
import { eventPollOf } from "../event-files/event-poll.ts";
import { socketOf } from "../net/socket.ts";
import { TcpSocket } from "../net/tcp-socket.ts";
import type { System } from "../system.ts";
import { ttyFileOf } from "../tty/terminals.ts";

export function comesFromOutside(system: System, file: File): boolean {
  if (system.streams.has(file.inode)) return true;
  if (ttyFileOf(file)?.tty.isConsole === true) return true;
  const socket = socketOf(file);
  if (socket instanceof TcpSocket) return socket.isFromHost;
  return (
    eventPollOf(file)
      ?.items()
      .some((item) => comesFromOutside(system, item.file)) ?? false
  );
}
