/**
 * The files of a call that waits (fdget): it goes on with them even where another thread closes the descriptors meanwhile, or
 * opens others under their numbers.
 *
 * A call that waits is made again from its registers. So the first try leaves the files here, with a reference each, and
 * while another try runs they stand in for what the table says.
 */
import type { Process } from "../../mm/kernel/process.ts";
import type { File } from "../../mm/vfs/file.ts";
import type { Call } from "./call.ts";

const FIRST: readonly number[] = [0];

/** Which arguments are descriptors, of the calls that may wait with them. fcntl looks again whether its lock is still wanted. */
const DESCRIPTORS: ReadonlyMap<string, readonly number[]> = new Map([
  ...[
    ...[
      "read",
      "write",
      "readv",
      "writev",
      "preadv2",
      "pwritev2",
      "ioctl",
      "flock",
      "vmsplice",
      "epoll_pwait",
    ],
    ...["epoll_pwait2", "listen", "accept", "accept4", "connect", "sendto", "recvfrom", "sendmsg", "recvmsg"],
    ...["sendmmsg", "recvmmsg"],
  ].map((name): [string, readonly number[]] => [name, FIRST]),
  ["sendfile", [0, 1]],
  ["splice", [0, 2]],
  ["tee", [0, 1]],
]);

interface HeldFile {
  readonly fd: number;
  readonly file: File;
}

export class HeldFiles {
  #held: HeldFile[] = [];

  /** The call waits: its files stay. */
  hold(call: Call, name: string | undefined): void {
    if (this.#held.length > 0) return;
    for (const argument of DESCRIPTORS.get(name ?? "") ?? []) {
      const fd = call.s32(argument);
      const file = call.process.files.get(fd);
      if (file === undefined) continue;
      file.get();
      this.#held.push({ fd, file });
    }
  }

  /** Another try begins: they are what their descriptors lead to, until `takeBack`. */
  lend({ files }: Process): void {
    for (const { fd, file } of this.#held) if (files.get(fd) !== file) files.standIn(fd, file);
  }

  takeBack({ files }: Process): void {
    files.endStandIns();
  }

  /** The call is over. */
  release(): void {
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    for (const { file } of held) file.put();
  }
}
